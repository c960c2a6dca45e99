//! Environments: which file a name means, which layer wins, when a variable is evaluated, and what an environment may see.

use crate::support::runner::{Ran, Runner};
use crate::support::server::{Answer, Server};

fn server() -> Server {
    Server::start(|request| match request.path.as_str() {
        "/captured" => Answer::json(200, r#"{"v": "captured"}"#),
        "/other" => Answer::json(200, r#"{"v": "other"}"#),
        _ => Answer::json(200, "{}"),
    })
}

/// A project with these files; `URL` in them is the address of the server.
fn project(server: &Server, files: &[(&str, &str)]) -> Runner {
    let mut runner = Runner::new();
    for (path, text) in files {
        runner = runner.file(path, text.replace("URL", &server.url()));
    }
    runner.arg("c.yaml")
}

/// Sends what `body` gives, an expression or several.
fn sending(body: &str) -> String {
    format!("requests: [{{url: 'URL/', json: {body}}}]")
}

#[track_caller]
fn sent(server: &Server) -> serde_json::Value {
    serde_json::from_str(&server.requests().pop().expect("a request").text()).unwrap()
}

/// The first finding, without its place and picture.
fn first(ran: &Ran) -> &str {
    ran.stderr.lines().next().unwrap_or_default()
}

/// Every layer beats those before it.
#[test]
fn the_higher_layer_wins() {
    let layers = ["collection", "stored", "base", "later base", "environment", "local", "RUNNER_VAR", "--var", "captured"];
    for highest in 0..layers.len() {
        let server = server();
        // The values of the layers up to `highest`; an empty text leaves the name out.
        let at = |layer: usize, text: &str| if layer <= highest { text.to_owned() } else { String::new() };
        let base = |layer: usize| format!("variables: {{{}}}\n", at(layer, &format!("v: '{}'", layers[layer])));
        let capture = at(8, "capture: {v: $.v}");
        let mut runner = project(&server, &[
            ("environments/one.yaml", &base(2)),
            ("environments/two.yaml", &base(3)),
            ("environments/dev.yaml", &format!("extends: [one.yaml, two.yaml]\n{}", base(4).replace('{', "{u: URL, "))),
            (
                "environments/dev.local.yaml",
                &format!("{}{}", base(5).replace("{}", ""), at(1, "stored: {v: stored}\n")),
            ),
            (
                "c.yaml",
                &format!(
                    "variables: {{v: collection}}\nrequests:\n  - {{url: 'URL/captured', {capture}}}\n  - {{url: 'URL/', json: '{{{{ v }}}}'}}\n"
                ),
            ),
        ])
        .args(["--env", "dev"]);
        if highest >= 6 {
            runner = runner.env_var("RUNNER_VAR_v", "RUNNER_VAR");
        }
        if highest >= 7 {
            runner = runner.arg("--var=v=--var");
        }
        let ran = runner.run_unchecked();
        assert_eq!(ran.exit, 0, "{}", ran.all_output());
        assert_eq!(sent(&server), layers[highest]);
    }
}

#[test]
fn a_secret_of_the_command_line_beats_a_variable() {
    let server = server();
    let ran = project(
        &server,
        &[
            ("environments/dev.yaml", "variables: {v: a-text, u: URL}"),
            ("environments/dev.local.yaml", "variables: {v: b-text}"),
            ("c.yaml", &sending("'{{ v }}'")),
        ],
    )
    .args(["--env", "dev", "--var", "v=c", "--secret", "v"])
    .env_var("RUNNER_SECRET_v", "00123")
    .run_passing();
    // Read as text, whatever it looks like.
    assert_eq!(sent(&server), "00123", "{}", ran.all_output());
}

#[test]
fn a_declaration_without_a_value_hides_nothing() {
    for (what, declared, lower) in [
        ("no value", "v:", "variables: {v: lower}"),
        ("a secret to be set", "v: !secret", "variables: {v: lower}"),
        ("a process variable that is not set", "v: !env NOT_SET", "variables: {v: lower}"),
        ("a file that is not there", "v: !file none.txt", "variables: {v: lower}"),
    ] {
        let server = server();
        project(
            &server,
            &[
                ("environments/base.yaml", lower),
                ("environments/dev.yaml", &format!("extends: base.yaml\nvariables:\n  u: URL\n  {declared}\n")),
                ("c.yaml", &sending("'{{ v }}'")),
            ],
        )
        .args(["--env", "dev"])
        .run_passing();
        assert_eq!(sent(&server), "lower", "{what}");
        project(
            &server,
            &[
                ("environments/dev.yaml", &format!("variables:\n  u: URL\n  {declared}\n")),
                ("c.yaml", &format!("variables: {{v: lowest}}\n{}", sending("'{{ v }}'"))),
            ],
        )
        .args(["--env", "dev"])
        .run_passing();
        assert_eq!(sent(&server), "lowest", "{what}");
    }
}

/// Variables and definitions merge by name, hosts join.
#[test]
fn an_environment_extends_others() {
    let foreign = Server::start(|_| Answer::json(200, "{}"));
    let host = foreign.url().replace("http://", "");
    let server = server();
    let runner = project(
        &server,
        &[
            (
                "shared/base.yaml",
                &format!(
                    "
            extends: deep/lowest.yaml
            variables: {{a: base, b: base, api_url: URL}}
            auth: {{one: {{bearer: base-one}}, two: {{api_key: {{header: X-Two, value: '{{{{ c }}}}'}}}}}}
            hosts: ['{host}']
            "
                ),
            ),
            ("shared/deep/lowest.yaml", "variables: {a: lowest, d: lowest, f: !file key.txt}"),
            ("shared/deep/key.txt", "text of the file\n"),
            (
                "environments/dev.yaml",
                "
            extends: ../shared/base.yaml
            variables: {b: own, c: own, k: !secret }
            auth: {one: {bearer: own-one}}
            hosts: [elsewhere.test]
            ",
            ),
            // Only the local file of the environment that was named is read.
            ("shared/base.local.yaml", "variables: {a: hidden}"),
            ("environments/dev.local.yaml", "variables: {k: secret-key}"),
            (
                "c.yaml",
                &format!(
                    "
            requests:
              - {{url: 'URL/', auth: one, json: ['{{{{ a }}}}', '{{{{ b }}}}', '{{{{ c }}}}', '{{{{ d }}}}', '{{{{ f }}}}']}}
              - {{url: 'URL/', auth: two}}
              - {{url: '{}/', body: '{{{{ k }}}}'}}
            ",
                    foreign.url()
                ),
            ),
        ],
    );
    runner.args(["--env", "dev"]).run_passing();
    let requests = server.requests();
    assert_eq!(requests[0].text(), r#"["base","own","own","lowest","text of the file"]"#);
    assert_eq!(requests[0].header("authorization"), Some("Bearer own-one"));
    assert_eq!(requests[1].header("x-two"), Some("own"));
    assert_eq!(foreign.requests()[0].text(), "secret-key");
}

#[test]
fn what_can_not_be_extended_is_told() {
    let server = server();
    let outside = tempfile::NamedTempFile::new().unwrap();
    let outside = outside.path().display().to_string();
    for (extends, exit, told) in [
        ("other.yaml", 2, "error: environments extend one another in a circle"),
        ("dev.yaml", 2, "error: environments extend one another in a circle"),
        ("none.yaml", 2, "error: the environment `environments/none.yaml` does not exist"),
        (&outside, 6, &format!("error: `extends: {outside}` leads out of the project")),
        ("{a: b}", 2, "error: `extends` must be text, not a map"),
    ] {
        let ran = project(
            &server,
            &[
                ("environments/dev.yaml", &format!("extends: {extends}\n")),
                ("environments/other.yaml", "extends: dev.yaml\n"),
                ("c.yaml", "requests: [{url: 'URL/'}]"),
            ],
        )
        .args(["--env", "dev"])
        .run_unchecked();
        assert_eq!((ran.exit, first(&ran)), (exit, told), "{extends}\n{}", ran.stderr);
    }
    assert_eq!(server.connections(), 0);
}

#[test]
fn a_value_comes_from_the_process_or_a_file() {
    let server = server();
    let files: &[(&str, &str)] = &[
        ("environments/dev.yaml", "variables: {u: URL, e: !env MINE, f: !file ../keys/a.txt}"),
        ("keys/a.txt", "one\ntwo\n"),
        ("c.yaml", &sending("['{{ e }}', '{{ f }}']")),
    ];
    project(&server, files).args(["--env", "dev"]).env_var("MINE", "00 x").run_passing();
    assert_eq!(sent(&server), serde_json::json!(["00 x", "one\ntwo"]));
    for (file, variable, told) in [
        ("keys/a.txt", "OTHER", "error: `e` comes from the process variable `MINE`, which is not set"),
        ("keys/b.txt", "MINE", "error: `f` comes from the file `../keys/a.txt`, which does not exist"),
    ] {
        let ran =
            project(&server, &[files[0], (file, "x"), files[2]]).args(["--env", "dev"]).env_var(variable, "x").run_unchecked();
        assert_eq!((ran.exit, first(&ran)), (2, told), "{}", ran.stderr);
    }
    // The shared file reads nothing outside the project; the local one does.
    let outside = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(outside.path(), "from outside").unwrap();
    let tag = format!("variables: {{f: !file {}}}", outside.path().display());
    let shared = [("environments/dev.yaml", tag.as_str()), ("c.yaml", &sending("'{{ f }}'"))];
    let ran = project(&server, &shared).args(["--env", "dev"]).run_unchecked();
    assert_eq!((ran.exit, server.requests().len()), (6, 1), "{}", ran.all_output());
    let local = [("environments/dev.yaml", "variables: {u: URL}"), ("environments/dev.local.yaml", tag.as_str()), shared[1]];
    project(&server, &local).args(["--env", "dev"]).run_passing();
    assert_eq!(sent(&server), "from outside");
}

#[test]
fn a_plain_local_text_may_go_anywhere() {
    let server = server();
    for (tag, exit) in [("", 6), ("!plain ", 0)] {
        let ran = project(
            &server,
            &[
                ("environments/dev.yaml", "variables: {x: 1}"),
                ("environments/dev.local.yaml", &format!("variables: {{user: {tag}my-user-name}}")),
                ("c.yaml", &sending("'{{ user }}'")),
            ],
        )
        .args(["--env", "dev", "-vv"])
        .run_unchecked();
        assert_eq!(ran.exit, exit, "{}", ran.all_output());
        assert_eq!(ran.stdout.contains("my-user-name"), exit == 0, "{}", ran.stdout);
    }
}

/// A name is looked for beside the collection and above; a path is a path.
#[test]
fn the_nearest_environment_of_a_name_is_meant() {
    let at = |place: &str| format!("variables: {{v: {place}}}");
    let files = [
        (".git/HEAD", "ref: refs/heads/main\n".to_owned()),
        ("environments/dev.yaml", at("root")),
        ("environments/top.yml", at("top")),
        ("a/environments/dev.yaml", at("a")),
        ("a/b/c.yaml", sending("'{{ v }}'")),
        ("a/b/deep/environments/dev.yaml", at("deep")),
        ("c.yaml", sending("'{{ v }}'")),
        ("elsewhere/mine.yaml", at("elsewhere")),
    ];
    for (collection, environment, expected) in [
        ("a/b/c.yaml", "dev", "a"),
        ("a/b/c.yaml", "top", "top"),
        ("c.yaml", "dev", "root"),
        ("a/b/c.yaml", "environments/dev.yaml", "root"),
        ("a/b/c.yaml", "./a/b/deep/environments/dev.yaml", "deep"),
        ("c.yaml", "elsewhere/mine.yaml", "elsewhere"),
    ] {
        let server = server();
        let mut runner = Runner::new();
        for (path, text) in &files {
            runner = runner.file(path, text.replace("URL", &server.url()));
        }
        runner.args([collection, "--env", environment]).run_passing();
        assert_eq!(sent(&server), expected, "{collection} {environment}");
    }
}

#[test]
fn an_unknown_environment_lists_what_there_is() {
    let files = [
        ("environments/dev.yaml", ""),
        ("environments/prod.yaml", ""),
        ("environments/dev.local.yaml", ""),
        ("c.yaml", "requests: []"),
    ];
    let server = server();
    let run = |name: &str| project(&server, &files).args(["--env", name]);
    run("prd")
        .expect_exit(2)
        .expect_stderr(
            "
            error: unknown environment `prd`
              = help: did you mean `prod`?
              = help: environments: dev, prod
            ",
        )
        .run();
    run("zzzzzz")
        .expect_exit(2)
        .expect_stderr(
            "
            error: unknown environment `zzzzzz`
              = help: environments: dev, prod
            ",
        )
        .run();
    run("none/dev.yaml").expect_exit(2).expect_stderr("error: there is no environment file `none/dev.yaml`\n").run();
}

/// What no request reads is not looked at, however broken.
#[test]
fn only_what_is_read_is_evaluated() {
    let server = server();
    project(&server, &[
        ("environments/dev.yaml", "
            variables:
              v: fine
              broken: \"{{ v | int }}\"
              gone: !file none.txt
              unset: !env NOT_SET
              secret: !secret
              asked: !prompt A word
              open:
            "),
        ("c.yaml", "
            variables: {also_broken: \"{{ v.x.y }}\", reads_unset: '{{ secret }}'}
            requests:
              - {url: 'URL/', json: ['{{ v }}', '{{ secret is defined }}', '{{ gone is defined }}', '{{ asked is defined }}', '{{ open is defined }}']}
            "),
    ])
    .args(["--env", "dev"])
    .run_passing();
    assert_eq!(sent(&server), serde_json::json!(["fine", false, false, false, false]));
}

#[test]
fn a_variable_is_evaluated_once() {
    let server = server();
    project(&server, &[
        ("environments/dev.yaml", "variables: {id: '{{ uuid() }}', same: '{{ id }}'}"),
        ("c.yaml", "
            variables: {own: '{{ uuid() }}', mixed: '{{ uuid() }} {{ v | default(value=0) }}'}
            requests:
              - {url: 'URL/', json: ['{{ id }}', '{{ same }}', '{{ own }}', '{{ mixed }}', '{{ mixed }}']}
              - {url: 'URL/captured', method: POST, json: ['{{ id }}', '{{ same }}', '{{ own }}', '{{ mixed }}', '{{ mixed }}'], capture: {v: $.v}}
              - {url: 'URL/', json: ['{{ id }}', '{{ same }}', '{{ own }}', '{{ mixed }}', '{{ mixed }}']}
            "),
    ])
    .args(["--env", "dev"])
    .run_passing();
    let bodies: Vec<Vec<String>> =
        server.requests().iter().map(|request| serde_json::from_str(&request.text()).unwrap()).collect();
    assert_eq!(bodies[0], bodies[1]);
    assert_eq!(bodies[1][..3], bodies[2][..3]);
    assert_eq!((&bodies[0][0], &bodies[0][3]), (&bodies[0][1], &bodies[0][4]));
    assert_ne!(bodies[0][0], bodies[0][2]);
    // A variable of the collection is evaluated again when a capture that it reads changes.
    assert_ne!(bodies[1][3], bodies[2][3]);
    assert!(bodies[2][3].ends_with(" captured"), "{bodies:?}");
}

#[test]
fn types_are_kept_where_a_value_stands_alone() {
    let server = server();
    let variables = "n: 5, f: 1.5, b: true, z: null, t: '5', l: [1, x], m: {a: [2]}, code: 01234, version: 1.10, hex: 0x1F, y: yes, big: 12345678901234567890123";
    project(&server, &[
        ("environments/dev.yaml", &format!("variables: {{{variables}, next: '{{{{ n + 1 }}}}', copy: '{{{{ m }}}}', text: 'n{{{{ n }}}}'}}")),
        ("c.yaml", &sending("{n: '{{ n }}', f: '{{ f }}', b: '{{ b }}', t: '{{ t }}', l: '{{ l }}', m: '{{ m }}', c: '{{ copy }}', next: '{{ next }}', \
             code: '{{ code }}', version: '{{ version }}', y: '{{ y }}', text: '{{ text }}', big: '{{ big }}', hex: '{{ hex }}'}")),
    ])
    .args(["--env", "dev"])
    .run_passing();
    let expected = serde_json::json!({
        "n": 5, "f": 1.5, "b": true, "t": "5", "l": [1, "x"], "m": {"a": [2]}, "c": {"a": [2]}, "next": 6,
        "code": "01234", "version": "1.10", "y": "yes", "text": "n5", "big": "12345678901234567890123", "hex": "0x1F",
    });
    assert_eq!(sent(&server), expected);
}

#[test]
fn values_of_the_command_line_are_read_like_a_plain_scalar() {
    for (given, expected) in [
        ("50", serde_json::json!(50)),
        ("1.5", serde_json::json!(1.5)),
        ("true", serde_json::json!(true)),
        ("01234", serde_json::json!("01234")),
        ("1.10", serde_json::json!("1.10")),
        ("", serde_json::json!("")),
        ("yes", serde_json::json!("yes")),
        ("a: b # c", serde_json::json!("a: b # c")),
        ("[1, 2]", serde_json::json!("[1, 2]")),
        ("{{ secret }}", serde_json::json!("{{ secret }}")),
        ("a=b", serde_json::json!("a=b")),
        (" 5", serde_json::json!(" 5")),
    ] {
        let server = server();
        let files = [("environments/dev.yaml", "variables: {v: 1}"), ("c.yaml", &sending("'{{ v }}'"))];
        project(&server, &files).args(["--env", "dev"]).arg(format!("--var=v={given}")).run_passing();
        assert_eq!(sent(&server), expected, "--var {given}");
        project(&server, &files).args(["--env", "dev"]).env_var("RUNNER_VAR_v", given).run_passing();
        assert_eq!(sent(&server), expected, "RUNNER_VAR_v {given}");
    }
}

#[test]
fn an_environment_sees_only_itself() {
    let server = server();
    for (what, name, local) in [
        ("a variable of the collection", "own", ""),
        ("a captured value", "captured", ""),
        ("a stored value", "earlier", "stored: {earlier: x}"),
        ("nothing", "nowhere", ""),
    ] {
        let ran = project(
            &server,
            &[
                ("environments/dev.yaml", &format!("variables: {{v: '{{{{ {name} }}}}'}}")),
                ("environments/dev.local.yaml", local),
                (
                    "c.yaml",
                    "
                variables: {own: 1}
                requests: [{url: 'URL/captured', capture: {captured: $.v}}, {url: 'URL/', json: '{{ v }}'}]
                ",
                ),
            ],
        )
        .args(["--env", "dev"])
        .run_unchecked();
        assert_eq!(
            (ran.exit, first(&ran)),
            (2, format!("error: undefined variable `{name}`").as_str()),
            "{what}\n{}",
            ran.stderr
        );
        assert!(ran.stderr.contains("--> environments/dev.yaml:1:20"), "{}", ran.stderr);
    }
    assert_eq!(server.connections(), 0);
    // The command line and the local file are part of it; a collection variable of the same name changes nothing.
    let ran = project(
        &server,
        &[
            ("environments/dev.yaml", "variables: {v: '{{ own }} {{ mine }}', own:, mine: }"),
            ("environments/dev.local.yaml", "variables: {mine: http://local.test}"),
            ("c.yaml", &format!("variables: {{own: collection}}\n{}", sending("'{{ v }}'"))),
        ],
    )
    .args(["--env", "dev", "--var", "own=given"])
    .run_passing();
    assert_eq!(sent(&server), "given http://local.test", "{}", ran.all_output());
}

#[test]
fn a_circle_of_variables_is_shown() {
    let server = server();
    let ran = project(
        &server,
        &[
            ("environments/dev.yaml", "variables: {a: '{{ b }}', b: '{{ c.x }}', c: {x: '{{ a }}'}}"),
            (
                "c.yaml",
                "
            variables: {d: '{{ e }}', e: '{{ d }}'}
            requests: [{url: 'URL/'}]
            ",
            ),
        ],
    )
    .args(["--env", "dev"])
    .run_unchecked();
    assert_eq!((ran.exit, server.connections()), (2, 0));
    assert!(ran.stderr.contains("a → b → c → a"), "{}", ran.stderr);
    assert!(ran.stderr.contains("d → e → d"), "{}", ran.stderr);
}

/// What must be set and is not is told before the first byte, with the ways to give it.
#[test]
fn what_must_be_set_is_asked_for_before_anything_is_sent() {
    let server = server();
    let files = [
        (
            "environments/dev.yaml",
            "
            variables:
              tenant:
              client_secret: !secret
              derived: 'x{{ client_secret }}'
            ",
        ),
        (
            "c.yaml",
            "
            requests:
              - {url: 'URL/'}
              - {url: 'URL/{{ tenant }}'}
              - {url: 'URL/', body: '{{ derived }}'}
            ",
        ),
    ];
    let url = server.url();
    let expected = "
        error: the variable `tenant` has no value
         --> c.yaml:3:INDENT1
          |
        3 |   - {url: 'URL/{{ tenant }}'}
          |            PAD    ^^^^^^ needed here, declared at environments/dev.yaml:2:3
          |
          = help: give it with `--var tenant=…`, or the process variable RUNNER_VAR_tenant, or `tenant: …` under `variables:` in environments/dev.local.yaml

        error: the secret `client_secret` is not set
         --> c.yaml:4:INDENT2
          |
        4 |   - {url: 'URL/', body: '{{ derived }}'}
          |            PAD              ^^^^^^^ needed here, declared at environments/dev.yaml:3:3
          |
          = help: give it with `--secret client_secret`, or the process variable RUNNER_SECRET_client_secret, or `client_secret: …` under `variables:` in environments/dev.local.yaml

        2 mistakes; nothing was sent
        ";
    let expected = expected
        .replace("INDENT1", &(url.len() + 16).to_string())
        .replace("INDENT2", &(url.len() + 26).to_string())
        .replace("PAD", &" ".repeat(url.len()))
        .replace("URL", "http://127.0.0.1:[port]");
    project(&server, &files).args(["--env", "dev"]).expect_exit(2).expect_stderr(&expected).run();
    assert_eq!(server.connections(), 0);
    let ran = project(&server, &files)
        .args(["--env", "dev", "--var", "tenant=t", "--allow-host"])
        .arg(server.url())
        .env_var("RUNNER_SECRET_client_secret", "s3cr3t")
        .run_passing();
    assert_eq!(server.lines(), ["GET /", "GET /t", "POST /"], "{}", ran.all_output());
}

/// Only a request that surely runs asks; one whose `when` is decided, or that an answer decides, does not.
#[test]
fn a_request_that_may_not_run_asks_for_nothing() {
    let server = server();
    let files = |second: &str| {
        [
            ("environments/dev.yaml".to_owned(), "variables: {pin: !secret , flag: false}".to_owned()),
            ("c.yaml".to_owned(), format!("requests:\n  - {{url: 'URL/captured', capture: {{v: $.v}}}}\n  - {second}\n")),
        ]
    };
    for (second, exit, lines) in [
        ("{url: 'URL/', body: '{{ pin }}', when: flag}", 0, 1),
        ("{url: 'URL/', body: '{{ pin }}', when: pin is defined}", 0, 1),
        ("{url: 'URL/', body: '{{ pin }}', when: v == 'none'}", 0, 1),
        ("{url: 'URL/', body: '{{ pin | default(value=1) }}', when: v == 'captured'}", 0, 2),
        ("{url: 'URL/', body: '{{ pin }}', when: v == 'captured'}", 1, 1),
        ("{url: 'URL/', body: '{{ pin }}', when: not flag}", 2, 0),
        ("{url: 'URL/', body: '{{ pin }}'}", 2, 0),
    ] {
        let server_of_row = Server::start(|_| Answer::json(200, r#"{"v": "captured"}"#));
        let owned = files(second);
        let borrowed: Vec<(&str, &str)> = owned.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
        let ran = project(&server_of_row, &borrowed).args(["--env", "dev"]).run_unchecked();
        assert_eq!((ran.exit, server_of_row.lines().len()), (exit, lines), "{second}\n{}", ran.all_output());
    }
    assert_eq!(server.connections(), 0);
}

#[test]
fn what_this_version_can_not_do_yet_is_said() {
    let server = server();
    let environment = ("environments/dev.yaml", "variables: {code: !prompt The code}");
    let ran = project(&server, &[environment, ("c.yaml", "requests: [{url: 'URL/', body: '{{ code }}'}]")])
        .args(["--env", "dev"])
        .run_unchecked();
    let told = "error: `code` would have to be asked for, and this version of runner can't do that yet";
    assert_eq!((ran.exit, first(&ran)), (2, told), "{}", ran.stderr);
    // What no request uses is no obstacle.
    project(&server, &[environment, ("c.yaml", "requests: [{url: 'URL/'}]")]).args(["--env", "dev"]).run_passing();
}

#[test]
fn a_secret_is_asked_for_on_a_terminal_only() {
    let server = server();
    project(&server, &[("environments/dev.yaml", "variables: {pin: !secret }"), ("c.yaml", "requests: [{url: 'URL/'}]")])
        .args(["--env", "dev", "--secret", "pin"])
        .expect_exit(2)
        .expect_stderr(
            "
            error: the secret `pin` can't be asked for: there is no terminal
              = help: set the process variable RUNNER_SECRET_pin
            ",
        )
        .run();
}

/// A variable that nothing read was probably misspelt.
#[test]
fn a_variable_that_nothing_read_is_told() {
    for (what, collection, unused) in [
        ("not at all", "requests: [{url: 'URL/'}]", true),
        ("by a request that was skipped", "requests: [{url: 'URL/'}, {url: 'URL/', body: '{{ v }}', when: 1 == 2}]", true),
        ("in a body", "requests: [{url: 'URL/', body: '{{ v }}'}]", false),
        ("in a condition", "requests: [{url: 'URL/', when: v == 1}]", false),
        ("in an assertion", "requests: [{url: 'URL/', assert: {status: 200, that: [v == 1]}}]", false),
        ("in a matcher", "requests: [{url: 'URL/captured', assert: {json: {$.v: {not_equals: '{{ v }}'}}}}]", false),
        ("in a capture", "requests: [{url: 'URL/', capture: {x: {value: '{{ v }}{{ response.status }}'}}}]", false),
        ("in a default", "requests: [{url: 'URL/', capture: {x: {json: $.x, default: '{{ v }}'}}}]", false),
        ("by a variable of the environment", "requests: [{url: 'URL/', body: '{{ reads_v }}'}]", false),
        (
            "by a variable of the collection",
            "
            variables: {a: '{{ b }}', b: '{{ v }}'}
            requests: [{url: 'URL/', body: '{{ a }}'}]
            ",
            false,
        ),
        ("by a definition", "requests: [{url: 'URL/', auth: named}]", false),
    ] {
        let server = server();
        let environment = "variables: {v: 0, reads_v: '{{ v }}'}\nauth: {named: {bearer: '{{ v }}'}}\n";
        let ran = project(&server, &[("environments/dev.yaml", environment), ("c.yaml", collection)])
            .args(["--env", "dev", "--var", "v=1"])
            .run_unchecked();
        let warning = if unused { "warning: `v` was given, and no request that was sent reads it" } else { "" };
        assert_eq!((ran.exit, ran.stderr.trim()), (0, warning), "{what}\n{}", ran.all_output());
    }
}

#[test]
fn mistakes_in_an_environment_are_told_together() {
    let server = server();
    let files = [
        (
            "environments/dev.yaml",
            "
            varables: {}
            variables:
              1x: a
              response: b
              s: !secrt x
              t: {a: !secret }
              client_secret: !secret here
            sandbox: bx
            auth: {a: {berer: x}}
            ",
        ),
        ("c.yaml", "requests: [{url: 'URL/'}]"),
    ];
    let ran = project(&server, &files).args(["--env", "dev"]).run_unchecked();
    let told: Vec<&str> = ran.stderr.lines().filter(|line| line.starts_with("error")).collect();
    assert_eq!(
        told,
        [
            "error: unknown key `varables` in an environment",
            "error: `1x` can't be the name of a variable",
            "error: `response` is reserved and can't be the name of a variable",
            "error: unknown tag `!secrt`",
            "error: the tag `!secret` stands inside the value of `t`",
            "error: the secret `client_secret` has its value in a file that is shared",
            "error: there is no sandbox called `bx`",
            "error: unknown scheme `berer` in `auth`",
        ],
        "{}",
        ran.stderr
    );
    assert!(ran.stderr.contains("did you mean `variables`?") && ran.stderr.contains("did you mean `!secret`?"), "{}", ran.stderr);
    assert_eq!((ran.exit, server.connections()), (2, 0));
}

#[test]
fn mistakes_on_the_command_line_are_told_together() {
    let server = server();
    let ran = project(&server, &[("environments/dev.yaml", ""), ("c.yaml", "requests: [{url: 'URL/'}]")])
        .args(["--env", "dev", "--var", "1x=1", "--var", "row=1", "--var", "alone", "--secret", "a=b"])
        .run_unchecked();
    let told: Vec<&str> = ran.stderr.lines().filter(|line| line.starts_with("error")).collect();
    assert_eq!(
        told,
        [
            "error: `--var 1x=…`: `1x` can't be the name of a variable",
            "error: `--var row=…`: `row` can't be the name of a variable",
            "error: `--var alone` has no value",
            "error: a secret never stands on a command line: others on this machine could read it there",
        ]
    );
    assert_eq!(ran.exit, 2);
}
