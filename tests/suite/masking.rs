//! No output shows a secret, in any encoding, whatever the servers send back and however much is asked for; and nothing that a
//! server sends reaches a terminal as a command.

use base64::Engine as _;

use crate::support::leak::assert_no_secret;
use crate::support::runner::{Ran, Runner};
use crate::support::server::{Answer, Request, Server};

/// With everything that encodings change.
const SECRET: &str = "s3/cr+t \"&\\ö=%";
const TOKEN: &str = "tok/en+of~the=answer";

fn percent(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}

/// Everything that the request brought, in many encodings.
fn mirrored(request: &Request) -> String {
    let mut parts = vec![request.line(), request.text()];
    let base64 = base64::engine::general_purpose::STANDARD;
    let all = parts.join("\n");
    // What is encoded already is not encoded once more.
    parts.extend(request.headers.iter().map(|(name, value)| format!("{name}: {value}")));
    if request.header("content-type") != Some("application/json") {
        parts.push(base64.encode(&all));
        parts.push(percent(&all));
        parts.push(serde_json::Value::from(all.as_str()).to_string());
    }
    parts.extend(url::form_urlencoded::parse(&request.body).map(|(name, value)| format!("{name}={value}")));
    parts.extend([SECRET, TOKEN].map(|secret| format!("{secret} {} {}", percent(secret), base64.encode(format!("me:{secret}")))));
    parts.join("\n")
}

/// `/token` gives a token; `/text`, `/json` and `/head` give back what came, with the status behind a further `/`.
fn server() -> Server {
    Server::start(|request| {
        let status = request.path.rsplit('/').next().and_then(|last| last.parse().ok()).unwrap_or(200);
        match request.path.split('/').nth(1) {
            Some("token") => {
                let answer = serde_json::json!({
                    "access_token": TOKEN, "refresh_token": "refresh-of-the-answer", "id_token": "id-of-the-answer",
                    "api_key": "key-of-the-answer", "client_secret": "other-of-the-answer", "code": "code-of-the-answer",
                    "token_type": "bearer", "scope": "root_readwrite",
                });
                Answer::json(status, answer.to_string())
            }
            Some("json") => Answer::json(status, serde_json::json!({"error": mirrored(request)}).to_string()),
            Some("head") => Answer::text(status, "see the headers")
                .header("X-Echo", percent(&request.text()))
                .header("WWW-Authenticate", format!("Bearer realm=\"{}\"", request.header("authorization").unwrap_or_default())),
            _ => Answer::text(status, mirrored(request)),
        }
    })
}

fn project(server: &Server, collection: &str) -> Runner {
    let environment = format!(
        "variables:\n  api_url: {}\n  client_id: me\n  client_secret: !secret\n  code: !secret\n  pin: !secret\n",
        server.url()
    );
    Runner::new()
        .file("environments/dev.yaml", environment)
        .file("environments/dev.local.yaml", format!("variables:\n  client_secret: {}\n", serde_json::Value::from(SECRET)))
        .file("environments/.gitignore", "*.local.*\n.*.lock\n")
        .file("c.yaml", collection)
        .args(["c.yaml", "--env", "dev"])
}

#[track_caller]
fn assert_silent(what: &str, ran: &Ran) {
    for secret in [SECRET, TOKEN] {
        assert!(!ran.all_output().contains(secret), "{what}\n{}", ran.all_output());
        assert_no_secret(ran.all_output(), secret);
    }
}

/// The whole job against servers that repeat everything, at every level of detail.
#[test]
fn nothing_is_shown_whatever_the_server_repeats() {
    let collection = "
        requests:
          - name: Basic
            url: '{{ api_url }}/token'
            auth: {basic: {username: '{{ client_id }}', password: '{{ client_secret }}'}}
            form: {grant_type: client_credentials, client_secret: '{{ client_secret }}'}
            store: {access_token: $.access_token}
          - {name: Form, url: '{{ api_url }}/text/400', form: {client_secret: '{{ client_secret }}', t: '{{ access_token }}'}}
          - {name: Json, url: '{{ api_url }}/json/500', json: {a: [{b: '{{ client_secret }}'}, '{{ access_token }}']}}
          - {name: Text, url: '{{ api_url }}/text/403', body: 'a {{ client_secret }} b {{ access_token }}'}
          - {name: Url, url: '{{ api_url }}/text/{{ client_secret }}/404', query: {q: '{{ access_token }}'}}
          - {name: Head, url: '{{ api_url }}/head/401', auth: {bearer: '{{ access_token }}'}, method: POST, body: '{{ client_secret }}'}
          - {name: Good, url: '{{ api_url }}/json/200', auth: {api_key: {query: k, value: '{{ client_secret }}'}}}
          - {name: Cookie, url: '{{ api_url }}/json/200', auth: {api_key: {cookie: k, value: '{{ access_token }}'}}}
        ";
    for detail in ["", "-q", "-v", "-vv", "--dry-run"] {
        let server = server();
        let runner = project(&server, collection);
        let ran = if detail.is_empty() { runner } else { runner.arg(detail) }.run_unchecked();
        assert_silent(detail, &ran);
        if detail == "--dry-run" {
            assert_eq!(server.connections(), 0);
            assert!(ran.stdout.contains("client_secret=***"), "{}", ran.stdout);
            continue;
        }
        assert_eq!((ran.exit, server.requests().len()), (1, 8), "{detail}\n{}", ran.all_output());
        assert_eq!(server.requests()[1].form_field("client_secret").as_deref(), Some(SECRET));
        assert_eq!(server.requests()[1].form_field("t").as_deref(), Some(TOKEN));
        if detail == "-vv" {
            for shown in ["client_secret=***", "authorization: Basic ***", "\"token_type\":\"bearer\"", "root_readwrite"] {
                assert!(ran.stdout.replace("\": \"", "\":\"").contains(shown), "{shown}\n{}", ran.stdout);
            }
            for hidden in ["refresh", "id", "key", "other", "code"] {
                assert_no_secret(ran.all_output(), &format!("{hidden}-of-the-answer"));
            }
        }
    }
}

/// Messages about what did not hold quote both sides.
#[test]
fn failing_assertions_quote_no_secret() {
    let collection = "
        requests:
          - name: Get
            url: '{{ api_url }}/token'
            assert:
              json:
                $.access_token: wrong
                $.refresh_token: '{{ client_secret }}'
                $.token_type: '{{ client_secret }}'
                $.scope: {contains: '{{ client_secret }}'}
                $.id_token: {matches: '^x'}
                $.code: {type: number}
                $: {equals: {a: '{{ client_secret }}'}}
              body: {starts_with: '{{ client_secret }}'}
              that:
                - response.json.access_token == client_secret
            capture: {my_token: $.access_token}
          - name: Echo
            url: '{{ api_url }}/text'
            body: '{{ my_token }} {{ client_secret }}'
            assert:
              body: {not_contains: '{{ my_token }}'}
              json: {$.a: 1}
              headers: {Content-Type: '{{ client_secret }}'}
            capture: {gone: $.gone, not_there: {header: X-None}}
        ";
    let server = server();
    let ran = project(&server, collection).run_unchecked();
    assert_eq!(ran.exit, 1, "{}", ran.all_output());
    assert!(ran.stdout.matches("error: ").count() >= 11, "{}", ran.stdout);
    assert_silent("assertions", &ran);
    for hidden in ["refresh", "id", "code"] {
        assert_no_secret(ran.all_output(), &format!("{hidden}-of-the-answer"));
    }
}

#[test]
fn what_is_captured_as_a_secret_is_hidden_from_then_on() {
    let server = Server::start(|request| match request.path.as_str() {
        "/login" => Answer::json(
            200,
            r#"{"session":"session-of-the-answer","pass":{"password":"p4ssword-of-answer"},"nonce":"plain-nonce"}"#,
        )
        .header("X-Ticket", "ticket-of-the-answer"),
        _ => Answer::text(200, "session-of-the-answer p4ssword-of-answer ticket-of-the-answer plain-nonce"),
    });
    let collection = "
        requests:
          - name: Log in
            url: '{{ api_url }}/login'
            capture:
              session: {json: $.session, secret: true}
              password: $.pass.password
              ticket: {header: X-Ticket, secret: true}
              nonce: $.nonce
          - {name: Use, url: '{{ api_url }}/use/{{ nonce }}', assert: {body: {equals: x}}, query: {s: '{{ session }}'}}
        ";
    for detail in ["-v", "-vv"] {
        let ran = project(&server, collection).arg(detail).run_unchecked();
        assert_eq!(ran.exit, 1);
        let use_of_it = ran.raw_stdout.split(" Use").last().unwrap();
        for secret in ["session-of-the-answer", "p4ssword-of-answer", "ticket-of-the-answer"] {
            assert_no_secret(use_of_it, secret);
            assert_no_secret(&ran.raw_stdout, secret);
        }
        assert!(ran.stdout.contains("plain-nonce"), "{}", ran.stdout);
    }
}

/// Values that nobody called secret, in headers that say by their name what they hold.
#[test]
fn headers_are_masked_by_their_name() {
    let server = Server::start(|_| {
        Answer::text(200, "ok")
            .header("Set-Cookie", "sid=cookie-of-the-server; Path=/")
            .header("X-Auth-Result", "auth-of-the-server")
            .header("X-Request-Id", "id-of-the-server")
    });
    let collection = "
        requests:
          - url: '{{ api_url }}/'
            headers:
              Authorization: Custom literal-of-authorization
              Cookie: a=literal-of-cookie
              X-Api-Key: literal-of-key
              x-vault-TOKEN: literal-of-token
              X-Client-Secret: literal-of-secret
              X-Plain: literal-of-plain
        ";
    for detail in ["-v", "-vv", "--dry-run"] {
        let ran = project(&server, collection).arg(detail).run_passing();
        for hidden in ["authorization", "cookie", "key", "token", "secret"] {
            assert!(!ran.raw_stdout.contains(&format!("literal-of-{hidden}")), "{detail}\n{}", ran.stdout);
        }
        assert!(ran.stdout.contains("literal-of-plain"), "{detail}\n{}", ran.stdout);
        if detail != "--dry-run" {
            assert!(!ran.raw_stdout.contains("cookie-of-the-server"), "{}", ran.stdout);
            assert!(!ran.raw_stdout.contains("auth-of-the-server"), "{}", ran.stdout);
            assert!(ran.stdout.contains("id-of-the-server"), "{}", ran.stdout);
        }
    }
}

/// Each way in which a value can be made a secret; the server repeats it.
#[test]
fn every_kind_of_secret_is_masked() {
    const VALUE: &str = "a-value-nobody-sees";
    let secret = serde_json::Value::from(SECRET);
    for (what, local, argument, variable) in [
        ("local file", "  code: a-value-nobody-sees\n", "", ("X", "")),
        ("local file, in a list", "  code: [1, a-value-nobody-sees]\n", "", ("X", "")),
        ("local file, marked", "  code: !secret a-value-nobody-sees\n", "", ("X", "")),
        ("local file, not read", "  other: a-value-nobody-sees\n  code: another\n", "", ("X", "")),
        ("local file, below a template", "  part: a-value-nobody-sees\n  code: '{{ part }}!'\n", "", ("X", "")),
        ("--var over a secret", "", "--var=code=a-value-nobody-sees", ("X", "")),
        ("RUNNER_VAR over a secret", "", "", ("RUNNER_VAR_code", VALUE)),
        ("RUNNER_SECRET", "", "", ("RUNNER_SECRET_code", VALUE)),
        ("process variable", "  code: !env MINE\n", "", ("MINE", VALUE)),
        ("file", "  code: !file ../mine.txt\n", "", ("X", "")),
    ] {
        let server = Server::start(|_| Answer::text(400, format!("no {VALUE} here")));
        let collection = "requests: [{url: '{{ api_url }}/', headers: {X-A: '{{ code }}'}}]";
        let collection = if what.contains("list") { collection.replace("code }}", "code[1] }}") } else { collection.to_owned() };
        let mut runner = project(&server, &collection)
            .file("mine.txt", format!("{VALUE}\n"))
            .file("environments/dev.local.yaml", format!("variables:\n  client_secret: {secret}\n{local}"))
            .env_var(variable.0, variable.1)
            .arg("-vv");
        if !argument.is_empty() {
            runner = runner.arg(argument);
        }
        let ran = runner.run_unchecked();
        assert_eq!((ran.exit, ran.stderr.as_str()), (1, ""), "{what}\n{}", ran.all_output());
        let sent = server.requests()[0].header("x-a").unwrap().to_owned();
        assert!(sent.contains(VALUE) || what.contains("not read"), "{what}: {sent}");
        assert!(ran.stdout.contains("no *** here"), "{what}\n{}", ran.stdout);
        assert_no_secret(ran.all_output(), VALUE);
    }
}

/// A tag makes a secret of a number too: its digits are what must not be seen.
#[test]
fn a_number_that_is_tagged_is_masked() {
    let server = Server::start(|_| Answer::text(400, "no 94711632 here"));
    let collection = "requests: [{url: '{{ api_url }}/', body: '{{ pin }}'}]";
    for (local, variable) in [("  pin: 94711632\n", ""), ("  pin: !secret 94711632\n", ""), ("", "94711632")] {
        let mut runner = project(&server, collection).arg("-vv");
        runner = runner.file("environments/dev.local.yaml", format!("variables:\n  client_secret: abcdef\n{local}"));
        if !variable.is_empty() {
            runner = runner.env_var("RUNNER_VAR_pin", variable);
        }
        let ran = runner.run_unchecked();
        assert!(ran.stdout.contains("no *** here"), "{local}\n{}", ran.stdout);
        assert!(!ran.all_output().contains("94711632"), "{local}\n{}", ran.stdout);
    }
}

#[test]
fn a_key_of_several_lines_is_masked_line_by_line() {
    let key =
        "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEF\nAASCBKcwggSjAgEAAoIBAQC7VJTU\n-----END PRIVATE KEY-----\n";
    let server = Server::start(|_| Answer::text(400, "bad line MIIEvQIBADANBgkqhkiG9w0BAQEF in your key"));
    let environment = format!("variables: {{api_url: '{}', key: !file ../key.pem}}\n", server.url());
    let ran = Runner::new()
        .file("key.pem", key)
        .file("environments/dev.yaml", environment)
        .file("c.yaml", "requests: [{url: '{{ api_url }}/', body: '{{ key }}'}]")
        .args(["c.yaml", "--env", "dev", "-vv"])
        .run_unchecked();
    assert_eq!(ran.exit, 1, "{}", ran.all_output());
    assert_eq!(server.requests()[0].text(), key.trim_end());
    assert_no_secret(ran.all_output(), key);
    assert!(ran.stdout.contains("bad line *** in your key"), "{}", ran.stdout);
}

#[test]
fn a_url_with_a_password_is_masked() {
    let server = server();
    let url = server.url().replace("http://", "http://me:pass-in-the-url@");
    let ran = project(&server, "requests: [{url: '{{ api_url }}/text/400', query: {a: b}}]")
        .file("environments/dev.local.yaml", format!("variables: {{api_url: '{url}'}}\n"))
        .arg("-vv")
        .run_unchecked();
    assert_eq!((ran.exit, server.requests().len()), (1, 1), "{}", ran.all_output());
    assert_no_secret(ran.all_output(), "pass-in-the-url");
}

#[test]
fn errors_of_transport_show_no_secret() {
    let server = server();
    let collection = "requests: [{url: '{{ api_url }}/{{ client_secret }}?q={{ client_secret }}', timeout: 5s}]";
    // Nobody listens on a port that was just given back.
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let ran = project(&server, collection).arg(format!("--var=api_url=http://{closed}")).arg("-vv").run_unchecked();
    assert_eq!(ran.exit, 3, "{}", ran.all_output());
    assert_silent("refused connection", &ran);
}

#[test]
fn a_secret_on_the_command_line_is_refused_and_not_repeated() {
    let ran = project(&server(), "requests: []").arg(format!("--secret=pin={SECRET}")).run_unchecked();
    assert_eq!(ran.exit, 2);
    assert_silent("--secret NAME=VALUE", &ran);
    assert!(ran.stderr.contains("a secret never stands on a command line"), "{}", ran.stderr);
}

#[test]
fn a_secret_too_short_to_be_masked_is_told() {
    let collection = "requests: [{url: '{{ api_url }}/token', body: '{{ pin }}'}]";
    let ran = project(&server(), collection).env_var("RUNNER_SECRET_pin", "123").run_unchecked();
    assert_eq!(ran.exit, 0, "{}", ran.all_output());
    assert_eq!(ran.stderr.trim_end(), "warning: the secret `pin` is shorter than 4 characters and can't be masked in the output");
}

#[test]
fn a_tagged_value_in_a_shared_file_is_not_shown() {
    let server = server();
    for line in [
        "client_secret: !secret s3cr3t-text",
        "client_secret: !secrt s3cr3t-text",
        "client_secret: !secret [s3cr3t-text",
        "client_secret: !plain [s3cr3t-text",
        "client_secret: !env {a: s3cr3t-text}",
    ] {
        let ran = project(&server, "requests: [{url: '{{ api_url }}/'}]")
            .file("environments/dev.yaml", format!("variables:\n  api_url: {}\n  {line}\n", server.url()))
            .run_unchecked();
        assert_eq!(ran.exit, 2, "{line}\n{}", ran.all_output());
        assert!(!ran.all_output().contains("s3cr3t"), "{line}\n{}", ran.all_output());
    }
}

/// A local file that is named as if it were a shared one holds secrets all the same.
#[test]
fn a_local_file_is_no_environment() {
    let server = server();
    for local in ["variables: {a: s3cr3t-text}\nstored: {b: s3cr3t-text}\n", "variables:\n  a: s3cr3t-text\n b: s3cr3t-text\n"] {
        for (environment, argument) in [("", "environments/dev.local.yaml"), ("extends: dev.local.yaml\n", "dev")] {
            let ran = project(&server, "requests: [{url: '{{ api_url }}/'}]")
                .file("environments/dev.yaml", format!("{environment}variables: {{api_url: '{}'}}\n", server.url()))
                .file("environments/other.yaml", "extends: dev.local.yaml\n")
                .file("environments/dev.local.yaml", local)
                .arg("--env")
                .arg(if environment.is_empty() { argument } else { "other" })
                .run_unchecked();
            assert_eq!(ran.exit, 2, "{}", ran.all_output());
            assert!(!ran.all_output().contains("s3cr3t"), "{}", ran.all_output());
        }
    }
}

/// Colours, cursor movements, titles, hidden and turned text: what a server sends is shown, not obeyed.
#[test]
fn control_characters_of_a_server_are_made_visible() {
    let evil = "\u{1b}[31mred\u{1b}]0;title\u{7}\u{9b}2J \u{202e}turned\u{2066} a\rb\u{8}c\u{0}d\u{85}e\u{200b}f";
    let server = Server::start(move |request| match request.path.as_str() {
        "/json" => Answer::json(200, serde_json::json!({"access_token": "t0ken-abc", "a": evil, (evil): 1}).to_string()),
        "/raw" => Answer::raw(
            "HTTP/1.1 400 \u{1b}[31mBad\r\nX-Evil: a\u{1b}[31mb\u{9b}c\r\nContent-Type: text/\u{1b}[2Jplain\r\nContent-Length: 2\r\n\r\nok",
        ),
        _ => Answer::text(400, evil),
    });
    let collection = "
        requests:
          - {url: '{{ api_url }}/text'}
          - {url: '{{ api_url }}/raw', assert: {status: 200, headers: {X-Evil: x}}}
          - url: '{{ api_url }}/json'
            assert: {json: {$.a: b, '$.*': c}, body: {contains: zzz}}
            capture: {a: $.a}
          - {url: '{{ api_url }}/json', body: '{{ a }}', assert: {that: ['response.json.a == 1']}}
        ";
    for (detail, colour) in [("-q", "never"), ("-v", "never"), ("-vv", "never"), ("-vv", "auto")] {
        let ran = project(&server, collection).args([detail, "--color", colour]).run_unchecked();
        let shown = ran.all_output();
        let found: Vec<char> = shown
            .chars()
            .filter(|c| (c.is_control() && *c != '\n') || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'))
            .collect();
        assert!(found.is_empty(), "{detail}: {found:?}\n{shown:?}");
        assert!(shown.contains("turned"), "{shown}");
    }
}

/// A line of a CI log that starts with `::` is a command there.
#[test]
fn a_server_gives_no_commands_to_a_ci_system() {
    let server =
        Server::start(|_| Answer::text(400, "::error file=x::gotcha\n  ::set-env name=A::b\n##[command]x\n##vso[task.x]y"));
    for detail in ["-q", "-v", "-vv"] {
        let ran = project(&server, "requests: [{url: '{{ api_url }}/text'}]").env_var("CI", "true").arg(detail).run_unchecked();
        let commands: Vec<&str> = ran.stdout.lines().filter(|line| line.trim_start().starts_with("::")).collect();
        assert_eq!(commands, [""; 0], "{}", ran.stdout);
        assert!(ran.stdout.contains("gotcha"), "{}", ran.stdout);
    }
}

/// A name that is a secret in one layer is one in all.
#[test]
fn a_secret_name_is_secret_in_every_layer() {
    const VALUE: &str = "a-value-nobody-sees";
    let answer = || Server::start(|_| Answer::json(200, format!("{{\"v\": \"{VALUE}\"}}")));
    let use_it = "{url: '{{ api_url }}/', query: {q: '{{ session }}'}}";
    for (what, environment, local, collection, argument) in [
        (
            "captured under a name of the environment",
            "session: !secret",
            "",
            format!("requests: [{{url: '{{{{ api_url }}}}/', capture: {{session: $.v}}}}, {use_it}]"),
            "",
        ),
        (
            "a variable of the collection under a name of the environment",
            "session: !secret",
            "",
            format!("variables: {{session: {VALUE}}}\nrequests: [{use_it}]"),
            "",
        ),
        ("--var over a stored secret", "x: 1", "stored: {session: !secret old-session}", format!("requests: [{use_it}]"), VALUE),
        (
            "captured over a stored secret",
            "x: 1",
            "stored: {session: !secret old-session}",
            format!("requests: [{{url: '{{{{ api_url }}}}/', capture: {{session: $.v}}}}, {use_it}]"),
            "",
        ),
    ] {
        let (server, foreign) = (answer(), answer());
        let environment = format!("variables:\n  api_url: {}\n  {environment}\n", server.url());
        let project = |collection: &str| {
            let runner = Runner::new()
                .file("environments/dev.yaml", &environment)
                .file("environments/dev.local.yaml", local)
                .file("c.yaml", collection)
                .args(["c.yaml", "--env", "dev", "-v"]);
            if argument.is_empty() { runner } else { runner.arg(format!("--var=session={argument}")) }
        };
        let ran = project(&collection).run_passing();
        assert_eq!(server.lines().pop().unwrap(), format!("GET /?q={VALUE}"), "{what}");
        assert_no_secret(ran.all_output(), VALUE);
        assert!(ran.stdout.contains("/?q=***"), "{what}\n{}", ran.stdout);
        // It goes nowhere else either.
        let elsewhere = collection.replace(use_it, &use_it.replace("{{ api_url }}", &foreign.url()));
        let ran = project(&elsewhere).run_unchecked();
        assert_eq!((ran.exit, foreign.connections()), (6, 0), "{what}\n{}", ran.all_output());
        assert!(ran.stdout.contains("the secret `session` may not go to"), "{what}\n{}", ran.stdout);
    }
}
