//! Decodes `assert:`.

use crate::collection::{Assertion, Assertions, StatusAssertion, StatusPattern, Subject};
use crate::template::{Builder, Syntax};
use crate::yaml::{Decoder, Entry, Kind, Node};

use super::capture::{header_name, json_path, key_node};
use super::matcher::{Operand, matcher};

const KEYS: &[&str] = &["status", "headers", "json", "body", "duration", "size", "that", "schema"];
const LATER: &[&str] = &["schema"];
const STATUS: &str = "a status such as `200`, a class such as `2xx`, or a list of those";

/// Decodes `assert:`.
pub(super) fn assertions(decoder: &mut Decoder, templates: &mut Builder, node: &Node) -> Assertions {
    let mut found = Assertions::default();
    let Some(fields) = decoder.fields(node, "`assert`", KEYS) else { return found };
    decoder.not_yet(&fields, LATER);
    for entry in fields.entries() {
        match &*entry.key {
            "status" => found.status = status(decoder, &entry.value),
            "headers" => found.checks.extend(headers(decoder, templates, &entry.value)),
            "json" => found.checks.extend(json(decoder, templates, &entry.value)),
            "body" => found.checks.extend(check(decoder, templates, entry, Subject::Body)),
            "duration" => found.checks.extend(check(decoder, templates, entry, Subject::Duration)),
            "size" => found.checks.extend(check(decoder, templates, entry, Subject::Size)),
            "that" => found.checks.extend(conditions(decoder, templates, &entry.value)),
            _ => {}
        }
    }
    found
}

fn check(decoder: &mut Decoder, templates: &mut Builder, entry: &Entry, subject: Subject) -> Option<Assertion> {
    let operand = match subject {
        Subject::Header(_) | Subject::Body => Operand::Text,
        Subject::Duration => Operand::Duration,
        Subject::Size => Operand::Bytes,
        Subject::Json(_) | Subject::Condition(_) => Operand::Json,
    };
    let matcher = matcher(decoder, templates, &entry.value, operand)?;
    Some(Assertion { subject, matcher: Some(matcher), place: decoder.place(entry.key_span) })
}

fn headers(decoder: &mut Decoder, templates: &mut Builder, node: &Node) -> Vec<Assertion> {
    let mut found = Vec::new();
    for entry in decoder.map(node, "`headers`").unwrap_or_default() {
        // the matcher is decoded even under a bad name, so that its mistakes are reported too
        let name = header_name(decoder, entry.key_span, &entry.key);
        let assertion = check(decoder, templates, entry, Subject::Header(name.clone().unwrap_or_default()));
        found.extend(assertion.filter(|_| name.is_some()));
    }
    found
}

fn json(decoder: &mut Decoder, templates: &mut Builder, node: &Node) -> Vec<Assertion> {
    let mut found = Vec::new();
    for entry in decoder.map(node, "`json`").unwrap_or_default() {
        match json_path(decoder, &key_node(entry), &entry.key) {
            Some(path) => found.extend(check(decoder, templates, entry, Subject::Json(path))),
            None => {
                matcher(decoder, templates, &entry.value, Operand::Json);
            }
        }
    }
    found
}

fn conditions(decoder: &mut Decoder, templates: &mut Builder, node: &Node) -> Vec<Assertion> {
    let mut found = Vec::new();
    for item in decoder.one_or_more(node) {
        if decoder.text(item, "a condition").is_some() {
            let template = templates.add(decoder.file(), item, Syntax::Condition);
            found.push(Assertion { subject: Subject::Condition(template), matcher: None, place: decoder.place(item.span) });
        }
    }
    found
}

fn status(decoder: &mut Decoder, node: &Node) -> Option<StatusAssertion> {
    let items = decoder.one_or_more(node);
    if items.is_empty() {
        decoder.expected(node, "`status`", STATUS);
        return None;
    }
    let patterns: Vec<_> = items.iter().map(|item| status_pattern(decoder, item)).collect();
    let any_of = patterns.into_iter().collect::<Option<Vec<_>>>()?;
    Some(StatusAssertion { any_of, place: decoder.place(node.span) })
}

fn status_pattern(decoder: &mut Decoder, node: &Node) -> Option<StatusPattern> {
    decoder.no_tag(node);
    let Some(scalar) = node.scalar().filter(|scalar| scalar.kind != Kind::Null) else {
        decoder.expected(node, "`status`", STATUS);
        return None;
    };
    let bytes = scalar.text.as_bytes();
    if let [class @ b'1'..=b'5', b'x' | b'X', b'x' | b'X'] = bytes {
        return Some(StatusPattern::Class(class - b'0'));
    }
    let digits = !bytes.is_empty() && bytes.iter().all(u8::is_ascii_digit);
    match scalar.text.parse() {
        Ok(code @ 100..=599) if digits => Some(StatusPattern::Exact(code)),
        _ if digits => {
            let finding = decoder.place(node.span).error(format!("`{}` is no status", scalar.text));
            decoder.report(finding.label("statuses go from 100 to 599"));
            None
        }
        _ => {
            let finding = decoder.place(node.span).error(format!("`status` can't be `{}`", scalar.text));
            decoder.report(finding.help(format!("expected {STATUS}")));
            None
        }
    }
}
