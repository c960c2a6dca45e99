//! From the HTTP library's errors to what the proxy did wrong, so that the host is not blamed for it.
//!
//! The library keeps its types for these errors to itself, so they are known by their texts; the suite has a proxy for each.

use std::error::Error as StdError;

use rustls::InvalidMessage;

use super::classify::{self, Circumstances, find, find_io, io_reason, is_cut, links};
use super::connect::LookupFailed;
use super::error::{ProxyFault, TlsReason};
use super::proxy::Proxy;

/// What the proxy did wrong; `None` when it did its part and the error is the host's.
pub(super) fn fault(error: &reqwest::Error, at: &Circumstances<'_>, proxy: &Proxy) -> Option<ProxyFault> {
    if let Some(failed) = find::<LookupFailed>(error) {
        return (failed.host == proxy.place().0).then(|| ProxyFault::Lookup(failed.reason.clone()));
    }
    if error.is_connect() && error.is_timeout() {
        return Some(ProxyFault::Timeout { limit: at.connect_timeout });
    }
    let text = |prefix: &str| links(error).find_map(|link| link.to_string().strip_prefix(prefix).map(ToOwned::to_owned));
    if let Some(text) = text("SOCKS error: ") {
        return Some(socks(&text, at, proxy));
    }
    if let Some(text) = text("tunnel error: ") {
        return Some(match text.as_str() {
            "proxy authorization required" => ProxyFault::Credentials { given: proxy.has_credentials() },
            "failed to create underlying connection" => connecting(error, at),
            "io error establishing tunnel" | "unexpected end of file" => ProxyFault::Closed,
            _ => ProxyFault::NoTunnel { to: at.target() },
        });
    }
    if at.plain && !proxy.is_socks() {
        // The proxy is the one that is spoken to.
        return if error.is_connect() {
            Some(connecting(error, at))
        } else {
            let unreadable = || find::<hyper::Error>(error).is_some_and(|error| error.is_parse() && !error.is_parse_too_large());
            let lost = classify::connection_was_lost(error).then_some(ProxyFault::NoAnswer);
            lost.or_else(|| unreadable().then_some(ProxyFault::NotHttp))
        };
    }
    match find::<rustls::Error>(error) {
        Some(rustls::Error::InvalidMessage(InvalidMessage::InvalidContentType)) => {
            Some(ProxyFault::BadTunnel { to: at.target(), closed: false })
        }
        None if error.is_connect() && find_io(error).is_some_and(|error| is_cut(error.kind())) => {
            Some(ProxyFault::BadTunnel { to: at.target(), closed: true })
        }
        _ => None,
    }
}

/// No connection to the proxy itself.
fn connecting(error: &(dyn StdError + 'static), at: &Circumstances<'_>) -> ProxyFault {
    if let Some(tls) = find::<rustls::Error>(error) {
        return ProxyFault::Tls(classify::tls_reason(tls, at));
    }
    match find_io(error) {
        Some(error) if at.began_tls && is_cut(error.kind()) => ProxyFault::Tls(TlsReason::Closed),
        found => ProxyFault::Connect(found.map(io_reason)),
    }
}

/// The replies of RFC 1928 §6 and RFC 1929 §2 in words.
fn socks(text: &str, at: &Circumstances<'_>, proxy: &Proxy) -> ProxyFault {
    let given = proxy.has_credentials();
    let reason = match text {
        "failed to create underlying connection" => return ProxyFault::Connect(None),
        "io error during SOCKS handshake" => return ProxyFault::Closed,
        "failed parsing server response" => return ProxyFault::NotSocks,
        // Its answer to a method that was not offered, or to none that it takes.
        "server does not support user/pass authentication" | "server implements authentication incorrectly" if !given => {
            return ProxyFault::Credentials { given };
        }
        "credentials not accepted" => return ProxyFault::Credentials { given },
        "server does not support user/pass authentication" => "it takes no user name and password",
        "server implements authentication incorrectly" => return ProxyFault::NotSocks,
        "failed serialize request" => "the user name or password is longer than 255 bytes",
        "host address is more than 255 characters" => "the name is longer than 255 characters",
        "general server failure" => "it failed, and does not say why",
        "connection not allowed" => "its rules do not allow it",
        "network unreachable" => "the network can't be reached",
        "host unreachable" => "the host can't be reached",
        "connection refused" => "the connection was refused",
        "ttl expired" => "the way is too long (TTL expired)",
        "command not supported" => "it opens no connections for others",
        "address type not supported" => "it does not take this kind of address",
        _ => return ProxyFault::NotSocks,
    };
    ProxyFault::Refused { to: at.target(), reason: reason.to_owned() }
}
