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

#[cfg(test)]
pub(super) mod tests {
    use std::path::Path;

    use super::*;
    use crate::collection::{Request, load_text};

    /// A request with `lines` under its URL, and what is wrong with it: column (of the lines as given), message, label, help.
    pub(in crate::collection::decode) fn decode(lines: &str) -> (Option<Request>, Vec<String>) {
        let lines = lines.replace('\n', "\n    ");
        let text = format!("requests:\n  - url: https://example.com/\n    {lines}\n");
        let loaded = load_text(Path::new("c.yaml"), "c.yaml", text, &mut Builder::default()).expect("it is YAML");
        let told = loaded.findings.iter().map(|finding| {
            let place = finding.place.as_ref().expect("a place");
            let at = place.file.position(place.span.start);
            let mut told = format!("{}:{} {}", at.line - 2, at.column - 4, finding.message);
            if !finding.label.is_empty() {
                told.push_str(&format!(" [{}]", finding.label));
            }
            finding.help.iter().for_each(|help| told.push_str(&format!(" ({help})")));
            told
        });
        let told = told.collect();
        (loaded.collection.requests.into_iter().next(), told)
    }

    /// The findings of `lines`.
    pub(in crate::collection::decode) fn mistakes(lines: &str) -> Vec<String> {
        decode(lines).1
    }

    #[test]
    fn statuses_are_codes_classes_and_lists_of_them() {
        let table = [
            ("200", &[200_u16][..], &[201_u16, 404][..]),
            ("\"200\"", &[200], &[201]),
            ("2xx", &[200, 204], &[199, 300]),
            ("[200, 4XX]", &[200, 404, 499], &[201, 500]),
        ];
        for (text, accepted, refused) in table {
            let (request, told) = decode(&format!("assert: {{status: {text}}}"));
            assert_eq!(told, [""; 0], "{text}");
            let status = request.and_then(|request| request.assertions.status).expect("a status");
            assert!(accepted.iter().all(|code| status.accepts(*code)), "{text}");
            assert!(!refused.iter().any(|code| status.accepts(*code)), "{text}");
        }
    }

    #[test]
    fn mistakes_of_assertions() {
        let table = [
            ("assert: {status: 99}", "1:18 `99` is no status [statuses go from 100 to 599]"),
            ("assert: {status: 600}", "1:18 `600` is no status [statuses go from 100 to 599]"),
            (
                "assert: {status: ok}",
                "1:18 `status` can't be `ok` (expected a status such as `200`, a class such as `2xx`, or a list of those)",
            ),
            (
                "assert: {status: []}",
                "1:18 `status` must be a status such as `200`, a class such as `2xx`, or a list of those, not a list \
                 [expected a status such as `200`, a class such as `2xx`, or a list of those]",
            ),
            ("assert: {statsu: 200}", "1:10 unknown key `statsu` in `assert` [did you mean `status`?]"),
            (
                "assert: {schema: box.json}",
                "1:10 this version of runner can't do `schema` yet (take the key out to run the rest)",
            ),
            (
                "assert:\n  headers:\n    Content Type: json",
                "3:5 `Content Type` can't be the name of a header (a header name is made of letters, digits and `-`, without spaces)",
            ),
            ("assert: {duration: 5s}", "1:20 a duration is never exactly that long (give a bound: `{below: 5s}`)"),
            (
                "assert: {duration: {below: 5}}",
                "1:28 `below` must be a duration with its unit, not `5` [such as `500ms`, `30s` or `2m`]",
            ),
            (
                "assert: {duration: {contains: 5s}}",
                "1:21 `contains` says nothing about a duration (bounds do: `{below: 5s}`, `above`, `at_least`, `at_most`)",
            ),
            ("assert: {size: big}", "1:16 a size must be a number, not text [expected a number]"),
            ("assert: {that: {a: 1}}", "1:16 a condition must be text, not a map [expected text]"),
            ("assert: {headers: {ETag: [a, b]}}", "1:26 what a text must equal must be text, not a list [expected text]"),
        ];
        for (lines, expected) in table {
            assert_eq!(mistakes(lines), [expected], "{lines}");
        }
    }

    #[test]
    fn a_bad_path_hides_no_mistake_of_its_matcher() {
        let told = mistakes("assert:\n  json:\n    token_type: {equal: bearer}");
        let [path, matcher] = told.as_slice() else { unreachable!("{told:?}") };
        assert!(path.starts_with("3:5 ") && path.ends_with("(did you mean `$.token_type`?)"), "{path}");
        assert!(matcher.starts_with("3:18 unknown matcher `equal` [did you mean `equals`?]"), "{matcher}");
    }

    #[test]
    fn assertions_keep_the_order_of_the_file() {
        let (request, told) = decode(
            "assert:\n  that: [response.status == 200, \"{{ response.json.a }}\"]\n  json: {$.b: 1, $.a: {exists: true}}\n  size: {below: 10}",
        );
        assert_eq!(told, [""; 0]);
        let checks = request.map(|request| request.assertions.checks).unwrap_or_default();
        let lines: Vec<_> = checks.iter().map(|check| check.place.file.slice(check.place.span).to_owned()).collect();
        assert_eq!(lines, ["response.status == 200", "\"{{ response.json.a }}\"", "$.b", "$.a", "size"]);
    }
}
