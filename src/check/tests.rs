//! Verdicts and captures on whole answers: (YAML, answer, what is told).

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::{Answer, Failure, Renderers, status, take, verdicts, without_repeats};
use crate::collection::{Request, load_text};
use crate::template::{self, Builder, Engine, Values};

/// The variables of the tests.
struct Scope(Value);

impl Values for Scope {
    fn value(&self, name: &str) -> Result<Option<Arc<Value>>, template::Error> {
        Ok(self.0.get(name).cloned().map(Arc::new))
    }

    fn has(&self, name: &str) -> bool {
        self.0.get(name).is_some()
    }
}

/// An answer as the tests write it.
struct Given {
    status: u16,
    headers: Vec<(String, String)>,
    body: String,
    duration: Duration,
}

impl Given {
    fn body(body: &str) -> Self {
        Self { status: 200, headers: Vec::new(), body: body.to_owned(), duration: Duration::from_millis(1500) }
    }

    fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    fn answer(&self) -> Answer<'_> {
        Answer::new(self.status, &self.headers, self.body.as_bytes(), "https://example.com/a?code=7", self.duration)
    }

    fn scope(&self) -> Scope {
        let json = serde_json::from_str::<Value>(&self.body).unwrap_or_default();
        Scope(json!({"id": 7, "limit": "50", "response": {"status": self.status, "json": json}}))
    }
}

fn load(lines: &str) -> (Request, Engine) {
    let lines = lines.replace('\n', "\n    ");
    let text = format!("requests:\n  - name: Ask\n    url: https://example.com/\n    {lines}\n");
    let mut builder = Builder::default();
    let loaded = load_text(Path::new("c.yaml"), "c.yaml", text, &mut builder).expect("it is YAML");
    assert_eq!(loaded.findings, [], "{lines}");
    let request = loaded.collection.requests.into_iter().next().expect("a request");
    (request, builder.compile().expect("templates"))
}

fn told(failures: &[Failure]) -> Vec<String> {
    let told = failures.iter().map(|failure| {
        let finding = failure.describe(&str::to_owned);
        finding.help.iter().fold(finding.message, |told, help| format!("{told} ({help})"))
    });
    told.collect()
}

/// What fails under `assert`, the status left out.
fn judged(lines: &str, given: &Given) -> Vec<String> {
    let (request, engine) = load(&format!("assert:\n  {}", lines.replace('\n', "\n  ")));
    let scope = given.scope();
    let mut render =
        Renderers { tree: &mut |tree| engine.tree(tree, &scope), condition: &mut |template| engine.holds(template, &scope) };
    told(&verdicts(&request.assertions.checks, &given.answer(), &mut render))
}

/// What a capture gives.
fn captured(source: &str, given: &Given) -> Result<Value, String> {
    let (request, engine) = load(&format!("capture:\n  x: {source}"));
    let scope = given.scope();
    let capture = request.captures.first().expect("a capture");
    take(capture, &request.name, &given.answer(), &mut |tree| engine.tree(tree, &scope))
        .map_err(|failure| told(&[failure]).concat())
}

#[test]
fn matchers_on_json() {
    let quote = "put quotes round the operand, or compare with `| int` under `that:`";
    let bare = "write the operand without quotes, or with `| int` in an expression";
    let int = |text: &str| format!("`\"{text}\"` is text, and only numbers have a size; compare it under `that:` with `| int`");
    let help = |message: &str, help: &str| format!("{message} ({help})");
    let ok = String::new;
    let table = [
        // equality
        ("bearer", "\"bearer\"", ok()),
        ("bearer", "\"mac\"", "`$.x` is \"mac\", expected \"bearer\"".to_owned()),
        ("1", "1.0", ok()),
        ("null", "null", ok()),
        ("[1, a]", "[1.0, \"a\"]", ok()),
        ("\"{{ id }}\"", "7", ok()),
        ("200", "\"200\"", help("`$.x` is \"200\", expected 200", &format!("`\"200\"` is text, `200` a number: {quote}"))),
        ("\"200\"", "200", help("`$.x` is 200, expected \"200\"", &format!("`200` is a number, `\"200\"` text: {bare}"))),
        (
            "{equals: {a: {b: [1, 2]}}}",
            "{\"a\": {\"b\": [1, 3]}}",
            help("`$.x` is {\"a\":{\"b\":[1,3]}}, expected {\"a\":{\"b\":[1,2]}}", "they differ at `.a.b[1]`: 3, expected 2"),
        ),
        ("{not_equals: 1}", "1.0", "`$.x` is 1.0, expected anything but 1".to_owned()),
        ("{not_equals: 1}", "\"1\"", ok()),
        // containing
        ("{contains: b}", "\"abc\"", ok()),
        ("{contains: 2}", "[1, 2.0]", ok()),
        ("{contains: a}", "{\"a\": null}", ok()),
        ("{contains: z}", "[\"a\"]", "`$.x` is [\"a\"], expected something that contains \"z\"".to_owned()),
        (
            "{contains: 2}",
            "\"123\"",
            help(
                "`$.x` is \"123\", expected something that contains 2",
                "text contains text, not a number; put quotes round the operand",
            ),
        ),
        ("{not_contains: b}", "\"abc\"", "`$.x` is \"abc\", expected something that does not contain \"b\"".to_owned()),
        (
            "{not_contains: b}",
            "5",
            help(
                "`$.x` is 5, expected something that does not contain \"b\"",
                "only text, lists and maps contain something, not a number",
            ),
        ),
        // text
        ("{starts_with: 12, ends_with: 3}", "\"123\"", ok()),
        ("{ends_with: z}", "\"123\"", "`$.x` is \"123\", expected text that ends with \"z\"".to_owned()),
        ("{matches: \"^a.c$\"}", "\"abc\"", ok()),
        ("{matches: \"^b\"}", "\"abc\"", "`$.x` is \"abc\", expected text that matches `^b`".to_owned()),
        ("{matches: \"1\"}", "1", help("`$.x` is 1, expected text that matches `1`", "only text can match, not a number")),
        // size
        ("{above: 1, below: 2}", "1.5", ok()),
        ("{above: 2}", "2", "`$.x` is 2, expected more than 2".to_owned()),
        ("{at_least: 60}", "59", "`$.x` is 59, expected at least 60".to_owned()),
        ("{at_most: \"{{ id }}\"}", "7", ok()),
        ("{at_least: 60}", "\"3600\"", help("`$.x` is \"3600\", expected at least 60", &int("3600"))),
        (
            "{at_least: \"{{ limit }}\"}",
            "60",
            help("`$.x` is 60, expected at least \"50\"", "the operand \"50\" is text; `| int` or `| float` makes it a number"),
        ),
        ("{below: 1}", "null", help("`$.x` is null, expected less than 1", "only numbers can be compared by size, not null")),
        // count, empty, type, in
        ("{count: 2}", "[1, 2]", ok()),
        ("{count: 2}", "\"éé\"", ok()),
        ("{count: {at_least: 1}}", "{}", "the count of `$.x` is 0, expected at least 1".to_owned()),
        ("{count: 1}", "5", help("`$.x` is 5, expected a count of 1", "only lists, maps and text have a count, not a number")),
        ("{empty: true}", "\"\"", ok()),
        ("{empty: false}", "[]", "`$.x` is [], expected something that is not empty".to_owned()),
        (
            "{empty: true}",
            "null",
            help("`$.x` is null, expected something empty", "only lists, maps and text can be empty, not null"),
        ),
        ("{type: integer}", "2.0", ok()),
        ("{type: integer}", "2.5", "`$.x` is 2.5, expected something of the type `integer`".to_owned()),
        ("{type: null}", "null", ok()),
        ("{in: [1, a]}", "\"a\"", ok()),
        ("{in: [1, 2]}", "3", "`$.x` is 3, expected one of [1,2]".to_owned()),
        (
            "{in: [1, 2]}",
            "\"2\"",
            help("`$.x` is \"2\", expected one of [1,2]", &format!("`\"2\"` is text, `2` a number: {quote}")),
        ),
        // existence
        ("{exists: true}", "null", ok()),
        ("{exists: false}", "null", "`$.x` is null, expected no value".to_owned()),
        // several
        ("{each: {above: 0}}", "[]", ok()),
        (
            "{each: {above: 0}}",
            "[1, 0, 2, -1]",
            help("element [1] of `$.x` is 0, expected more than 0", "1 more of the 4 elements fail too"),
        ),
        (
            "{each: {type: string}}",
            "5",
            help(
                "`$.x` is 5, expected a list of which each element is something of the type `string`",
                "only lists have elements, not a number",
            ),
        ),
        ("{any: [open, closed]}", "\"closed\"", ok()),
        (
            "{any: [open, {count: {above: 6}}]}",
            "\"closed\"",
            "`$.x` is \"closed\", expected \"open\" or a count of more than 6".to_owned(),
        ),
        ("{all: [{above: 1}, {below: 3}]}", "3", "`$.x` is 3, expected less than 3".to_owned()),
        ("{not: {above: 3}}", "3", ok()),
        ("{not: {above: 3}}", "4", "`$.x` is 4, expected not more than 3".to_owned()),
        ("{above: \"{{ nobody }}\"}", "4", "`nobody` has no value".to_owned()),
    ];
    for (matcher, actual, expected) in table {
        let given = Given::body(&format!("{{\"x\": {actual}}}"));
        let expected: Vec<String> = Some(expected).filter(|text| !text.is_empty()).into_iter().collect();
        assert_eq!(judged(&format!("json: {{$.x: {matcher}}}"), &given), expected, "{matcher} on {actual}");
    }
}

#[test]
fn a_missing_value_fails_everything_but_existence_and_not() {
    let table = [
        ("5", "5"),
        ("null", "null"),
        ("{not_equals: 5}", "anything but 5"),
        ("{not_contains: a}", "something that does not contain \"a\""),
        ("{empty: true}", "something empty"),
        ("{count: 0}", "a count of 0"),
        ("{each: 5}", "a list of which each element is 5"),
        ("{any: [5, {above: 6}]}", "5 or more than 6"),
        ("{exists: true}", "a value"),
    ];
    let given = Given::body("{}");
    for (matcher, expected) in table {
        let expected = format!("`$.x` is missing, expected {expected}");
        assert_eq!(judged(&format!("json: {{$.x: {matcher}}}"), &given), [expected], "{matcher}");
    }
    for matcher in ["{exists: false}", "{not: 5}", "{any: [5, {exists: false}]}", "{not: {exists: true}}"] {
        assert_eq!(judged(&format!("json: {{$.x: {matcher}}}"), &given), [""; 0], "{matcher}");
    }
}

#[test]
fn a_path_that_is_not_singular_gives_a_list() {
    let given = Given::body(r#"{"entries": [{"id": 1}, {"id": 2}]}"#);
    let table = [
        ("$.entries[*].id: [1, 2]", ""),
        ("$.entries[*].id: {count: 2, contains: 2}", ""),
        ("$.entries[?@.id == 9]: []", ""),
        ("$.entries[?@.id == 9]: {exists: false, empty: true, count: 0}", ""),
        ("$.entries[?@.id == 9]: {exists: true}", "`$.entries[?@.id == 9]` is [], expected a value"),
        ("$.entries[*].id: {each: {below: 2}}", "element [1] of `$.entries[*].id` is 2, expected less than 2"),
    ];
    for (line, expected) in table {
        let expected: Vec<&str> = Some(expected).filter(|text| !text.is_empty()).into_iter().collect();
        assert_eq!(judged(&format!("json:\n  {line}"), &given), expected, "{line}");
    }
}

#[test]
fn headers_body_duration_and_size() {
    let given = Given::body("hello")
        .header("content-type", "application/json; charset=utf-8")
        .header("X-Left", "59")
        .header("Link", "<a>; rel=prev")
        .header("link", "<b>; rel=next");
    let twice = "the header came 2 times, and no value is as expected";
    let table = [
        ("headers: {Content-Type: {contains: json}}", String::new()),
        ("headers: {ETag: {exists: false}}", String::new()),
        ("headers: {ETag: abc}", "the header `ETag` is missing, expected \"abc\"".to_owned()),
        // a header is text, and what stands in the file is the text as spelt
        ("headers: {X-Left: 59}", String::new()),
        ("headers: {X-Left: {above: 58}}", String::new()),
        ("headers: {X-Left: {above: 59}}", "the header `X-Left` is \"59\", expected more than 59".to_owned()),
        ("headers: {Link: {contains: next}}", String::new()),
        (
            "headers: {Link: {contains: last}}",
            format!("the header `Link` is \"<a>; rel=prev\", expected something that contains \"last\" ({twice})"),
        ),
        ("body: hello", String::new()),
        ("body: {matches: \"^h\", count: 5}", String::new()),
        ("body: {empty: true}", "the body is \"hello\", expected something empty".to_owned()),
        ("duration: {below: 2s}", String::new()),
        ("duration: {below: \"{{ '1s' }}\"}", "the duration is 1500 ms, expected less than 1000 ms".to_owned()),
        ("duration: {not: {above: 1s}}", "the duration is 1500 ms, expected not more than 1000 ms".to_owned()),
        ("size: 5", String::new()),
        ("size: {at_most: 4}", "the size is 5 bytes, expected at most 4 bytes".to_owned()),
    ];
    for (lines, expected) in table {
        let expected: Vec<String> = Some(expected).filter(|text| !text.is_empty()).into_iter().collect();
        assert_eq!(judged(lines, &given), expected, "{lines}");
    }
}

#[test]
fn conditions_show_what_they_read() {
    let given = Given::body(r#"{"state": "pending", "n": 3}"#);
    let table = [
        ("that: response.json.n == 3", ""),
        (
            "that: [response.json.state == \"done\", response.status == 200]",
            "`response.json.state == \"done\"` does not hold (`response.json.state` is \"pending\")",
        ),
        ("that: response.json.absent > 1", "`response.json.absent` has no value"),
    ];
    for (lines, expected) in table {
        let expected: Vec<&str> = Some(expected).filter(|text| !text.is_empty()).into_iter().collect();
        assert_eq!(judged(lines, &given), expected, "{lines}");
    }
}

#[test]
fn a_body_that_is_not_json_is_told_once() {
    let given = Given::body("<html>\n  <body>").header("Content-Type", "text/html");
    let expected =
        "the body is not JSON (it came as `text/html`): expected value at line 1 column 1 (the body starts: <html> <body>)";
    assert_eq!(judged("json: {$.a: 1, $.b: 2}\nsize: 15", &given), [expected]);
    assert_eq!(captured("$.a", &given), Err(expected.to_owned()));
    assert_eq!(captured("{json: $.a, default: 5}", &given), Ok(json!(5)));
    assert_eq!(judged("json: {$.a: 1}", &Given::body("")), ["the body is empty, not JSON"]);
}

#[test]
fn statuses() {
    let table = [
        ("method: GET", 399, None),
        ("method: GET", 400, Some("status is 400, expected less than 400")),
        ("assert: {status: 404}", 404, None),
        ("assert: {status: [200, 3xx]}", 404, Some("status is 404, expected 200 or 3xx")),
    ];
    for (lines, code, expected) in table {
        let (request, _) = load(lines);
        let failure = status(&request.assertions, &request.place, code);
        assert_eq!(failure.map(|failure| told(&[failure]).concat()).as_deref(), expected, "{lines} {code}");
    }
}

#[test]
fn captures_take_their_values() {
    let given = Given::body(r#"{"id": 5, "none": null, "list": ["a1", "b2", 3], "text": "csrf=t0k;"}"#)
        .header("Location", "/cb?code=42")
        .header("Set-Cookie", "sid=abc; HttpOnly");
    let table = [
        ("$.id", json!(5)),
        ("$.none", json!(null)),
        ("$.list[*]", json!(["a1", "b2", 3])),
        ("$..absent", json!([])),
        ("{json: $.id, all: true}", json!([5])),
        ("{json: $.absent, all: true}", json!([])),
        ("{json: $.list, regex: \"([a-z])\"}", json!(["a", "b"])),
        ("{header: location, regex: \"code=(\\\\d+)\"}", json!("42")),
        ("{cookie: sid}", json!("abc")),
        ("{status: true}", json!(200)),
        ("{url: true, regex: \"code=(.*)\"}", json!("7")),
        ("{regex: \"csrf=([^;]*)\"}", json!("t0k")),
        ("\"{{ response.json.id + 1 }}\"", json!(6)),
        ("{value: \"{{ id }}\"}", json!(7)),
        ("{json: $.absent, default: [1, \"{{ id }}\"]}", json!([1, 7])),
        ("{value: \"{{ response.json.absent }}\", default: none}", json!("none")),
        ("{header: location, regex: nope, default: \"\"}", json!("")),
    ];
    for (source, expected) in table {
        assert_eq!(captured(source, &given), Ok(expected), "{source}");
    }
    assert!(captured("{body: true}", &given).is_ok_and(|body| body == given.body));
}

#[test]
fn a_capture_that_finds_nothing_says_what_came() {
    let given = Given::body(r#"{"error": "invalid_grant"}"#).header("Location", "/login").header("Set-Cookie", "a=b");
    let body = "the body starts: {\"error\": \"invalid_grant\"}";
    let table = [
        ("$.access_token", format!("`x` got no value: `$.access_token` is not in the answer to `Ask` ({body})")),
        (
            "{header: ETag}",
            "`x` got no value: the header `ETag` is not in the answer to `Ask` (the headers are Location, Set-Cookie)"
                .to_owned(),
        ),
        (
            "{header: Location, regex: code=(.*)}",
            "`x` got no value: `code=(.*)` matches nothing in the header `Location` of the answer to `Ask` (the header is /login)"
                .to_owned(),
        ),
        (
            "{cookie: sid}",
            "`x` got no value: the cookie `sid` is not in the answer to `Ask` (the cookies are a)".to_owned(),
        ),
        (
            "\"{{ response.json.id }}\"",
            format!("`x` got no value: `{{{{ response.json.id }}}}` is not in the answer to `Ask` ({body})"),
        ),
        ("\"{{ nobody }}\"", "`nobody` has no value".to_owned()),
    ];
    for (source, expected) in table {
        assert_eq!(captured(source, &given), Err(expected), "{source}");
    }
}

#[test]
fn what_a_failure_shows_is_masked_whole() {
    let given = Given::body(&format!(r#"{{"token": "{}"}}"#, "s3cret".repeat(40)));
    let (request, engine) = load("assert:\n  json: {$.token: x}\ncapture: {y: $.absent}");
    let scope = given.scope();
    let tree = &mut |tree: &template::Tree<template::Template>| engine.tree(tree, &scope);
    let mut failures: Vec<Failure> =
        request.captures.iter().filter_map(|capture| take(capture, "Ask", &given.answer(), tree).err()).collect();
    let mut render = Renderers { tree, condition: &mut |template| engine.holds(template, &scope) };
    failures.extend(verdicts(&request.assertions.checks, &given.answer(), &mut render));
    without_repeats(&mut failures);
    let mask = |text: &str| text.replace(&"s3cret".repeat(40), "***");
    let told: Vec<_> = failures.iter().map(|failure| failure.describe(&mask)).collect();
    assert_eq!(told.len(), 2);
    for finding in told {
        assert!(!format!("{} {}", finding.message, finding.help.concat()).contains("s3cret"), "{}", finding.message);
    }
}
