//! Every name that a request reads, itself or through others, and where its value comes from.

use std::sync::Arc;

use serde_json::Value;

use crate::auth::{Definition, Method};
use crate::collection::{Capture, Request, Variable};
use crate::diagnostic::{Diagnostic, Paint};
use crate::environment::{Content, Declaration};
use crate::mask::{MASK, is_secret_name};
use crate::plan::{Found, all_templates};
use crate::template::{RESERVED, Template, Tree};

use super::super::origin::{self, State};
use super::super::table::Row;
use super::Subject;

/// Stands on both sides of a name whose value only a run knows; a sign that no URL encodes (RFC 3986 §2.3).
pub(super) const SIGN: char = '~';

/// One name.
#[derive(Debug)]
pub(super) struct Name<'p> {
    pub(super) name: &'p str,
    /// Whether it is read where only the environment is seen, and has no value there: what else may give one does not count.
    pub(super) environment: bool,
    /// Who reads it: places, and variables.
    readers: Vec<String>,
    /// Whether the request itself reads it, and not only a variable.
    pub(super) direct: bool,
}

/// `text` with the names that stand for unknown values written as in a template.
pub(super) fn named(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once(SIGN) {
        let Some((name, after)) = behind.split_once(SIGN).filter(|(name, _)| crate::template::is_name(name)) else { break };
        out += &format!("{before}{{{{ {name} }}}}");
        rest = after;
    }
    out + rest
}

impl<'p> Subject<'p> {
    /// What the request reads, in the order of its parts; behind it what that reads in turn.
    /// `based`: its url may need the base.
    pub(super) fn names(&self, based: bool) -> Vec<Name<'p>> {
        let mut found: Vec<Name<'p>> = Vec::new();
        let mut templates: Vec<(&'p Template, bool)> = all_templates(self.request).into_iter().map(|t| (t, false)).collect();
        if based && !self.request.url.source().starts_with('/') {
            templates.extend(self.request.base_url.iter().map(|template| (template, false)));
        }
        if let Some((Definition { method: Method::Scheme(scheme), .. }, environment)) =
            self.plan.definition(self.unit, self.request)
        {
            templates.extend(scheme.templates().into_iter().map(|template| (template, environment)));
        }
        let seen_alone = |name: &str, environment: bool| environment && self.values.declaration(name).is_none();
        for (template, environment) in templates {
            for read in template.reads() {
                let own = std::ptr::eq(&*read.place.file, &*self.plan.units[self.unit].collection.file);
                let reader = match own {
                    true => format!("in line {}", read.place.line()),
                    false => format!("in {}", origin::place(Some(&read.place))),
                };
                let Some(name) = read.path.first() else { continue };
                add(&mut found, name, seen_alone(name, environment), (reader, true));
            }
        }
        let mut at = 0;
        while let Some(Name { name, environment, .. }) = found.get(at) {
            let (name, environment) = (*name, *environment);
            if let Some((tree, below)) = self.tree(name, environment) {
                for read in tree.templates().flat_map(Template::reads) {
                    let Some(root) = read.path.first() else { continue };
                    add(&mut found, root, seen_alone(root, below), (format!("by `{name}`"), false));
                }
            }
            at += 1;
        }
        found
    }

    /// The template that gives a name its value, and whether it sees the environment only.
    fn tree(&self, name: &str, environment: bool) -> Option<(&'p Tree<Template>, bool)> {
        if let Some(declaration) = self.values.declaration(name) {
            return match declaration {
                Declaration { content: Content::Tree { tree, .. }, .. } => Some((tree, true)),
                _ => None,
            };
        }
        if environment || self.values.environment().stored_value(name).is_some() {
            return None;
        }
        self.own(name).and_then(|variable| variable.value.as_ref()).map(|tree| (tree, false))
    }

    fn own(&self, name: &str) -> Option<&'p Variable> {
        self.plan.units[self.unit].collection.variables.iter().find(|variable| variable.name == name)
    }

    fn givers(&self, name: &str) -> Vec<(usize, &'p Request, &'p Capture)> {
        self.plan.givers_before(self.unit, self.request, name)
    }

    /// Whether a name has a value now, whatever it is.
    fn has_value(&self, read: &Name<'p>) -> bool {
        let stored = || self.values.environment().stored_value(read.name).is_some();
        let own = || self.own(read.name).is_some_and(|variable| variable.value.is_some());
        self.values.has(read.name) || !read.environment && (stored() || own())
    }

    /// Puts a name in the place of each value that only a run knows, so that what is made of it can be shown.
    pub(super) fn stand_in(&mut self, names: &[Name<'p>]) {
        for read in names.iter().filter(|read| !read.environment) {
            if self.has_value(read) {
                continue;
            }
            let givers = self.givers(read.name);
            let captured = givers.last().is_some_and(|(_, _, capture)| capture_is_secret(capture));
            let secret = captured || self.values.makes_secret(read.name);
            let value = Arc::new(Value::from(format!("{SIGN}{}{SIGN}", read.name)));
            self.scope.inherit(read.name, Found { value, secret, origin: None, given: false });
        }
    }

    /// What there is to say about a name.
    pub(super) fn row(&self, read: &Name<'p>, findings: &mut Vec<Diagnostic>) -> Row {
        let name = read.name;
        let givers = if read.environment { Vec::new() } else { self.givers(name) };
        let state = origin::state(self.values, name);
        let stored = self.values.environment().stored_value(name).filter(|_| !read.environment);
        let own = self.own(name).filter(|variable| !read.environment && variable.value.is_some());
        let mut row = match (state, stored, own) {
            (Some(state @ (State::Known(_) | State::FromSandbox(_))), _, _) => origin::row(self.values, name, &state),
            (Some(State::Failed(finding)), _, _) => {
                let row = origin::row(self.values, name, &State::Failed(finding.clone()));
                if !findings.iter().any(|told| told.message == finding.message) {
                    findings.push(finding);
                }
                row
            }
            (_, Some(stored), _) => {
                let file = self.values.environment().files.as_ref().map(|files| files.local_shown.clone());
                let mut row =
                    Row { name: name.to_owned(), origin: format!("stored in {}", file.unwrap_or_default()), ..Row::default() };
                row.value = if stored.secret { MASK.to_owned() } else { origin::shown(&stored.value) };
                row.remarks.extend(stored.secret.then(|| origin::stored_reason(stored).to_owned()));
                row
            }
            (_, None, Some(own)) => self.own_row(own, findings),
            (Some(unset), None, None) if givers.is_empty() => origin::row(self.values, name, &unset),
            (_, None, None) if givers.is_empty() => Row {
                name: name.to_owned(),
                value: "not set".to_owned(),
                paint: Some(Paint::Warning),
                remarks: vec![match self.request.products().any(|capture| capture.name == name) {
                    true => "only this request gives it".to_owned(),
                    false => "an environment or an earlier request must give it".to_owned(),
                }],
                ..Row::default()
            },
            (_, None, None) => {
                let value = "known in a run".to_owned();
                let secret = givers.iter().find(|(_, _, capture)| capture_is_secret(capture));
                let remarks = secret.map(|(_, _, capture)| capture_reason(capture).to_owned()).into_iter().collect();
                Row { name: name.to_owned(), value, paint: Some(Paint::Faint), remarks, ..Row::default() }
            }
        };
        for (index, (unit, request, capture)) in givers.iter().enumerate() {
            let verb = if request.stores.iter().any(|store| std::ptr::eq(store, *capture)) { "stored" } else { "captured" };
            let at = format!("{}:{}", self.plan.units[*unit].collection.file.name(), capture.place.line());
            let by = format!("{verb} by `{}`, {at}", request.full_name());
            match index == 0 && row.origin.is_empty() {
                true => row.remarks.insert(0, by),
                false => row.remarks.push(format!("replaced in a run: {by}")),
            }
        }
        let readers = format!("read {}", read.readers.join(", "));
        match row.remarks.last_mut().filter(|last| last.starts_with("secret")) {
            Some(last) => *last += &format!("; {readers}"),
            None => row.remarks.push(readers),
        }
        row
    }

    /// A variable of the collection.
    fn own_row(&self, own: &Variable, findings: &mut Vec<Diagnostic>) -> Row {
        let mut row = Row { name: own.name.clone(), origin: origin::place(Some(&own.place)), ..Row::default() };
        match self.scope.find(&own.name) {
            Ok(Some(found)) => {
                row.value = if found.secret { MASK.to_owned() } else { named(&origin::shown(&found.value)) };
                if found.secret {
                    let reads = own.value.iter().flat_map(Tree::templates).flat_map(Template::reads);
                    let secret = |name: &&String| matches!(self.scope.find(name), Ok(Some(found)) if found.secret);
                    let read = reads.filter(|read| !read.presence_only).filter_map(|read| read.path.first()).find(secret);
                    row.remarks.push(match read {
                        Some(read) if !self.values.makes_secret(&own.name) => format!("secret: reads `{read}`"),
                        _ => origin::reason(self.values, &own.name),
                    });
                }
            }
            Ok(None) => {}
            Err(error) => {
                let finding = error.into_finding();
                row.value = origin::UNHAD.to_owned();
                row.paint = Some(Paint::Error);
                if !findings.iter().any(|told| told.message == finding.message) {
                    findings.push(finding);
                }
            }
        }
        row
    }
}

fn add<'p>(found: &mut Vec<Name<'p>>, name: &'p str, environment: bool, (reader, direct): (String, bool)) {
    if RESERVED.contains(&name) {
        return;
    }
    match found.iter_mut().find(|known| known.name == name && known.environment == environment) {
        Some(known) if known.readers.contains(&reader) => {}
        Some(known) => known.readers.push(reader),
        None => found.push(Name { name, environment, readers: vec![reader], direct }),
    }
}

fn capture_is_secret(capture: &Capture) -> bool {
    capture.secret.unwrap_or_else(|| is_secret_name(&capture.name))
}

fn capture_reason(capture: &Capture) -> &'static str {
    if capture.secret == Some(true) { "secret: captured with `secret: true`" } else { "secret: by its name" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stand_where_their_values_will_stand() {
        for (text, shown) in [
            ("https://a.test/~id~/x", "https://a.test/{{ id }}/x"),
            ("/~a~~b~", "/{{ a }}{{ b }}"),
            ("/~user/x", "/~user/x"),
            ("/~no name~/", "/~no name~/"),
            ("", ""),
        ] {
            assert_eq!(named(text), shown);
        }
    }
}
