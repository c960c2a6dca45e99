//! Answers that are as they should be.

use std::io::{Seek, SeekFrom, Write};

use bytes::Bytes;

use super::server::{Act, answer, ok, serve};
use super::*;
use crate::http::coding::tests::{BROTLI_HELLO, gzip, zstd};

#[tokio::test]
async fn an_answer_is_read_whole() {
    let server = answer(ok("X-A: 1\r\nx-a: é\r\nContent-Type: text/plain\r\n", b"hello"));
    let exchange = send(&client(), get(&format!("{}/x?y=1", server.url))).await.unwrap();
    let response = &exchange.response;
    assert_eq!((response.status, response.version, response.text().as_ref()), (200, Version::Http11, "hello"));
    assert_eq!(response.headers("x-A").count(), 2);
    assert_eq!(response.header("content-length"), Some("5"));
    assert!(!exchange.reused);
    assert_eq!(exchange.remote.map(|address| format!("http://{address}")), Some(server.url));
    let timings = exchange.timings;
    assert!(timings.connect.unwrap() <= timings.first_byte && timings.first_byte <= timings.total);
    assert_eq!((timings.dns, timings.tls), (None, None));
}

#[tokio::test]
async fn what_is_recorded_is_what_was_sent() {
    let server = answer(ok("", b""));
    let mut request = request("PATCH", &format!("{}/a%20b?q={{}}#fragment", server.url));
    request.headers = vec![("X-One".into(), "1".into()), ("Accept".into(), "text/html".into()), ("X-Two".into(), "ü".into())];
    request.body = Some(Body::Bytes(Bytes::from_static(b"body")));
    let sent = send(&client(), request).await.unwrap().request;
    let lines: String = sent.headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    assert_eq!(server.seen.recv().unwrap(), format!("PATCH /a%20b?q={{}} HTTP/1.1\r\n{lines}\r\nbody"));
    assert_eq!(sent.body_size, 4);
}

#[tokio::test]
async fn chunks_are_joined() {
    let server = answer(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n");
    assert_eq!(send(&client(), get(&server.url)).await.unwrap().response.text(), "hello");
}

#[tokio::test]
async fn a_body_may_end_with_the_connection() {
    let server = answer(b"HTTP/1.0 200 OK\r\n\r\nhello");
    let response = send(&client(), get(&server.url)).await.unwrap().response;
    assert_eq!((response.text().as_ref(), response.version), ("hello", Version::Http10));
}

#[tokio::test]
async fn codings_are_undone_and_headers_stay() {
    // A zlib stream of one stored block.
    let zlib = b"\x78\x01\x01\x05\x00\xfa\xffhello\x06\x2c\x02\x15";
    let table: [(&str, &[u8]); 5] = [
        ("gzip", &gzip(b"hello")),
        ("br", BROTLI_HELLO),
        ("zstd", &zstd(b"hello")),
        ("deflate", zlib),
        ("gzip, zstd", &zstd(&gzip(b"hello"))),
    ];
    for (coding, body) in table {
        let server = answer(ok(&format!("Content-Encoding: {coding}\r\n"), body));
        let response = send(&client(), get(&server.url)).await.unwrap().response;
        assert_eq!(response.text(), "hello", "{coding}");
        assert_eq!(response.header("content-encoding"), Some(coding));
        assert_eq!(response.wire_size, body.len() as u64, "{coding}");
    }
}

#[tokio::test]
async fn an_unknown_coding_is_left_as_it_came() {
    let server = answer(ok("Content-Encoding: compress\r\n", b"\x1f\x9d"));
    assert_eq!(&send(&client(), get(&server.url)).await.unwrap().response.body[..], b"\x1f\x9d");
}

#[tokio::test]
async fn head_and_204_have_no_body_whatever_their_headers_say() {
    let server = answer(b"HTTP/1.1 200 OK\r\nContent-Length: 999999999\r\nContent-Encoding: gzip\r\n\r\n");
    let response = send(&client(), request("HEAD", &server.url)).await.unwrap().response;
    assert_eq!((response.body.len(), response.header("content-length")), (0, Some("999999999")));
    let server = answer(b"HTTP/1.1 204 No Content\r\n\r\n");
    assert_eq!(send(&client(), get(&server.url)).await.unwrap().response.status, 204);
}

#[tokio::test]
async fn a_redirect_is_an_answer() {
    let server = answer(b"HTTP/1.1 302 Found\r\nLocation: http://evil.test/\r\nContent-Length: 0\r\n\r\n");
    let response = send(&client(), get(&server.url)).await.unwrap().response;
    assert_eq!((response.status, response.header("location")), (302, Some("http://evil.test/")));
}

#[tokio::test]
async fn a_file_is_sent_from_its_start() {
    let mut file = tempfile::tempfile().unwrap();
    let text = "line\n".repeat(30_000);
    file.write_all(text.as_bytes()).unwrap();
    file.seek(SeekFrom::Start(7)).unwrap();
    let server = answer(ok("", b""));
    let request = Request { body: Some(Body::file(file).unwrap()), ..request("PUT", &server.url) };
    let sent = send(&client(), request).await.unwrap().request;
    assert_eq!(sent.body_size, 150_000);
    assert!(server.seen.recv().unwrap().ends_with(&format!("\r\n\r\n{text}")));
}

#[tokio::test]
async fn an_empty_file_is_sent_as_an_empty_body() {
    let server = answer(ok("", b""));
    let request = Request { body: Some(Body::file(tempfile::tempfile().unwrap()).unwrap()), ..request("PUT", &server.url) };
    assert!(send(&client(), request).await.is_ok());
    assert!(server.seen.recv().unwrap().contains("content-length: 0\r\n"));
}

#[tokio::test]
async fn interim_answers_are_skipped() {
    let server = answer([b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n".to_vec(), ok("", b"hello")].concat());
    assert_eq!(send(&client(), get(&server.url)).await.unwrap().response.text(), "hello");
}

#[tokio::test]
async fn the_guard_is_asked_before_connecting() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let target = format!("http://me:pw@{}/x", listener.local_addr().unwrap());
    let refusal = crate::trust::Refusal::NotHttp { scheme: "x".into() };
    let asked = std::sync::Mutex::new(Vec::new());
    let guard = |url: &Url, _: Luggage| {
        asked.lock().unwrap().push(url.to_string());
        Err(refusal.clone())
    };
    let error = client().send(get(&target), &guard).await.unwrap_err();
    assert_eq!(error, Error::Refused(refusal.clone()));
    assert_eq!(*asked.lock().unwrap(), [target.replace("me:pw@", "")]);
    let header = vec![("X".to_owned(), "a\nb".to_owned())];
    assert!(client().send(Request { headers: header, ..get(&target) }, &|_, _| Ok(())).await.is_err());
    assert_eq!(listener.accept().unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
}

#[tokio::test]
async fn a_name_can_be_given_an_address() {
    let server = serve(vec![vec![Act::Last(ok("", b"hello"))]]);
    let address = server.url.strip_prefix("http://127.0.0.1").unwrap();
    let settings = Settings {
        resolve: vec![Fixed { host: "api.test".into(), port: None, addresses: vec!["127.0.0.1".parse().unwrap()] }],
        ..Settings::default()
    };
    let exchange = send(&Client::new(settings).unwrap(), get(&format!("http://api.test{address}/"))).await.unwrap();
    assert_eq!(exchange.response.text(), "hello");
    assert!(exchange.timings.dns.is_some());
    assert!(server.seen.recv().unwrap().contains(&format!("host: api.test{address}\r\n")));
}

#[tokio::test]
async fn localhost_needs_no_name_server() {
    let server = answer(ok("", b"hello"));
    let target = server.url.replace("127.0.0.1", "box.localhost");
    assert_eq!(send(&client(), get(&target)).await.unwrap().response.text(), "hello");
}

#[tokio::test]
async fn a_proxy_is_asked_with_its_own_credentials() {
    let server = answer(ok("", b"hello"));
    let proxy = Proxy::parse(&server.url.replace("//", "//me:pw@"), vec![]).unwrap();
    let client = Client::new(Settings { proxy: Some(proxy), ..Settings::default() }).unwrap();
    assert_eq!(send(&client, get("http://api.test/x")).await.unwrap().response.text(), "hello");
    let seen = server.seen.recv().unwrap();
    assert!(seen.starts_with("GET http://api.test/x HTTP/1.1\r\n"), "{seen}");
    assert!(seen.to_lowercase().contains("proxy-authorization: basic bwu6chc=\r\n"), "{seen}");
    let direct = answer(ok("", b"direct"));
    assert_eq!(send(&client, get(&direct.url)).await.unwrap().response.text(), "direct");
}

#[tokio::test]
async fn the_guard_is_asked_at_every_hop() {
    let other = serve(vec![vec![Act::Answer(ok("", b"no"))]]);
    let place = format!("HTTP/1.1 302 Found\r\nLocation: {}/x\r\nContent-Length: 0\r\n\r\n", other.url).into_bytes();
    let again = b"HTTP/1.1 302 Found\r\nLocation: /again\r\nContent-Length: 0\r\n\r\n".to_vec();
    let server = serve(vec![vec![Act::Answer(again), Act::Answer(place)]]);
    let asked = std::sync::Mutex::new(Vec::new());
    let guard = |url: &Url, luggage: Luggage| {
        asked.lock().unwrap().push((url.path().to_owned(), luggage));
        match luggage {
            Luggage::All => Ok(()),
            Luggage::UrlOnly => Err(crate::trust::Refusal::NotHttp { scheme: "any".to_owned() }),
        }
    };
    let request = Request { redirects: 5, ..get(&server.url) };
    let error = client().send(request, &guard).await.unwrap_err();
    assert_eq!((error.class(), error.nothing_was_sent()), (Class::Policy, false));
    let expected = [("/", Luggage::All), ("/again", Luggage::All), ("/x", Luggage::UrlOnly)];
    assert_eq!(*asked.lock().unwrap(), expected.map(|(path, luggage)| (path.to_owned(), luggage)));
    assert!(other.seen.try_recv().is_err());
}

#[tokio::test]
async fn a_client_that_is_held_to_other_hosts_does_not_connect() {
    let mut only = crate::trust::OnlyHosts::default();
    only.hold(crate::trust::HeldBy::Flag, vec!["api.example.com".parse().unwrap()]);
    let client = Client::new(Settings { only, ..Settings::default() }).unwrap();
    // Nothing listens there: to connect would be another error.
    let error = send(&client, get("http://127.0.0.1:1/")).await.unwrap_err();
    assert!(matches!(error, Error::Refused(crate::trust::Refusal::OnlyHost { .. })), "{error}");
}
