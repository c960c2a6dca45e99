//! Says what Tera found wrong in our words and at our places. Its own reports are never shown: they print values.

use std::ops::Range;

use tera::ErrorKind;

use super::compiled::Compiled;
use super::lex::Fault;
use super::reads::Path;
use super::signal::Signal;
use super::{Error, Template};

/// A template that does not parse: `plain` is the error of the text without our filters, where it has one.
pub(super) fn syntax(plain: Option<&tera::Error>, edited: &tera::Error, template: &Template, compiled: &Compiled) -> Fault {
    let source = template.source();
    let (report, at) = match (plain.map(tera::Error::kind), edited.kind()) {
        (Some(ErrorKind::SyntaxError(report)), _) => (report, compiled.unshifted(&report.span().range, source)),
        (_, ErrorKind::SyntaxError(report)) => (report, compiled.original(&report.span().range, source)),
        // Unknown names were found before; what is left has no place.
        _ => return Fault::new(0..source.len(), "the template can't be compiled"),
    };
    let message = match report.message() {
        "Unexpected end of input" => "the expression ends too early".to_owned(),
        message => expected(message),
    };
    Fault::new(at, message)
}

/// Tera's `Found X but expected Y.` the other way round; everything in lower case without a full stop.
fn expected(message: &str) -> String {
    let message = message.trim_end_matches('.');
    if let Some((found, wanted)) = message.strip_prefix("Found ").and_then(|rest| rest.split_once(" but expected ")) {
        let found = match found {
            "identifier" => "a name",
            "string" => "text",
            "integer" | "float" => "a number",
            "`}}`" => "the end of the expression",
            found => found,
        };
        return match wanted.trim_matches('`') {
            wanted if wanted.starts_with("one of") => format!("expected a value, found {found}"),
            "identifier" => format!("expected a name, found {found}"),
            "}}" => format!("expected the end of the expression, found {found}"),
            wanted => format!("expected `{wanted}`, found {found}"),
        };
    }
    lower(message)
}

fn lower(message: &str) -> String {
    let mut chars = message.chars();
    chars.next().map_or_else(String::new, |first| first.to_lowercase().chain(chars).collect())
}

/// A rendering that failed.
pub(super) fn rendering(error: &tera::Error, template: &Template, compiled: &Compiled) -> Error {
    let source = template.source();
    let ErrorKind::RenderingError(report) = error.kind() else {
        return template.failed(0..source.len(), "the template can't be rendered with the values at hand");
    };
    let at = compiled.original(&report.span().range, source);
    match Signal::read(report.message()) {
        Some(Signal::Undefined(number)) => match compiled.paths.get(number) {
            Some(path) => undefined(template, path),
            None => template.failed(at, "a value is missing"),
        },
        Some(Signal::Output(number, problem)) => template.unfit(compiled.outputs.get(number).cloned().unwrap_or(at), &problem),
        Some(Signal::Say(message)) => template.failed(at, &message),
        None => foreign(report.message(), at, template, compiled),
    }
}

fn undefined(template: &Template, path: &Path) -> Error {
    Error::Undefined { path: path.parts.join("."), place: template.place_of(path.at.clone()) }
}

/// An error of Tera's own. Only the types it names are passed on.
fn foreign(message: &str, at: Range<usize>, template: &Template, compiled: &Compiled) -> Error {
    if message.starts_with("Variable `") || message.starts_with("Field `") {
        let path = compiled.paths.iter().rev().find(|path| path.at.start <= at.start && at.start < path.at.end);
        return match path {
            Some(path) => undefined(template, path),
            None => template.failed(at, "a member is missing here"),
        };
    }
    let types: Vec<&str> = message.split('`').skip(1).step_by(2).filter_map(type_name).collect();
    let found = |otherwise: &str| match types.as_slice() {
        [] => otherwise.to_owned(),
        [one] => format!("not {one}"),
        [first, .., last] => format!("not {first} and {last}"),
    };
    let text = if message.contains("requires both operands") {
        format!("`+` adds numbers, {}; text is joined by `~`", found("nothing else"))
    } else if message.contains("divide by 0") {
        "division by zero".to_owned()
    } else if message.starts_with("Math operations") || message.starts_with("Only numbers") {
        format!("arithmetic needs numbers, {}", found("something else"))
    } else if message.starts_with("Cannot compare") {
        match types.as_slice() {
            [left, right] => format!("{left} can't be compared with {right}"),
            _ => "these values can't be compared".to_owned(),
        }
    } else if message.starts_with("Iteration not possible") {
        format!("a loop needs a list or map, {}", found("something else"))
    } else if message.starts_with("Key/value iteration") {
        format!("a loop over names and values needs a map, {}", found("something else"))
    } else if message.starts_with("Invalid type for the value") {
        match message.rsplit_once("got `").and_then(|(_, got)| type_name(got.trim_end_matches('`'))) {
            Some(got) => format!("the value is {got}, which does not fit here"),
            None => "the value does not fit here".to_owned(),
        }
    } else if message.contains("out of range") || message.contains("Unable to perform") || message.contains("overflow") {
        "a number is out of range".to_owned()
    } else if message.starts_with("Function `range`") {
        "`range` gives at most 100000 numbers, from `start` up to `end`, with a `step_by` that is not 0".to_owned()
    } else if message.contains("Slic") || message.contains("index") {
        "the index does not fit the value".to_owned()
    } else if message.contains("has no length") {
        "the value has no length".to_owned()
    } else if message.contains("`in` cannot be used") {
        format!("`in` needs a list, map or text, {}", found("something else"))
    } else {
        "the expression can't be evaluated with the values at hand".to_owned()
    };
    template.failed(at, &text)
}

/// Tera's name of a type in a reader's words.
fn type_name(name: &str) -> Option<&'static str> {
    Some(match name {
        "undefined" => "nothing",
        "none" => "null",
        "bool" => "true or false",
        "u64" | "i64" | "f64" | "u128" | "i128" => "a number",
        "array" => "a list",
        "string" => "text",
        "map/struct" => "a map",
        _ => return None,
    })
}
