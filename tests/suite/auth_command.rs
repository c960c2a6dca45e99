//! `runner auth`: the tokens of an environment's logins, without a collection.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::Value;

use crate::support::leak::assert_no_secrets;
use crate::support::runner::{Ran, Runner};
use crate::support::server::{Answer, Server};

const SECRET: &str = "s3cr3t of the client";

/// An authorization server: it gives `token-number-1`, `token-number-2` …, revokes with the status given, and knows its tokens.
fn desk(revocation: u16) -> Server {
    let issued = Arc::new(AtomicUsize::new(0));
    Server::start(move |request| match request.path.as_str() {
        "/token" => {
            let number = issued.fetch_add(1, Ordering::SeqCst) + 1;
            let text =
                r#"{"access_token": "token-number-N", "refresh_token": "renewal-number-N", "expires_in": 3600, "scope": "read"}"#;
            Answer::json(200, text.replace('N', &number.to_string()))
        }
        "/revoke" => Answer::json(revocation, if revocation == 200 { "" } else { r#"{"error": "invalid_client"}"# }),
        "/introspect" => {
            let token = request.form_field("token").unwrap_or_default();
            Answer::json(200, format!(r#"{{"active": true, "sub": "7", "access_token": "{token}"}}"#))
        }
        _ => Answer::status(404),
    })
}

fn project(server: &Server) -> Runner {
    let environment = format!(
        "variables:\n  client_secret: !secret\nauth:\n  box:\n    oauth2:\n      token_endpoint: {0}/token\n      revocation_endpoint: \
         {0}/revoke\n      introspection_endpoint: {0}/introspect\n      grant_type: client_credentials\n      client_id: me\n      \
         client_secret: \"{{{{ client_secret }}}}\"\n      scope: read\n",
        server.url()
    );
    Runner::new()
        .file("environments/dev.yaml", environment)
        .file("environments/.gitignore", "*.local.*\n.*.lock\n")
        .file("environments/dev.local.yaml", format!("variables:\n  client_secret: {SECRET}\n"))
}

/// Runs one command, and looks that it shows no secret.
fn auth(runner: Runner, command: &str) -> Ran {
    let ran = runner.arg("auth").args(command.split(' ')).args(["--env", "dev"]).run_unchecked();
    if !command.starts_with("token") {
        assert_no_secrets(
            ran.all_output(),
            &[SECRET, "token-number-1", "token-number-2", "renewal-number-1", "renewal-number-2"],
        );
    }
    ran
}

fn told(ran: &Ran) -> (i32, &str, &str) {
    (ran.exit, ran.raw_stdout.as_str(), ran.stderr.as_str())
}

/// Changes the first `old` of a file.
fn change(ran: &Ran, path: &str, old: &str, new: &str) {
    let text = ran.read(path);
    assert!(text.contains(old), "{text}");
    std::fs::write(ran.path(path), text.replacen(old, new, 1)).unwrap();
}

#[test]
fn token_prints_the_token_and_nothing_else() {
    let server = desk(200);
    let first = auth(project(&server), "token");
    assert_eq!(told(&first), (0, "token-number-1\n", ""));
    // The kept one is still good.
    let second = auth(first.again(), "token box");
    assert_eq!(told(&second), (0, "token-number-1\n", ""));
    assert_eq!(server.requests().len(), 1);
}

/// The save lock of the environment is `.dev.local.lock`.
#[test]
fn a_login_may_be_called_local() {
    let server = desk(200);
    let named = project(&server);
    let path = named.path("environments/dev.yaml");
    let text = std::fs::read_to_string(&path).unwrap().replace("  box:\n", "  local:\n");
    std::fs::write(path, text).unwrap();
    assert_eq!(told(&auth(named, "token")), (0, "token-number-1\n", ""));
}

#[test]
fn status_tells_how_it_stands_and_sends_nothing() {
    let server = desk(200);
    let missing = auth(project(&server), "status");
    assert_eq!(told(&missing), (0, "box  client_credentials  no token is kept\n", ""));
    assert_eq!(server.requests().len(), 0);
    let got = auth(missing.again(), "token");
    let fresh = auth(got.again(), "status");
    assert!(fresh.raw_stdout.starts_with("box  client_credentials  fresh, expires in "), "{}", fresh.raw_stdout);
    assert!(fresh.raw_stdout.ends_with(", refreshable, scope read\n"), "{}", fresh.raw_stdout);
    let end = got
        .read("environments/dev.local.yaml")
        .lines()
        .find_map(|line| line.trim().strip_prefix("expires_at: ").map(str::to_owned));
    let end = end.expect("its end is kept");
    let json: Value = serde_json::from_str(&auth(got.again(), "status --json").raw_stdout).unwrap();
    let expected = format!(
        r#"[{{"login": "box", "grant_type": "client_credentials", "state": "fresh", "expires_at": {end}, "refreshable": true, "scope": ["read"]}}]"#
    );
    assert_eq!(json, serde_json::from_str::<Value>(&expected).unwrap());

    change(&got, "environments/dev.local.yaml", &format!("expires_at: {end}"), "expires_at: 5");
    let stale = auth(got.again(), "status");
    assert!(stale.raw_stdout.starts_with("box  client_credentials  expired "), "{}", stale.raw_stdout);
    change(&got, "environments/dev.yaml", "scope: read", "scope: write");
    let foreign = auth(got.again(), "status");
    assert_eq!(told(&foreign), (0, "box  client_credentials  the kept token does not fit: the scope changed\n", ""));
    let json: Value = serde_json::from_str(&auth(got.again(), "status --json").raw_stdout).unwrap();
    assert_eq!((&json[0]["state"], &json[0]["changed"][0]), (&Value::from("foreign"), &Value::from("the scope")));
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn refresh_renews_a_token_that_is_still_fresh() {
    let server = desk(200);
    let got = auth(project(&server), "token");
    let renewed = auth(got.again(), "refresh");
    assert_eq!(renewed.exit, 0, "{}", renewed.all_output());
    assert!(renewed.raw_stdout.starts_with("box: fresh, expires in "), "{}", renewed.raw_stdout);
    assert_eq!(server.requests()[1].form_field("refresh_token").as_deref(), Some("renewal-number-1"));
    assert_eq!(auth(got.again(), "token").raw_stdout, "token-number-2\n");
}

#[test]
fn introspect_shows_what_the_server_knows() {
    let server = desk(200);
    let none = auth(project(&server), "introspect");
    assert_eq!((none.exit, none.raw_stdout.as_str()), (2, ""));
    let begins = "error: the token of `box` could not be looked up: no token of `box` is kept\n";
    assert!(none.stderr.starts_with(begins), "{}", none.stderr);
    let got = auth(none.again(), "token");
    let shown = auth(got.again(), "introspect");
    let expected = "{\n  \"active\": true,\n  \"sub\": \"7\",\n  \"access_token\": \"***\"\n}\n";
    assert_eq!(told(&shown), (0, expected, ""));
}

#[test]
fn revoke_and_logout_forget_and_only_logout_does_so_when_the_server_refuses() {
    for (status, command, exit, said, kept) in [
        (200, "revoke", 0, "box: revoked and forgotten\n", false),
        (200, "logout", 0, "box: revoked and forgotten\n", false),
        (400, "revoke", 4, "", true),
        (400, "logout", 0, "box: forgotten, but not revoked\n", false),
    ] {
        let server = desk(status);
        let got = auth(project(&server), "token");
        let ran = auth(got.again(), command);
        assert_eq!((ran.exit, ran.raw_stdout.as_str()), (exit, said), "{command} {status}: {}", ran.stderr);
        let severity = if kept { "error" } else { "warning" };
        let begins = format!("{severity}: the tokens of `box` could not be revoked: invalid_client\n");
        assert_eq!(ran.stderr.starts_with(&begins), status == 400, "{}", ran.stderr);
        assert_eq!(got.read("environments/dev.local.yaml").contains("token-number-1"), kept);
        let revoked: Vec<_> = server.requests().iter().filter_map(|request| request.form_field("token")).collect();
        assert_eq!(revoked[0], "renewal-number-1", "the refresh token goes first");
        if !kept {
            assert_eq!(told(&auth(got.again(), command)), (0, "box: no token is kept\n", ""));
        }
    }
}

#[test]
fn show_tells_each_field_with_its_origin_and_a_preset_as_it_is() {
    Runner::new()
        .file(
            "environments/dev.yaml",
            "
            variables: {client_secret: !secret }
            auth:
              box:
                oauth2: {provider: box, grant_type: client_credentials, client_id: me, client_secret: \"{{ client_secret }}\"}
            ",
        )
        .args(["auth", "show", "--env", "dev"])
        .expect_stdout(
            "
            box
              grant_type              client_credentials                            environments/dev.yaml:3:3
              provider                box
              client_auth             post
              authorization_endpoint  https://account.box.com/api/oauth2/authorize  preset
              token_endpoint          https://api.box.com/oauth2/token              preset
              revocation_endpoint     https://api.box.com/oauth2/revoke             preset
              client_id               me                                            environments/dev.yaml:4:72
              client_secret           {{ client_secret }}                           environments/dev.yaml:4:91
              assertion audience      https://api.box.com/oauth2/token              preset
            ",
        )
        .run();
    let ran = Runner::new().args(["auth", "show", "--provider", "box"]).run_passing();
    assert!(ran.raw_stdout.starts_with("box: # https://developer.box.com/"), "{}", ran.raw_stdout);
}

#[test]
fn what_can_not_be_done_is_told() {
    let server = desk(200);
    let table = [
        (vec!["token", "bx", "--env", "dev"], "error: there is no login called `bx`\n  = help: did you mean `box`?\n"),
        (vec!["token"], "error: no environment was chosen\n  = help: choose one with `--env NAME`\n"),
    ];
    for (arguments, said) in table {
        let ran = project(&server).arg("auth").args(arguments).run_unchecked();
        assert_eq!(told(&ran), (2, "", said));
    }
    let ran = project(&server).args(["auth", "token", "--env", "dev"]).env_var("RUNNER_ONLY_HOSTS", "a.test").run_unchecked();
    assert_eq!((ran.exit, ran.raw_stdout.as_str()), (6, ""), "{}", ran.stderr);
    assert_eq!(server.requests().len(), 0);
}

#[test]
fn a_refusal_and_a_login_that_needs_a_person_are_exit_4() {
    let server = Server::start(|_| Answer::json(400, r#"{"error": "invalid_client"}"#));
    let refused = auth(project(&server), "token");
    assert_eq!((refused.exit, refused.raw_stdout.as_str()), (4, ""));
    let begins = "error: no token for `box`: the server answered invalid_client (status 400)\n";
    assert!(refused.stderr.starts_with(begins), "{}", refused.stderr);
    change(&refused, "environments/dev.yaml", "grant_type: client_credentials", "grant_type: authorization_code");
    let person = auth(refused.again(), "token");
    assert_eq!((person.exit, person.raw_stdout.as_str()), (4, ""));
    let begins = "error: no token for `box`: nothing usable is stored, and `authorization_code` needs a person\n";
    assert!(person.stderr.starts_with(begins), "{}", person.stderr);
    assert_eq!(server.requests().len(), 1);
}
