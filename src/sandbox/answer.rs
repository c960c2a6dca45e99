//! An answer as the handlers make it, and the three shapes that Box gives them: OAuth JSON, API JSON and error JSON.

use std::time::Duration;

use bytes::Bytes;
use hyper::StatusCode;
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use serde_json::{Value, json};

/// An answer that is not sent yet.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    /// How long it is kept back: a fault.
    pub(super) delay: Duration,
    /// Whether it is never sent, and the connection closed instead: a fault.
    pub(super) is_dropped: bool,
}

impl Answer {
    /// An answer without a body.
    pub(super) fn empty(status: StatusCode) -> Self {
        Self { status, headers: HeaderMap::new(), body: Bytes::new(), delay: Duration::ZERO, is_dropped: false }
    }

    /// JSON.
    pub(super) fn json(status: StatusCode, value: &Value) -> Self {
        Self::text(status, "application/json", value.to_string())
    }

    /// Any text under its media type.
    pub(super) fn text(status: StatusCode, media_type: &'static str, text: impl Into<Bytes>) -> Self {
        let answer = Self { body: text.into(), ..Self::empty(status) };
        answer.with(header::CONTENT_TYPE, HeaderValue::from_static(media_type))
    }

    /// An error of the API in Box's shape; `context` is its `context_info`, where there is one.
    pub(super) fn error(problem: &Problem<'_>, request_id: &str) -> Self {
        let mut body = json!({"type": "error", "status": problem.status.as_u16(), "code": problem.code});
        if let (Some(members), Some(context)) = (body.as_object_mut(), &problem.context) {
            members.insert("context_info".to_owned(), context.clone());
        }
        if let Some(members) = body.as_object_mut() {
            members.insert("help_url".to_owned(), json!("http://developers.box.com/docs/#errors"));
            members.insert("message".to_owned(), json!(problem.message));
            members.insert("request_id".to_owned(), json!(request_id));
        }
        Self::json(problem.status, &body)
    }

    /// The same with one more header.
    pub(super) fn with(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.headers.insert(name, value);
        self
    }

    /// The same, never to be kept by a cache (RFC 6749 §5.1).
    pub(super) fn no_store(self) -> Self {
        self.with(header::CACHE_CONTROL, HeaderValue::from_static("no-store"))
    }
}

/// What is wrong with a call to the API.
#[derive(Debug)]
pub(super) struct Problem<'a> {
    pub(super) status: StatusCode,
    /// Box's name for it.
    pub(super) code: &'static str,
    pub(super) message: &'a str,
    pub(super) context: Option<Value>,
}
