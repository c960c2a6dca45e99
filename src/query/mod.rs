//! JSONPath (RFC 9535) and regular expressions: compiled once, bounded, run on an answer. The only user of `jsonpath-rust`.
//!
//! ```text
//! text --compile--> JsonPath --nodes(&Value)--> nodes
//!                      └── simple (names and indexes only): walked by hand, or read straight from the bytes by `extract`
//! ```
//!
//! Imports nothing of ours but `diagnostic`.

mod check;
mod explain;
mod extract;
mod simple;

use std::fmt;
use std::sync::Arc;

use jsonpath_rust::parser::model::{JpQuery, Segment, Selector};
use serde_json::Value;

pub use extract::extract;
use simple::Step;

/// The longest query, in bytes.
const MAX_TEXT: usize = 4 * 1024;
/// The deepest nesting of brackets and parentheses.
const MAX_DEPTH: usize = 64;
/// The largest compiled regular expression, in bytes.
const MAX_PATTERN: usize = 1024 * 1024;

/// A compiled JSONPath. Cheap to clone.
#[derive(Debug, Clone)]
pub struct JsonPath {
    text: Arc<str>,
    kind: Kind,
}

#[derive(Debug, Clone)]
enum Kind {
    /// Names and indexes from the front only.
    Simple(Arc<[Step]>),
    /// Anything else.
    Full { query: Arc<JpQuery>, singular: bool },
}

/// Why a query can't be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueryError {
    /// What is wrong, one line, lower case.
    pub message: String,
    /// Byte offset in the query's text, where known.
    pub offset: Option<usize>,
}

impl QueryError {
    fn at(offset: usize, message: impl Into<String>) -> Self {
        Self { message: message.into(), offset: Some(offset) }
    }

    fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), offset: None }
    }
}

impl fmt::Display for QueryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for QueryError {}

impl JsonPath {
    /// Compiles `text`.
    ///
    /// # Errors
    /// The text is not a JSONPath, longer or deeper than the limits (4 KiB, depth 64), or one that would be answered wrongly.
    pub fn compile(text: &str) -> Result<Self, QueryError> {
        if text.len() > MAX_TEXT {
            return Err(QueryError::new(format!("a JSONPath may have at most {MAX_TEXT} bytes, not {}", text.len())));
        }
        if let Some(steps) = simple::parse(text) {
            return Ok(Self { text: text.into(), kind: Kind::Simple(steps.into()) });
        }
        explain::shape(text, MAX_DEPTH)?;
        let query = jsonpath_rust::parser::parse_json_path(text).map_err(|error| explain::refusal(text, &error))?;
        check::query(text, &query)?;
        let kind = match simple::steps(&query) {
            Some(steps) => Kind::Simple(steps.into()),
            None => Kind::Full { singular: is_singular(&query.segments), query: Arc::new(query) },
        };
        Ok(Self { text: text.into(), kind })
    }

    /// The text it was compiled from.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether it can select at most one node (RFC 9535 §2.3.5.1 "singular query").
    #[must_use]
    pub fn is_singular(&self) -> bool {
        match &self.kind {
            Kind::Simple(_) => true,
            Kind::Full { singular, .. } => *singular,
        }
    }

    /// Whether it consists of names and indexes from the front only, so that [`extract`] can read it.
    #[must_use]
    pub fn is_simple(&self) -> bool {
        matches!(self.kind, Kind::Simple(_))
    }

    /// The nodes that it selects, in order.
    #[must_use]
    pub fn nodes<'v>(&self, value: &'v Value) -> Vec<&'v Value> {
        match &self.kind {
            Kind::Simple(steps) => simple::walk(steps, value).into_iter().collect(),
            // What is an error at run time was refused when compiling; what is left selects nothing.
            Kind::Full { query, .. } => jsonpath_rust::query::js_path_process(query, value)
                .map(|nodes| nodes.into_iter().map(|node| node.val).collect())
                .unwrap_or_default(),
        }
    }

    fn steps(&self) -> Option<&[Step]> {
        match &self.kind {
            Kind::Simple(steps) => Some(steps),
            Kind::Full { .. } => None,
        }
    }
}

/// RFC 9535 §2.3.5.1: only name and index selectors, one a segment.
fn is_singular(segments: &[Segment]) -> bool {
    segments.iter().all(|segment| matches!(segment, Segment::Selector(Selector::Name(_) | Selector::Index(_))))
}

/// A compiled regular expression. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Pattern {
    regex: regex::Regex,
}

impl Pattern {
    /// Compiles `text` (limit: 1 MiB compiled).
    ///
    /// # Errors
    /// The text is no regular expression, or too large.
    pub fn compile(text: &str) -> Result<Self, QueryError> {
        regex::RegexBuilder::new(text)
            .size_limit(MAX_PATTERN)
            .build()
            .map(|regex| Self { regex })
            .map_err(|error| explain::pattern(text, &error))
    }

    /// The text it was compiled from.
    #[must_use]
    pub fn text(&self) -> &str {
        self.regex.as_str()
    }

    /// Whether it matches anywhere in `text`.
    #[must_use]
    pub fn matches(&self, text: &str) -> bool {
        self.regex.is_match(text)
    }

    /// The first group of the first match; without a group the match itself. A group that took no part gives `None`.
    #[must_use]
    pub fn extract<'t>(&self, text: &'t str) -> Option<&'t str> {
        let group = usize::from(self.regex.captures_len() > 1);
        self.regex.captures(text)?.get(group).map(|found| found.as_str())
    }
}

#[cfg(test)]
mod tests;
