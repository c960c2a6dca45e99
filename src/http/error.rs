//! What can go wrong between a request and its answer.
//!
//! No message shows a query, userinfo or header value: errors end up in public logs.

use std::fmt;
use std::time::Duration;

use super::redirect::Chain;
use crate::diagnostic::Diagnostic;
use crate::trust::Refusal;

/// A request that got no usable answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Error {
    /// The method is no token.
    InvalidMethod,
    /// The text is no URL that can be requested.
    InvalidUrl {
        /// What is wrong with it, without showing it.
        reason: &'static str,
    },
    /// A header that can't be sent as it stands.
    InvalidHeader {
        /// Its name.
        name: String,
        /// What is wrong with it, without its value.
        reason: &'static str,
    },
    /// A setting of the client that can't be used.
    Settings {
        /// Which: `tls.ca`, `proxy` …
        what: &'static str,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// Policy stopped the request before anything was connected to.
    Refused(Refusal),
    /// The host name could not be looked up.
    Dns {
        /// The name.
        host: String,
        /// What the resolver says.
        reason: String,
    },
    /// No TCP connection.
    Connect {
        /// The host, an IPv6 address in brackets.
        host: String,
        /// The port.
        port: u16,
        /// What the operating system says.
        reason: String,
    },
    /// The proxy failed, not the host.
    Proxy {
        /// The proxy's host.
        host: String,
        /// The proxy's port.
        port: u16,
        /// What it did.
        fault: ProxyFault,
    },
    /// No TLS session.
    Tls {
        /// The host.
        host: String,
        /// Why.
        reason: TlsReason,
    },
    /// A time limit was reached.
    Timeout {
        /// What was being waited for.
        phase: Phase,
        /// The limit that was reached.
        limit: Duration,
        /// Which limit that is.
        of: TimeLimit,
    },
    /// The connection was closed before an answer began.
    NoAnswer {
        /// The host.
        host: String,
        /// The port.
        port: u16,
    },
    /// What came back is not HTTP, or breaks its rules.
    Protocol {
        /// Which rule.
        reason: String,
        /// Whether the request went over plain http.
        plain: bool,
    },
    /// The connection ended before the body did.
    CutOff {
        /// How many bytes of the body came, before decoding.
        received: u64,
        /// How many should have come, when the server said so.
        expected: Option<u64>,
    },
    /// The body is longer than allowed.
    TooLarge {
        /// The limit in bytes.
        limit: usize,
    },
    /// The headers of the answer are longer than allowed, or too many.
    HeadersTooLarge {
        /// The limit in bytes.
        limit: usize,
    },
    /// The body is not what `Content-Encoding` says.
    Coding {
        /// What is wrong.
        reason: String,
    },
    /// An answer points to something that can't be requested.
    InvalidLocation {
        /// What is wrong with its `Location`, without showing it.
        reason: &'static str,
    },
    /// One redirect after the other.
    TooManyRedirects {
        /// How many were followed.
        limit: usize,
    },
    /// As many redirects as allowed, and the next would lead to where the request was already.
    RedirectCircle {
        /// How many were followed.
        limit: usize,
    },
    /// What went wrong behind a redirect.
    Redirected {
        /// The URLs that led there.
        chain: Chain,
        /// What went wrong.
        error: Box<Error>,
    },
    /// The file that is to be sent could not be read.
    BodyFile {
        /// What the operating system says.
        reason: String,
    },
}

/// The limits on time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimeLimit {
    /// On connecting.
    Connect,
    /// On a request, from looking up the name to the last byte of the answer.
    Request,
    /// On the run, of which the request got what was left.
    Run,
}

/// What a time limit ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Looking up the name of the host.
    Lookup,
    /// Opening the TCP connection, through a proxy if there is one.
    Connect,
    /// The TLS handshake.
    Tls,
    /// Sending the body of the request.
    Sending {
        /// How many bytes of it were handed to the connection.
        sent: u64,
        /// How many there are.
        total: u64,
    },
    /// Waiting for the head of the answer.
    Answer,
    /// Reading the body of the answer.
    Body {
        /// How many bytes came, before decoding.
        received: u64,
        /// How many should have come, when the server said so.
        expected: Option<u64>,
    },
}

/// What a proxy did wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProxyFault {
    /// Its name could not be looked up, with what the resolver says.
    Lookup(String),
    /// No TCP connection, with what the operating system says, where that is known.
    Connect(Option<String>),
    /// No TLS session with the proxy itself.
    Tls(TlsReason),
    /// It wants a user name and password, or others than it got.
    Credentials {
        /// Whether it got some.
        given: bool,
    },
    /// It opens no tunnel (RFC 9110 §9.3.6).
    NoTunnel {
        /// Host and port that were to be reached.
        to: String,
    },
    /// What comes out of the tunnel is no TLS, or the tunnel was closed before TLS stood.
    BadTunnel {
        /// Host and port that were to be reached.
        to: String,
        /// Whether it was closed.
        closed: bool,
    },
    /// It says why it does not connect (RFC 1928 §6).
    Refused {
        /// Host and port that were to be reached.
        to: String,
        /// Why.
        reason: String,
    },
    /// Its answer is none of a SOCKS5 proxy.
    NotSocks,
    /// It closed the connection before the tunnel stood.
    Closed,
    /// It closed the connection under a request that it was to pass on.
    NoAnswer,
    /// Its answer to a request that it was to pass on is no HTTP.
    NotHttp,
    /// It was silent for too long.
    Timeout {
        /// The limit that was reached.
        limit: Duration,
    },
}

/// Why there is no TLS session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TlsReason {
    /// The certificate is past its end.
    Expired {
        /// When it ended, in seconds since 1970.
        since: Option<i64>,
    },
    /// The certificate is not valid yet.
    NotYetValid {
        /// When it begins, in seconds since 1970.
        from: Option<i64>,
    },
    /// The certificate is for other names.
    WrongHost {
        /// The names that it is for.
        names: Vec<String>,
    },
    /// Nobody who is trusted here has signed the certificate: its issuer is a private one.
    UnknownIssuer,
    /// The certificate is signed by itself.
    SelfSigned,
    /// The certificate is one of an issuer, and the server shows it as its own.
    IssuersOwn,
    /// The certificate is signed in a way that is too weak, or that nobody here knows.
    Signature,
    /// This machine has no certificates of issuers at all.
    NoRoots,
    /// The certificate was revoked.
    Revoked,
    /// What answers does not speak TLS.
    NotTls,
    /// Neither TLS 1.2 nor TLS 1.3.
    OldProtocol,
    /// The server takes none of the ciphers.
    NoCommonCipher,
    /// The server wants a certificate from us.
    ClientCertificate,
    /// The server does not take the certificate that it got from us, with the reason.
    ClientCertificateRefused(&'static str),
    /// The connection ended during the handshake.
    Closed,
    /// Anything else, in the TLS library's words.
    Other(String),
}

/// Which exit code an error leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// The request could not be built from the values at hand.
    Request,
    /// Nothing usable came back: DNS, connect, TLS, timeout, protocol.
    Transport,
    /// Refused by policy.
    Policy,
}

impl Error {
    /// What kind of error this is.
    #[must_use]
    pub fn class(&self) -> Class {
        match self {
            Self::InvalidMethod
            | Self::InvalidUrl { .. }
            | Self::InvalidHeader { .. }
            | Self::Settings { .. }
            | Self::BodyFile { .. } => Class::Request,
            Self::Refused(_) => Class::Policy,
            Self::Redirected { error, .. } => error.class(),
            Self::Dns { .. }
            | Self::Connect { .. }
            | Self::Proxy { .. }
            | Self::Tls { .. }
            | Self::Timeout { .. }
            | Self::NoAnswer { .. }
            | Self::Protocol { .. }
            | Self::CutOff { .. }
            | Self::TooLarge { .. }
            | Self::HeadersTooLarge { .. }
            | Self::InvalidLocation { .. }
            | Self::TooManyRedirects { .. }
            | Self::RedirectCircle { .. }
            | Self::Coding { .. } => Class::Transport,
        }
    }

    /// Whether the request surely never reached the server, so that nothing can have happened there.
    #[must_use]
    pub fn nothing_was_sent(&self) -> bool {
        match self {
            Self::Timeout { phase, .. } => matches!(phase, Phase::Lookup | Phase::Connect | Phase::Tls),
            Self::Dns { .. } | Self::Connect { .. } | Self::Refused(_) => true,
            Self::Proxy { fault, .. } => !matches!(fault, ProxyFault::NoAnswer | ProxyFault::NotHttp),
            // With TLS 1.3 a client certificate is refused after the request was sent.
            Self::Tls { reason, .. } => {
                !matches!(reason, TlsReason::ClientCertificate | TlsReason::ClientCertificateRefused(_) | TlsReason::Other(_))
            }
            Self::BodyFile { .. } | Self::Redirected { .. } => false,
            other => other.class() == Class::Request,
        }
    }

    /// Says of a time limit that it was that of the whole run, behind redirects too.
    pub fn blame_run(&mut self, whole: Duration) {
        match self {
            Self::Timeout { limit, of: of @ TimeLimit::Request, .. } => (*limit, *of) = (whole, TimeLimit::Run),
            Self::Redirected { error, .. } => error.blame_run(whole),
            _ => {}
        }
    }

    /// The error as it is told, with how to mend it; whoever knows a place adds it.
    #[must_use]
    pub fn finding(&self) -> Diagnostic {
        let finding = Diagnostic::error(self.to_string());
        let finding = match self.hint() {
            Some(hint) => finding.help(hint),
            None => finding,
        };
        match self {
            Self::Redirected { chain, .. } => finding.help(format!("redirected: {chain}")),
            _ => finding,
        }
    }

    /// How to mend it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        let text = match self {
            Self::InvalidUrl { .. } => "write `https://host/path`",
            Self::Refused(refusal) => return refusal.hint(),
            Self::Redirected { error, .. } => return error.hint(),
            Self::InvalidLocation { .. } => "`redirects: false` shows the answer instead",
            Self::TooManyRedirects { .. } => {
                "raise `redirects` if so many are meant; `redirects: false` shows the first answer instead"
            }
            Self::RedirectCircle { .. } => "`redirects: false` shows the first answer instead",
            Self::Dns { .. } => "is the name spelt right, and does this machine reach its name server?",
            Self::Connect { .. } => "is the server running, and is the port right?",
            Self::Proxy { fault: ProxyFault::Tls(reason), .. } => return reason.hint().map(ToOwned::to_owned),
            Self::Proxy { fault: ProxyFault::Credentials { .. }, .. } => {
                "write them into the proxy's URL, in the local file: `proxy: http://USER:PASSWORD@HOST:PORT` (`@` is `%40`)"
            }
            Self::Proxy { .. } => {
                "the proxy comes from `proxy` in the environment or from `--proxy`; `--noproxy HOST` goes around it"
            }
            Self::Tls { reason, .. } => return reason.hint().map(ToOwned::to_owned),
            Self::Settings { what: "tls.key" | "--key", reason } if reason.contains("encrypted") => {
                "take the passphrase off a copy that only you can read: `openssl pkey -in me.key -out plain.key`"
            }
            Self::Timeout { of: TimeLimit::Connect, .. } => "raise `--connect-timeout` if the server is that slow",
            Self::Timeout { of: TimeLimit::Request, .. } => {
                "raise `timeout` of the request, or `--timeout`, if the server is that slow"
            }
            Self::Timeout { of: TimeLimit::Run, .. } => "raise `--run-timeout` if the run may take longer",
            Self::Protocol { plain: true, .. } => "if the server expects TLS on this port, write `https://`",
            Self::TooLarge { .. } => "raise `--max-body` if the body is meant to be that long",
            _ => return None,
        };
        Some(text.to_owned())
    }
}

impl TlsReason {
    fn hint(&self) -> Option<&'static str> {
        match self {
            Self::UnknownIssuer => Some(
                "if you trust the issuer, name its certificate: `--cacert ca.pem`, or `tls: {ca: ca.pem}` in the environment; \
                 `--insecure` checks nothing and is for a last resort",
            ),
            Self::SelfSigned => Some(
                "if you trust this server, save its certificate and name it: `--cacert server.pem`, or `tls: {ca: server.pem}` in \
                 the environment; `--insecure` checks nothing and is for a last resort",
            ),
            Self::IssuersOwn => Some(
                "have the server show a certificate made for a server (`basicConstraints=CA:FALSE`); `--insecure` checks nothing \
                 and is for a last resort",
            ),
            Self::Signature => Some("the server needs a certificate that is signed with SHA-256 or better"),
            Self::OldProtocol => Some("TLS 1.0 and 1.1 are broken (RFC 8996): the server needs a newer version"),
            Self::NoCommonCipher => Some("the server needs newer ciphers, or it wants a name or certificate that it did not get"),
            Self::NoRoots => Some("install the system's `ca-certificates`, or name a file with `--cacert`"),
            Self::Expired { .. } | Self::NotYetValid { .. } => {
                Some("the server needs a new certificate, or the clock of this machine is wrong")
            }
            Self::WrongHost { .. } => Some("use one of those names in the URL, or have the certificate renewed for this one"),
            Self::NotTls => Some("if the server speaks plain http on this port, write `http://`"),
            Self::ClientCertificate => {
                Some("name one: `--cert me.pem --key me.key`, or `tls: {cert: me.pem, key: me.key}` in the environment")
            }
            Self::ClientCertificateRefused(_) => {
                Some("it is that of `--cert` and `--key`, or of `tls: {cert, key}` in the environment")
            }
            Self::Revoked | Self::Closed | Self::Other(_) => None,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InvalidMethod => f.write_str("expected a method such as `GET`, got something that is none"),
            Self::InvalidUrl { reason } => write!(f, "the URL can't be requested: {reason}"),
            Self::InvalidHeader { name, reason } => write!(f, "the header `{name}` can't be sent: {reason}"),
            Self::Settings { what, reason } => write!(f, "`{what}` can't be used: {reason}"),
            Self::Refused(refusal) => refusal.fmt(f),
            Self::Dns { host, reason } => write!(f, "could not look up `{host}`: {reason}"),
            Self::Connect { host, port, reason } => write!(f, "could not connect to `{host}:{port}`: {reason}"),
            Self::Proxy { host, port, fault } => fault.write(f, host, *port),
            Self::Tls { host, reason } => write!(f, "no TLS session with `{host}`: {reason}"),
            Self::Timeout { phase, limit, of } => write_timeout(f, *phase, *limit, *of),
            Self::NoAnswer { host, port } => write!(f, "`{host}:{port}` closed the connection without an answer"),
            Self::Protocol { reason, .. } => write!(f, "the answer is no valid HTTP: {reason}"),
            Self::CutOff { received, expected } => write!(f, "the answer broke off after {}", Part(*received, *expected)),
            Self::TooLarge { limit } => write!(f, "the body is longer than {} (the limit is `--max-body`)", Size(*limit)),
            Self::HeadersTooLarge { limit } => {
                let lines = super::limits::MAX_HEADER_LINES;
                write!(f, "the answer has more than {} or {lines} lines of headers", Size(*limit))
            }
            Self::Coding { reason } => write!(f, "the body could not be decoded: {reason}"),
            Self::InvalidLocation { reason } => write!(f, "the redirect can't be followed: `Location`: {reason}"),
            Self::TooManyRedirects { limit } => write!(f, "more than {limit} {} in a row", redirects(*limit)),
            Self::RedirectCircle { limit } => write!(f, "the redirects go round in a circle ({limit} {} followed)", were(*limit)),
            Self::Redirected { error, .. } => error.fmt(f),
            Self::BodyFile { reason } => write!(f, "the file to be sent could not be read: {reason}"),
        }
    }
}

impl std::error::Error for Error {}

fn redirects(count: usize) -> &'static str {
    if count == 1 { "redirect" } else { "redirects" }
}

fn were(count: usize) -> &'static str {
    if count == 1 { "was" } else { "were" }
}

impl ProxyFault {
    fn write(&self, f: &mut fmt::Formatter<'_>, host: &str, port: u16) -> fmt::Result {
        let proxy = format_args!("the proxy `{host}:{port}`");
        match self {
            Self::Lookup(reason) => write!(f, "could not look up the proxy `{host}`: {reason}"),
            Self::Connect(Some(reason)) => write!(f, "could not connect to {proxy}: {reason}"),
            Self::Connect(None) => write!(f, "could not connect to {proxy}"),
            Self::Tls(reason) => write!(f, "no TLS session with {proxy}: {reason}"),
            Self::Credentials { given: false } => write!(f, "{proxy} wants a user name and password"),
            Self::Credentials { given: true } => write!(f, "{proxy} does not take the user name and password"),
            Self::NoTunnel { to } => write!(f, "{proxy} opens no tunnel to `{to}`"),
            Self::BadTunnel { to, closed: true } => write!(f, "{proxy} closed the tunnel to `{to}` during the TLS handshake"),
            Self::BadTunnel { to, closed: false } => write!(f, "what {proxy} sends through the tunnel to `{to}` is no TLS"),
            Self::Refused { to, reason } => write!(f, "{proxy} does not connect to `{to}`: {reason}"),
            Self::NotSocks => write!(f, "{proxy} does not answer as a SOCKS5 proxy does"),
            Self::Closed => write!(f, "{proxy} closed the connection before there was a tunnel"),
            Self::NoAnswer => write!(f, "{proxy} closed the connection without an answer"),
            Self::NotHttp => write!(f, "what {proxy} answers is no HTTP"),
            Self::Timeout { limit } => {
                write!(f, "no connection through {proxy} within {} (the limit is `--connect-timeout`)", Span(*limit))
            }
        }
    }
}

fn write_timeout(f: &mut fmt::Formatter<'_>, phase: Phase, limit: Duration, of: TimeLimit) -> fmt::Result {
    let limit = Span(limit);
    let within = match of {
        TimeLimit::Connect => format!("within {limit} (the limit is `--connect-timeout`)"),
        TimeLimit::Request => format!("within {limit} (the limit is `timeout`)"),
        TimeLimit::Run => format!("within the {limit} of the run (the limit is `--run-timeout`)"),
    };
    match phase {
        Phase::Lookup => write!(f, "the name of the host was not looked up {within}"),
        Phase::Connect => write!(f, "no connection {within}"),
        Phase::Tls => write!(f, "no end of the TLS handshake {within}"),
        Phase::Sending { sent, total } => write!(f, "the server took {} {within}", Part(sent, Some(total))),
        Phase::Answer => write!(f, "no answer {within}"),
        Phase::Body { received, expected } => {
            write!(f, "the answer was not complete {within}: {} came", Part(received, expected))
        }
    }
}

impl fmt::Display for TlsReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Expired { since } => write!(f, "its certificate expired{}", When(" on ", *since)),
            Self::NotYetValid { from } => write!(f, "its certificate is not valid yet{}", When(", but from ", *from)),
            Self::WrongHost { names } if names.is_empty() => f.write_str("its certificate is for another name"),
            Self::WrongHost { names } => {
                let shown: Vec<String> = names.iter().take(5).map(|name| format!("`{name}`")).collect();
                let more = if names.len() > shown.len() { " and others" } else { "" };
                write!(f, "its certificate is for {}{more}", shown.join(", "))
            }
            Self::UnknownIssuer => f.write_str("its certificate is signed by nobody who is trusted here"),
            Self::SelfSigned => f.write_str("its certificate is signed by itself, so anybody could have made it"),
            Self::IssuersOwn => f.write_str("its certificate is one for signing certificates, not one for a server"),
            Self::Signature => f.write_str("its certificate is signed in a way that is too weak or unknown"),
            Self::OldProtocol => f.write_str("it speaks neither TLS 1.2 nor TLS 1.3"),
            Self::NoCommonCipher => f.write_str("it takes none of the ciphers that are safe today"),
            Self::NoRoots => f.write_str("this machine has no certificates of issuers to check it with"),
            Self::Revoked => f.write_str("its certificate was revoked"),
            Self::NotTls => f.write_str("it does not speak TLS on this port"),
            Self::ClientCertificate => f.write_str("it wants a client certificate"),
            Self::ClientCertificateRefused(reason) => write!(f, "it does not take the client certificate: {reason}"),
            Self::Closed => f.write_str("it closed the connection during the handshake"),
            Self::Other(text) => f.write_str(text),
        }
    }
}

/// So many bytes, or so many of so many.
struct Part(u64, Option<u64>);

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self(received, Some(expected)) => write!(f, "{received} of {expected} bytes"),
            Self(1, None) => f.write_str("1 byte"),
            Self(received, None) => write!(f, "{received} bytes"),
        }
    }
}

/// A limit in the largest unit that shows it exactly.
struct Size(usize);

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            bytes if bytes > 0 && bytes % (1 << 20) == 0 => write!(f, "{} MiB", bytes >> 20),
            bytes if bytes > 0 && bytes % (1 << 10) == 0 => write!(f, "{} KiB", bytes >> 10),
            bytes => write!(f, "{bytes} bytes"),
        }
    }
}

/// A limit in seconds, or in milliseconds when it is no whole number of seconds.
struct Span(Duration);

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.subsec_millis() == 0 { write!(f, "{} s", self.0.as_secs()) } else { write!(f, "{} ms", self.0.as_millis()) }
    }
}

/// A point in time behind its preposition, or nothing.
struct When(&'static str, Option<i64>);

impl fmt::Display for When {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.1.and_then(|seconds| jiff::Timestamp::from_second(seconds).ok()) {
            Some(time) => write!(f, "{}{time}", self.0),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_proxy_may_have_passed_on_counts_as_sent() {
        let sent = |fault| !Error::Proxy { host: "p".into(), port: 1, fault }.nothing_was_sent();
        assert!(sent(ProxyFault::NoAnswer));
        assert!(!sent(ProxyFault::Closed) && !sent(ProxyFault::Credentials { given: true }));
    }

    #[test]
    fn messages_say_what_came_and_what_the_limit_is() {
        let host = || "a.test".to_owned();
        let timeout = |phase, millis, of| Error::Timeout { phase, limit: Duration::from_millis(millis), of };
        let table = [
            (
                Error::Connect { host: "127.0.0.1".into(), port: 9, reason: "connection refused".into() },
                "could not connect to `127.0.0.1:9`: connection refused",
            ),
            (Error::CutOff { received: 120, expected: Some(200) }, "the answer broke off after 120 of 200 bytes"),
            (Error::CutOff { received: 1, expected: None }, "the answer broke off after 1 byte"),
            (
                timeout(Phase::Lookup, 10_000, TimeLimit::Connect),
                "the name of the host was not looked up within 10 s (the limit is `--connect-timeout`)",
            ),
            (
                timeout(Phase::Connect, 1500, TimeLimit::Connect),
                "no connection within 1500 ms (the limit is `--connect-timeout`)",
            ),
            (timeout(Phase::Tls, 1000, TimeLimit::Request), "no end of the TLS handshake within 1 s (the limit is `timeout`)"),
            (
                timeout(Phase::Sending { sent: 5, total: 9 }, 1000, TimeLimit::Request),
                "the server took 5 of 9 bytes within 1 s (the limit is `timeout`)",
            ),
            (timeout(Phase::Answer, 30_000, TimeLimit::Request), "no answer within 30 s (the limit is `timeout`)"),
            (timeout(Phase::Answer, 5000, TimeLimit::Run), "no answer within the 5 s of the run (the limit is `--run-timeout`)"),
            (
                timeout(Phase::Body { received: 5, expected: Some(9) }, 1000, TimeLimit::Request),
                "the answer was not complete within 1 s (the limit is `timeout`): 5 of 9 bytes came",
            ),
            (Error::TooLarge { limit: 64 << 20 }, "the body is longer than 64 MiB (the limit is `--max-body`)"),
            (Error::TooLarge { limit: 1000 }, "the body is longer than 1000 bytes (the limit is `--max-body`)"),
            (Error::HeadersTooLarge { limit: 256 << 10 }, "the answer has more than 256 KiB or 1000 lines of headers"),
            (
                Error::Tls { host: host(), reason: TlsReason::Expired { since: Some(0) } },
                "no TLS session with `a.test`: its certificate expired on 1970-01-01T00:00:00Z",
            ),
            (
                Error::Tls { host: host(), reason: TlsReason::WrongHost { names: vec!["b.test".into(), "*.c.test".into()] } },
                "no TLS session with `a.test`: its certificate is for `b.test`, `*.c.test`",
            ),
        ];
        for (error, message) in table {
            assert_eq!(error.to_string(), message);
        }
    }
}
