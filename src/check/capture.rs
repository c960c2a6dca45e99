//! Takes a value out of an answer.

use serde_json::Value;

use super::RenderTree;
use super::answer::{Answer, Selected};
use super::failure::{Failure, Missing};
use crate::collection::{Capture, Source};
use crate::query::{JsonPath, Pattern};
use crate::template::{self, Tree};

/// The value of `capture` in the answer to `request`, which is the request's name. A source that has nothing gives the
/// capture's default.
///
/// # Errors
/// The source has nothing and there is no default, or a template can't be rendered.
pub fn take(capture: &Capture, request: &str, answer: &Answer<'_>, render: &mut RenderTree<'_>) -> Result<Value, Failure> {
    let found = match (find(capture, answer, render), &capture.regex) {
        (Ok(Some(value)), Some(regex)) => Ok(matched(regex, &value)),
        (found, _) => found,
    };
    match (found, &capture.default) {
        (Ok(Some(value)), _) => Ok(value),
        (Ok(None) | Err(Failure::NotJson { .. }), Some(default)) => render(default).map_err(Failure::Template),
        (Ok(None), None) => Err(Failure::Missing(Box::new(missing(capture, request, answer)))),
        (Err(failure), _) => Err(failure),
    }
}

fn find(capture: &Capture, answer: &Answer<'_>, render: &mut RenderTree<'_>) -> Result<Option<Value>, Failure> {
    Ok(match &capture.source {
        Source::Json { path, all } => json(path, *all, answer, capture)?,
        Source::Header(name) => answer.headers_named(name).next().map(Value::from),
        Source::Cookie(name) => answer.cookie(name).map(Value::from),
        Source::Status => Some(Value::from(answer.status)),
        Source::Body => Some(Value::from(answer.text())),
        Source::Url => Some(Value::from(answer.url)),
        Source::Value(template) => match render(&Tree::Leaf(template.clone())) {
            Ok(value) => Some(value),
            // what the answer lacks is missing; any other name without a value is a mistake in the template
            Err(template::Error::Undefined { path, .. }) if path.split(['.', '[']).next() == Some("response") => None,
            Err(error) => return Err(Failure::Template(error)),
        },
    })
}

fn json(path: &JsonPath, all: bool, answer: &Answer<'_>, capture: &Capture) -> Result<Option<Value>, Failure> {
    let selected = answer
        .select(path)
        .map_err(|problem| Failure::NotJson { problem: problem.clone(), place: capture.source_place.clone() })?;
    Ok(match selected {
        Selected::Nothing => all.then(|| Value::Array(Vec::new())),
        Selected::One(value) if all => Some(Value::Array(vec![value.clone()])),
        Selected::One(value) => Some(value.clone()),
        Selected::Many(nodes) => Some(Value::Array(nodes.into_iter().cloned().collect())),
    })
}

/// What the regular expression finds: in a list of texts what it finds in each of them.
fn matched(regex: &Pattern, value: &Value) -> Option<Value> {
    let extract = |text: &str| regex.extract(text).map(Value::from);
    match value {
        Value::String(text) => extract(text),
        Value::Number(number) => extract(&number.to_string()),
        Value::Array(items) => Some(items.iter().filter_map(|item| extract(item.as_str()?)).collect()),
        Value::Null | Value::Bool(_) | Value::Object(_) => None,
    }
}

fn missing(capture: &Capture, request: &str, answer: &Answer<'_>) -> Missing {
    let source = &capture.source;
    let joined = |names: &mut dyn Iterator<Item = &str>| names.collect::<Vec<_>>().join(", ");
    let header = match source {
        Source::Header(name) => answer.headers_named(name).next(),
        _ => None,
    };
    let came = match (source, header) {
        (Source::Header(_), Some(value)) => ("the header is", value.to_owned()),
        (Source::Header(_), None) => ("the headers are", joined(&mut answer.headers.iter().map(|(name, _)| name.as_str()))),
        (Source::Cookie(_), _) => ("the cookies are", joined(&mut answer.cookies().map(|(name, _)| name))),
        (Source::Url, _) => ("the URL is", answer.url.to_owned()),
        _ => ("the body starts:", answer.start_of_body()),
    };
    let there = match source {
        Source::Header(_) => header.is_some(),
        Source::Cookie(name) => answer.cookie(name).is_some(),
        Source::Json { path, .. } => !matches!(answer.select(path), Err(_) | Ok(Selected::Nothing)),
        _ => true,
    };
    Missing {
        name: capture.name.clone(),
        request: request.to_owned(),
        source: source.describe(),
        regex: capture.regex.as_ref().filter(|_| there).map(|regex| regex.text().to_owned()),
        came,
        place: capture.source_place.clone(),
    }
}
