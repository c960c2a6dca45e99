//! What goes over the wire: method, URL, query, headers, bodies, authorisation, limits; and what comes back.

use std::io::Write as _;
use std::time::Duration;

use crate::support::runner::Runner;
use crate::support::server::{Answer, Request, Server};

/// A server that takes everything.
fn server() -> Server {
    Server::start(|_| Answer::json(200, r#"{"nothing": null}"#))
}

/// What the server is asked by the requests of a collection, each a YAML map below `requests:`.
#[track_caller]
fn asked(requests: &str) -> Vec<Request> {
    asked_with("", requests)
}

/// As [`asked`], with the collection's other keys.
#[track_caller]
fn asked_with(head: &str, requests: &str) -> Vec<Request> {
    let server = server();
    let defaults = if head.contains("defaults:") { "" } else { "defaults: {base_url: \"{{ url }}\"}\n" };
    let head = crate::support::runner::unindented(head);
    let requests = crate::support::runner::unindented(requests);
    let text = format!("{head}{defaults}requests:\n{requests}");
    Runner::new().file("c.yaml", text).args(["c.yaml", "--var", &format!("url={}", server.url())]).run_passing();
    server.requests()
}

fn lines(requests: &[Request]) -> Vec<String> {
    requests.iter().map(Request::line).collect()
}

fn values<'r>(request: &'r Request, name: &str) -> Vec<&'r str> {
    request.headers.iter().filter(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str()).collect()
}

#[test]
fn the_method_is_get_or_post_with_a_body_unless_it_is_given() {
    let asked = asked(
        r"
        - url: /a
        - {url: /b, form: {x: 1}}
        - {url: /c, json: {x: 1}}
        - {url: /d, body: text}
        - {url: /e, method: PUT, json: 1}
        - {url: /f, method: DELETE}
        - {url: /g, method: OPTIONS}
        - {url: /h, method: PURGE}
        - {url: /i, method: HEAD}
        - {url: /j, method: GET, body: text}
        - {url: /k, method: PATCH}
        ",
    );
    assert_eq!(
        lines(&asked),
        [
            "GET /a",
            "POST /b",
            "POST /c",
            "POST /d",
            "PUT /e",
            "DELETE /f",
            "OPTIONS /g",
            "PURGE /h",
            "HEAD /i",
            "GET /j",
            "PATCH /k"
        ]
    );
    // A method with a body that has none says so (RFC 9110 §8.6); a GET says nothing.
    assert_eq!((asked[10].header("content-length"), asked[0].header("content-length")), (Some("0"), None));
}

#[test]
fn a_url_is_joined_to_the_base_with_exactly_one_slash() {
    let server = server();
    let collection = |base: &str, url: &str| format!("defaults: {{base_url: \"{base}\"}}\nrequests: [{{url: \"{url}\"}}]\n");
    for (base, url, line) in [
        ("{{ url }}", "/a", "GET /a"),
        ("{{ url }}/", "/a", "GET /a"),
        ("{{ url }}/2.0", "/a/b", "GET /2.0/a/b"),
        ("{{ url }}/2.0/", "/", "GET /2.0/"),
        ("{{ url }}/2.0", "/a?x=1&y=%2F", "GET /2.0/a?x=1&y=%2F"),
        ("{{ url }}/2.0", "{{ url }}/elsewhere", "GET /elsewhere"),
        ("{{ url }}/2.0", "{{ url }}", "GET /"),
        ("{{ url }}/2.0", "/ü b", "GET /2.0/%C3%BC%20b"),
        ("{{ url }}/2.0", "/a#fragment", "GET /2.0/a"),
    ] {
        let ran = Runner::new()
            .file("c.yaml", collection(base, url))
            .args(["c.yaml", "--var", &format!("url={}", server.url())])
            .run_passing();
        drop(ran);
        assert_eq!(server.lines().last().map(String::as_str), Some(line), "{base} and {url}");
    }
}

#[test]
fn a_query_repeats_lists_leaves_null_out_and_encodes_the_rest() {
    let asked = asked_with(
        "
        variables: {many: [1, b c], empty: '', half: 1.50}
        ",
        r#"
        - url: /a
          query: {plain: x, number: 01234, decimal: 1.10, yes: yes, list: [a, b], none: null, unset: , empty: ""}
        - url: /b
          query: {space: a b, plus: a+b, and: a&b=c, slash: /?#, umlaut: ü, "na me": 1, percent: "100%", tilde: ~-._}
        - url: /c?first=1
          query: {second: 2}
        - url: /d
          query: {many: "{{ many }}", empty: "{{ empty }}", half: "{{ half }}", text: "<{{ half }}>"}
        - url: /e
          query: {}
          capture: {nothing: $.nothing}
        - url: /f
          query: {a: "{{ nothing }}", b: 1}
        "#,
    );
    assert_eq!(
        lines(&asked),
        [
            "GET /a?plain=x&number=01234&decimal=1.10&yes=yes&list=a&list=b&empty=",
            "GET /b?space=a%20b&plus=a%2Bb&and=a%26b%3Dc&slash=%2F%3F%23&umlaut=%C3%BC&na%20me=1&percent=100%25&tilde=~-._",
            "GET /c?first=1&second=2",
            "GET /d?many=1&many=b%20c&empty=&half=1.50&text=%3C1.50%3E",
            "GET /e",
            "GET /f?b=1",
        ]
    );
}

#[test]
fn headers_repeat_override_and_keep_the_spelling_of_their_value() {
    let asked = asked_with(
        r#"
        defaults:
          base_url: "{{ url }}"
          headers: {Accept: application/json, X-Team: core, X-List: [a, b]}
        "#,
        r#"
        - url: /a
        - url: /b
          headers: {accept: text/plain, X-Empty: "", X-Null: null, X-Number: 007, X-Many: [1, "2"]}
        - {url: /c, headers: {X-Team: , x-list: c}}
        - {url: /d, headers: {User-Agent: mine/1, Host: example.test, Content-Type: application/vnd.x+json}, json: {}}
        "#,
    );
    assert_eq!(values(&asked[0], "accept"), ["application/json"]);
    assert_eq!((values(&asked[0], "x-team"), values(&asked[0], "x-list")), (vec!["core"], vec!["a", "b"]));
    assert_eq!((values(&asked[1], "accept"), values(&asked[1], "x-empty")), (vec!["text/plain"], vec![""]));
    assert_eq!((values(&asked[1], "x-null"), values(&asked[1], "x-number")), (Vec::<&str>::new(), vec!["007"]));
    assert_eq!((values(&asked[1], "x-many"), values(&asked[1], "x-team")), (vec!["1", "2"], vec!["core"]));
    assert_eq!((values(&asked[2], "x-team"), values(&asked[2], "x-list")), (Vec::<&str>::new(), vec!["c"]));
    assert_eq!((values(&asked[3], "user-agent"), values(&asked[3], "host")), (vec!["mine/1"], vec!["example.test"]));
    assert_eq!(values(&asked[3], "content-type"), ["application/vnd.x+json"]);
    let version = concat!("runner/", env!("CARGO_PKG_VERSION"));
    assert_eq!((values(&asked[0], "user-agent"), values(&asked[0], "connection")), (vec![version], vec![]));
}

#[test]
fn a_form_is_encoded_as_forms_are() {
    let asked = asked_with(
        "
        variables: {many: [1, 2]}
        ",
        r#"
        - url: /
          form: {grant_type: authorization_code, code: "a b+c&d=e/ü", many: "{{ many }}", twice: [x, y], none: null, empty: "", n: 010}
        "#,
    );
    assert_eq!(asked[0].header("content-type"), Some("application/x-www-form-urlencoded"));
    assert_eq!(
        asked[0].text(),
        "grant_type=authorization_code&code=a+b%2Bc%26d%3De%2F%C3%BC&many=1&many=2&twice=x&twice=y&empty=&n=010"
    );
}

#[test]
fn a_json_body_keeps_its_types_and_order() {
    let asked = asked_with(
        "
        variables: {limit: 5, flag: true, tags: [a, b], nested: {x: {y: 1}}, id: '007'}
        ",
        r#"
        - url: /a
          json: {z: 1, a: 1.5, t: text, b: true, n: null, l: [1, two, null], big: 12345678901234567890, quoted: "1", yes: yes, e: 1e3}
          capture: {nothing: $.nothing}
        - url: /b
          json:
            limit: "{{ limit }}"
            flag: "{{ flag }}"
            tags: "{{ tags }}"
            y: "{{ nested.x.y }}"
            nested: "{{ nested }}"
            nothing: "{{ nothing }}"
            id: "{{ id }}"
            text: "{{ limit }} of {{ id }}"
            sum: "{{ limit + 1 }}"
        - {url: /c, json: [1, 2]}
        - {url: /d, json: "{{ tags | first }}"}
        - {url: /e, json: {"a \"b\"": "ü\n"}}
        - {url: /f, json: null}
        "#,
    );
    assert_eq!(asked[0].header("content-type"), Some("application/json"));
    let bodies: Vec<String> = asked.iter().map(Request::text).collect();
    assert_eq!(
        bodies[0],
        r#"{"z":1,"a":1.5,"t":"text","b":true,"n":null,"l":[1,"two",null],"big":12345678901234567890,"quoted":"1","yes":"yes","e":1000.0}"#
    );
    assert_eq!(
        bodies[1],
        r#"{"limit":5,"flag":true,"tags":["a","b"],"y":1,"nested":{"x":{"y":1}},"nothing":null,"id":"007","text":"5 of 007","sum":6}"#
    );
    assert_eq!(&bodies[2..], [r"[1,2]", r#""a""#, r#"{"a \"b\"":"ü\n"}"#, "null"]);
}

#[test]
fn a_body_is_text_or_a_file_as_it_is() {
    let server = server();
    let bytes = "line one\r\nline {{ not_rendered }}\n\u{0}";
    Runner::new()
        .file("data/upload.bin", bytes)
        .file(
            "c.yaml",
            r#"
            defaults: {base_url: "{{ url }}"}
            variables: {name: upload}
            requests:
              - {url: /text, body: "hello {{ name }}\n"}
              - {url: /xml, body: "<a/>", headers: {Content-Type: application/xml}}
              - {url: /file, body: {file: "data/{{ name }}.bin"}}
              - {url: /typed, method: PUT, body: {file: data/upload.bin, content_type: "image/{{ name }}"}}
              - {url: /empty, body: ""}
            "#,
        )
        .args(["c.yaml", "--var", &format!("url={}", server.url())])
        .run_passing();
    let requests = server.requests();
    let came: Vec<_> = requests.iter().map(|r| (r.line(), r.text(), r.header("content-type").unwrap_or_default())).collect();
    assert_eq!(came[0], ("POST /text".to_owned(), "hello upload\n".to_owned(), "text/plain; charset=utf-8"));
    assert_eq!(came[1], ("POST /xml".to_owned(), "<a/>".to_owned(), "application/xml"));
    assert_eq!(came[2], ("POST /file".to_owned(), bytes.to_owned(), "application/octet-stream"));
    assert_eq!(came[3], ("PUT /typed".to_owned(), bytes.to_owned(), "image/upload"));
    assert_eq!((came[4].0.as_str(), came[4].1.as_str()), ("POST /empty", ""));
    let length = bytes.len().to_string();
    assert_eq!(requests[2].header("content-length"), Some(length.as_str()));
}

#[test]
fn every_way_to_authorise_reaches_its_place() {
    let asked = asked_with(
        r#"
        variables: {token: t0k}
        auth:
          named: {basic: {username: me, password: "{{ token }}"}}
          key: {api_key: {header: X-Key, value: "{{ token }}"}}
        "#,
        r#"
        - {url: /a, auth: {bearer: "{{ token }}"}}
        - {url: /b, auth: {basic: {username: me, password: "p:ü ß"}}}
        - {url: /c, auth: {api_key: {header: X-Api-Key, value: "k {{ token }}"}}}
        - {url: /d, auth: {api_key: {query: key, value: a/b}}, query: {x: 1}}
        - {url: /e, auth: {api_key: {cookie: sid, value: abc}}, headers: {Cookie: a=1}}
        - {url: /f, auth: {api_key: {cookie: sid, value: abc}}}
        - {url: /g, auth: named}
        - {url: /h, auth: key}
        - {url: /i, auth: none}
        - {url: /j}
        - {url: /k, auth: {bearer: new}, headers: {authorization: old}}
        - {url: /l, auth: {basic: {username: me, password: ""}}}
        "#,
    );
    let header = |index: usize, name: &str| asked[index].header(name).map(str::to_owned);
    assert_eq!(header(0, "authorization").as_deref(), Some("Bearer t0k"));
    assert_eq!(header(1, "authorization").as_deref(), Some("Basic bWU6cDrDvCDDnw=="));
    assert_eq!(header(2, "x-api-key").as_deref(), Some("k t0k"));
    assert_eq!(asked[3].line(), "GET /d?x=1&key=a%2Fb");
    assert_eq!(header(4, "cookie").as_deref(), Some("a=1; sid=abc"));
    assert_eq!(header(5, "cookie").as_deref(), Some("sid=abc"));
    assert_eq!(header(6, "authorization").as_deref(), Some("Basic bWU6dDBr"));
    assert_eq!(header(7, "x-key").as_deref(), Some("t0k"));
    assert_eq!((header(8, "authorization"), header(9, "authorization")), (None, None));
    assert_eq!(values(&asked[10], "authorization"), ["Bearer new"]);
    assert_eq!(header(11, "authorization").as_deref(), Some("Basic bWU6"));
}

#[test]
fn of_two_definitions_of_one_name_the_environments_counts_and_it_sees_only_itself() {
    let server = server();
    Runner::new()
        .file(".git/HEAD", "ref: refs/heads/main\n")
        .file(".gitignore", "*.local.*\n")
        .file("environments/.gitignore", "*.local.*\n.*.lock\n")
        .file(
            "environments/dev.yaml",
            format!("variables: {{url: \"{}\", who: environment}}\nauth: {{api: {{bearer: \"{{{{ who }}}}\"}}}}\n", server.url()),
        )
        .file(
            "c.yaml",
            r#"
            variables: {who: collection}
            auth:
              api: {bearer: "collection {{ who }}"}
              own: {bearer: "own {{ who }}"}
            defaults: {base_url: "{{ url }}", auth: api}
            requests:
              - {url: /a, capture: {who: {value: "{{ 'captured' }}"}}}
              - {url: /b}
              - {url: /c, auth: own}
            "#,
        )
        .args(["c.yaml", "--env", "dev"])
        .run_passing();
    let asked = server.requests();
    let sent: Vec<_> = asked.iter().map(|request| request.header("authorization").unwrap_or_default()).collect();
    assert_eq!(sent, ["Bearer environment", "Bearer environment", "Bearer own captured"]);
}

#[test]
fn defaults_reach_into_groups_and_groups_change_them() {
    let asked = asked_with(
        r#"
        defaults:
          base_url: "{{ url }}/v1"
          auth: {bearer: outer}
          headers: {X-Outer: "1", X-Both: outer}
        "#,
        r#"
        - url: /a
        - group: Inner
          defaults:
            base_url: "{{ url }}/v2"
            auth: {bearer: inner}
            headers: {x-both: inner, X-Inner: "1"}
          requests:
            - url: /b
            - group: Innermost
              defaults: {auth: none}
              requests:
                - url: /c
                - {url: /d, auth: {bearer: own}, headers: {X-Both: own}}
        - url: /e
        "#,
    );
    let told: Vec<_> = asked
        .iter()
        .map(|request| {
            let header = |name| request.header(name).unwrap_or("-");
            [&request.path, header("authorization"), header("x-outer"), header("x-both"), header("x-inner")].join(" ")
        })
        .collect();
    assert_eq!(
        told,
        [
            "/v1/a Bearer outer 1 outer -",
            "/v2/b Bearer inner 1 inner 1",
            "/v2/c - 1 inner 1",
            "/v2/d Bearer own 1 own 1",
            "/v1/e Bearer outer 1 outer -",
        ]
    );
}

#[test]
fn a_name_that_is_left_out_is_made_and_numbered() {
    let server = server();
    Runner::new()
        .file(
            "c.yaml",
            r#"
            defaults: {base_url: "{{ url }}"}
            requests:
              - url: /users/me
              - url: /users/me
              - {url: "{{ url }}/x?y=1"}
              - {url: /users/me, method: DELETE}
              - {url: "{{ url }}"}
              - group: Files
                requests:
                  - url: /users/me
                  - {name: Mine, url: /users/me}
            "#,
        )
        .args(["c.yaml", "--var", &format!("url={}", server.url())])
        .expect_stdout(
            "
            ✓ GET    /users/me                         200 [duration]
            ✓ GET    /users/me (2)                     200 [duration]
            ✓ GET    /x?y=1                            200 [duration]
            ✓ DELETE /users/me                         200 [duration]
            ✓ GET    {{ url }}                         200 [duration]
            ✓ GET    Files / GET /users/me             200 [duration]
            ✓ GET    Files / Mine                      200 [duration]

            7 requests: 7 passed in [duration]
            ",
        )
        .run();
}

#[test]
fn the_limit_of_the_request_the_group_and_the_command_line() {
    // Of the request before the default, and of the command line before both.
    for (arguments, request, passes) in [
        (&[][..], "{url: /slow, timeout: 40ms}", false),
        (&[][..], "{url: /slow, timeout: 10s}", true),
        (&[][..], "{url: /slow}", false),
        (&["--timeout", "10s"][..], "{url: /slow, timeout: 40ms}", true),
        (&["--timeout", "0.04"][..], "{url: /slow, timeout: 10s}", false),
    ] {
        let server = Server::start(|_| Answer::json(200, "{}").slow(Duration::from_millis(150)));
        let ran = Runner::new()
            .file("c.yaml", format!("defaults: {{base_url: \"{}\", timeout: 40ms}}\nrequests: [{request}]\n", server.url()))
            .arg("c.yaml")
            .args(arguments.iter().copied())
            .run_unchecked();
        assert_eq!(ran.exit, if passes { 0 } else { 3 }, "{request} {arguments:?}\n{}", ran.all_output());
    }
}

#[test]
fn a_timeout_is_told_with_its_limit_and_how_to_raise_it() {
    let server = Server::start(|_| Answer::json(200, "{}").slow(Duration::from_millis(200)));
    Runner::new()
        .file(
            "c.yaml",
            format!("requests:\n  - {{name: Slow, url: \"{}\", timeout: 30ms}}\n  - url: {}\n", server.url(), server.url()),
        )
        .arg("c.yaml")
        .expect_exit(3)
        .expect_stdout(
            r#"
            ! GET    Slow                              no answer [duration]
              error: no answer within [duration] (the limit is `timeout`)
               --> c.yaml:2:23
                |
              2 |   - {name: Slow, url: "http://127.0.0.1:[port]", timeout: [duration]}
                |                       ^^^^^^^^^^^^^^^^^^^^^^^^
                |
                = help: raise `timeout` of the request, or `--timeout`, if the server is that slow
            ✓ GET    /                                 200 [duration]

            2 requests: 1 passed, 1 errored in [duration]
            "#,
        )
        .run();
}

/// `text` as a brotli stream without compression (RFC 7932 §9.2).
fn brotli(text: &[u8]) -> Vec<u8> {
    let length = u16::try_from(text.len() - 1).expect("a short text");
    let [low, high] = (length >> 1).to_le_bytes();
    let head = [0x0b | (length as u8 & 1) << 7, low, 0x80 | high];
    [&head[..], text, &[3]].concat()
}

#[test]
fn coded_answers_are_decoded() {
    let text = br#"{"id": "decoded"}"#;
    let gzip = || {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    };
    let zlib = || {
        let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    };
    let zstd = || ruzstd::encoding::compress_to_vec(&text[..], ruzstd::encoding::CompressionLevel::Uncompressed);
    let server = Server::start(move |request| {
        let (coding, body) = match request.path.as_str() {
            "/gzip" => ("gzip", gzip()),
            "/deflate" => ("deflate", zlib()),
            "/br" => ("br", brotli(text)),
            "/zstd" => ("zstd", zstd()),
            _ => ("identity", text.to_vec()),
        };
        Answer::text(200, body).header("Content-Encoding", coding)
    });
    let requests: String = ["gzip", "deflate", "br", "zstd", "identity"]
        .map(|coding| format!("  - {{url: /{coding}, assert: {{json: {{$.id: decoded}}}}}}\n"))
        .concat();
    Runner::new()
        .file("c.yaml", format!("defaults: {{base_url: \"{}\"}}\nrequests:\n{requests}", server.url()))
        .arg("c.yaml")
        .run_passing();
    assert_eq!(server.requests()[0].header("accept-encoding"), Some("gzip, br, zstd, deflate"));
}

#[test]
fn codings_at_the_edge_are_taken_as_their_standard_says() {
    let gzip = |text: &[u8]| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    };
    let server = Server::start(move |request| match request.path.as_str() {
        "/head" => Answer::text(200, "").header("Content-Encoding", "gzip"),
        "/none" => Answer::status(204).header("Content-Encoding", "gzip"),
        "/empty" => Answer::text(200, "").header("Content-Encoding", "gzip"),
        "/upper" => Answer::text(200, gzip(b"decoded")).header("Content-Encoding", "X-GZIP"),
        "/twice" => Answer::text(200, gzip(&gzip(b"decoded"))).header("Content-Encoding", "gzip, gzip"),
        "/broken" => Answer::text(200, gzip(b"decoded")[..15].to_vec()).header("Content-Encoding", "gzip"),
        "/lie" => Answer::text(200, "decoded").header("Content-Encoding", "gzip"),
        _ => Answer::text(200, "decoded").header("Content-Encoding", "rot13"),
    });
    for (request, exit) in [
        ("{url: /head, method: HEAD, assert: {size: 0}}", 0),
        ("{url: /none, assert: {size: 0}}", 0),
        ("{url: /empty, assert: {size: 0}}", 0),
        ("{url: /upper, assert: {body: decoded}}", 0),
        ("{url: /twice, assert: {body: decoded}}", 0),
        ("{url: /broken, assert: {body: decoded}}", 3),
        ("{url: /lie, assert: {body: decoded}}", 3),
        // What nobody can decode stays as it came.
        ("{url: /unknown, assert: {body: decoded}}", 0),
    ] {
        let ran = Runner::new()
            .file("c.yaml", format!("defaults: {{base_url: \"{}\"}}\nrequests: [{request}]\n", server.url()))
            .arg("c.yaml")
            .run_unchecked();
        assert_eq!(ran.exit, exit, "{request}: {}", ran.all_output());
    }
}

#[test]
fn requests_to_one_host_share_a_connection() {
    let server = server();
    let requests: String = (0..20).map(|number| format!("  - url: /{number}\n")).collect();
    Runner::new()
        .file("c.yaml", format!("defaults: {{base_url: \"{}\"}}\nrequests:\n{requests}", server.url()))
        .arg("c.yaml")
        .run_passing();
    assert_eq!((server.requests().len(), server.connections()), (20, 1));
}

#[test]
fn a_redirect_that_is_not_followed_is_shown() {
    let server = Server::start(|request| match request.path.as_str() {
        "/old" => Answer::status(302).header("Location", "/new?code=abc123secret&state=x"),
        _ => Answer::status(304),
    });
    Runner::new()
        .file(
            "c.yaml",
            format!(
                r#"
                defaults: {{base_url: "{}", redirects: false}}
                requests:
                  - url: /old
                  - {{url: /old, name: Expected, assert: {{status: 302, headers: {{Location: {{contains: /new}}}}}}}}
                  - {{url: /old, name: Not expected, assert: {{status: 200}}}}
                  - url: /same
                "#,
                server.url()
            ),
        )
        .arg("c.yaml")
        .expect_exit(1)
        .expect_stdout(
            "
            ✓ GET    /old                              302 [duration]
              redirects to /new?code=***&state=x (not followed)
            ✓ GET    Expected                          302 [duration]
            ✗ GET    Not expected                      302 [duration]
              error: status is 302, expected 200
               --> c.yaml:5:54
                |
              5 |   - {url: /old, name: Not expected, assert: {status: 200}}
                |                                                      ^^^
              redirects to /new?code=***&state=x (not followed)
            ✓ GET    /same                             304 [duration]

            4 requests: 3 passed, 1 failed in [duration]
            ",
        )
        .run();
    assert_eq!(server.lines(), ["GET /old", "GET /old", "GET /old", "GET /same"]);
}

#[test]
fn an_answer_that_is_too_large_is_refused_also_when_it_only_grows_so() {
    let bomb = {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(&vec![b' '; 300_000]).unwrap();
        encoder.finish().unwrap()
    };
    assert!(bomb.len() < 1000);
    let server = Server::start(move |request| match request.path.as_str() {
        "/bomb" => Answer::text(200, bomb.clone()).header("Content-Encoding", "gzip"),
        "/large" => Answer::text(200, vec![b'x'; 200_001]),
        _ => Answer::text(200, vec![b'x'; 200_000]),
    });
    for (path, exit) in [("/fits", 0), ("/large", 3), ("/bomb", 3)] {
        let ran = Runner::new()
            .file("c.yaml", format!("requests: [{{url: \"{}{path}\"}}]\n", server.url()))
            .args(["c.yaml", "--max-body", "200kB"])
            .run_unchecked();
        assert_eq!(ran.exit, exit, "{path}: {}", ran.all_output());
        assert_eq!(ran.stdout.contains("--max-body"), exit == 3, "{path}: {}", ran.stdout);
    }
}

#[test]
fn what_decides_where_a_body_ends_is_not_left_to_a_header() {
    Runner::new()
        .file(
            "c.yaml",
            r#"
            defaults: {base_url: "http://127.0.0.1:1"}
            requests:
              - {name: Chunked, url: /, headers: {X-One: 1, Transfer-Encoding: chunked}, body: abc}
              - {name: Length, url: /, headers: {Content-Length: 5}, body: abc}
            "#,
        )
        .arg("c.yaml")
        .expect_exit(1)
        .expect_stdout(
            "
            ! POST   Chunked                           not sent
              error: the header `transfer-encoding` can't be sent: runner sets it from the body
               --> c.yaml:3:49
                |
              3 |   - {name: Chunked, url: /, headers: {X-One: 1, Transfer-Encoding: chunked}, body: abc}
                |                                                 ^^^^^^^^^^^^^^^^^
            ! POST   Length                            not sent
              error: the header `content-length` can't be sent: it is not the length of the body; leave it out
               --> c.yaml:4:38
                |
              4 |   - {name: Length, url: /, headers: {Content-Length: 5}, body: abc}
                |                                      ^^^^^^^^^^^^^^

            2 requests: 2 errored in [duration]
            ",
        )
        .run();
}
