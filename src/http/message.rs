//! What is sent and what comes back.

use std::borrow::Cow;
use std::fmt;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use url::Url;

use super::error::Error;
use super::redirect::Hop;
use crate::mask::Masker;

/// A request method: any token (RFC 9110 §9.1), kept in the case in which it was written, since methods are case-sensitive.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Method(reqwest::Method);

impl Method {
    /// GET.
    pub const GET: Self = Self(reqwest::Method::GET);
    /// POST.
    pub const POST: Self = Self(reqwest::Method::POST);

    /// Reads a method.
    ///
    /// # Errors
    /// [`Error::InvalidMethod`] when `text` is no token, or is `CONNECT`, which asks for a tunnel and not for an answer.
    pub fn new(text: &str) -> Result<Self, Error> {
        match reqwest::Method::from_bytes(text.as_bytes()) {
            Ok(method) if method != reqwest::Method::CONNECT => Ok(Self(method)),
            _ => Err(Error::InvalidMethod),
        }
    }

    /// The method as it is sent.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// Whether doing it twice is the same as doing it once (RFC 9110 §9.2.2).
    #[must_use]
    pub fn is_idempotent(&self) -> bool {
        self.0.is_idempotent()
    }

    pub(super) fn inner(&self) -> &reqwest::Method {
        &self.0
    }
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a request carries. A clone shares the bytes or the file.
#[derive(Debug, Clone)]
pub enum Body {
    /// In memory.
    Bytes(Bytes),
    /// Read while it is sent, from its start, so that a replay sends the same again.
    File {
        /// An open, seekable file.
        file: Arc<Mutex<File>>,
        /// How many bytes of it are sent; it becomes `Content-Length`.
        len: u64,
    },
}

impl Body {
    /// The whole of `file`, as long as it is now.
    ///
    /// # Errors
    /// What the operating system says when it does not tell the length.
    pub fn file(file: File) -> std::io::Result<Self> {
        let len = file.metadata()?.len();
        Ok(Self::File { file: Arc::new(Mutex::new(file)), len })
    }

    /// Whether `holds` is true of any part of what is sent. A file is read in parts that overlap, so that nothing of up to 64 KiB is cut.
    ///
    /// # Errors
    /// The file can't be read.
    pub fn any_part(&self, holds: &dyn Fn(&[u8]) -> bool) -> std::io::Result<bool> {
        const PART: usize = 1 << 20;
        const OVERLAP: usize = 64 << 10;
        let (file, len) = match self {
            Self::Bytes(bytes) => return Ok(holds(bytes)),
            Self::File { file, len } => (file, *len),
        };
        let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
        file.seek(SeekFrom::Start(0))?;
        let mut left = (&mut *file).take(len);
        let mut part = Vec::new();
        loop {
            let kept = part.len();
            (&mut left).take((PART - kept) as u64).read_to_end(&mut part)?;
            if part.len() == kept {
                return Ok(false);
            }
            if holds(&part) {
                return Ok(true);
            }
            part.drain(..part.len().saturating_sub(OVERLAP));
        }
    }

    /// How many bytes are sent.
    #[must_use]
    pub fn size(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::File { len, .. } => *len,
        }
    }
}

/// A request, ready to be sent.
#[derive(Clone)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// Where it goes. Userinfo becomes an `Authorization` header (Basic) unless there is one; a fragment stays here.
    pub url: Url,
    /// The headers in the order in which they are sent; a name may stand several times.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Option<Body>,
    /// How long it may take in all, from the first step to the last byte of the answer, redirects included.
    pub timeout: Duration,
    /// How many redirects are followed; with 0 a redirect is an answer like any other.
    pub redirects: usize,
    /// What of it is secret.
    pub secret: SecretParts,
}

/// What of a request is secret, so that it stays behind when a redirect leads to another origin. `Authorization`, `Cookie` and
/// other headers that are secret by their name need not be listed, nor the URL, of which a redirect keeps nothing.
#[derive(Debug, Clone, Default)]
pub struct SecretParts {
    /// The names of headers, in any case.
    pub headers: Vec<String>,
    /// The names, never the values, of the secrets in the body; `None` when it holds none.
    pub body: Option<Vec<String>>,
    /// Finds known secrets in a file that is sent; it is read for that only when a redirect would take it to another origin.
    pub known: Option<Masker>,
}

impl fmt::Debug for Request {
    // The value may be a secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request").field("method", &self.method).finish_non_exhaustive()
    }
}

impl Request {
    /// A request without headers and body, with the usual time limit, that follows no redirect.
    #[must_use]
    pub fn new(method: Method, url: Url) -> Self {
        Self {
            method,
            url,
            headers: Vec::new(),
            body: None,
            timeout: super::limits::DEFAULT_TIMEOUT,
            redirects: 0,
            secret: SecretParts::default(),
        }
    }
}

/// The version of HTTP that an answer came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// HTTP/1.0
    Http10,
    /// HTTP/1.1
    Http11,
    /// HTTP/2
    Http2,
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Http10 => "HTTP/1.0",
            Self::Http11 => "HTTP/1.1",
            Self::Http2 => "HTTP/2",
        })
    }
}

/// An answer.
#[derive(Clone)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// The version of HTTP.
    pub version: Version,
    /// The headers as they came, names in lower case; bytes that are no UTF-8 are replaced.
    pub headers: Vec<(String, String)>,
    /// The body, decoded from what `Content-Encoding` names.
    pub body: Bytes,
    /// How many bytes the body had on the wire, before decoding.
    pub wire_size: u64,
}

impl fmt::Debug for Response {
    // The value may be a secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Response")
            .field("status", &self.status)
            .field("version", &self.version)
            .field("wire_size", &self.wire_size)
            .finish_non_exhaustive()
    }
}

impl Response {
    /// The first header of that name, whatever its case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers(name).next()
    }

    /// All headers of that name, in order.
    pub fn headers<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a str> {
        self.headers.iter().filter(move |(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// The media type in lower case without its parameters: `application/json`.
    #[must_use]
    pub fn content_type(&self) -> Option<String> {
        let value = self.header("content-type")?;
        let essence = value.split(';').next().unwrap_or_default().trim();
        (!essence.is_empty()).then(|| essence.to_ascii_lowercase())
    }

    /// The body as text: Latin-1 when the server says so, else UTF-8, with what is invalid replaced and a byte order mark
    /// left out.
    #[must_use]
    pub fn text(&self) -> Cow<'_, str> {
        if self.charset().is_some_and(|name| ["iso-8859-1", "latin1"].iter().any(|known| name.eq_ignore_ascii_case(known))) {
            return self.body.iter().map(|byte| char::from(*byte)).collect::<String>().into();
        }
        String::from_utf8_lossy(self.body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&self.body))
    }

    /// The value of the cookie `name` that this answer sets; when it is set twice, the later one, which a browser keeps too.
    #[must_use]
    pub fn cookie(&self, name: &str) -> Option<String> {
        let pairs = self.headers("set-cookie").filter_map(|line| line.split(';').next()?.split_once('='));
        let values = pairs.filter(|(known, _)| known.trim() == name).map(|(_, value)| value.trim());
        values.last().map(ToOwned::to_owned)
    }

    fn charset(&self) -> Option<&str> {
        let parameters = self.header("content-type")?.split(';').skip(1);
        let mut pairs = parameters.filter_map(|parameter| parameter.split_once('='));
        let (_, value) = pairs.find(|(name, _)| name.trim().eq_ignore_ascii_case("charset"))?;
        Some(value.trim().trim_matches('"'))
    }
}

/// The head of a request as it went out, the headers that runner adds included.
#[derive(Clone)]
pub struct SentHead {
    /// The method.
    pub method: Method,
    /// The URL without userinfo; its fragment is not sent.
    pub url: Url,
    /// All headers, in order. Over HTTP/2 there is no `host`: the URL is sent as pseudo-headers.
    pub headers: Vec<(String, String)>,
    /// How many bytes of body followed.
    pub body_size: u64,
}

impl fmt::Debug for SentHead {
    // The value may be a secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SentHead").field("method", &self.method).field("body_size", &self.body_size).finish_non_exhaustive()
    }
}

/// How long the parts of an exchange took. On a connection that was already open there is no DNS, connect and TLS time; behind
/// a redirect those are the times of the last connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Timings {
    /// Looking up the host name; none for an address.
    pub dns: Option<Duration>,
    /// Opening the TCP connection.
    pub connect: Option<Duration>,
    /// The TLS handshake.
    pub tls: Option<Duration>,
    /// From the start, before any redirect, to the end of the answer's head.
    pub first_byte: Duration,
    /// From the start, before any redirect, to the end of the answer's body.
    pub total: Duration,
}

/// A request that was answered.
#[derive(Debug, Clone)]
pub struct Exchange {
    /// The redirects that were followed before, in order.
    pub hops: Vec<Hop>,
    /// What was sent: behind a redirect the last request.
    pub request: SentHead,
    /// What came back.
    pub response: Response,
    /// How long it took.
    pub timings: Timings,
    /// Who answered: the server, or the proxy.
    pub remote: Option<SocketAddr>,
    /// Whether a connection of an earlier request was used.
    pub reused: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn response(headers: &[(&str, &str)], body: &'static [u8]) -> Response {
        Response {
            status: 200,
            version: Version::Http11,
            headers: headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
            body: Bytes::from_static(body),
            wire_size: 0,
        }
    }

    #[test]
    fn methods_are_tokens() {
        for good in ["GET", "get", "PROPFIND", "M-SEARCH", "PURGE"] {
            assert_eq!(Method::new(good).unwrap().as_str(), good);
        }
        for bad in ["", "GET ", "GE T", "GET\r\nX: y", "GÉT", "CONNECT"] {
            assert!(Method::new(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn headers_are_found_in_any_case_and_in_order() {
        let response = response(&[("vary", "a"), ("content-type", "Application/JSON; charset=x"), ("vary", "b")], b"");
        assert_eq!(response.header("Vary"), Some("a"));
        assert_eq!(response.headers("VARY").collect::<Vec<_>>(), ["a", "b"]);
        assert_eq!(response.content_type().as_deref(), Some("application/json"));
        assert_eq!(response.header("x"), None);
    }

    #[test]
    fn text_follows_the_charset() {
        let table: [(&str, &'static [u8], &str); 5] = [
            ("text/plain", "é".as_bytes(), "é"),
            ("text/plain; charset=ISO-8859-1", b"\xe9", "é"),
            ("text/plain; Charset=\"latin1\"", b"\xe9", "é"),
            ("text/plain", b"a\xffb", "a\u{fffd}b"),
            ("application/json", b"\xef\xbb\xbf{}", "{}"),
        ];
        for (content_type, body, text) in table {
            assert_eq!(response(&[("content-type", content_type)], body).text(), text, "{content_type}");
        }
    }

    #[test]
    fn cookies_are_read_from_set_cookie() {
        let response = response(
            &[
                ("set-cookie", "sid=one; Path=/; HttpOnly"),
                ("Set-Cookie", " other = a=b ;Secure"),
                ("set-cookie", "sid=two"),
                ("set-cookie", "empty="),
                ("set-cookie", "broken"),
            ],
            b"",
        );
        let table =
            [("sid", Some("two")), ("other", Some("a=b")), ("empty", Some("")), ("SID", None), ("Path", None), ("broken", None)];
        for (name, value) in table {
            assert_eq!(response.cookie(name).as_deref(), value, "{name}");
        }
    }
}
