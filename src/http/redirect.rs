//! Redirects: from an answer that points elsewhere to the request that follows it.
//!
//! The rules are those of RFC 9110 §15.4 and the Fetch standard §4.4, but for what a request carries: what is secret stays
//! behind for good as soon as the origin changes, whoever is allowed to get it.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use percent_encoding::{AsciiSet, percent_encode};
use url::Url;

use super::error::Error;
use super::head;
use super::message::{Body, Method, Request, SentHead};
use crate::mask::is_secret_header;
use crate::trust::{Origin, Refusal, Scheme};

/// Percent-encodes what is not ASCII and nothing else.
const NOT_ASCII: &AsciiSet = &AsciiSet::EMPTY;

/// The longest path that is shown in a chain, in bytes; cut in the middle, half a secret would not be recognised any more.
const LONGEST_PATH: usize = 60;

/// How many URLs of a chain are shown at its start, and at its end.
const SHOWN: (usize, usize) = (3, 2);

/// An answer that was followed elsewhere. Its body is never read.
#[derive(Debug, Clone)]
pub struct Hop {
    /// What was sent.
    pub request: SentHead,
    /// The status code.
    pub status: u16,
    /// The headers of the answer, names in lower case.
    pub headers: Vec<(String, String)>,
    /// Who answered: the server, or the proxy.
    pub remote: Option<SocketAddr>,
    /// From the start of the whole exchange to this answer.
    pub answered: Duration,
    /// The headers that stayed behind, in lower case, since the next request goes to another origin.
    pub left_behind: Vec<String>,
}

impl Hop {
    /// Where the answer points to, as it came.
    #[must_use]
    pub fn location(&self) -> &str {
        self.headers.iter().find(|(name, _)| name == "location").map_or("", |(_, value)| value)
    }
}

/// What a request has with it when it arrives at an origin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Luggage {
    /// All that it was given.
    All,
    /// Nothing secret any more: a redirect led it to another origin. Only its URL, which a server made, may hold something.
    UrlOnly,
}

/// A request on its way from redirect to redirect.
pub(super) struct Trip {
    /// What is sent next.
    pub(super) request: Request,
    pub(super) luggage: Luggage,
    pub(super) hops: Vec<Hop>,
}

impl Trip {
    pub(super) fn new(request: Request) -> Self {
        Self { request: head::without_userinfo(request), luggage: Luggage::All, hops: Vec::new() }
    }

    /// Whether an answer of this status with these `Location`s is to be followed.
    pub(super) fn goes_on(&self, status: u16, locations: &[&[u8]]) -> bool {
        self.request.redirects > 0 && !locations.is_empty() && matches!(status, 301 | 302 | 303 | 307 | 308)
    }

    /// Turns the request into the one that `hop` asks for.
    ///
    /// # Errors
    /// `locations` name no place that can be requested, it may not be gone to, or there were too many redirects already.
    pub(super) fn follow(&mut self, mut hop: Hop, locations: &[&[u8]]) -> Result<(), Error> {
        let target = target(&self.request.url, locations)?;
        let status = hop.status;
        if self.hops.len() >= self.request.redirects {
            hop.left_behind.clear();
            self.hops.push(hop);
            return Err(self.too_many(&target));
        }
        let (Some(from), Some(to)) = (Origin::of(&self.request.url), Origin::of(&target)) else {
            return Err(Error::InvalidLocation { reason: "its host is no valid name" });
        };
        if (from.scheme(), to.scheme()) == (Scheme::Https, Scheme::Http) {
            return Err(Error::Refused(Refusal::Downgrade { origin: to }));
        }
        if let Some(method) = other_method(status, &self.request.method) {
            self.request.method = method;
            self.request.body = None;
            self.request.secret.body = None;
            self.request.headers.retain(|(name, _)| !name.to_ascii_lowercase().starts_with("content-"));
        }
        if from != to {
            let in_file = holds_known(&self.request).then(Vec::new);
            if let Some(secrets) = self.request.secret.body.take().or(in_file) {
                return Err(Error::Refused(Refusal::RedirectedBody { origin: to, secrets }));
            }
            hop.left_behind = leave_secrets(&mut self.request);
            self.luggage = Luggage::UrlOnly;
        }
        self.request.url = target;
        self.hops.push(hop);
        Ok(())
    }

    /// The error with the way that led to it.
    pub(super) fn tell(&self, error: Error) -> Error {
        if self.hops.is_empty() {
            return error;
        }
        let ended = matches!(error, Error::TooManyRedirects { .. } | Error::RedirectCircle { .. });
        let repeats = |at: usize| self.hops.iter().take(at).any(|hop| hop.request.url == self.hops[at].request.url);
        let round = matches!(error, Error::RedirectCircle { .. }).then(|| (0..self.hops.len()).find(|at| repeats(*at))).flatten();
        // Of a circle one round is enough.
        let urls = self.hops.iter().map(|hop| &hop.request.url).take(round.map_or(usize::MAX, |at| at + 1));
        let last = (!ended).then_some(&self.request.url);
        Error::Redirected { chain: Chain::of(urls.chain(last)), error: Box::new(error) }
    }

    fn too_many(&self, target: &Url) -> Error {
        let limit = self.request.redirects;
        // A server may have good reasons to answer the same twice; only at the limit it is called a circle.
        if self.hops.iter().any(|hop| hop.request.url == *target) {
            return Error::RedirectCircle { limit };
        }
        Error::TooManyRedirects { limit }
    }
}

/// The method of the next request, when it is another one. 301 and 302 change a POST only, as browsers do (RFC 9110 §15.4.2,
/// §15.4.3), 303 everything but GET and HEAD (§15.4.4).
fn other_method(status: u16, method: &Method) -> Option<Method> {
    let changes = match status {
        301 | 302 => *method == Method::POST,
        303 => !matches!(method.as_str(), "GET" | "HEAD"),
        _ => false,
    };
    changes.then_some(Method::GET)
}

/// Where an answer to a request for `base` points to.
fn target(base: &Url, locations: &[&[u8]]) -> Result<Url, Error> {
    let invalid = |reason| Error::InvalidLocation { reason };
    let (first, more) = locations.split_first().ok_or(invalid("there is none"))?;
    if more.iter().any(|other| other != first) {
        return Err(invalid("there are several different ones"));
    }
    // Bytes that are no UTF-8 stay the bytes that they are.
    let text = match std::str::from_utf8(first) {
        Ok(text) => text.to_owned(),
        Err(_) => percent_encode(first, NOT_ASCII).to_string(),
    };
    // The parser drops tabs without a word.
    if text.chars().any(char::is_control) {
        return Err(invalid("it holds a control character"));
    }
    let mut url = base.join(&text).map_err(|_| invalid("it is no URL"))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(Error::Refused(Refusal::RedirectScheme { scheme: url.scheme().to_owned() }));
    }
    // A server does not choose with whose name somebody logs in elsewhere. Both fail only for URLs without a host.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    // RFC 9110 §10.2.2
    if url.fragment().is_none() {
        url.set_fragment(base.fragment());
    }
    Ok(url)
}

/// Whether the file that is sent holds a known secret. One that can't be read can't be sent either.
fn holds_known(request: &Request) -> bool {
    match (&request.body, &request.secret.known) {
        (Some(file @ Body::File { .. }), Some(known)) => file.any_part(&|part| known.finds(part)).unwrap_or(true),
        _ => false,
    }
}

/// Takes out what belongs to the origin that is left: its name, and all that is secret. Gives the names of what was secret.
fn leave_secrets(request: &mut Request) -> Vec<String> {
    let mut left = Vec::new();
    let marked = std::mem::take(&mut request.secret.headers);
    request.headers.retain(|(name, _)| {
        let secret = is_secret_header(name) || marked.iter().any(|marked| marked.eq_ignore_ascii_case(name));
        let name = name.to_ascii_lowercase();
        let stays = !secret && name != "host";
        if secret && !left.contains(&name) {
            left.push(name);
        }
        stays
    });
    left
}

/// URLs one after the other, for messages: without query, fragment and long paths, which may hold what nobody should see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chain(Vec<String>);

impl Chain {
    fn of<'u>(urls: impl Iterator<Item = &'u Url>) -> Self {
        Self(urls.map(shown).collect())
    }
}

fn shown(url: &Url) -> String {
    let origin = Origin::of(url).map_or_else(String::new, |origin| origin.to_string());
    let path = if url.path().len() > LONGEST_PATH { "/…" } else { url.path() };
    let query = if url.query().is_some() { "?…" } else { "" };
    format!("{origin}{path}{query}")
}

impl fmt::Display for Chain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (start, end) = SHOWN;
        let Some(hidden) = self.0.len().checked_sub(start + end).filter(|hidden| *hidden > 1) else {
            return f.write_str(&self.0.join(" → "));
        };
        let (first, rest) = self.0.split_at(start);
        write!(f, "{} → … ({hidden} more) → {}", first.join(" → "), rest.get(hidden..).unwrap_or_default().join(" → "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn to(base: &str, location: &[u8]) -> Result<String, String> {
        target(&Url::parse(base).unwrap(), &[location]).map(|url| url.to_string()).map_err(|error| error.to_string())
    }

    #[test]
    fn locations_are_resolved() {
        let table: [(&str, &str); 19] = [
            ("/new", "http://a.test/new"),
            ("new", "http://a.test/dir/new"),
            ("../up?x=1", "http://a.test/up?x=1"),
            ("?x=1", "http://a.test/dir/old?x=1"),
            ("", "http://a.test/dir/old?q=1"),
            ("#part", "http://a.test/dir/old?q=1#part"),
            ("//b.test/x", "http://b.test/x"),
            ("https://b.test", "https://b.test/"),
            ("HTTP://B.TEST:80/", "http://b.test/"),
            ("http://me:pw@b.test/", "http://b.test/"),
            ("http://a.test@b.test/", "http://b.test/"),
            ("\\\\b.test\\x", "http://b.test/x"),
            ("http:/x", "http://a.test/x"),
            ("http://bücher.test/ä b", "http://xn--bcher-kva.test/%C3%A4%20b"),
            ("http://b.test./", "http://b.test./"),
            ("http://0x7f.1/", "http://127.0.0.1/"),
            ("http://[0:0:0:0:0:0:0:1]/", "http://[::1]/"),
            ("/a%0d%0ab", "http://a.test/a%0d%0ab"),
            ("javascript:/x", "a redirect to a `javascript:` URL is not followed"),
        ];
        for (location, expected) in table {
            let got = to("http://a.test/dir/old?q=1", location.as_bytes()).unwrap_or_else(|error| error);
            assert_eq!(got, expected, "{location}");
        }
    }

    #[test]
    fn what_is_no_place_is_told() {
        let table: [(&[u8], &str); 9] = [
            (b"file:///etc/passwd", "a redirect to a `file:` URL is not followed"),
            (b"data:text/plain,x", "a redirect to a `data:` URL is not followed"),
            (b"ftp://b.test/", "a redirect to a `ftp:` URL is not followed"),
            (b"http://", "the redirect can't be followed: `Location`: it is no URL"),
            (b"http://b.test:99999/", "the redirect can't be followed: `Location`: it is no URL"),
            (b"http://b\ttest/", "the redirect can't be followed: `Location`: it holds a control character"),
            (b"/a\r\nX: y", "the redirect can't be followed: `Location`: it holds a control character"),
            ("/\u{85}".as_bytes(), "the redirect can't be followed: `Location`: it holds a control character"),
            (b"http://\xff/", "the redirect can't be followed: `Location`: it is no URL"),
        ];
        for (location, message) in table {
            assert_eq!(to("http://a.test/", location), Err(message.to_owned()));
        }
        assert_eq!(to("http://a.test/", b"/\xe9"), Ok("http://a.test/%E9".to_owned()));
    }

    #[test]
    fn several_locations_must_be_the_same() {
        let base = Url::parse("http://a.test/").unwrap();
        assert_eq!(target(&base, &[b"/x", b"/x"]).unwrap().path(), "/x");
        let error = target(&base, &[b"/x", b"/y"]).unwrap_err();
        assert_eq!(error.to_string(), "the redirect can't be followed: `Location`: there are several different ones");
    }

    #[test]
    fn a_fragment_is_inherited() {
        for (location, fragment) in [("/x", Some("own")), ("/x#", Some("")), ("/x#theirs", Some("theirs"))] {
            let url = target(&Url::parse("http://a.test/#own").unwrap(), &[location.as_bytes()]).unwrap();
            assert_eq!(url.fragment(), fragment, "{location}");
        }
    }

    #[test]
    fn methods_change_as_in_browsers() {
        let table = [
            ("GET", ["GET"; 5]),
            ("HEAD", ["HEAD"; 5]),
            ("POST", ["GET", "GET", "GET", "POST", "POST"]),
            ("PUT", ["PUT", "PUT", "GET", "PUT", "PUT"]),
            ("DELETE", ["DELETE", "DELETE", "GET", "DELETE", "DELETE"]),
            ("post", ["post", "post", "GET", "post", "post"]),
        ];
        for (method, expected) in table {
            let method = Method::new(method).unwrap();
            let got = [301, 302, 303, 307, 308].map(|status| other_method(status, &method).unwrap_or(method.clone()).to_string());
            assert_eq!(got, expected, "{method}");
        }
    }

    #[test]
    fn chains_are_shortened_and_show_no_query() {
        let urls: Vec<Url> = (0..8).map(|n| Url::parse(&format!("http://a.test/{n}?token=hunter2#x")).unwrap()).collect();
        let chain = |count: usize| Chain::of(urls[..count].iter()).to_string();
        assert_eq!(chain(2), "http://a.test/0?… → http://a.test/1?…");
        assert_eq!(chain(6).matches("http").count(), 6);
        assert_eq!(
            chain(8),
            "http://a.test/0?… → http://a.test/1?… → http://a.test/2?… → … (3 more) → http://a.test/6?… → http://a.test/7?…"
        );
        let long = Url::parse(&format!("http://a.test/{}", "x".repeat(100))).unwrap();
        assert_eq!(shown(&long), "http://a.test/…");
    }

    proptest! {
        #[test]
        fn no_location_panics_or_leaves_http(location in proptest::collection::vec(any::<u8>(), 0..40), start in "(https?:)?(//)?[a-z@:\\[\\]./\\\\?#]{0,12}") {
            let bytes = [start.as_bytes(), &location].concat();
            if let Ok(url) = target(&Url::parse("http://me:pw@a.test/#x").unwrap(), &[&bytes]) {
                prop_assert!(matches!(url.scheme(), "http" | "https") && url.has_host());
                prop_assert!(url.username().is_empty() && url.password().is_none());
            }
        }
    }
}
