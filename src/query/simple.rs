//! Simple paths: names and indexes from the front. They are what almost every capture uses, so they skip the grammar.

use jsonpath_rust::parser::model::{JpQuery, Segment, Selector};
use serde_json::Value;

/// One step of a simple path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    /// A member of a map.
    Name(String),
    /// An element of a list, from `0`.
    Index(usize),
}

/// The steps of `text` if it is spelt plainly (`$.a['b'][0]`); anything unusual is left to the grammar.
pub(super) fn parse(text: &str) -> Option<Vec<Step>> {
    let mut rest = text.strip_prefix('$')?;
    let mut steps = Vec::new();
    while !rest.is_empty() {
        let (step, after) = match rest.strip_prefix('[') {
            Some(inner) => bracket(inner)?,
            None => name(rest.strip_prefix('.')?)?,
        };
        steps.push(step);
        rest = after;
    }
    Some(steps)
}

fn name(text: &str) -> Option<(Step, &str)> {
    let end = text.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || !c.is_ascii())).unwrap_or(text.len());
    let (name, rest) = text.split_at(end);
    if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    Some((Step::Name(name.to_owned()), rest))
}

fn bracket(text: &str) -> Option<(Step, &str)> {
    let quote = text.chars().next()?;
    if quote == '\'' || quote == '"' {
        let (name, rest) = text[1..].split_once(quote)?;
        if name.contains(|c: char| c == '\\' || c < ' ') {
            return None;
        }
        return Some((Step::Name(name.to_owned()), rest.strip_prefix(']')?));
    }
    let (digits, rest) = text.split_once(']')?;
    // Fifteen digits lie below the RFC's bound of 2^53 - 1; longer ones are for the grammar to judge.
    let plain = digits.bytes().all(|b| b.is_ascii_digit()) && (1..=15).contains(&digits.len());
    if !plain || (digits.starts_with('0') && digits.len() > 1) {
        return None;
    }
    Some((Step::Index(digits.parse().ok()?), rest))
}

/// The steps of a parsed query, if all are names and indexes from the front.
pub(super) fn steps(query: &JpQuery) -> Option<Vec<Step>> {
    query
        .segments
        .iter()
        .map(|segment| match segment {
            Segment::Selector(Selector::Name(name)) => Some(Step::Name(name.clone())),
            Segment::Selector(Selector::Index(index)) => usize::try_from(*index).ok().map(Step::Index),
            _ => None,
        })
        .collect()
}

/// The value at the end of `steps`.
pub(super) fn walk<'v>(steps: &[Step], value: &'v Value) -> Option<&'v Value> {
    steps.iter().try_fold(value, |at, step| match (step, at) {
        (Step::Name(name), Value::Object(members)) => members.get(name),
        (Step::Index(index), Value::Array(items)) => items.get(*index),
        _ => None,
    })
}
