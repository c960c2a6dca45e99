//! One entry of `hosts:` or `--allow-host`.

use std::error::Error;
use std::fmt;
use std::net::Ipv6Addr;
use std::str::FromStr;

use url::{Host, Url};

use super::origin::{Origin, Scheme};
use super::suffix;

/// Which origins one entry names.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct HostRule {
    /// The origin itself, or with `subdomains` the parent of those that are meant.
    origin: Origin,
    subdomains: bool,
}

impl HostRule {
    /// Whether the entry names `origin`. `*.box.com` names every sub-domain at any depth, not `box.com` itself.
    #[must_use]
    pub fn permits(&self, origin: &Origin) -> bool {
        if !self.subdomains {
            return self.origin == *origin;
        }
        let below = origin.host().strip_suffix(self.origin.host()).and_then(|rest| rest.strip_suffix('.'));
        self.origin.scheme() == origin.scheme()
            && self.origin.port() == origin.port()
            && below.is_some_and(|rest| !rest.is_empty())
    }

    /// The shortest entry that names exactly `origin`.
    pub(super) fn exactly(origin: &Origin) -> Self {
        Self { origin: origin.clone(), subdomains: false }
    }
}

impl fmt::Display for HostRule {
    /// The shortest spelling that reads back as the same rule.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { origin, subdomains } = self;
        if origin.scheme() != assumed_scheme(origin) {
            write!(f, "{}://", origin.scheme().as_str())?;
        }
        if *subdomains {
            f.write_str("*.")?;
        }
        f.write_str(origin.host())?;
        if origin.port() == origin.scheme().default_port() { Ok(()) } else { write!(f, ":{}", origin.port()) }
    }
}

/// Why an entry of `hosts:` or `--allow-host` can't be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HostRuleError {
    /// Nothing is written.
    Empty,
    /// A blank or a control character.
    Blank,
    /// A scheme other than http and https.
    Scheme(String),
    /// `name@host`: what stands before the `@` names no host.
    Userinfo,
    /// A path, a query or a fragment.
    Path,
    /// A `*` anywhere but as the whole first label.
    Wildcard,
    /// A wildcard over names that belong to different owners.
    Shared(String),
    /// A port that is no number up to 65535.
    Port,
    /// Not a host name and not an IP address.
    Host,
}

impl fmt::Display for HostRuleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Empty => f.write_str("expected a host, got nothing"),
            Self::Blank => f.write_str("a host holds no blanks and no control characters"),
            Self::Scheme(scheme) => write!(f, "expected `https://` or `http://`, got `{scheme}://`"),
            Self::Userinfo => f.write_str("a host holds no `@`: name the host alone, without user and password"),
            Self::Path => f.write_str("an entry names a host, not a path: leave out what follows the host"),
            Self::Wildcard => f.write_str("`*` may only stand for the whole first part of a domain, as in `*.example.com`"),
            Self::Shared(name) => write!(f, "`*.{name}` covers names of different owners: list the hosts one by one"),
            Self::Port => f.write_str("expected a port from 1 to 65535 after the `:`"),
            Self::Host => f.write_str("expected a host name or an IP address (an IPv6 address with a port stands in `[ ]`)"),
        }
    }
}

impl Error for HostRuleError {}

impl HostRuleError {
    /// The forms that are understood.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        "write `upload.box.com`, `host:8443`, `http://host:8080` or `*.boxcloud.com`"
    }
}

impl FromStr for HostRule {
    type Err = HostRuleError;

    fn from_str(text: &str) -> Result<Self, HostRuleError> {
        if text.is_empty() {
            return Err(HostRuleError::Empty);
        }
        if text.chars().any(|c| c.is_whitespace() || c.is_control()) {
            return Err(HostRuleError::Blank);
        }
        let (scheme, rest) = match text.split_once("://") {
            Some((name, rest)) => (Some(named_scheme(name)?), rest.strip_suffix('/').unwrap_or(rest)),
            None => (None, text),
        };
        if rest.contains('@') {
            return Err(HostRuleError::Userinfo);
        }
        if rest.contains(['/', '\\', '?', '#']) {
            return Err(HostRuleError::Path);
        }
        let (subdomains, authority) = match rest.strip_prefix("*.") {
            Some(parent) => (true, parent),
            None => (false, rest),
        };
        if authority.contains('*') {
            return Err(HostRuleError::Wildcard);
        }
        let origin = origin_of(scheme, authority)?;
        if subdomains {
            check_wildcard(&origin)?;
        }
        Ok(Self { origin, subdomains })
    }
}

fn named_scheme(name: &str) -> Result<Scheme, HostRuleError> {
    Scheme::named(name).ok_or_else(|| HostRuleError::Scheme(name.chars().take(20).collect()))
}

/// Reads `host` or `host:port`; without a scheme it is https, but http on this machine, where there is no certificate to have.
fn origin_of(scheme: Option<Scheme>, authority: &str) -> Result<Origin, HostRuleError> {
    let authority = match authority.parse::<Ipv6Addr>() {
        Ok(address) => format!("[{address}]"),
        Err(_) => authority.to_owned(),
    };
    check_port(&authority)?;
    let parse = |scheme: Scheme| {
        let url = Url::parse(&format!("{}://{authority}/", scheme.as_str())).map_err(|_| HostRuleError::Host)?;
        Origin::of(&url).ok_or(HostRuleError::Host)
    };
    match scheme {
        Some(scheme) => parse(scheme),
        None => {
            let origin = parse(Scheme::Https)?;
            if origin.is_loopback() { parse(Scheme::Http) } else { Ok(origin) }
        }
    }
}

/// Refuses what the URL parser would read as no port at all (`host:`) or describe as a bad host.
fn check_port(authority: &str) -> Result<(), HostRuleError> {
    let after_address = authority.rsplit_once(']').map_or(authority, |(_, rest)| rest);
    match after_address.split_once(':') {
        Some((_, port)) => match port.parse::<u16>() {
            Ok(1..) if port.bytes().all(|b| b.is_ascii_digit()) => Ok(()),
            _ => Err(HostRuleError::Port),
        },
        None => Ok(()),
    }
}

fn check_wildcard(parent: &Origin) -> Result<(), HostRuleError> {
    match Host::parse(parent.host()) {
        Ok(Host::Domain(name)) if suffix::is_shared(&name) => Err(HostRuleError::Shared(name)),
        Ok(Host::Domain(_)) => Ok(()),
        _ => Err(HostRuleError::Wildcard),
    }
}

/// The scheme that an entry without one means for this host.
fn assumed_scheme(origin: &Origin) -> Scheme {
    if origin.is_loopback() { Scheme::Http } else { Scheme::Https }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn rule(text: &str) -> HostRule {
        text.parse().unwrap()
    }

    fn permits(entry: &str, url: &str) -> bool {
        rule(entry).permits(&Origin::of(&Url::parse(url).unwrap()).unwrap())
    }

    #[test]
    fn entries_name_origins() {
        let table = [
            ("upload.box.com", "https://upload.box.com/x", true),
            ("upload.box.com", "https://UPLOAD.box.com.:443/", true),
            ("UPLOAD.box.COM.", "https://upload.box.com/", true),
            ("upload.box.com", "http://upload.box.com/", false),
            ("upload.box.com", "https://upload.box.com:8443/", false),
            ("upload.box.com", "https://upload.box.com.evil.test/", false),
            ("upload.box.com", "https://upload.box.com@evil.test/", false),
            ("upload.box.com", "https://x.upload.box.com/", false),
            ("upload.box.com", "https://uploadxbox.com/", false),
            ("upload.box.com:8443", "https://upload.box.com:8443/", true),
            ("upload.box.com:8443", "http://upload.box.com:8443/", false),
            ("http://upload.box.com", "http://upload.box.com/", true),
            ("http://upload.box.com", "https://upload.box.com/", false),
            ("https://upload.box.com/", "https://upload.box.com/", true),
            ("HTTPS://upload.box.com:443", "https://upload.box.com/", true),
            ("localhost:3000", "http://localhost:3000/", true),
            ("localhost:3000", "https://localhost:3000/", false),
            ("https://localhost:3000", "https://localhost:3000/", true),
            ("localhost:3000", "http://127.0.0.1:3000/", false),
            ("127.0.0.1:80", "http://127.1/", true),
            ("[::1]:3000", "http://[::1]:3000/", true),
            ("::1", "http://[::1]/", true),
            ("2001:db8::1", "https://[2001:DB8:0::1]/", true),
            ("[2001:db8::1]:8443", "https://[2001:db8::1]:8443/", true),
            ("bücher.example", "https://xn--bcher-kva.example/", true),
            ("xn--bcher-kva.example", "https://BÜCHER.example/", true),
            ("*.box.com", "https://a.box.com/", true),
            ("*.box.com", "https://a.b.box.com./", true),
            ("*.BOX.com.", "https://a.box.com/", true),
            ("*.box.com", "https://box.com/", false),
            ("*.box.com", "https://evilbox.com/", false),
            ("*.box.com", "https://a.box.com.evil.test/", false),
            ("*.box.com", "http://a.box.com/", false),
            ("*.box.com", "https://a.box.com:8443/", false),
            ("*.box.com:8443", "https://a.box.com:8443/", true),
            ("http://*.box.com", "http://a.box.com/", true),
            ("*.bücher.example", "https://a.xn--bcher-kva.example/", true),
            ("*.localhost:3000", "http://box.localhost:3000/", true),
        ];
        for (entry, url, expected) in table {
            assert_eq!(permits(entry, url), expected, "{entry} and {url}");
        }
    }

    #[test]
    fn bad_entries_are_refused_with_what_was_expected() {
        let table = [
            ("", "expected a host, got nothing"),
            ("a b", "a host holds no blanks and no control characters"),
            ("a\nb", "a host holds no blanks and no control characters"),
            ("ftp://a", "expected `https://` or `http://`, got `ftp://`"),
            ("me:pw@a.test", "a host holds no `@`: name the host alone, without user and password"),
            ("a.test/x", "an entry names a host, not a path: leave out what follows the host"),
            ("https://a.test/x", "an entry names a host, not a path: leave out what follows the host"),
            ("a.test?x", "an entry names a host, not a path: leave out what follows the host"),
            ("a.test:", "expected a port from 1 to 65535 after the `:`"),
            ("a.test:0", "expected a port from 1 to 65535 after the `:`"),
            ("a.test:65536", "expected a port from 1 to 65535 after the `:`"),
            ("a.test:+80", "expected a port from 1 to 65535 after the `:`"),
            ("a.test:x", "expected a port from 1 to 65535 after the `:`"),
            ("*", "`*` may only stand for the whole first part of a domain, as in `*.example.com`"),
            ("a.*.test", "`*` may only stand for the whole first part of a domain, as in `*.example.com`"),
            ("*a.test", "`*` may only stand for the whole first part of a domain, as in `*.example.com`"),
            ("*.*.box.com", "`*` may only stand for the whole first part of a domain, as in `*.example.com`"),
            ("*.127.0.0.1", "`*` may only stand for the whole first part of a domain, as in `*.example.com`"),
            ("*.com", "`*.com` covers names of different owners: list the hosts one by one"),
            ("*.com.", "`*.com` covers names of different owners: list the hosts one by one"),
            ("*.CO.uk", "`*.co.uk` covers names of different owners: list the hosts one by one"),
            ("*.github.io", "`*.github.io` covers names of different owners: list the hosts one by one"),
            ("*.", "expected a host name or an IP address (an IPv6 address with a port stands in `[ ]`)"),
            (".", "expected a host name or an IP address (an IPv6 address with a port stands in `[ ]`)"),
            ("..", "expected a host name or an IP address (an IPv6 address with a port stands in `[ ]`)"),
            ("a..b", "expected a host name or an IP address (an IPv6 address with a port stands in `[ ]`)"),
            ("[::1", "expected a port from 1 to 65535 after the `:`"),
            ("a<b", "expected a host name or an IP address (an IPv6 address with a port stands in `[ ]`)"),
            ("https://", "expected a host name or an IP address (an IPv6 address with a port stands in `[ ]`)"),
        ];
        for (entry, message) in table {
            let got = entry.parse::<HostRule>().map_err(|error| error.to_string());
            assert_eq!(got, Err(message.to_owned()), "{entry}");
        }
    }

    proptest! {
        #[test]
        fn reading_never_panics_and_the_shown_form_reads_back(text in "(https?://)?(\\*\\.)?[a-zA-Z0-9.:\\[\\]*ü@/-]{0,24}") {
            if let Ok(rule) = text.parse::<HostRule>() {
                prop_assert_eq!(rule.to_string().parse::<HostRule>(), Ok(rule));
            }
        }
    }
}
