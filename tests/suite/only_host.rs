//! A run that is held to a few hosts (`--only-host`, RUNNER_ONLY_HOSTS) connects nowhere else, with or without secrets, and nothing
//! in a file can change that. The servers that it may not reach must not even see a connection.

use std::sync::Arc;

use crate::support::runner::{Ran, Runner};
use crate::support::server::{Answer, Server};
use crate::support::tls::{Issuer, config, signed_by_itself};

/// The server that a run is held to, and one that a changed file names.
struct Project {
    own: Server,
    foreign: Server,
}

impl Project {
    fn new() -> Self {
        let answer = || Server::start(|_| Answer::json(200, r#"{"id": 7}"#));
        let foreign = answer();
        let next = foreign.url();
        let own = Server::start(move |request| match request.path.as_str() {
            "/moved" => Answer::status(307).header("Location", format!("{next}/moved")),
            _ => Answer::json(200, format!(r#"{{"next": "{next}/next"}}"#)),
        });
        Self { own, foreign }
    }

    /// `text` with `OWN`, `FOREIGN` and their hosts replaced by the addresses of the servers.
    fn text(&self, text: &str) -> String {
        let host = |server: &Server| server.url().replace("http://", "");
        let text = text.replace("HOST_OF_FOREIGN", &host(&self.foreign)).replace("HOST_OF_OWN", &host(&self.own));
        text.replace("FOREIGN", &self.foreign.url()).replace("OWN", &self.own.url())
    }

    fn with(&self, environment: &str, collection: &str) -> Runner {
        Runner::new()
            .file("environments/dev.yaml", self.text(environment))
            .file("c.yaml", self.text(collection))
            .args(["c.yaml", "--env", "dev"])
    }

    #[track_caller]
    fn assert_refused(&self, what: &str, ran: &Ran, says: &str) {
        let said = ran.all_output();
        assert_eq!((ran.exit, self.foreign.connections()), (6, 0), "{what}\n{said}");
        assert!(said.contains(&self.text(says)), "{what}: {says}\n{said}");
    }
}

const HELD: &str = "`FOREIGN` is none of the hosts of ";

/// Each row is a changed file, or what an answer gives. Each is tried with the flag and with the process variable.
const ATTACKS: &[(&str, &str, &str, &str)] = &[
    ("a url in the collection", "", "requests: [{url: FOREIGN/x}]", HELD),
    ("the start of a url", "", "requests: [{url: 'FOREIGN/x/{{ 1 + 1 }}'}]", HELD),
    ("base_url", "", "{defaults: {base_url: FOREIGN}, requests: [{url: /x}]}", HELD),
    ("a url under a condition", "", "requests: [{url: FOREIGN/x, when: 1 == 1}]", HELD),
    ("a variable of the collection", "", "{variables: {a: FOREIGN}, requests: [{url: '{{ a }}/x'}]}", HELD),
    ("what an answer gave", "", "requests: [{url: OWN/, capture: {next: $.next}}, {url: '{{ next }}'}]", HELD),
    ("where an answer leads", "", "requests: [{url: OWN/moved}]", HELD),
    ("a needed collection", "", "{needs: [other.yaml], requests: [{url: OWN/}]}", HELD),
    ("userinfo", "", "requests: [{url: 'http://HOST_OF_OWN@HOST_OF_FOREIGN/x'}]", HELD),
    ("a variable of the environment", "variables: {api_url: FOREIGN}", "requests: [{url: '{{ api_url }}/x'}]", HELD),
    (
        "a variable that a base overrides",
        "{extends: base.yaml, variables: {own: OWN}}",
        "requests: [{url: '{{ from_base }}/x'}]",
        HELD,
    ),
    ("hosts", "hosts: [HOST_OF_FOREIGN]", "requests: [{url: FOREIGN/x}]", HELD),
    ("proxy", "proxy: FOREIGN", "requests: [{url: OWN/}]", "the proxy is refused: `FOREIGN` is none of the hosts of "),
    ("proxy with userinfo", "proxy: 'http://127.0.0.1@HOST_OF_FOREIGN'", "requests: [{url: OWN/}]", "the proxy is refused"),
    ("insecure", "tls: {insecure: true}", "requests: [{url: OWN/}]", "`insecure` in a file can't be used"),
    ("insecure of a base", "extends: insecure.yaml", "requests: [{url: OWN/}]", "`insecure` in a file can't be used"),
    ("a certificate authority", "tls: {ca: ca.pem}", "requests: [{url: OWN/}]", "`ca` in a file can't be used"),
    ("another host by a header", "", "requests: [{url: OWN/, headers: {Host: HOST_OF_FOREIGN}}]", "to another host"),
    (
        "the other port of the host",
        "",
        "requests: [{url: 'http://127.0.0.1:1/'}]",
        "`http://127.0.0.1:1` is none of the hosts of ",
    ),
    (
        "the other scheme of the host",
        "",
        "requests: [{url: 'https://HOST_OF_OWN/'}]",
        "`https://HOST_OF_OWN` is none of the hosts of ",
    ),
];

#[test]
fn nothing_in_a_file_widens_what_a_run_is_held_to() {
    let authority = Issuer::new("other").pem();
    for (what, environment, collection, says) in ATTACKS {
        for flag in [true, false] {
            let project = Project::new();
            let runner = project
                .with(environment, collection)
                .file("other.yaml", project.text("requests: [{url: FOREIGN/x}]"))
                .file("environments/base.yaml", project.text("variables: {from_base: FOREIGN, own: FOREIGN}"))
                .file("environments/insecure.yaml", "tls: {insecure: true}")
                .file("environments/ca.pem", &authority);
            let runner = match flag {
                true => runner.arg(project.text("--only-host=HOST_OF_OWN")),
                false => runner.env_var("RUNNER_ONLY_HOSTS", project.text("HOST_OF_OWN")),
            };
            project.assert_refused(&format!("{what} {flag}"), &runner.run_unchecked(), says);
        }
    }
}

/// What opens a run by the command line for secrets does not open it for connections.
#[test]
fn no_other_flag_widens_it() {
    for argument in ["--allow-host=HOST_OF_FOREIGN", "--var=api_url=FOREIGN", "--only-host=HOST_OF_FOREIGN"] {
        let project = Project::new();
        let runner = project.with("", "requests: [{url: FOREIGN/x}]").arg(project.text(argument));
        let ran = runner.env_var("RUNNER_ONLY_HOSTS", project.text("HOST_OF_OWN")).run_unchecked();
        project.assert_refused(argument, &ran, "`FOREIGN` is none of the hosts of RUNNER_ONLY_HOSTS");
    }
    let project = Project::new();
    let runner = project.with("", "requests: [{url: OWN/}]").arg(project.text("--proxy=FOREIGN"));
    let ran = runner.arg(project.text("--only-host=HOST_OF_OWN")).run_unchecked();
    project.assert_refused("--proxy", &ran, "the proxy is refused: `FOREIGN` is none of the hosts of `--only-host`");
}

#[test]
fn a_run_goes_to_the_hosts_that_it_is_held_to() {
    let both = "requests: [{url: OWN/}, {url: FOREIGN/x}]";
    for (what, arguments, process, collection) in [
        ("the flag", vec!["--only-host=HOST_OF_OWN"], None, "requests: [{url: OWN/}]"),
        ("two flags", vec!["--only-host=HOST_OF_OWN", "--only-host=HOST_OF_FOREIGN"], None, both),
        ("one flag with two", vec!["--only-host=HOST_OF_OWN,HOST_OF_FOREIGN"], None, both),
        ("commas and blanks", vec![], Some(" HOST_OF_OWN, HOST_OF_FOREIGN\n"), both),
        ("both", vec!["--only-host=HOST_OF_OWN"], Some("HOST_OF_FOREIGN HOST_OF_OWN"), "requests: [{url: OWN/}]"),
        ("insecure by the command line", vec!["--only-host=HOST_OF_OWN", "--insecure"], None, "requests: [{url: OWN/}]"),
    ] {
        let project = Project::new();
        let runner =
            arguments.into_iter().fold(project.with("", collection), |runner, argument| runner.arg(project.text(argument)));
        let runner = match process {
            Some(hosts) => runner.env_var("RUNNER_ONLY_HOSTS", project.text(hosts)),
            None => runner,
        };
        let ran = runner.run_unchecked();
        assert_eq!((ran.exit, project.own.lines().len()), (0, 1), "{what}\n{}", ran.all_output());
        assert_eq!(project.foreign.connections(), usize::from(collection == both), "{what}");
    }
}

/// Whoever gives the command line decides whom the run trusts; what a file says of it does not count then.
#[test]
fn the_command_line_says_whom_a_run_trusts() {
    for (flags, file, exit) in [
        (vec!["--cacert=own.pem"], "ca: other.pem", 0),
        (vec!["--insecure"], "insecure: true", 0),
        (vec!["--cacert=own.pem", "--insecure"], "{ca: other.pem, insecure: true}", 0),
        (vec!["--cacert=own.pem"], "insecure: true", 6),
        (vec!["--insecure"], "ca: other.pem", 6),
    ] {
        let pair = signed_by_itself("localhost", |_| ());
        let config = Arc::new(config(&pair, rustls::ALL_VERSIONS, None));
        let own = Server::start_at("127.0.0.1".parse().unwrap(), Some(config), |_| Answer::json(200, "{}")).unwrap();
        let host = own.url().replace("127.0.0.1", "localhost").replace("http://", "https://");
        let ran = Runner::new()
            .file(
                "environments/dev.yaml",
                format!("tls: {}\n", if file.starts_with('{') { file.to_owned() } else { format!("{{{file}}}") }),
            )
            .file("environments/other.pem", Issuer::new("other").pem())
            .file("own.pem", pair.cert_pem)
            .file("c.yaml", format!("requests: [{{url: '{host}/'}}]\n"))
            .args(["c.yaml", "--env", "dev", "--only-host", &host])
            .args(flags.iter().copied())
            .run_unchecked();
        assert_eq!((ran.exit, own.lines().len()), (exit, usize::from(exit == 0)), "{flags:?} {file}\n{}", ran.all_output());
    }
}

/// It is the run's own process, at a port that nobody can name beforehand.
#[test]
fn the_embedded_sandbox_is_part_of_the_run() {
    let project = Project::new();
    let environment = "{sandbox: box, variables: {api_url: '{{ sandbox.url }}'}}";
    let collection = "requests: [{url: '{{ api_url }}/x'}, {url: 'http://127.0.0.1:1/', when: 1 == 1}]";
    let ran = project.with(environment, collection).arg("--only-host=api.example.com").run_unchecked();
    assert_eq!(ran.exit, 6, "{}", ran.all_output());
    // The first was answered; the other would go to another port.
    assert!(ran.stdout.contains("server: not_found") && ran.stdout.contains("none of the hosts"), "{}", ran.stdout);
}

/// A dry run tells what a run would be refused.
#[test]
fn a_dry_run_is_held_too() {
    let project = Project::new();
    let collection = "{variables: {a: FOREIGN}, requests: [{url: '{{ a }}/x'}]}";
    let runner = project.with("", collection).args(["--dry-run", "--only-host=api.example.com"]);
    project.assert_refused("dry run", &runner.run_unchecked(), HELD);
}

#[test]
fn a_refusal_names_the_place_and_the_mend() {
    let project = Project::new();
    let ran = project
        .with("", "\n  requests:\n    - url: https://evil.test/x\n    - url: 'OWN/{{ 1 + 1 }}'\n  ")
        .arg("--only-host=api.example.com")
        .env_var("RUNNER_ONLY_HOSTS", project.text("HOST_OF_OWN"))
        .run_unchecked();
    let port = project.own.url().rsplit(':').next().unwrap().to_owned();
    let expected = "\
error: `https://evil.test` is none of the hosts of `--only-host` and RUNNER_ONLY_HOSTS
 --> c.yaml:2:10
  |
2 |   - url: https://evil.test/x
  |          ^^^^^^^^^^^^^^^^^^^
  |
  = help: if the run may connect there, add `--only-host evil.test` and `evil.test` to RUNNER_ONLY_HOSTS
";
    assert_eq!((ran.exit, ran.stdout.as_str()), (6, ""), "{}", ran.all_output());
    assert!(ran.stderr.starts_with(expected), "{}", ran.stderr);
    let other = format!("error: `http://127.0.0.1:{port}` is none of the hosts of `--only-host`\n");
    assert!(ran.raw_stderr.contains(&other), "{}", ran.stderr);
    assert!(ran.stderr.ends_with("2 mistakes; nothing was sent\n"), "{}", ran.stderr);
    assert_eq!(project.own.connections(), 0);
}

/// Whoever sets the process variable relies on it: what can't be read stops the run.
#[test]
fn a_process_variable_that_can_not_be_read_stops_the_run() {
    for (hosts, says) in [
        ("", "RUNNER_ONLY_HOSTS is set and names no host"),
        (" , ", "RUNNER_ONLY_HOSTS is set and names no host"),
        ("api.box.com *.com", "`*.com` in RUNNER_ONLY_HOSTS: `*.com` covers names of different owners"),
        ("api.box.com/2.0", "`api.box.com/2.0` in RUNNER_ONLY_HOSTS: an entry names a host, not a path"),
    ] {
        let project = Project::new();
        let ran = project.with("", "requests: [{url: OWN/}]").env_var("RUNNER_ONLY_HOSTS", hosts).run_unchecked();
        assert_eq!((ran.exit, project.own.connections()), (2, 0), "{hosts}\n{}", ran.all_output());
        assert!(ran.stderr.contains(says), "{hosts}\n{}", ran.stderr);
    }
}
