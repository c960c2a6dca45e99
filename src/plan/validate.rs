//! Every static mistake of every request together, before the first byte is sent.

use std::collections::{BTreeMap, HashMap, HashSet};

use crate::auth::{Choice, Definition, Method};
use crate::collection::{Body, Request};
use crate::diagnostic::{Diagnostic, Place, nearest};
use crate::environment::{Content, Declaration, Unset, Values};
use crate::mask::Masker;
use crate::template::Template;
use crate::trust::HostRule;

use super::names::{Names, sent_templates};
use super::{Plan, Scope};

/// What the command line changes about the checks.
#[derive(Debug, Clone, Copy)]
pub struct Rules {
    /// Stores live for this run only.
    pub no_save: bool,
    /// `check` without an environment: a name that only an environment can give is no finding.
    pub open: bool,
    /// Whether a run follows: values must be set then.
    pub run: bool,
}

/// Finds everything that is wrong with `plan`.
///
/// # Errors
/// The findings, in the order of the files.
pub fn validate(plan: &Plan, process: &BTreeMap<String, String>, masker: &Masker, rules: Rules) -> Result<(), Vec<Diagnostic>> {
    let names = Names::new(plan, rules.open);
    let mut findings = static_findings(plan, &names, process, rules);
    if findings.is_empty() && rules.run {
        if plan.units.iter().all(|unit| unit.collection.requests.is_empty()) {
            findings.push(Diagnostic::error("there is nothing to run: the collection has no requests"));
        }
        let values = Values::new(&plan.environment, &plan.engine, process, Some(&plan.root), masker);
        must_be_set(plan, &names, &values, &mut findings);
    }
    if findings.is_empty() { Ok(()) } else { Err(findings) }
}

/// What is wrong with the readable parts of a plan whose files have mistakes. With `open` an unknown name is no finding.
pub(super) fn findings_of(plan: &Plan, open: bool) -> Vec<Diagnostic> {
    static_findings(plan, &Names::new(plan, open), &BTreeMap::new(), Rules { no_save: false, open, run: false })
}

/// What can be told without a single value.
fn static_findings(plan: &Plan, names: &Names<'_>, process: &BTreeMap<String, String>, rules: Rules) -> Vec<Diagnostic> {
    let mut findings = Vec::new();
    names.environment(&mut findings);
    hosts(plan, &mut findings);
    proxy(plan, &mut findings);
    environment_circles(plan, process, &mut findings);
    for unit in 0..plan.units.len() {
        names.collection(unit, &mut findings);
        collection_circles(plan, unit, process, &mut findings);
        needs(plan, unit, &mut findings);
        let collection = &plan.units[unit].collection;
        for (index, request) in collection.requests.iter().enumerate() {
            names.request(unit, index, &mut findings);
            auth(plan, (unit, rules.open), request, &mut findings);
            stores(plan, request, rules, &mut findings);
            body_file(plan, unit, request, &mut findings);
        }
    }
    findings.extend(names.without_environment());
    without_repeats(&mut findings);
    findings
}

/// A mistake in `defaults` is one, however many requests read them.
fn without_repeats(findings: &mut Vec<Diagnostic>) {
    let mut told = HashSet::new();
    findings.retain(|finding| match &finding.place {
        Some(place) => told.insert((place.to_string(), finding.message.clone())),
        None => true,
    });
}

fn hosts(plan: &Plan, findings: &mut Vec<Diagnostic>) {
    for (host, place) in &plan.environment.hosts {
        if let Err(error) = host.parse::<HostRule>() {
            let message = match place.shows() {
                true => format!("`{host}` is no entry for `hosts`: {error}"),
                false => "this is no entry for `hosts`".to_owned(),
            };
            findings.push(place.error(message).help(error.hint()));
        }
    }
}

/// What can be seen of a proxy without asking it.
fn proxy(plan: &Plan, findings: &mut Vec<Diagnostic>) {
    if let Some((text, place)) = &plan.environment.proxy
        && !url::Url::parse(text).is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
    {
        findings.push(place.error("`proxy` must be an `http://` or `https://` URL"));
    }
}

/// A definition that a request names must exist and be one that this version can use.
fn auth(plan: &Plan, (unit, open): (usize, bool), request: &Request, findings: &mut Vec<Diagnostic>) {
    let Choice::Named { name, place } = &request.auth else { return };
    if plan.uncertain.contains(name) {
        return;
    }
    let own = &plan.units[unit].collection.auth;
    let all = || plan.environment.auth.iter().chain(own);
    let finding = match all().find(|definition| definition.name == *name) {
        Some(definition) if matches!(definition.method, Method::Login(_)) => place
            .error(format!("this version of runner can't log in with `{name}` yet"))
            .label(format!("an `oauth2` login, defined at {}", definition.place))
            .help("until then get the token with a request of its own, as `collections/oauth2.yaml` does"),
        Some(_) => return,
        // Only an environment can tell.
        None if open => return,
        None => {
            let finding = place.error(format!("there is no `auth` definition called `{name}`"));
            match nearest(name, all().map(|definition| definition.name.as_str()).chain(["none"])) {
                Some(near) => finding.label(format!("did you mean `{near}`?")),
                None => finding.help("definitions stand under `auth:` in the environment or the collection"),
            }
        }
    };
    // Defaults bring the same place to many requests.
    if !findings.contains(&finding) {
        findings.push(finding);
    }
}

const NO_STORE: &str = "choose one with `--env NAME`, or keep the value for this run only with `--no-save`";

fn stores(plan: &Plan, request: &Request, rules: Rules, findings: &mut Vec<Diagnostic>) {
    for store in &request.stores {
        let homeless = plan.environment.files.is_none() && !rules.no_save && !rules.open;
        // One word on it will do for a run.
        if homeless && !findings.iter().any(|finding| finding.help.iter().any(|help| help == NO_STORE)) {
            let message = format!("there is no environment to store `{}` in", store.name);
            findings.push(store.place.error(message).help(NO_STORE));
        }
        if let Some(declaration) = plan.environment.gives(&store.name) {
            let at = declaration.place.as_ref().map(Place::to_string).unwrap_or_default();
            findings.push(
                store
                    .place
                    .error(format!("`{}` can't be stored: the environment gives it a value", store.name))
                    .label(format!("its value stands at {at}"))
                    .help("store it under another name, or take the value out of the environment"),
            );
        }
    }
}

/// A body file whose path is no template is looked for now.
fn body_file(plan: &Plan, unit: usize, request: &Request, findings: &mut Vec<Diagnostic>) {
    let Some(Body::File { path, .. }) = &request.body else { return };
    let Some(text) = path.literal().and_then(|value| value.as_str()) else { return };
    let folder = plan.units[unit].collection.path.parent().unwrap_or(std::path::Path::new("."));
    if let Err(refusal) = plan.root.open(folder, text) {
        let finding = path.place().error(format!("the body file {refusal}"));
        findings.push(if refusal.is_policy() { finding.refusal() } else { finding });
    }
}

/// Two needs that capture the same name leave open whose value counts.
fn needs(plan: &Plan, unit: usize, findings: &mut Vec<Diagnostic>) {
    let planned = &plan.units[unit];
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    for &need in &planned.needs {
        for capture in plan.units[need].collection.requests.iter().flat_map(|request| &request.captures) {
            match seen.get(capture.name.as_str()) {
                Some(&other) if other != need => {
                    let finding = planned.collection.needs.first().map_or(&capture.place, |need| &need.place).error(format!(
                        "two needed collections capture `{}`: `{}` and `{}`",
                        capture.name, plan.units[other].collection.name, plan.units[need].collection.name
                    ));
                    if !findings.contains(&finding) {
                        findings.push(finding);
                    }
                }
                _ => {
                    seen.insert(&capture.name, need);
                }
            }
        }
    }
}

/// Circles among the environment's variables.
fn environment_circles(plan: &Plan, process: &BTreeMap<String, String>, findings: &mut Vec<Diagnostic>) {
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
fn collection_circles(plan: &Plan, unit: usize, process: &BTreeMap<String, String>, findings: &mut Vec<Diagnostic>) {
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

/// A value that must be set and is not, read by a request that surely runs.
fn must_be_set<'p>(plan: &'p Plan, names: &Names<'_>, values: &'p Values<'p>, findings: &mut Vec<Diagnostic>) {
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

/// The templates of the definition that a request names, and whether it is the environment's.
pub(super) fn named_templates<'p>(plan: &'p Plan, unit: usize, request: &Request) -> Vec<(&'p Template, bool)> {
    match plan.definition(unit, request) {
        Some((Definition { method: Method::Scheme(scheme), .. }, environment)) => {
            scheme.templates().into_iter().map(|template| (template, environment)).collect()
        }
        _ => Vec::new(),
    }
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
                        layer: crate::environment::Layer::Shared,
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
        let secret = unset.declaration.content.is_secret();
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
        if let Some(local) = local {
            ways.push(format!("`{name}: …` under `variables:` in {local}"));
        }
        finding.help(format!("give it with {}", ways.join(", or ")))
    }
}
