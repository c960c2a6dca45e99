//! What the console writes, event by event: read the expected texts as its specification.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use insta::assert_snapshot;
use url::Url;

use super::*;
use crate::auth::Choice;
use crate::collection::{self, Assertions, Field, Request, StatusAssertion, StatusPattern};
use crate::diagnostic::{Diagnostic, Hidden, Place, SourceFile, Span};
use crate::event::{Event, Outcome, Preview, Problem, ProblemKind, Reporter, Skipped, Step, Summary};
use crate::http::{self, Exchange, Method, Response, SentHead, Timings, Version};
use crate::mask::Masker;
use crate::secret::Secret;
use crate::template::{Builder, Syntax};

const NORMAL: Settings = Settings { style: Style::plain(), width: Some(80), verbosity: Verbosity::Normal, ci: false };
const HEADS: Settings = Settings { verbosity: Verbosity::Heads, ..NORMAL };
const BODIES: Settings = Settings { verbosity: Verbosity::Bodies, ..NORMAL };
const QUIET: Settings = Settings { verbosity: Verbosity::Quiet, ..NORMAL };
const PIPED: Settings = Settings { width: None, ..NORMAL };

const SOURCE: &str = "requests:\n  - name: Exchange the code\n    assert:\n      status: 200\n";

fn place(text: &str) -> Place {
    let file = Arc::new(SourceFile::new("collections/oauth2.yaml", SOURCE, Hidden::Nothing));
    let start = SOURCE.find(text).unwrap();
    Place::new(&file, Span::new(start, start + text.len()))
}

fn request(method: &str, name: &str) -> Request {
    Request {
        name: name.to_owned(),
        place: place("name"),
        groups: Arc::new([]),
        tags: Vec::new(),
        description: None,
        when: None,
        method: method.to_owned(),
        base_url: None,
        url: Builder::default().add_text("url", "/x", Syntax::Url),
        query: Vec::new(),
        headers: Vec::new(),
        auth: Choice::None,
        body: None,
        assertions: Assertions::default(),
        captures: Vec::new(),
        stores: Vec::new(),
        timeout: None,
        redirects: None,
        always: false,
    }
}

fn token_request(grant_type: &str) -> Request {
    let values = vec![Builder::default().add_text("form", grant_type, Syntax::Text)];
    let field = Field { name: "grant_type".to_owned(), place: place("name"), values };
    Request { body: Some(collection::Body::Form(vec![field])), ..request("POST", "Exchange the code") }
}

fn exchange(status: u16, headers: &[(&str, &str)], body: &str) -> Exchange {
    let owned =
        |list: &[(&str, &str)]| list.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect::<Vec<_>>();
    Exchange {
        hops: Vec::new(),
        request: SentHead {
            method: Method::POST,
            url: Url::parse("https://api.box.com/oauth2/token?x=1").unwrap(),
            headers: owned(&[("Accept", "application/json"), ("Authorization", "Basic aWQ6c2VjcmV0"), ("X-Api-Key", "abc def")]),
            body_size: 0,
        },
        response: Response {
            status,
            version: Version::Http11,
            headers: owned(headers),
            body: Bytes::from(body.to_owned()),
            wire_size: body.len() as u64,
        },
        timings: Timings::default(),
        remote: None,
        reused: false,
    }
}

fn step<'s>(request: &'s Request, outcome: Outcome, exchange: Option<&'s Exchange>) -> Step<'s> {
    Step {
        request,
        outcome,
        exchange,
        sent: None,
        preview: None,
        captured: Vec::new(),
        stored: Vec::new(),
        stored_in: None,
        duration: Duration::from_micros(4200),
    }
}

fn skipped(reason: Skipped) -> Outcome {
    Outcome::Skipped(reason)
}

fn problem(kind: ProblemKind, diagnostic: Diagnostic) -> Problem {
    Problem { kind, diagnostic }
}

fn wrong_status(status: u16) -> Outcome {
    let finding = place("200").error(format!("the status is {status}")).label("expected `200`");
    Outcome::Failed(vec![problem(ProblemKind::Status, finding)])
}

fn told(settings: Settings, masker: &Masker, events: &[Event<'_>]) -> String {
    let mut console = Console::new(Vec::new(), masker.clone(), settings);
    for event in events {
        console.event(event).unwrap();
    }
    String::from_utf8(console.into_inner()).unwrap()
}

fn steps(settings: Settings, steps: &[Step<'_>]) -> String {
    let events: Vec<_> = steps.iter().map(Event::StepFinished).collect();
    told(settings, &Masker::new(), &events)
}

/// The server's words and the hint below a request that failed with this answer.
fn words(request: &Request, exchange: &Exchange) -> String {
    let shown = steps(PIPED, &[step(request, wrong_status(exchange.response.status), Some(exchange))]);
    shown.split_inclusive('\n').skip(6).collect()
}

#[test]
fn a_first_run() {
    let ok = exchange(200, &[], "{}");
    let requests = [request("POST", "Exchange the code"), request("POST", "Refresh the tokens"), request("GET", "Who am I")];
    let mut exchanged = step(&requests[0], Outcome::Passed, Some(&ok));
    exchanged.stored = vec!["access_token", "refresh_token", "expires_at"];
    exchanged.stored_in = Some("environments/dev.local.yaml");
    let mut who = step(&requests[2], Outcome::Passed, Some(&ok));
    who.captured = vec!["user_id"];
    who.duration = Duration::from_millis(1234);
    let run = [exchanged, step(&requests[1], skipped(Skipped::Condition), None), who];
    let summary = Summary { passed: 2, skipped: 1, duration: Duration::from_millis(12), ..Summary::default() };
    let mut events = vec![
        Event::RunStarted { environment: Some("dev"), sandbox: Some("http://127.0.0.1:4000"), collections: 1 },
        Event::CollectionStarted { name: "Box OAuth 2.0", needed: false },
    ];
    events.extend(run.iter().map(Event::StepFinished));
    events.push(Event::RunFinished(&summary));
    assert_snapshot!(told(NORMAL, &Masker::new(), &events), @r"
    ✓ POST   Exchange the code                 200    4 ms
      stored access_token, refresh_token, expires_at in environments/dev.local.yaml
    - POST   Refresh the tokens                skipped: its `when` does not hold
    ✓ GET    Who am I                          200   1.2 s

    3 requests: 2 passed, 1 skipped in 12 ms
    ");
    assert_eq!(told(PIPED, &Masker::new(), &events), told(NORMAL, &Masker::new(), &events));
    assert_eq!(told(QUIET, &Masker::new(), &events), "");
}

#[test]
fn collections_get_headings_when_there_are_several() {
    let ok = exchange(200, &[], "{}");
    let request = request("GET", "Who am I");
    let passed = step(&request, Outcome::Passed, Some(&ok));
    let failed = step(&request, wrong_status(500), Some(&ok));
    let events = [
        Event::RunStarted { environment: None, sandbox: None, collections: 2 },
        Event::CollectionStarted { name: "Box OAuth 2.0", needed: true },
        Event::StepFinished(&passed),
        Event::CollectionStarted { name: "Box files", needed: false },
        Event::StepFinished(&failed),
    ];
    assert_snapshot!(told(NORMAL, &Masker::new(), &events), @r"
    Box OAuth 2.0 (needed)
    ✓ GET    Who am I                          200    4 ms

    Box files
    ✗ GET    Who am I                          200    4 ms
      error: the status is 500
       --> collections/oauth2.yaml:4:15
        |
      4 |       status: 200
        |               ^^^ expected `200`
      server: {}
    ");
    assert_snapshot!(told(QUIET, &Masker::new(), &events), @r"
    Box files
    ✗ GET    Who am I                          200    4 ms
      error: the status is 500
       --> collections/oauth2.yaml:4:15
        |
      4 |       status: 200
        |               ^^^ expected `200`
      server: {}
    ");
}

#[test]
fn why_a_request_was_skipped() {
    let request = request("GET", "Who am I");
    let name = || "access_token".to_owned();
    let reasons = [
        Skipped::Condition,
        Skipped::MissingValue { name: name(), producer: "Exchange the code".to_owned() },
        Skipped::FailedNeed { name: "Box OAuth 2.0".to_owned() },
        Skipped::UnsavedValue,
        Skipped::RunTimeout,
        Skipped::DryRun { name: name() },
    ];
    let all: Vec<_> = reasons.into_iter().map(|reason| step(&request, skipped(reason), None)).collect();
    assert_snapshot!(steps(NORMAL, &all), @r"
    - GET    Who am I                          skipped: its `when` does not hold
    - GET    Who am I
      skipped: needs `access_token`, which `Exchange the code` should have captured
    - GET    Who am I                   skipped: needs `Box OAuth 2.0`, which failed
    - GET    Who am I                     skipped: a value could not be saved before
    - GET    Who am I
      skipped: the time of the run was up (the limit is `--run-timeout`)
    - GET    Who am I      skipped: needs `access_token`, which only a real run gets
    ");
    assert_snapshot!(steps(Settings { width: Some(120), ..NORMAL }, &all), @r"
    - GET    Who am I                          skipped: its `when` does not hold
    - GET    Who am I                          skipped: needs `access_token`, which `Exchange the code` should have captured
    - GET    Who am I                          skipped: needs `Box OAuth 2.0`, which failed
    - GET    Who am I                          skipped: a value could not be saved before
    - GET    Who am I                          skipped: the time of the run was up (the limit is `--run-timeout`)
    - GET    Who am I                          skipped: needs `access_token`, which only a real run gets
    ");
    // Only what makes the exit code other than zero.
    assert_snapshot!(steps(QUIET, &all), @r"
    - GET    Who am I
      skipped: needs `access_token`, which `Exchange the code` should have captured
    - GET    Who am I                   skipped: needs `Box OAuth 2.0`, which failed
    - GET    Who am I                     skipped: a value could not be saved before
    - GET    Who am I
      skipped: the time of the run was up (the limit is `--run-timeout`)
    ");
}

#[test]
fn requests_without_an_answer() {
    let request = request("GET", "Who am I");
    let table = [
        (ProblemKind::Transport, "no connection to `api.box.com`: refused"),
        (ProblemKind::Authorisation, "no token to be had for `box`"),
        (ProblemKind::Policy, "`access_token` must not go to `https://evil.example`"),
        (ProblemKind::Build, "`file_ids` has no value"),
    ];
    let all: Vec<_> = table
        .into_iter()
        .map(|(kind, message)| step(&request, Outcome::Errored(Box::new(problem(kind, Diagnostic::error(message)))), None))
        .collect();
    assert_snapshot!(steps(NORMAL, &all), @r"
    ! GET    Who am I                          no answer    4 ms
      error: no connection to `api.box.com`: refused
    ! GET    Who am I                          no token    4 ms
      error: no token to be had for `box`
    ! GET    Who am I                          refused
      error: `access_token` must not go to `https://evil.example`
    ! GET    Who am I                          not sent
      error: `file_ids` has no value
    ");
}

#[test]
fn a_refused_code_is_explained() {
    let request = token_request("authorization_code");
    let body = r#"{"error":"invalid_grant","error_description":"The authorization code has expired"}"#;
    let answer = exchange(400, &[("content-type", "application/json")], body);
    let summary = Summary { failed: 1, errored: 2, passed: 1000, duration: Duration::from_secs(125), ..Summary::default() };
    let failed = step(&request, wrong_status(400), Some(&answer));
    let events = [Event::StepFinished(&failed), Event::RunFinished(&summary)];
    assert_snapshot!(told(NORMAL, &Masker::new(), &events), @r"
    ✗ POST   Exchange the code                 400    4 ms
      error: the status is 400
       --> collections/oauth2.yaml:4:15
        |
      4 |       status: 200
        |               ^^^ expected `200`
      server: invalid_grant: The authorization code has expired
      hint: the code was already used, has expired (at Box after 30 seconds) or was
        issued to another client or redirect URI; get a new one and run again at
        once

    1003 requests: 1000 passed, 1 failed, 2 errored in 2 min 5 s
    ");
    assert_eq!(told(QUIET, &Masker::new(), &events), told(NORMAL, &Masker::new(), &events));
    assert!(told(PIPED, &Masker::new(), &events).lines().any(|line| line.ends_with("get a new one and run again at once")));
}

#[test]
fn hints_follow_the_error_and_the_grant() {
    let refused = |error: &str| exchange(400, &[], &format!(r#"{{"error":"{error}"}}"#));
    for (error, grant, hint) in [
        ("invalid_grant", "authorization_code", "at Box after 30 seconds"),
        ("invalid_grant", "refresh_token", "`--fresh-token` starts over"),
        ("invalid_grant", "urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion"),
        ("invalid_client", "refresh_token", "client id or secret is wrong"),
        ("unauthorized_client", "client_credentials", "not allowed to use this grant type"),
        ("invalid_scope", "client_credentials", "a scope is unknown"),
        ("unsupported_grant_type", "typo", "check its spelling"),
        ("redirect_uri_mismatch", "authorization_code", "character by character"),
    ] {
        let shown = words(&token_request(grant), &refused(error));
        assert!(shown.starts_with(&format!("  server: {error}\n  hint: ")) && shown.contains(hint), "{error} {grant}: {shown}");
    }
    // No hint for what is no OAuth error, and none where no token was asked for.
    assert_eq!(words(&token_request("refresh_token"), &refused("slow_day")), "  server: slow_day\n");
    assert_eq!(words(&request("GET", "x"), &refused("invalid_grant")), "  server: invalid_grant\n");
}

#[test]
fn what_the_server_says_in_one_line() {
    let long = "word ".repeat(100);
    let table = [
        (r#"{"error":"e","error_description":"two\r\nlines","error_uri":"https://x/y"}"#, "e: two lines (https://x/y)"),
        (r#"{"type":"error","status":404,"code":"not_found","message":"Not Found","request_id":"a"}"#, "not_found: Not Found"),
        (r#"{"error":{"code":401,"message":"Invalid Credentials","status":"UNAUTHENTICATED"}}"#, "401: Invalid Credentials"),
        (r#"{"title":"Out of credit","detail":"Your balance is 30"}"#, "Out of credit: Your balance is 30"),
        (r#"{"message":"Bad credentials"}"#, "Bad credentials"),
        (r#"{"errors":[{"message":"Cannot query field"}]}"#, "Cannot query field"),
        (r#"{"errors":["one","two"]}"#, "one"),
        (r#"{ "ok": false }"#, r#"{ "ok": false }"#),
        (r#"{"error": 5"#, r#"{"error": 5"#),
        ("<html><title>502 Bad Gateway</title><p>nginx</html>", "502 Bad Gateway"),
        ("plain\n\n  text", "plain text"),
        ("\x1b]0;title\x07gone", "␛]0;title␇gone"),
        ("\0\u{1}\u{2}", "<3 bytes>"),
        (&long, &format!("{}…", &long[..200])),
    ];
    for (body, line) in table {
        assert_eq!(words(&request("GET", "x"), &exchange(500, &[], body)), format!("  server: {line}\n"), "{body}");
    }
    assert_eq!(words(&request("GET", "x"), &exchange(500, &[], "")), "");
    let challenge = exchange(401, &[("www-authenticate", "Bearer realm=\"Service\", error=\"invalid_token\"")], "");
    assert_eq!(
        words(&request("GET", "x"), &challenge),
        "  server: www-authenticate: Bearer realm=\"Service\", error=\"invalid_token\"\n"
    );
}

#[test]
fn a_redirect_is_shown_and_keeps_its_code() {
    let answer = exchange(302, &[("location", "https://app.example/cb?code=AbCdEf&state=1#access_token=xyz")], "");
    let plain = request("GET", "Authorize");
    let line = "  redirects to https://app.example/cb?code=***&state=1#access_token=*** (not followed)\n";
    let shown = steps(NORMAL, &[step(&plain, Outcome::Passed, Some(&answer))]);
    assert!(shown.ends_with(line), "{shown}");
    let shown = steps(NORMAL, &[step(&plain, wrong_status(302), Some(&answer))]);
    assert!(shown.ends_with(line), "{shown}");

    let status = StatusAssertion { any_of: vec![StatusPattern::Class(3)], place: place("200") };
    let expecting =
        Request { assertions: Assertions { status: Some(status), checks: Vec::new() }, ..request("GET", "Authorize") };
    let shown = steps(NORMAL, &[step(&expecting, Outcome::Passed, Some(&answer))]);
    assert_eq!(shown.lines().count(), 1, "{shown}");
}

#[test]
fn heads_and_bodies() {
    let request = request("POST", "Exchange the code");
    let body = r#"{"access_token":"s3cr3t-token","expires_in":3600.0}"#;
    let answer = exchange(200, &[("content-type", "application/json"), ("set-cookie", "sid=1; Path=/")], body);
    let sent = http::Body::Bytes(Bytes::from_static(b"grant_type=authorization_code&code=x"));
    let mut passed = step(&request, Outcome::Passed, Some(&answer));
    passed.sent = Some(&sent);
    passed.captured = vec!["user_id"];
    passed.stored = vec!["access_token"];
    assert_snapshot!(steps(HEADS, std::slice::from_ref(&passed)), @r"
    ✓ POST   Exchange the code                 200    4 ms
      stored access_token for this run only
      captured user_id
      > POST /oauth2/token?x=1
      > host: api.box.com
      > Accept: application/json
      > Authorization: Basic ***
      > X-Api-Key: ***
      < 200 OK
      < content-type: application/json
      < set-cookie: ***
    ");
    assert_snapshot!(steps(BODIES, std::slice::from_ref(&passed)), @r#"
    ✓ POST   Exchange the code                 200    4 ms
      stored access_token for this run only
      captured user_id
      > POST /oauth2/token?x=1
      > host: api.box.com
      > Accept: application/json
      > Authorization: Basic ***
      > X-Api-Key: ***
      >
        grant_type=authorization_code&code=x
      < 200 OK
      < content-type: application/json
      < set-cookie: ***
      <
        {
          "access_token": "s3cr3t-token",
          "expires_in": 3600.0
        }
    "#);

    let picture = exchange(200, &[("content-type", "image/png")], &"x".repeat(1234));
    let shown = steps(BODIES, &[step(&request, Outcome::Passed, Some(&picture))]);
    assert!(shown.ends_with("  <\n    <1,234 bytes of image/png>\n"), "{shown}");
}

#[test]
fn a_dry_run() {
    let request = request("POST", "Exchange the code");
    let preview = Preview {
        method: "POST".to_owned(),
        url: "https://api.box.com/oauth2/token".to_owned(),
        headers: vec![("Authorization".to_owned(), "Bearer abc".to_owned())],
        body: Some(r#"{"a":[1]}"#.to_owned()),
    };
    let mut dry = step(&request, Outcome::Passed, None);
    dry.preview = Some(&preview);
    let summary = Summary { passed: 1, dry_run: true, ..Summary::default() };
    let unknown = step(&request, skipped(Skipped::DryRun { name: "code".to_owned() }), None);
    let events = [Event::StepFinished(&dry), Event::StepFinished(&unknown), Event::RunFinished(&summary)];
    assert_snapshot!(told(NORMAL, &Masker::new(), &events), @r#"
    > POST   Exchange the code                 would send
      > POST https://api.box.com/oauth2/token
      > Authorization: Bearer ***
      >
        {
          "a": [
            1
          ]
        }
    - POST   Exchange the code     skipped: needs `code`, which only a real run gets

    1 request: 1 would be sent (dry run)
    "#);
}

#[test]
fn names_are_aligned_and_shortened_to_the_terminal() {
    let ok = exchange(200, &[], "");
    let long = "A name that is much longer than the others and does not fit into any line at all";
    let names = ["Short", "フォルダーの一覧", "A name that is longer than thirty-two columns", long, "Short"];
    let mut requests: Vec<_> = names.iter().map(|name| request("GET", name)).collect();
    requests.push(Request { groups: Arc::new(["Files".to_owned(), "Old".to_owned()]), ..request("PROPFIND", "List") });
    let all: Vec<_> = requests.iter().map(|request| step(request, Outcome::Passed, Some(&ok))).collect();
    assert_snapshot!(steps(NORMAL, &all), @r"
    ✓ GET    Short                             200    4 ms
    ✓ GET    フォルダーの一覧                  200    4 ms
    ✓ GET    A name that is longer than thirty-two columns  200    4 ms
    ✓ GET    A name that is much longer than the others and does not f…  200    4 ms
    ✓ GET    Short                                                       200    4 ms
    ✓ PROPFIND Files / Old / List                                        200    4 ms
    ");
    assert_snapshot!(steps(Settings { width: Some(40), ..NORMAL }, &all), @r"
    ✓ GET    Short               200    4 ms
    ✓ GET    フォルダーの一覧    200    4 ms
    ✓ GET    A name that is lo…  200    4 ms
    ✓ GET    A name that is mu…  200    4 ms
    ✓ GET    Short               200    4 ms
    ✓ PROPFIND Files / Old / L…  200    4 ms
    ");
    assert_snapshot!(steps(Settings { width: Some(120), ..NORMAL }, &all), @r"
    ✓ GET    Short                             200    4 ms
    ✓ GET    フォルダーの一覧                  200    4 ms
    ✓ GET    A name that is longer than thirty-two columns  200    4 ms
    ✓ GET    A name that is much longer than the others and does not fit into any line at all  200    4 ms
    ✓ GET    Short                                                         200    4 ms
    ✓ PROPFIND Files / Old / List                                          200    4 ms
    ");
    assert_snapshot!(steps(PIPED, &all), @r"
    ✓ GET    Short                             200    4 ms
    ✓ GET    フォルダーの一覧                  200    4 ms
    ✓ GET    A name that is longer than thirty-two columns  200    4 ms
    ✓ GET    A name that is much longer than the others and does not fit into any line at all  200    4 ms
    ✓ GET    Short                                                         200    4 ms
    ✓ PROPFIND Files / Old / List                                          200    4 ms
    ");
    for width in 0..200 {
        let shown = steps(Settings { width: Some(width), ..NORMAL }, &all);
        let widest = shown.lines().map(columns).max().unwrap();
        assert!(widest <= width.max(34), "{width}: {shown}");
    }
}

#[test]
fn notices_are_findings_and_quiet_keeps_only_errors() {
    let notice = Diagnostic::warning("`--var page` was read by no request that was sent");
    let events = [Event::Notice(&notice)];
    assert_eq!(told(NORMAL, &Masker::new(), &events), "warning: `--var page` was read by no request that was sent\n");
    assert_eq!(told(QUIET, &Masker::new(), &events), "");
    let error = Diagnostic::error("the report could not be written");
    assert_eq!(told(QUIET, &Masker::new(), &[Event::Notice(&error)]), "error: the report could not be written\n");
}

#[test]
fn a_secret_is_masked_before_anything_is_shortened() {
    let masker = Masker::new();
    masker.learn(&Secret::new("s3cr3t-s3cr3t-s3cr3t-s3cr3t-s3cr3t-s3cr3t".to_owned()));
    let secret = "s3cr3t-s3cr3t-s3cr3t-s3cr3t-s3cr3t-s3cr3t";
    // Every place at which a name, a header or a body can be cut comes to lie in the secret.
    for before in (0..220).step_by(9) {
        let request = request("GET", &format!("{}{secret} in it that is long", "n ".repeat(before / 4)));
        let answer = exchange(500, &[("x-echo", secret)], &format!("{}{secret}{}", "y".repeat(before), " z".repeat(90)));
        let failed = step(&request, wrong_status(500), Some(&answer));
        for width in [30, 50, 80, 120] {
            let shown = told(Settings { width: Some(width), ..BODIES }, &masker, &[Event::StepFinished(&failed)]);
            assert!(!shown.contains("s3c") && !shown.contains("t-s3"), "{before}, {width}: {shown}");
        }
    }
}

#[test]
fn untrusted_text_gives_no_orders() {
    let hostile = "\x1b[2J\u{9b}31m\r\n::error::x ##[command]\u{202e}";
    let request = Request { groups: Arc::new([hostile.to_owned()]), ..request("GET", hostile) };
    let answer = exchange(500, &[("x-evil", hostile), ("location", hostile)], hostile);
    let mut failed = step(&request, wrong_status(500), Some(&answer));
    failed.stored = vec!["::error::x"];
    failed.stored_in = Some(hostile);
    let events = [
        Event::RunStarted { environment: Some(hostile), sandbox: None, collections: 2 },
        Event::CollectionStarted { name: "::error::x", needed: false },
        Event::StepFinished(&failed),
        Event::Notice(&Diagnostic::warning(hostile)),
    ];
    let shown = told(Settings { ci: true, width: None, ..BODIES }, &Masker::new(), &events);
    for line in shown.lines() {
        assert!(!line.trim_start().starts_with("::") && !line.contains("##["), "{line}");
        assert!(!line.chars().any(|c| c.is_control() || c == '\u{202e}'), "{line:?}");
    }
    assert!(shown.contains("\n    : :error::x ## [command]\u{fffd}\n"), "{shown}");
}

#[test]
fn colour_is_an_addition() {
    let request = request("GET", "Who am I");
    let ok = exchange(200, &[], "");
    let run = [step(&request, Outcome::Passed, Some(&ok)), step(&request, wrong_status(500), Some(&ok))];
    let painted = steps(Settings { style: Style::new(true), ..NORMAL }, &run);
    assert!(painted.starts_with("\x1b[32m✓\x1b[0m GET "), "{painted:?}");
    let mut plain = painted;
    while let Some(start) = plain.find('\x1b') {
        let end = start + plain[start..].find('m').unwrap();
        plain.replace_range(start..=end, "");
    }
    assert_eq!(plain, steps(NORMAL, &run));
}
