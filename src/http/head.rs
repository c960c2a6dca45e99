//! The head of a request: checked, completed, and kept as it goes out.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use percent_encoding::percent_decode_str;
use reqwest::header::{
    ACCEPT, ACCEPT_ENCODING, CONTENT_LENGTH, HeaderMap, HeaderName, HeaderValue, TRANSFER_ENCODING, USER_AGENT,
};
use url::Url;

use super::coding;
use super::error::Error;
use super::message::{Request, SentHead};

const OWN_USER_AGENT: &str = concat!("runner/", env!("CARGO_PKG_VERSION"));

/// A checked head.
pub(super) struct Head {
    /// The URL without its fragment.
    pub(super) url: Url,
    /// All headers but `host`, which depends on the version of HTTP.
    pub(super) headers: HeaderMap,
}

/// Reads a URL that can be requested.
///
/// # Errors
/// [`Error::InvalidUrl`], which never shows the text: it may hold a secret.
pub fn parse_url(text: &str) -> Result<Url, Error> {
    // The parser drops tabs and line ends without a word, so that what is requested would not be what is written.
    if text.chars().any(char::is_control) {
        return Err(Error::InvalidUrl { reason: "it holds a control character" });
    }
    let invalid = |reason| Error::InvalidUrl { reason };
    let url = Url::parse(text).map_err(|error| {
        invalid(match error {
            url::ParseError::RelativeUrlWithoutBase => "it has no scheme such as `https://`",
            url::ParseError::EmptyHost => "it has no host",
            url::ParseError::InvalidPort => "its port is no number up to 65535",
            url::ParseError::IdnaError | url::ParseError::InvalidDomainCharacter => "its host is no valid name",
            url::ParseError::InvalidIpv4Address | url::ParseError::InvalidIpv6Address => "its host is no valid IP address",
            _ => "it is no URL",
        })
    })?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(invalid("expected the scheme `https` or `http`"));
    }
    if url.has_host() { Ok(url) } else { Err(invalid("it has no host")) }
}

/// Checks a request and adds the headers that it leaves out.
pub(super) fn prepare(request: &Request) -> Result<Head, Error> {
    let mut headers = HeaderMap::with_capacity(request.headers.len() + 5);
    for (name, value) in &request.headers {
        let reason = |reason| Error::InvalidHeader { name: shown(name), reason };
        let key = HeaderName::from_bytes(name.as_bytes()).map_err(|_| reason("its name is no token"))?;
        let value = HeaderValue::from_bytes(value.as_bytes()).map_err(|_| reason("its value holds a control character"))?;
        headers.try_append(key, value).map_err(|_| reason("there are too many headers"))?;
    }
    check_framing(request, &headers)?;
    add_missing(request, &mut headers);
    let mut url = request.url.clone();
    url.set_fragment(None);
    Ok(Head { url, headers })
}

/// The request with the userinfo of its URL as an `Authorization` header (Basic), unless it has one.
pub(super) fn without_userinfo(mut request: Request) -> Request {
    let url = &mut request.url;
    if url.username().is_empty() && url.password().is_none() {
        return request;
    }
    let part = |text: &str| percent_decode_str(text).collect::<Vec<u8>>();
    let pair = [part(url.username()), b":".to_vec(), part(url.password().unwrap_or_default())].concat();
    // Both fail only for URLs without a host, which have no userinfo either.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    if !request.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("authorization")) {
        request.headers.push(("authorization".to_owned(), format!("Basic {}", BASE64_STANDARD.encode(pair))));
    }
    request
}

impl Head {
    /// The head as it goes out; `host` stands last, where the HTTP library puts it.
    pub(super) fn sent(&self, request: &Request, http2: bool) -> SentHead {
        let mut headers: Vec<(String, String)> =
            self.headers.iter().map(|(name, value)| (name.as_str().to_owned(), lossy(value))).collect();
        if !http2 && !self.headers.contains_key("host") {
            headers.push(("host".to_owned(), authority(&self.url)));
        }
        SentHead {
            method: request.method.clone(),
            url: request.url.clone(),
            headers,
            body_size: request.body.as_ref().map_or(0, super::message::Body::size),
        }
    }
}

/// The value of a header as text.
pub(super) fn lossy(value: &HeaderValue) -> String {
    String::from_utf8_lossy(value.as_bytes()).into_owned()
}

/// Two lengths that contradict each other are how a second request is smuggled past a proxy.
fn check_framing(request: &Request, headers: &HeaderMap) -> Result<(), Error> {
    let invalid = |name: &str, reason| Error::InvalidHeader { name: name.to_owned(), reason };
    if headers.contains_key(TRANSFER_ENCODING) {
        return Err(invalid("transfer-encoding", "runner sets it from the body"));
    }
    let size = request.body.as_ref().map_or(0, super::message::Body::size).to_string();
    let mut lengths = headers.get_all(CONTENT_LENGTH).iter();
    match (lengths.next(), lengths.next()) {
        (None, _) => Ok(()),
        (Some(length), None) if length.as_bytes() == size.as_bytes() => Ok(()),
        _ => Err(invalid("content-length", "it is not the length of the body; leave it out")),
    }
}

fn add_missing(request: &Request, headers: &mut HeaderMap) {
    for (name, value) in [(USER_AGENT, OWN_USER_AGENT), (ACCEPT, "*/*"), (ACCEPT_ENCODING, coding::ACCEPTED)] {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    // A method that usually has a body says that there is none (RFC 9110 §8.6).
    let expects_body = matches!(request.method.as_str(), "POST" | "PUT" | "PATCH");
    let size = request.body.as_ref().map(super::message::Body::size).or(expects_body.then_some(0));
    if let Some(size) = size {
        headers.entry(CONTENT_LENGTH).or_insert_with(|| HeaderValue::from(size));
    }
}

/// The host, and the port when it is not the usual one, as the HTTP library writes it.
fn authority(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
}

/// A header name for a message: short, and without control characters.
fn shown(name: &str) -> String {
    name.chars().take(60).flat_map(char::escape_debug).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::message::{Body, Method};
    use bytes::Bytes;

    fn request(method: &str, url: &str, headers: &[(&str, &str)], body: Option<&'static str>) -> Request {
        Request {
            headers: headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
            body: body.map(|text| Body::Bytes(Bytes::from_static(text.as_bytes()))),
            ..Request::new(Method::new(method).unwrap(), Url::parse(url).unwrap())
        }
    }

    fn sent(request: &Request) -> Vec<String> {
        let head = prepare(request).unwrap().sent(request, false);
        head.headers.iter().map(|(name, value)| format!("{name}: {value}")).collect()
    }

    #[test]
    fn missing_headers_are_added_behind_those_given() {
        assert_eq!(
            sent(&request("POST", "http://a.test:81/x", &[("X-A", "1"), ("Accept", "text/html"), ("x-a", "2")], Some("hi"))),
            [
                "x-a: 1",
                "x-a: 2",
                "accept: text/html",
                concat!("user-agent: runner/", env!("CARGO_PKG_VERSION")),
                "accept-encoding: gzip, br, zstd, deflate",
                "content-length: 2",
                "host: a.test:81",
            ]
        );
    }

    #[test]
    fn an_own_host_and_length_are_kept() {
        let lines = sent(&request("POST", "http://a.test/", &[("Host", "b.test"), ("Content-Length", "2")], Some("hi")));
        assert!(lines.starts_with(&["host: b.test".to_owned(), "content-length: 2".to_owned()]), "{lines:?}");
        assert_eq!(lines.iter().filter(|line| line.starts_with("host") || line.starts_with("content-length")).count(), 2);
    }

    #[test]
    fn an_empty_post_says_so_and_an_empty_get_does_not() {
        assert!(sent(&request("POST", "http://a.test/", &[], None)).contains(&"content-length: 0".to_owned()));
        assert!(!sent(&request("GET", "http://a.test/", &[], None)).iter().any(|line| line.starts_with("content-length")));
    }

    #[test]
    fn userinfo_becomes_basic_and_leaves_the_url() {
        let with = without_userinfo(request("GET", "http://m%40e:p%C3%A9@a.test/x?y#z", &[], None));
        let head = prepare(&with).unwrap();
        assert_eq!(head.url.as_str(), "http://a.test/x?y");
        assert!(sent(&with).contains(&"authorization: Basic bUBlOnDDqQ==".to_owned()));
        let own = without_userinfo(request("GET", "http://me:pw@a.test/", &[("Authorization", "Bearer t")], None));
        assert_eq!(own.url.as_str(), "http://a.test/");
        assert!(sent(&own).contains(&"authorization: Bearer t".to_owned()));
    }

    #[test]
    fn bad_headers_are_named_without_their_value() {
        let table: [(&str, &str, &str); 8] = [
            ("X-A", "hunter2\r\nX-B: 1", "the header `X-A` can't be sent: its value holds a control character"),
            ("X-A", "hunter2\0", "the header `X-A` can't be sent: its value holds a control character"),
            ("X-A", "hunter2\u{7f}", "the header `X-A` can't be sent: its value holds a control character"),
            ("X A", "hunter2", "the header `X A` can't be sent: its name is no token"),
            ("X\r\nA", "hunter2", "the header `X\\r\\nA` can't be sent: its name is no token"),
            ("", "hunter2", "the header `` can't be sent: its name is no token"),
            ("Transfer-Encoding", "chunked", "the header `transfer-encoding` can't be sent: runner sets it from the body"),
            ("Content-Length", "7", "the header `content-length` can't be sent: it is not the length of the body; leave it out"),
        ];
        for (name, value, message) in table {
            let got = prepare(&request("POST", "http://a.test/", &[(name, value)], Some("hi"))).err().unwrap();
            assert_eq!(got.to_string(), message);
        }
    }

    #[test]
    fn urls_are_read_and_never_shown() {
        for good in ["https://a.test", "HTTP://a.test/ä?b c", "http://[::1]:8080/x"] {
            assert!(parse_url(good).is_ok(), "{good}");
        }
        let table = [
            ("/users/hunter2", "the URL can't be requested: it has no scheme such as `https://`"),
            ("hunter2", "the URL can't be requested: it has no scheme such as `https://`"),
            ("https://", "the URL can't be requested: it has no host"),
            ("https://a.test:hunter2/", "the URL can't be requested: its port is no number up to 65535"),
            ("https://a b/hunter2", "the URL can't be requested: its host is no valid name"),
            ("https://[hunter2]/", "the URL can't be requested: its host is no valid IP address"),
            ("file:///hunter2", "the URL can't be requested: expected the scheme `https` or `http`"),
            ("https://a.test/\r\nhunter2", "the URL can't be requested: it holds a control character"),
            ("https://a.te\tst/hunter2", "the URL can't be requested: it holds a control character"),
        ];
        for (text, message) in table {
            assert_eq!(parse_url(text).unwrap_err().to_string(), message, "{text}");
        }
    }
}
