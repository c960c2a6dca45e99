//! Evaluates matchers.

use std::cmp::Ordering;
use std::fmt;

use serde_json::Value;

use super::RenderTree;
use super::compare::{equal, order};
use super::failure::{Failure, Mismatch, json_text};
use super::value::{contains, count, has_type, is_number, kind_name, spells, texts, types_differ, unequal, yes_or_help};
use crate::collection::{Matcher, Test, TestKind};
use crate::diagnostic::Place;
use crate::template;
use crate::yaml::parse_duration;

/// What a number counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    /// Nothing: JSON.
    None,
    /// Nothing, and text that spells a number counts as one where sizes are compared: a header has no other way to carry one.
    Text,
    /// Milliseconds.
    Milliseconds,
    /// Bytes.
    Bytes,
}

/// What a part of the answer is called.
#[derive(Debug, Clone, Copy)]
pub(super) enum Name<'n> {
    /// What a JSONPath selects.
    Json(&'n str),
    /// A header.
    Header(&'n str),
    /// Any other part.
    Part(&'static str),
    /// The count of a part.
    Count(&'n Name<'n>),
    /// An element of a part.
    Element(usize, &'n Name<'n>),
}

impl fmt::Display for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Json(path) => write!(f, "`{path}`"),
            Self::Header(name) => write!(f, "the header `{name}`"),
            Self::Part(name) => f.write_str(name),
            Self::Count(of) => write!(f, "the count of {of}"),
            Self::Element(at, of) => write!(f, "element [{at}] of {of}"),
        }
    }
}

/// A part of the answer with its value.
#[derive(Debug, Clone, Copy)]
pub(super) struct Part<'v> {
    /// What it is called.
    pub(super) name: Name<'v>,
    /// Its value; `None` when there is none.
    pub(super) value: Option<&'v Value>,
    /// Whether it exists: a path that selects a list of no nodes has a value, yet nothing exists.
    pub(super) exists: bool,
}

/// Evaluates matchers with operands that `render` gives.
pub(super) struct Examiner<'r> {
    /// Gives the value of an operand.
    pub(super) render: &'r mut RenderTree<'r>,
    /// What numbers count.
    pub(super) unit: Unit,
}

/// Why a test does not hold.
struct Reason {
    expected: String,
    help: Vec<String>,
}

impl Reason {
    fn new(expected: String) -> Self {
        Self { expected, help: Vec::new() }
    }

    fn help(mut self, help: impl Into<String>) -> Self {
        self.help.push(help.into());
        self
    }
}

type Verdict = Result<Option<Reason>, template::Error>;

impl Examiner<'_> {
    /// Adds what does not hold of `part` to `failures`.
    pub(super) fn examine(&mut self, matcher: &Matcher, part: Part<'_>, failures: &mut Vec<Failure>) {
        for test in &matcher.tests {
            if let Err(error) = self.test(test, part, failures) {
                failures.push(Failure::Template(error));
            }
        }
    }

    /// Whether all of `matcher` holds of `part`.
    fn holds(&mut self, matcher: &Matcher, part: Part<'_>) -> Result<bool, template::Error> {
        let mut failures = Vec::new();
        for test in &matcher.tests {
            self.test(test, part, &mut failures)?;
        }
        let mut holds = true;
        for failure in failures {
            match failure {
                Failure::Template(error) => return Err(error),
                _ => holds = false,
            }
        }
        Ok(holds)
    }

    fn test(&mut self, test: &Test, part: Part<'_>, failures: &mut Vec<Failure>) -> Result<(), template::Error> {
        let reason = match (&test.kind, part.value) {
            (TestKind::Exists(wanted), _) => (part.exists != *wanted).then(|| Reason::new(exists_phrase(*wanted).to_owned())),
            (TestKind::Not(inner), _) => match self.holds(inner, part)? {
                true => Some(Reason::new(self.phrase(&test.kind)?)),
                false => None,
            },
            (TestKind::All(matchers), _) => {
                matchers.iter().for_each(|matcher| self.examine(matcher, part, failures));
                None
            }
            (TestKind::Any(matchers), _) => self.any(&test.kind, matchers, part)?,
            (_, None) => Some(Reason::new(self.phrase(&test.kind)?)),
            (TestKind::Count(inner), Some(value)) => match count(value) {
                Some(count) => {
                    let count = Value::from(count);
                    let name = Name::Count(&part.name);
                    let unit = std::mem::replace(&mut self.unit, Unit::None);
                    self.examine(inner, Part { name, value: Some(&count), exists: true }, failures);
                    self.unit = unit;
                    None
                }
                None => {
                    let reason = Reason::new(self.phrase(&test.kind)?);
                    Some(reason.help(format!("only lists, maps and text have a count, not {}", kind_name(value))))
                }
            },
            (TestKind::Each(inner), Some(value)) => self.each(&test.kind, inner, (part.name, value), failures)?,
            (kind, Some(value)) => self.plain(kind, value)?,
        };
        if let Some(reason) = reason {
            failures.push(self.mismatch(part, reason, &test.place));
        }
        Ok(())
    }

    fn any(&mut self, kind: &TestKind, matchers: &[Matcher], part: Part<'_>) -> Verdict {
        for matcher in matchers {
            if self.holds(matcher, part)? {
                return Ok(None);
            }
        }
        Ok(Some(Reason::new(self.phrase(kind)?)))
    }

    /// Names the first element that fails and says how many others do.
    fn each(&mut self, kind: &TestKind, inner: &Matcher, of: (Name<'_>, &Value), failures: &mut Vec<Failure>) -> Verdict {
        let (name, value) = of;
        let Value::Array(items) = value else {
            let reason = Reason::new(self.phrase(kind)?);
            return Ok(Some(reason.help(format!("only lists have elements, not {}", kind_name(value)))));
        };
        let mut first = Vec::new();
        let mut others = 0_usize;
        for (at, item) in items.iter().enumerate() {
            let part = Part { name: Name::Element(at, &name), value: Some(item), exists: true };
            if first.is_empty() {
                self.examine(inner, part, &mut first);
            } else if !self.holds(inner, part)? {
                others += 1;
            }
        }
        if others > 0
            && let Some(Failure::Mismatch(mismatch)) = first.first_mut()
        {
            mismatch.help.push(format!("{others} more of the {} elements fail too", items.len()));
        }
        failures.append(&mut first);
        Ok(None)
    }

    /// The tests of a value that is there and that look at nothing else.
    fn plain(&mut self, kind: &TestKind, value: &Value) -> Verdict {
        let operand = match operand(kind) {
            Some(tree) => self.operand(tree)?,
            None => Value::Null,
        };
        let (holds, help) = match kind {
            TestKind::Equals(_) => (equal(value, &operand), None),
            TestKind::NotEquals(_) => (!equal(value, &operand), None),
            TestKind::Contains(_) => yes_or_help(contains(value, &operand), true),
            TestKind::NotContains(_) => yes_or_help(contains(value, &operand), false),
            TestKind::StartsWith(_) => yes_or_help(texts(value, &operand, |text, start| text.starts_with(start)), true),
            TestKind::EndsWith(_) => yes_or_help(texts(value, &operand, |text, end| text.ends_with(end)), true),
            TestKind::Matches(pattern) => match value {
                Value::String(text) => (pattern.matches(text), None),
                _ => (false, Some(format!("only text can match, not {}", kind_name(value)))),
            },
            TestKind::Above(_) => self.ordered(value, &operand, &[Ordering::Greater]),
            TestKind::Below(_) => self.ordered(value, &operand, &[Ordering::Less]),
            TestKind::AtLeast(_) => self.ordered(value, &operand, &[Ordering::Greater, Ordering::Equal]),
            TestKind::AtMost(_) => self.ordered(value, &operand, &[Ordering::Less, Ordering::Equal]),
            TestKind::Empty(wanted) => match count(value) {
                Some(count) => ((count == 0) == *wanted, None),
                None => (false, Some(format!("only lists, maps and text can be empty, not {}", kind_name(value)))),
            },
            TestKind::Type(wanted) => (has_type(value, *wanted), None),
            TestKind::In(_) => match &operand {
                Value::Array(items) => (items.iter().any(|item| equal(value, item)), None),
                _ => (false, Some(format!("the operand of `in` is {}, not a list", kind_name(&operand)))),
            },
            TestKind::Exists(_) | TestKind::Count(_) | TestKind::Each(_) => (true, None),
            TestKind::All(_) | TestKind::Any(_) | TestKind::Not(_) => (true, None),
        };
        if holds {
            return Ok(None);
        }
        let mut reason = Reason::new(phrase_with(kind, &self.shown(&operand)));
        reason.help.extend(help);
        if matches!(kind, TestKind::Equals(_)) {
            reason.help.extend(unequal(value, &operand));
        }
        if let (TestKind::In(_), Value::Array(items)) = (kind, &operand) {
            let meant = items.iter().find(|item| spells(value, item) || spells(item, value));
            reason.help.extend(meant.and_then(|item| types_differ(value, item)));
        }
        Ok(Some(reason))
    }

    /// The value of an operand; a duration as milliseconds.
    fn operand(&mut self, tree: &template::Tree<template::Template>) -> Result<Value, template::Error> {
        let value = (self.render)(tree)?;
        if self.unit == Unit::Milliseconds
            && let Some(duration) = value.as_str().and_then(parse_duration)
        {
            return Ok(Value::from(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)));
        }
        Ok(value)
    }

    fn ordered(&self, value: &Value, operand: &Value, wanted: &[Ordering]) -> (bool, Option<String>) {
        let spelt: Option<Value> = match value {
            Value::String(text) if self.unit == Unit::Text => serde_json::from_str(text.trim()).ok(),
            _ => None,
        };
        match (spelt.as_ref().unwrap_or(value), operand) {
            (Value::Number(left), Value::Number(right)) => (order(left, right).is_some_and(|is| wanted.contains(&is)), None),
            (Value::Number(_), Value::String(text)) => (
                false,
                Some(format!("the operand {} is text; `| int` or `| float` makes it a number", json_text(&text.as_str().into()))),
            ),
            (Value::Number(_), other) => (false, Some(format!("the operand is {}, not a number", kind_name(other)))),
            (Value::String(_), _) if self.unit == Unit::None && is_number(value) => (
                false,
                Some(format!(
                    "`{}` is text, and only numbers have a size; compare it under `that:` with `| int`",
                    json_text(value)
                )),
            ),
            (other, _) => (false, Some(format!("only numbers can be compared by size, not {}", kind_name(other)))),
        }
    }

    fn mismatch(&self, part: Part<'_>, reason: Reason, place: &Place) -> Failure {
        let Reason { expected, help } = reason;
        let actual = part.value.map(|value| self.shown(value));
        Failure::Mismatch(Box::new(Mismatch { subject: part.name.to_string(), actual, expected, place: place.clone(), help }))
    }

    /// A value as JSON, with its unit.
    fn shown(&self, value: &Value) -> String {
        let text = json_text(value);
        match self.unit {
            Unit::Milliseconds if value.is_number() => format!("{text} ms"),
            Unit::Bytes if value.is_number() => format!("{text} bytes"),
            _ => text,
        }
    }

    /// What a test expects, in words.
    fn phrase(&mut self, kind: &TestKind) -> Result<String, template::Error> {
        Ok(match kind {
            TestKind::Count(inner) => {
                let unit = std::mem::replace(&mut self.unit, Unit::None);
                let phrase = self.phrases(inner);
                self.unit = unit;
                format!("a count of {}", phrase?)
            }
            TestKind::Each(inner) => format!("a list of which each element is {}", self.phrases(inner)?),
            TestKind::Not(inner) => format!("not {}", self.phrases(inner)?),
            TestKind::All(matchers) => self.joined(matchers, " and ")?,
            TestKind::Any(matchers) => self.joined(matchers, " or ")?,
            kind => {
                let operand = match operand(kind) {
                    Some(tree) => self.operand(tree)?,
                    None => Value::Null,
                };
                phrase_with(kind, &self.shown(&operand))
            }
        })
    }

    fn phrases(&mut self, matcher: &Matcher) -> Result<String, template::Error> {
        let phrases: Vec<_> = matcher.tests.iter().map(|test| self.phrase(&test.kind)).collect::<Result<_, _>>()?;
        Ok(phrases.join(" and "))
    }

    fn joined(&mut self, matchers: &[Matcher], word: &str) -> Result<String, template::Error> {
        let phrases: Vec<_> = matchers.iter().map(|matcher| self.phrases(matcher)).collect::<Result<_, _>>()?;
        Ok(phrases.join(word))
    }
}

/// The operand of a test that has one.
fn operand(kind: &TestKind) -> Option<&template::Tree<template::Template>> {
    match kind {
        TestKind::Equals(tree) | TestKind::NotEquals(tree) | TestKind::Contains(tree) | TestKind::NotContains(tree) => Some(tree),
        TestKind::StartsWith(tree) | TestKind::EndsWith(tree) | TestKind::In(tree) => Some(tree),
        TestKind::Above(tree) | TestKind::Below(tree) | TestKind::AtLeast(tree) | TestKind::AtMost(tree) => Some(tree),
        TestKind::Matches(_) | TestKind::Count(_) | TestKind::Exists(_) | TestKind::Empty(_) | TestKind::Type(_) => None,
        TestKind::Each(_) | TestKind::All(_) | TestKind::Any(_) | TestKind::Not(_) => None,
    }
}

/// What a test without inner matchers expects, in words.
fn phrase_with(kind: &TestKind, operand: &str) -> String {
    match kind {
        TestKind::Equals(_) => operand.to_owned(),
        TestKind::NotEquals(_) => format!("anything but {operand}"),
        TestKind::Contains(_) => format!("something that contains {operand}"),
        TestKind::NotContains(_) => format!("something that does not contain {operand}"),
        TestKind::StartsWith(_) => format!("text that starts with {operand}"),
        TestKind::EndsWith(_) => format!("text that ends with {operand}"),
        TestKind::Matches(pattern) => format!("text that matches `{}`", pattern.text()),
        TestKind::Above(_) => format!("more than {operand}"),
        TestKind::Below(_) => format!("less than {operand}"),
        TestKind::AtLeast(_) => format!("at least {operand}"),
        TestKind::AtMost(_) => format!("at most {operand}"),
        TestKind::Exists(wanted) => exists_phrase(*wanted).to_owned(),
        TestKind::Empty(true) => "something empty".to_owned(),
        TestKind::Empty(false) => "something that is not empty".to_owned(),
        TestKind::Type(kind) => format!("something of the type `{}`", kind.name()),
        TestKind::In(_) => format!("one of {operand}"),
        TestKind::Count(_) | TestKind::Each(_) | TestKind::All(_) | TestKind::Any(_) | TestKind::Not(_) => String::new(),
    }
}

fn exists_phrase(wanted: bool) -> &'static str {
    if wanted { "a value" } else { "no value" }
}
