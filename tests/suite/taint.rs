//! What follows a secret without being one: pieces of it that an answer repeats, and everything that depends on what it says. Each
//! row would tell the foreign server something of a secret; it must see nothing of it.

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::support::leak::assert_no_secret;
use crate::support::runner::{Ran, Runner};
use crate::support::server::{Answer, Server};

const SECRET: &str = "s3cr3t-value-of-client";

const ENVIRONMENT: &str = "variables: {api_url: OWN, client_id: abc123, client_secret: !secret , short: !secret }";
const LOCAL: &str = "variables: {client_secret: s3cr3t-value-of-client, short: !secret '42'}";

/// An allowed server that repeats what it is sent, and one that nothing names.
struct Project {
    own: Server,
    foreign: Server,
}

impl Project {
    fn new() -> Self {
        let own = Server::start(|request| {
            let query = request.query.clone();
            let name = serde_json::from_slice::<serde_json::Value>(&request.body).unwrap_or_default()["name"].clone();
            let body = serde_json::json!({
                "echo": request.text(), "query": query, "name": name, "id": 7,
                "items": [{"text": request.text(), "id": 1}, {"text": "other", "id": 2}],
            });
            let token = serde_json::json!({"access_token": "token-of-own", "expires_in": 3600, "user": {"id": "u-77"}});
            let answer = Answer::json(200, if request.path == "/token" { token } else { body }.to_string());
            answer.header("X-Echo", request.text()).header("Set-Cookie", format!("sid={}", request.text()))
        });
        Self { own, foreign: Server::start(|_| Answer::json(200, r#"{"id": 7}"#)) }
    }

    fn text(&self, text: &str) -> String {
        text.replace("FOREIGN", &self.foreign.url()).replace("OWN", &self.own.url())
    }

    fn runner(&self, collection: &str) -> Runner {
        Runner::new()
            .file("environments/dev.yaml", self.text(ENVIRONMENT))
            .file("environments/dev.local.yaml", LOCAL)
            .file("c.yaml", self.text(collection))
            .args(["c.yaml", "--env", "dev"])
    }

    #[track_caller]
    fn assert_refused(&self, what: &str, ran: &Ran) {
        self.assert_says(what, ran, "may not go to `FOREIGN`");
    }

    #[track_caller]
    fn assert_says(&self, what: &str, ran: &Ran, says: &str) {
        let said = ran.all_output();
        assert_eq!((ran.exit, self.foreign.connections()), (6, 0), "{what}: {:?}\n{said}", self.foreign.lines());
        assert!(said.contains(&self.text(says)), "{what}\n{said}");
        assert_no_secret(&said, SECRET);
    }
}

/// The allowed server repeats the secret, and the collection cuts the echo into pieces that nobody recognises.
#[test]
fn a_piece_of_an_echo_goes_nowhere_else() {
    for (what, capture) in [
        ("regex on the body", "{body: true, regex: '\"echo\":\"(.{5})'}"),
        ("regex on a path", "{json: $.echo, regex: '^(.{3})'}"),
        ("regex on a list", "{json: '$.items[*].text', regex: '^(.{5})'}"),
        ("regex on a header", "{header: X-Echo, regex: '^(.{5})'}"),
        ("regex on a cookie", "{cookie: sid, regex: '^(.{5})'}"),
        ("one letter", "{json: $.echo, regex: '^(.)'}"),
        ("that is called plain", "{json: $.echo, regex: '^(.{5})', secret: false}"),
        ("slice", "{value: '{{ response.json.echo[0:3] }}'}"),
        ("slice of a value", "{value: '{{ (response.json.echo ~ \"\")[0:3] }}'}"),
        ("truncate", "{value: '{{ response.json.echo | truncate(length=4) }}'}"),
        ("split", "{value: '{{ response.body | split(pat=\"-\") | first }}'}"),
        ("header in a template", "{value: '{{ response.headers[\"x-echo\"] | truncate(length=4) }}'}"),
        ("cookie in a template", "{value: '{{ response.cookies.sid | truncate(length=4) }}'}"),
        ("loop", "{value: '{% for c in response.json.echo | split(pat=\"\") %}{{ c }} {% endfor %}'}"),
        ("digest", "{value: '{{ response.json.echo | sha256 }}'}"),
        ("length", "{value: '{{ response.json.echo | length }}'}"),
        ("a test", "{value: '{% if response.json.echo is starting_with(pat=\"s\") %}1{% else %}0{% endif %}'}"),
        ("a comparison", "{value: '{{ response.json.echo < \"t\" }}'}"),
        ("a member by its name", "{value: '{% set m = {\"s3cr3t-value-of-client\": 1} %}{{ m[response.json.echo] }}'}"),
        ("a filter of a path", "{json: \"$.items[?search(@.text, '^s')].id\"}"),
        ("another place beside the secret", "{body: true, regex: 's3cr.*?\"id\":(\\d+)'}"),
        ("all of the answer", "{value: '{{ response.json | json | truncate(length=12) }}'}"),
    ] {
        let project = Project::new();
        let collection = format!(
            "requests:\n  - {{url: OWN/, body: '{{{{ client_secret }}}}', capture: {{x: {capture}}}}}\n  \
             - {{url: FOREIGN/, json: {{a: '{{{{ x }}}}'}}}}\n"
        );
        project.assert_refused(what, &project.runner(&collection).run_unchecked());
        // Whether it has a value is told by nobody either.
        for test in ["x is defined", "x is undefined", "(x | default(value=1)) == 1"] {
            let project = Project::new();
            let collection = format!(
                "requests:\n  - {{url: OWN/, body: '{{{{ client_secret }}}}', capture: {{x: {capture}}}}}\n  \
                 - {{url: FOREIGN/, query: {{a: '{{{{ {test} }}}}'}}}}\n"
            );
            project.assert_refused(&format!("{what}: {test}"), &project.runner(&collection).run_unchecked());
        }
    }
}

/// What is sent is made so that the masker can't know it again.
#[test]
fn an_echo_of_something_made_of_a_secret_goes_nowhere_else() {
    for (what, request) in [
        ("a piece in the query", "url: OWN/, query: {a: '{{ client_secret | truncate(length=3) }}'}, capture: {x: $.query}"),
        ("a piece in the url", "url: 'OWN/?{{ client_secret | truncate(length=3) }}', capture: {x: $.query}"),
        ("a piece in a text", "url: OWN/, body: '{\"name\": \"{{ client_secret[0:2] }}\"}', capture: {x: $.name}"),
        ("a piece in json", "url: OWN/, json: {name: '{{ client_secret[0:2] }}'}, capture: {x: $.name}"),
        ("one letter", "url: OWN/, json: {name: '{{ client_secret[0:1] }}'}, capture: {x: $.name}"),
        ("a number", "url: OWN/, json: {name: '{{ client_secret | length }}'}, capture: {x: $.name}"),
        ("a test", "url: OWN/, json: {name: '{{ client_secret is starting_with(pat=\"s\") }}'}, capture: {x: $.name}"),
        ("a key", "url: OWN/, json: {'{{ client_secret[0:2] }}': 1}, capture: {x: $.echo}"),
        ("a piece that is cut out of the url", "url: 'OWN/?a={{ client_secret }}', capture: {x: {url: true, regex: 'a=(.{3})'}}"),
        (
            "a piece of the url in a template",
            "url: 'OWN/?a={{ client_secret }}', capture: {x: {value: '{{ response.url | split(pat=\"=\") | last | truncate(length=3) }}'}}",
        ),
        ("a secret too short to be known", "url: OWN/, json: {name: '{{ short }}'}, capture: {x: $.name}"),
        ("captured under another's condition", "url: OWN/, when: client_secret is starting_with(pat=\"s\"), capture: {x: $.id}"),
        ("not captured", "url: OWN/, when: client_secret is starting_with(pat=\"x\"), capture: {x: $.id}"),
        ("not captured since the template fails", "url: 'OWN/{{ {\"x\": 1}[client_secret] }}', capture: {x: $.id}"),
        (
            "not captured since the file is not there",
            "url: OWN/, body: {file: '{{ client_secret[0:1] }}{{ iteration }}.txt'}, capture: {x: $.id}",
        ),
    ] {
        for read in ["'{{ x | default(value=0) }}'", "'{{ x is defined }}'", "'{% if x is defined %}1{% endif %}'"] {
            let project = Project::new();
            let collection = format!("requests: [{{{request}}}, {{url: FOREIGN/, query: {{a: {read}}}}}]");
            project.assert_refused(&format!("{what} {read}"), &project.runner(&collection).run_unchecked());
        }
        let project = Project::new();
        let collection =
            format!("requests: [{{{request}}}, {{url: FOREIGN/, when: x is defined}}, {{url: FOREIGN/, when: x is undefined}}]");
        project.assert_refused(&format!("{what} when"), &project.runner(&collection).run_unchecked());
        // By way of a variable, and of a request between.
        let project = Project::new();
        let collection = format!(
            "{{variables: {{v: '{{{{ x | default(value=0) }}}}'}}, requests: [{{{request}}}, {{url: FOREIGN/, body: '{{{{ v }}}}'}}]}}"
        );
        project.assert_refused(&format!("{what} variable"), &project.runner(&collection).run_unchecked());
        let project = Project::new();
        let collection = format!(
            "requests: [{{{request}}}, {{url: OWN/, query: {{a: '{{{{ x }}}}'}}, capture: {{y: $.id}}}}, \
             {{url: FOREIGN/, body: '{{{{ y | default(value=0) }}}}'}}]"
        );
        project.assert_refused(&format!("{what} between"), &project.runner(&collection).run_unchecked());
    }
}

/// A collection that is needed passes only if the secret says so; whether the next one runs would tell.
#[test]
fn whether_a_needed_collection_passed_is_not_told() {
    for (what, needed) in [
        ("a condition on the secret", "{url: OWN/, assert: {that: 'client_secret is starting_with(pat=\"s\")'}}"),
        ("an operand", "{url: OWN/, assert: {json: {$.name: {not: {equals: '{{ client_secret }}'}}}}}"),
        ("an assertion on an echo", "{url: OWN/, body: '{{ client_secret }}', assert: {json: {$.echo: {starts_with: s}}}}"),
        ("one on the body", "{url: OWN/, body: '{{ client_secret }}', assert: {body: {contains: s3c}}}"),
        ("one on a header", "{url: OWN/, body: '{{ client_secret }}', assert: {headers: {X-Echo: {starts_with: s}}}}"),
        (
            "a condition on an echo",
            "{url: OWN/, body: '{{ client_secret }}', assert: {that: 'response.json.echo is starting_with(pat=\"s\")'}}",
        ),
        (
            "a filter",
            "{url: OWN/, body: '{{ client_secret }}', assert: {json: {\"$.items[?search(@.text, '^s')]\": {exists: true}}}}",
        ),
        ("a capture", "{url: OWN/, body: '{{ client_secret }}', capture: {x: {json: $.echo, regex: '^s(.)'}}}"),
        ("a template that may fail", "{url: 'OWN/{{ {\"s3cr3t-value-of-client\": 1}[client_secret] }}'}"),
        ("one that is left out", "{url: OWN/, when: 'client_secret is starting_with(pat=\"s\")', assert: {json: {$.id: 7}}}"),
    ] {
        for (how, chain) in [("needed", "needed.yaml"), ("behind another", "between.yaml")] {
            let project = Project::new();
            let ran = project
                .runner(&format!("{{needs: [{chain}], requests: [{{url: FOREIGN/}}]}}"))
                .file("between.yaml", project.text("{needs: [needed.yaml], requests: [{url: OWN/}]}"))
                .file("needed.yaml", project.text(&format!("requests: [{needed}]")))
                .run_unchecked();
            let name = chain.trim_end_matches(".yaml");
            project.assert_says(
                &format!("{what}, {how}"),
                &ran,
                &format!("this request would tell `FOREIGN` that `{name}` passed"),
            );
        }
    }
}

#[test]
fn a_refusal_names_what_decided_whether_a_needed_collection_passed() {
    let project = Project::new();
    let needed = "requests: [{url: OWN/}, {url: OWN/, name: Guess, body: '{{ client_secret }}', assert: {json: {$.echo: {starts_with: s}}}}]";
    let address = project.foreign.url();
    let expected = "
        needed (needed)
        ✓ GET    /                                 200 [duration]
        ✓ POST   Guess                             200 [duration]

        c
        ! GET    Tell                              refused
          error: this request would tell `http://127.0.0.1:[port]` that `needed` passed; a secret decided that at `Guess`
           --> c.yaml:3:11
            |
          3 |   - {url: http://127.0.0.1:[port]/, name: Tell}
            |           CARET
            |
            = help: if that may be known there, add `hosts: [127.0.0.1:[port]]` to the environment; `always: true` sends the request whatever became of `needed`

        3 requests: 2 passed, 1 errored in [duration]
        ";
    project
        .runner("\n  needs: [needed.yaml]\n  requests:\n    - {url: FOREIGN/, name: Tell}\n  ")
        .file("needed.yaml", project.text(needed))
        .file("environments/dev.local.yaml", LOCAL.replace("'42'", "long-enough"))
        .expect_exit(6)
        .expect_stdout(&expected.replace("CARET", &"^".repeat(address.len() + 1)))
        .run();
    assert_eq!(project.foreign.connections(), 0);
}

/// What is sent whatever became of the rest does not tell of it by what a request in between gave.
#[test]
fn a_request_that_is_always_sent_tells_nothing_of_a_needed_collection() {
    let project = Project::new();
    let ran = project
        .runner(
            "{needs: [needed.yaml], requests: [{url: OWN/, capture: {x: $.id}}, \
             {url: FOREIGN/, always: true, query: {a: '{{ x is defined }}'}}]}",
        )
        .file("needed.yaml", project.text("requests: [{url: OWN/, assert: {that: 'client_secret is starting_with(pat=\"s\")'}}]"))
        .run_unchecked();
    project.assert_refused("what a request between gave", &ran);
}

/// Names of members tell what a value holds.
#[test]
fn a_test_of_a_member_is_a_test_of_the_value() {
    for test in ["m.s3cr3t is defined", "m[\"s3cr3t\"] is defined", "m[guess] is defined", "(m.s3cr3t | default(value=0)) == 1"] {
        let project = Project::new();
        let collection = format!(
            "{{variables: {{guess: s3cr3t, m: {{'{{{{ client_secret[0:6] }}}}': 1}}}}, \
             requests: [{{url: FOREIGN/, when: '{test}'}}, {{url: FOREIGN/, when: 'not ({test})'}}]}}"
        );
        project.assert_refused(test, &project.runner(&collection).run_unchecked());
    }
    let project = Project::new();
    let collection = "{variables: {m: {'{{ client_secret[0:6] }}': some-text}}, \
                      requests: [{url: 'OWN/{{ m.guess }}', capture: {x: $.id}}, {url: FOREIGN/, query: {a: '{{ x is defined }}'}}]}";
    project.assert_refused("a missing member", &project.runner(collection).run_unchecked());
}

/// What the rules must not get in the way of.
#[test]
fn what_tells_nothing_goes_anywhere() {
    let echo = "url: OWN/token, body: '{{ client_secret }}'";
    for (what, needs, requests) in [
        ("a value beside a token", "", format!("{{{echo}, capture: {{x: $.user.id}}}}, {{url: FOREIGN/, body: '{{{{ x }}}}'}}")),
        ("its status", "", format!("{{{echo}, capture: {{x: {{status: true}}}}}}, {{url: FOREIGN/, body: '{{{{ x }}}}'}}")),
        (
            "a time made of a number beside it",
            "",
            format!(
                "{{{echo}, capture: {{x: {{value: '{{{{ response.json.expires_in * 2 }}}}'}}}}}}, {{url: FOREIGN/, body: '{{{{ x }}}}'}}"
            ),
        ),
        (
            "a piece of a value beside it",
            "",
            format!("{{{echo}, capture: {{x: {{json: $.user.id, regex: '-(.*)'}}}}}}, {{url: FOREIGN/, body: '{{{{ x }}}}'}}"),
        ),
        (
            "whether there is a token",
            "",
            format!("{{{echo}, capture: {{x: $.access_token}}}}, {{url: FOREIGN/, when: x is defined}}"),
        ),
        ("a needed login", "needs: [login.yaml], ", "{url: FOREIGN/}".to_owned()),
    ] {
        let project = Project::new();
        let login = "requests: [{url: OWN/token, body: '{{ client_secret }}', capture: {access_token: $.access_token}, assert: \
                     {json: {$.access_token: {type: string}, $.expires_in: {above: 0}}, that: response.json.expires_in > 0}}]";
        let runner = project.runner(&format!("{{{needs}requests: [{requests}]}}")).file("login.yaml", project.text(login));
        let ran = runner.run_unchecked();
        assert_eq!((ran.exit, project.foreign.lines().len()), (0, 1), "{what}\n{}", ran.all_output());
    }
    // A piece may go wherever the secret may.
    let project = Project::new();
    let collection = "requests: [{url: OWN/, body: '{{ client_secret }}', capture: {x: {json: $.echo, regex: '^(.{5})'}}}, \
                      {url: OWN/, body: '{{ x }}'}]";
    let ran = project.runner(collection).args(["-vv"]).run_unchecked();
    assert_eq!((ran.exit, project.own.requests()[1].text().as_str()), (0, "s3cr3"), "{}", ran.all_output());
    assert!(!ran.all_output().contains("s3cr3"), "{}", ran.all_output());
}

/// A piece that is stored is a secret of the next run too.
#[test]
fn a_stored_piece_is_marked() {
    let project = Project::new();
    let collection = "requests: [{url: OWN/, body: '{{ client_secret }}', store: {x: {json: $.echo, regex: '^(.{3})'}}}, \
                      {url: OWN/, json: {name: '{{ client_secret | length }}'}, store: {size: $.name}}, \
                      {url: OWN/, store: {made: {value: '{{ client_secret | truncate(length=4) }}{{ response.status }}'}}}]";
    let ran = project.runner(collection).run_unchecked();
    let local = ran.read("environments/dev.local.yaml");
    let marked = ["x: !secret s3c\n", "size: !secret 22\n", "made: !secret "];
    assert!(marked.iter().all(|line| local.contains(line)), "{local}");
    for name in ["x", "size", "made"] {
        let next = format!("requests: [{{url: FOREIGN/, body: '{{{{ {name} }}}}'}}]");
        let ran = ran.again().file("c.yaml", project.text(&next)).args(["c.yaml", "--env", "dev"]).run_unchecked();
        project.assert_refused(name, &ran);
    }
}

/// A file of the project that holds a copy of a secret.
#[test]
fn a_file_with_a_known_secret_goes_nowhere_else() {
    for (what, text) in [
        ("plain", format!("key = {SECRET}\n")),
        ("behind a megabyte", format!("{}{SECRET}", "x".repeat((1 << 20) - 9))),
        ("percent-encoded", "k=s3cr3t%2Dvalue%2Dof%2Dclient".to_owned()),
    ] {
        let project = Project::new();
        let runner = project.runner("requests: [{url: FOREIGN/, body: {file: notes.txt}}]").file("notes.txt", &text);
        let ran = runner.run_unchecked();
        assert_eq!((ran.exit, project.foreign.connections()), (6, 0), "{what}\n{}", ran.all_output());
    }
    // Not behind a redirect either.
    for status in [307, 308] {
        let foreign = Server::start(|_| Answer::json(200, "{}"));
        let target = foreign.url();
        let own = Server::start(move |_| Answer::status(status).header("Location", target.as_str()));
        let environment = format!("variables: {{api_url: {}, client_secret: !secret}}\n", own.url());
        let runner = Runner::new()
            .file("environments/dev.yaml", environment)
            .file("environments/dev.local.yaml", format!("variables: {{client_secret: {SECRET}}}\n"))
            .file("notes.txt", format!("key = {SECRET}\n"))
            .file("plain.txt", "nothing\n")
            .args(["c.yaml", "--env", "dev"]);
        let ran = runner.file("c.yaml", "requests: [{url: '{{ api_url }}/', body: {file: notes.txt}}]\n").run_unchecked();
        assert_eq!((ran.exit, foreign.connections()), (6, 0), "{status}\n{}", ran.all_output());
        let again = ran.again().file("c.yaml", "requests: [{url: '{{ api_url }}/', body: {file: plain.txt}}]\n");
        assert_eq!(again.args(["c.yaml", "--env", "dev"]).run_unchecked().exit, 0);
        assert_eq!(foreign.requests()[0].text(), "nothing\n");
    }
    let project = Project::new();
    let ran = project.runner("requests: [{url: OWN/, body: {file: notes.txt}}]").file("notes.txt", SECRET).run_unchecked();
    assert_eq!((ran.exit, project.own.requests()[0].text().as_str()), (0, SECRET), "{}", ran.all_output());
}

/// Without an environment the secrets of the command line are held back all the same, also in an echo.
#[test]
fn an_echo_of_a_given_secret_is_held_back_without_an_environment() {
    for (what, capture, read) in [
        ("all of it", "$.echo", "{{ x }}"),
        ("a piece", "{json: $.echo, regex: '^(.{3})'}", "{{ x }}"),
        ("what is made of it", "$.echo", "{{ x | sha256 }}"),
        ("the text itself", "$.id", SECRET),
    ] {
        let project = Project::new();
        let collection = format!(
            "requests: [{{url: OWN/, body: '{{{{ pin }}}}', capture: {{x: {capture}}}}}, {{url: FOREIGN/, body: '{read}'}}]"
        );
        let runner = Runner::new().file("c.yaml", project.text(&collection)).env_var("RUNNER_SECRET_pin", SECRET);
        let allow = format!("--allow-host={}", project.own.url());
        let ran = runner.args(["c.yaml", "--secret=pin", &allow]).run_unchecked();
        assert_eq!((ran.exit, project.foreign.connections()), (6, 0), "{what}\n{}", ran.all_output());
    }
}

const NAMES: [(&str, bool); 6] =
    [("client_secret", true), ("client_id", false), ("made", true), ("plain", false), ("echo", true), ("id", false)];
const FORMS: [&str; 6] = [
    "{{ NAME }}",
    "a {{ NAME }} b",
    "{{ NAME | base64 }}",
    "{% if NAME is starting_with(pat=\"s\") %}1{% endif %}",
    "{% set v = NAME %}{{ v }}",
    "{% for c in [NAME] %}{{ c }}{% endfor %}",
];
const PLACES: [&str; 8] = [
    "url: 'ORIGIN/?a=TEXT'",
    "url: ORIGIN/, query: {a: 'TEXT'}",
    "url: ORIGIN/, headers: {X-A: 'TEXT'}",
    "url: ORIGIN/, body: 'TEXT'",
    "url: ORIGIN/, json: {a: [{b: 'TEXT'}]}",
    "url: ORIGIN/, form: {a: 'TEXT'}",
    "url: ORIGIN/, auth: {bearer: 'TEXT'}",
    "url: ORIGIN/, auth: {api_key: {cookie: a, value: 'TEXT'}}",
];

/// Whatever a request is made of, and wherever: it goes to a stranger exactly if it reads no secret.
#[test]
fn a_random_request_goes_to_a_stranger_only_without_secrets() {
    let part = (0..NAMES.len(), 0..FORMS.len(), 0..PLACES.len(), any::<bool>());
    let mut runner = TestRunner::new(Config { cases: 6, failure_persistence: None, ..Config::default() });
    let strategy = proptest::collection::vec(part, 12..=12);
    let outcome = runner.run(&strategy, |parts| {
        let project = Project::new();
        let mut collection =
            "variables: {made: '{{ client_secret | sha256 }}', plain: some-text}\nrequests:\n  - {url: OWN/, body: '{{ \
                              client_secret }}', capture: {echo: $.echo, id: {value: 'id-{{ response.json.id }}'}}}\n"
                .to_owned();
        let (mut foreign, mut own) = (0, 1);
        for (name, form, place, stranger) in parts {
            let (name, secret) = NAMES[name];
            let text = FORMS[form].replace("NAME", name).replace('\'', "''");
            let request = PLACES[place].replace("TEXT", &text).replace("ORIGIN", if stranger { "FOREIGN" } else { "OWN" });
            collection.push_str(&format!("  - {{{request}}}\n"));
            own += usize::from(!stranger);
            foreign += usize::from(stranger && !secret);
        }
        let ran = project.runner(&collection).run_unchecked();
        let said = format!("{collection}\n{}", ran.all_output());
        prop_assert_eq!(project.foreign.lines().len(), foreign, "{}", said);
        prop_assert_eq!(project.own.lines().len(), own, "{}", said);
        for request in project.foreign.requests() {
            assert_no_secret(format!("{request:?} {}", request.text()), SECRET);
        }
        Ok(())
    });
    outcome.unwrap();
}
