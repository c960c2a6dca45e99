//! The verdicts on an answer: its status, then everything else.

use std::borrow::Cow;

use serde_json::Value;

use super::answer::{Answer, Selected};
use super::failure::{Failure, json_text};
use super::matcher::{Examiner, Name, Part, Unit};
use super::{RenderCondition, RenderTree};
use crate::collection::{Assertion, Assertions, Matcher, StatusPattern, Subject};
use crate::diagnostic::Place;
use crate::query::JsonPath;
use crate::template::Template;

/// What renders operands and decides conditions.
pub struct Renderers<'r> {
    /// Gives the value of an operand.
    pub tree: &'r mut RenderTree<'r>,
    /// Decides a condition.
    pub condition: &'r mut RenderCondition<'r>,
}

impl std::fmt::Debug for Renderers<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Renderers").finish_non_exhaustive()
    }
}

/// Whether the status is an expected one. Without an expectation any from 400 fails, at the place of the request.
#[must_use]
pub fn status(assertions: &Assertions, request: &Place, status: u16) -> Option<Failure> {
    match &assertions.status {
        None if status < 400 => None,
        None => Some(Failure::Status { status, expected: "less than 400".to_owned(), place: request.clone() }),
        Some(expected) if expected.accepts(status) => None,
        Some(expected) => {
            let names: Vec<_> = expected.any_of.iter().map(|pattern| status_name(*pattern)).collect();
            Some(Failure::Status { status, expected: names.join(" or "), place: expected.place.clone() })
        }
    }
}

fn status_name(pattern: StatusPattern) -> String {
    match pattern {
        StatusPattern::Exact(code) => code.to_string(),
        StatusPattern::Class(class) => format!("{class}xx"),
    }
}

/// What does not hold of everything but the status, in the order of the file. An operand that can't be rendered fails its own
/// assertion only.
pub fn verdicts(checks: &[Assertion], answer: &Answer<'_>, render: &mut Renderers<'_>) -> Vec<Failure> {
    let mut failures = Vec::new();
    for check in checks {
        match (&check.subject, &check.matcher) {
            (Subject::Condition(template), _) => failures.extend(condition(template, answer, &check.place, render)),
            (_, None) => {}
            (subject, Some(matcher)) => examine(subject, matcher, (answer, &check.place), render, &mut failures),
        }
    }
    super::without_repeats(&mut failures);
    failures
}

fn examine(
    subject: &Subject,
    matcher: &Matcher,
    (answer, place): (&Answer<'_>, &Place),
    render: &mut Renderers<'_>,
    failures: &mut Vec<Failure>,
) {
    let unit = match subject {
        Subject::Header(_) | Subject::Body => Unit::Text,
        Subject::Duration => Unit::Milliseconds,
        Subject::Size => Unit::Bytes,
        Subject::Json(_) | Subject::Condition(_) => Unit::None,
    };
    let mut examiner = Examiner { render: &mut *render.tree, unit };
    let mut part = |name: Name<'_>, value: &Value| {
        examiner.examine(matcher, Part { name, value: Some(value), exists: true }, failures);
    };
    match subject {
        Subject::Body => part(Name::Part("the body"), &Value::from(answer.text())),
        Subject::Duration => {
            let millis = u64::try_from(answer.duration.as_millis()).unwrap_or(u64::MAX);
            part(Name::Part("the duration"), &Value::from(millis));
        }
        Subject::Size => part(Name::Part("the size"), &Value::from(answer.body.len())),
        Subject::Header(name) => header(name, matcher, answer, &mut examiner, failures),
        Subject::Json(path) => json(path, matcher, (answer, place), &mut examiner, failures),
        Subject::Condition(_) => {}
    }
}

/// A header that repeats holds when any of its values does; else the first one is told.
fn header(name: &str, matcher: &Matcher, answer: &Answer<'_>, examiner: &mut Examiner<'_>, failures: &mut Vec<Failure>) {
    let values: Vec<Value> = answer.headers_named(name).map(Value::from).collect();
    let mut first = Vec::new();
    for (at, value) in values.iter().map(Some).chain(values.is_empty().then_some(None)).enumerate() {
        let mut found = Vec::new();
        examiner.examine(matcher, Part { name: Name::Header(name), value, exists: value.is_some() }, &mut found);
        if found.is_empty() {
            return;
        }
        if at == 0 {
            first = found;
        }
    }
    if let (2.., Some(Failure::Mismatch(mismatch))) = (values.len(), first.first_mut()) {
        mismatch.help.push(format!("the header came {} times, and no value is as expected", values.len()));
    }
    failures.append(&mut first);
}

fn json(
    path: &JsonPath,
    matcher: &Matcher,
    (answer, place): (&Answer<'_>, &Place),
    examiner: &mut Examiner<'_>,
    failures: &mut Vec<Failure>,
) {
    let (value, exists) = match answer.select(path) {
        Err(problem) => {
            failures.push(Failure::NotJson { problem: problem.clone(), place: place.clone() });
            return;
        }
        Ok(Selected::Nothing) => (None, false),
        Ok(Selected::One(value)) => (Some(Cow::Borrowed(value)), true),
        Ok(Selected::Many(nodes)) => {
            let exists = !nodes.is_empty();
            (Some(Cow::Owned(Value::Array(nodes.into_iter().cloned().collect()))), exists)
        }
    };
    examiner.examine(matcher, Part { name: Name::Json(path.text()), value: value.as_deref(), exists }, failures);
}

fn condition(template: &Template, answer: &Answer<'_>, place: &Place, render: &mut Renderers<'_>) -> Option<Failure> {
    match (render.condition)(template) {
        Ok(true) => None,
        Ok(false) => {
            let facts = facts(template, answer);
            Some(Failure::Condition { source: template.source().to_owned(), facts, place: place.clone() })
        }
        Err(error) => Some(Failure::Template(error)),
    }
}

/// What a condition reads of the status and of the body.
fn facts(template: &Template, answer: &Answer<'_>) -> Vec<(String, String)> {
    let mut facts: Vec<(String, String)> = Vec::new();
    for read in template.reads() {
        let mut steps = read.path.iter().map(String::as_str);
        let (Some("response"), Some(part)) = (steps.next(), steps.next()) else { continue };
        let text = match part {
            "status" => answer.status.to_string(),
            "json" => match answer.json().ok().and_then(|json| steps.try_fold(json, member)) {
                Some(value) => json_text(value),
                None => "missing".to_owned(),
            },
            _ => continue,
        };
        let path = read.path.join(".");
        if facts.iter().all(|(known, _)| *known != path) {
            facts.push((path, text));
        }
    }
    facts
}

fn member<'v>(value: &'v Value, step: &str) -> Option<&'v Value> {
    match value {
        Value::Object(members) => members.get(step),
        Value::Array(items) => items.get(step.parse::<usize>().ok()?),
        _ => None,
    }
}
