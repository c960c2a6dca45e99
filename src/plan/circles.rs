//! Variables that refer to one another in a circle, or in a chain too long to walk.

use std::collections::{BTreeMap, HashMap, HashSet};

use crate::diagnostic::{Diagnostic, Place};
use crate::environment::{Content, Declaration};
use crate::template::Template;

use super::Plan;

/// Circles among the environment's variables.
pub(super) fn environment_circles(plan: &Plan, process: &BTreeMap<String, String>, findings: &mut Vec<Diagnostic>) {
    let variables = &plan.environment.variables;
    let tree = |name: &str| {
        let effective = variables.iter().find(|variable| variable.name == name)?.effective(process);
        match effective {
            Some(Declaration { content: Content::Tree { tree, .. }, place: Some(place), .. }) => Some((tree, place)),
            _ => None,
        }
    };
    let reads = |name: &str| match tree(name) {
        Some((tree, _)) => {
            tree.templates().flat_map(Template::reads).filter_map(|r| r.path.first().map(String::as_str)).collect()
        }
        None => Vec::new(),
    };
    for knot in knots(variables.iter().map(|variable| variable.name.as_str()), &reads) {
        if let Some((_, place)) = tree(knot.name()) {
            findings.push(knot.finding(place));
        }
    }
}

/// Circles among a collection's variables; a name to which the environment gives a value is not evaluated here.
pub(super) fn collection_circles(plan: &Plan, unit: usize, process: &BTreeMap<String, String>, findings: &mut Vec<Diagnostic>) {
    let variables = &plan.units[unit].collection.variables;
    let hidden = |name: &str| plan.environment.variable(name).is_some_and(|variable| variable.effective(process).is_some());
    let own = |name: &str| variables.iter().find(|variable| variable.name == name && !hidden(name));
    let reads = |name: &str| match own(name).and_then(|variable| variable.value.as_ref()) {
        Some(tree) => tree.templates().flat_map(Template::reads).filter_map(|r| r.path.first().map(String::as_str)).collect(),
        None => Vec::new(),
    };
    for knot in knots(variables.iter().map(|variable| variable.name.as_str()), &reads) {
        if let Some(variable) = own(knot.name()) {
            findings.push(knot.finding(&variable.place));
        }
    }
}

/// The longest chain of variables that refer to one another.
const DEEPEST: usize = 64;

/// What is wrong with how variables refer to one another.
enum Knot<'n> {
    /// A chain of names that comes back to its first.
    Circle(Vec<&'n str>),
    /// A chain that is longer than [`DEEPEST`] starts here.
    TooDeep(&'n str),
}

impl<'n> Knot<'n> {
    fn name(&self) -> &'n str {
        match self {
            Self::Circle(chain) => chain.first().copied().unwrap_or_default(),
            Self::TooDeep(name) => name,
        }
    }

    fn finding(&self, place: &Place) -> Diagnostic {
        match self {
            Self::Circle(chain) => place.error("variables refer to one another in a circle").label(chain.join(" → ")),
            Self::TooDeep(_) => place.error(format!("variables refer to one another more than {DEEPEST} deep")),
        }
    }
}

/// Every circle of a graph, each once, and the first chain that is too deep.
fn knots<'n>(names: impl Iterator<Item = &'n str>, reads: &dyn Fn(&str) -> Vec<&'n str>) -> Vec<Knot<'n>> {
    let mut depth: HashMap<&str, usize> = HashMap::new();
    let mut done: HashSet<&str> = HashSet::new();
    let mut found = Vec::new();
    for name in names {
        // An explicit stack: a chain of variables may be as long as a file allows.
        let mut path: Vec<(&str, Vec<&str>)> = Vec::new();
        if done.insert(name) {
            path.push((name, reads(name)));
        }
        while let Some((_, rest)) = path.last_mut() {
            let Some(next) = rest.pop() else {
                let Some((name, _)) = path.pop() else { break };
                let below = reads(name).iter().filter_map(|read| depth.get(read)).max().map_or(0, |depth| depth + 1);
                depth.insert(name, below);
                if below > DEEPEST {
                    found.push(Knot::TooDeep(name));
                    return found;
                }
                continue;
            };
            if let Some(from) = path.iter().position(|(name, _)| *name == next) {
                found.push(Knot::Circle(path[from..].iter().map(|(name, _)| *name).chain([next]).collect()));
            } else if done.insert(next) {
                path.push((next, reads(next)));
            }
        }
    }
    found
}
