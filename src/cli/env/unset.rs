//! `runner env unset`: takes values out of the local file.

use std::io::Write;

use crate::diagnostic::{Diagnostic, nearest, printable};
use crate::environment::{Declaration, Environment, Layer};
use crate::mask::Masker;
use crate::world::World;
use crate::yaml::edit::Change;

use super::super::{Diagnostics, Exit, origin};
use super::UnsetArgs;
use super::edit::{STORED, Stop, Target, VARIABLES};

/// Takes values out of the local file of an environment.
pub(super) fn run(mut world: World, args: &UnsetArgs) -> Exit {
    let masker = Masker::new();
    let mut diagnostics = Diagnostics::of(&mut world, args.file.color.into(), &masker);
    match unset(&world, args, &masker, &mut diagnostics) {
        Ok(text) => {
            let mut out = masker.writer(&mut world.stdout);
            let _ = out.write_all(text.as_bytes()).and_then(|()| out.finish());
            let _ = diagnostics.out.finish();
            Exit::Passed
        }
        Err(stop) => stop.tell(&mut diagnostics),
    }
}

fn unset(world: &World, args: &UnsetArgs, masker: &Masker, diagnostics: &mut Diagnostics) -> Result<String, Stop> {
    let target = Target::load(world, &args.file, &args.names, masker, diagnostics)?;
    let environment = &target.environment;
    let mut changes = Vec::new();
    let mut unknown = Vec::new();
    let mut text = String::new();
    for name in &args.names {
        let set = declaration(environment, name, Layer::Local).map(|_| VARIABLES);
        let stored = environment.stored_value(name).map(|_| STORED);
        let sections: Vec<&str> = set.into_iter().chain(stored).collect();
        if sections.is_empty() {
            unknown.push(not_there(&target, name));
            continue;
        }
        let removal = |section: &&str| Change { path: vec![(*section).to_owned(), name.clone()], value: None, tag: None };
        changes.extend(sections.iter().map(removal));
        let sections: Vec<String> = sections.iter().map(|section| format!("`{section}`")).collect();
        text += &format!("took `{name}` out of {} in {}\n", sections.join(" and "), target.files.local_shown);
    }
    if !unknown.is_empty() {
        return Err(Stop::Findings(unknown));
    }
    target.save(&changes, diagnostics)?;
    Ok(printable_lines(&text))
}

fn printable_lines(text: &str) -> String {
    text.lines().map(|line| format!("{}\n", printable(line))).collect()
}

/// The declaration of a layer.
fn declaration<'e>(environment: &'e Environment, name: &str, layer: Layer) -> Option<&'e Declaration> {
    environment.variable(name)?.declarations.iter().rev().find(|declaration| declaration.layer == layer)
}

/// What to say of a name that has no value in the local file.
fn not_there(target: &Target, name: &str) -> Diagnostic {
    let environment = &target.environment;
    let finding = Diagnostic::error(format!("`{name}` has no value in {}", target.files.local_shown));
    if let Some(declaration) = declaration(environment, name, Layer::Shared) {
        let at = origin::place(declaration.place.as_ref());
        return finding.help(format!("it stands in {at}, a file that is shared and that only you change"));
    }
    let set = environment.variables.iter().map(|variable| variable.name.as_str());
    let set = set.filter(|name| declaration(environment, name, Layer::Local).is_some());
    let names: Vec<&str> = set.chain(environment.stored.iter().map(|stored| stored.name.as_str())).collect();
    match nearest(name, names.iter().copied()) {
        Some(near) => finding.help(format!("did you mean `{near}`?")),
        None if names.is_empty() => finding.help("there is nothing in it to take away"),
        None => finding.help(format!("it holds: {}", names.join(", "))),
    }
}
