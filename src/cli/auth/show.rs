//! `runner auth show`: a login with what its preset fills in. Templates are shown as written, never evaluated.

use std::io::Write;

use crate::auth::{Login, provider};
use crate::cli::Exit;
use crate::cli::table::{Row, Section, Table};
use crate::diagnostic::{Diagnostic, Style};
use crate::template::Template;
use crate::world::World;

use super::{ShowArgs, session};

/// Shows one login, or a preset.
pub(super) fn run(mut world: World, args: &ShowArgs) -> Exit {
    if let Some(name) = &args.provider {
        return preset(&mut world, name);
    }
    let style = Style::new(world.colour(&world.stdout, args.login.values.color.into()));
    session(world, &args.login, async |session| {
        let (definition, login) = session.login(args.login.name.as_deref())?;
        let table = Table { style, width: session.width, masker: session.masker, whole: true };
        let mut rows = vec![row("grant_type", login.grant_type.name(), &definition.place.to_string())];
        if let Some(provider) = &login.provider {
            rows.push(row("provider", provider, ""));
        }
        if let Some(auth) = login.client.auth {
            rows.push(row("client_auth", auth.name(), ""));
        }
        rows.extend(fields(login).into_iter().map(|(name, template)| {
            let secret = template.place().file.is_hidden();
            row(name, if secret { crate::mask::MASK } else { template.source() }, &origin(template))
        }));
        let text = table.render(&[Section { title: "", rows }]);
        let text = format!("{}\n{}", definition.name, text.trim_start_matches('\n'));
        let _ = session.masker.writer(&mut session.stdout).write_all(text.as_bytes());
        Ok(())
    })
}

fn preset(world: &mut World, name: &str) -> Exit {
    match provider(name) {
        Ok(text) => {
            let _ = world.stdout.write_all(text.as_bytes()).and_then(|()| world.stdout.flush());
            Exit::Passed
        }
        Err(known) => {
            let finding = Diagnostic::error(format!("there is no preset called `{name}`"));
            let masker = crate::mask::Masker::new();
            let finding = finding.help(format!("presets: {}", known.join(", ")));
            super::Diagnostics::of(world, crate::world::ColourChoice::Auto, &masker).stop(&[finding])
        }
    }
}

fn row(name: &str, value: &str, origin: &str) -> Row {
    Row { name: name.to_owned(), value: value.to_owned(), origin: origin.to_owned(), ..Row::default() }
}

/// Where a field stands: a file, or the preset.
fn origin(template: &Template) -> String {
    let place = template.place();
    if place.file.name() == crate::auth::PRESETS { "preset".to_owned() } else { place.to_string() }
}

/// The fields that a login gives, in the order of the documentation.
fn fields(login: &Login) -> Vec<(&'static str, &Template)> {
    let single = [
        ("client_id", &login.client.id),
        ("client_secret", &login.client.secret),
        ("audience", &login.wanted.audience),
        ("code", &login.brought.code),
        ("refresh_token", &login.brought.refresh_token),
        ("username", &login.brought.username),
        ("password", &login.brought.password),
        ("subject_token", &login.brought.subject_token),
        ("actor_token", &login.brought.actor_token),
        ("redirect_uri", &login.redirect_uri),
        ("assertion config", &login.assertion.config),
        ("assertion key", &login.assertion.key),
        ("assertion passphrase", &login.assertion.passphrase),
        ("assertion audience", &login.assertion.audience),
    ];
    let mut found: Vec<_> = login.endpoints.given().collect();
    found.extend(single.into_iter().filter_map(|(name, field)| Some((name, field.as_ref()?))));
    let subject = login.wanted.subject.iter().flat_map(|(kind, id)| [("subject type", kind), ("subject id", id)]);
    found.extend(subject);
    found.extend(login.wanted.scope.iter().map(|scope| ("scope", scope)));
    found.extend(login.wanted.resource.iter().map(|resource| ("resource", resource)));
    let params = [&login.authorize, &login.token.params, &login.refresh.params];
    found.extend(params.into_iter().flatten().flat_map(|(_, values)| values.iter().map(|value| ("parameter", value))));
    found
}
