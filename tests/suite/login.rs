//! Managed logins: a request names one, and runner gets the token, keeps it, renews it.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::support::leak::assert_no_secret;
use crate::support::runner::{Ran, Runner};
use crate::support::server::{Answer, Request, Server};

/// A server that gives tokens `t1`, `t2` … and an API that takes the newest only.
struct Desk {
    server: Server,
    issued: Arc<AtomicUsize>,
}

impl Desk {
    /// `answer` makes the token answer from the request and the number of the token.
    fn new(answer: impl Fn(&Request, usize) -> Answer + Send + Sync + 'static) -> Self {
        let issued = Arc::new(AtomicUsize::new(0));
        let shared = Arc::clone(&issued);
        let server = Server::start(move |request| {
            if request.path == "/token" {
                return answer(request, shared.fetch_add(1, Ordering::SeqCst) + 1);
            }
            let good = format!("Bearer token-number-{}", shared.load(Ordering::SeqCst));
            match request.header("authorization") {
                Some(shown) if *shown == good => Answer::json(200, r#"{"id": "7"}"#),
                Some(_) => Answer::json(401, "{}").header("WWW-Authenticate", "Bearer error=\"invalid_token\""),
                None => Answer::json(200, "{}"),
            }
        });
        Self { server, issued }
    }

    /// One that gives tokens that live for an hour, without a refresh token.
    fn plain() -> Self {
        Self::new(|_, number| Answer::json(200, token(number, "")))
    }

    fn runner(&self, login: &str, requests: &str) -> Runner {
        Runner::new()
            .file(
                "environments/dev.yaml",
                format!(
                    "variables:\n  api_url: {0}/api\n  client_secret: !secret\nauth:\n  box:\n    oauth2:\n      token_endpoint: {0}/token\n      \
                     client_id: me\n      client_secret: \"{{{{ client_secret }}}}\"\n{login}",
                    self.server.url()
                ),
            )
            .file("environments/.gitignore", "*.local.*\n.*.lock\n")
            .file("environments/dev.local.yaml", format!("variables:\n  client_secret: {SECRET}\n"))
            .file("c.yaml", format!("defaults: {{base_url: \"{{{{ api_url }}}}\", auth: box}}\nrequests:\n{requests}"))
            .args(["c.yaml", "--env", "dev"])
    }

    fn token_requests(&self) -> Vec<Request> {
        self.server.requests().into_iter().filter(|request| request.path == "/token").collect()
    }

    fn issued(&self) -> usize {
        self.issued.load(Ordering::SeqCst)
    }
}

const SECRET: &str = "s3cr3t of the client";

const ONE: &str = "  - url: /me\n";

fn token(number: usize, more: &str) -> String {
    format!(r#"{{"access_token": "token-number-{number}", "expires_in": 3600{more}}}"#)
}

fn local(ran: &Ran) -> String {
    ran.read("environments/dev.local.yaml")
}

/// Puts the end of the stored token into the past.
fn expire(ran: &Ran) {
    let path = "environments/dev.local.yaml";
    let lines: Vec<String> = (ran.read(path).lines())
        .map(|line| match line.split_once("expires_at:") {
            Some((margin, _)) => format!("{margin}expires_at: 5"),
            None => line.to_owned(),
        })
        .collect();
    std::fs::write(ran.path(path), format!("{}\n", lines.join("\n"))).unwrap();
}

#[test]
fn a_token_is_got_once_kept_and_used_by_later_runs() {
    let desk = Desk::plain();
    let ran = desk.runner("      grant_type: client_credentials\n      scope: read write\n", &ONE.repeat(3)).run_passing();
    let asked = desk.token_requests();
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0].text(), "grant_type=client_credentials&scope=read+write");
    assert_eq!(asked[0].header("accept"), Some("application/json"));
    assert_eq!(asked[0].header("content-type"), Some("application/x-www-form-urlencoded"));
    let pair = STANDARD.decode(asked[0].header("authorization").unwrap().strip_prefix("Basic ").unwrap()).unwrap();
    assert_eq!(String::from_utf8(pair).unwrap(), "me:s3cr3t%20of%20the%20client");
    assert!(local(&ran).contains("    access_token: token-number-1\n"), "{}", local(&ran));
    assert_no_secret(ran.all_output(), SECRET);
    assert_no_secret(ran.all_output(), "token-number-1");
    let again = ran.again().args(["c.yaml", "--env", "dev", "-vv"]).run_unchecked();
    assert_eq!((again.exit, desk.issued()), (0, 1));
    assert_no_secret(again.all_output(), "token-number-1");
}

#[test]
fn a_stale_token_is_refreshed_and_one_without_a_refresh_token_is_got_anew() {
    let desk = Desk::new(|_, number| Answer::json(200, token(number, r#", "refresh_token": "refresh-1""#)));
    let ran = desk.runner("      grant_type: client_credentials\n", ONE).run_passing();
    expire(&ran);
    let ran = ran.again().args(["c.yaml", "--env", "dev"]).run_unchecked();
    assert_eq!(ran.exit, 0, "{}", ran.all_output());
    let sent: Vec<String> = desk.token_requests().iter().map(Request::text).collect();
    assert_eq!(sent, ["grant_type=client_credentials", "grant_type=refresh_token&refresh_token=refresh-1"]);
    let desk = Desk::plain();
    let ran = desk.runner("      grant_type: client_credentials\n", ONE).run_passing();
    expire(&ran);
    ran.again().args(["c.yaml", "--env", "dev"]).run_unchecked();
    let sent: Vec<String> = desk.token_requests().iter().map(Request::text).collect();
    assert_eq!(sent, ["grant_type=client_credentials", "grant_type=client_credentials"]);
}

#[test]
fn a_refused_token_is_renewed_once_and_the_request_sent_once_more() {
    let desk = Desk::plain();
    let requests = "  - url: /up\n    method: PUT\n    body: {file: body.txt}\n";
    let ran = desk.runner("      grant_type: client_credentials\n", requests).file("body.txt", "all of it").run_passing();
    // The server forgets the token.
    desk.issued.fetch_add(1, Ordering::SeqCst);
    let ran = ran.again().args(["c.yaml", "--env", "dev"]).run_unchecked();
    assert_eq!(ran.exit, 0, "{}", ran.all_output());
    let all: Vec<(String, String)> = desk.server.requests().iter().map(|request| (request.line(), request.text())).collect();
    let put = |body: &str| ("PUT /api/up".to_owned(), body.to_owned());
    let post = ("POST /token".to_owned(), "grant_type=client_credentials".to_owned());
    assert_eq!(all, [post.clone(), put("all of it"), put("all of it"), post, put("all of it")]);
}

#[test]
fn a_refusal_that_no_new_token_helps_is_told_and_a_403_renews_nothing() {
    for (status, challenge, tokens) in [(401, "Bearer", 2), (403, "Bearer", 1), (401, "Bearer error=\"insufficient_scope\"", 1)] {
        let server = Server::start(move |request| match request.path.as_str() {
            "/token" => Answer::json(200, token(1, "")),
            _ => Answer::json(status, "{}").header("WWW-Authenticate", challenge),
        });
        let desk = Desk { server, issued: Arc::default() };
        let ran = desk.runner("      grant_type: client_credentials\n", ONE).run_unchecked();
        assert_eq!((ran.exit, desk.token_requests().len()), (1, tokens), "{status} {challenge}: {}", ran.all_output());
    }
}

#[test]
fn another_configuration_gets_another_token() {
    let desk = Desk::plain();
    let ran = desk.runner("      grant_type: client_credentials\n      scope: a\n", ONE).run_passing();
    let text = ran.read("environments/dev.yaml");
    for (number, changed) in [(2, text.replace("scope: a", "scope: b")), (3, text.replace("client_id: me", "client_id: you"))] {
        std::fs::write(ran.path("environments/dev.yaml"), changed).unwrap();
        let ran = ran.again().args(["c.yaml", "--env", "dev"]).run_unchecked();
        assert_eq!((ran.exit, desk.issued()), (0, number), "{}", ran.all_output());
    }
}

#[test]
fn many_processes_with_one_refresh_token_make_one_exchange() {
    const PROCESSES: usize = 32;
    for round in 0..ROUNDS {
        let state = Arc::new(Mutex::new((0_usize, 0_usize)));
        let shared = Arc::clone(&state);
        let desk = Desk::new(move |request, number| {
            let mut state = shared.lock().unwrap();
            // The first refresh token works once; its reuse would be the end of the family.
            if request.form_field("refresh_token").as_deref() != Some("first") || state.0 > 0 {
                state.1 += 1;
                return Answer::json(400, r#"{"error": "invalid_grant"}"#);
            }
            state.0 += 1;
            Answer::json(200, token(number, r#", "refresh_token": "second""#))
        });
        let first = desk.runner("      grant_type: refresh_token\n      refresh_token: first\n", ONE);
        let others: Vec<Runner> = (1..PROCESSES).map(|_| Runner::new().beside(&first).args(["c.yaml", "--env", "dev"])).collect();
        let running: Vec<_> = others.into_iter().chain([first]).map(Runner::spawn).collect();
        let failed: Vec<String> =
            running.into_iter().map(|running| running.end()).filter(|ran| ran.exit != 0).map(|ran| ran.all_output()).collect();
        assert!(failed.is_empty(), "round {round}: {} failed: {}", failed.len(), failed[0]);
        assert_eq!(*state.lock().unwrap(), (1, 0), "round {round}: exchanges, and refresh tokens that were used again");
    }
}

/// Rounds of the test with many processes.
const ROUNDS: usize = 20;
