//! The rule of known names: whatever a template reads must be declared by a layer or produced by a request.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use crate::collection::{Collection, Request};
use crate::diagnostic::{Diagnostic, Place, nearest};
use crate::environment::{Content, Environment, SANDBOX};
use crate::template::{RESERVED, Read, Template};

use super::{Plan, Unit};

/// A request that captures or stores a name.
#[derive(Debug, Clone, Copy)]
pub(super) struct Producer<'p> {
    /// The place of its collection in the plan.
    pub(super) unit: usize,
    /// Its place in the collection.
    pub(super) index: usize,
    /// The request.
    pub(super) request: &'p Request,
    /// Whether the value is stored, and so seen by every collection of the run.
    stored: bool,
}

/// The names of a plan.
pub(super) struct Names<'p> {
    plan: &'p Plan,
    declared: HashSet<&'p str>,
    producers: HashMap<&'p str, Vec<Producer<'p>>>,
    /// Names that an environment would probably have given, with the first place that reads each.
    homeless: RefCell<BTreeMap<String, Place>>,
    /// Whether an unknown name may be one that only an environment can give.
    open: bool,
}

/// Where in a request a template stands; it decides what is known there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Spot {
    /// Rendered before sending.
    Request,
    /// Taken from the answer: sees `response`.
    Capture,
    /// Judges the answer: sees `response` and the request's own captures.
    Assertion,
}

impl<'p> Names<'p> {
    /// The names of `plan`. With `open` an unknown name is no finding.
    pub(super) fn new(plan: &'p Plan, open: bool) -> Self {
        let environment = &plan.environment;
        let declared = environment
            .variables
            .iter()
            .map(|variable| variable.name.as_str())
            .chain(environment.stored.iter().map(|stored| stored.name.as_str()))
            .chain(kept_by_logins(plan))
            .collect();
        let mut producers: HashMap<&str, Vec<Producer<'_>>> = HashMap::new();
        for (unit, planned) in plan.units.iter().enumerate() {
            for (index, request) in planned.collection.requests.iter().enumerate() {
                let products = request.captures.iter().map(|c| (c, false)).chain(request.stores.iter().map(|c| (c, true)));
                for (capture, stored) in products {
                    producers.entry(&capture.name).or_default().push(Producer { unit, index, request, stored });
                }
            }
        }
        Self { plan, declared, producers, homeless: RefCell::default(), open }
    }

    /// The requests that a reader in `unit` can get `name` from.
    pub(super) fn producers(&self, unit: usize, name: &str) -> impl Iterator<Item = Producer<'p>> {
        let needs = &self.plan.units[unit].needs;
        let all = self.producers.get(name).map(Vec::as_slice).unwrap_or_default();
        all.iter().copied().filter(move |p| p.unit == unit || p.stored || needs.contains(&p.unit))
    }

    /// Whether a producer comes before the request `index` of `unit`.
    pub(super) fn produced_before(&self, unit: usize, index: usize, name: &str) -> bool {
        self.producers(unit, name).any(|p| p.unit < unit || p.unit == unit && p.index < index)
    }

    /// Checks every template of a request.
    pub(super) fn request(&self, unit: usize, index: usize, findings: &mut Vec<Diagnostic>) {
        let collection = &self.plan.units[unit].collection;
        let request = &collection.requests[index];
        let tested: HashSet<&str> = request
            .when
            .iter()
            .flat_map(Template::reads)
            .filter(|read| read.guarded)
            .filter_map(|read| read.path.first())
            .map(String::as_str)
            .collect();
        for (template, spot) in templates(request) {
            for read in template.reads() {
                let guarded = read.guarded || read.path.first().is_some_and(|root| tested.contains(root.as_str()));
                findings.extend(self.read(unit, index, read, spot, guarded));
            }
        }
    }

    fn read(&self, unit: usize, index: usize, read: &Read, spot: Spot, guarded: bool) -> Option<Diagnostic> {
        let name = read.path.first()?.as_str();
        let collection = &self.plan.units[unit].collection;
        if name == "tokens" {
            return self.token(unit, read);
        }
        if RESERVED.contains(&name) {
            return reserved(read, spot);
        }
        if self.declared.contains(name) || collection.variables.iter().any(|variable| variable.name == name) {
            return None;
        }
        if self.plan.uncertain.contains(name) {
            return None;
        }
        let mut all = self.producers(unit, name);
        let Some(first) = all.next() else { return self.unknown(unit, read) };
        let before =
            |p: Producer<'_>| p.unit < unit || p.unit == unit && (p.index < index || p.index == index && spot == Spot::Assertion);
        if guarded || before(first) || all.any(before) {
            return None;
        }
        let who = format!("`{}` (line {})", first.request.full_name(), first.request.place.line());
        let own = first.unit == unit && first.index == index;
        let when = if own { "only by this request itself:" } else { "only later, by" };
        let help = if own {
            format!("test it where it is read: `{name} is undefined or …`, `{name} is defined and …`")
        } else {
            format!("move that request up, or test the name first: `when: {name} is defined`")
        };
        Some(
            read.place
                .error(format!("`{name}` is read before it has a value"))
                .label(format!("it is captured {when} {who}"))
                .help(help),
        )
    }

    /// `tokens.NAME.member`: the name must be that of a login.
    fn token(&self, unit: usize, read: &Read) -> Option<Diagnostic> {
        let logins: Vec<&str> = self.plan.logins(unit).map(|(definition, ..)| definition.name.as_str()).collect();
        let name = read.path.get(1).map(String::as_str).unwrap_or_default();
        if logins.contains(&name) || self.plan.uncertain.contains(name) || self.open {
            return None;
        }
        let finding = read.place.error(match name {
            "" => "`tokens` needs the name of a login behind it".to_owned(),
            name => format!("there is no login called `{name}`"),
        });
        Some(match nearest(name, logins.iter().copied()) {
            Some(near) => finding.label(format!("did you mean `tokens.{near}`?")),
            None if logins.is_empty() => finding.help("a login is an `oauth2` definition under `auth:`"),
            None => finding.help(format!("logins: {}", logins.join(", "))),
        })
    }

    /// A name that nothing declares or produces.
    fn unknown(&self, unit: usize, read: &Read) -> Option<Diagnostic> {
        let name = read.path.first()?.as_str();
        if self.open || self.plan.uncertain.contains(name) {
            return None;
        }
        let finding = read.place.error(format!("undefined variable `{name}`"));
        let collection = &self.plan.units[unit].collection;
        let candidates = self
            .declared
            .iter()
            .copied()
            .chain(collection.variables.iter().map(|variable| variable.name.as_str()))
            .chain(self.producers.keys().copied().filter(|key| self.producers(unit, key).next().is_some()));
        let candidates: BTreeSet<&str> = candidates.collect();
        Some(match nearest(name, candidates.iter().copied()) {
            Some(near) => match self.producers(unit, near).next() {
                Some(p) if !self.declared.contains(near) => finding.label(format!(
                    "did you mean `{near}` (captured by `{}`, line {})?",
                    p.request.full_name(),
                    p.request.place.line()
                )),
                _ => finding.label(format!("did you mean `{near}`?")),
            },
            None if self.plan.environment.files.is_none() => {
                // Told together at the end: it is one mistake, however many names it leaves without a value.
                self.homeless.borrow_mut().entry(name.to_owned()).or_insert_with(|| read.place.clone());
                return None;
            }
            None => finding.help("variables come from the environment, the collection, captures and `--var`"),
        })
    }

    /// What a run without an environment has to be told about names that nothing gives.
    pub(super) fn without_environment(&self) -> Option<Diagnostic> {
        let homeless = self.homeless.borrow();
        let (first, place) = homeless.iter().min_by_key(|(_, place)| (place.file.name().to_owned(), place.span.start))?;
        let names: Vec<String> = homeless.keys().map(|name| format!("`{name}`")).collect();
        let message = match names.as_slice() {
            [name] => format!("undefined variable {name}"),
            names => format!("undefined variables {}", names.join(", ")),
        };
        let help = format!("no environment was chosen: give one with `--env NAME`, or the values with `--var {first}=…`");
        Some(place.error(message).help(help))
    }

    /// Checks the collection's own variables and auth definitions: they see every layer and every capture.
    pub(super) fn collection(&self, unit: usize, findings: &mut Vec<Diagnostic>) {
        let collection = &self.plan.units[unit].collection;
        for template in own_templates(collection) {
            for read in template.reads() {
                let Some(root) = read.path.first().map(String::as_str) else { continue };
                let known = self.declared.contains(root)
                    || collection.variables.iter().any(|variable| variable.name == root)
                    || self.producers(unit, root).next().is_some();
                if RESERVED.contains(&root) {
                    findings.extend(reserved(read, Spot::Request));
                } else if !known {
                    findings.extend(self.unknown(unit, read));
                }
            }
        }
    }

    /// Checks the environment's templates: they see the environment's own variables and `sandbox`.
    pub(super) fn environment(&self, findings: &mut Vec<Diagnostic>) {
        let environment = &self.plan.environment;
        let known: Vec<&str> = environment.variables.iter().map(|variable| variable.name.as_str()).collect();
        for read in environment_templates(environment).iter().flat_map(|template| template.reads()) {
            let Some(root) = read.path.first().map(String::as_str) else { continue };
            if root == "sandbox" {
                findings.extend(sandbox_member(environment, read));
            } else if !known.contains(&root) && !self.plan.uncertain.contains(root) {
                if !read.place.shows() {
                    // What stands between the braces may be a piece of a secret.
                    let finding = read.place.error("this value reads a variable that is not defined");
                    findings.push(
                        finding.help("where `{{` is meant as it stands, write `{% raw %}` before and `{% endraw %}` behind it"),
                    );
                    continue;
                }
                let finding = read.place.error(format!("undefined variable `{root}`"));
                findings.push(match nearest(root, known.iter().copied()) {
                    Some(near) => finding.label(format!("did you mean `{near}`?")),
                    None => finding.help(
                        "an environment sees only itself: its own variables, those that it extends, the local file, `--var` and \
                         `sandbox`",
                    ),
                });
            }
        }
    }
}

/// The names under which logins keep values of their answers.
fn kept_by_logins(plan: &Plan) -> impl Iterator<Item = &str> {
    let all = (0..plan.units.len()).flat_map(|unit| plan.logins(unit));
    all.flat_map(|(_, login, _)| &login.store).map(|kept| kept.name.as_str())
}

/// A reserved name where it means nothing.
fn reserved(read: &Read, spot: Spot) -> Option<Diagnostic> {
    let name = read.path.first()?.as_str();
    match name {
        "iteration" => None,
        "response" if spot != Spot::Request => None,
        "response" => Some(
            read.place
                .error("there is no `response` before the request is sent")
                .help("take the value out with `capture` in the request that got it"),
        ),
        "sandbox" => Some(
            read.place
                .error("only an environment reads `sandbox`")
                .help("give the value a name there, such as `api_url: \"{{ sandbox.url }}/2.0\"`"),
        ),
        "tokens" => Some(read.place.error("only a request reads `tokens`").help("write it where the request needs it")),
        "row" => Some(read.place.error("this version of runner can't read data rows yet, so there is no `row`")),
        "loop" => Some(read.place.error("this version of runner has no `for_each` yet, so there is no `loop`")),
        _ => None,
    }
}

fn sandbox_member(environment: &Environment, read: &Read) -> Option<Diagnostic> {
    if environment.sandbox.is_none() {
        return Some(
            read.place
                .error("this environment has no sandbox")
                .help("start one for each run with `sandbox: box` at the top of the file"),
        );
    }
    let member = read.path.get(1)?;
    let members = SANDBOX.map(|(name, _)| name);
    if members.contains(&member.as_str()) {
        return None;
    }
    if !read.place.shows() {
        return Some(read.place.error("the sandbox has no such member").help(format!("it has: {}", members.join(", "))));
    }
    let finding = read.place.error(format!("the sandbox has no `{member}`"));
    Some(match nearest(member, members) {
        Some(near) => finding.label(format!("did you mean `sandbox.{near}`?")),
        None => finding.help(format!("it has: {}", members.join(", "))),
    })
}

/// Every template of a request but those of a definition that it names.
#[must_use]
pub fn all_templates(request: &Request) -> Vec<&Template> {
    templates(request).into_iter().map(|(template, _)| template).collect()
}

/// Every template of a request with the spot where it stands.
pub(super) fn templates(request: &Request) -> Vec<(&Template, Spot)> {
    let mut found: Vec<(&Template, Spot)> = sent_templates(request).into_iter().map(|t| (t, Spot::Request)).collect();
    found.extend(request.when.iter().map(|template| (template, Spot::Request)));
    for capture in request.products() {
        if let crate::collection::Source::Value(template) = &capture.source {
            found.push((template, Spot::Capture));
        }
        found.extend(capture.default.iter().flat_map(|tree| tree.templates()).map(|template| (template, Spot::Capture)));
    }
    found.extend(request.assertions.templates().into_iter().map(|template| (template, Spot::Assertion)));
    found
}

/// The templates that are rendered when a request is sent; `when` is decided before and is not among them.
#[must_use]
pub fn sent_templates(request: &Request) -> Vec<&Template> {
    let mut found: Vec<&Template> = Vec::new();
    if request.url.source().starts_with('/') {
        found.extend(&request.base_url);
    }
    found.push(&request.url);
    found.extend(request.query.iter().chain(&request.headers).flat_map(|field| &field.values));
    if let crate::auth::Choice::Inline(scheme) = &request.auth {
        found.extend(scheme.templates());
    }
    found.extend(request.body.iter().flat_map(crate::collection::Body::templates));
    found
}

fn own_templates(collection: &Collection) -> Vec<&Template> {
    let variables = collection.variables.iter().filter_map(|variable| variable.value.as_ref());
    variables.flat_map(|tree| tree.templates()).chain(definition_templates(&collection.auth)).collect()
}

fn environment_templates(environment: &Environment) -> Vec<&Template> {
    let trees = environment.variables.iter().flat_map(|variable| &variable.declarations).filter_map(|declaration| {
        match &declaration.content {
            Content::Tree { tree, .. } => Some(tree),
            _ => None,
        }
    });
    trees.flat_map(|tree| tree.templates()).chain(definition_templates(&environment.auth)).collect()
}

fn definition_templates(definitions: &[crate::auth::Definition]) -> impl Iterator<Item = &Template> {
    definitions.iter().flat_map(|definition| match &definition.method {
        crate::auth::Method::Scheme(scheme) => scheme.templates(),
        crate::auth::Method::Login(login) => login.templates(),
    })
}

/// The names that requests of `unit` read and that neither the collection nor a request gives: what an environment must bring.
#[must_use]
pub fn wanted_names(plan: &Plan, unit: usize) -> BTreeMap<&str, Vec<String>> {
    let names = Names::new(plan, true);
    let planned: &Unit = &plan.units[unit];
    let mut wanted: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for request in &planned.collection.requests {
        let name = request.full_name();
        let named = super::unset::named_templates(plan, unit, request).into_iter().map(|(template, _)| template);
        for template in templates(request).into_iter().map(|(template, _)| template).chain(named) {
            for root in template.reads().iter().filter_map(|read| read.path.first()).map(String::as_str) {
                let given = RESERVED.contains(&root)
                    || planned.collection.variables.iter().any(|variable| variable.name == root && variable.value.is_some())
                    || names.producers(unit, root).next().is_some();
                if given {
                    continue;
                }
                let readers = wanted.entry(root).or_default();
                if readers.last() != Some(&name) {
                    readers.push(name.clone());
                }
            }
        }
    }
    wanted
}
