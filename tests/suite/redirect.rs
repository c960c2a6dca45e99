//! Redirects: what is followed, and what a request takes along. A secret reaches its origin and no other.

use std::fmt::Write as _;
use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use crate::support::leak::assert_no_secret;
use crate::support::runner::Runner;
use crate::support::server::{Answer, Request, Server};
use crate::support::tls::{config, signed_by_itself};

const SECRET: &str = "s3cr3t-value-of-token";

const STATUSES: [u16; 5] = [301, 302, 303, 307, 308];

/// What carries the secret, and how a request says so.
const CREDENTIALS: [(&str, &str); 8] = [
    ("authorization", "auth: {bearer: '{{ token }}'}, form: {clean: '1'}"),
    ("basic", "auth: {basic: {username: me, password: '{{ token }}'}}, form: {clean: '1'}"),
    ("userinfo", "form: {clean: '1'}"),
    ("cookie", "headers: {Cookie: 'sid={{ token }}'}, form: {clean: '1'}"),
    ("x-api-key", "headers: {X-Api-Key: '{{ token }}'}, form: {clean: '1'}"),
    ("x-trace", "headers: {X-Trace: 'of {{ token }}'}, form: {clean: '1'}"),
    ("query", "query: {key: '{{ token }}'}, form: {clean: '1'}"),
    ("body", "form: {key: '{{ token }}'}"),
];

/// How a redirect leads elsewhere: its name, the beginning of its `Location`, and whether that is the same origin. `OWN`, `OTHER`
/// and `SIXTH` stand for the ports.
const WAYS: [(&str, &str, bool); 13] = [
    ("host", "http://other.test:OWN", false),
    ("allowed", "http://allowed.test:OWN", false),
    ("port", "http://own.test:OTHER", false),
    ("scheme", "https://own.test:OWN", false),
    ("userinfo", "http://own.test@other.test:OWN", false),
    // The first letter is a Cyrillic one.
    ("idn", "http://оwn.test:OWN", false),
    ("ipv6", "http://[::1]:SIXTH", false),
    ("back", "http://other.test:OWN", false),
    ("case", "HTTP://OWN.Test:OWN", true),
    ("dot", "http://own.test.:OWN", true),
    ("same-idn", "http://XN--BCHER-KVA.test:OWN", true),
    ("same-userinfo", "http://x:y@own.test:OWN", true),
    ("relative", "", true),
];

/// Whether `request` carries the secret in that way.
fn carries(request: &Request, credential: &str) -> bool {
    let header = |name: &str, value: &str| request.header(name) == Some(value);
    match credential {
        "authorization" => header("authorization", "Bearer s3cr3t-value-of-token"),
        "basic" | "userinfo" => header("authorization", "Basic bWU6czNjcjN0LXZhbHVlLW9mLXRva2Vu"),
        "cookie" => header("cookie", "sid=s3cr3t-value-of-token"),
        "query" => request.query == "key=s3cr3t-value-of-token",
        "body" => request.text() == "key=s3cr3t-value-of-token",
        "x-api-key" => header("x-api-key", SECRET),
        other => header(other, "of s3cr3t-value-of-token"),
    }
}

/// Everything that a server was told, for the search.
fn dump(requests: &[Request]) -> String {
    let mut text = String::new();
    for request in requests {
        let _ = writeln!(text, "{}\n{}", request.line(), request.text());
        for (name, value) in &request.headers {
            let _ = writeln!(text, "{name}: {value}");
        }
    }
    text
}

fn port(server: &Server) -> String {
    server.url().rsplit(':').next().unwrap().to_owned()
}

#[test]
fn a_secret_reaches_its_origin_and_no_other() {
    let end = |_: &Request| Answer::json(200, "{}");
    let other = Server::start(end);
    let sixth = Server::start_at(IpAddr::V6(Ipv6Addr::LOCALHOST), None, end).ok();
    if sixth.is_none() {
        eprintln!("SKIPPED: the cells of IPv6, since this machine has no `::1`");
    }
    let next = (port(&other), sixth.as_ref().map(port));
    let ways: Vec<_> = WAYS.into_iter().filter(|(way, ..)| *way != "ipv6" || sixth.is_some()).collect();

    let names = ["own.test", "own.test.", "other.test", "allowed.test", "xn--wn-emc.test", "xn--bcher-kva.test"];
    let (config, pem) = identity("own.test");
    let own = Server::start_at("127.0.0.1".parse().unwrap(), Some(config), move |request| {
        let own = request.header("host").unwrap().rsplit(':').next().unwrap();
        let parts: Vec<&str> = request.path.split('/').skip(1).collect();
        let [stage, way, status, credential] = parts[..] else { return Answer::status(400) };
        let (_, place, _) = WAYS.into_iter().find(|(name, ..)| *name == way).unwrap();
        let (place, stage) = match (stage, way) {
            ("start", "back") => (place, "middle"),
            ("start", _) => (place, "end"),
            ("middle", _) => ("http://own.test:OWN", "end"),
            _ => return Answer::json(200, "{}"),
        };
        let place = place.replace(":OWN", &format!(":{own}")).replace(":OTHER", &format!(":{}", next.0));
        let place = place.replace(":SIXTH", &format!(":{}", next.1.as_deref().unwrap_or_default()));
        Answer::status(status.parse().unwrap()).header("Location", format!("{place}/{stage}/{way}/{status}/{credential}"))
    })
    .unwrap();

    let mut requests = String::new();
    for (way, ..) in &ways {
        for status in STATUSES {
            for (credential, parts) in CREDENTIALS {
                let base = if *way == "same-idn" { "idn" } else { "own" };
                let user = if credential == "userinfo" { "_user" } else { "" };
                let url = format!("{{{{ {base}{user}_url }}}}/start/{way}/{status}/{credential}");
                let _ = writeln!(requests, "  - {{name: {way} {status} {credential}, url: '{url}', {parts}}}");
            }
        }
    }
    let port = port(&own);
    let mut runner = Runner::new()
        .file(
            "environments/dev.yaml",
            format!(
                "hosts: ['http://allowed.test:{port}']\nvariables:\n  own_url: http://own.test:{port}\n  idn_url: http://bücher.test:{port}\n  \
                 token: !secret\n"
            ),
        )
        .file(
            "environments/dev.local.yaml",
            format!(
                "variables:\n  token: {SECRET}\n  own_user_url: http://me:{SECRET}@own.test:{port}\n  \
                 idn_user_url: http://me:{SECRET}@bücher.test:{port}\n"
            ),
        )
        .file("ca.pem", pem)
        .file("c.yaml", format!("requests:\n{requests}"))
        .args(["c.yaml", "-e", "dev", "--cacert", "ca.pem"]);
    for name in names {
        runner = runner.args(["--resolve", &format!("{name}:127.0.0.1")]);
    }
    let ran = runner.run_unchecked();

    let seen: Vec<Request> =
        [Some(&own), Some(&other), sixth.as_ref()].into_iter().flatten().flat_map(Server::requests).collect();
    let mut strange = Vec::new();
    let mut cells = 0;
    for (way, _, same) in &ways {
        for status in STATUSES {
            for (credential, _) in CREDENTIALS {
                let cell = format!("{way}/{status}/{credential}");
                let at = |stage: &str| seen.iter().find(|request| request.path == format!("/{stage}/{cell}"));
                let start = at("start").unwrap_or_else(|| panic!("{cell} was not sent:\n{}", ran.all_output()));
                assert!(carries(start, credential), "{cell}: {start:?}");
                cells += 1;
                let keeps_body = matches!(status, 307 | 308);
                if credential == "body" && keeps_body && !same {
                    assert!(at("end").is_none() && at("middle").is_none(), "{cell} was sent on");
                    continue;
                }
                let end = at("end").unwrap_or_else(|| panic!("{cell} was not sent on:\n{}", ran.all_output()));
                let along = match credential {
                    "query" => false,
                    "body" => keeps_body,
                    _ => *same,
                };
                assert_eq!(carries(end, credential), along, "{cell}: {end:?}");
                let form = end.header("content-type").is_some();
                assert_eq!(
                    (end.method.as_str(), end.body.is_empty(), form),
                    if keeps_body { ("POST", false, true) } else { ("GET", true, false) }
                );
                assert_eq!(end.header("referer"), None);
                strange.extend(at("middle").cloned());
                if !same {
                    strange.push(end.clone());
                }
            }
        }
    }
    assert_eq!(cells, if sixth.is_some() { 13 * 5 * 8 } else { 12 * 5 * 8 });
    assert!(strange.len() >= 300, "{}", strange.len());
    assert_no_secret(dump(&strange), SECRET);
    assert_no_secret(ran.all_output(), SECRET);
    let refused = ran.stdout.lines().filter(|line| line.starts_with('!') && line.ends_with("refused")).count();
    let passed = ran.stdout.lines().filter(|line| line.starts_with('✓')).count();
    assert_eq!(
        (passed + refused, refused, ran.exit),
        (cells, 2 * ways.iter().filter(|(.., same)| !same).count(), 6),
        "{}",
        ran.stderr
    );
}

/// Answers `/go/STATUS` with that status and the request's headers `To` as `Location`, `/a` and `/b` with each other, `/1` with
/// `/2` and so on, and everything else with a token.
fn pointing() -> Server {
    Server::start(answer)
}

fn answer(request: &Request) -> Answer {
    let path = request.path.trim_start_matches('/');
    if let Some(status) = path.strip_prefix("go/") {
        let places = request.headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case("to"));
        return places
            .fold(Answer::text(status.parse().unwrap(), "moved"), |answer, (_, place)| answer.header("Location", place));
    }
    match (path, path.parse::<u32>()) {
        ("a", _) => Answer::status(302).header("Location", "/b"),
        ("b", _) => Answer::status(302).header("Location", "/a"),
        (_, Ok(number)) => Answer::status(302).header("Location", format!("/{}", number + 1)),
        _ => Answer::json(200, r#"{"access_token": "token-of-the-server"}"#),
    }
}

/// A run against `own`, which the environment names, and `foreign`, which nothing names.
fn project(own: &Server, foreign: &Server, collection: &str) -> Runner {
    Runner::new()
        .file("environments/dev.yaml", format!("variables: {{own: {}, token: !secret }}\n", own.url()))
        .file("environments/dev.local.yaml", format!("variables: {{token: {SECRET}}}\n"))
        .file("c.yaml", collection.replace("FOREIGN", &foreign.url()))
        .args(["c.yaml", "-e", "dev", "--resolve", "foreign.test:127.0.0.1"])
}

#[test]
fn what_is_not_followed_is_refused_in_words() {
    let (own, foreign) = (pointing(), pointing());
    project(
        &own,
        &foreign,
        r#"
        defaults: {base_url: "{{ own }}"}
        requests:
          - {url: /go/307, name: Body, headers: {To: FOREIGN/x}, form: {key: "{{ token }}"}}
          - {url: /go/308, name: Body as written, headers: {To: FOREIGN/x}, body: s3cr3t-value-of-token}
          - {url: /go/302, name: Echo, headers: {To: "FOREIGN/x?key={{ token }}"}}
          - {url: /go/302, name: File, headers: {To: "file:///etc/passwd"}}
          - {url: /go/302, name: Script, headers: {To: "javascript:alert(1)"}}
          - {url: /go/302, name: Data, headers: {To: "data:text/plain,x"}}
        "#,
    )
    .expect_exit(6)
    .expect_stdout(
        r#"
        ! POST   Body                              refused
          error: the secret `token` in the body may not follow a redirect to `http://127.0.0.1:[port]`
           --> c.yaml:3:11
            |
          3 |   - {url: /go/307, name: Body, headers: {To: http://127.0.0.1:[port]/x}, form: {key: "{{ token }}"}}
            |           ^^^^^^^
            |
            = help: if it is meant to go there, put that URL into the request; `redirects: false` shows the answer
        ! POST   Body as written                   refused
          error: a secret in the body may not follow a redirect to `http://127.0.0.1:[port]`
           --> c.yaml:4:11
            |
          4 |   - {url: /go/308, name: Body as written, headers: {To: http://127.0.0.1:[port]/x}, body: ***}
            |           ^^^^^^^
            |
            = help: if it is meant to go there, put that URL into the request; `redirects: false` shows the answer
        ! GET    Echo                              refused
          error: a redirect would take a known secret to `http://127.0.0.1:[port]`, which is not allowed to get one
           --> c.yaml:5:11
            |
          5 |   - {url: /go/302, name: Echo, headers: {To: "http://127.0.0.1:[port]/x?key={{ token }}"}}
            |           ^^^^^^^
            |
            = help: if it is meant to go there, add `hosts: [127.0.0.1:[port]]` to the environment
            = help: redirected: http://127.0.0.1:[port]/go/302 → http://127.0.0.1:[port]/x?…
        ! GET    File                              refused
          error: a redirect to a `file:` URL is not followed
           --> c.yaml:6:11
            |
          6 |   - {url: /go/302, name: File, headers: {To: "file:///etc/passwd"}}
            |           ^^^^^^^
            |
            = help: `redirects: false` shows the answer
        ! GET    Script                            refused
          error: a redirect to a `javascript:` URL is not followed
           --> c.yaml:7:11
            |
          7 |   - {url: /go/302, name: Script, headers: {To: "javascript:alert(1)"}}
            |           ^^^^^^^
            |
            = help: `redirects: false` shows the answer
        ! GET    Data                              refused
          error: a redirect to a `data:` URL is not followed
           --> c.yaml:8:11
            |
          8 |   - {url: /go/302, name: Data, headers: {To: "data:text/plain,x"}}
            |           ^^^^^^^
            |
            = help: `redirects: false` shows the answer

        6 requests: 6 errored in [duration]
        "#,
    )
    .run();
    assert_eq!(foreign.connections(), 0);
}

#[test]
fn what_can_t_be_followed_is_an_error() {
    let (own, foreign) = (pointing(), pointing());
    project(
        &own,
        &foreign,
        r#"
        defaults: {base_url: "{{ own }}"}
        requests:
          - {url: /1, name: Too many}
          - {url: /1, name: Too many for us, redirects: 1}
          - {url: /a?key=x, name: Circle}
          - {url: /go/302, name: Two, headers: {To: [/x, /y]}}
          - {url: /go/302, name: Broken, headers: {To: "http://"}}
          - {url: /go/302, name: Nobody, headers: {To: "http://127.0.0.1:1/x?code=abc"}}
        "#,
    )
    .expect_exit(3)
    .expect_stdout(
        r#"
        ! GET    Too many                          no answer [duration]
          error: more than 10 redirects in a row
           --> c.yaml:3:11
            |
          3 |   - {url: /1, name: Too many}
            |           ^^
            |
            = help: raise `redirects` if so many are meant; `redirects: false` shows the first answer instead
            = help: redirected: http://127.0.0.1:[port]/1 → http://127.0.0.1:[port]/2 → http://127.0.0.1:[port]/3 → … (6 more) → http://127.0.0.1:[port]/10 → http://127.0.0.1:[port]/11
        ! GET    Too many for us                   no answer [duration]
          error: more than 1 redirect in a row
           --> c.yaml:4:11
            |
          4 |   - {url: /1, name: Too many for us, redirects: 1}
            |           ^^
            |
            = help: raise `redirects` if so many are meant; `redirects: false` shows the first answer instead
            = help: redirected: http://127.0.0.1:[port]/1 → http://127.0.0.1:[port]/2
        ! GET    Circle                            no answer [duration]
          error: the redirects go round in a circle (10 were followed)
           --> c.yaml:5:11
            |
          5 |   - {url: /a?key=x, name: Circle}
            |           ^^^^^^^^
            |
            = help: `redirects: false` shows the first answer instead
            = help: redirected: http://127.0.0.1:[port]/a?… → http://127.0.0.1:[port]/b → http://127.0.0.1:[port]/a → http://127.0.0.1:[port]/b
        ! GET    Two                               no answer [duration]
          error: the redirect can't be followed: `Location`: there are several different ones
           --> c.yaml:6:11
            |
          6 |   - {url: /go/302, name: Two, headers: {To: [/x, /y]}}
            |           ^^^^^^^
            |
            = help: `redirects: false` shows the answer instead
        ! GET    Broken                            no answer [duration]
          error: the redirect can't be followed: `Location`: it is no URL
           --> c.yaml:7:11
            |
          7 |   - {url: /go/302, name: Broken, headers: {To: "http://"}}
            |           ^^^^^^^
            |
            = help: `redirects: false` shows the answer instead
        ! GET    Nobody                            no answer [duration]
          error: could not connect to `127.0.0.1:[port]`: connection refused
           --> c.yaml:8:11
            |
          8 |   - {url: /go/302, name: Nobody, headers: {To: "http://127.0.0.1:[port]/x?code=abc"}}
            |           ^^^^^^^
            |
            = help: is the server running, and is the port right?
            = help: redirected: http://127.0.0.1:[port]/go/302 → http://127.0.0.1:[port]/x?…

        6 requests: 6 errored in [duration]
        "#,
    )
    .run();
}

#[test]
fn each_redirect_is_shown_on_demand() {
    let (own, foreign) = (pointing(), pointing());
    project(
        &own,
        &foreign,
        r#"
        defaults: {base_url: "{{ own }}"}
        requests:
          - {url: /go/302, headers: {To: "FOREIGN/x?code=abc&a=1", X-Api-Key: "{{ token }}"}, auth: {bearer: "{{ token }}"}, form: {a: 1}}
        "#,
    )
    .arg("-vv")
    .expect_stdout(
        r#"
        environment dev
        ✓ POST   /go/302                           200 [duration]
          redirect: POST http://127.0.0.1:[port]/go/302 → 302 http://127.0.0.1:[port]/x?code=***&a=1
          left behind before http://127.0.0.1:[port]: x-api-key, authorization
          > GET /x?code=abc&a=1
          > to: http://127.0.0.1:[port]/x?code=abc&a=1
          > user-agent: runner/0.1.0
          > accept: */*
          > accept-encoding: gzip, br, zstd, deflate
          > host: 127.0.0.1:[port]
          < 200 OK
          < content-type: application/json
          < content-length: 39
          <
            {
              "access_token": "***"
            }

        1 request: 1 passed in [duration]
        "#,
    )
    .run();
}

#[test]
fn a_failure_shows_where_it_was_led() {
    let (own, foreign) = (pointing(), pointing());
    project(
        &own,
        &foreign,
        r#"
        requests:
          - {url: "{{ own }}/go/302", headers: {To: FOREIGN/x}, auth: {bearer: "{{ token }}"}, assert: {status: 204}}
        "#,
    )
    .expect_exit(1)
    .expect_stdout(
        r#"
        ✗ GET    /go/302                           200 [duration]
          error: status is 200, expected 204
           --> c.yaml:2:120
            |
          2 | …earer: "{{ token }}"}, assert: {status: 204}}
            |                                          ^^^
          redirect: GET http://127.0.0.1:[port]/go/302 → 302 http://127.0.0.1:[port]/x
          left behind before http://127.0.0.1:[port]: authorization
          server: {"access_token": "***"}

        1 request: 1 failed in [duration]
        "#,
    )
    .run();
}

#[test]
fn redirects_are_followed_as_far_as_the_collection_says() {
    let (own, foreign) = (pointing(), pointing());
    project(
        &own,
        &foreign,
        r#"
        defaults: {base_url: "{{ own }}", headers: {To: "/end?x=1"}, redirects: false}
        requests:
          - {url: /go/302}
          - {url: /go/302, name: Expected, assert: {status: 302, headers: {Location: /end?x=1}}, capture: {place: {header: Location}}}
          - url: "/go/302#part"
            name: Followed
            redirects: 1
            capture: {url: {url: true}}
            assert: {status: 200, that: "response.url == own ~ '/end?x=1#part'"}
          - {url: "/end", name: Captured, when: "url == own ~ '/end?x=1#part' and place == '/end?x=1'"}
          - group: Inner
            defaults: {redirects: 2}
            requests:
              - {url: /go/301, name: Group}
              - {url: /go/301, name: Own word, redirects: false, assert: {status: 301}}
          - {url: /go/300, name: A choice, redirects: 5}
          - {url: /go/304, name: Not modified, redirects: 5}
          - {url: /go/303, name: No place, redirects: 5, headers: {To: null}}
        "#,
    )
    .expect_stdout(
        r#"
        ✓ GET    /go/302                           302 [duration]
          redirects to /end?x=1 (not followed)
        ✓ GET    Expected                          302 [duration]
        ✓ GET    Followed                          200 [duration]
        ✓ GET    Captured                          200 [duration]
        ✓ GET    Inner / Group                     200 [duration]
        ✓ GET    Inner / Own word                  301 [duration]
        ✓ GET    A choice                          300 [duration]
          redirects to /end?x=1 (not followed)
        ✓ GET    Not modified                      304 [duration]
        ✓ GET    No place                          303 [duration]

        9 requests: 9 passed in [duration]
        "#,
    )
    .run();
}

/// What a server needs to speak TLS as `name`, and its certificate, which is signed by itself.
fn identity(name: &str) -> (std::sync::Arc<rustls::ServerConfig>, String) {
    let pair = signed_by_itself(name, |_| ());
    (std::sync::Arc::new(config(&pair, rustls::ALL_VERSIONS, None)), pair.cert_pem)
}

/// What a server sends after https is not to be sent without it.
#[test]
fn https_is_not_left() {
    let (config, pem) = identity("localhost");
    let own = Server::start_at("127.0.0.1".parse().unwrap(), Some(config), answer).unwrap();
    let url = format!("localhost:{}", port(&own));
    let ran = Runner::new()
        .file("ca.pem", pem)
        .file("c.yaml", format!("requests:\n  - {{url: \"https://{url}/go/302\", headers: {{To: \"http://{url}/x\"}}}}\n"))
        .args(["c.yaml", "--cacert", "ca.pem"])
        .expect_exit(6)
        .expect_stdout(
            r#"
        ! GET    /go/302                           refused
          error: a redirect from https to `http://localhost:[port]` is not followed
           --> c.yaml:2:11
            |
          2 |   - {url: "https://localhost:[port]/go/302", headers: {To: "http://localhost:[port]/x"}}
            |           ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
            |
            = help: if it is meant to go there, put that URL into the request; `redirects: false` shows the answer

        1 request: 1 errored in [duration]
        "#,
        )
        .run();
    assert_eq!((own.lines(), ran.exit), (vec!["GET /go/302".to_owned()], 6));
}

/// A body in a file is sent again from its start; a changed method leaves it, and what describes it, behind.
#[test]
fn a_body_goes_along_or_not() {
    let (own, foreign) = (pointing(), pointing());
    let text = "line\n".repeat(30_000);
    let ran = project(
        &own,
        &foreign,
        r#"
        requests:
          - {method: PUT, url: "{{ own }}/go/307", headers: {To: FOREIGN/kept, Content-Language: de}, body: {file: big.txt}}
          - {method: PUT, url: "{{ own }}/go/303", headers: {To: /left, Content-Language: de}, body: {file: big.txt}}
          - {method: HEAD, url: "{{ own }}/go/303", headers: {To: /head}}
          - {method: DELETE, url: "{{ own }}/go/301", headers: {To: /delete}}
        "#,
    )
    .file("big.txt", &text)
    .run_passing();
    assert_eq!(
        own.lines(),
        ["PUT /go/307", "PUT /go/303", "GET /left", "HEAD /go/303", "HEAD /head", "DELETE /go/301", "DELETE /delete"]
    );
    let kept = &foreign.requests()[0];
    assert_eq!((kept.line(), kept.text() == text, kept.header("content-language")), ("PUT /kept".to_owned(), true, Some("de")));
    let left = &own.requests()[2];
    assert!(!left.headers.iter().any(|(name, _)| name.to_lowercase().starts_with("content-")), "{left:?}\n{}", ran.all_output());
}

/// The body of a redirect is nobody's business: a short one is skipped, a long or endless one closes the connection, and what it
/// claims to be packed with is not looked at.
#[test]
fn the_body_of_a_redirect_is_not_read() {
    let server = Server::start(|request| match request.path.as_str() {
        "/short" => Answer::text(302, "moved".repeat(100)).header("Location", "/end"),
        "/packed" => Answer::text(302, "no gzip").header("Content-Encoding", "gzip").header("Location", "/end"),
        _ => Answer::json(200, "{}"),
    });
    let head = "HTTP/1.1 302 Found\r\nLocation: /end\r\nContent-Length: 99999999999\r\n\r\n";
    let cut = "HTTP/1.1 302 Found\r\nLocation: /end\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n";
    let long = Server::start(move |request| match request.path.as_str() {
        "/long" => Answer::raw([head.as_bytes(), &[b'x'; 100_000]].concat()),
        "/cut" => Answer::raw(cut),
        _ => Answer::json(200, "{}"),
    });
    let requests = |server: &Server, paths: &[&str]| -> String {
        paths.iter().map(|path| format!("  - {{url: \"{}{path}\", assert: {{status: 200}}}}\n", server.url())).collect()
    };
    let collection =
        format!("requests:\n{}{}", requests(&server, &["/short", "/packed", "/short"]), requests(&long, &["/long", "/cut"]));
    Runner::new().file("c.yaml", collection).arg("c.yaml").run_passing();
    assert_eq!((server.requests().len(), server.connections()), (6, 1));
    assert_eq!(long.requests().len(), 4);
}

/// One limit holds for all redirects of a request together.
#[test]
fn the_time_limit_covers_all_redirects() {
    let server = Server::start(|_| Answer::status(302).header("Location", "/x").slow(Duration::from_millis(60)));
    let collection = format!("requests:\n  - {{url: \"{}\", timeout: 300ms, redirects: 100}}\n", server.url());
    let ran = Runner::new().file("c.yaml", collection).arg("c.yaml").run_unchecked();
    assert!(ran.exit == 3 && ran.raw_stdout.contains("within 300 ms"), "{}", ran.all_output());
    assert!(server.requests().len() < 50);
}

/// What a server gave belongs to the server that gave it, not to the one that led there.
#[test]
fn what_is_captured_comes_from_the_last_server() {
    let (own, foreign, third) = (pointing(), pointing(), pointing());
    let ran = project(
        &own,
        &foreign,
        &format!(
            r#"
            requests:
              - {{url: "{{{{ own }}}}/go/302", headers: {{To: FOREIGN/token}}, capture: {{access_token: $.access_token}}}}
              - {{url: FOREIGN/back, auth: {{bearer: "{{{{ access_token }}}}"}}}}
              - {{url: {}, auth: {{bearer: "{{{{ access_token }}}}"}}}}
              - {{url: "{{{{ own }}}}/go/302", name: Stored, headers: {{To: FOREIGN/token}}, store: {{kept_token: $.access_token}}}}
            "#,
            third.url()
        ),
    )
    .run_unchecked();
    assert_eq!((ran.exit, foreign.lines().len(), third.connections()), (6, 3, 0), "{}", ran.all_output());
    assert!(ran.stdout.contains("`access_token` may not go to"), "{}", ran.stdout);
    assert!(
        !ran.exists("environments/dev.local.yaml") || !ran.read("environments/dev.local.yaml").contains("token-of-the-server")
    );
}

/// What a server writes into a redirect is told from what it was told.
#[test]
fn a_secret_in_a_location_goes_only_where_it_may() {
    // To an allowed origin, and back to where it came from.
    let (own, foreign) = (pointing(), pointing());
    project(
        &own,
        &foreign,
        r#"
        requests:
          - {url: FOREIGN/token, capture: {access_token: $.access_token}}
          - {url: "FOREIGN/go/302", headers: {To: "/back?key={{ access_token }}"}}
          - {url: "FOREIGN/go/302", name: Allowed, headers: {To: "{{ own }}/x?key={{ access_token }}"}}
        "#,
    )
    .run_passing();
    assert_eq!(own.lines(), ["GET /x?key=token-of-the-server"]);
    // Without an environment the secrets of the command line are held back.
    let (own, foreign) = (pointing(), pointing());
    let collection = r#"
        requests:
          - {url: "OWN/go/302", headers: {To: "FOREIGN/x?key={{ token }}"}}
          - {url: "OWN/go/302", name: Other, headers: {To: "FOREIGN/y", X-Trace: "{{ token }}"}}
        "#;
    let ran = Runner::new()
        .file("c.yaml", collection.replace("OWN", &own.url()).replace("FOREIGN", &foreign.url()))
        .args(["c.yaml", "--secret", "token", "--allow-host", own.url().trim_start_matches("http://")])
        .env_var("RUNNER_SECRET_token", SECRET)
        .run_unchecked();
    assert_eq!((ran.exit, foreign.lines()), (6, vec!["GET /y".to_owned()]), "{}", ran.all_output());
    assert_no_secret(dump(&foreign.requests()), SECRET);
    assert_no_secret(ran.all_output(), SECRET);
}

/// A known secret stays behind however it came into a header, and so does what is a credential by its place or its name, and the
/// name of the host that is left.
#[test]
fn a_secret_that_no_template_read_stays_behind() {
    let (own, foreign) = (pointing(), pointing());
    project(
        &own,
        &foreign,
        r#"
        requests:
          - url: "{{ own }}/go/307"
            headers: {To: FOREIGN/x, X-Plain: s3cr3t-value-of-token, X-Api-Key: by-its-name, X-Other: plain}
            auth: {api_key: {header: X-App, value: by-its-place}}
            body: clean
          - {url: "{{ own }}/go/307", name: Host, headers: {To: FOREIGN/x, Host: own.test}}
        "#,
    )
    .run_passing();
    let [end, host] = &foreign.requests()[..] else { panic!("{:?}", foreign.lines()) };
    assert_eq!(["x-plain", "x-api-key", "x-app", "x-other"].map(|name| end.header(name)), [None, None, None, Some("plain")]);
    assert_eq!((end.text().as_str(), host.header("host")), ("clean", foreign.url().strip_prefix("http://")));
    let sent = &own.requests()[0];
    assert_eq!(["x-plain", "x-app"].map(|name| sent.header(name)), [Some(SECRET), Some("by-its-place")]);
}

/// A secret that is too short to be recognised is known by the name that a template reads.
#[test]
fn a_short_secret_stays_behind_too() {
    let (own, foreign) = (pointing(), pointing());
    let collection = r#"
        requests:
          - {url: "{{ own }}/go/307", headers: {To: FOREIGN/x, X-Plain: "{{ pin }}"}, body: clean}
          - {url: "{{ own }}/go/307", name: Body, headers: {To: FOREIGN/x}, body: "{{ pin }}"}
        "#;
    let ran = project(&own, &foreign, collection)
        .file("environments/dev.local.yaml", format!("variables: {{token: {SECRET}, pin: a1b}}\n"))
        .run_unchecked();
    assert_eq!((ran.exit, foreign.lines()), (6, vec!["POST /x".to_owned()]), "{}", ran.all_output());
    assert_eq!((own.requests()[0].header("x-plain"), foreign.requests()[0].header("x-plain")), (Some("a1b"), None));
}
