//! An answer as the checks see it.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::fmt;
use std::time::Duration;

use serde_json::Value;

use crate::query::{JsonPath, extract};

/// The most of a body that a failure keeps, in bytes. Far more than is ever shown, so that what is cut off is never the end of
/// a secret whose start is shown.
pub(super) const KEPT: usize = 1024 * 1024;

/// An answer. The body is parsed when first asked for, and once.
#[derive(Debug)]
pub struct Answer<'a> {
    /// The status code.
    pub status: u16,
    /// The headers, in order; a name may repeat.
    pub headers: &'a [(String, String)],
    /// The decoded body.
    pub body: &'a [u8],
    /// The URL that answered.
    pub url: &'a str,
    /// From sending to the last byte.
    pub duration: Duration,
    json: OnceCell<Result<Value, JsonProblem>>,
    text: OnceCell<Cow<'a, str>>,
    prepared: Vec<(String, Option<Value>)>,
}

/// What a path selects.
#[derive(Debug, Clone, PartialEq)]
pub enum Selected<'v> {
    /// A singular path that selects no node.
    Nothing,
    /// The node of a singular path.
    One(&'v Value),
    /// The nodes of any other path, perhaps none.
    Many(Vec<&'v Value>),
}

/// Why the body can't be read as JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JsonProblem {
    /// What the reader says; `None` for a body without a byte.
    pub reason: Option<String>,
    /// `Content-Type`, where there is one.
    pub content_type: Option<String>,
    /// The body as text, up to 1 MiB, not masked.
    pub body: String,
}

impl fmt::Display for JsonProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.reason, &self.content_type) {
            (None, _) => f.write_str("the body is empty, not JSON"),
            (Some(reason), None) => write!(f, "the body is not JSON: {reason}"),
            (Some(reason), Some(kind)) => write!(f, "the body is not JSON (it came as `{kind}`): {reason}"),
        }
    }
}

impl<'a> Answer<'a> {
    /// An answer of these parts.
    #[must_use]
    pub fn new(status: u16, headers: &'a [(String, String)], body: &'a [u8], url: &'a str, duration: Duration) -> Self {
        Self { status, headers, body, url, duration, json: OnceCell::new(), text: OnceCell::new(), prepared: Vec::new() }
    }

    /// Reads the values of `paths` in one pass over the body, without building the rest of it. Worth it when nothing else
    /// needs the whole tree; does nothing unless every path is simple.
    pub fn prepare(&mut self, paths: &[&JsonPath]) {
        if paths.is_empty() || self.json.get().is_some() || !paths.iter().all(|path| path.is_simple()) {
            return;
        }
        match extract(paths, self.json_bytes()) {
            Ok(values) => {
                self.prepared = paths.iter().map(|path| path.text().to_owned()).zip(values).collect();
            }
            Err(error) => {
                let problem = self.json_problem(&error);
                self.json = OnceCell::from(Err(problem));
            }
        }
    }

    /// The body as JSON.
    ///
    /// # Errors
    /// It is none.
    pub fn json(&self) -> Result<&Value, &JsonProblem> {
        let parse = || serde_json::from_slice(self.json_bytes()).map_err(|error| self.json_problem(&error));
        self.json.get_or_init(parse).as_ref()
    }

    /// What `path` selects in the body.
    ///
    /// # Errors
    /// The body is not JSON.
    pub fn select(&self, path: &JsonPath) -> Result<Selected<'_>, &JsonProblem> {
        if let Some((_, value)) = self.prepared.iter().find(|(text, _)| text == path.text()) {
            return Ok(value.as_ref().map_or(Selected::Nothing, Selected::One));
        }
        let nodes = path.nodes(self.json()?);
        Ok(match (path.is_singular(), nodes.first()) {
            (false, _) => Selected::Many(nodes),
            (true, Some(node)) => Selected::One(node),
            (true, None) => Selected::Nothing,
        })
    }

    /// The body as text; bytes that are not UTF-8 become `�`.
    #[must_use]
    pub fn text(&self) -> &str {
        self.text.get_or_init(|| String::from_utf8_lossy(self.body))
    }

    /// The start of the body as text, up to 1 MiB.
    #[must_use]
    pub fn start_of_body(&self) -> String {
        String::from_utf8_lossy(self.body.get(..KEPT).unwrap_or(self.body)).into_owned()
    }

    /// The values of the header `name`, in order.
    pub fn headers_named<'n>(&self, name: &'n str) -> impl Iterator<Item = &'a str> + use<'a, 'n> {
        let headers = self.headers;
        headers.iter().filter(move |(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// The value of the cookie `name` that the answer sets, its last one if it is set twice (RFC 6265 §5.3).
    #[must_use]
    pub fn cookie(&self, name: &str) -> Option<&'a str> {
        self.cookies().filter(|(key, _)| *key == name).map(|(_, value)| value).last()
    }

    /// The cookies that the answer sets: name and value, in order.
    pub fn cookies(&self) -> impl Iterator<Item = (&'a str, &'a str)> + use<'a> {
        self.headers_named("set-cookie").filter_map(|header| {
            let (name, value) = header.split(';').next()?.split_once('=')?;
            Some((name.trim(), value.trim()))
        })
    }

    /// The body without the byte order mark that some servers put before their JSON (RFC 8259 §8.1 allows to ignore it).
    fn json_bytes(&self) -> &'a [u8] {
        self.body.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(self.body)
    }

    fn json_problem(&self, error: &serde_json::Error) -> JsonProblem {
        JsonProblem {
            reason: (!self.json_bytes().is_empty()).then(|| error.to_string()),
            content_type: self.headers_named("content-type").next().map(str::to_owned),
            body: self.start_of_body(),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn headers(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    fn path(text: &str) -> JsonPath {
        JsonPath::compile(text).expect("a path")
    }

    #[test]
    fn headers_are_found_in_any_case_and_cookies_by_their_last_value() {
        let headers = headers(&[
            ("Set-Cookie", "sid=one; Path=/"),
            ("ETag", "\"a\""),
            ("set-cookie", " sid = two=2 ; Secure"),
            ("Set-Cookie", "broken"),
        ]);
        let answer = Answer::new(200, &headers, b"", "", Duration::ZERO);
        assert_eq!(answer.headers_named("etag").collect::<Vec<_>>(), ["\"a\""]);
        assert_eq!(answer.cookie("sid"), Some("two=2"));
        assert_eq!(answer.cookie("SID"), None, "cookie names know upper and lower case");
        assert_eq!(answer.cookie("broken"), None);
    }

    #[test]
    fn what_is_prepared_is_what_the_tree_gives() {
        let body = br#"{"a": {"b": [1, 2]}, "c": null, "a.b": 3}"#;
        let paths = ["$.a.b[1]", "$.c", "$.missing", "$['a.b']", "$"].map(path);
        let plain = Answer::new(200, &[], body, "", Duration::ZERO);
        let mut prepared = Answer::new(200, &[], body, "", Duration::ZERO);
        prepared.prepare(&paths.iter().collect::<Vec<_>>());
        assert!(prepared.json.get().is_none() && prepared.prepared.len() == paths.len());
        for path in &paths {
            assert_eq!(prepared.select(path), plain.select(path), "{}", path.text());
        }
        // a path that was not prepared reads the tree
        assert_eq!(prepared.select(&path("$..b[*]")), Ok(Selected::Many(vec![&json!(1), &json!(2)])));
    }

    #[test]
    fn a_body_that_is_not_json_says_what_it_is() {
        let html = headers(&[("content-type", "text/html")]);
        let none = headers(&[]);
        let table = [
            (&none, &b""[..], "the body is empty, not JSON"),
            (&html, b"<html>", "the body is not JSON (it came as `text/html`): expected value at line 1 column 1"),
            (&none, b"{\"a\": 1} x", "the body is not JSON: trailing characters at line 1 column 10"),
        ];
        for (headers, body, message) in table {
            let mut answer = Answer::new(200, headers, body, "", Duration::ZERO);
            assert_eq!(answer.json().map_err(ToString::to_string), Err(message.to_owned()));
            answer.json = OnceCell::new();
            answer.prepare(&[&path("$.a")]);
            assert_eq!(answer.select(&path("$.a")).map_err(ToString::to_string), Err(message.to_owned()));
        }
    }

    #[test]
    fn a_byte_order_mark_is_no_mistake() {
        let answer = Answer::new(200, &[], b"\xEF\xBB\xBF[1]", "", Duration::ZERO);
        assert_eq!(answer.json(), Ok(&json!([1])));
    }
}
