//! Certificates: which are taken, and what is said of those that are not.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::Full;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, date_time_ymd};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::server::Act;
use super::*;
use crate::secret::Secret;

/// An issuer of certificates.
struct Issuer(CertifiedIssuer<'static, KeyPair>);

impl Issuer {
    fn new(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    fn pem(&self) -> String {
        self.0.pem()
    }

    /// Certificate and key in PEM.
    fn issue(&self, name: &str, change: impl FnOnce(&mut CertificateParams)) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        change(&mut params);
        (params.signed_by(&key, &self.0).unwrap().pem(), key.serialize_pem())
    }
}

fn chain((cert, key): &(String, String)) -> (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>) {
    (vec![CertificateDer::from_pem_slice(cert.as_bytes()).unwrap()], PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap())
}

/// Serves `hello` over TLS until the test ends. With `clients`, only to holders of a certificate of that issuer.
async fn serve(identity: &(String, String), alpn: &[&str], clients: Option<&Issuer>) -> SocketAddr {
    let (certs, key) = chain(identity);
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(provider.clone()).with_safe_default_protocol_versions().unwrap();
    let builder = match clients {
        None => builder.with_no_client_auth(),
        Some(issuer) => {
            let mut roots = RootCertStore::empty();
            roots.add(CertificateDer::from_pem_slice(issuer.pem().as_bytes()).unwrap()).unwrap();
            builder
                .with_client_cert_verifier(WebPkiClientVerifier::builder_with_provider(roots.into(), provider).build().unwrap())
        }
    };
    let mut config = builder.with_single_cert(certs, key).unwrap();
    config.alpn_protocols = alpn.iter().map(|name| name.as_bytes().to_vec()).collect();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let Ok(stream) = acceptor.accept(stream).await else { return };
                let http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
                let hello = service_fn(|_| async {
                    Ok::<_, hyper::Error>(hyper::Response::new(Full::new(Bytes::from_static(b"hello"))))
                });
                let stream = TokioIo::new(stream);
                // An error is the client's business.
                let _ = if http2 {
                    hyper::server::conn::http2::Builder::new(TokioExecutor::new()).serve_connection(stream, hello).await
                } else {
                    hyper::server::conn::http1::Builder::new().serve_connection(stream, hello).await
                };
            });
        }
    });
    address
}

fn trusting(issuer: &Issuer) -> Settings {
    Settings { tls: Tls { ca: Some(issuer.pem().into_bytes()), ..Tls::default() }, ..Settings::default() }
}

async fn visit(settings: Settings, address: SocketAddr) -> Result<Exchange, Error> {
    let request = get(&format!("https://localhost:{}/x?token=hunter2", address.port()));
    send(&Client::new(settings).unwrap(), request).await
}

#[tokio::test]
async fn an_own_issuer_is_trusted_over_both_versions() {
    let issuer = Issuer::new("ours");
    let identity = issuer.issue("localhost", |_| ());
    for (alpn, version) in [(&["h2", "http/1.1"][..], Version::Http2), (&["http/1.1"], Version::Http11), (&[], Version::Http11)] {
        let address = serve(&identity, alpn, None).await;
        let client = Client::new(trusting(&issuer)).unwrap();
        let target = format!("https://localhost:{}/", address.port());
        let first = send(&client, get(&target)).await.unwrap();
        assert_eq!((first.response.version, first.response.text().as_ref()), (version, "hello"));
        assert!(first.timings.tls.is_some() && first.timings.dns.is_some() && !first.reused);
        assert_eq!(first.request.headers.iter().any(|(name, _)| name == "host"), version == Version::Http11);
        let second = send(&client, get(&target)).await.unwrap();
        assert!(second.reused && second.timings.tls.is_none());
    }
}

#[tokio::test]
async fn bad_certificates_are_refused_with_the_reason() {
    let (issuer, stranger) = (Issuer::new("ours"), Issuer::new("stranger"));
    let old = |params: &mut CertificateParams| {
        params.not_before = date_time_ymd(2001, 1, 1);
        params.not_after = date_time_ymd(2002, 1, 1);
    };
    let future = |params: &mut CertificateParams| params.not_before = date_time_ymd(3000, 1, 1);
    let table = [
        (
            stranger.issue("localhost", |params| params.distinguished_name.push(DnType::CommonName, "server")),
            "its certificate is signed by nobody who is trusted here",
        ),
        (issuer.issue("other.test", |_| ()), "its certificate is for `other.test`"),
        (issuer.issue("localhost", old), "its certificate expired on 2002-01-01T00:00:00Z"),
        (issuer.issue("localhost", future), "its certificate is not valid yet, but from 3000-01-01T00:00:00Z"),
    ];
    for (identity, reason) in table {
        let address = serve(&identity, &["h2"], None).await;
        let error = visit(trusting(&issuer), address).await.unwrap_err();
        assert_eq!(error.to_string(), format!("no TLS session with `localhost`: {reason}"));
        assert!(error.hint().is_some() && error.nothing_was_sent());
        let mut insecure = trusting(&issuer);
        insecure.tls.insecure = true;
        assert_eq!(visit(insecure, address).await.unwrap().response.text(), "hello", "{reason}");
    }
}

#[tokio::test]
async fn a_client_certificate_is_shown_when_asked_for() {
    let issuer = Issuer::new("ours");
    for alpn in ["http/1.1", "h2"] {
        let address = serve(&issuer.issue("localhost", |_| ()), &[alpn], Some(&issuer)).await;
        let showing = |(cert, key): (String, String)| {
            let mut settings = trusting(&issuer);
            settings.tls.identity = Some(Identity { cert: cert.into_bytes(), key: Secret::new(key) });
            settings
        };
        assert_eq!(visit(showing(issuer.issue("me", |_| ())), address).await.unwrap().response.text(), "hello");
        let error = visit(trusting(&issuer), address).await.unwrap_err();
        assert_eq!(error, Error::Tls { host: "localhost".into(), reason: TlsReason::ClientCertificate }, "{alpn}");
        let error = visit(showing(Issuer::new("stranger").issue("me", |_| ())), address).await.unwrap_err();
        assert!(error.to_string().contains("it does not take the client certificate: "), "{alpn} {error}");
    }
}

#[tokio::test]
async fn plain_and_tls_mixed_up_are_recognised() {
    let plain = server::serve(vec![vec![Act::Reset(b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec())]]);
    let error = send(&client(), get(&plain.url.replace("http:", "https:"))).await.unwrap_err();
    assert_eq!(error, Error::Tls { host: "127.0.0.1".into(), reason: TlsReason::NotTls });
    let issuer = Issuer::new("ours");
    let address = serve(&issuer.issue("localhost", |_| ()), &[], None).await;
    let error = send(&client(), get(&format!("http://{address}/"))).await.unwrap_err();
    assert!(error.hint().unwrap().contains("https://"), "{error}");
}

#[tokio::test]
async fn a_handshake_that_never_ends_is_limited() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let target = format!("https://{}/", listener.local_addr().unwrap());
    let client = Client::new(Settings { connect_timeout: Duration::from_millis(60), ..Settings::default() }).unwrap();
    let error = send(&client, get(&target)).await.unwrap_err();
    assert_eq!(error.to_string(), "no end of the TLS handshake within 60 ms (the limit is `--connect-timeout`)");
    let error = send(&super::client(), Request { timeout: Duration::from_millis(60), ..get(&target) }).await.unwrap_err();
    assert_eq!(error.to_string(), "no end of the TLS handshake within 60 ms (the limit is `timeout`)");
}

#[tokio::test]
async fn a_handshake_that_is_cut_is_named() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let target = format!("https://{}/", listener.local_addr().unwrap());
    std::thread::spawn(move || drop(listener.accept()));
    let error = send(&client(), get(&target)).await.unwrap_err();
    assert_eq!(error, Error::Tls { host: "127.0.0.1".into(), reason: TlsReason::Closed });
}

#[test]
fn unusable_settings_are_named() {
    let issuer = Issuer::new("ours");
    let (cert, key) = issuer.issue("me", |_| ());
    let (_, other_key) = issuer.issue("other", |_| ());
    let identity = |cert: &str, key: &str| Tls {
        identity: Some(Identity { cert: cert.as_bytes().to_vec(), key: Secret::new(key) }),
        ..Tls::default()
    };
    let ca = |pem: &str| Tls { ca: Some(pem.as_bytes().to_vec()), ..Tls::default() };
    let broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let table = [
        (ca("hunter2"), "`tls.ca` can't be used: expected certificates in PEM"),
        (ca(broken), "`tls.ca` can't be used: it holds a certificate that can't be read"),
        (identity("hunter2", &key), "`tls.cert` can't be used: expected certificates in PEM"),
        (identity(&cert, "hunter2"), "`tls.key` can't be used: expected a private key in PEM"),
        (identity(&cert, &other_key), "`tls.key` can't be used: it does not belong to the certificate"),
    ];
    for (tls, message) in table {
        let error = Client::new(Settings { tls, ..Settings::default() }).unwrap_err();
        assert_eq!(error.to_string(), message);
    }
}
