//! What an interrupted run leaves: its summary, its exit code, and every value that was stored before.

use std::time::Duration;

use crate::support::runner::{Runner, Running};
use crate::support::server::{Answer, Server};

/// A run that has stored a value and now waits for an answer that will not come in time.
fn waiting(server: &Server) -> (Runner, &'static str) {
    let collection = r#"
        defaults: {base_url: "{{ url }}"}
        requests:
          - {name: Log in, url: /token, store: {access_token: $.token}}
          - {name: Slow, url: /slow}
          - {name: Later, url: /later}
          - {name: Clean up, url: /clean, always: true}
        "#;
    let runner = Runner::new()
        .file("environments/.gitignore", "*.local.*\n.*.lock\n")
        .file("environments/dev.yaml", format!("variables:\n  url: {}\n", server.url()))
        .file("c.yaml", collection)
        .args(["c.yaml", "--env", "dev"]);
    (runner, "stored:\n  access_token: t0ken-value-123\n")
}

fn slow_server() -> Server {
    Server::start(|request| match request.path.as_str() {
        "/slow" => Answer::json(200, "{}").slow(Duration::from_secs(5)),
        _ => Answer::json(200, r#"{"token": "t0ken-value-123"}"#),
    })
}

/// Waits until the server has the slow request.
fn wait_for_slow(running: &mut Running, server: &Server) {
    running.wait_for("stored access_token");
    for _ in 0..5000 {
        if server.lines().contains(&"GET /slow".to_owned()) {
            return;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    panic!("the slow request was not sent");
}

#[test]
fn an_interrupted_run_tells_what_was_done_and_keeps_what_was_stored() {
    let server = slow_server();
    let (runner, kept) = waiting(&server);
    let mut running = runner
        .expect_exit(130)
        .expect_stdout(
            "
            ✓ GET    Log in                            200 [duration]
              stored access_token in environments/dev.local.yaml

            1 request: 1 passed in [duration] (interrupted)
            ",
        )
        .expect_stderr("warning: interrupted while `Slow` was under way; the server may have received it\n")
        .spawn();
    wait_for_slow(&mut running, &server);
    running.interrupt();
    let ran = running.wait();
    assert_eq!(ran.read("environments/dev.local.yaml"), kept);
    assert_eq!(server.lines(), ["GET /token", "GET /slow"]);
}

#[test]
fn a_terminated_run_does_the_same() {
    let server = slow_server();
    let (runner, kept) = waiting(&server);
    let mut running = runner
        .expect_exit(143)
        .expect_stdout(
            "
            ✓ GET    Log in                            200 [duration]
              stored access_token in environments/dev.local.yaml

            1 request: 1 passed in [duration] (interrupted)
            ",
        )
        .expect_stderr("warning: interrupted while `Slow` was under way; the server may have received it\n")
        .spawn();
    wait_for_slow(&mut running, &server);
    running.terminate();
    assert_eq!(running.wait().read("environments/dev.local.yaml"), kept);
}

#[test]
fn a_killed_run_has_lost_nothing_that_it_said_was_stored() {
    let server = slow_server();
    let (runner, kept) = waiting(&server);
    let mut running = runner
        .expect_exit(137)
        .expect_stdout(
            "
            ✓ GET    Log in                            200 [duration]
              stored access_token in environments/dev.local.yaml
            ",
        )
        .spawn();
    wait_for_slow(&mut running, &server);
    running.kill();
    assert_eq!(running.wait().read("environments/dev.local.yaml"), kept);
}
