//! Issuers of certificates, and a loopback server that speaks TLS as a test says. Whoever gets through to it is answered once,
//! with an empty JSON object.

use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, ServerConnection, StreamOwned, SupportedProtocolVersion};

/// A certificate and its key.
pub(crate) struct Pair {
    pub(crate) cert: CertificateDer<'static>,
    pub(crate) cert_pem: String,
    pub(crate) key_pem: String,
}

/// An issuer of certificates.
pub(crate) struct Issuer(CertifiedIssuer<'static, KeyPair>);

impl Issuer {
    pub(crate) fn new(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).expect("parameters");
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("an issuer"))
    }

    pub(crate) fn pem(&self) -> String {
        self.0.pem()
    }

    /// A certificate for `name`.
    pub(crate) fn issue(&self, name: &str, change: impl FnOnce(&mut CertificateParams)) -> Pair {
        let key = KeyPair::generate().expect("a key");
        let cert = parameters(name, change).signed_by(&key, &self.0).expect("a certificate");
        Pair { cert: cert.der().clone(), cert_pem: cert.pem(), key_pem: key.serialize_pem() }
    }
}

fn parameters(name: &str, change: impl FnOnce(&mut CertificateParams)) -> CertificateParams {
    let mut params = CertificateParams::new(vec![name.to_owned()]).expect("parameters");
    params.distinguished_name.push(DnType::CommonName, name);
    change(&mut params);
    params
}

/// A certificate for `name` that is signed by itself.
pub(crate) fn signed_by_itself(name: &str, change: impl FnOnce(&mut CertificateParams)) -> Pair {
    let key = KeyPair::generate().expect("a key");
    let cert = parameters(name, change).self_signed(&key).expect("a certificate");
    Pair { cert: cert.der().clone(), cert_pem: cert.pem(), key_pem: key.serialize_pem() }
}

/// The settings of a server that shows `pair`, and with `clients` wants a certificate of that issuer.
pub(crate) fn config(pair: &Pair, versions: &[&'static SupportedProtocolVersion], clients: Option<&Issuer>) -> ServerConfig {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(provider.clone()).with_protocol_versions(versions).expect("versions");
    let builder = match clients {
        None => builder.with_no_client_auth(),
        Some(issuer) => {
            let mut roots = RootCertStore::empty();
            roots.add(CertificateDer::from_pem_slice(issuer.pem().as_bytes()).expect("a certificate")).expect("a root");
            let verifier = WebPkiClientVerifier::builder_with_provider(roots.into(), provider).build().expect("a verifier");
            builder.with_client_cert_verifier(verifier)
        }
    };
    let key = PrivateKeyDer::from_pem_slice(pair.key_pem.as_bytes()).expect("a key");
    builder.with_single_cert(vec![pair.cert.clone()], key).expect("a pair")
}

/// It stops when this goes out of scope.
pub(crate) struct TlsServer {
    address: SocketAddr,
    pem: String,
    stopped: Arc<AtomicBool>,
    heads: Arc<Mutex<Vec<String>>>,
}

/// Starts a server whose certificate, for `127.0.0.1`, is signed by itself.
pub(crate) fn self_signed() -> TlsServer {
    let pair = signed_by_itself(&Ipv4Addr::LOCALHOST.to_string(), |_| ());
    TlsServer::start(config(&pair, rustls::ALL_VERSIONS, None), pair.cert_pem)
}

impl TlsServer {
    /// Starts a server; `pem` is what it takes to trust it.
    pub(crate) fn start(config: ServerConfig, pem: String) -> Self {
        let (config, stopped, heads) = (Arc::new(config), Arc::<AtomicBool>::default(), Arc::<Mutex<Vec<String>>>::default());
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let (address, flag, shared) = (listener.local_addr().expect("an address"), Arc::clone(&stopped), Arc::clone(&heads));
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if flag.load(Ordering::SeqCst) {
                    break;
                }
                // A client that walks away in the middle is what is tested here.
                let _ = answer(stream, &config, &shared);
            }
        });
        Self { address, pem, stopped, heads }
    }

    /// What it takes to trust it.
    pub(crate) fn pem(&self) -> &str {
        &self.pem
    }

    /// `127.0.0.1:PORT`.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// `https://127.0.0.1:PORT`.
    pub(crate) fn url(&self) -> String {
        format!("https://{}", self.address)
    }

    /// The heads of the requests that came through.
    pub(crate) fn heads(&self) -> Vec<String> {
        self.heads.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn answer(mut stream: TcpStream, config: &Arc<ServerConfig>, heads: &Mutex<Vec<String>>) -> std::io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    let mut connection = ServerConnection::new(Arc::clone(config)).map_err(std::io::Error::other)?;
    while connection.is_handshaking() {
        connection.complete_io(&mut stream)?;
    }
    let mut stream = StreamOwned::new(connection, stream);
    let mut head = String::new();
    let mut reader = BufReader::new(&mut stream);
    while reader.read_line(&mut head)? > 2 {}
    heads.lock().unwrap_or_else(PoisonError::into_inner).push(head);
    stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}")?;
    stream.conn.send_close_notify();
    stream.flush()?;
    stream.sock.shutdown(Shutdown::Both)
}

impl Drop for TlsServer {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::SeqCst);
        // The listener wakes up, sees that it is stopped, and frees the port.
        drop(TcpStream::connect(self.address));
    }
}
