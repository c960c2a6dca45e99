//! `runner env set`: one value of a person's own. A secret is never taken from the command line.

use std::io::{ErrorKind, Write};

use serde_json::Value;

use crate::diagnostic::{Diagnostic, nearest};
use crate::environment::{Content, Environment, Reason, Variable, is_plain_url};
use crate::mask::{Learnt, Masker, is_secret_name};
use crate::secret::Secret;
use crate::template::{Builder, RESERVED, Syntax};
use crate::world::{World, ask_secret, read_secret};
use crate::yaml::edit::Change;
use crate::yaml::plain_value;

use super::super::given::{SECRET, VARIABLE, too_short, usable};
use super::super::{Diagnostics, Exit, origin};
use super::SetArgs;
use super::edit::{Stop, Target, VARIABLES};

/// Sets a value in the local file of an environment.
pub(super) fn run(mut world: World, args: &SetArgs) -> Exit {
    let masker = Masker::new();
    let mut diagnostics = Diagnostics::of(&mut world, args.file.color.into(), &masker);
    match set(&mut world, args, &masker, &mut diagnostics) {
        Ok(text) => {
            let mut out = masker.writer(&mut world.stdout);
            let _ = out.write_all(text.as_bytes()).and_then(|()| out.finish());
            let _ = diagnostics.out.finish();
            Exit::Passed
        }
        Err(stop) => stop.tell(&mut diagnostics),
    }
}

fn set(world: &mut World, args: &SetArgs, masker: &Masker, diagnostics: &mut Diagnostics) -> Result<String, Stop> {
    let (name, typed) = name_and_value(args)?;
    let target = Target::load(world, &args.file, &[], masker, diagnostics)?;
    let environment = &target.environment;
    let kind = Kind::of(environment, name);
    if kind == Kind::Secret && typed.is_some() {
        return Err(on_the_command_line(environment, name).into());
    }
    let value = match typed {
        Some(text) => {
            let value = plain_value(text);
            check_template(world, environment, &value)?;
            value
        }
        None => {
            let answer = asked(world, environment, name)?;
            match kind {
                Kind::Plain => plain_value(answer.expose()),
                Kind::Secret | Kind::Unknown => {
                    if masker.learn(&answer) == Learnt::TooShort {
                        diagnostics.tell(&[too_short(name)]);
                    }
                    Value::String(literal(answer.expose())?)
                }
            }
        }
    };
    let tag = (kind == Kind::Plain && is_private_text(&value) && !has_code(&value)).then_some("!plain");
    let private = tag.is_none() && is_private_text(&value);
    let change = Change { path: vec![VARIABLES.to_owned(), name.to_owned()], value: Some(value), tag };
    let existed = target.files.local.exists();
    target.save(&[change], diagnostics)?;
    diagnostics.tell(&notes(world, &target, name, private));
    let new = if existed { "" } else { ", a new file" };
    Ok(format!("set `{name}` in {}{new}\n", target.files.local_shown))
}

/// Text in the local file is a secret unless it says that it is none.
fn is_private_text(value: &Value) -> bool {
    value.as_str().is_some_and(|text| !is_plain_url(text))
}

/// Whether a text is a template: it may read a secret, so nothing says of it that it is none.
fn has_code(value: &Value) -> bool {
    value.as_str().is_some_and(|text| OPENINGS.iter().any(|opening| text.contains(opening)))
}

/// What makes a template of a text.
const OPENINGS: [&str; 3] = ["{{", "{%", "{#"];

/// What may be done with the value of a variable.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// It never stands on a command line.
    Secret,
    /// A file declares it, and not as a secret.
    Plain,
    /// Nothing declares it.
    Unknown,
}

impl Kind {
    fn of(environment: &Environment, name: &str) -> Self {
        let declared = environment.variable(name);
        let is_plain = |variable: &Variable| {
            variable
                .declarations
                .iter()
                .any(|declaration| matches!(declaration.content, Content::Tree { secret: Some(false), .. }))
        };
        if environment.declared_reason(name).is_some() || is_secret_name(name) && !declared.is_some_and(is_plain) {
            Self::Secret
        } else if declared.is_some() {
            Self::Plain
        } else {
            Self::Unknown
        }
    }
}

/// The name, and the value if one was typed; also from `NAME=VALUE`.
fn name_and_value(args: &SetArgs) -> Result<(&str, Option<&str>), Diagnostic> {
    let (name, typed) = match (args.name.split_once('='), args.value.as_slice()) {
        (Some((name, value)), []) => (name, Some(value)),
        (Some((name, _)), _) => (name, None),
        (None, []) => (args.name.as_str(), None),
        (None, [value, ..]) => (args.name.as_str(), Some(value.as_str())),
    };
    if !usable(name) {
        let finding = if RESERVED.contains(&name) {
            Diagnostic::error(format!("`{name}` is reserved and can't be the name of a variable"))
                .help(format!("reserved: {}", RESERVED.join(", ")))
        } else {
            Diagnostic::error(format!("`{name}` can't be the name of a variable"))
                .help("a name is made of letters, digits and `_`, and does not start with a digit")
        };
        return Err(finding);
    }
    if args.value.len() + usize::from(args.name.contains('=')) > 1 {
        // None of it is repeated: it may be a secret in pieces.
        return Err(Diagnostic::error(format!("`{name}` gets one value, and more stand on the command line"))
            .help(format!("write `runner env set {name} 'one value'`, in quotes if it has spaces; leave a secret out")));
    }
    Ok((name, typed))
}

fn on_the_command_line(environment: &Environment, name: &str) -> Diagnostic {
    let reason = environment.declared_reason(name);
    let finding = Diagnostic::error(format!("`{name}` is a secret and is not taken from the command line"));
    let finding = finding.help(format!(
        "write `runner env set {name} --env {}` and type the value when asked, or send it to standard input",
        origin::chosen_as(environment)
    ));
    let finding = finding.help("what was typed stands in the shell's history now, and others on this machine could read it");
    match reason {
        Some(Reason::Tagged { .. } | Reason::Given) => finding,
        Some(reason @ Reason::Local(_)) => {
            let why = origin::reason_words(Some(&reason));
            finding.help(format!("{why}; `!plain` before its value there says that it is none"))
        }
        Some(reason) => finding.help(origin::reason_words(Some(&reason))),
        None => finding.help(format!("secret: by its name; `{name}: !plain …` in the environment says that it is none")),
    }
}

/// The value, from a person or from standard input.
fn asked(world: &mut World, environment: &Environment, name: &str) -> Result<Secret, Stop> {
    if world.input_is_terminal {
        let prompt = environment.variable(name).into_iter().flat_map(|variable| &variable.declarations).rev();
        let prompt = prompt.into_iter().find_map(|declaration| match &declaration.content {
            Content::Prompt(text) => Some(text.clone()),
            _ => None,
        });
        let prompt = prompt.unwrap_or_else(|| name.to_owned());
        return match ask_secret(&prompt) {
            Ok(answer) if answer.expose().is_empty() => {
                Err(Diagnostic::error("nothing was typed, so nothing was changed").into())
            }
            Ok(answer) => Ok(answer),
            Err(error) if error.kind() == ErrorKind::Interrupted => Err(Stop::Interrupted),
            Err(error) => Err(Diagnostic::error(format!("the value of `{name}` was not given: {error}")).into()),
        };
    }
    match read_secret(&mut *world.stdin) {
        Ok(answer) if answer.expose().is_empty() => {
            let finding = Diagnostic::error(format!("standard input holds no value for `{name}`, so nothing was changed"));
            Err(finding.help(format!("send it one (`… | runner env set {name}`), or run this on a terminal to be asked")).into())
        }
        Ok(answer) => Ok(answer),
        Err(error) => Err(Diagnostic::error(format!("the value of `{name}` can't be read: {error}")).into()),
    }
}

/// A secret as it stands in the file: values there are templates, and a secret is none.
fn literal(text: &str) -> Result<String, Diagnostic> {
    if !OPENINGS.iter().any(|opening| text.contains(opening)) {
        return Ok(text.to_owned());
    }
    if text.contains("endraw") {
        return Err(Diagnostic::error("a value with both `{%` and `endraw` in it can't be written; put it into a file")
            .help("a file is read with `!file PATH`"));
    }
    Ok(format!("{{% raw %}}{text}{{% endraw %}}"))
}

/// A value that was typed may be a template, as everywhere in the file: it must be one that works.
fn check_template(world: &World, environment: &Environment, value: &Value) -> Result<(), Stop> {
    let Some(text) = value.as_str() else { return Ok(()) };
    let mut templates = Builder::new(world.clock.clone());
    let template = templates.add_text("VALUE", text, Syntax::Variable);
    templates.compile().map(drop).map_err(Stop::Findings)?;
    let known = || environment.variables.iter().map(|variable| variable.name.as_str());
    let reads = template.reads().iter().filter_map(|read| Some((read, read.path.first()?)));
    let findings: Vec<Diagnostic> = reads
        .filter(|(_, root)| *root != "sandbox" && !known().any(|name| name == *root))
        .map(|(read, root)| {
            let finding = read.place.error(format!("undefined variable `{root}`"));
            match nearest(root, known()) {
                Some(near) => finding.label(format!("did you mean `{near}`?")),
                None => finding.help("an environment sees only itself; for literal braces write `{% raw %}…{% endraw %}`"),
            }
        })
        .collect();
    if findings.is_empty() { Ok(()) } else { Err(Stop::Findings(findings)) }
}

/// What is worth saying about a value that was set.
fn notes(world: &World, target: &Target, name: &str, private: bool) -> Vec<Diagnostic> {
    let environment = &target.environment;
    let mut notes = Vec::new();
    if environment.variable(name).is_none() {
        let names = environment.variables.iter().map(|variable| variable.name.as_str());
        let secret = if private { ", so its text is taken for a secret" } else { "" };
        let note = Diagnostic::note(format!("no file of the environment declares `{name}`{secret}"));
        let back = format!("`runner env unset {name} --env {}` takes this one away", origin::chosen_as(environment));
        notes.push(match nearest(name, names) {
            Some(near) => note.help(format!("did you mean `{near}`? {back}")),
            None => note.help(format!("declare it in {}: `{name}:`, or `{name}: !secret`", target.files.shared_shown)),
        });
    }
    if environment.stored_value(name).is_some() {
        notes.push(
            Diagnostic::warning(format!("`{name}` is also stored, and the value that was set comes first"))
                .help("a request that stores it is refused as long as it is set")
                .help(format!("take both away with `runner env unset {name} --env {}`", origin::chosen_as(environment))),
        );
    }
    for prefix in [VARIABLE, SECRET] {
        let variable = format!("{prefix}{name}");
        if world.variables.get(&variable).is_some_and(|text| !text.is_empty()) {
            notes.push(Diagnostic::warning(format!("the process variable {variable} comes first while it is set")));
        }
    }
    notes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_written_so_that_it_is_no_template() {
        assert_eq!(literal("plain } text").unwrap(), "plain } text");
        assert_eq!(literal("a{{b").unwrap(), "{% raw %}a{{b{% endraw %}");
        assert!(literal("{% endraw %}").is_err());
    }
}
