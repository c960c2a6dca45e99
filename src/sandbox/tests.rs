//! The sandbox over real sockets.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use tokio::time::timeout;

use super::*;
use crate::clock::{FixedClock, Timestamp};

/// A sandbox that runs while `client` talks to it on a thread of its own.
fn with_sandbox<T: Send + 'static>(client: impl FnOnce(&Sandbox) -> Box<dyn FnOnce() -> T + Send>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let clock = Arc::new(FixedClock::new(Timestamp(1_800_000_000)));
        let sandbox = start(Settings { state: None, clock, port: 0, options: Options::default() }).await.unwrap();
        let client = client(&sandbox);
        let done = tokio::task::spawn_blocking(client).await.unwrap();
        timeout(Duration::from_secs(20), sandbox.shutdown()).await.expect("the sandbox ends");
        done
    })
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream
}

/// Sends `request` and reads until the server closes.
fn talk(address: SocketAddr, request: &[u8]) -> String {
    let mut stream = connect(address);
    // A server that refuses early may close before all is written.
    let _ = stream.write_all(request);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

#[test]
fn a_code_becomes_a_token_that_opens_the_api_on_one_connection() {
    let answers = with_sandbox(|sandbox| {
        let (address, url) = (sandbox.address, sandbox.url());
        assert_eq!(url, format!("http://127.0.0.1:{}", address.port()));
        let (id, secret, code) = (sandbox.client_id(), sandbox.client_secret(), sandbox.issue_code());
        let (secret, code) = (secret.expose(), code.expose());
        let form = format!("grant_type=authorization_code&code={code}&client_id={id}&client_secret={secret}");
        Box::new(move || {
            let mut stream = connect(address);
            write!(
                stream,
                "POST /oauth2/token HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/x-www-form-urlencoded\r\n\
                 Content-Length: {}\r\n\r\n{form}",
                form.len()
            )
            .unwrap();
            let mut buffer = [0; 4096];
            let mut first = String::new();
            while !first.ends_with('}') {
                let read = stream.read(&mut buffer).unwrap();
                assert_ne!(read, 0, "{first}");
                first.push_str(std::str::from_utf8(&buffer[..read]).unwrap());
            }
            let token = first.split_once("\"access_token\":\"").unwrap().1.split_once('"').unwrap().0;
            let head =
                format!("Host: {url}\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n\r\n").replace("http://", "");
            write!(stream, "HEAD /2.0/users/me HTTP/1.1\r\n{head}").unwrap();
            let mut second = String::new();
            stream.read_to_string(&mut second).unwrap();
            let third = talk(address, format!("GET /2.0/users/me HTTP/1.1\r\n{head}").as_bytes());
            [first, second, third]
        })
    });
    assert!(
        answers[0].starts_with("HTTP/1.1 200 OK\r\n") && answers[0].contains("cache-control: no-store\r\n"),
        "{}",
        answers[0]
    );
    assert!(answers[1].starts_with("HTTP/1.1 200 OK\r\n") && answers[1].ends_with("\r\n\r\n"), "{}", answers[1]);
    assert!(answers[2].contains("{\"type\":\"user\""), "{}", answers[2]);
}

#[test]
fn rude_requests_get_an_answer_or_a_closed_connection() {
    let close = "Host: localhost\r\nConnection: close\r\n\r\n";
    let cases: Vec<(Vec<u8>, &str)> = vec![
        (format!("GET /%zz%00/%ff?%=%&&&= HTTP/1.1\r\n{close}").into_bytes(), "HTTP/1.1 404"),
        (b"GET / HTTP/1.0\r\n\r\n".to_vec(), "HTTP/1.0 404"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n".to_vec(), "HTTP/1.1 400"),
        (format!("GET /{} HTTP/1.1\r\n{close}", "a".repeat(100_000)).into_bytes(), "HTTP/1.1 4"),
        (format!("BREW /oauth2/token HTTP/1.1\r\n{close}").into_bytes(), "HTTP/1.1 400"),
        (
            format!("POST /oauth2/token HTTP/1.1\r\nContent-Length: 65537\r\n{close}{}", "a".repeat(65_537)).into_bytes(),
            "HTTP/1.1 413",
        ),
        (format!("POST /oauth2/token HTTP/1.1\r\nTransfer-Encoding: chunked\r\n{close}zz\r\n").into_bytes(), "HTTP/1.1 400"),
        (format!("GET /2.0/users/me HTTP/1.1\r\nAuthorization: Bearer \u{fc}\r\n{close}").into_bytes(), "HTTP/1.1 401"),
        (
            b"GET http://example.com/2.0/users/me HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".to_vec(),
            "HTTP/1.1 421",
        ),
    ];
    let answers = with_sandbox(|sandbox| {
        let address = sandbox.address;
        Box::new(move || cases.into_iter().map(|(request, start)| (talk(address, &request), start)).collect::<Vec<_>>())
    });
    for (answer, start) in answers {
        assert!(answer.starts_with(start), "expected {start}, got {answer}");
    }
}

#[test]
fn a_stopped_sandbox_listens_no_more_and_a_taken_port_is_an_error() {
    let address = with_sandbox(|sandbox| {
        let address = sandbox.address;
        Box::new(move || address)
    });
    assert!(TcpStream::connect_timeout(&address, Duration::from_secs(5)).is_err());

    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let settings = Settings { state: None, clock: Arc::new(FixedClock::new(Timestamp(0))), port, options: Options::default() };
    let error = runtime.block_on(start(settings)).err().unwrap();
    assert_eq!(error.kind(), io::ErrorKind::AddrInUse);
}

#[test]
fn an_idle_connection_does_not_keep_the_sandbox_from_ending() {
    let stream = with_sandbox(|sandbox| {
        let address = sandbox.address;
        Box::new(move || {
            let mut stream = connect(address);
            stream.write_all(b"GET /never HTTP/1.1\r\n").unwrap();
            thread::yield_now();
            stream
        })
    });
    drop(stream);
}
