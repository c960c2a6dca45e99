//! The least that a person's browser does: asks for a page, sends a form.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// What came back.
pub(crate) struct Page {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

/// `GET url`.
#[track_caller]
pub(crate) fn get(url: &str) -> Page {
    ask("GET", url, "")
}

/// `POST url` with a form.
#[track_caller]
pub(crate) fn post(url: &str, form: &[(&str, &str)]) -> Page {
    let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
    ask("POST", url, &body)
}

#[track_caller]
fn ask(method: &str, url: &str, body: &str) -> Page {
    let (host, path) = url.strip_prefix("http://").and_then(|rest| rest.split_once('/')).expect("a plain URL with a path");
    let mut stream = TcpStream::connect(host).expect("a server");
    stream.set_read_timeout(Some(Duration::from_secs(30))).expect("a limit");
    let request = format!(
        "{method} /{path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Type: application/x-www-form-urlencoded\r\n\
         Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).expect("a request");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    Page { status, head: head.to_owned(), body: body.to_owned() }
}

/// What stands between two texts.
#[track_caller]
pub(crate) fn between<'t>(text: &'t str, before: &str, after: &str) -> &'t str {
    let rest = text.split_once(before).unwrap_or_else(|| panic!("`{before}` is not in:\n{text}")).1;
    rest.split_once(after).unwrap_or_else(|| panic!("`{after}` is not behind `{before}` in:\n{text}")).0
}
