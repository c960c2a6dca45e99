//! From the HTTP library's errors to ours.
//!
//! The library wraps errors several times and its own texts say little (`error sending request`). What happened stands in the
//! links of the chain, so each link is asked what it is; the library's texts, which may hold the URL, are not shown.

use std::error::Error as StdError;
use std::io;
use std::iter::successors;
use std::time::Duration;

use rustls::{AlertDescription, CertificateError, InvalidMessage, PeerIncompatible};

use super::body::ReadFailed;
use super::connect::LookupFailed;
use super::error::{Error, Phase, TimeLimit, TlsReason};
use super::proxy::Proxy;
use super::proxy_fault;
use super::tls::SelfSigned;

/// More links than any honest chain has.
const MAX_LINKS: usize = 32;

/// What is known about a request when it fails.
pub(super) struct Circumstances<'a> {
    /// The host of the URL.
    pub(super) host: &'a str,
    /// Its effective port.
    pub(super) port: u16,
    /// Whether the URL is http.
    pub(super) plain: bool,
    /// The proxy that is used.
    pub(super) proxy: Option<&'a Proxy>,
    /// Whether a TLS handshake was begun.
    pub(super) began_tls: bool,
    /// Whether the server asked for a client certificate on a connection that was opened for this request.
    pub(super) asked_for_certificate: bool,
    /// Whether there is one to show.
    pub(super) has_certificate: bool,
    /// What the request was at.
    pub(super) phase: Phase,
    /// The limit for connecting.
    pub(super) connect_timeout: Duration,
    /// The limit for headers.
    pub(super) max_headers: usize,
}

impl Circumstances<'_> {
    /// Host and port that are to be reached.
    pub(super) fn target(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    /// Whether the server asked for a certificate and got none.
    fn lacks_certificate(&self) -> bool {
        self.asked_for_certificate && !self.has_certificate
    }

    fn tls(&self, reason: TlsReason) -> Error {
        Error::Tls { host: self.host.to_owned(), reason }
    }
}

/// Every error of the chain, the outermost first. `io::Error` hides the error that it wraps from `source`.
pub(super) fn links<'a>(outermost: &'a (dyn StdError + 'static)) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    successors(Some(outermost), |link| inner(*link)).take(MAX_LINKS)
}

fn inner<'a>(link: &'a (dyn StdError + 'static)) -> Option<&'a (dyn StdError + 'static)> {
    match link.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
        Some(wrapped) => Some(wrapped),
        None => link.source(),
    }
}

pub(super) fn find<'a, E: StdError + 'static>(outermost: &'a (dyn StdError + 'static)) -> Option<&'a E> {
    links(outermost).find_map(|link| link.downcast_ref::<E>())
}

/// The I/O error that says most: libraries wrap one in another of the kind `Other`.
pub(super) fn find_io<'a>(outermost: &'a (dyn StdError + 'static)) -> Option<&'a io::Error> {
    let all = links(outermost).filter_map(|link| link.downcast_ref::<io::Error>());
    all.filter(|error| error.kind() != io::ErrorKind::Other).last()
}

/// Whether the connection was closed under the request, as happens when a server drops an idle connection at the moment in
/// which it is used again.
pub(super) fn connection_was_lost(error: &reqwest::Error) -> bool {
    if error.is_connect() || find::<ReadFailed>(error).is_some() {
        return false;
    }
    find::<hyper::Error>(error).is_some_and(|error| error.is_incomplete_message() || error.is_closed() || error.is_canceled())
        || find_io(error).is_some_and(|error| is_cut(error.kind()))
}

/// An error before the head of the answer.
pub(super) fn before_answer(error: &reqwest::Error, at: &Circumstances<'_>) -> Error {
    if let Some(failed) = find::<ReadFailed>(error) {
        return Error::BodyFile { reason: failed.to_string() };
    }
    if let Some(proxy) = at.proxy
        && let Some(fault) = proxy_fault::fault(error, at, proxy)
    {
        let (host, port) = proxy.place();
        return Error::Proxy { host, port, fault };
    }
    if let Some(tls) = find::<rustls::Error>(error) {
        return at.tls(tls_reason(tls, at));
    }
    if error.is_connect() {
        return connecting(error, at);
    }
    // With TLS 1.3 the server's word on the certificate comes after the request was sent, and HTTP/2 passes on its text only.
    let told = links(error).any(|link| link.to_string().contains("received fatal alert"));
    if at.lacks_certificate() && (told || connection_was_lost(error)) {
        return at.tls(TlsReason::ClientCertificate);
    }
    if at.asked_for_certificate && told {
        return at.tls(TlsReason::ClientCertificateRefused("it does not say why"));
    }
    if connection_was_lost(error) {
        return Error::NoAnswer { host: at.host.to_owned(), port: at.port };
    }
    if find::<hyper::Error>(error).is_some_and(hyper::Error::is_parse_too_large) {
        return Error::HeadersTooLarge { limit: at.max_headers };
    }
    if error.is_builder() {
        return Error::InvalidUrl { reason: "it can't be written in a request line" };
    }
    let reason = match find::<hyper::Error>(error) {
        Some(error) if error.is_parse_version_h2() => "it is HTTP/2 without TLS".to_owned(),
        Some(error) if error.is_parse() => "its head can't be read".to_owned(),
        _ => innermost(error),
    };
    Error::Protocol { reason, plain: at.plain }
}

/// An error while the body of the answer is read.
pub(super) fn in_body(error: &reqwest::Error, at: &Circumstances<'_>, received: u64, expected: Option<u64>) -> Error {
    if let Some(tls) = find::<rustls::Error>(error) {
        return at.tls(tls_reason(tls, at));
    }
    let malformed = |error: &io::Error| matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData);
    if let Some(error) = find_io(error).filter(|error| malformed(error)) {
        // The library has no kind of its own for this.
        let text = error.to_string();
        let flood = text.ends_with("over limit") || text.ends_with("overflow");
        let reason =
            if flood { "what stands around its chunks is too long" } else { "a chunk of the body has no readable length" };
        return Error::Protocol { reason: reason.to_owned(), plain: at.plain };
    }
    Error::CutOff { received, expected }
}

fn connecting(error: &reqwest::Error, at: &Circumstances<'_>) -> Error {
    if let Some(failed) = find::<LookupFailed>(error) {
        return Error::Dns { host: failed.host.clone(), reason: failed.reason.clone() };
    }
    if error.is_timeout() {
        return Error::Timeout { phase: at.phase, limit: at.connect_timeout, of: TimeLimit::Connect };
    }
    let io = find_io(error);
    if at.began_tls && io.is_some_and(|error| is_cut(error.kind())) {
        return at.tls(if at.lacks_certificate() { TlsReason::ClientCertificate } else { TlsReason::Closed });
    }
    let reason = match io.map_or_else(|| innermost(error), io_reason) {
        text if text == "Invalid Server Name" => "the HTTP library takes no IPv6 address for TLS through a proxy".to_owned(),
        text => text,
    };
    Error::Connect { host: at.host.to_owned(), port: at.port, reason }
}

pub(super) fn is_cut(kind: io::ErrorKind) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, NotConnected, UnexpectedEof};
    matches!(kind, BrokenPipe | ConnectionAborted | ConnectionReset | NotConnected | UnexpectedEof)
}

/// The kind of an I/O error in plain words; for kinds that the standard library has no words for, the system's.
pub(super) fn io_reason(error: &io::Error) -> String {
    if error.raw_os_error().is_some() && error.kind().to_string() == "uncategorized error" {
        return error.to_string().to_lowercase();
    }
    error.kind().to_string()
}

/// The text of the last link, which is the most precise and, unlike the outer ones, never names the URL.
fn innermost(error: &reqwest::Error) -> String {
    let text = links(error).skip(1).last().map(ToString::to_string).unwrap_or_default();
    let clean: String = text.chars().filter(|c| !c.is_control()).take(200).collect();
    if clean.is_empty() { "unknown error".to_owned() } else { clean }
}

pub(super) fn tls_reason(error: &rustls::Error, at: &Circumstances<'_>) -> TlsReason {
    let seconds = |time: &rustls::pki_types::UnixTime| i64::try_from(time.as_secs()).ok();
    match error {
        rustls::Error::InvalidCertificate(certificate) => match certificate {
            CertificateError::Expired => TlsReason::Expired { since: None },
            CertificateError::ExpiredContext { not_after, .. } => TlsReason::Expired { since: seconds(not_after) },
            CertificateError::NotValidYet => TlsReason::NotYetValid { from: None },
            CertificateError::NotValidYetContext { not_before, .. } => TlsReason::NotYetValid { from: seconds(not_before) },
            CertificateError::NotValidForName => TlsReason::WrongHost { names: Vec::new() },
            CertificateError::NotValidForNameContext { presented, .. } => {
                TlsReason::WrongHost { names: presented.iter().map(|name| host_in(name)).collect() }
            }
            CertificateError::UnknownIssuer => TlsReason::UnknownIssuer,
            CertificateError::Other(other) if other.0.is::<SelfSigned>() => TlsReason::SelfSigned,
            CertificateError::UnsupportedSignatureAlgorithmContext { .. }
            | CertificateError::UnsupportedSignatureAlgorithmForPublicKeyContext { .. } => TlsReason::Signature,
            CertificateError::Revoked => TlsReason::Revoked,
            other if format!("{other}").contains("CaUsedAsEndEntity") => TlsReason::IssuersOwn,
            other => TlsReason::Other(format!("its certificate can't be trusted: {other}")),
        },
        rustls::Error::General(text) if text.starts_with("No CA certificates") => TlsReason::NoRoots,
        rustls::Error::InvalidMessage(InvalidMessage::InvalidContentType) => TlsReason::NotTls,
        rustls::Error::AlertReceived(alert) => alert_reason(*alert, at),
        rustls::Error::PeerIncompatible(PeerIncompatible::ServerDoesNotSupportTls12Or13) => TlsReason::OldProtocol,
        other => TlsReason::Other(other.to_string().chars().filter(|c| !c.is_control()).take(200).collect()),
    }
}

/// What a server means by an alert (RFC 8446 §6.2). One that came after it had asked for a certificate is about that.
fn alert_reason(alert: AlertDescription, at: &Circumstances<'_>) -> TlsReason {
    use AlertDescription as Alert;
    let about_certificate = match alert {
        Alert::CertificateRequired if !at.has_certificate => return TlsReason::ClientCertificate,
        Alert::UnknownCA => Some("it does not trust its issuer"),
        Alert::CertificateExpired => Some("it has expired"),
        Alert::CertificateRevoked => Some("it was revoked"),
        Alert::BadCertificate | Alert::CertificateUnknown | Alert::UnsupportedCertificate | Alert::DecryptError => {
            Some("it can't make sense of it")
        }
        Alert::AccessDenied | Alert::HandshakeFailure | Alert::CertificateRequired => Some("it does not say why"),
        _ => None,
    };
    match (alert, about_certificate) {
        (_, Some(_)) if at.lacks_certificate() => TlsReason::ClientCertificate,
        (_, Some(reason)) if at.asked_for_certificate => TlsReason::ClientCertificateRefused(reason),
        (Alert::ProtocolVersion, _) => TlsReason::OldProtocol,
        (Alert::HandshakeFailure | Alert::InsufficientSecurity, _) => TlsReason::NoCommonCipher,
        (Alert::UnrecognisedName, _) => TlsReason::Other("it does not know the host of this name".to_owned()),
        (Alert::InternalError, _) => TlsReason::Other("it broke the handshake off with an internal error".to_owned()),
        (other, _) => TlsReason::Other(format!("it broke the handshake off with the alert {other:?}")),
    }
}

/// The library writes names as `DnsName("a.test")` and `IpAddress(10.0.0.1)`; only what stands inside is of interest, and it is a
/// stranger's text.
fn host_in(presented: &str) -> String {
    let address = || presented.strip_prefix("IpAddress(").and_then(|rest| rest.strip_suffix(')'));
    let inner = presented.split('"').nth(1).or_else(address).unwrap_or(presented);
    inner.chars().filter(|c| !c.is_control()).take(100).collect()
}
