//! The files that a plan names, looked at before anything is sent: bodies, `!file`, certificates and keys.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use crate::collection::{Body, Request};
use crate::diagnostic::Diagnostic;
use crate::environment::{Content, Declaration, Environment, TlsFile, Values, file_finding, read_file};
use crate::files::read::read_text;
use crate::files::rule::Rule;
use crate::http::{self, Identity};
use crate::secret::Secret;
use crate::template::{RESERVED, Template};

use super::names::{Names, all_templates};
use super::unset::named_templates;
use super::{Plan, Scope};

/// What some templates read, directly or through variables.
#[derive(Default)]
struct Reach<'p> {
    names: BTreeSet<&'p str>,
    /// Every template that has a part in it.
    templates: Vec<&'p Template>,
}

impl<'p> Reach<'p> {
    fn add(&mut self, plan: &'p Plan, unit: usize, process: &BTreeMap<String, String>, template: &'p Template) {
        let mut left = vec![template];
        while let Some(template) = left.pop() {
            self.templates.push(template);
            for root in template.reads().iter().filter_map(|read| read.path.first()) {
                if !self.names.insert(root) {
                    continue;
                }
                let declared = plan.environment.variable(root).and_then(|variable| variable.effective(process));
                if let Some(Declaration { content: Content::Tree { tree, .. }, .. }) = declared {
                    left.extend(tree.templates());
                }
                let own = plan.units[unit].collection.variables.iter().filter(|variable| variable.name == *root);
                left.extend(own.filter_map(|variable| variable.value.as_ref()).flat_map(|tree| tree.templates()));
            }
        }
    }
}

/// A body file whose path is known without an answer is looked at now.
pub(super) fn body_file<'p>(
    plan: &'p Plan,
    names: &Names<'_>,
    values: &'p Values<'p>,
    (unit, request): (usize, &Request),
    findings: &mut Vec<Diagnostic>,
) {
    let Some(Body::File { path, .. }) = &request.body else { return };
    let Some(named) = known(plan, names, values, unit, path) else { return };
    let folder = plan.units[unit].collection.path.parent().unwrap_or(Path::new("."));
    if let Err(refusal) = plan.root.open(folder, &named) {
        findings.push(refusal.finding("the body file", path.place()));
    }
}

/// The text of `template`, when nothing that a run brings can change it.
fn known<'p>(plan: &'p Plan, names: &Names<'_>, values: &'p Values<'p>, unit: usize, template: &Template) -> Option<String> {
    let mut reach = Reach::default();
    reach.add(plan, unit, values.process(), template);
    let open = |name: &&str| RESERVED.contains(name) || names.producers(unit, name).next().is_some();
    if reach.names.iter().any(open) || reach.templates.iter().any(|template| template.varies()) {
        return None;
    }
    let scope = Scope::new(values, &plan.engine, &plan.units[unit].collection);
    // Whoever can't be rendered is told by the run, or was told as an unset value.
    plan.engine.text(template, &scope).ok()
}

/// `!file` must stay in the project, whether or not a request reads it; those that a request reads must be readable.
pub(super) fn variable_files(plan: &Plan, process: &BTreeMap<String, String>, findings: &mut Vec<Diagnostic>) {
    for variable in &plan.environment.variables {
        for declaration in &variable.declarations {
            if let Content::File { path, written, confined: true } = &declaration.content
                && !plan.root.contains(path)
            {
                let rule = Rule::Outside(plan.root.path().to_owned());
                findings.push(at(file_finding(&variable.name, Some(written), &rule), declaration));
            }
        }
    }
    let mut read = BTreeSet::new();
    for (unit, planned) in plan.units.iter().enumerate() {
        let mut reach = Reach::default();
        for request in &planned.collection.requests {
            let named = named_templates(plan, unit, request).into_iter().map(|(template, _)| template);
            all_templates(request).into_iter().chain(named).for_each(|template| reach.add(plan, unit, process, template));
        }
        read.append(&mut reach.names);
    }
    for variable in plan.environment.variables.iter().filter(|variable| read.contains(variable.name.as_str())) {
        if let Some(declaration) = variable.effective(process)
            && let Content::File { path, written, confined } = &declaration.content
            && let Err(rule) = read_file(confined.then_some(&plan.root), path)
        {
            findings.push(at(file_finding(&variable.name, confined.then_some(written), &rule), declaration));
        }
    }
}

fn at(finding: Diagnostic, declaration: &Declaration) -> Diagnostic {
    match &declaration.place {
        Some(place) => finding.at(place.clone()),
        None => finding,
    }
}

/// The certificates and keys of an environment, read.
///
/// # Errors
/// Those that can't be read or used, each where it is named.
pub fn tls(environment: &Environment) -> Result<http::Tls, Vec<Diagnostic>> {
    let configured = environment.tls.clone().unwrap_or_default();
    let mut findings = Vec::new();
    let mut read = |name: &str, file: Option<&TlsFile>| {
        let file = file?;
        read_text(&file.path).map_err(|error| findings.push(tls_finding(name, file, &error))).ok()
    };
    let ca = read("ca", configured.ca.as_ref());
    let cert = read("cert", configured.cert.as_ref());
    let key = read("key", configured.key.as_ref());
    if !findings.is_empty() {
        return Err(findings);
    }
    let tls = http::Tls {
        ca: ca.map(String::into_bytes),
        identity: cert.zip(key).map(|(cert, key)| Identity { cert: cert.into_bytes(), key: Secret::new(key) }),
        insecure: configured.insecure.is_some(),
    };
    if tls.ca.is_none() && tls.identity.is_none() {
        return Ok(tls);
    }
    let settings = http::Settings { tls: tls.clone(), ..http::Settings::default() };
    match http::Client::new(settings) {
        Ok(_) => Ok(tls),
        Err(error) => {
            let named = [("tls.ca", &configured.ca), ("tls.cert", &configured.cert), ("tls.key", &configured.key)];
            let place = named
                .iter()
                .find(|(name, _)| matches!(&error, http::Error::Settings { what, .. } if what == name))
                .and_then(|(_, file)| file.as_ref()?.place.clone());
            Err(vec![match place {
                Some(place) => error.finding().at(place),
                None => under_flag(error).finding(),
            }])
        }
    }
}

/// An error about a file of the command line, under the name of its flag.
fn under_flag(error: http::Error) -> http::Error {
    let http::Error::Settings { what, reason } = error else { return error };
    let what = match what {
        "tls.ca" => "--cacert",
        "tls.cert" => "--cert",
        "tls.key" => "--key",
        what => what,
    };
    http::Error::Settings { what, reason }
}

fn tls_finding(name: &str, file: &TlsFile, error: &dyn std::fmt::Display) -> Diagnostic {
    match &file.place {
        Some(place) => place.error(format!("the file of `tls.{name}` {error}")),
        None => {
            let flag = if name == "ca" { "cacert" } else { name };
            Diagnostic::error(format!("the file `{}` of `--{flag}` {error}", file.path.display()))
        }
    }
}
