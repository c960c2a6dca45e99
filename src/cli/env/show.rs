//! `runner env show`: every value with its origin. Nothing is started and nobody is asked.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::Path;

use crate::diagnostic::{Diagnostic, Paint, Style, nearest};
use crate::environment::{Environment, Values};
use crate::mask::{MASK, Masker};
use crate::plan::{self, Inputs, Plan, Rules};
use crate::world::World;

use super::super::given::{self, Asking, Refused};
use super::super::origin::{self, State, Unstarted};
use super::super::table::{Row, Section, Table};
use super::super::{Diagnostics, Exit, exit, is_ci};
use super::{ShowArgs, json, no_environment, root};

/// Shows the values of an environment.
pub(super) fn run(mut world: World, args: &ShowArgs) -> Exit {
    let masker = Masker::new();
    let colour = args.values.color.into();
    let style = Style::new(world.colour(&world.stdout, colour));
    let mut diagnostics = Diagnostics::of(&mut world, colour, &masker);
    let (plan, mut findings) = match plan(&world, args, &masker, &mut diagnostics) {
        Ok(loaded) => loaded,
        Err(findings) => return diagnostics.stop(&findings),
    };
    let sandbox = plan.environment.sandbox.as_ref().map(|_| &Unstarted as &dyn crate::environment::Sandbox);
    let values = Values::new(&plan.environment, &plan.engine, &world.variables, Some(&plan.root), &masker).with_sandbox(sandbox);
    let unknown: Vec<Diagnostic> = args.names.iter().filter_map(|name| unknown(&plan.environment, name)).collect();
    if !unknown.is_empty() {
        return diagnostics.stop(&unknown);
    }
    let wanted = |name: &str| args.names.is_empty() || args.names.iter().any(|wanted| wanted == name);
    let names = plan.environment.variables.iter().map(|variable| variable.name.as_str()).filter(|name| wanted(name));
    let states: Vec<(&str, State)> = names.filter_map(|name| Some((name, origin::state(&values, name)?))).collect();
    for (_, state) in &states {
        // A circle is told once, at its beginning, and not again for each variable in it.
        if let State::Failed(finding) = state
            && !findings.iter().any(|told| told.place == finding.place || told.message == finding.message)
        {
            findings.push(finding.clone());
        }
    }
    let text = if args.json {
        as_json(&values, &states, &wanted)
    } else {
        let table = Table { style, width: world.stdout.width, masker: &masker, whole: !args.names.is_empty() };
        let mut sections = vec![variables(&values, &states), stored(&values, &wanted)];
        if args.names.is_empty() {
            sections.insert(0, start(&plan.environment));
            sections.extend(rest(&plan.environment, &world.folder));
        }
        let mut text = heading(&plan.environment, style) + &table.render(&sections);
        if is_ci(&world) {
            crate::report::defuse(&mut text);
        }
        text
    };
    let mut out = masker.writer(&mut world.stdout);
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.finish());
    diagnostics.tell(&findings);
    let _ = diagnostics.out.finish();
    if findings.is_empty() { Exit::Passed } else { exit::of_findings(&findings) }
}

/// The environment, compiled, with the mistakes in it that leave it readable; warnings are told at once.
fn plan(
    world: &World,
    args: &ShowArgs,
    masker: &Masker,
    diagnostics: &mut Diagnostics,
) -> Result<(Plan, Vec<Diagnostic>), Vec<Diagnostic>> {
    let root = root(world, args.values.root.as_ref()).map_err(|finding| vec![finding])?;
    let Some(name) = args.values.env.as_deref() else { return Err(vec![no_environment(world, &root, &args.names)]) };
    let mut warnings = Vec::new();
    let given = given::collect(&args.values, world, Asking::Later, masker, &mut warnings).map_err(Refused::findings)?;
    let inputs = Inputs {
        paths: &[],
        environment: Some(name),
        root: args.values.root.as_deref(),
        given: &given,
        tls: None,
        folder: &world.folder,
        masker,
    };
    let mut plan = plan::build(&inputs, world.clock.clone())?;
    warnings.append(&mut plan.warnings);
    diagnostics.tell(&warnings);
    let rules = Rules { no_save: false, open: false, run: false, allow_host: &[] };
    let mistakes = plan::validate(&plan, &world.variables, masker, rules).err().unwrap_or_default();
    Ok((plan, mistakes))
}

/// What to say of a name that nothing declares.
fn unknown(environment: &Environment, name: &str) -> Option<Diagnostic> {
    let variables = environment.variables.iter().map(|variable| variable.name.as_str());
    let names: BTreeSet<&str> = variables.chain(environment.stored.iter().map(|stored| stored.name.as_str())).collect();
    if names.contains(name) {
        return None;
    }
    let finding = Diagnostic::error(format!("the environment `{}` has no variable `{name}`", environment.name));
    Some(match nearest(name, names.iter().copied()) {
        Some(near) => finding.help(format!("did you mean `{near}`?")),
        None if names.is_empty() => finding,
        None => finding.help(format!("it has: {}", names.into_iter().collect::<Vec<_>>().join(", "))),
    })
}

fn heading(environment: &Environment, style: Style) -> String {
    let Some(files) = &environment.files else { return String::new() };
    let local = match files.local.exists() {
        true => format!(" + {}", files.local_shown),
        false => " (no local file)".to_owned(),
    };
    let files = style.paint(Paint::Faint, &format!("{}{local}", files.shared_shown));
    format!("{}  {files}\n", style.paint(Paint::Strong, &environment.name))
}

fn variables(values: &Values<'_>, states: &[(&str, State)]) -> Section {
    Section { title: "variables", rows: states.iter().map(|(name, state)| origin::row(values, name, state)).collect() }
}

fn stored(values: &Values<'_>, wanted: &dyn Fn(&str) -> bool) -> Section {
    let environment = values.environment();
    let file = environment.files.as_ref().map(|files| files.local_shown.clone()).unwrap_or_default();
    let row = |stored: &crate::environment::Stored| {
        let mut row = Row { name: stored.name.clone(), origin: file.clone(), ..Row::default() };
        row.value = if stored.secret { MASK.to_owned() } else { origin::shown(&stored.value) };
        if stored.secret {
            row.remarks.push(origin::stored_reason(stored).to_owned());
        }
        if values.declaration(&stored.name).is_some() {
            row.remarks.push("not used: the value among the variables comes first".to_owned());
        }
        row
    };
    Section { title: "stored", rows: environment.stored.iter().filter(|stored| wanted(&stored.name)).map(row).collect() }
}

/// What runs with a run.
fn start(environment: &Environment) -> Section {
    let row = |choice: &crate::environment::SandboxChoice| Row {
        name: "box".to_owned(),
        origin: origin::place(Some(&choice.place)),
        remarks: vec!["it starts with a run; what it gives is known then".to_owned()],
        ..Row::default()
    };
    Section { title: "sandbox", rows: environment.sandbox.iter().map(row).collect() }
}

/// What an environment says besides its variables.
fn rest(environment: &Environment, folder: &Path) -> [Section; 4] {
    let plain = |name: &str, value: String, origin: String| Row { name: name.to_owned(), value, origin, ..Row::default() };
    let auth = environment
        .auth
        .iter()
        .map(|definition| plain(&definition.name, origin::method(&definition.method), origin::place(Some(&definition.place))));
    let hosts = environment.hosts.iter().map(|(host, place)| plain(host, String::new(), origin::place(Some(place))));
    let proxy = environment.proxy.iter().map(|(proxy, place)| plain(proxy, String::new(), origin::place(Some(place))));
    let mut tls = Vec::new();
    if let Some(configured) = &environment.tls {
        for (name, file) in [("ca", &configured.ca), ("cert", &configured.cert), ("key", &configured.key)] {
            let shown = file.iter().map(|file| file.path.strip_prefix(folder).unwrap_or(&file.path).display().to_string());
            tls.extend(shown.map(|path| plain(name, path, String::new())));
        }
        if configured.insecure.is_some() {
            let row = plain("insecure", "true: certificates are not checked".to_owned(), String::new());
            tls.push(Row { paint: Some(Paint::Warning), ..row });
        }
    }
    [
        Section { title: "auth", rows: auth.collect() },
        Section { title: "hosts", rows: hosts.collect() },
        Section { title: "tls", rows: tls },
        Section { title: "proxy", rows: proxy.collect() },
    ]
}

fn as_json(values: &Values<'_>, states: &[(&str, State)], wanted: &dyn Fn(&str) -> bool) -> String {
    let environment = values.environment();
    let variables = states.iter().map(|(name, state)| {
        let (state, evaluated) = match state {
            State::Known(evaluated) => (json::State::Set, Some(evaluated)),
            State::FromSandbox(evaluated) => (json::State::Sandbox, Some(evaluated)),
            State::Unset(_) => (json::State::Unset, None),
            State::Failed(_) => (json::State::Failed, None),
        };
        let secret = evaluated.map_or_else(|| values.makes_secret(name), |evaluated| evaluated.secret);
        let value = evaluated.filter(|_| state == json::State::Set && !secret).map(|evaluated| (*evaluated.value).clone());
        let origin = values.declaration(name).map(|declaration| origin::origin(declaration, name)).unwrap_or_default();
        json::Variable { name: (*name).to_owned(), state, secret, value, origin }
    });
    let files = environment.files.as_ref();
    let local = files.map(|files| files.local_shown.clone()).unwrap_or_default();
    let stored = environment.stored.iter().filter(|stored| wanted(&stored.name)).map(|stored| json::Variable {
        name: stored.name.clone(),
        state: json::State::Set,
        secret: stored.secret,
        value: (!stored.secret).then(|| stored.value.clone()),
        origin: local.clone(),
    });
    let shown = json::Shown {
        environment: environment.name.clone(),
        file: files.map(|files| files.shared_shown.clone()).unwrap_or_default(),
        local_file: files.filter(|files| files.local.exists()).map(|files| files.local_shown.clone()),
        variables: variables.collect(),
        stored: stored.collect(),
    };
    // Maps of names and plain values can always be written.
    serde_json::to_string_pretty(&shown).unwrap_or_default() + "\n"
}
