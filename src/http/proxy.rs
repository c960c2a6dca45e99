//! The way through a proxy.

use std::fmt;

use url::{Host, Url};

use super::error::Error;
use crate::trust::Origin;

/// A proxy, and the hosts that are reached without it.
#[derive(Clone)]
pub struct Proxy {
    url: Url,
    except: Vec<String>,
}

impl fmt::Debug for Proxy {
    /// Without the userinfo.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (host, port) = self.place();
        write!(f, "Proxy({host}:{port})")
    }
}

impl Proxy {
    /// A proxy at `url`, which may hold userinfo. An entry of `except` is a host, which stands for its sub-domains too, or `*`.
    ///
    /// # Errors
    /// [`Error::Settings`] when the URL is neither http nor https.
    pub fn new(url: Url, except: Vec<String>) -> Result<Self, Error> {
        if Origin::of(&url).is_none() {
            return Err(Error::Settings { what: "proxy", reason: "expected an `http://` or `https://` URL" });
        }
        let except = except.iter().map(|entry| entry.trim().trim_start_matches('.').to_ascii_lowercase()).collect();
        Ok(Self { url, except })
    }

    /// Where the proxy is, with its userinfo.
    #[must_use]
    pub fn url(&self) -> &Url {
        &self.url
    }

    /// Host and effective port of the proxy, for messages.
    pub(super) fn place(&self) -> (String, u16) {
        (self.url.host_str().unwrap_or_default().to_owned(), self.url.port_or_known_default().unwrap_or_default())
    }

    /// Whether a request to `target` goes through the proxy. This machine is never asked for through another one.
    #[must_use]
    pub fn applies_to(&self, target: &Url) -> bool {
        let Some(origin) = Origin::of(target) else { return false };
        if origin.is_loopback() {
            return false;
        }
        let host = origin.host();
        let is_name = matches!(Host::parse(host), Ok(Host::Domain(_)));
        !self.except.iter().any(|entry| {
            let below = || host.strip_suffix(entry.as_str()).is_some_and(|rest| rest.ends_with('.'));
            entry == "*" || entry == host || host.trim_matches(['[', ']']) == entry || (is_name && !entry.is_empty() && below())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exceptions_stand_for_their_sub_domains() {
        let except = ["a.test", ".b.test", "10.0.0.1", "2001:db8::1", ""].map(ToOwned::to_owned).to_vec();
        let proxy = Proxy::new(Url::parse("http://proxy.test:3128").unwrap(), except).unwrap();
        let table = [
            ("http://c.test/", true),
            ("http://xa.test/", true),
            ("http://a.test.c.test/", true),
            ("http://110.0.0.1/", true),
            ("http://a.test/", false),
            ("https://X.A.test:8443/", false),
            ("http://b.test/", false),
            ("http://x.b.test/", false),
            ("http://10.0.0.1/", false),
            ("http://[2001:db8::1]/", false),
            ("http://localhost/", false),
            ("http://127.0.0.9/", false),
            ("http://[::1]/", false),
        ];
        for (url, through) in table {
            assert_eq!(proxy.applies_to(&Url::parse(url).unwrap()), through, "{url}");
        }
    }

    #[test]
    fn a_star_excepts_everything_and_other_schemes_are_refused() {
        let url = Url::parse("http://proxy.test").unwrap();
        assert!(!Proxy::new(url, vec!["*".into()]).unwrap().applies_to(&Url::parse("http://a.test").unwrap()));
        assert!(Proxy::new(Url::parse("socks5://proxy.test").unwrap(), vec![]).is_err());
    }
}
