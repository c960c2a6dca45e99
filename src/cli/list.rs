//! `runner list`: requests, their tags, and the variables that they need.

use std::io::Write;

use crate::collection::Request;
use crate::diagnostic::{Paint, Style};
use crate::mask::Masker;
use crate::plan::{Plan, wanted_names};
use crate::world::World;

use super::args::CheckArgs;
use super::setup::{Wishes, plan};
use super::{Diagnostics, Exit};

/// Lists the requests of collections.
pub(super) fn run(mut world: World, args: &CheckArgs) -> Exit {
    let masker = Masker::new();
    let paint = world.colour(&world.stdout, args.plan.values.color.into());
    let mut diagnostics = Diagnostics::of(&mut world, args.plan.values.color.into(), &masker);
    let wishes = Wishes { open: true, ..Wishes::default() };
    let plan = match plan(&args.plan, &world, wishes, &masker, &mut diagnostics) {
        Ok(plan) => plan,
        Err(exit) => return exit,
    };
    let style = Style::new(paint);
    let text = (0..plan.units.len()).map(|unit| collection(&plan, unit, style)).collect::<Vec<_>>().join("\n");
    let mut out = masker.writer(&mut world.stdout);
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.finish());
    let _ = diagnostics.out.finish();
    Exit::Passed
}

fn collection(plan: &Plan, unit: usize, style: Style) -> String {
    let collection = &plan.units[unit].collection;
    let mut text =
        format!("{}  {}\n", style.paint(Paint::Strong, &collection.name), style.paint(Paint::Faint, collection.file.name()));
    let wanted = wanted_names(plan, unit);
    let method = collection.requests.iter().map(|request| request.method.len()).max().unwrap_or_default();
    for request in &collection.requests {
        text += &format!("  {:method$}  {}", request.method, request.name_behind_method());
        if !request.tags.is_empty() {
            text += &style.paint(Paint::Faint, &format!("  [{}]", request.tags.join(", ")));
        }
        let needs = needs(request, &wanted);
        if !needs.is_empty() {
            text += &style.paint(Paint::Faint, &format!("  needs {}", needs.join(", ")));
        }
        text.push('\n');
    }
    text
}

/// The variables of an environment that the request reads.
fn needs<'w>(request: &Request, wanted: &std::collections::BTreeMap<&'w str, Vec<String>>) -> Vec<&'w str> {
    let name = request.full_name();
    wanted.iter().filter(|(_, readers)| readers.contains(&name)).map(|(wanted, _)| *wanted).collect()
}
