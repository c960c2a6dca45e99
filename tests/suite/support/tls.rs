//! A loopback server that speaks TLS with a certificate that nobody trusts unless told to. Whoever gets through to it is answered
//! once, with an empty JSON object.

use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// It stops when this goes out of scope.
pub(crate) struct TlsServer {
    address: SocketAddr,
    pem: String,
    stopped: Arc<AtomicBool>,
}

/// What a server needs to speak TLS as `names`, and its certificate, which is signed by itself.
pub(crate) fn identity(names: &[&str]) -> (Arc<ServerConfig>, String) {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(names).expect("a certificate");
    let key = PrivateKeyDer::try_from(signing_key.serialize_der()).expect("a key");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().expect("versions");
    let config = builder.with_no_client_auth().with_single_cert(vec![cert.der().clone()], key).expect("a pair");
    (Arc::new(config), cert.pem())
}

/// Starts a server whose certificate, for `localhost` and `127.0.0.1`, is signed by itself.
pub(crate) fn self_signed() -> TlsServer {
    let (config, pem) = identity(&["localhost", "127.0.0.1"]);
    let stopped = Arc::new(AtomicBool::new(false));
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let (address, shared) = (listener.local_addr().expect("an address"), Arc::clone(&stopped));
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            if shared.load(Ordering::SeqCst) {
                break;
            }
            // A client that walks away in the middle is what is tested here.
            let _ = answer(stream, &config);
        }
    });
    TlsServer { address, pem, stopped }
}

fn answer(mut stream: TcpStream, config: &Arc<ServerConfig>) -> std::io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    let mut connection = ServerConnection::new(Arc::clone(config)).map_err(std::io::Error::other)?;
    while connection.is_handshaking() {
        connection.complete_io(&mut stream)?;
    }
    let mut stream = StreamOwned::new(connection, stream);
    let mut lines = BufReader::new(&mut stream).lines();
    while lines.next().transpose()?.is_some_and(|line| !line.is_empty()) {}
    stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}")?;
    stream.conn.send_close_notify();
    stream.flush()?;
    stream.sock.shutdown(Shutdown::Both)
}

impl TlsServer {
    /// Its certificate.
    pub(crate) fn pem(&self) -> &str {
        &self.pem
    }

    /// `https://127.0.0.1:PORT`.
    pub(crate) fn url(&self) -> String {
        format!("https://{}", self.address)
    }
}

impl Drop for TlsServer {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::SeqCst);
        // The listener wakes up, sees that it is stopped, and frees the port.
        drop(TcpStream::connect(self.address));
    }
}
