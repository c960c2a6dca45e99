//! What bad input gets: one clear message with the place where there is one, and the right exit code. The cases stand as text in
//! `bad_input/`; see [`crate::support::cases`] for how to read and add them.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use runner::clock::SystemClock;
use runner::diagnostic::{Style, render_all};
use runner::mask::Masker;
use runner::plan::{self, Inputs, Rules};

use crate::support::cases::check;
use crate::support::runner::Runner;
use crate::support::server::{Answer, Request};

/// Answers as the path asks for.
fn answer(request: &Request) -> Answer {
    match request.path.as_str() {
        "/text" => Answer::text(200, "<html>\n  not here\n</html>"),
        "/empty" => Answer::status(204),
        "/broken" => Answer::json(200, "{\"id\": 7,}"),
        "/slow" => Answer::json(200, "{}").slow(Duration::from_millis(1500)),
        "/cut" => Answer::json(200, "{\"id\": 7, \"name\": \"half\"}").cut_off(9),
        "/silent" => Answer::raw(""),
        "/nonsense" => Answer::raw("SSH-2.0-OpenSSH_9.6\r\n"),
        "/gzip" => Answer::text(200, "this is no gzip").header("Content-Encoding", "gzip"),
        "/denied" => Answer::json(401, "{\"error\": \"invalid_token\", \"error_description\": \"expired\"}"),
        "/cookie" => Answer::json(200, "{}").header("Set-Cookie", "sid=1; Path=/").header("ETag", "\"abc\""),
        _ => Answer::json(200, "{\"id\": 7, \"name\": \"Ada\", \"token\": \"t0ken-of-the-answer\", \"items\": []}"),
    }
}

#[test]
fn collections() {
    check("bad_input/collections.txt", answer);
}

#[test]
fn environments() {
    check("bad_input/environments.txt", answer);
}

#[test]
fn values() {
    check("bad_input/values.txt", answer);
}

#[test]
fn network() {
    check("bad_input/network.txt", answer);
}

#[test]
fn command_lines() {
    check("bad_input/command_lines.txt", answer);
}

/// A local file with values of every kind. The secrets are made of characters that no message is made of.
const LOCAL: &str = r#"# kept by hand
variables:
  client_secret: Zq7#kWv9!XjqLm
  quoted: "Jx\"4wQz_: 9Kq%vZ"
  single: 'kZ8xQ ''wJv7 & Xq5'
  folded: >-
    qWx3ZkJ9
    vLz6XqK2
  pem: |
    -----BEGIN PRIVATE KEY-----
    xKq9ZwJ4vLm7QzX2
    -----END PRIVATE KEY-----
  template: "XwQ{{ api_url }}zKj5qV8"
  list: [Kz5jXq7w, {inner: wVx4QzJ8}]
  tagged: !secret Qj6zXwK3vLq
  port: 8080
  api_url: http://localhost:3000
stored:
  access_token: vZx9KqW2jLQ7
  opaque: !secret "jQx7: ZwK4"
  expires_at: 1764000000
tokens:
  box: {access_token: zWq5XjK8vJ, refresh_token: "XkZ9qJw2", expires_at: 1764000000}
"#;

/// What no message may hold a piece of.
const SECRETS: [&str; 16] = [
    "Zq7#kWv9!XjqLm",
    "Jx\"4wQz_: 9Kq%vZ",
    "Jx\\\"4wQz_",
    "kZ8xQ 'wJv7 & Xq5",
    "qWx3ZkJ9",
    "vLz6XqK2",
    "xKq9ZwJ4vLm7QzX2",
    "zKj5qV8",
    "Kz5jXq7w",
    "wVx4QzJ8",
    "Qj6zXwK3vLq",
    "vZx9KqW2jLQ7",
    "jQx7: ZwK4",
    "zWq5XjK8vJ",
    "XkZ9qJw2",
    "kZ8xQ ''wJv7",
];

/// Everything that is said about a project whose local file holds `local`, before any masking.
fn said(folder: &Path, local: &[u8]) -> String {
    let path = folder.join("environments/dev.local.yaml");
    fs::write(&path, local).expect("the local file");
    let masker = Masker::new();
    let inputs = Inputs {
        paths: &[folder.join("a.yaml")],
        environment: Some("dev"),
        root: None,
        given: &[],
        tls: None,
        folder,
        masker: &masker,
    };
    let plan = match plan::build(&inputs, Arc::new(SystemClock)) {
        Ok(plan) => plan,
        Err(findings) => return render_all(&findings, Style::plain(), &Masker::new()),
    };
    let rules = Rules { no_save: false, open: false, run: true, allow_host: &[] };
    let findings = plan::validate(&plan, &BTreeMap::new(), &masker, rules).err().unwrap_or_default();
    render_all(&[plan.warnings, findings].concat(), Style::plain(), &Masker::new())
}

/// The first piece of four characters of a secret that stands in `text`.
fn piece(text: &str) -> Option<String> {
    let pieces = SECRETS.iter().flat_map(|secret| {
        let characters: Vec<char> = secret.chars().collect();
        characters.windows(4).map(|window| window.iter().collect::<String>()).collect::<Vec<_>>()
    });
    pieces.into_iter().find(|piece| text.contains(piece.as_str()))
}

/// A project whose request reads all that the local file declares.
fn project() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    fs::create_dir(folder.path().join("environments")).expect("a folder");
    fs::write(folder.path().join("environments/dev.yaml"), "variables: {api_url: , client_secret: !secret }\n").expect("a file");
    let names = ["client_secret", "quoted", "single", "folded", "pem", "template", "list", "tagged", "port", "access_token"];
    let read: String = names.iter().map(|name| format!("{{{{ {name} }}}}")).collect();
    let collection = format!("requests:\n  - url: \"{{{{ api_url }}}}\"\n    body: \"{read}\"\n");
    fs::write(folder.path().join("a.yaml"), collection).expect("a file");
    folder
}

#[test]
fn no_truncation_of_a_local_file_shows_a_piece_of_a_secret() {
    let folder = project();
    assert_eq!(piece(LOCAL).as_deref(), Some("Zq7#"), "the search finds what is there");
    let mut told = 0;
    for length in 0..LOCAL.len() {
        let said = said(folder.path(), &LOCAL.as_bytes()[..length]);
        assert_eq!(piece(&said), None, "cut after {length} bytes:\n{said}");
        told += usize::from(said.contains("dev.local.yaml:"));
    }
    assert!(told > 100, "most of the files had nothing wrong: {told}");
}

/// `text` with slips of the hand in it: every slip where a value may begin, one of them anywhere else.
fn slips(text: &str) -> impl Iterator<Item = Vec<u8>> {
    const SLIPS: [&[u8]; 10] = [b"\"", b"'", b"{{ ", b"}", b": ", b"\t", b"\n", b" *", b"!", b"\xFF"];
    let bytes = text.as_bytes();
    (0..bytes.len()).flat_map(move |at| {
        let begins = at == 0 || matches!(bytes[at - 1], b' ' | b'"' | b'\'' | b'[' | b'{');
        let chosen = SLIPS.iter().enumerate().filter(move |(number, _)| begins || at % SLIPS.len() == *number);
        chosen.map(move |(_, slip)| [&bytes[..at], slip, &bytes[at..]].concat())
    })
}

#[test]
fn no_slip_in_a_local_file_shows_a_piece_of_a_secret() {
    let folder = project();
    for local in slips(LOCAL).step_by(3) {
        let said = said(folder.path(), &local);
        assert_eq!(piece(&said), None, "{}\n{said}", String::from_utf8_lossy(&local));
    }
}

#[test]
fn a_slip_in_a_collection_is_told_at_its_place_or_changes_what_is_meant() {
    const COLLECTION: &str = include_str!("../../collections/oauth2.yaml");
    let folder = project();
    let mut told = 0;
    // One in nine: what stands here is about places; each kind of slip has its own table in `yaml`.
    for text in slips(COLLECTION).step_by(9) {
        fs::write(folder.path().join("a.yaml"), &text).expect("the collection");
        let said = said(folder.path(), b"");
        let lines = String::from_utf8_lossy(&text).lines().count();
        for at in said.lines().filter_map(|line| line.trim_start().strip_prefix("--> ")) {
            let mut numbers = at.rsplit(':').map(|number| number.parse::<usize>().ok());
            let (column, line) = (numbers.next(), numbers.next());
            assert!(matches!((line, column), (Some(Some(1..)), Some(Some(1..)))), "{at}");
            assert!(!at.contains("a.yaml") || line.flatten().is_some_and(|line| line <= lines + 1), "{at}");
        }
        told += usize::from(said.contains("a.yaml:"));
    }
    assert!(told > 50, "hardly any slip was told: {told}");
}

#[test]
fn a_file_that_may_not_be_read_is_told() {
    let runner = Runner::new().file("a.yaml", "requests: []").arg("a.yaml");
    let path = runner.path("a.yaml");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o000)).expect("a file of one's own");
    if fs::File::open(&path).is_ok() {
        return; // nothing keeps the superuser out
    }
    runner.expect_exit(2).expect_stderr("error: the collection `a.yaml` can't be read: permission denied\n").run();
}
