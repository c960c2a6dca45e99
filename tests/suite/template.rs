//! Expressions as they reach the wire: functions, filters, types, conditions, and their place in a URL.

use serde_json::Value;

use crate::support::runner::Runner;
use crate::support::server::{Answer, Server};

/// A server that takes everything.
fn server() -> Server {
    Server::start(|_| Answer::json(200, "{}"))
}

/// What a `json` body of these lines becomes, with the given `variables:`.
#[track_caller]
fn rendered(variables: &str, body: &[(&str, &str)]) -> Value {
    let server = server();
    let lines: String = body.iter().map(|(key, value)| format!("      {key}: {value}\n")).collect();
    Runner::new()
        .file("c.yaml", format!("variables: {variables}\nrequests:\n  - url: {}\n    json:\n{lines}", server.url()))
        .arg("c.yaml")
        .run_passing();
    serde_json::from_str(&server.requests()[0].text()).expect("JSON")
}

/// Each expression gives its value: (YAML value, JSON).
#[track_caller]
fn expressions(variables: &str, table: &[(&str, &str)]) {
    let keys: Vec<String> = (0..table.len()).map(|number| format!("k{number}")).collect();
    let body: Vec<(&str, &str)> = keys.iter().zip(table).map(|(key, (text, _))| (key.as_str(), *text)).collect();
    let came = rendered(variables, &body);
    for (key, (text, expected)) in keys.iter().zip(table) {
        assert_eq!(came[key].to_string(), *expected, "{text}");
    }
}

#[test]
fn a_single_expression_keeps_its_type_and_mixed_text_is_text() {
    expressions(
        "{n: 5, half: 1.5, on: true, l: [1, two], m: {a: {b: x}}, t: '5', empty: '', spelt: 1.10, zero: 007}",
        &[
            ("\"{{ n }}\"", "5"),
            ("\"{{ half }}\"", "1.5"),
            ("\"{{ on }}\"", "true"),
            ("\"{{ l }}\"", r#"[1,"two"]"#),
            ("\"{{ m }}\"", r#"{"a":{"b":"x"}}"#),
            ("\"{{ m.a.b }}\"", r#""x""#),
            ("\"{{ l[1] }}\"", r#""two""#),
            ("\"{{ t }}\"", r#""5""#),
            ("\"{{ empty }}\"", r#""""#),
            // A number that is not written as JSON writes it is the text as spelt.
            ("\"{{ spelt }}\"", r#""1.10""#),
            ("\"{{ zero }}\"", r#""007""#),
            ("\"{{ n }} \"", r#""5 ""#),
            ("\"{{ n }}{{ n }}\"", r#""55""#),
            ("\"{{ n + 1 }}\"", "6"),
            ("\"{{ n > 3 }}\"", "true"),
            ("\"{{ n ~ t }}\"", r#""55""#),
            ("\"{% if on %}yes{% else %}no{% endif %}\"", r#""yes""#),
            ("\"{% for i in l %}<{{ i }}>{% endfor %}\"", r#""<1><two>""#),
            ("\"{# a comment #}x\"", r#""x""#),
            ("\"{% raw %}{{ n }}{% endraw %}\"", r#""{{ n }}""#),
            ("\"<&'>\"", r#""<&'>""#),
            ("\"{{ '<&>' }}!\"", r#""<&>!""#),
        ],
    );
}

#[test]
fn filters_give_what_their_standards_say() {
    expressions(
        "{t: 'a b/c?ü', jwt: 'eyJhbGciOiJub25lIn0.eyJzdWIiOiJtZSIsImV4cCI6MTIzfQ.', l: [c, a, b], time: 1764000000, m: {x: 1}}",
        &[
            ("\"{{ t | base64 }}\"", r#""YSBiL2M/w7w=""#),
            ("\"{{ t | base64url }}\"", r#""YSBiL2M_w7w""#),
            ("\"{{ t | base64 | base64_decode }}\"", r#""a b/c?ü""#),
            ("\"{{ t | base64url | base64_decode }}\"", r#""a b/c?ü""#),
            ("\"{{ 'abc' | hex }}\"", r#""616263""#),
            ("\"{{ 'abc' | sha256 }}\"", r#""ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad""#),
            // RFC 4231, test case 2.
            (
                "\"{{ 'what do ya want for nothing?' | hmac_sha256(key='Jefe') }}\"",
                r#""5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843""#,
            ),
            ("\"{{ t | url_encode }}\"", r#""a%20b%2Fc%3F%C3%BC""#),
            ("\"{{ m | json }}\"", r#""{\"x\":1}""#),
            ("\"{{ '[1, 2]' | from_json | first }}\"", "1"),
            ("\"{{ jwt | jwt_claims }}\"", r#"{"sub":"me","exp":123}"#),
            ("\"{{ jwt | jwt_claims | get(key='exp') }}\"", "123"),
            ("\"{{ time | date }}\"", r#""2025-11-24T16:00:00Z""#),
            ("\"{{ time | date(format='%d.%m.%Y') }}\"", r#""24.11.2025""#),
            ("\"{{ '2025-11-24T16:00:00Z' | to_timestamp }}\"", "1764000000"),
            ("\"{{ 'Mon, 24 Nov 2025 16:00:00 GMT' | to_timestamp + 60 }}\"", "1764000060"),
            ("\"{{ '3600' | int + 1 }}\"", "3601"),
            ("\"{{ '1.5' | float }}\"", "1.5"),
            ("\"{{ 5 | str }}\"", r#""5""#),
            ("\"{{ l | join(sep=', ') }}\"", r#""c, a, b""#),
            ("\"{{ l | length }}\"", "3"),
            ("\"{{ l | sort | first }}\"", r#""a""#),
            ("\"{{ 'aXbX' | replace(from='X', to='-') }}\"", r#""a-b-""#),
            ("\"{{ 'MiXed' | upper }}{{ 'MiXed' | lower }}\"", r#""MIXEDmixed""#),
            ("\"{{ '  x ' | trim }}\"", r#""x""#),
        ],
    );
}

#[test]
fn functions_give_fresh_values() {
    let came = rendered(
        "{fixed: '{{ uuid() }}'}",
        &[
            ("a", "\"{{ uuid() }}\""),
            ("b", "\"{{ uuid() }}\""),
            ("one", "\"{{ fixed }}\""),
            ("two", "\"{{ fixed }}\""),
            ("now", "\"{{ now() }}\""),
            ("dice", "\"{{ random_int(min=1, max=6) }}\""),
            ("same", "\"{{ random_int(min=7, max=7) }}\""),
            ("word", "\"{{ random_string(length=24) }}\""),
        ],
    );
    assert_ne!(came["a"], came["b"]);
    assert_eq!(came["one"], came["two"], "a variable is evaluated once");
    assert_eq!((came["a"].as_str().map(str::len), came["word"].as_str().map(str::len)), (Some(36), Some(24)));
    assert!(came["now"].as_i64().is_some_and(|now| now > 1_764_000_000));
    assert!(came["dice"].as_i64().is_some_and(|dice| (1..=6).contains(&dice)));
    assert_eq!(came["same"], 7);
}

#[test]
fn in_a_url_an_expression_can_only_fill_the_part_where_it_stands() {
    let server = server();
    let host = server.url().replace("http://", "");
    let port = host.rsplit(':').next().unwrap().to_owned();
    for (variable, url, line) in [
        ("a b", "{{ url }}/{{ v }}", "GET /a%20b"),
        ("../../x", "{{ url }}/files/{{ v }}", "GET /files/..%2F..%2Fx"),
        ("a?b=c&d#e", "{{ url }}/{{ v }}/z", "GET /a%3Fb%3Dc%26d%23e/z"),
        ("1&admin=1", "{{ url }}/?id={{ v }}", "GET /?id=1%26admin%3D1"),
        ("ü~-._", "{{ url }}/{{ v }}", "GET /%C3%BC~-._"),
        ("a/b c", "{{ url }}/{{ v | replace(from=' ', to='+') | safe }}", "GET /a/b+c"),
        ("x=1&y=2", "{{ url }}/?{{ v | safe }}", "GET /?x=1&y=2"),
        (&host, "http://{{ v }}/h", "GET /h"),
        (&port, "http://127.0.0.1:{{ v }}/p", "GET /p"),
        ("a@b:c", "{{ url }}/{{ v }}", "GET /a%40b%3Ac"),
    ] {
        Runner::new()
            .file("c.yaml", format!("requests: [{{url: \"{url}\"}}]\n"))
            .args(["c.yaml", "--var", &format!("v={variable}"), "--var", &format!("url={}", server.url())])
            .run_unchecked();
        assert_eq!(server.lines().last().map(String::as_str), Some(line), "{url} with {variable}");
    }
}

#[test]
fn what_would_lead_a_url_elsewhere_is_refused() {
    let server = server();
    for (variable, url, message) in [
        (
            "127.0.0.1:80@evil.test",
            "http://{{ v }}/",
            "`v` must be a host or host:port, since it stands in the authority of a URL",
        ),
        (
            "evil.test/",
            "http://{{ v }}.example.com/",
            "`v` must be a host or host:port, since it stands in the authority of a URL",
        ),
        ("..", "{{ url }}/{{ v }}/x", "`v` is `.` or `..`, which would lead to another path"),
        ("a\nb", "{{ url }}/{{ v | safe }}", "holds a space or control character, which can't stand in a URL as it is"),
    ] {
        let ran = Runner::new()
            .file("c.yaml", format!("requests: [{{url: \"{url}\"}}]\n"))
            .args(["c.yaml", "--var", &format!("v={variable}"), "--var", &format!("url={}", server.url())])
            .run_unchecked();
        assert_eq!(ran.exit, 1, "{}", ran.all_output());
        assert!(ran.stdout.contains(message), "{message}\n{}", ran.stdout);
    }
    assert_eq!(server.lines(), [""; 0]);
}

#[test]
fn control_characters_in_a_header_are_refused_and_name_the_variable() {
    let server = server();
    Runner::new()
        .file(
            "c.yaml",
            r#"
            requests:
              - {name: Split, url: "{{ url }}", headers: {X-Name: "a {{ v }}"}}
              - {name: Token, url: "{{ url }}", auth: {bearer: "{{ v }}"}}
              - {name: Cookie, url: "{{ url }}", auth: {api_key: {cookie: sid, value: "{{ v }}"}}}
            "#,
        )
        .args(["c.yaml", "--var", "v=b\r\nX-Evil: 1", "--var", &format!("url={}", server.url())])
        .expect_exit(1)
        .expect_stdout(
            r#"
            ! GET    Split                             not sent
              error: the header `X-Name` can't hold a line break or another control character
               --> c.yaml:2:55
                |
              2 |   - {name: Split, url: "{{ url }}", headers: {X-Name: "a {{ v }}"}}
                |                                                       ^^^^^^^^^^^ it comes from `v`
            ! GET    Token                             not sent
              error: the header `Authorization` can't hold a line break or another control character
               --> c.yaml:3:52
                |
              3 |   - {name: Token, url: "{{ url }}", auth: {bearer: "{{ v }}"}}
                |                                                    ^^^^^^^^^ it comes from `v`
            ! GET    Cookie                            not sent
              error: the header `Cookie` can't hold a line break or another control character
               --> c.yaml:4:75
                |
              4 |   - {name: Cookie, url: "{{ url }}", auth: {api_key: {cookie: sid, value: "{{ v }}"}}}
                |                                                                           ^^^^^^^^^ it comes from `v`

            3 requests: 3 errored in [duration]
            "#,
        )
        .expect_stderr(
            "
            warning: `url` was given, and no request that was sent reads it
            warning: `v` was given, and no request that was sent reads it
            ",
        )
        .run();
    assert_eq!(server.lines(), [""; 0]);
}

#[test]
fn what_a_server_sends_is_never_a_template() {
    let server = Server::start(|request| match request.path.as_str() {
        "/evil" => {
            Answer::json(200, r#"{"name": "{{ 6 * 7 }}", "list": ["{{ secret }}", "{% raw %}"]}"#).header("X-Name", "{{ now() }}")
        }
        _ => Answer::json(200, "{}"),
    });
    Runner::new()
        .file(
            "c.yaml",
            format!(
                r#"
                variables: {{via: "<{{{{ name }}}}>"}}
                defaults: {{base_url: "{}"}}
                requests:
                  - url: /evil
                    capture: {{name: $.name, list: $.list, header: {{header: X-Name}}, again: "{{{{ response.json.name }}}}"}}
                  - url: /use
                    json: {{name: "{{{{ name }}}}", text: "x {{{{ name }}}}", list: "{{{{ list }}}}", via: "{{{{ via }}}}"}}
                    headers: {{X-Name: "{{{{ header }}}} {{{{ again }}}}"}}
                "#,
                server.url()
            ),
        )
        .arg("c.yaml")
        .run_passing();
    let asked = server.requests();
    assert_eq!(
        asked[1].text(),
        r#"{"name":"{{ 6 * 7 }}","text":"x {{ 6 * 7 }}","list":["{{ secret }}","{% raw %}"],"via":"<{{ 6 * 7 }}>"}"#
    );
    assert_eq!(asked[1].header("x-name"), Some("{{ now() }} {{ 6 * 7 }}"));
}

#[test]
fn a_value_of_the_command_line_is_read_like_a_scalar_and_is_no_template() {
    let server = server();
    let ran = Runner::new()
        .file(
            "c.yaml",
            "requests: [{url: \"{{ url }}\", json: [\"{{ n }}\", \"{{ t }}\", \"{{ b }}\", \"{{ e }}\", \"{{ z }}\"]}]\n",
        )
        .args(["c.yaml", "--var", "n=50", "--var", "t=a=b", "--var", "b=true", "--var", "z=007"])
        .args(["--var", &format!("url={}", server.url())])
        .env_var("RUNNER_VAR_n", "1")
        .env_var("RUNNER_VAR_e", "{{ 1 + 1 }}")
        .run_passing();
    drop(ran);
    assert_eq!(server.requests()[0].text(), r#"[50,"a=b",true,"{{ 1 + 1 }}","007"]"#);
}

#[test]
fn a_collection_variable_follows_the_captures_that_it_reads() {
    let server = Server::start(|request| Answer::json(200, format!(r#"{{"id": "{}"}}"#, request.path.trim_start_matches('/'))));
    Runner::new()
        .file(
            "c.yaml",
            format!(
                r#"
                variables: {{path: "{{{{ id }}}}-next", id: start}}
                defaults: {{base_url: "{}"}}
                requests:
                  - {{url: "/{{{{ path }}}}", capture: {{id: $.id}}}}
                  - {{url: "/{{{{ path }}}}", capture: {{id: $.id}}}}
                  - {{url: "/{{{{ path }}}}/{{{{ iteration }}}}"}}
                "#,
                server.url()
            ),
        )
        .arg("c.yaml")
        .run_passing();
    assert_eq!(server.lines(), ["GET /start-next", "GET /start-next-next", "GET /start-next-next-next/1"]);
}

#[test]
fn conditions_are_bare_expressions() {
    let server = server();
    let conditions = [
        ("true", true),
        ("\"{{ n == 5 }}\"", true),
        ("n == 5 and not off", true),
        ("n > 5 or t == 'x'", true),
        ("l | length > 1", true),
        ("'a' in l", true),
        ("'z' in l", false),
        ("off", false),
        ("later is defined", false),
        ("later is undefined", true),
        ("later is defined and later == 1", false),
        ("t is starting_with(pat='x')", true),
        ("m.a == 1", true),
        ("m.b is defined", false),
        ("(later | default(value=3)) == 3", true),
    ];
    let requests: String = conditions
        .iter()
        .enumerate()
        .map(|(number, (condition, _))| format!("  - {{url: /{number}, when: {}}}\n", quoted(condition)))
        .collect();
    let head = format!(
        "variables: {{n: 5, off: false, t: x, l: [a, b], empty: '', m: {{a: 1}}}}\ndefaults: {{base_url: \"{}\"}}\nrequests:\n",
        server.url()
    );
    let last = "  - {url: /last, capture: {later: {status: true}}}\n";
    Runner::new().file("c.yaml", head + &requests + last).arg("c.yaml").run_passing();
    let expected: Vec<String> = conditions
        .iter()
        .enumerate()
        .filter(|(_, (_, holds))| *holds)
        .map(|(number, _)| format!("GET /{number}"))
        .chain(["GET /last".to_owned()])
        .collect();
    assert_eq!(server.lines(), expected);
}

/// A YAML scalar in quotes, unless it has them.
fn quoted(text: &str) -> String {
    if text.starts_with('"') { text.to_owned() } else { format!("\"{text}\"") }
}

#[test]
fn an_expression_that_fails_is_told_at_its_place_and_the_run_goes_on() {
    let server = Server::start(|_| Answer::json(200, r#"{"expires_in": "soon", "n": null}"#));
    Runner::new()
        .file(
            "c.yaml",
            r#"
            defaults: {base_url: "{{ url }}"}
            requests:
              - {url: /first, capture: {life: $.expires_in, n: $.n}}
              - {name: Sum, url: /second, query: {at: "{{ now() + life }}"}}
              - {name: Number, url: /third, json: {at: "{{ life | int }}"}}
              - {name: Member, url: "/{{ life.member }}"}
              - {name: List, url: "/x/{{ life | first }}"}
              - {name: When, when: life > 5, url: /fourth}
              - {name: Not a condition, when: life, url: /fifth}
              - {name: Last, url: /last}
            "#,
        )
        .args(["c.yaml", "--var", &format!("url={}", server.url())])
        .expect_exit(1)
        .expect_stdout(
            r#"
            ✓ GET    /first                            200 [duration]
            ! GET    Sum                               not sent
              error: `+` adds numbers, not a number and text; text is joined by `~`
               --> c.yaml:4:47
                |
              4 |   - {name: Sum, url: /second, query: {at: "{{ now() + life }}"}}
                |                                               ^^^^^^^^^^^^
            ! POST   Number                            not sent
              error: the value can't be read as a whole number
               --> c.yaml:5:55
                |
              5 |   - {name: Number, url: /third, json: {at: "{{ life | int }}"}}
                |                                                       ^^^
            ! GET    Member                            not sent
              error: `life.member` has no value
               --> c.yaml:6:30
                |
              6 |   - {name: Member, url: "/{{ life.member }}"}
                |                              ^^^^^^^^^^^
            ! GET    List                              not sent
              error: the value is text, which does not fit here
               --> c.yaml:7:30
                |
              7 |   - {name: List, url: "/x/{{ life | first }}"}
                |                              ^^^^
            ! GET    When                              not sent
              error: text can't be compared with a number
               --> c.yaml:8:24
                |
              8 |   - {name: When, when: life > 5, url: /fourth}
                |                        ^^^^^^^^
            ! GET    Not a condition                   not sent
              error: a condition must be true or false, this one is text
               --> c.yaml:9:35
                |
              9 |   - {name: Not a condition, when: life, url: /fifth}
                |                                   ^^^^
                |
                = help: compare it, as in `count > 0` or `name != ""`
            ✓ GET    Last                              200 [duration]

            8 requests: 2 passed, 6 errored in [duration]
            "#,
        )
        .run();
    assert_eq!(server.lines(), ["GET /first", "GET /last"]);
}
