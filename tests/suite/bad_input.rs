//! What bad input gets: one clear message with the place where there is one, and the right exit code. The cases stand as text in
//! `bad_input/`; see [`crate::support::cases`] for how to read and add them.

use std::time::Duration;

use crate::support::cases::check;
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
