//! Tables of cases kept as text: files and a command line above, exactly what must come below. A case reads like a session:
//!
//! ```text
//! @case a key that nobody knows
//! @file collections/a.yaml
//! requests: []
//! @run collections/a.yaml --env dev
//! @exit 2
//! @stderr
//! error: …
//! ```
//! Files above the first `@case` (`@file`) belong to every case; a case may replace them. Further parts: `@bytes PATH ESCAPED`
//! (`\xFF`), `@link PATH TARGET`, `@folder PATH`, `@set NAME=VALUE` (the process environment), `@stdout`, `@seen` (what
//! the server was asked). What a case does not mention must be empty, or 0. In files, arguments and variables `[server]` is the
//! URL of the case's own server, `[tls]` of one that speaks TLS with a certificate of its own, `[closed]` of a port where nobody
//! listens. With `UPDATE_CASES=1` the expectations are rewritten from what came; read the difference before you keep it.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::symlink;
use std::path::Path;

use super::runner::Runner;
use super::server::{Answer, Request, Server};

/// A case as it was written down.
#[derive(Debug, Clone, Default)]
struct Case {
    name: String,
    /// The parts above the expectations, as written: word, rest of the line, text below.
    given: Vec<(String, String, String)>,
    expected: Outcome,
}

/// What comes of a run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Outcome {
    exit: i32,
    stdout: String,
    stderr: String,
    seen: String,
}

/// Runs every case of a table and compares; all that differ are told together.
#[track_caller]
pub(crate) fn check(table: &str, answer: fn(&Request) -> Answer) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/suite").join(table);
    let text = fs::read_to_string(&path).expect("the table");
    let (head, shared, mut cases) = parse(&text);
    assert!(!cases.is_empty(), "{table} has no cases");
    let mut differences = String::new();
    for case in &mut cases {
        let came = run(&shared, case, answer);
        if came != case.expected {
            let _ = writeln!(differences, "{}\n  came:\n{}  expected:\n{}", case.name, written(&came), written(&case.expected));
        }
        assert!(came.exit < 7 && !came.stderr.contains("panicked"), "{table}: {}: {came:?}", case.name);
        case.expected = came;
    }
    if std::env::var_os("UPDATE_CASES").is_some() {
        let cases: String = cases
            .iter()
            .map(|case| format!("\n@case {}\n{}{}", case.name, parts(&case.given), written(&case.expected)))
            .collect();
        fs::write(&path, format!("{head}{}{cases}", parts(&shared))).expect("the table can be written");
        return;
    }
    assert!(differences.is_empty(), "{table}:\n{differences}");
}

type Parts = Vec<(String, String, String)>;

/// The comment at the top, the parts that all cases share, and the cases.
fn parse(text: &str) -> (String, Parts, Vec<Case>) {
    let (mut head, mut shared, mut cases) = (String::new(), Parts::new(), Vec::<Case>::new());
    let mut current: Option<(String, String, String)> = None;
    let mut put = |part: Option<(String, String, String)>, cases: &mut Vec<Case>| {
        let Some((word, rest, mut text)) = part else { return };
        if word == "case" {
            cases.push(Case { name: rest, ..Case::default() });
            return;
        }
        let Some(case) = cases.last_mut() else {
            shared.push((word, rest, text));
            return;
        };
        // A table separates cases by an empty line, which belongs to none of them.
        match word.as_str() {
            "exit" => case.expected.exit = rest.parse().expect("a number"),
            "stdout" => case.expected.stdout = text,
            "stderr" => case.expected.stderr = text,
            "seen" => case.expected.seen = text,
            _ => case.given.push((word, rest, std::mem::take(&mut text))),
        }
    };
    let lines: Vec<&str> = text.lines().collect();
    for (index, line) in lines.iter().enumerate() {
        if let Some(part) = line.strip_prefix('@') {
            put(current.take(), &mut cases);
            let (word, rest) = part.split_once(' ').unwrap_or((part, ""));
            current = Some((word.to_owned(), rest.to_owned(), String::new()));
        } else if let Some((_, _, text)) = &mut current {
            let separates = line.is_empty() && lines.get(index + 1).is_none_or(|next| next.starts_with("@case"));
            if !separates {
                let _ = writeln!(text, "{line}");
            }
        } else {
            let _ = writeln!(head, "{line}");
        }
    }
    put(current, &mut cases);
    (head, shared, cases)
}

fn parts(parts: &Parts) -> String {
    let line = |(word, rest, text): &(String, String, String)| {
        let space = if rest.is_empty() { "" } else { " " };
        format!("@{word}{space}{rest}\n{text}")
    };
    parts.iter().map(line).collect()
}

fn written(outcome: &Outcome) -> String {
    let mut text = String::new();
    if outcome.exit != 0 {
        let _ = writeln!(text, "@exit {}", outcome.exit);
    }
    for (word, part) in [("seen", &outcome.seen), ("stdout", &outcome.stdout), ("stderr", &outcome.stderr)] {
        if !part.is_empty() {
            let _ = write!(text, "@{word}\n{part}");
        }
    }
    text
}

fn run(shared: &Parts, case: &Case, answer: fn(&Request) -> Answer) -> Outcome {
    let all = || shared.iter().chain(&case.given);
    let uses = |word: &str| all().any(|(_, rest, text)| rest.contains(word) || text.contains(word));
    let mut names = BTreeMap::new();
    let server = uses("[server]").then(|| Server::start(answer));
    names.extend(server.iter().map(|server| ("[server]", server.url())));
    let tls = uses("[tls]").then(super::tls::self_signed);
    names.extend(tls.iter().map(|server| ("[tls]", server.url())));
    if uses("[closed]") {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        names.insert("[closed]", format!("http://{}", listener.local_addr().expect("an address")));
    }
    let filled = |text: &str| names.iter().fold(text.to_owned(), |text, (name, url)| text.replace(name, url));
    let mut runner = Runner::new();
    for (word, rest, text) in all() {
        let (path, more) = rest.split_once(' ').unwrap_or((rest, ""));
        runner = match word.as_str() {
            "file" => runner.file(rest, filled(text)),
            "run" => runner.args(words(&filled(rest)).iter().map(String::as_str)),
            "set" => {
                let (name, value) = rest.split_once('=').expect("`@set NAME=VALUE`");
                runner.env_var(name, filled(value))
            }
            _ => {
                let runner = runner.file(path, "");
                fs::remove_file(runner.path(path)).expect("it was just made");
                let made = match word.as_str() {
                    "bytes" => fs::write(runner.path(path), bytes(more)),
                    "link" => symlink(more, runner.path(path)),
                    "folder" => fs::create_dir(runner.path(path)),
                    _ => panic!("{}: there is no part `@{word}`", case.name),
                };
                made.expect("something new");
                runner
            }
        };
    }
    let ran = runner.run_unchecked();
    let named = |text: &str, project: &Path| {
        let resolved = project.canonicalize().expect("the project").display().to_string();
        let text = text.replace(&resolved, "[project]");
        names.iter().fold(text, |text, (name, url)| text.replace(url.as_str(), name))
    };
    let seen = server.map(|server| server.lines()).unwrap_or_default();
    Outcome {
        exit: ran.exit,
        stdout: steady(&ran.stdout),
        // What was found before anything was sent holds no durations but those that it means.
        stderr: named(&ran.raw_stderr, &ran.path("")),
        seen: seen.iter().map(|line| format!("{line}\n")).collect(),
    }
}

/// Text without what differs from machine to machine: how many spaces stand before a duration depends on its length, and how a
/// name is not found on the resolver.
fn steady(text: &str) -> String {
    let line = |line: &str| match line.split_once("[duration]") {
        None if line.contains("error: could not look up `") => {
            line.rsplit_once("`: ").map_or(line.to_owned(), |(before, _)| format!("{before}`: [reason]"))
        }
        Some((before, behind)) if before.trim_end_matches('<').ends_with("  ") => {
            format!("{}  [duration]{behind}", before.trim_end_matches(['<', ' ']))
        }
        _ => line.replace("in <[duration]", "in [duration]"),
    };
    text.lines().map(|text| line(text) + "\n").collect()
}

/// The arguments of a command line; single quotes keep spaces together.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    for (index, part) in line.split('\'').enumerate() {
        if index % 2 == 1 {
            words.push(part.to_owned());
        } else {
            words.extend(part.split_whitespace().map(str::to_owned));
        }
    }
    words
}

/// Bytes as written with `\xFF` and `\n`.
fn bytes(text: &str) -> Vec<u8> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        if let Some(digits) = rest.strip_prefix("\\x").and_then(|rest| rest.get(..2)) {
            found.push(u8::from_str_radix(digits, 16).expect("two hexadecimal digits"));
            rest = &rest[4..];
        } else if let Some(behind) = rest.strip_prefix("\\n") {
            found.push(b'\n');
            rest = behind;
        } else {
            found.extend(c.to_string().bytes());
            rest = &rest[c.len_utf8()..];
        }
    }
    found
}

#[test]
fn a_table_survives_being_read_and_written() {
    let text = "# head\n@file a.yaml\na: 1\n\n@case one\n@file b.yaml\nb: 2\n\n@run b.yaml\n@exit 2\n@seen\nGET /\n@stderr\nerror: x\n\n@case two\n@run 'a b' c\n@stdout\nok\n";
    let (head, shared, cases) = parse(text);
    assert_eq!((head.as_str(), shared.len(), cases.len()), ("# head\n", 1, 2));
    assert_eq!(cases[0].given[0].2, "b: 2\n\n");
    assert_eq!((cases[0].expected.exit, cases[0].expected.stderr.as_str()), (2, "error: x\n"));
    assert_eq!(words("x 'a b' c"), ["x", "a b", "c"]);
    assert_eq!(bytes("a\\xFFb\\n"), b"a\xFFb\n");
    let cases: String =
        cases.iter().map(|case| format!("\n@case {}\n{}{}", case.name, parts(&case.given), written(&case.expected))).collect();
    assert_eq!(
        format!("{head}{}{cases}", parts(&shared)),
        text.replacen("a: 1\n\n", "a: 1\n", 1).replacen("@file a.yaml\na: 1\n", "@file a.yaml\na: 1\n\n", 1)
    );
}
