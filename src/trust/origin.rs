//! One origin: scheme, host and port (RFC 6454 §4).

use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

use url::{Host, Url};

/// The two schemes that runner speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scheme {
    /// Plain text.
    Http,
    /// Over TLS.
    Https,
}

impl Scheme {
    /// The scheme as it stands in a URL.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    /// The port that is meant when none is written.
    #[must_use]
    pub fn default_port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }

    /// The scheme of that name, whatever its case.
    pub(super) fn named(text: &str) -> Option<Self> {
        [Self::Http, Self::Https].into_iter().find(|scheme| text.eq_ignore_ascii_case(scheme.as_str()))
    }
}

/// Where a request goes: scheme, host in IDNA lower case without a trailing dot, effective port.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Origin {
    scheme: Scheme,
    host: String,
    port: u16,
}

impl Origin {
    /// The origin of an http or https URL; `None` for any other scheme and for a host with an empty label. Userinfo, path, query and fragment are no part of it.
    #[must_use]
    pub fn of(url: &Url) -> Option<Self> {
        let scheme = Scheme::named(url.scheme())?;
        // The url crate has already lower-cased, punycoded and normalised numeric addresses.
        let host = url.host_str()?;
        let host = host.strip_suffix('.').unwrap_or(host);
        // No name has an empty label; such text only serves to confuse comparisons.
        if host.split('.').any(str::is_empty) {
            return None;
        }
        Some(Self { scheme, host: host.to_owned(), port: url.port_or_known_default()? })
    }

    /// The scheme.
    #[must_use]
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// The host in IDNA lower case; an IPv6 address stands in brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The effective port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Whether the host is this machine: `localhost`, a name below it (RFC 6761 §6.3), or a loopback address.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        is_loopback(&self.host)
    }

    /// The same host and port under another scheme.
    pub(super) fn with_scheme(&self, scheme: Scheme) -> Self {
        Self { scheme, ..self.clone() }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme.as_str(), self.host)?;
        if self.port == self.scheme.default_port() { Ok(()) } else { write!(f, ":{}", self.port) }
    }
}

/// Whether a host as the url crate writes it is this machine.
fn is_loopback(host: &str) -> bool {
    match Host::parse(host) {
        Ok(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Ok(Host::Ipv4(address)) => Ipv4Addr::is_loopback(&address),
        Ok(Host::Ipv6(address)) => Ipv6Addr::is_loopback(&address),
        Err(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(url: &str) -> Option<String> {
        Origin::of(&Url::parse(url).unwrap()).map(|origin| origin.to_string())
    }

    #[test]
    fn urls_become_origins() {
        let table = [
            ("https://api.box.com/2.0?x=1#y", Some("https://api.box.com")),
            ("HTTPS://API.Box.COM", Some("https://api.box.com")),
            ("https://api.box.com:443/", Some("https://api.box.com")),
            ("https://api.box.com:80/", Some("https://api.box.com:80")),
            ("http://api.box.com:80/", Some("http://api.box.com")),
            ("http://api.box.com:443/", Some("http://api.box.com:443")),
            ("https://api.box.com./", Some("https://api.box.com")),
            ("https://api.box.com@evil.test/", Some("https://evil.test")),
            ("https://me:pw@api.box.com/", Some("https://api.box.com")),
            ("https://api.box.com\\@evil.test/", Some("https://api.box.com")),
            ("https://api.box.com.evil.test/", Some("https://api.box.com.evil.test")),
            ("https://bücher.example/", Some("https://xn--bcher-kva.example")),
            ("https://XN--BCHER-KVA.example/", Some("https://xn--bcher-kva.example")),
            ("https://ａｐｉ.box.com/", Some("https://api.box.com")),
            ("http://[::1]:8080/", Some("http://[::1]:8080")),
            ("http://[0:0:0:0:0:0:0:1]/", Some("http://[::1]")),
            ("http://0x7f.1/", Some("http://127.0.0.1")),
            ("http://2130706433/", Some("http://127.0.0.1")),
            ("https://.box.com/", None),
            ("https://api..box.com/", None),
            ("https://api.box.com../", None),
            ("https://./", None),
            ("ftp://api.box.com/", None),
            ("file:///etc/passwd", None),
            ("data:text/plain,x", None),
        ];
        for (url, origin) in table {
            assert_eq!(shown(url).as_deref(), origin, "{url}");
        }
    }

    #[test]
    fn loopback_is_told_from_what_looks_like_it() {
        let table = [
            ("http://localhost", true),
            ("http://box.localhost", true),
            ("http://LOCALHOST.", true),
            ("http://127.0.0.1", true),
            ("http://127.8.9.1", true),
            ("http://[::1]", true),
            ("http://localhost.evil.test", false),
            ("http://evil-localhost", false),
            ("http://127.0.0.1.evil.test", false),
            ("http://10.0.0.1", false),
            ("http://[::2]", false),
        ];
        for (url, loopback) in table {
            assert_eq!(Origin::of(&Url::parse(url).unwrap()).unwrap().is_loopback(), loopback, "{url}");
        }
    }
}
