//! A scripted server: it knows nothing of HTTP but where a head ends.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

/// What a server does with one request.
#[derive(Clone)]
pub(super) enum Act {
    /// Reads the request, writes this and keeps the connection.
    Answer(Vec<u8>),
    /// Reads the request, writes this and closes.
    Last(Vec<u8>),
    /// Reads the first byte, writes this, and resets the connection.
    Reset(Vec<u8>),
    /// Reads the request, writes this and stays silent.
    Hang(Vec<u8>),
}

/// A running server.
pub(super) struct Server {
    /// `http://127.0.0.1:port`.
    pub(super) url: String,
    /// The requests as they came: head and body.
    pub(super) seen: Receiver<String>,
}

/// Serves one connection per script, one request per act.
pub(super) fn serve(connections: Vec<Vec<Act>>) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (tell, seen) = channel();
    thread::spawn(move || {
        for script in connections {
            let Ok((mut stream, _)) = listener.accept() else { return };
            stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
            for act in script {
                let wants_all = !matches!(act, Act::Reset(_));
                match read_request(&mut stream, wants_all) {
                    Some(text) => drop(tell.send(text)),
                    None => break,
                }
                if !play(&act, &mut stream) {
                    break;
                }
            }
        }
    });
    Server { url, seen }
}

/// One connection, one request, one answer.
pub(super) fn answer(bytes: impl AsRef<[u8]>) -> Server {
    serve(vec![vec![Act::Last(bytes.as_ref().to_vec())]])
}

/// A complete answer with these header lines and this body.
pub(super) fn ok(headers: &str, body: &[u8]) -> Vec<u8> {
    [format!("HTTP/1.1 200 OK\r\n{headers}Content-Length: {}\r\n\r\n", body.len()).as_bytes(), body].concat()
}

fn play(act: &Act, stream: &mut TcpStream) -> bool {
    let (Act::Answer(bytes) | Act::Last(bytes) | Act::Reset(bytes) | Act::Hang(bytes)) = act;
    // The client may have given up already: that is what some tests are about.
    let _ = stream.write_all(bytes);
    match act {
        Act::Answer(_) => true,
        Act::Last(_) => false,
        Act::Reset(_) => {
            // What was not read makes the kernel reset on close; the client must first have taken what came.
            thread::sleep(Duration::from_millis(30));
            false
        }
        Act::Hang(_) => {
            let _ = stream.read(&mut [0]);
            false
        }
    }
}

fn read_request(stream: &mut TcpStream, all: bool) -> Option<String> {
    let mut text = Vec::new();
    let mut byte = [0];
    while !text.ends_with(b"\r\n\r\n") {
        if stream.read(&mut byte).ok()? == 0 {
            return None;
        }
        text.extend_from_slice(&byte);
        if !all {
            break;
        }
    }
    let head = String::from_utf8_lossy(&text).to_ascii_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).map_or(0, |text| text.parse().unwrap());
    let mut body = vec![0; length];
    stream.read_exact(&mut body).ok()?;
    text.extend_from_slice(&body);
    Some(String::from_utf8_lossy(&text).into_owned())
}
