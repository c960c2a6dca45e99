//! What can go wrong between a request and its answer.
//!
//! No message shows a query, userinfo or header value: errors end up in public logs.

use std::fmt;
use std::time::Duration;

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
    /// The proxy could not be reached, or opens no tunnel.
    Proxy {
        /// The proxy's host.
        host: String,
        /// The proxy's port.
        port: u16,
        /// Why.
        reason: String,
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
    /// Nobody who is trusted here has signed the certificate: it is self-signed, or its issuer is a private one.
    UnknownIssuer,
    /// This machine has no certificates of issuers at all.
    NoRoots,
    /// The certificate was revoked.
    Revoked,
    /// What answers does not speak TLS.
    NotTls,
    /// The server wants a certificate from us.
    ClientCertificate,
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
            | Self::Coding { .. } => Class::Transport,
        }
    }

    /// Whether the request surely never reached the server, so that nothing can have happened there.
    #[must_use]
    pub fn nothing_was_sent(&self) -> bool {
        match self {
            Self::Timeout { phase, .. } => matches!(phase, Phase::Lookup | Phase::Connect | Phase::Tls),
            Self::Dns { .. } | Self::Connect { .. } | Self::Proxy { .. } | Self::Refused(_) => true,
            // With TLS 1.3 a client certificate is refused after the request was sent.
            Self::Tls { reason, .. } => !matches!(reason, TlsReason::ClientCertificate | TlsReason::Other(_)),
            Self::BodyFile { .. } => false,
            other => other.class() == Class::Request,
        }
    }

    /// The error as it is told, with how to mend it; whoever knows a place adds it.
    #[must_use]
    pub fn finding(&self) -> Diagnostic {
        let finding = Diagnostic::error(self.to_string());
        match self.hint() {
            Some(hint) => finding.help(hint),
            None => finding,
        }
    }

    /// How to mend it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        let text = match self {
            Self::InvalidUrl { .. } => "write `https://host/path`",
            Self::Refused(refusal) => return refusal.hint(),
            Self::Dns { .. } => "is the name spelt right, and does this machine reach its name server?",
            Self::Connect { .. } => "is the server running, and is the port right?",
            Self::Proxy { .. } => "the proxy comes from `proxy:` in the environment or from `--proxy`",
            Self::Tls { reason, .. } => return reason.hint().map(ToOwned::to_owned),
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
                "if you trust the issuer, name its certificate: `tls: {ca: ca.pem}` in the environment, or `--cacert ca.pem`",
            ),
            Self::NoRoots => Some("install the system's `ca-certificates`, or name a file with `--cacert`"),
            Self::Expired { .. } | Self::NotYetValid { .. } => {
                Some("the server needs a new certificate, or the clock of this machine is wrong")
            }
            Self::WrongHost { .. } => Some("use one of those names in the URL, or have the certificate renewed for this one"),
            Self::NotTls => Some("if the server speaks plain http on this port, write `http://`"),
            Self::ClientCertificate => {
                Some("name one: `tls: {cert: me.pem, key: me.key}` in the environment, or `--cert` and `--key`")
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
            Self::Proxy { host, port, reason } => write!(f, "could not connect through the proxy `{host}:{port}`: {reason}"),
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
            Self::BodyFile { reason } => write!(f, "the file to be sent could not be read: {reason}"),
        }
    }
}

impl std::error::Error for Error {}

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
            Self::NoRoots => f.write_str("this machine has no certificates of issuers to check it with"),
            Self::Revoked => f.write_str("its certificate was revoked"),
            Self::NotTls => f.write_str("it does not speak TLS on this port"),
            Self::ClientCertificate => f.write_str("it wants a client certificate"),
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
