//! Every part of an answer that can be asserted, every matcher, and what a failure says.

use std::time::Duration;

use crate::support::runner::Runner;
use crate::support::server::{Answer, Server};

const BODY: &str = r#"{"id": 17, "ratio": 1.5, "name": "Jane Doe", "flag": true, "nothing": null, "tags": ["a", "b", "c"],
  "owner": {"login": "jane", "roles": [{"id": 1}, {"id": 2}]}, "empty": {}, "none": [], "blank": "", "digits": "42"}"#;

fn server() -> Server {
    Server::start(|request| match request.path.as_str() {
        "/text" => Answer::text(200, "hello world\n"),
        "/empty" => Answer::status(204),
        "/missing" => Answer::json(404, r#"{"type": "error", "code": "not_found", "message": "no such thing"}"#),
        "/slow" => Answer::json(200, "{}").slow(Duration::from_millis(40)),
        _ => Answer::json(200, BODY)
            .header("ETag", "\"v1\"")
            .header("X-Count", "12")
            .header("X-Twice", "one")
            .header("X-Twice", "two"),
    })
}

/// Runs one request with each of the `assert:` maps; whether each of them holds must be as said.
#[track_caller]
fn hold(path: &str, table: &[(&str, bool)]) {
    let server = server();
    let requests: String = table
        .iter()
        .enumerate()
        .map(|(number, (assert, _))| format!("  - {{name: N{number}, url: {path}, assert: {assert}}}\n"))
        .collect();
    let ran = Runner::new()
        .file("c.yaml", format!("defaults: {{base_url: \"{}\"}}\nrequests:\n{requests}", server.url()))
        .arg("c.yaml")
        .run_unchecked();
    assert_eq!(ran.stderr, "");
    for (number, (assert, holds)) in table.iter().enumerate() {
        let mark = if *holds { "✓" } else { "✗" };
        let line = ran.stdout.lines().find(|line| line.ends_with(" [duration]") && line.contains(&format!(" N{number} ")));
        assert!(line.is_some_and(|line| line.starts_with(mark)), "{assert}: {line:?}\n{}", ran.stdout);
    }
}

#[test]
fn statuses() {
    hold(
        "/",
        &[
            ("{}", true),
            ("{status: 200}", true),
            ("{status: 2xx}", true),
            ("{status: [201, 200]}", true),
            ("{status: [4xx, 201]}", false),
            ("{status: 204}", false),
        ],
    );
    hold("/missing", &[("{}", false), ("{status: 404}", true), ("{status: [2xx, 404]}", true), ("{status: 5xx}", false)]);
}

#[test]
fn every_matcher() {
    hold(
        "/",
        &[
            ("{json: {$.id: 17}}", true),
            ("{json: {$.id: 17.0}}", true),
            ("{json: {$.id: '17'}}", false),
            ("{json: {$.id: 18}}", false),
            ("{json: {$.name: Jane Doe}}", true),
            ("{json: {$.name: jane doe}}", false),
            ("{json: {$.flag: true}}", true),
            ("{json: {$.nothing: null}}", true),
            ("{json: {$.nothing: false}}", false),
            ("{json: {$.tags: [a, b, c]}}", true),
            ("{json: {$.tags: [a, c, b]}}", false),
            ("{json: {$.absent: null}}", false),
            ("{json: {$.owner: {equals: {roles: [{id: 1}, {id: 2}], login: jane}}}}", true),
            ("{json: {$.owner: {equals: {login: jane}}}}", false),
            ("{json: {$.id: {not_equals: 18}}}", true),
            ("{json: {$.id: {not_equals: 17}}}", false),
            ("{json: {$.name: {contains: 'ne D'}}}", true),
            ("{json: {$.tags: {contains: b}}}", true),
            ("{json: {$.tags: {contains: d}}}", false),
            ("{json: {$.name: {not_contains: x}}}", true),
            ("{json: {$.tags: {not_contains: a}}}", false),
            ("{json: {$.name: {starts_with: Jane}}}", true),
            ("{json: {$.name: {starts_with: Doe}}}", false),
            ("{json: {$.name: {ends_with: Doe}}}", true),
            ("{json: {$.name: {matches: '^J.+e$'}}}", true),
            ("{json: {$.name: {matches: '^[a-z]+$'}}}", false),
            ("{json: {$.id: {above: 16, below: 18}}}", true),
            ("{json: {$.id: {above: 17}}}", false),
            ("{json: {$.id: {at_least: 17, at_most: 17}}}", true),
            ("{json: {$.ratio: {at_most: 1.4}}}", false),
            ("{json: {$.digits: {above: 1}}}", false),
            ("{json: {$.tags: {count: 3}}}", true),
            ("{json: {$.tags: {count: {at_least: 4}}}}", false),
            ("{json: {$.owner: {count: 2}}}", true),
            ("{json: {$.name: {count: 8}}}", true),
            ("{json: {'$.owner.roles[*].id': {count: 2}}}", true),
            ("{json: {$.id: {exists: true}}}", true),
            ("{json: {$.nothing: {exists: true}}}", true),
            ("{json: {$.absent: {exists: false}}}", true),
            ("{json: {$.absent: {exists: true}}}", false),
            ("{json: {'$.none[*]': {exists: false}}}", true),
            ("{json: {$.none: {empty: true}, $.empty: {empty: true}, $.blank: {empty: true}}}", true),
            ("{json: {$.tags: {empty: true}}}", false),
            ("{json: {$.tags: {empty: false}}}", true),
            ("{json: {$.id: {type: number}, $.name: {type: string}, $.tags: {type: array}}}", true),
            ("{json: {$.owner: {type: object}, $.flag: {type: boolean}, $.nothing: {type: 'null'}}}", true),
            ("{json: {$.ratio: {type: integer}}}", false),
            ("{json: {$.id: {in: [1, 17]}}}", true),
            ("{json: {$.id: {in: [1, 2]}}}", false),
            ("{json: {$.tags: {each: {type: string}}}}", true),
            ("{json: {'$.owner.roles[*].id': {each: {above: 1}}}}", false),
            ("{json: {$.id: {all: [{above: 1}, {below: 20}]}}}", true),
            ("{json: {$.id: {any: [1, {above: 16}]}}}", true),
            ("{json: {$.id: {any: [1, 2]}}}", false),
            ("{json: {$.name: {not: {starts_with: X}}}}", true),
            ("{json: {$.name: {not: {starts_with: J}}}}", false),
            ("{json: {$.name: {equals: \"{{ 'Jane' ~ ' Doe' }}\"}}}", true),
        ],
    );
}

#[test]
fn every_part_of_the_answer() {
    hold(
        "/",
        &[
            ("{headers: {Content-Type: application/json}}", true),
            ("{headers: {content-type: {contains: json}}}", true),
            ("{headers: {ETag: {matches: '^\"v[0-9]\"$'}}}", true),
            ("{headers: {X-Count: {above: 11}}}", true),
            ("{headers: {X-Count: {below: 5}}}", false),
            ("{headers: {X-Twice: two}}", true),
            ("{headers: {X-Twice: three}}", false),
            ("{headers: {X-Absent: {exists: false}}}", true),
            ("{headers: {X-Absent: x}}", false),
            ("{body: {contains: Jane}}", true),
            ("{size: {above: 100, below: 1000}}", true),
            ("{size: {below: 10}}", false),
            ("{duration: {below: 20s}}", true),
            ("{duration: {below: 1ns}}", false),
            ("{that: response.json.id > 16}", true),
            ("{that: ['response.status == 200', \"response.json.name is containing(pat='Doe')\"]}", true),
            ("{that: ['response.json.id > 16', 'response.json.id > 17']}", false),
            ("{that: response.duration < 20000}", true),
            ("{that: \"response.headers['x-count'] == '12'\"}", true),
        ],
    );
    hold(
        "/text",
        &[
            ("{body: \"hello world\\n\"}", true),
            ("{body: hello}", false),
            ("{body: {matches: 'w.rld'}}", true),
            ("{size: 12}", true),
        ],
    );
    hold("/empty", &[("{body: ''}", true), ("{size: 0}", true), ("{body: {empty: true}}", true), ("{json: {$.id: 1}}", false)]);
    hold("/slow", &[("{duration: {above: 30ms}}", true), ("{duration: {below: 30ms}}", false)]);
}

#[test]
fn a_failure_shows_what_was_expected_what_came_and_where_it_was_asked() {
    let server = server();
    Runner::new()
        .file(
            "c.yaml",
            r#"
            defaults: {base_url: "{{ url }}"}
            requests:
              - name: Rich
                url: /
                assert:
                  status: 2xx
                  headers:
                    X-Count: {below: 5}
                    X-Absent: here
                  json:
                    $.id: "17"
                    $.name: {starts_with: John, ends_with: Doe}
                    $.owner: {equals: {login: jane, roles: [{id: 1}, {id: 3}]}}
                    $.tags: {count: {at_least: 4}}
                    $.absent.deep: 1
                    $.owner.roles[*].id: {each: {above: 1}}
                    $.ratio: "{{ 1 + 1 }}"
                  body: {not_contains: Jane}
                  that:
                    - response.json.id == 18 and response.status == 200
              - name: Status first
                url: /missing
                assert:
                  status: [200, 201]
                  json: {$.type: file}
              - name: No JSON
                url: /text
                assert:
                  json: {$.a: 1, $.b: 2}
              - name: Without an assertion
                url: /missing
            "#,
        )
        .args(["c.yaml", "--var", &format!("url={}", server.url())])
        .expect_exit(1)
        .expect_stdout(
            r#"
            ✗ GET    Rich                              200 [duration]
              error: the header `X-Count` is "12", expected less than 5
               --> c.yaml:8:26
                |
              8 |         X-Count: {below: 5}
                |                          ^
              error: the header `X-Absent` is missing, expected "here"
               --> c.yaml:9:19
                |
              9 |         X-Absent: here
                |                   ^^^^
              error: `$.id` is 17, expected "17"
                --> c.yaml:11:15
                 |
              11 |         $.id: "17"
                 |               ^^^^
                 |
                 = help: `17` is a number, `"17"` text: write the operand without quotes, or with `| int` in an expression
              error: `$.name` is "Jane Doe", expected text that starts with "John"
                --> c.yaml:12:31
                 |
              12 |         $.name: {starts_with: John, ends_with: Doe}
                 |                               ^^^^
              error: `$.owner` is {"login":"jane","roles":[{"id":1},{"id":2}]}, expected {"login":"jane","roles":[{"id":1},{"id":3}]}
                --> c.yaml:13:27
                 |
              13 |         $.owner: {equals: {login: jane, roles: [{id: 1}, {id: 3}]}}
                 |                           ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
                 |
                 = help: they differ at `.roles[1].id`: 2, expected 3
              error: the count of `$.tags` is 3, expected at least 4
                --> c.yaml:14:36
                 |
              14 |         $.tags: {count: {at_least: 4}}
                 |                                    ^
              error: `$.absent.deep` is missing, expected 1
                --> c.yaml:15:24
                 |
              15 |         $.absent.deep: 1
                 |                        ^
              error: element [0] of `$.owner.roles[*].id` is 1, expected more than 1
                --> c.yaml:16:45
                 |
              16 |         $.owner.roles[*].id: {each: {above: 1}}
                 |                                             ^
              error: `$.ratio` is 1.5, expected 2
                --> c.yaml:17:18
                 |
              17 |         $.ratio: "{{ 1 + 1 }}"
                 |                  ^^^^^^^^^^^^^
              error: the body is "{\"id\": 17, \"ratio\": 1.5, \"name\": \"Jane Doe\", \"flag\": true, \"nothing…, expected something that does not contain "Jane"
                --> c.yaml:18:28
                 |
              18 |       body: {not_contains: Jane}
                 |                            ^^^^
              error: `response.json.id == 18 and response.status == 200` does not hold
                --> c.yaml:20:11
                 |
              20 |         - response.json.id == 18 and response.status == 200
                 |           ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
                 |
                 = help: `response.json.id` is 17
                 = help: `response.status` is 200
            ✗ GET    Status first                      404 [duration]
              error: status is 404, expected 200 or 201
                --> c.yaml:24:15
                 |
              24 |       status: [200, 201]
                 |               ^^^^^^^^^^
              error: `$.type` is "error", expected "file"
                --> c.yaml:25:22
                 |
              25 |       json: {$.type: file}
                 |                      ^^^^
              server: not_found: no such thing
            ✗ GET    No JSON                           200 [duration]
              error: the body is not JSON (it came as `text/plain; charset=utf-8`): expected value at line 1 column 1
                --> c.yaml:29:14
                 |
              29 |       json: {$.a: 1, $.b: 2}
                 |              ^^^
                 |
                 = help: the body starts: hello world
            ✗ GET    Without an assertion              404 [duration]
              error: status is 404, expected less than 400
                --> c.yaml:30:5
                 |
              30 |   - name: Without an assertion
                 |     ^
              server: not_found: no such thing

            4 requests: 4 failed in [duration]
            "#,
        )
        .run();
}

#[test]
fn what_came_is_shortened_and_holds_no_control_characters() {
    let long = format!("start {}", "x".repeat(5000));
    let body = serde_json::json!({"long": long, "evil": "\u{1b}[31mred\u{7}", "wide": "漢字"}).to_string();
    let server = Server::start(move |_| Answer::json(200, body.clone()));
    Runner::new()
        .file(
            "c.yaml",
            r#"
            requests:
              - url: "{{ url }}"
                assert:
                  json: {$.long: short, $.evil: fine, $.wide: narrow}
            "#,
        )
        .args(["c.yaml", "--var", &format!("url={}", server.url())])
        .expect_exit(1)
        .expect_stdout(
            r#"
            ✗ GET    {{ url }}                         200 [duration]
              error: `$.long` is "start xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx…, expected "short"
               --> c.yaml:4:22
                |
              4 |       json: {$.long: short, $.evil: fine, $.wide: narrow}
                |                      ^^^^^
              error: `$.evil` is "\u001b[31mred\u0007", expected "fine"
               --> c.yaml:4:37
                |
              4 |       json: {$.long: short, $.evil: fine, $.wide: narrow}
                |                                     ^^^^
              error: `$.wide` is "漢字", expected "narrow"
               --> c.yaml:4:51
                |
              4 |       json: {$.long: short, $.evil: fine, $.wide: narrow}
                |                                                   ^^^^^^

            1 request: 1 failed in [duration]
            "#,
        )
        .run();
}
