//! Every static mistake of every request together, before the first byte is sent.

use std::collections::{BTreeMap, HashSet};

use crate::auth::Choice;
use crate::collection::Request;
use crate::diagnostic::{Diagnostic, Place, nearest};
use crate::environment::Values;
use crate::http::Proxy;
use crate::mask::Masker;
use crate::trust::HostRule;

use super::Plan;
use super::circles::{collection_circles, environment_circles};
use super::destinations::{ForeignEndpoint, foreign_endpoints};
use super::files::{body_file, tls, variable_files};
use super::names::Names;
use super::unset::must_be_set;

/// What the command line changes about the checks.
#[derive(Debug, Clone, Copy)]
pub struct Rules<'r> {
    /// Stores live for this run only.
    pub no_save: bool,
    /// `check` without an environment: a name that only an environment can give is no finding.
    pub open: bool,
    /// Whether a run follows: values must be set then.
    pub run: bool,
    /// `--allow-host`.
    pub allow_host: &'r [HostRule],
}

/// Finds everything that is wrong with `plan`.
///
/// # Errors
/// The findings, in the order of the files.
pub fn validate(
    plan: &Plan,
    process: &BTreeMap<String, String>,
    masker: &Masker,
    rules: Rules<'_>,
) -> Result<(), Vec<Diagnostic>> {
    let names = Names::new(plan, rules.open);
    let values = Values::new(&plan.environment, &plan.engine, process, Some(&plan.root), masker);
    let foreign = foreign_endpoints(plan, &values, rules.allow_host);
    let mut findings = static_findings(plan, &names, &values, (rules, &foreign));
    findings.extend(foreign.into_iter().map(|foreign| foreign.finding));
    if findings.is_empty() && rules.run {
        if plan.units.iter().all(|unit| unit.collection.requests.is_empty()) {
            findings.push(Diagnostic::error("there is nothing to run: the collection has no requests"));
        }
        must_be_set(plan, &names, &values, &mut findings);
    }
    if findings.is_empty() { Ok(()) } else { Err(findings) }
}

/// What is wrong with the readable parts of a plan whose files have mistakes. With `open` an unknown name is no finding.
pub(super) fn findings_of(plan: &Plan, open: bool, masker: &Masker) -> Vec<Diagnostic> {
    let process = BTreeMap::new();
    let values = Values::new(&plan.environment, &plan.engine, &process, Some(&plan.root), masker);
    let rules = Rules { no_save: false, open, run: false, allow_host: &[] };
    static_findings(plan, &Names::new(plan, open), &values, (rules, &[]))
}

/// What can be told without a value that must be set or a run brings.
fn static_findings<'p>(
    plan: &'p Plan,
    names: &Names<'_>,
    values: &'p Values<'p>,
    (rules, foreign): (Rules<'_>, &[ForeignEndpoint<'_>]),
) -> Vec<Diagnostic> {
    let process = values.process();
    let mut findings = Vec::new();
    names.environment(&mut findings);
    hosts(plan, &mut findings);
    proxy(plan, &mut findings);
    // Without a collection nothing is sent: who only looks at values needs no certificates.
    if !plan.units.is_empty() {
        findings.extend(tls(&plan.environment).err().into_iter().flatten());
    }
    variable_files(plan, process, &mut findings);
    environment_circles(plan, process, &mut findings);
    for unit in 0..plan.units.len() {
        names.collection(unit, &mut findings);
        collection_circles(plan, unit, process, &mut findings);
        needs(plan, unit, &mut findings);
        let collection = &plan.units[unit].collection;
        for (index, request) in collection.requests.iter().enumerate() {
            names.request(unit, index, &mut findings);
            auth(plan, (unit, rules.open), request, foreign, &mut findings);
            stores(plan, request, rules, &mut findings);
            body_file(plan, names, values, (unit, request), &mut findings);
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
        && let Err(error) = Proxy::parse(text, Vec::new())
    {
        findings.push(place.error(error.to_string()));
    }
}

/// A definition that a request names must exist and be one that this version can use.
fn auth(
    plan: &Plan,
    (unit, open): (usize, bool),
    request: &Request,
    foreign: &[ForeignEndpoint<'_>],
    findings: &mut Vec<Diagnostic>,
) {
    let Choice::Named { name, place } = &request.auth else { return };
    if plan.uncertain.contains(name) {
        return;
    }
    let own = &plan.units[unit].collection.auth;
    let all = || plan.environment.auth.iter().chain(own);
    let finding = match all().find(|definition| definition.name == *name) {
        // It is refused, whatever it is called for.
        Some(definition) if foreign.iter().any(|foreign| std::ptr::eq(foreign.definition, definition)) => return,
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

fn stores(plan: &Plan, request: &Request, rules: Rules<'_>, findings: &mut Vec<Diagnostic>) {
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
