//! A secret goes only to the origins that the environment names. Every way in which a collection could send one elsewhere is a
//! row here; the other server must not even see a connection.

use crate::support::leak::assert_no_secret;
use crate::support::runner::{Ran, Runner};
use crate::support::server::{Answer, Server};

const SECRET: &str = "s3cr3t-value-of-client";

const ENVIRONMENT: &str = "
    variables:
      api_url: OWN
      client_id: abc123
      client_secret: !secret
    auth:
      mine: {basic: {username: me, password: \"{{ client_secret }}\"}}
      plain: {api_key: {header: X-App, value: \"{{ client_id }}\"}}
    ";

const LOCAL: &str = "
    variables:
      client_secret: s3cr3t-value-of-client
    ";

/// The server that the environment names.
fn own(foreign: &Server) -> Server {
    let next = foreign.url();
    Server::start(move |request| match request.path.as_str() {
        "/token" => Answer::json(200, format!(r#"{{"access_token":"token-of-own","next":"{next}/next"}}"#)),
        "/echo" => Answer::json(200, format!(r#"{{"echo":"{}"}}"#, request.text())),
        _ => Answer::json(200, "{}"),
    })
}

/// A server that nothing names; it gives a token of its own to whoever asks.
fn stranger() -> Server {
    Server::start(|request| match request.path.as_str() {
        "/token" => Answer::json(200, r#"{"access_token":"token-of-stranger"}"#),
        _ => Answer::json(200, "{}"),
    })
}

/// A project in which `OWN` and `FOREIGN` are replaced by the addresses of the servers.
struct Project {
    own: Server,
    foreign: Server,
}

impl Project {
    fn new() -> Self {
        let foreign = stranger();
        Self { own: own(&foreign), foreign }
    }

    fn text(&self, text: &str) -> String {
        let host = |server: &Server| server.url().replace("http://", "");
        let text = text.replace("HOST_OF_FOREIGN", &host(&self.foreign)).replace("HOST_OF_OWN", &host(&self.own));
        text.replace("FOREIGN", &self.foreign.url()).replace("OWN", &self.own.url())
    }

    fn with(&self, environment: &str, local: &str, collection: &str) -> Runner {
        Runner::new()
            .file("environments/dev.yaml", self.text(environment))
            .file("environments/dev.local.yaml", self.text(local))
            .file("c.yaml", self.text(collection))
            .args(["c.yaml", "--env", "dev"])
    }

    fn runner(&self, collection: &str) -> Runner {
        self.with(ENVIRONMENT, LOCAL, collection)
    }

    /// The run was refused, with the names of the secrets and the line that would allow it, and the foreign server saw nothing.
    #[track_caller]
    fn assert_refused(&self, what: &str, ran: &Ran, names: &str, connections: usize) {
        let port = self.foreign.url().rsplit(':').next().unwrap().to_owned();
        let said = ran.all_output();
        assert_eq!(self.foreign.lines().len(), connections, "{what}: {:?}\n{said}", self.foreign.lines());
        assert_eq!(self.foreign.connections(), usize::from(connections > 0), "{what}\n{said}");
        assert_eq!(ran.exit, 6, "{what}\n{said}");
        assert!(said.contains(&format!("{names} may not go to `{}`", self.foreign.url())), "{what}\n{said}");
        assert!(said.contains(&format!("add `hosts: [127.0.0.1:{port}]` to the environment")), "{what}\n{said}");
        assert_no_secret(&said, SECRET);
    }
}

#[test]
fn a_refusal_names_secret_place_and_mend() {
    let project = Project::new();
    let collection = "
        requests:
          - name: Leak
            url: FOREIGN/x
            auth: {bearer: \"{{ client_secret }}\"}
        ";
    let ran = project.runner(collection).run_unchecked();
    project.assert_refused("the simplest", &ran, "the secret `client_secret`", 0);
    let url = "FOREIGN/x".replace("FOREIGN", "http://127.0.0.1:[port]");
    let address = project.foreign.url();
    let expected = "
        ! GET    Leak                              refused
          error: the secret `client_secret` may not go to `http://127.0.0.1:[port]`
           --> c.yaml:3:10
            |
          3 |     url: URL
            |          CARET
            |
            = help: if it is meant to go there, add `hosts: [127.0.0.1:[port]]` to the environment

        1 request: 1 errored in [duration]
        ";
    let expected = expected.replace("URL", &url).replace("CARET", &"^".repeat(address.len() + 2));
    project.runner(collection).expect_exit(6).expect_stdout(&expected).run();
}

/// Each row sends a secret of the environment to the foreign server, in a way of its own.
#[test]
fn no_part_of_a_request_takes_a_secret_elsewhere() {
    for (what, collection) in [
        ("basic", "requests: [{url: FOREIGN/x, auth: {basic: {username: me, password: '{{ client_secret }}'}}}]"),
        ("user of basic", "requests: [{url: FOREIGN/x, auth: {basic: {username: '{{ client_secret }}', password: x}}}]"),
        ("auth of the environment", "requests: [{url: FOREIGN/x, auth: mine}]"),
        (
            "auth of the collection",
            "
            auth: {own: {bearer: '{{ client_secret }}'}}
            requests: [{url: FOREIGN/x, auth: own}]
            ",
        ),
        (
            "auth by default",
            "
            defaults: {auth: mine}
            requests: [{url: FOREIGN/x}]
            ",
        ),
        ("key in the query", "requests: [{url: FOREIGN/x, auth: {api_key: {query: k, value: '{{ client_secret }}'}}}]"),
        ("key in a cookie", "requests: [{url: FOREIGN/x, auth: {api_key: {cookie: k, value: '{{ client_secret }}'}}}]"),
        ("key in a header", "requests: [{url: FOREIGN/x, auth: {api_key: {header: X-K, value: '{{ client_secret }}'}}}]"),
        ("header", "requests: [{url: FOREIGN/x, headers: {X-A: 'a {{ client_secret }} b'}}]"),
        (
            "header by default",
            "
            defaults: {headers: {X-A: '{{ client_secret }}'}}
            requests: [{url: FOREIGN/x}]
            ",
        ),
        ("query", "requests: [{url: FOREIGN/x, query: {a: '{{ client_secret }}'}}]"),
        ("list in the query", "requests: [{url: FOREIGN/x, query: {a: [b, '{{ client_secret }}']}}]"),
        ("path", "requests: [{url: 'FOREIGN/{{ client_secret }}'}]"),
        ("fragment", "requests: [{url: 'FOREIGN/x#{{ client_secret }}'}]"),
        ("userinfo", "requests: [{url: 'http://{{ client_secret }}@HOST_OF_FOREIGN/x'}]"),
        ("form", "requests: [{url: FOREIGN/x, form: {a: '{{ client_secret }}'}}]"),
        ("text", "requests: [{url: FOREIGN/x, body: 'a {{ client_secret }}'}]"),
        ("deep in json", "requests: [{url: FOREIGN/x, json: {a: [{b: [1, '{{ client_secret }}']}]}}]"),
        ("base64", "requests: [{url: FOREIGN/x, body: '{{ client_secret | base64 }}'}]"),
        ("digest", "requests: [{url: FOREIGN/x, body: '{{ client_secret | sha256 }}'}]"),
        ("a letter of it", "requests: [{url: FOREIGN/x, body: '{{ client_secret | truncate(length=1) }}'}]"),
        ("a test of it", "requests: [{url: FOREIGN/x, body: '{% if client_secret is starting_with(pat=\"s\") %}1{% endif %}'}]"),
        ("set in a template", "requests: [{url: FOREIGN/x, body: '{% set a = client_secret %}{{ a }}'}]"),
        ("default of another", "requests: [{url: FOREIGN/x, body: '{{ client_id | default(value=client_secret) }}'}]"),
        (
            "variable of the collection",
            "
            variables: {a: 'x{{ client_secret | base64 }}'}
            requests: [{url: FOREIGN/x, body: '{{ a }}'}]
            ",
        ),
        (
            "variable behind a variable",
            "
            variables: {a: '{{ b.c | first }}', b: {c: ['{{ client_secret }}']}}
            requests: [{url: FOREIGN/x, body: '{{ a }}'}]
            ",
        ),
        (
            "base_url",
            "
            defaults: {base_url: FOREIGN, auth: mine}
            requests: [{url: /x}]
            ",
        ),
        (
            "base_url that holds it",
            "
            defaults: {base_url: 'FOREIGN/{{ client_secret }}'}
            requests: [{url: /x}]
            ",
        ),
        (
            "base_url that a variable makes count",
            "
            variables: {path: /x}
            defaults: {base_url: 'FOREIGN/{{ client_secret | sha256 }}'}
            requests: [{url: '{{ path }}'}]
            ",
        ),
        (
            "type of a body from a file",
            "
            requests: [{url: FOREIGN/x, body: {file: c.yaml, content_type: 'a/{{ client_secret }}'}}]
            ",
        ),
    ] {
        let project = Project::new();
        let ran = project.runner(collection).run_unchecked();
        let said = ran.all_output();
        let names = if said.contains("`a` may") { "the secret `a`" } else { "the secret `client_secret`" };
        project.assert_refused(what, &ran, names, 0);
    }
}

/// Each row brings the foreign address in a way of its own; none of them makes it allowed.
#[test]
fn no_address_of_a_collection_is_allowed() {
    for (what, local, collection) in [
        (
            "variable of the collection",
            "",
            "
            variables: {target: FOREIGN}
            requests: [{url: '{{ target }}/x', auth: mine}]
            ",
        ),
        (
            "variable of the collection under a name that the environment leaves open",
            "",
            "
            variables: {open: FOREIGN}
            requests: [{url: '{{ open }}/x', auth: mine}]
            ",
        ),
        (
            "captured",
            "",
            "
            requests:
              - {url: OWN/token, capture: {next: $.next}}
              - {url: '{{ next }}', auth: mine}
            ",
        ),
        (
            "captured under a name that the environment leaves open",
            "",
            "
            requests:
              - {url: OWN/token, capture: {open: $.next}}
              - {url: '{{ open }}', auth: mine}
            ",
        ),
        ("stored by an earlier run", "stored: {next: FOREIGN}", "requests: [{url: '{{ next }}/x', auth: mine}]"),
        (
            "stored under a name that the environment leaves open",
            "stored: {open: FOREIGN}",
            "
            requests: [{url: '{{ open }}/x', auth: mine}]
            ",
        ),
        ("the allowed host before an at sign", "", "requests: [{url: 'http://HOST_OF_OWN@HOST_OF_FOREIGN/x', auth: mine}]"),
        ("the allowed url in the query", "", "requests: [{url: 'FOREIGN/x?u=OWN', auth: mine}]"),
        (
            "a host from a variable",
            "",
            "
            variables: {host: HOST_OF_FOREIGN}
            requests: [{url: 'http://{{ host }}/x', auth: mine}]
            ",
        ),
        ("address in capitals", "", "requests: [{url: 'HTTP://HOST_OF_FOREIGN/x', auth: mine}]"),
        ("backslashes", "", "requests: [{url: 'http:\\\\HOST_OF_FOREIGN\\x', auth: mine}]"),
    ] {
        let project = Project::new();
        let environment = ENVIRONMENT.replace("      client_id", "      open:\n      client_id");
        // `stored` stands at the top, beside `variables`.
        let local = format!("variables: {{client_secret: {SECRET}}}\n{local}\n");
        let ran = project.with(&environment, &local, collection).run_unchecked();
        project.assert_refused(what, &ran, "the secret `client_secret`", 0);
    }
}

/// Each row names an endpoint of a login of the collection's own. It is refused before anything is sent, whether a request uses the
/// login or not.
#[test]
fn no_login_of_a_collection_names_a_foreign_endpoint() {
    for (what, variables, login, key) in [
        ("token endpoint", "{}", "token_endpoint: FOREIGN/token", "token_endpoint"),
        ("the start of one", "{}", "token_endpoint: 'FOREIGN/{{ client_id }}'", "token_endpoint"),
        ("issuer", "{}", "issuer: FOREIGN", "issuer"),
        ("authorization endpoint", "{}", "authorization_endpoint: FOREIGN/a, token_endpoint: OWN/t", "authorization_endpoint"),
        ("device endpoint", "{}", "device_authorization_endpoint: FOREIGN/d", "device_authorization_endpoint"),
        ("revocation", "{}", "provider: box, revocation_endpoint: FOREIGN/r", "revocation_endpoint"),
        ("introspection", "{}", "provider: box, introspection_endpoint: FOREIGN/i", "introspection_endpoint"),
        ("pushed request", "{}", "pushed_authorization_request_endpoint: FOREIGN/p", "pushed_authorization_request_endpoint"),
        ("refresh", "{}", "token_endpoint: OWN/token, refresh: {url: FOREIGN/token}", "refresh.url"),
        ("a variable of the collection", "{theirs: FOREIGN}", "token_endpoint: '{{ theirs }}/token'", "token_endpoint"),
        ("one that the environment leaves open", "{open: FOREIGN}", "token_endpoint: '{{ open }}/token'", "token_endpoint"),
        ("a name in other case", "{API_URL: FOREIGN}", "token_endpoint: '{{ API_URL }}/token'", "token_endpoint"),
        ("a stored value", "{}", "token_endpoint: '{{ next }}/token'", "token_endpoint"),
        ("userinfo", "{}", "token_endpoint: 'http://HOST_OF_OWN@HOST_OF_FOREIGN/token'", "token_endpoint"),
    ] {
        for request in ["{url: OWN/x, auth: own}", "{url: OWN/x}"] {
            let project = Project::new();
            let collection = format!(
                "variables: {variables}\nauth: {{own: {{oauth2: {{client_id: '{{{{ client_id }}}}', client_secret: '{{{{ client_secret }}}}', \
                 {login}}}}}}}\nrequests: [{request}]\n"
            );
            let environment = ENVIRONMENT.replace("      client_id", "      open:\n      client_id");
            let local = format!("variables: {{client_secret: {SECRET}}}\nstored: {{next: FOREIGN}}\n");
            let ran = project.with(&environment, &local, &collection).run_unchecked();
            let said = ran.all_output();
            let connections = (project.own.connections(), project.foreign.connections());
            assert_eq!((ran.exit, connections), (6, (0, 0)), "{what}\n{said}");
            let message = format!("error: `auth.own.{key}` lies on `{}`, which is not allowed", project.foreign.url());
            assert!(said.contains(&message), "{what}\n{said}");
            assert!(said.contains(&project.text("add `hosts: [HOST_OF_FOREIGN]` to the environment")), "{what}\n{said}");
        }
    }
    // An endpoint of the environment's own origin is no mistake, and neither is one that `--allow-host` names.
    for (endpoint, argument) in [("OWN/token", "--no-save"), ("FOREIGN/token", "--allow-host=HOST_OF_FOREIGN")] {
        let project = Project::new();
        let collection = format!("auth: {{own: {{oauth2: {{token_endpoint: {endpoint}}}}}}}\nrequests: [{{url: OWN/x}}]\n");
        project.runner(&collection).arg(project.text(argument)).run_passing();
    }
    // Without an environment only a secret of the command line makes it one.
    for (secret, exit) in [("client_secret", 6), ("other", 0)] {
        let project = Project::new();
        let collection = "
            auth: {own: {oauth2: {token_endpoint: FOREIGN/t, client_secret: '{{ client_secret }}'}}}
            variables: {client_secret: of-the-collection}
            requests: [{url: OWN/x}]
            ";
        let runner = Runner::new().file("c.yaml", project.text(collection)).args(["c.yaml"]);
        let ran = runner.env_var(&format!("RUNNER_SECRET_{secret}"), SECRET).run_unchecked();
        assert_eq!((ran.exit, project.foreign.connections()), (exit, 0), "{secret}\n{}", ran.all_output());
    }
}

/// A collection gives a value to a name that the environment uses: the environment does not see it.
#[test]
fn no_name_of_the_environment_is_taken_over() {
    for (what, collection) in [
        ("captured url", "requests: [{url: OWN/token, capture: {api_url: $.next}}, {url: '{{ api_url }}/x', auth: mine}]"),
        (
            "captured token url",
            "requests: [{url: OWN/token, capture: {token_url: $.next}}, {url: '{{ token_url }}', auth: mine}]",
        ),
        ("captured hosts", "requests: [{url: OWN/token, capture: {hosts: $.next}}, {url: '{{ hosts }}', auth: mine}]"),
        (
            "captured client id",
            "requests: [{url: OWN/token, capture: {client_id: $.next}}, {url: '{{ client_id }}', auth: mine}]",
        ),
        ("defined hosts", "{variables: {hosts: FOREIGN}, requests: [{url: '{{ hosts }}', auth: mine}]}"),
        ("defined token url", "{variables: {token_url: FOREIGN}, requests: [{url: '{{ token_url }}', auth: mine}]}"),
        ("a url in other case", "{variables: {API_URL: FOREIGN}, requests: [{url: '{{ API_URL }}/x', auth: mine}]}"),
        (
            "a captured one in other case",
            "requests: [{url: OWN/token, capture: {Api_Url: $.next}}, {url: '{{ Api_Url }}', auth: mine}]",
        ),
        ("by a needed collection", "{needs: [needed.yaml], requests: [{url: '{{ api_url }}/x', auth: mine}]}"),
        ("a host of many", "{variables: {p: HOST_OF_FOREIGN}, requests: [{url: 'http://HOST_OF_OWN@{{ p }}/x', auth: mine}]}"),
    ] {
        let project = Project::new();
        let needed = project.text("requests: [{url: OWN/token, capture: {api_url: $.next}}]");
        let ran = project.runner(collection).file("needed.yaml", needed).run_unchecked();
        project.assert_refused(what, &ran, "the secret `client_secret`", 0);
    }
    // The next run does not see it either.
    for store in ["token_url: $.next", "hosts: $.next", "open: $.next"] {
        let project = Project::new();
        let environment = ENVIRONMENT.replace("      client_id", "      open:\n      client_id");
        let ran =
            project.with(&environment, LOCAL, &format!("requests: [{{url: OWN/token, store: {{{store}}}}}]")).run_unchecked();
        assert_eq!(ran.exit, 0, "{}", ran.all_output());
        let name = store.split(':').next().unwrap();
        let next = project.text(&format!("requests: [{{url: '{{{{ {name} }}}}/x', auth: mine}}]"));
        let ran = ran.again().file("c.yaml", next).args(["c.yaml", "--env", "dev"]).run_unchecked();
        project.assert_refused(store, &ran, "the secret `client_secret`", 0);
    }
    // A name to which the environment gives a value is not stored at all.
    for name in ["api_url", "client_id"] {
        let project = Project::new();
        let ran = project.runner(&format!("requests: [{{url: OWN/token, store: {{{name}: $.next}}}}]")).run_unchecked();
        assert_eq!((ran.exit, project.own.connections()), (2, 0), "{}", ran.all_output());
    }
    // A collection can't read the process environment.
    let project = Project::new();
    let collection = "{variables: {a: !env HOME}, requests: [{url: 'FOREIGN/{{ a }}'}]}";
    let ran = project.runner(collection).run_unchecked();
    assert_eq!((ran.exit, project.foreign.connections()), (2, 0), "{}", ran.all_output());
}

/// The same host without TLS is another origin, and the refusal says what is wrong.
#[test]
fn plain_http_to_an_https_host_is_told_so() {
    let project = Project::new();
    let environment = "{variables: {api_url: 'https://HOST_OF_FOREIGN', client_secret: !secret }, auth: {mine: {bearer: '{{ client_secret }}'}}}";
    let ran = project.with(environment, LOCAL, "requests: [{url: FOREIGN/x, auth: mine}]").run_unchecked();
    assert_eq!((ran.exit, project.foreign.connections()), (6, 0), "{}", ran.all_output());
    assert!(
        ran.stdout.contains("this host is allowed over https: write `https://`; if plain http is meant, add"),
        "{}",
        ran.stdout
    );
}

#[test]
fn what_an_answer_gave_goes_back_there_and_to_allowed_origins_only() {
    // A token of the allowed server stays there.
    for (what, token) in [
        ("by its name", "capture: {my_token: $.access_token}"),
        ("by its mark", "capture: {x: {json: $.access_token, secret: true}}"),
        ("because it is known", "capture: {x: {json: $.access_token}}"),
        ("known, whatever the collection says", "capture: {x: {json: $.access_token, secret: false}}"),
        ("inside a larger value", "capture: {x: {body: true}}"),
        ("stored", "store: {x: $.access_token}"),
    ] {
        let project = Project::new();
        let name = if token.contains("my_token") { "my_token" } else { "x" };
        let collection = format!(
            "requests:\n  - {{url: OWN/token, {token}}}\n  - {{url: FOREIGN/x, body: '{{{{ {name} }}}}'}}\n  \
             - {{url: OWN/y, body: '{{{{ {name} }}}}'}}\n"
        );
        let ran = project.runner(&collection).run_unchecked();
        project.assert_refused(what, &ran, &format!("the secret `{name}`"), 0);
        assert_eq!(project.own.lines(), ["GET /token", "POST /y"], "{what}");
    }
    // A token of the foreign server goes back to it, and to what is allowed.
    let project = Project::new();
    let collection = "
        requests:
          - {url: FOREIGN/token, capture: {their_token: $.access_token}}
          - {url: FOREIGN/x, auth: {bearer: '{{ their_token }}'}}
          - {url: OWN/x, auth: {bearer: '{{ their_token }}'}}
        ";
    let ran = project.runner(collection).run_unchecked();
    assert_eq!(ran.exit, 0, "{}", ran.all_output());
    assert_eq!(project.foreign.lines(), ["GET /token", "GET /x"]);
    assert_eq!(project.foreign.requests()[1].header("authorization"), Some("Bearer token-of-stranger"));
    assert_eq!(project.own.lines(), ["GET /x"]);
}

/// A collection talks to the foreign server first, and then claims that what it sends had come from there.
#[test]
fn a_secret_is_not_laundered_through_a_capture() {
    for (what, captures, body, names) in [
        ("as a template", "x: {value: '{{ client_secret }}{{ response.status }}'}", "{{ x }}", "the secret `x`"),
        ("as a digest", "x: {value: '{{ client_secret | sha256 }}{{ response.status }}'}", "{{ x }}", "the secret `x`"),
        (
            "as a digest that is called plain",
            "x: {value: '{{ client_secret | sha256 }}{{ response.status }}', secret: false}",
            "{{ x }}",
            "the secret `x`",
        ),
        ("as a default", "x: {json: $.none, default: '{{ client_secret | sha256 }}'}", "{{ x }}", "the secret `x`"),
        ("through a variable", "x: {value: '{{ derived }}{{ response.status }}'}", "{{ x }}", "the secret `x`"),
        (
            "beside one that may go",
            "their_token: $.access_token",
            "{{ their_token }} {{ client_secret }}",
            "the secret `client_secret`",
        ),
        ("in a variable with one that may go", "their_token: $.access_token", "{{ both }}", "the secret `both`"),
    ] {
        let project = Project::new();
        let collection = format!(
            "variables: {{derived: '{{{{ client_secret | sha256 }}}}', both: '{{{{ client_secret | sha256 }}}}{{{{ their_token }}}}'}}\n\
             requests:\n  - url: FOREIGN/token\n    capture: {{their_token: $.access_token}}\n  - url: FOREIGN/token\n    capture:\n      \
             {captures}\n  - {{url: FOREIGN/x, body: '{body}'}}\n"
        );
        let ran = project.runner(&collection).run_unchecked();
        project.assert_refused(what, &ran, names, 2);
    }
}

/// What the allowed server echoes is known by its content, even where a collection calls it plain and adds a token of the
/// foreign server.
#[test]
fn an_echo_does_not_make_a_secret_plain() {
    let project = Project::new();
    let collection = "
        requests:
          - {url: FOREIGN/token, capture: {their_token: $.access_token}}
          - {url: OWN/echo, body: '{{ client_secret }}', capture: {x: {json: $.echo, secret: false}}}
          - {url: FOREIGN/x, body: '{{ their_token }} {{ x }}'}
        ";
    let ran = project.runner(collection).run_unchecked();
    project.assert_refused("an echo", &ran, "the secret `x`", 1);
}

#[test]
fn a_secret_of_an_earlier_run_stays_at_home() {
    let project = Project::new();
    let local = "
        variables: {client_secret: s3cr3t-value-of-client}
        stored: {access_token: token-of-earlier, session: !secret session-of-earlier, plain: not-a-secret}
        ";
    for name in ["access_token", "session"] {
        let collection = format!("requests: [{{url: FOREIGN/x, body: '{{{{ {name} }}}}'}}]");
        let ran = project.with(ENVIRONMENT, local, &collection).run_unchecked();
        project.assert_refused(name, &ran, &format!("the secret `{name}`"), 0);
    }
    // The value alone gives it away too, without a name that says so.
    let ran = project.with(ENVIRONMENT, local, "requests: [{url: FOREIGN/x, body: a token-of-earlier b}]").run_unchecked();
    assert_eq!((ran.exit, project.foreign.connections()), (6, 0), "{}", ran.all_output());
    assert!(ran.stdout.contains("the request holds a known secret"), "{}", ran.stdout);
    let ran = project.with(ENVIRONMENT, local, "requests: [{url: FOREIGN/x, body: '{{ plain }}'}]").run_unchecked();
    assert_eq!((ran.exit, project.foreign.connections()), (0, 1), "{}", ran.all_output());
}

#[test]
fn a_secret_from_a_foreign_origin_is_not_stored() {
    let project = Project::new();
    let collection = "requests: [{url: FOREIGN/token, store: {their_token: $.access_token, kind: {status: true}}}]";
    let ran = project.runner(collection).run_unchecked();
    assert_eq!(ran.exit, 6, "{}", ran.all_output());
    assert!(ran.stdout.contains("the secret `their_token` was not stored"), "{}", ran.stdout);
    let local = ran.read("environments/dev.local.yaml");
    assert!(local.contains("kind: 200") && !local.contains("their_token"), "{local}");
}

#[test]
fn what_reads_no_secret_goes_anywhere() {
    let project = Project::new();
    let collection = "
        requests:
          - {url: FOREIGN/x, auth: plain, query: {id: '{{ client_id }}'}, when: client_secret is defined}
        ";
    let ran = project.runner(collection).run_unchecked();
    assert_eq!((ran.exit, project.foreign.lines()), (0, vec!["GET /x?id=abc123".to_owned()]), "{}", ran.all_output());
}

/// What the environment or the command line names is allowed.
#[test]
fn the_environment_and_the_command_line_allow() {
    let collection = "requests: [{url: FOREIGN/x, auth: mine}]";
    for (what, hosts, local, argument, variable) in [
        ("hosts", "hosts: [HOST_OF_FOREIGN]", "", "", ""),
        ("hosts with a scheme", "hosts: ['http://HOST_OF_FOREIGN']", "", "", ""),
        ("hosts of the local file", "", "hosts: HOST_OF_FOREIGN", "", ""),
        ("a variable of the local file", "", "LOCAL_URL", "", ""),
        ("--allow-host", "", "", "--allow-host=HOST_OF_FOREIGN", ""),
        ("--var", "", "", "--var=open=FOREIGN/y", ""),
        ("RUNNER_VAR", "", "", "", "FOREIGN"),
    ] {
        let project = Project::new();
        let environment = format!(
            "variables:\n  api_url: OWN\n  open:\n  client_secret: !secret\nauth: {{mine: {{bearer: '{{{{ client_secret }}}}'}}}}\n{hosts}\n"
        );
        let url = if local == "LOCAL_URL" { "  open: FOREIGN/z\n" } else { "" };
        let local = format!("variables:\n  client_secret: {SECRET}\n{url}{}\n", local.replace("LOCAL_URL", ""));
        let mut runner = project.with(&environment, &local, collection);
        if !argument.is_empty() {
            runner = runner.arg(project.text(argument));
        }
        if !variable.is_empty() {
            runner = runner.env_var("RUNNER_VAR_open", project.text(variable));
        }
        let ran = runner.run_unchecked();
        assert_eq!((ran.exit, project.foreign.lines()), (0, vec!["GET /x".to_owned()]), "{what}\n{}", ran.all_output());
    }
}

#[test]
fn an_entry_allows_its_origin_only() {
    for hosts in ["localhost", "127.0.0.1", "https://HOST_OF_FOREIGN", "HOST_OF_OWN", "'*.localhost'"] {
        let project = Project::new();
        let environment = format!("{}\nhosts: [{hosts}]\n", project.text(ENVIRONMENT).replace("\n    ", "\n").trim());
        let ran = project.with(&environment, LOCAL, "requests: [{url: FOREIGN/x, auth: mine}]").run_unchecked();
        project.assert_refused(hosts, &ran, "the secret `client_secret`", 0);
    }
}

#[test]
fn an_entry_that_can_not_be_read_is_a_mistake() {
    let project = Project::new();
    let environment = "
        hosts: ['*.com', upload.box.com/x]
        ";
    let expected = "
        error: `*.com` is no entry for `hosts`: `*.com` covers names of different owners: list the hosts one by one
         --> environments/dev.yaml:1:9
          |
        1 | hosts: ['*.com', upload.box.com/x]
          |         ^^^^^^^
          |
          = help: write `upload.box.com`, `host:8443`, `http://host:8080` or `*.boxcloud.com`

        error: `upload.box.com/x` is no entry for `hosts`: an entry names a host, not a path: leave out what follows the host
         --> environments/dev.yaml:1:18
          |
        1 | hosts: ['*.com', upload.box.com/x]
          |                  ^^^^^^^^^^^^^^^^
          |
          = help: write `upload.box.com`, `host:8443`, `http://host:8080` or `*.boxcloud.com`

        2 mistakes; nothing was sent
        ";
    project.with(environment, "", "requests: [{url: FOREIGN/x}]").expect_exit(2).expect_stderr(expected).run();
}

#[test]
fn without_an_environment_only_secrets_of_the_command_line_are_held_back() {
    let secret = |project: &Project, collection: &str| {
        Runner::new().file("c.yaml", project.text(collection)).arg("c.yaml").env_var("RUNNER_SECRET_pin", SECRET)
    };
    for collection in [
        "requests: [{url: FOREIGN/x, body: '{{ pin }}'}]",
        "
        variables: {a: '{{ pin | sha256 }}'}
        requests: [{url: FOREIGN/x, body: '{{ a }}'}]
        ",
    ] {
        let project = Project::new();
        let ran = secret(&project, collection).arg("--secret=pin").run_unchecked();
        let name = if collection.contains("variables") { "a" } else { "pin" };
        project.assert_refused(collection, &ran, &format!("the secret `{name}`"), 0);
        let ran = secret(&project, collection).arg(project.text("--allow-host=HOST_OF_FOREIGN")).run_unchecked();
        assert_eq!((ran.exit, project.foreign.connections()), (0, 1), "{}", ran.all_output());
    }
    // Captured in one breath with an answer of the foreign server.
    let project = Project::new();
    let collection = "
        requests:
          - {url: FOREIGN/token, capture: {x: {value: '{{ pin | sha256 }}{{ response.status }}'}}}
          - {url: FOREIGN/x, body: '{{ x }}'}
        ";
    project.assert_refused("captured", &secret(&project, collection).run_unchecked(), "the secret `x`", 1);
    // What an answer gave goes where the collection says.
    let project = Project::new();
    let collection = "
        requests:
          - {url: OWN/token, capture: {access_token: $.access_token}}
          - {url: FOREIGN/x, auth: {bearer: '{{ access_token }}'}}
        ";
    let ran = Runner::new().file("c.yaml", project.text(collection)).arg("c.yaml").run_unchecked();
    assert_eq!((ran.exit, project.foreign.lines()), (0, vec!["GET /x".to_owned()]), "{}", ran.all_output());
}

#[test]
fn the_rest_of_the_run_goes_on() {
    let project = Project::new();
    let collection = "
        requests:
          - {url: FOREIGN/x, auth: mine}
          - {url: OWN/y, auth: mine}
        ";
    let ran = project.runner(collection).run_unchecked();
    project.assert_refused("the first", &ran, "the secret `client_secret`", 0);
    assert_eq!(project.own.lines(), ["GET /y"]);
}

/// A front that serves many hosts passes a request on by its header `Host`.
#[test]
fn a_header_leads_no_secret_to_another_host() {
    for (what, headers) in [("as it is", "Host: HOST_OF_FOREIGN"), ("in other case", "hOST: '{{ \"HOST_OF_FOREIGN\" }}'")] {
        let project = Project::new();
        let ran = project.runner(&format!("requests: [{{url: OWN/x, auth: mine, headers: {{{headers}}}}}]")).run_unchecked();
        assert_eq!((ran.exit, project.own.connections()), (6, 0), "{what}\n{}", ran.all_output());
        let finding = "would lead the request to another host than that of the url\n   --> c.yaml:1:";
        assert!(ran.stdout.contains(finding) && ran.stdout.contains(" ^^^^\n"), "{what}\n{}", ran.stdout);
    }
}

/// A credential that an environment spells out has no name of its own.
#[test]
fn a_credential_that_is_written_out_stays_at_home() {
    for method in ["bearer: a1b", "basic: {username: me, password: a1b}", "api_key: {header: X-K, value: a1b}"] {
        let project = Project::new();
        let environment = format!("variables: {{api_url: OWN}}\nauth: {{mine: {{{method}}}}}\n");
        let ran = project.with(&environment, "", "requests: [{url: FOREIGN/x, auth: mine}]").run_unchecked();
        project.assert_refused(method, &ran, "the secret `auth.mine`", 0);
    }
}

/// Only the environment and the command line name a proxy.
#[test]
fn a_proxy_of_the_process_environment_sees_nothing() {
    let project = Project::new();
    let mut runner = project.runner("requests: [{url: OWN/, auth: mine}]");
    for name in ["http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY", "https_proxy", "HTTPS_PROXY"] {
        runner = runner.env_var(name, project.foreign.url());
    }
    runner.run_passing();
    assert_eq!((project.own.lines(), project.foreign.connections()), (vec!["GET /".to_owned()], 0));
}

/// A definition of the collection under a name of the environment does not take its place.
#[test]
fn the_environments_definition_wins() {
    let project = Project::new();
    let collection = "
        auth: {mine: {bearer: of-the-collection}}
        requests: [{url: FOREIGN/x, auth: mine}]
        ";
    let ran = project.runner(collection).run_unchecked();
    project.assert_refused("a definition", &ran, "the secret `client_secret`", 0);
}

/// Files that hold secrets are no bodies, whatever way leads to them, and wherever the body would go.
#[test]
fn no_file_of_secrets_is_a_body() {
    let environment =
        format!("{}\n", ENVIRONMENT.replace("client_id: abc123", "key: !file ../keys/app.pem\n      client_id: abc123"));
    for path in [
        "environments/dev.local.yaml",
        "environments/dev.yaml",
        "keys/app.pem",
        "./keys/../keys/app.pem",
        "link.pem",
        "hard.pem",
        "linked/app.pem",
        ".env",
        ".git/config",
        "deep/../.env",
        "../outside.txt",
        "/etc/passwd",
        "notes.local.txt",
    ] {
        let project = Project::new();
        let runner = project
            .with(&environment, LOCAL, &format!("requests: [{{url: OWN/, body: {{file: {path}}}}}]"))
            .file("keys/app.pem", SECRET)
            .file(".env", SECRET)
            .file(".git/config", SECRET)
            .file(".git/HEAD", "ref: refs/heads/main\n")
            .file(".gitignore", "*.local.*\n")
            .file("notes.local.txt", SECRET)
            .file("deep/x.txt", "x");
        std::os::unix::fs::symlink("keys/app.pem", runner.path("link.pem")).unwrap();
        std::fs::hard_link(runner.path("keys/app.pem"), runner.path("hard.pem")).unwrap();
        std::os::unix::fs::symlink("keys", runner.path("linked")).unwrap();
        let ran = runner.run_unchecked();
        assert_eq!((ran.exit, project.own.connections()), (6, 0), "{path}\n{}", ran.all_output());
        assert_no_secret(ran.all_output(), SECRET);
    }
    // An ordinary file is one.
    let project = Project::new();
    let ran = project.runner("requests: [{url: OWN/echo, body: {file: deep/x.txt}}]").file("deep/x.txt", "x").run_passing();
    assert_eq!(project.own.requests()[0].text(), "x", "{}", ran.all_output());
}

/// What is no collection by its name is not read as one: the message would show a line of it.
#[test]
fn a_needed_file_that_is_no_collection_is_not_shown() {
    let project = Project::new();
    let collection = "needs: [keys/app.pem]\nrequests: [{url: OWN/}]\n";
    project
        .runner(collection)
        .file("keys/app.pem", "aaa: bbb: s3cr3t-value-of-client\n")
        .expect_exit(2)
        .expect_stderr(
            "
            error: `keys/app.pem` is no collection: its name does not end in `.yaml`
             --> c.yaml:1:9
              |
            1 | needs: [keys/app.pem]
              |         ^^^^^^^^^^^^
            ",
        )
        .run();
}
