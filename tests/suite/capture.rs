//! Values taken from answers: every source, what is missing, and the order of capturing, storing and asserting.

use std::sync::atomic::{AtomicUsize, Ordering};

use crate::support::runner::Runner;
use crate::support::server::{Answer, Server};

const BODY: &str = r#"{"id": 17, "name": "a b", "flag": true, "nothing": null, "empty": [], "owner": {"login": "me@example.test"},
  "entries": [{"type": "file", "id": "f1"}, {"type": "folder", "id": "d1"}, {"type": "file", "id": "f2"}]}"#;

/// Answers `/` with a rich answer, and takes what is sent elsewhere.
fn server() -> Server {
    Server::start(|request| match request.path.as_str() {
        "/" => Answer::json(201, BODY)
            .header("ETag", "\"abc-42\"")
            .header("X-Twice", "one")
            .header("X-Twice", "two")
            .header("Set-Cookie", "sid=c0okie; Path=/; HttpOnly")
            .header("Set-Cookie", "theme=dark"),
        "/text" => Answer::text(200, "<a href=\"/next?page=2\">more</a>\nid=1\nid=22\n"),
        "/empty" => Answer::status(204),
        "/error" => Answer::json(500, r#"{"id": 3, "message": "broken"}"#),
        _ => Answer::json(200, "{}"),
    })
}

/// What a capture of the answer to `path` gives, as JSON.
#[track_caller]
fn captured(path: &str, sources: &[(&str, &str)]) {
    let server = server();
    let captures: String =
        sources.iter().enumerate().map(|(number, (source, _))| format!("      v{number}: {source}\n")).collect();
    let uses: Vec<String> = (0..sources.len()).map(|number| format!("\"{{{{ v{number} }}}}\"")).collect();
    Runner::new()
        .file(
            "c.yaml",
            format!(
                "defaults: {{base_url: \"{}\"}}\nrequests:\n  - url: {path}\n    capture:\n{captures}  - url: /use\n    json: [{}]\n",
                server.url(),
                uses.join(", ")
            ),
        )
        .arg("c.yaml")
        .run_passing();
    let came: serde_json::Value = serde_json::from_str(&server.requests()[1].text()).expect("JSON");
    for (number, (source, expected)) in sources.iter().enumerate() {
        assert_eq!(came[number].to_string(), *expected, "{source}");
    }
}

#[test]
fn every_source_gives_its_value() {
    captured(
        "/",
        &[
            ("$.id", "17"),
            ("$.name", r#""a b""#),
            ("$.flag", "true"),
            ("$.nothing", "null"),
            ("$.owner", r#"{"login":"me@example.test"}"#),
            ("$['owner']['login']", r#""me@example.test""#),
            ("$.entries[0].id", r#""f1""#),
            ("$.entries[-1].id", r#""f2""#),
            ("$.entries[?@.type == 'file'].id", r#"["f1","f2"]"#),
            ("$.entries[?@.type == 'none'].id", "[]"),
            ("$..id", r#"[17,"f1","d1","f2"]"#),
            ("{json: $.id, all: true}", "[17]"),
            ("{json: $.absent, all: true}", "[]"),
            ("{json: $.owner.login, regex: '@(.+)$'}", r#""example.test""#),
            ("{json: '$.entries[*].id', regex: '^f.'}", r#"["f1","f2"]"#),
            ("{header: etag}", r#""\"abc-42\"""#),
            ("{header: ETag, regex: '[0-9]+'}", r#""42""#),
            ("{header: X-Twice}", r#""one""#),
            ("{cookie: sid}", r#""c0okie""#),
            ("{cookie: theme, regex: '^d(.)'}", r#""a""#),
            ("{status: true}", "201"),
            ("{value: \"{{ response.json.id + 1 }}\"}", "18"),
            ("\"{{ response.status }}\"", "201"),
            ("\"{{ response.headers.etag }}\"", r#""\"abc-42\"""#),
            ("\"{{ response.cookies.sid }}\"", r#""c0okie""#),
            ("\"{{ response.json.entries | length }} entries\"", r#""3 entries""#),
            ("\"{{ response.json.entries[1].id }}\"", r#""d1""#),
        ],
    );
    captured(
        "/text",
        &[
            ("{regex: 'href=\"([^\"]+)\"'}", r#""/next?page=2""#),
            ("{regex: 'id=[0-9]+'}", r#""id=1""#),
            ("{body: true}", r#""<a href=\"/next?page=2\">more</a>\nid=1\nid=22\n""#),
            ("{body: true, regex: 'm..e'}", r#""more""#),
            ("\"{{ response.body | length > 10 }}\"", "true"),
        ],
    );
}

#[test]
fn a_default_takes_the_place_of_what_is_missing() {
    captured(
        "/",
        &[
            ("{json: $.absent, default: none}", r#""none""#),
            ("{json: $.absent, default: [1]}", "[1]"),
            ("{json: $.id, default: none}", "17"),
            ("{json: $.nothing, default: none}", "null"),
            ("{header: X-Absent, default: ''}", r#""""#),
            ("{cookie: absent, default: null}", "null"),
            ("{json: $.name, regex: 'z', default: \"{{ response.status }}\"}", "201"),
        ],
    );
    captured("/text", &[("{json: $.id, default: no JSON}", r#""no JSON""#)]);
    captured("/empty", &[("{json: $.id, default: 0}", "0")]);
}

#[test]
fn the_url_is_the_one_that_was_asked() {
    let server = server();
    Runner::new()
        .file(
            "c.yaml",
            format!(
                "defaults: {{base_url: \"{}\"}}\nrequests:\n  - {{url: /x, query: {{a: b}}, capture: {{at: {{url: true, regex: '/x.*'}}}}}}\n  \
                 - {{url: /use, json: \"{{{{ at }}}}\"}}\n",
                server.url()
            ),
        )
        .arg("c.yaml")
        .run_passing();
    assert_eq!(server.requests()[1].text(), "\"/x?a=b\"");
}

#[test]
fn what_is_missing_fails_the_request_and_is_told_with_what_came() {
    let server = server();
    Runner::new()
        .file(
            "c.yaml",
            r#"
            defaults: {base_url: "{{ url }}"}
            requests:
              - name: Rich
                url: /
                capture:
                  absent: $.owner.mail
                  header: {header: X-Absent}
                  cookie: {cookie: absent}
                  pattern: {json: $.name, regex: "[0-9]+"}
                  there: $.id
              - name: Text
                url: /text
                capture:
                  one: $.id
                  two: $.name
              - name: Empty
                url: /empty
                capture: {id: $.id}
              - name: Use
                url: /use
                query: {id: "{{ there }}"}
            "#,
        )
        .args(["c.yaml", "--var", &format!("url={}", server.url())])
        .expect_exit(1)
        .expect_stdout(
            r#"
            ✗ GET    Rich                              201 [duration]
              error: `absent` got no value: `$.owner.mail` is not in the answer to `Rich`
               --> c.yaml:6:15
                |
              6 |       absent: $.owner.mail
                |               ^^^^^^^^^^^^
                |
                = help: the body starts: {"id": 17, "name": "a b", "flag": true, "nothing": null, "empty": [], "owner": …
              error: `header` got no value: the header `X-Absent` is not in the answer to `Rich`
               --> c.yaml:7:15
                |
              7 |       header: {header: X-Absent}
                |               ^^^^^^^^^^^^^^^^^^
                |
                = help: the headers are content-type, etag, x-twice, x-twice, set-cookie, set-cookie, content-length
              error: `cookie` got no value: the cookie `absent` is not in the answer to `Rich`
               --> c.yaml:8:15
                |
              8 |       cookie: {cookie: absent}
                |               ^^^^^^^^^^^^^^^^
                |
                = help: the cookies are sid, theme
              error: `pattern` got no value: `[0-9]+` matches nothing in `$.name` of the answer to `Rich`
               --> c.yaml:9:16
                |
              9 |       pattern: {json: $.name, regex: "[0-9]+"}
                |                ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
                |
                = help: the body starts: {"id": 17, "name": "a b", "flag": true, "nothing": null, "empty": [], "owner": …
            ✗ GET    Text                              200 [duration]
              error: the body is not JSON (it came as `text/plain; charset=utf-8`): expected value at line 1 column 1
                --> c.yaml:14:12
                 |
              14 |       one: $.id
                 |            ^^^^
                 |
                 = help: the body starts: <a href="/next?page=2">more</a> id=1 id=22
            ✗ GET    Empty                             204 [duration]
              error: the body is empty, not JSON
                --> c.yaml:18:19
                 |
              18 |     capture: {id: $.id}
                 |                   ^^^^
            ✓ GET    Use                               200 [duration]

            4 requests: 1 passed, 3 failed in [duration]
            "#,
        )
        .run();
    assert_eq!(server.lines(), ["GET /", "GET /text", "GET /empty", "GET /use?id=17"]);
}

#[test]
fn an_unexpected_status_stores_nothing_and_takes_what_can_be_taken() {
    let server = server();
    let ran = Runner::new()
        .file("environments/.gitignore", "*.local.*\n.*.lock\n")
        .file("environments/dev.yaml", format!("variables: {{url: \"{}\"}}\n", server.url()))
        .file(
            "c.yaml",
            r#"
            defaults: {base_url: "{{ url }}"}
            requests:
              - {name: Fails, url: /error, capture: {id: $.id, absent: $.absent}, store: {kept: $.id}}
              - {name: Expected, url: /error, assert: {status: 5xx}, store: {meant: $.id}}
              - {name: Use, url: "/use/{{ id }}"}
              - {name: Without, url: "/use/{{ kept }}"}
            "#,
        )
        .args(["c.yaml", "--env", "dev"])
        .expect_exit(1)
        .expect_stdout(
            "
            ✗ GET    Fails                             500 [duration]
              error: status is 500, expected less than 400
               --> c.yaml:3:5
                |
              3 |   - {name: Fails, url: /error, capture: {id: $.id, absent: $.absent}, store: {kept: $.id}}
                |     ^
              server: broken
            ✓ GET    Expected                          500 [duration]
              stored meant in environments/dev.local.yaml
            ✓ GET    Use                               200 [duration]
            - GET    Without                           skipped: needs `kept`, which `Fails` should have captured

            4 requests: 2 passed, 1 failed, 1 skipped in [duration]
            ",
        )
        .run();
    assert_eq!(ran.read("environments/dev.local.yaml"), "stored:\n  meant: 3\n");
    assert_eq!(server.lines(), ["GET /error", "GET /error", "GET /use/3"]);
}

#[test]
fn captures_and_stores_come_before_assertions_and_stay_when_those_fail() {
    let server = server();
    let ran = Runner::new()
        .file("environments/.gitignore", "*.local.*\n.*.lock\n")
        .file("environments/dev.yaml", format!("variables: {{url: \"{}\"}}\n", server.url()))
        .file(
            "c.yaml",
            r#"
            defaults: {base_url: "{{ url }}"}
            requests:
              - name: Fails
                url: /
                capture: {id: $.id, absent: $.absent}
                store: {name: $.name, gone: $.gone, login: "{{ response.json.owner.login }}"}
                assert:
                  json:
                    $.id: "{{ id }}"          # sees what was captured
                    $.name: someone else
              - {name: Use, url: "/use/{{ id }}/{{ name }}/{{ login }}"}
            "#,
        )
        .args(["c.yaml", "--env", "dev"])
        .expect_exit(1)
        .expect_stdout(
            r#"
            ✗ GET    Fails                             201 [duration]
              error: `absent` got no value: `$.absent` is not in the answer to `Fails`
               --> c.yaml:5:33
                |
              5 |     capture: {id: $.id, absent: $.absent}
                |                                 ^^^^^^^^
                |
                = help: the body starts: {"id": 17, "name": "a b", "flag": true, "nothing": null, "empty": [], "owner": …
              error: `gone` got no value: `$.gone` is not in the answer to `Fails`
               --> c.yaml:6:33
                |
              6 |     store: {name: $.name, gone: $.gone, login: "{{ response.json.owner.login }}"}
                |                                 ^^^^^^
                |
                = help: the body starts: {"id": 17, "name": "a b", "flag": true, "nothing": null, "empty": [], "owner": …
              error: `$.name` is "a b", expected "someone else"
                --> c.yaml:10:17
                 |
              10 |         $.name: someone else
                 |                 ^^^^^^^^^^^^
              stored name, login in environments/dev.local.yaml
            ✓ GET    Use                               200 [duration]

            2 requests: 1 passed, 1 failed in [duration]
            "#,
        )
        .run();
    assert_eq!(ran.read("environments/dev.local.yaml"), "stored:\n  name: a b\n  login: me@example.test\n");
    assert_eq!(server.lines(), ["GET /", "GET /use/17/a%20b/me%40example.test"]);
}

#[test]
fn the_last_value_stays_and_a_list_is_a_list() {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let server = Server::start(|_| Answer::json(200, format!(r#"{{"n": {}}}"#, COUNT.fetch_add(1, Ordering::SeqCst))));
    Runner::new()
        .file(
            "c.yaml",
            format!(
                r#"
                defaults: {{base_url: "{}"}}
                requests:
                  - {{url: /a, capture: {{n: $.n}}}}
                  - {{url: /b, capture: {{n: $.n}}}}
                  - {{url: "/c/{{{{ n }}}}", capture: {{n: $.n}}, assert: {{json: {{$.n: "{{{{ n }}}}"}}}}}}
                  - {{url: "/d/{{{{ n }}}}"}}
                "#,
                server.url()
            ),
        )
        .arg("c.yaml")
        .run_passing();
    assert_eq!(server.lines(), ["GET /a", "GET /b", "GET /c/1", "GET /d/2"]);
}
