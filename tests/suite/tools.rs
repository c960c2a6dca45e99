//! The tools of the tests, tested: a comparison that can't fail compares nothing.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use crate::support::runner::{Runner, unindented};
use crate::support::server::{Answer, Server};

fn shell(script: &str) -> Runner {
    Runner::of("sh").args(["-c", script])
}

/// Whether `test` fails; what it says then.
fn failure(test: impl FnOnce()) -> Option<String> {
    let payload = catch_unwind(AssertUnwindSafe(test)).err()?;
    Some(payload.downcast_ref::<String>().cloned().unwrap_or_default())
}

#[test]
fn a_run_is_compared_in_all_three() {
    let script = "cat; pwd; echo \"$HOME\"; echo took 12 ms >&2; exit 3";
    let ran = shell(script)
        .stdin("in\n")
        .expect_exit(3)
        .expect_stdout("in\n[project]\n[home]\n")
        .expect_stderr("took [duration]\n")
        .run();
    assert_eq!((ran.exit, ran.stdout.as_str(), ran.stderr.as_str()), (3, "in\n[project]\n[home]\n", "took [duration]\n"));
    assert!(ran.all_output().contains("took 12 ms"));
    for (what, runner) in [
        ("exit code 1 came, 0 expected", shell("exit 1")),
        ("stdout that came\na\n", shell("echo a")),
        ("stderr that came\na\n", shell("echo a >&2")),
        ("stdout expected\nb\n", shell("echo a").expect_stdout("b\n")),
    ] {
        let message = failure(|| drop(runner.run()));
        assert!(message.as_ref().is_some_and(|message| message.contains(what)), "{what}: {message:?}");
    }
}

#[test]
fn a_run_sees_nothing_of_the_surroundings() {
    let ran = shell("env | sed 's/=.*//' | sort").env_var("MINE", "1").run_unchecked();
    let left: Vec<&str> =
        ran.stdout.lines().filter(|name| !matches!(*name, "PWD" | "_" | "SHLVL" | "OLDPWD" | "LLVM_PROFILE_FILE")).collect();
    assert_eq!(left, ["HOME", "MINE", "PATH"]);
}

#[test]
fn a_second_run_finds_the_files_of_the_first() {
    let runner = shell("cat a/b.txt; echo more >c.txt").file("a/b.txt", "\n        one\n          two\n        ");
    assert!(runner.path("a/b.txt").is_file());
    let ran = runner.expect_stdout("one\n  two\n").run();
    assert_eq!(ran.files(), ["a/b.txt", "c.txt"]);
    assert!(ran.exists("c.txt") && !ran.exists("d.txt"));
    let again = ran.again().arg("-c").arg("cat c.txt").expect_stdout("more\n").run();
    assert_eq!(again.read("c.txt"), "more\n");
}

#[test]
fn a_run_can_be_interrupted_and_killed() {
    let script = "trap 'echo stopped; exit 130' INT; echo ready; while :; do sleep 0.01; done";
    let mut running = shell(script).expect_exit(130).expect_stdout("ready\nstopped\n").spawn();
    running.wait_for("ready");
    running.interrupt();
    running.wait();
    let mut running = shell("echo ready; exec sleep 60").expect_exit(137).expect_stdout("ready\n").spawn();
    running.wait_for("ready");
    running.kill();
    running.wait();
}

#[test]
fn a_block_of_text_loses_its_indentation_only() {
    for (text, expected) in [
        ("plain\n  as it is ", "plain\n  as it is "),
        ("\n    a\n      b\n\n    c\n    ", "a\n  b\n\nc\n"),
        ("\n    no last break", "no last break"),
    ] {
        assert_eq!(unindented(text), expected);
    }
}

/// What comes back for `sent`, until the server closes the connection.
fn talk(server: &Server, sent: &str) -> String {
    let mut stream = TcpStream::connect(server.url().trim_start_matches("http://")).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    stream.write_all(sent.as_bytes()).unwrap();
    let mut received = String::new();
    stream.read_to_string(&mut received).unwrap();
    received
}

#[test]
fn the_server_answers_and_remembers() {
    let server = Server::start(|request| match request.path.as_str() {
        "/json" => Answer::json(201, "{}").header("X-One", "1"),
        "/none" => Answer::status(204),
        _ => Answer::text(200, request.text()).slow(Duration::from_millis(1)),
    });
    let sent = [
        "GET /json?a=1 HTTP/1.1\r\nHost: h\r\n\r\n",
        "HEAD /json HTTP/1.1\r\n\r\n",
        "POST /none HTTP/1.1\r\ncontent-length: 7\r\n\r\na=1+%26",
        "PUT /x HTTP/1.1\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n2\r\nhe\r\n3;x=1\r\nllo\r\n0\r\n\r\n",
    ];
    let head = "HTTP/1.1 201 Answer\r\nContent-Type: application/json\r\nX-One: 1\r\nContent-Length: 2\r\n\r\n";
    let last = "HTTP/1.1 200 Answer\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 5\r\n\r\nhello";
    assert_eq!(talk(&server, &sent.concat()), format!("{head}{{}}{head}HTTP/1.1 204 Answer\r\n\r\n{last}"));
    assert_eq!(server.lines(), ["GET /json?a=1", "HEAD /json", "POST /none", "PUT /x"]);
    assert_eq!(server.connections(), 1);
    let requests = server.requests();
    assert_eq!((requests[0].header("HOST"), requests[0].header("X-None")), (Some("h"), None));
    assert_eq!(requests[2].form_field("a").as_deref(), Some("1 &"));
    assert_eq!((requests[3].text().as_str(), requests[3].connection), ("hello", 1));
}

#[test]
fn the_server_misbehaves_on_demand() {
    let server = Server::start(|request| match request.path.as_str() {
        "/raw" => Answer::raw("nonsense"),
        "/silent" => Answer::raw(""),
        _ => Answer::text(200, "0123456789").cut_off(4),
    });
    assert_eq!(talk(&server, "GET /raw HTTP/1.1\r\n\r\n"), "nonsense");
    assert_eq!(talk(&server, "GET /silent HTTP/1.1\r\n\r\n"), "");
    assert!(talk(&server, "GET /cut HTTP/1.1\r\n\r\n").ends_with("Content-Length: 10\r\n\r\n0123"));
    assert_eq!(server.connections(), 3);
}
