//! Servers that misbehave.

use std::io::Write;

use super::server::{Act, Server, answer, ok, serve};
use super::*;
use crate::http::coding::tests::{gzip, zstd};

async fn error_of(answer_bytes: impl AsRef<[u8]>) -> Error {
    let server = answer(answer_bytes);
    send(&client(), get(&server.url)).await.unwrap_err()
}

fn limited(body: usize) -> Client {
    Client::new(Settings { limits: Limits { body, ..Limits::default() }, ..Settings::default() }).unwrap()
}

#[tokio::test]
async fn a_refused_port_is_named() {
    let address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let error = send(&client(), get(&format!("http://me:hunter2@{address}/x?token=hunter2"))).await.unwrap_err();
    assert_eq!(error.to_string(), format!("could not connect to `{address}`: connection refused"));
    assert!(error.nothing_was_sent());
}

#[tokio::test]
async fn a_name_without_address_is_named() {
    // A label of 64 characters never reaches a name server.
    let host = format!("{}.test", "a".repeat(64));
    let error = send(&client(), get(&format!("http://{host}/x?token=hunter2"))).await.unwrap_err();
    assert!(error.to_string().starts_with(&format!("could not look up `{host}`: ")), "{error}");
}

#[tokio::test]
async fn silence_ends_with_the_time_limit() {
    let short = |server: &Server| Request { timeout: Duration::from_millis(60), ..get(&server.url) };
    let server = serve(vec![vec![Act::Hang(vec![])]]);
    let error = send(&client(), short(&server)).await.unwrap_err();
    assert_eq!(error.to_string(), "no answer within 60 ms (the limit is `timeout`)");
    let server = serve(vec![vec![Act::Hang(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello".to_vec())]]);
    let error = send(&client(), short(&server)).await.unwrap_err();
    assert_eq!(error.to_string(), "the answer was not complete within 60 ms (the limit is `timeout`): 5 of 9 bytes came");
    let server = serve(vec![vec![Act::Hang(b"HTTP/1.1 200 OK\r\nX-".to_vec())]]);
    let error = send(&client(), short(&server)).await.unwrap_err();
    assert!(matches!(error, Error::Timeout { phase: Phase::Answer, .. }), "{error}");
}

#[tokio::test]
async fn broken_answers_say_what_broke() {
    let head = "HTTP/1.1 200 OK\r\n";
    let table = [
        (format!("{head}Content-Length: 200\r\n\r\n{}", "x".repeat(120)), "the answer broke off after 120 of 200 bytes"),
        (format!("{head}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n5\r\nhe"), "the answer broke off after 7 bytes"),
        (format!("{head}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"), "the answer broke off after 5 bytes"),
        (
            format!("{head}Transfer-Encoding: chunked\r\n\r\nxyz\r\nhello\r\n"),
            "the answer is no valid HTTP: a chunk of the body has no readable length",
        ),
        (
            format!("{head}Content-Length: 1\r\nContent-Length: 2\r\n\r\nhello"),
            "the answer is no valid HTTP: its head can't be read",
        ),
        ("\u{1}\u{2}garbage\r\n\r\n".to_owned(), "the answer is no valid HTTP: its head can't be read"),
        (
            format!("{head}Content-Encoding: gzip\r\nContent-Length: 5\r\n\r\nhello"),
            "the body could not be decoded: it is no valid `gzip`",
        ),
        (
            format!("{head}Content-Encoding: br, br, br\r\nContent-Length: 5\r\n\r\nhello"),
            "the body could not be decoded: 3 codings lie on top of each other, at most 2 are undone",
        ),
    ];
    for (bytes, message) in table {
        assert_eq!(error_of(&bytes).await.to_string(), message, "{bytes}");
    }
}

#[tokio::test]
async fn a_reset_is_told_from_an_end() {
    let server = serve(vec![vec![Act::Reset(b"HTTP/1.1 200 OK\r\nContent-Length: 200\r\n\r\nhello".to_vec())]]);
    let error = send(&client(), get(&server.url)).await.unwrap_err();
    assert_eq!(error, Error::CutOff { received: 5, expected: Some(200) });
    let server = serve(vec![vec![Act::Reset(vec![])]]);
    let error = send(&client(), get(&server.url)).await.unwrap_err();
    assert!(matches!(error, Error::NoAnswer { .. }), "{error}");
}

#[tokio::test]
async fn no_cut_passes_for_an_answer() {
    let plain = ok("Content-Type: text/plain\r\n", b"hello, world");
    let chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n".to_vec();
    let client = client();
    for whole in [plain, chunked] {
        for end in 0..whole.len() {
            let server = answer(&whole[..end]);
            let result = send(&client, get(&server.url)).await;
            assert!(result.is_err(), "cut at {end} of {}", whole.len());
        }
    }
}

#[tokio::test]
async fn header_floods_are_stopped() {
    let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "x: y\r\n".repeat(1001));
    let long = format!("HTTP/1.1 200 OK\r\nx: {}\r\nContent-Length: 0\r\n\r\n", "y".repeat(300 << 10));
    let longer = format!("HTTP/1.1 200 OK\r\nx: {}\r\nContent-Length: 0\r\n\r\n", "y".repeat(2 << 20));
    for bytes in [many, long, longer] {
        let error = error_of(bytes).await;
        assert_eq!(error, Error::HeadersTooLarge { limit: 256 << 10 }, "{error}");
    }
    let fine = format!("HTTP/1.1 200 OK\r\n{}Content-Length: 0\r\n\r\n", "x: y\r\n".repeat(900));
    let server = answer(fine);
    assert_eq!(send(&client(), get(&server.url)).await.unwrap().response.headers("x").count(), 900);
}

#[tokio::test]
async fn a_body_stops_at_the_limit() {
    let zeros = vec![0; 1 << 20];
    let endless = [b"HTTP/1.1 200 OK\r\n\r\n".to_vec(), zeros.clone()].concat();
    let chunk = [b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n10000\r\n", &zeros[..1 << 16], b"\r\n0\r\n\r\n"].concat();
    let table = [
        ("gzip bomb", ok("Content-Encoding: gzip\r\n", &gzip(&zeros))),
        ("zstd bomb", ok("Content-Encoding: zstd\r\n", &zstd(&zeros))),
        ("announced", b"HTTP/1.1 200 OK\r\nContent-Length: 1001\r\n\r\n".to_vec()),
        ("more than any memory", b"HTTP/1.1 200 OK\r\nContent-Length: 9223372036854775807\r\n\r\n".to_vec()),
        ("endless", endless),
        ("chunked", chunk),
    ];
    for (what, bytes) in table {
        let server = answer(bytes);
        let got = send(&limited(1000), get(&server.url)).await.map(|exchange| exchange.response.body.len());
        assert_eq!(got, Err(Error::TooLarge { limit: 1000 }), "{what}");
    }
    let server = answer(ok("", &zeros[..1000]));
    assert_eq!(send(&limited(1000), get(&server.url)).await.unwrap().response.body.len(), 1000);
}

#[tokio::test]
async fn a_file_that_shrinks_is_noticed() {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(&vec![b'x'; 200_000]).unwrap();
    let other = file.try_clone().unwrap();
    let body = Body::file(file).unwrap();
    other.set_len(70_000).unwrap();
    let server = answer(ok("", b""));
    let error = send(&client(), Request { body: Some(body), ..request("PUT", &server.url) }).await.unwrap_err();
    assert_eq!(error.to_string(), "the file to be sent could not be read: it became shorter while it was sent");
}

#[tokio::test]
async fn a_proxy_that_refuses_is_named() {
    let server = answer(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n");
    let proxy = Proxy::parse(&server.url.replace("//", "//me:hunter2@"), vec![]).unwrap();
    let client = Client::new(Settings { proxy: Some(proxy), ..Settings::default() }).unwrap();
    let error = send(&client, get("https://api.test/x?token=hunter2")).await.unwrap_err();
    let place = server.url.strip_prefix("http://").unwrap();
    assert_eq!(error.to_string(), format!("the proxy `{place}` does not take the user name and password"));
}
