//! `runner check`: every mistake, nothing sent.

use std::io::Write;

use crate::mask::Masker;
use crate::plan::wanted_names;
use crate::world::World;

use super::args::CheckArgs;
use super::setup::{Wishes, plan};
use super::{Diagnostics, Exit};

/// Checks collections.
pub(super) fn run(mut world: World, args: &CheckArgs) -> Exit {
    let masker = Masker::new();
    let mut diagnostics = Diagnostics::of(&mut world, args.plan.values.color.into(), &masker);
    let wishes = Wishes { open: true, ..Wishes::default() };
    let plan = match plan(&args.plan, &world, wishes, &masker, &mut diagnostics) {
        Ok(plan) => plan,
        Err(exit) => return exit,
    };
    let requests: usize = plan.units.iter().map(|unit| unit.collection.requests.len()).sum();
    let mut text = format!("no mistakes in {} and {}\n", count(plan.units.len(), "collection"), count(requests, "request"));
    if plan.environment.files.is_none() {
        let names: std::collections::BTreeSet<&str> =
            (0..plan.units.len()).flat_map(|unit| wanted_names(&plan, unit).into_keys()).collect();
        if !names.is_empty() {
            let names: Vec<&str> = names.into_iter().collect();
            text += &format!("an environment must give: {}\n", names.join(", "));
        }
    }
    let mut out = masker.writer(&mut world.stdout);
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.finish());
    let _ = diagnostics.out.finish();
    Exit::Passed
}

/// `1 request`, `2 requests`.
fn count(number: usize, thing: &str) -> String {
    if number == 1 { format!("1 {thing}") } else { format!("{number} {thing}s") }
}
