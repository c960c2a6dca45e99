//! The way through a proxy, and the hosts that are reached without it.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use ipnet::IpNet;
use url::{Host, Url};

use super::error::Error;
use crate::trust::Origin;

/// The port of a SOCKS proxy whose URL names none (RFC 1928 §3).
const SOCKS_PORT: u16 = 1080;

/// A proxy, and the hosts that are reached without it.
#[derive(Clone)]
pub struct Proxy {
    url: Url,
    except: Vec<NoProxy>,
}

impl fmt::Debug for Proxy {
    /// Without the userinfo.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (host, port) = self.place();
        write!(f, "Proxy({host}:{port})")
    }
}

impl Proxy {
    /// Reads the URL of a proxy: `http`, `https`, `socks5` (names are looked up here) or `socks5h` (at the proxy), as curl has
    /// them. Without a scheme it is http. It may hold userinfo, percent-encoded.
    ///
    /// # Errors
    /// [`Error::Settings`], which never shows the text: it may hold a password.
    pub fn parse(text: &str, except: Vec<NoProxy>) -> Result<Self, Error> {
        let invalid = |reason| Error::Settings { what: "proxy", reason };
        if text.contains("{{") {
            return Err(invalid("templates are not read here; write the URL out, in the local file when it holds a password"));
        }
        let expected = || invalid("expected the URL of a proxy, with `http`, `https`, `socks5` or `socks5h`");
        let written = if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
        let mut url = Url::parse(&written).map_err(|_| expected())?;
        let socks = match url.scheme() {
            "http" | "https" => false,
            "socks5" | "socks5h" => true,
            _ => return Err(expected()),
        };
        let host = url.host_str().and_then(|host| Host::parse(host).ok()).ok_or_else(expected)?;
        url.set_host(Some(&host.to_string())).map_err(|_| expected())?;
        if socks && url.port().is_none() {
            url.set_port(Some(SOCKS_PORT)).map_err(|()| expected())?;
        }
        // The HTTP library leaves a proxy out that it can't read, without a word.
        let readable = url.as_str().parse::<hyper::Uri>().is_ok_and(|uri| uri.authority().is_some());
        if readable { Ok(Self { url, except }) } else { Err(expected()) }
    }

    /// Where the proxy is, with its userinfo.
    pub(super) fn url(&self) -> &Url {
        &self.url
    }

    /// Where the proxy is, for those who say which hosts a run may connect to; SOCKS counts as plain http.
    #[must_use]
    pub fn origin(&self) -> Option<Origin> {
        let (host, port) = self.place();
        let scheme = if self.url.scheme() == "https" { "https" } else { "http" };
        Origin::of(&Url::parse(&format!("{scheme}://{host}:{port}/")).ok()?)
    }

    /// Host and effective port of the proxy, for messages.
    pub(super) fn place(&self) -> (String, u16) {
        (self.url.host_str().unwrap_or_default().to_owned(), self.url.port_or_known_default().unwrap_or_default())
    }

    /// Whether it speaks SOCKS: every request goes through a tunnel, those over plain http too.
    pub(super) fn is_socks(&self) -> bool {
        self.url.scheme().starts_with("socks")
    }

    /// Whether a user name or password goes to it.
    pub(super) fn has_credentials(&self) -> bool {
        !self.url.username().is_empty() || self.url.password().is_some()
    }

    /// Whether a request to `target` goes through the proxy. This machine is never asked for through another one.
    #[must_use]
    pub fn applies_to(&self, target: &Url) -> bool {
        let Some(origin) = Origin::of(target) else { return false };
        !origin.is_loopback() && !self.except.iter().any(|entry| entry.covers(&origin))
    }
}

/// An entry of `--noproxy` or of NO_PROXY, as curl reads them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoProxy {
    hosts: Hosts,
    /// All ports when there is none.
    port: Option<u16>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Hosts {
    /// `*`.
    All,
    /// An empty entry: `--noproxy ""` excepts nothing.
    None,
    /// A name and all names below it.
    Name(String),
    /// An address, or a range of them (`10.0.0.0/8`).
    Addresses(IpNet),
}

impl NoProxy {
    /// The entries of NO_PROXY. What can't be read is left out: the variable is everybody's, and others take more.
    pub fn of_process(list: &str) -> Vec<Self> {
        list.split([',', ' ', '\t']).filter_map(|entry| entry.parse().ok()).collect()
    }

    fn covers(&self, origin: &Origin) -> bool {
        if self.port.is_some_and(|port| port != origin.port()) {
            return false;
        }
        let host = origin.host();
        let address = host.trim_matches(['[', ']']).parse::<IpAddr>().ok();
        match (&self.hosts, address) {
            (Hosts::All, _) => true,
            (Hosts::Name(name), None) => {
                host.strip_suffix(name.as_str()).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
            }
            (Hosts::Addresses(range), Some(address)) => range.contains(&address),
            _ => false,
        }
    }
}

impl FromStr for NoProxy {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let invalid = Error::Settings {
            what: "--noproxy",
            reason: "expected hosts such as `example.com`, `.example.com`, `host:8080`, `10.0.0.0/8`, `[2001:db8::1]` or `*`",
        };
        let addresses = |text: &str| {
            let text = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
            text.parse::<IpNet>().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from))
        };
        let all = |hosts| Self { hosts, port: None };
        let text = text.trim();
        match text {
            "" => return Ok(all(Hosts::None)),
            "*" => return Ok(all(Hosts::All)),
            _ => {}
        }
        if let Some(range) = addresses(text) {
            return Ok(all(Hosts::Addresses(range)));
        }
        let (host, port) = match text.rsplit_once(':') {
            Some((host, port)) => (host, Some(port.parse::<u16>().map_err(|_| invalid.clone())?)),
            None => (text, None),
        };
        if let Some(range) = addresses(host) {
            return Ok(Self { hosts: Hosts::Addresses(range), port });
        }
        let name = host.strip_prefix("*.").unwrap_or(host);
        let name = name.strip_prefix('.').unwrap_or(name);
        let name = name.strip_suffix('.').unwrap_or(name);
        match Host::parse(name) {
            Ok(Host::Domain(name)) => Ok(Self { hosts: Hosts::Name(name), port }),
            _ => Err(invalid),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxy(text: &str, except: &[&str]) -> Result<Proxy, Error> {
        Proxy::parse(text, except.iter().map(|entry| entry.parse().unwrap()).collect())
    }

    #[test]
    fn exceptions_are_those_of_curl() {
        let through =
            |entry: &str, url: &str| proxy("http://proxy.test:3128", &[entry]).unwrap().applies_to(&Url::parse(url).unwrap());
        let table = [
            ("a.test", "http://c.test/", true),
            ("a.test", "http://xa.test/", true),
            ("a.test", "http://a.test.c.test/", true),
            ("a.test", "http://a.test/", false),
            ("A.test.", "https://X.A.test.:8443/", false),
            (".b.test", "http://b.test/", false),
            (".b.test", "http://x.b.test/", false),
            ("*.b.test", "http://x.b.test/", false),
            (" b.test ", "http://b.test/", false),
            ("bücher.example", "https://xn--bcher-kva.example/", false),
            ("10.0.0.1", "http://10.0.0.1/", false),
            ("10.0.0.1", "http://110.0.0.1/", true),
            ("10.0.0.0/8", "http://10.9.8.7/", false),
            ("10.0.0.0/8", "http://11.0.0.1/", true),
            ("10.0.0.0/8", "http://10.example/", true),
            ("2001:db8::1", "http://[2001:db8::1]/", false),
            ("[2001:db8::1]", "http://[2001:db8:0::1]/", false),
            ("2001:db8::/32", "http://[2001:db8:1::9]/", false),
            ("2001:db8::/32", "http://[2001:db9::1]/", true),
            ("a.test:8080", "http://a.test:8080/", false),
            ("a.test:80", "http://a.test/", false),
            ("a.test:8080", "http://a.test/", true),
            ("[2001:db8::1]:443", "https://[2001:db8::1]/", false),
            ("[2001:db8::1]:443", "http://[2001:db8::1]/", true),
            ("*", "http://a.test/", false),
            ("", "http://a.test/", true),
            ("", "http://localhost/", false),
            ("", "http://x.localhost/", false),
            ("", "http://127.0.0.9/", false),
            ("", "http://[::1]/", false),
        ];
        for (entry, url, expected) in table {
            assert_eq!(through(entry, url), expected, "{entry}: {url}");
        }
        for entry in ["10.0.0.0/99", "a.test:port", "a.test:99999", "a b", "0.0.1"] {
            assert!(entry.parse::<NoProxy>().is_err(), "{entry}");
        }
        assert_eq!(NoProxy::of_process("a.test, 10.0.0.0/99 b.test:1").len(), 3, "an empty entry counts, a broken one does not");
    }

    #[test]
    fn proxies_are_read_as_curl_reads_them() {
        let shown = |text: &str| proxy(text, &[]).map(|proxy| format!("{proxy:?}"));
        let table = [
            ("proxy.test", "Proxy(proxy.test:80)"),
            ("me:pw@proxy.test:3128", "Proxy(proxy.test:3128)"),
            ("HTTPS://Proxy.test/ignored?x", "Proxy(proxy.test:443)"),
            ("socks5://me:pw@PROXY.test", "Proxy(proxy.test:1080)"),
            ("socks5h://[::1]:9", "Proxy([::1]:9)"),
            ("socks5://10.0.0.1:80", "Proxy(10.0.0.1:80)"),
        ];
        for (text, expected) in table {
            assert_eq!(shown(text).as_deref(), Ok(expected), "{text}");
        }
        for text in [
            "",
            "http://",
            "socks5://",
            "socks4://a",
            "ftp://a",
            "file:///x",
            "http://{{ host }}",
            "http://a b",
            "socks5://a%00b",
        ] {
            let error = shown(text).unwrap_err().to_string();
            assert!(error.starts_with("`proxy` can't be used: "), "{text}: {error}");
        }
    }
}
