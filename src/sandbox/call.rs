//! A request as the handlers see it: read whole, decoded, bounded by what the server let through.

use std::borrow::Cow;
use std::collections::HashSet;

use bytes::Bytes;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST, ORIGIN};
use hyper::http::request::Parts;
use hyper::{HeaderMap, Method};
use percent_encoding::percent_decode_str;
use url::form_urlencoded;

/// A request whose body was read.
pub(super) struct Call {
    pub(super) method: Method,
    /// The path between its slashes, each part percent-decoded: `/2.0/users/me` is `2.0`, `users`, `me`.
    pub(super) path: Vec<String>,
    pub(super) query: Params,
    /// The host that the client believes it talks to, with its port.
    pub(super) host: Option<String>,
    headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Call {
    /// The call that a request's head and body make.
    pub(super) fn new(head: Parts, body: Bytes) -> Self {
        let decoded = |part: &str| percent_decode_str(part).decode_utf8_lossy().into_owned();
        let path = head.uri.path().split('/').skip(1).map(decoded).collect();
        let query = Params::parse(head.uri.query().unwrap_or_default().as_bytes());
        // An absolute URI on the request line outweighs the header (RFC 9112 §3.2.2).
        let named = head.uri.authority().map(|authority| authority.as_str().to_owned());
        let host = named.or_else(|| Some(head.headers.get(HOST)?.to_str().ok()?.to_owned()));
        Self { method: head.method, path, query, host, headers: head.headers, body }
    }

    /// The fields of a form body; `None` when the body is not declared as a form.
    pub(super) fn form(&self) -> Option<Params> {
        let declared = self.headers.get(CONTENT_TYPE)?.to_str().ok()?;
        let media_type = declared.split(';').next()?.trim();
        media_type.eq_ignore_ascii_case("application/x-www-form-urlencoded").then(|| Params::parse(&self.body))
    }

    /// Whether there is an `Authorization` header, of any scheme.
    pub(super) fn has_authorization(&self) -> bool {
        self.headers.contains_key(AUTHORIZATION)
    }

    /// Whether a page in a browser sent it (RFC 6454 §7.3).
    pub(super) fn has_origin(&self) -> bool {
        self.headers.contains_key(ORIGIN)
    }

    /// The server as the client calls it: `http://127.0.0.1:8765`.
    pub(super) fn origin(&self) -> String {
        format!("http://{}", self.host.as_deref().unwrap_or("127.0.0.1"))
    }

    /// The user that the token's own user wants to act as: Box's `as-user`.
    pub(super) fn as_user(&self) -> Option<&str> {
        self.headers.get("as-user").map(|value| value.to_str().unwrap_or_default())
    }

    /// The bearer token (RFC 6750 §2.1).
    pub(super) fn bearer(&self) -> Option<&str> {
        let (scheme, token) = self.headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
    }
}

/// Parameters of a query or a form, in order.
#[derive(Debug, Default)]
pub(super) struct Params(Vec<(String, String)>);

impl Params {
    /// Reads `application/x-www-form-urlencoded`; every input has a reading.
    pub(super) fn parse(text: &[u8]) -> Self {
        Self(form_urlencoded::parse(text).map(|(name, value)| (name.into_owned(), value.into_owned())).collect())
    }

    /// The value of a parameter. One without a value counts as left out (RFC 6749 §3.1).
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, value)| known == name && !value.is_empty()).map(|(_, value)| value.as_str())
    }

    /// The first parameter that comes twice, which none may (RFC 6749 §3.1, §3.2).
    pub(super) fn repeated(&self) -> Option<&str> {
        let mut seen = HashSet::new();
        self.0.iter().map(|(name, _)| name.as_str()).find(|name| !seen.insert(*name))
    }
}

/// `text`, or its start when it is long, for a message.
pub(super) fn shortened(text: &str) -> Cow<'_, str> {
    const MOST: usize = 100;
    match text.char_indices().nth(MOST) {
        Some((end, _)) => Cow::Owned(format!("{}…", text.get(..end).unwrap_or_default())),
        None => Cow::Borrowed(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(uri: &str, headers: &[(&str, &str)], body: &'static str) -> Call {
        let mut request = hyper::Request::builder().uri(uri);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        Call::new(request.body(()).unwrap().into_parts().0, Bytes::from_static(body.as_bytes()))
    }

    #[test]
    fn path_and_query_are_decoded() {
        let call = call("/2.0/a%2Fb/%E6%9D%B1/%ff?x=1+2&y=%26", &[], "");
        assert_eq!(call.path, ["2.0", "a/b", "東", "\u{fffd}"]);
        assert_eq!((call.query.get("x"), call.query.get("y")), (Some("1 2"), Some("&")));
    }

    #[test]
    fn the_host_is_that_of_an_absolute_uri_or_of_the_header() {
        for (uri, expected) in [("/x", Some("localhost:1")), ("http://api.box.com/x", Some("api.box.com"))] {
            assert_eq!(call(uri, &[("host", "localhost:1")], "").host.as_deref(), expected);
        }
        assert_eq!(call("/x", &[], "").host, None);
    }

    #[test]
    fn only_a_declared_form_is_one() {
        let cases = [
            ("application/x-www-form-urlencoded", true),
            ("Application/X-WWW-Form-Urlencoded; charset=utf-8", true),
            ("application/json", false),
            ("", false),
        ];
        for (declared, good) in cases {
            assert_eq!(call("/", &[("content-type", declared)], "a=1").form().is_some(), good, "{declared}");
        }
    }

    #[test]
    fn a_bearer_token_is_read_whatever_the_case_of_its_scheme() {
        for (header, expected) in
            [("Bearer abc", Some("abc")), ("bearer  abc", Some("abc")), ("Basic abc", None), ("Bearer", None)]
        {
            assert_eq!(call("/", &[("authorization", header)], "").bearer(), expected, "{header}");
        }
    }

    #[test]
    fn empty_parameters_count_as_left_out_and_repeated_ones_are_found() {
        let params = Params::parse(b"a=&b=1&c=2&b=3");
        assert_eq!((params.get("a"), params.get("b"), params.repeated()), (None, Some("1"), Some("b")));
        assert_eq!(Params::parse(b"&&=&%zz").repeated(), None);
    }

    #[test]
    fn shortening_counts_characters() {
        assert_eq!(shortened("東京"), "東京");
        assert_eq!(shortened(&"東".repeat(101)).chars().count(), 101);
    }
}
