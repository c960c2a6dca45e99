//! Values that must be set and are not: told before the first byte when a request that surely runs reads them.

use std::collections::HashSet;

use crate::auth::Method;
use crate::collection::Request;
use crate::diagnostic::{Diagnostic, Place};
use crate::environment::{Content, Declaration, Layer, Unset, Values};
use crate::template::Template;

use super::names::{Names, sent_templates};
use super::{Plan, Scope};

/// A value that must be set and is not, read by a request that surely runs.
pub(super) fn must_be_set<'p>(plan: &'p Plan, names: &Names<'_>, values: &'p Values<'p>, findings: &mut Vec<Diagnostic>) {
    let mut told: HashSet<String> = HashSet::new();
    for (unit, planned) in plan.units.iter().enumerate() {
        let scope = Scope::new(values, &plan.engine, &planned.collection);
        for (index, request) in planned.collection.requests.iter().enumerate() {
            if !surely_runs(plan, names, &scope, (unit, index), request) {
                continue;
            }
            let own = sent_templates(request).into_iter().chain(request.when.iter()).map(|template| (template, false));
            for (template, environment) in own.chain(named_templates(plan, unit, request)) {
                for read in template.reads().iter().filter(|read| !read.guarded) {
                    let Some(root) = read.path.first() else { continue };
                    let unset = match environment {
                        true => values.unset(root),
                        false => missing(plan, names, values, (unit, index), (root, &mut Vec::new())),
                    };
                    if let Some(unset) = unset
                        && told.insert(unset.name.clone())
                    {
                        findings.push(plan.unset_finding(&read.place, &unset));
                    }
                }
            }
        }
    }
}

/// The templates of the definition that a request names and that sending it renders, and whether the environment's own scope
/// renders them. Of a login whose token is kept only what tells which token fits: the rest may never be asked for.
pub(super) fn named_templates<'p>(plan: &'p Plan, unit: usize, request: &Request) -> Vec<(&'p Template, bool)> {
    let Some((definition, environment)) = plan.definition(unit, request) else { return Vec::new() };
    let templates = match &definition.method {
        Method::Scheme(scheme) => scheme.templates(),
        Method::Login(login) => {
            let kept = plan.environment.tokens.iter().any(|(name, _)| *name == definition.name);
            if kept { login.identity_templates() } else { login.needed_templates() }
        }
    };
    templates.into_iter().map(|template| (template, environment)).collect()
}

/// Whether nothing that a run brings can keep the request from being sent: it has no `when`, or one that can be decided now.
fn surely_runs(plan: &Plan, names: &Names<'_>, scope: &Scope<'_>, at: (usize, usize), request: &Request) -> bool {
    let Some(when) = &request.when else { return true };
    let open = when.reads().iter().filter_map(|read| read.path.first()).any(|root| names.produced_before(at.0, at.1, root));
    // A `when` that can't be decided without a value that is missing says nothing about the request.
    !open && plan.engine.holds(when, scope).unwrap_or(false)
}

/// The variable behind `root` that has no value and that nothing before the request gives.
fn missing<'n>(
    plan: &'n Plan,
    names: &Names<'_>,
    values: &Values<'_>,
    at: (usize, usize),
    (root, seen): (&'n str, &mut Vec<&'n str>),
) -> Option<Unset> {
    if seen.contains(&root) {
        return None;
    }
    seen.push(root);
    if names.produced_before(at.0, at.1, root) {
        return None;
    }
    let stored = plan.environment.stored_value(root).is_some();
    let own = plan.units[at.0].collection.variables.iter().find(|variable| variable.name == root);
    if values.has(root) || stored {
        return None;
    }
    match own {
        Some(variable) => match &variable.value {
            // The collection's own value counts; what it reads may still be missing.
            Some(tree) => tree
                .templates()
                .flat_map(Template::reads)
                .filter(|read| !read.guarded)
                .filter_map(|read| read.path.first())
                .find_map(|inner| missing(plan, names, values, at, (inner, seen))),
            None => values.unset(root).or_else(|| {
                Some(Unset {
                    name: root.to_owned(),
                    declaration: Declaration {
                        layer: Layer::Shared,
                        place: Some(variable.place.clone()),
                        content: Content::Unset,
                    },
                })
            }),
        },
        None => values.unset(root),
    }
}

impl Plan {
    /// What to tell about a variable that has no value and is read at `place`.
    #[must_use]
    pub fn unset_finding(&self, place: &Place, unset: &Unset) -> Diagnostic {
        let name = &unset.name;
        let declared = unset.declaration.place.as_ref().map(|at| format!(", declared at {at}")).unwrap_or_default();
        let local = self.environment.files.as_ref().map(|files| files.local_shown.as_str());
        let finding = place.error(match &unset.declaration.content {
            Content::SecretUnset => format!("the secret `{name}` is not set"),
            Content::ProcessVariable(variable) => {
                format!("`{name}` comes from the process variable `{variable}`, which is not set")
            }
            Content::File { written, .. } => format!("`{name}` comes from the file `{written}`, which does not exist"),
            Content::Prompt(_) => format!("`{name}` would have to be asked for, and this version of runner can't do that yet"),
            _ => format!("the variable `{name}` has no value"),
        });
        let finding = finding.label(format!("needed here{declared}"));
        let mut ways = ways_to_give(name, unset.declaration.content.is_secret());
        if let Some(local) = local {
            ways.push(format!("`{name}: …` under `variables:` in {local}"));
        }
        finding.help(format!("give it with {}", ways.join(", or ")))
    }
}

/// How to give a variable a value for one run.
#[must_use]
pub fn ways_to_give(name: &str, secret: bool) -> Vec<String> {
    let mut ways = Vec::new();
    if secret {
        if name == "code" {
            // A code that can be used once, for seconds, may stand on a command line.
            ways.push("`--var code=…`".to_owned());
        }
        ways.push(format!("`--secret {name}`"));
        ways.push(format!("the process variable RUNNER_SECRET_{name}"));
    } else {
        ways.push(format!("`--var {name}=…`"));
        ways.push(format!("the process variable RUNNER_VAR_{name}"));
    }
    ways
}
