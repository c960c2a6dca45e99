//! `runner env`: what there is, where each value comes from, and a person's own values in the local file.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::support::leak::assert_no_secret;
use crate::support::runner::{Ran, Runner};

const SECRET: &str = "hunter2-of-the-test";

const DEV: &str = r#"
    extends: base.yaml
    variables:
      api_url: https://staging.example.com/v1
      token_url: "{{ api_url }}/token"
      client_secret: !secret
      api_key: !env DEV_KEY
      pem: !file key.pem
      code: !prompt Authorization code
      tenant:
      bearer: "Bearer {{ client_secret }}"
      pages: {first: 1, names: [a, "2"]}
    hosts: [upload.example.com]
    auth:
      service: {bearer: "{{ client_secret }}"}
      key: {api_key: {header: X-Key, value: "{{ api_key }}"}}
      login: {oauth2: {provider: box, grant_type: client_credentials}}
    tls: {ca: ca.pem, insecure: true}
    proxy: http://proxy.example.com:3128
    "#;

const LOCAL: &str = "\
# mine
variables:
  client_secret: hunter2-of-the-test # from the console
  api_url: 'http://localhost/3000'

stored: # kept by runner
  access_token: token-of-an-earlier-run
  expires_at: 17
";

fn project() -> Runner {
    Runner::new()
        .file("environments/base.yaml", "variables: {api_url: https://api.example.com, page_size: 50}\n")
        .file("environments/dev.yaml", DEV)
        .file("environments/dev.local.yaml", LOCAL)
        .file("environments/.gitignore", "*.local.*\n.*.lock\n")
        .arg("env")
}

fn local(ran: &Ran) -> String {
    ran.read("environments/dev.local.yaml")
}

#[test]
fn environments_are_listed_with_their_files() {
    project()
        .file("environments/broken.yaml", "extends: [base.yaml, dev.yaml]\nvariables: [\n")
        .arg("list")
        .expect_stdout(
            "
            base    environments/base.yaml    no local file
            broken  environments/broken.yaml  no local file
            dev     environments/dev.yaml     environments/dev.local.yaml  extends base.yaml
            ",
        )
        .run();
}

#[test]
fn a_project_without_environments_is_told_what_one_is() {
    Runner::new()
        .args(["env", "list"])
        .expect_stdout(
            "
            there is no environment from here up to the project root `[project]`
            an environment is a file such as `environments/dev.yaml`:

            variables:
              api_url: https://api.example.com
              api_key: !secret
            ",
        )
        .run();
}

#[test]
fn every_value_is_shown_with_its_origin() {
    let ran = project()
        .file("environments/dev.local.yaml", format!("{LOCAL}proxy: http://me:proxy-password@proxy.example.com:3128\n"))
        .args(["show", "--env", "dev", "--var", "page_size=75"])
        .env_var("RUNNER_VAR_token_url", "http://localhost/3000/other")
        .expect_stdout(
            "
            dev  environments/dev.yaml + environments/dev.local.yaml

            variables
              api_url        http://localhost/3000               environments/dev.local.yaml:4
                             overrides environments/dev.yaml:3, environments/base.yaml:1
              page_size      75                                  --var
                             overrides environments/base.yaml:1
              token_url      http://localhost/3000/other         RUNNER_VAR_token_url
                             overrides environments/dev.yaml:4
              client_secret  ***                                 environments/dev.local.yaml:3
                             secret: `!secret` at environments/dev.yaml:5
              api_key        not set                             environments/dev.yaml:6
                             the process variable `DEV_KEY` is not there
                             set it with `runner env set api_key --env dev`, `--secret api_key` or the process variable RUNNER_SECRET_api_key
                             secret: `!env` at environments/dev.yaml:6
              pem            not set                             environments/dev.yaml:7
                             the file `key.pem` is not there
                             set it with `runner env set pem --env dev`, `--secret pem` or the process variable RUNNER_SECRET_pem
                             secret: `!file` at environments/dev.yaml:7
              code           not set                             environments/dev.yaml:8
                             to be asked for: Authorization code
                             set it with `runner env set code --env dev`, `--var code=…`, `--secret code` or the process variable RUNNER_SECRET_code
                             secret: `!prompt` at environments/dev.yaml:8
              tenant         not set                             environments/dev.yaml:9
                             set it with `runner env set tenant --env dev`, `--var tenant=…` or the process variable RUNNER_VAR_tenant
              bearer         ***                                 environments/dev.yaml:10
                             secret: reads `client_secret`
              pages          {first: 1, names: [a, \"2\"]}         environments/dev.yaml:11

            stored
              access_token   ***                                 environments/dev.local.yaml
                             secret: by its name
              expires_at     17                                  environments/dev.local.yaml

            auth
              service        bearer                              environments/dev.yaml:14
              key            api_key in the header X-Key         environments/dev.yaml:15
              login          oauth2, client_credentials          environments/dev.yaml:16

            hosts
              upload.example.com                                 environments/dev.yaml:12

            tls
              ca             environments/ca.pem
              insecure       true: certificates are not checked

            proxy
              http://me:***@proxy.example.com:3128               environments/dev.local.yaml:9
            ",
        )
        .run();
    for secret in [SECRET, "token-of-an-earlier-run", "proxy-password"] {
        assert_no_secret(ran.all_output(), secret);
    }
}

/// The masker can't help with a secret this short: what is shown must not rely on it.
#[test]
fn a_secret_is_no_value_to_show_however_short() {
    let short = || {
        Runner::new()
            .file(
                "environments/dev.yaml",
                "variables: {pin: !secret , by_env: !env PIN, made: '{{ pin }}-{{ by_env }}', pinned: 5}\n",
            )
            .file("environments/dev.local.yaml", "variables: {pin: x7}\nstored: {a_token: y8, pinned_token: 9}\n")
            .env_var("PIN", "z9")
            .args(["env", "show", "--env", "dev"])
    };
    let ran = short().run_unchecked();
    assert_eq!(ran.exit, 0, "{}", ran.all_output());
    let values: Vec<&str> = ran.stdout.lines().filter_map(|line| line.split_whitespace().nth(1)).collect();
    assert!(!["x7", "y8", "z9", "x7-z9"].iter().any(|secret| ran.stdout.contains(secret)), "{values:?}");
    assert_eq!(ran.stdout.matches("***").count(), 4, "{}", ran.stdout);
    let json = short().arg("--json").run_unchecked();
    assert!(!["x7", "y8", "z9"].iter().any(|secret| json.stdout.contains(secret)), "{}", json.stdout);
    assert_eq!(json.stdout.matches("\"secret\": true").count(), 4, "{}", json.stdout);
}

#[test]
fn scripts_get_json_without_secrets() {
    let ran = project()
        .args(["show", "api_url", "client_secret", "tenant", "pages", "expires_at", "access_token", "--env", "dev", "--json"])
        .expect_stdout(
            r#"
            {
              "environment": "dev",
              "file": "environments/dev.yaml",
              "local_file": "environments/dev.local.yaml",
              "variables": [
                {
                  "name": "api_url",
                  "state": "set",
                  "secret": false,
                  "value": "http://localhost/3000",
                  "origin": "environments/dev.local.yaml:4"
                },
                {
                  "name": "client_secret",
                  "state": "set",
                  "secret": true,
                  "origin": "environments/dev.local.yaml:3"
                },
                {
                  "name": "tenant",
                  "state": "unset",
                  "secret": false
                },
                {
                  "name": "pages",
                  "state": "set",
                  "secret": false,
                  "value": {
                    "first": 1,
                    "names": [
                      "a",
                      "2"
                    ]
                  },
                  "origin": "environments/dev.yaml:11"
                }
              ],
              "stored": [
                {
                  "name": "access_token",
                  "state": "set",
                  "secret": true,
                  "origin": "environments/dev.local.yaml"
                },
                {
                  "name": "expires_at",
                  "state": "set",
                  "secret": false,
                  "value": 17,
                  "origin": "environments/dev.local.yaml"
                }
              ]
            }
            "#,
        )
        .run();
    assert_no_secret(ran.all_output(), SECRET);
}

/// A sandbox that ran would leave its state beside the environment.
#[test]
fn nothing_is_started_and_nobody_is_asked() {
    let environment = r#"
        sandbox: box
        variables:
          api_url: "{{ sandbox.url }}/2.0"
          token_url: "{{ api_url }}/token"
          client_id: "{{ sandbox.client_id }}"
          client_secret: "{{ sandbox.client_secret }}"
          again: "{{ client_secret }}"
          code: "{{ sandbox.code }}"
        "#;
    let ran = Runner::new()
        .file("environments/dev.yaml", environment)
        .args(["env", "show", "--env", "dev"])
        .expect_stdout(
            "
            dev  environments/dev.yaml (no local file)

            sandbox
              box                                    environments/dev.yaml:1
                             it starts with a run; what it gives is known then

            variables
              api_url        [sandbox.url]/2.0        environments/dev.yaml:3
              token_url      [sandbox.url]/2.0/token  environments/dev.yaml:4
              client_id      [sandbox.client_id]      environments/dev.yaml:5
              client_secret  ***                      environments/dev.yaml:6
                             secret: reads `sandbox.client_secret`
              again          ***                      environments/dev.yaml:7
                             secret: reads `client_secret`
              code           ***                      environments/dev.yaml:8
                             secret: reads `sandbox.code`
            "
            .replace("box                                    e", "box                                     e")
            .as_str(),
        )
        .run();
    assert_eq!(ran.files(), ["environments/dev.yaml"]);
    let json = ran.again().args(["env", "show", "api_url", "--env", "dev", "--json"]).run_unchecked();
    assert!(json.stdout.contains("\"state\": \"sandbox\"") && !json.stdout.contains("\"value\""), "{}", json.stdout);
}

#[test]
fn what_fails_is_told_and_the_rest_is_shown() {
    Runner::new()
        .file(
            "environments/dev.yaml",
            "variables:\n  id: abc\n  number: '{{ id | int }}'\n  a: '{{ b }}'\n  b: '{{ a }}'\n  last: 1\n",
        )
        .args(["env", "show", "--env", "dev"])
        .expect_exit(2)
        .expect_stdout(
            "
            dev  environments/dev.yaml (no local file)

            variables
              id      abc                 environments/dev.yaml:2
              number  can't be evaluated  environments/dev.yaml:3
              a       can't be evaluated  environments/dev.yaml:4
              b       can't be evaluated  environments/dev.yaml:5
              last    1                   environments/dev.yaml:6
            ",
        )
        .expect_stderr(
            "
            error: variables refer to one another in a circle
             --> environments/dev.yaml:4:3
              |
            4 |   a: '{{ b }}'
              |   ^ a → b → a

            error: the value can't be read as a whole number
             --> environments/dev.yaml:3:20
              |
            3 |   number: '{{ id | int }}'
              |                    ^^^
            ",
        )
        .run();
}

#[test]
fn what_is_not_there_is_told_with_what_is() {
    for (arguments, stderr) in [
        (
            "show",
            "
            error: no environment was chosen
              = help: choose one with `--env NAME`: base, dev
            ",
        ),
        (
            "show dev",
            "
            error: no environment was chosen
              = help: write `--env dev`
            ",
        ),
        (
            "set tenant acme --env dve",
            "
            error: unknown environment `dve`
              = help: did you mean `dev`?
              = help: environments: base, dev
            ",
        ),
        (
            "show tennant --env dev",
            "
            error: the environment `dev` has no variable `tennant`
              = help: did you mean `tenant`?
            ",
        ),
        (
            "show zzz --env base",
            "
            error: the environment `base` has no variable `zzz`
              = help: it has: api_url, page_size
            ",
        ),
        (
            "unset api_url clientsecret tenant zzzzz --env dev",
            "
            error: `clientsecret` has no value in environments/dev.local.yaml
              = help: did you mean `client_secret`?

            error: `tenant` has no value in environments/dev.local.yaml
              = help: it stands in environments/dev.yaml:9, a file that is shared and that only you change

            error: `zzzzz` has no value in environments/dev.local.yaml
              = help: it holds: api_url, client_secret, access_token, expires_at
            ",
        ),
        (
            "unset api_url --env base",
            "
            error: `api_url` has no value in environments/base.local.yaml
              = help: it stands in environments/base.yaml:1, a file that is shared and that only you change
            ",
        ),
        (
            "set page_size 5 6 --env dev",
            "
            error: `page_size` gets one value, and more stand on the command line
              = help: write `runner env set page_size 'one value'`, in quotes if it has spaces; leave a secret out
            ",
        ),
        (
            "set 1st 5 --env dev",
            "
            error: `1st` can't be the name of a variable
              = help: a name is made of letters, digits and `_`, and does not start with a digit
            ",
        ),
        (
            "set loop 5 --env dev",
            "
            error: `loop` is reserved and can't be the name of a variable
              = help: reserved: response, tokens, sandbox, row, iteration, loop, true, false, none, not, and, or, in, is
            ",
        ),
        (
            "set tenant --evn dev",
            "
            error: `env set` has no such flag
              = help: did you mean `--env`?
            ",
        ),
    ] {
        let ran = project().args(arguments.split(' ')).expect_exit(2).expect_stderr(stderr).run();
        assert_eq!(local(&ran), LOCAL, "{arguments}");
        assert!(!ran.exists("environments/base.local.yaml"), "{arguments}");
    }
}

/// Mistakes of the files are told as by `check`, and nothing is changed then.
#[test]
fn mistakes_in_the_files_are_told_first() {
    for arguments in ["show --env dev", "set tenant acme --env dev", "unset api_url --env dev"] {
        let ran = project()
            .file("environments/dev.yaml", "variabels: {tenant: 1}\n")
            .args(arguments.split(' '))
            .expect_exit(2)
            .expect_stderr(
                "
                error: unknown key `variabels` in an environment
                 --> environments/dev.yaml:1:1
                  |
                1 | variabels: {tenant: 1}
                  | ^^^^^^^^^ did you mean `variables`?
                ",
            )
            .run();
        assert_eq!(local(&ran), LOCAL);
    }
}

#[test]
fn a_value_of_ones_own_is_set_and_the_rest_of_the_file_stays() {
    for (arguments, line) in [
        ("page_size 75", "  page_size: 75\n"),
        ("page_size=75", "  page_size: 75\n"),
        ("page_size 075", "  page_size: !plain \"075\"\n"),
        ("tenant acme", "  tenant: !plain acme\n"),
        ("tenant -- -5", "  tenant: -5\n"),
        ("tenant https://acme.example.com", "  tenant: https://acme.example.com\n"),
        // It may read a secret: nothing says that it is none.
        ("tenant x-{{client_secret}}", "  tenant: \"x-{{client_secret}}\"\n"),
    ] {
        let (set, value) = arguments.split_once(" -- ").map_or((arguments, None), |(name, value)| (name, Some(value)));
        let mut runner = project().arg("set").args(["--env", "dev"]).args(set.split(' '));
        if let Some(value) = value {
            runner = runner.args(["--", value]);
        }
        let name = arguments.split([' ', '=']).next().unwrap();
        let ran = runner.expect_stdout(&format!("set `{name}` in environments/dev.local.yaml\n")).run();
        assert_eq!(local(&ran), LOCAL.replace("3000'\n", &format!("3000'\n{line}")), "{arguments}");
        assert_eq!(ran.read("environments/dev.yaml"), crate::support::runner::unindented(DEV));
        // It is read back as it was meant, and what it reads keeps it secret.
        let shown = ran.again().args(["env", "show", "tenant", "page_size", "--env", "dev"]).run_passing();
        assert_no_secret(shown.all_output(), SECRET);
    }
    let ran = project().args(["set", "api_url", "https://other.example.com", "--env", "dev"]);
    let ran = ran.expect_stdout("set `api_url` in environments/dev.local.yaml\n").run();
    assert_eq!(local(&ran), LOCAL.replace("'http://localhost/3000'", "https://other.example.com"));
}

#[test]
fn a_template_that_does_not_work_is_not_set() {
    for (value, stderr) in [
        (
            "{{ api_ulr }}/x",
            "
            error: undefined variable `api_ulr`
             --> VALUE:1:4
              |
            1 | {{ api_ulr }}/x
              |    ^^^^^^^ did you mean `api_url`?
            ",
        ),
        (
            "{{ api_url",
            "
            error: `{{` is never closed
             --> VALUE:1:1
              |
            1 | {{ api_url
              | ^^ expected `}}`
            ",
        ),
    ] {
        let ran = project().args(["set", "tenant", value, "--env", "dev"]).expect_exit(2).expect_stderr(stderr).run();
        assert_eq!(local(&ran), LOCAL);
    }
}

/// Whatever makes it a secret, and however the value is written.
#[test]
fn a_secret_is_never_taken_from_the_command_line() {
    let history = "what was typed stands in the shell's history now, and others on this machine could read it";
    for (name, why) in [
        ("client_secret", None),
        ("api_key", None),
        ("pem", None),
        ("code", None),
        ("some_password", Some("secret: by its name; `some_password: !plain …` in the environment says that it is none")),
        ("access_token", Some("secret: what is stored under this name is one")),
        (
            "user",
            Some(
                "secret: text in the local file at environments/dev.local.yaml:2; `!plain` before its value there says that it is none",
            ),
        ),
    ] {
        for form in ["NAME VALUE", "NAME=VALUE", "NAME -- VALUE"] {
            let form = form.replace("NAME", name).replace("VALUE", "hunter2-typed");
            let why = why.map(|why| format!("  = help: {why}\n")).unwrap_or_default();
            let ran = project()
                .file("environments/dev.local.yaml", "variables:\n  user: someone\nstored: {access_token: abcdefgh}\n")
                .args(["set", "--env", "dev"])
                .args(form.split(' '))
                .expect_exit(2)
                .expect_stderr(&format!(
                    "error: `{name}` is a secret and is not taken from the command line\n  \
                     = help: write `runner env set {name} --env dev` and type the value when asked, or send it to standard input\n  \
                     = help: {history}\n{why}"
                ))
                .run();
            assert_no_secret(ran.all_output(), "hunter2-typed");
            assert_no_secret(local(&ran), "hunter2-typed");
        }
    }
    // What says of itself that it is none is none.
    project()
        .file("environments/dev.yaml", "variables: {public_key: !plain abc}\n")
        .args(["set", "public_key", "def", "--env", "dev"])
        .expect_stdout("set `public_key` in environments/dev.local.yaml\n")
        .run();
}

/// The parser of the command line would repeat what it does not know.
#[test]
fn no_message_repeats_a_piece_of_a_value() {
    for arguments in [
        &["client_secret", "hunter2-typed", "more"][..],
        &["client_secret=hunter2-typed", "hunter2-typed"],
        &["client_secret", "--hunter2-typed"],
        &["client_secret", "--env-hunter2-typed"],
        &["client_secret", "-xhunter2-typed"],
        &["client_secret", "--", "-x", "hunter2-typed"],
        &["--hunter2-typed"],
    ] {
        let ran = project().arg("set").args(arguments.iter().copied()).run_unchecked();
        assert_eq!(ran.exit, 2, "{arguments:?}: {}", ran.all_output());
        assert!(!ran.all_output().contains("hunter2"), "{arguments:?}: {}", ran.all_output());
    }
}

#[test]
fn a_secret_comes_from_standard_input() {
    for (given, line) in [
        ("s3cr3t-value", "  client_secret: s3cr3t-value # from the console\n"),
        ("s3cr3t-value\n", "  client_secret: s3cr3t-value # from the console\n"),
        ("s3cr3t-value\r\n", "  client_secret: s3cr3t-value # from the console\n"),
        ("007", "  client_secret: \"007\" # from the console\n"),
        // Values of the file are templates; this is none.
        ("a{{b}}c{%d", "  client_secret: \"{% raw %}a{{b}}c{%d{% endraw %}\" # from the console\n"),
        (
            "-----BEGIN-----\nx: #y\\\"\n-----END-----\n\n",
            "  client_secret: \"-----BEGIN-----\\nx: #y\\\\\\\"\\n-----END-----\\n\" # from the console\n",
        ),
    ] {
        let ran = project()
            .args(["set", "client_secret", "--env", "dev"])
            .stdin(given)
            .expect_stdout("set `client_secret` in environments/dev.local.yaml\n");
        let ran = if given.len() < 4 {
            ran.expect_stderr(
                "warning: the secret `client_secret` is shorter than 4 characters and can't be masked in the output\n",
            )
        } else {
            ran
        };
        let ran = ran.run();
        let expected = LOCAL.replace("  client_secret: hunter2-of-the-test # from the console\n", line);
        assert_eq!(local(&ran), expected, "{given:?}");
    }
    project()
        .args(["set", "client_secret", "--env", "dev"])
        .expect_exit(2)
        .expect_stderr(
            "
            error: standard input holds no value for `client_secret`, so nothing was changed
              = help: send it one (`… | runner env set client_secret`), or run this on a terminal to be asked
            ",
        )
        .run();
}

/// What was set is what a request gets, sign by sign.
#[test]
fn a_secret_is_sent_as_it_was_given() {
    use crate::support::server::{Answer, Server};
    let server = Server::start(|_| Answer::json(200, "{}"));
    for secret in [
        "plain-secret",
        "a{{b}}c",
        "{% raw %}",
        "{# no comment #} x",
        "' \"\\ : #{",
        " spaces ",
        "multi\nline\n",
        "{{{{",
        "12345",
    ] {
        let ran = project()
            .file("environments/dev.yaml", format!("variables: {{api_url: '{}', client_secret: !secret }}\n", server.url()))
            .file("a.yaml", "requests: [{url: '{{ api_url }}', json: {s: '{{ client_secret }}'}}]\n")
            .file("environments/dev.local.yaml", "")
            .args(["set", "client_secret", "--env", "dev"])
            .stdin(format!("{secret}\n"))
            .run_passing();
        ran.again().args(["a.yaml", "--env", "dev"]).run_passing();
        let sent: serde_json::Value = serde_json::from_str(&server.requests().pop().unwrap().text()).unwrap();
        assert_eq!(sent["s"], secret, "{}", local(&ran));
    }
}

#[test]
fn what_is_worth_knowing_about_a_value_that_was_set_is_said() {
    let ran = project()
        .args(["set", "tennant", "acme", "--env", "dev"])
        .expect_stdout("set `tennant` in environments/dev.local.yaml\n")
        .expect_stderr(
            "
            note: no file of the environment declares `tennant`, so its text is taken for a secret
              = help: did you mean `tenant`? `runner env unset tennant --env dev` takes this one away
            ",
        )
        .run();
    assert!(local(&ran).contains("  tennant: acme\n"));
    project()
        .args(["set", "zzz", "5", "--env", "dev"])
        .expect_stdout("set `zzz` in environments/dev.local.yaml\n")
        .expect_stderr(
            "
            note: no file of the environment declares `zzz`
              = help: declare it in environments/dev.yaml: `zzz:`, or `zzz: !secret`
            ",
        )
        .run();
    project()
        .args(["set", "expires_at", "5", "--env", "dev"])
        .env_var("RUNNER_VAR_expires_at", "6")
        .expect_stdout("set `expires_at` in environments/dev.local.yaml\n")
        .expect_stderr(
            "
            note: no file of the environment declares `expires_at`
              = help: declare it in environments/dev.yaml: `expires_at:`, or `expires_at: !secret`

            warning: `expires_at` is also stored, and the value that was set comes first
              = help: a request that stores it is refused as long as it is set
              = help: take both away with `runner env unset expires_at --env dev`

            warning: the process variable RUNNER_VAR_expires_at comes first while it is set
            ",
        )
        .run();
}

#[test]
fn the_files_are_made_when_they_are_missing() {
    let ran = Runner::new()
        .file("environments/dev.yaml", "variables: {client_secret: !secret }\n")
        .args(["env", "set", "client_secret", "--env", "dev"])
        .stdin(SECRET)
        .expect_stdout("set `client_secret` in environments/dev.local.yaml, a new file\n")
        .expect_stderr("note: made `environments/.gitignore`, so that git leaves local files alone\n")
        .run();
    assert_eq!(local(&ran), format!("variables:\n  client_secret: {SECRET}\n"));
    assert_eq!(ran.read("environments/.gitignore"), "*.local.*\n.*.lock\n");
    let mode = fs::metadata(ran.path("environments/dev.local.yaml")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn nothing_is_written_where_git_would_take_it() {
    for arguments in ["set client_secret --env dev", "unset client_secret --env dev"] {
        let ran = project()
            .file(".git/HEAD", "ref: refs/heads/main\n")
            .file(".git/objects/x", "")
            .file(".git/refs/x", "")
            .file("environments/.gitignore", "nothing\n")
            .args(arguments.split(' '))
            .stdin("another-secret")
            .expect_exit(6)
            .expect_stderr(
                "
                error: `environments/dev.local.yaml` is not ignored by git, so no secret is written to it
                  = help: add this line to the .gitignore beside it: *.local.*
                ",
            )
            .run();
        assert_eq!(local(&ran), LOCAL);
    }
}

#[test]
fn values_are_taken_out_of_both_sections() {
    let ran = project()
        .args(["unset", "client_secret", "access_token", "--env", "dev"])
        .expect_stdout(
            "
            took `client_secret` out of `variables` in environments/dev.local.yaml
            took `access_token` out of `stored` in environments/dev.local.yaml
            ",
        )
        .run();
    let left = local(&ran);
    assert_no_secret(&left, SECRET);
    assert_no_secret(&left, "token-of-an-earlier-run");
    for kept in ["# mine\n", "  api_url: 'http://localhost/3000'\n", "stored: # kept by runner\n", "  expires_at: 17\n"] {
        assert!(left.contains(kept), "{kept:?} in {left}");
    }
    project()
        .file("environments/dev.local.yaml", "variables: {x: aaaa}\nstored: {x: bbbb}\n")
        .args(["unset", "x", "--env", "dev"])
        .expect_stdout("took `x` out of `variables` and `stored` in environments/dev.local.yaml\n")
        .run();
}

/// A value that keeps every run from starting can be set anew.
#[test]
fn a_broken_value_can_be_mended() {
    let ran = project()
        .file("environments/dev.local.yaml", "variables:\n  client_secret: 'a{{b'\n")
        .args(["set", "client_secret", "--env", "dev"])
        .stdin("a{{b")
        .expect_stdout("set `client_secret` in environments/dev.local.yaml\n")
        .run();
    ran.again().args(["env", "show", "client_secret", "--env", "dev"]).run_passing();
}

/// What a run would ask for is not asked for here, and hides what it would hide.
#[test]
fn a_secret_of_the_command_line_is_not_asked_for() {
    project()
        .args(["show", "api_url", "--env", "dev", "--secret", "api_url"])
        .expect_stdout(
            "
            dev  environments/dev.yaml + environments/dev.local.yaml

            variables
              api_url  ***  --secret
                       secret: given as one
                       overrides environments/dev.local.yaml:4, environments/dev.yaml:3, environments/base.yaml:1
            ",
        )
        .run();
}

#[test]
fn nothing_passes_for_a_command_of_a_ci_system() {
    let runner = Runner::new()
        .file("environments/dev.yaml", "variables: {x: '##[error]x'}\nauth: {'::error::x': {bearer: y}}\n")
        .file("a.yaml", "requests: [{name: A, url: 'https://a.example.com/##[error]x'}]\n")
        .env_var("CI", "1");
    let ran = runner.args(["env", "show", "--env", "dev"]).run_unchecked();
    assert!(ran.stdout.contains("  : :error::x") && ran.stdout.contains("## [error]x"), "{}", ran.stdout);
    let ran = ran.again().env_var("CI", "1").args(["explain", "a.yaml", "--env", "dev"]).run_unchecked();
    assert!(ran.stdout.contains("## [error]x") && !ran.stdout.contains("##[error]"), "{}", ran.all_output());
}
