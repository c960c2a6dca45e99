//! Connections that are kept, and those that died meanwhile.

use std::io::Write;

use bytes::Bytes;

use super::server::{Act, Server, ok, serve};
use super::*;

#[tokio::test]
async fn a_connection_is_kept() {
    let server = serve(vec![vec![Act::Answer(ok("", b"a")), Act::Answer(ok("", b"b")), Act::Answer(ok("", b"c"))]]);
    let client = client();
    for (body, reused) in [("a", false), ("b", true), ("c", true)] {
        let exchange = send(&client, get(&server.url)).await.unwrap();
        assert_eq!((exchange.response.text().as_ref(), exchange.reused), (body, reused));
        assert_eq!(exchange.timings.connect.is_none(), reused);
    }
}

/// A server that answers once, closes under the second request, and would answer a third.
fn stale() -> Server {
    serve(vec![vec![Act::Answer(ok("", b"first")), Act::Last(vec![])], vec![Act::Answer(ok("", b"again"))]])
}

#[tokio::test]
async fn an_idempotent_request_is_sent_again_when_its_kept_connection_died() {
    for method in ["GET", "HEAD", "OPTIONS", "PUT", "DELETE", "TRACE"] {
        let server = stale();
        let client = client();
        send(&client, get(&server.url)).await.unwrap();
        let exchange = send(&client, request(method, &server.url)).await.unwrap();
        assert_eq!((exchange.response.status, exchange.reused), (200, false), "{method}");
        assert_eq!(server.seen.try_iter().count(), 3, "{method}");
    }
}

#[tokio::test]
async fn a_file_is_sent_again_from_its_start() {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(b"hello").unwrap();
    let server = stale();
    let client = client();
    send(&client, get(&server.url)).await.unwrap();
    let request = Request { body: Some(Body::file(file).unwrap()), ..request("PUT", &server.url) };
    send(&client, request).await.unwrap();
    let bodies: Vec<bool> = server.seen.try_iter().map(|text| text.ends_with("\r\n\r\nhello")).collect();
    assert_eq!(bodies, [false, true, true]);
}

#[tokio::test]
async fn a_request_that_may_have_been_carried_out_is_not_sent_again() {
    for method in ["POST", "PATCH"] {
        let server = stale();
        let client = client();
        send(&client, get(&server.url)).await.unwrap();
        let body = Some(Body::Bytes(Bytes::from_static(b"x")));
        let error = send(&client, Request { body, ..request(method, &server.url) }).await.unwrap_err();
        assert!(matches!(error, Error::NoAnswer { .. }), "{error}");
        assert!(!error.nothing_was_sent());
        assert_eq!(server.seen.try_iter().count(), 2, "{method}");
    }
}

#[tokio::test]
async fn a_post_is_sent_on_a_new_connection_when_the_kept_one_is_known_to_be_closed() {
    let server = serve(vec![vec![Act::Answer(ok("", b"first")), Act::Last(vec![])], vec![Act::Answer(ok("", b"again"))]]);
    let client = client();
    send(&client, get(&server.url)).await.unwrap();
    // The server's first connection is closed by a request that the client sees fail.
    assert!(send(&client, request("POST", &server.url)).await.is_err());
    assert_eq!(send(&client, request("POST", &server.url)).await.unwrap().response.text(), "again");
}

#[tokio::test]
async fn a_first_connection_that_dies_is_not_tried_again() {
    let server = serve(vec![vec![Act::Last(vec![])], vec![Act::Answer(ok("", b"again"))]]);
    let error = send(&client(), get(&server.url)).await.unwrap_err();
    assert!(error.to_string().ends_with("closed the connection without an answer"), "{error}");
    assert_eq!(server.seen.try_iter().count(), 1);
}

#[tokio::test]
async fn an_answer_that_asks_to_close_is_obeyed() {
    let server = serve(vec![vec![Act::Last(ok("Connection: close\r\n", b"a"))], vec![Act::Last(ok("", b"b"))]]);
    let client = client();
    send(&client, get(&server.url)).await.unwrap();
    let exchange = send(&client, request("POST", &server.url)).await.unwrap();
    assert_eq!((exchange.response.text().as_ref(), exchange.reused), ("b", false));
}

#[test]
fn a_request_can_be_sent_from_any_thread() {
    fn movable(_: impl Send) {}
    let client = client();
    movable(client.send(get("http://a.test/"), &|_, _| Ok(())));
}
