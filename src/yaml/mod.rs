//! YAML with places: a file becomes values that know where they stand, and a file can be changed key by key.
//!
//! [`read`] turns text into a [`Document`]; [`Decoder`] takes its values out with one finding a mistake; [`edit`] changes keys
//! and keeps every other byte. May import `diagnostic` and what stands left of it; knows nothing of collections.

mod decode;
pub mod edit;
mod hint;
mod json;
mod line;
mod locate;
mod mistake;
mod read;
#[cfg(test)]
mod read_tests;
mod scalar;
mod tree;
pub mod write;

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::diagnostic::{Diagnostic, Severity, SourceFile, Span};

pub use decode::{Decoder, Fields, parse_duration};
pub use json::{NotJson, to_json};
pub use locate::locate;
pub use read::{LARGEST, Privacy, read, read_on};
pub use scalar::{is_canonical_number, plain_value};

/// A file that was read.
#[derive(Debug, Clone)]
pub struct Document {
    /// The file, for places.
    pub file: Arc<SourceFile>,
    /// The top node; `None` in an empty file (nothing but comments counts as empty).
    pub root: Option<Node>,
    /// After [`read_on`] also the mistakes that left the rest readable. Else: what is allowed and probably not meant, such as ` #x` right behind a value.
    pub warnings: Vec<Diagnostic>,
}

impl Document {
    /// Whether something is wrong with the file as YAML that left the rest readable.
    #[must_use]
    pub fn has_mistakes(&self) -> bool {
        self.warnings.iter().any(|finding| finding.severity == Severity::Error)
    }
}

/// A value with its place. Cloning is cheap: the content is shared, so an alias costs nothing.
#[derive(Debug, Clone)]
pub struct Node {
    /// What the node holds.
    pub value: Value,
    /// Where the text of the value stands (for an alias: where the anchor's value stands). An absent value is empty and
    /// stands right behind its key.
    pub span: Span,
    /// Where the node is used: the same as `span` but for an alias, where it is the `*name`.
    pub used_at: Span,
    /// The tag, with its `!`.
    pub tag: Option<Tag>,
}

/// A tag such as `!env`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tag {
    /// The tag as written, with its `!`.
    pub name: Arc<str>,
    /// Where it stands.
    pub span: Span,
}

/// What a node holds.
#[derive(Debug, Clone)]
pub enum Value {
    /// One value.
    Scalar(Arc<Scalar>),
    /// A list.
    Sequence(Arc<[Node]>),
    /// A map; keys are unique and in the order of the file, merge keys (`<<`) are already resolved.
    Mapping(Arc<[Entry]>),
}

/// One key of a map with its value.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The key's text.
    pub key: Arc<str>,
    /// Where the key stands.
    pub key_span: Span,
    /// The value.
    pub value: Node,
}

/// A scalar as it is spelt and what it means.
#[derive(Debug, Clone, PartialEq)]
pub struct Scalar {
    /// The text, quotes and escapes resolved.
    pub text: String,
    /// The meaning under the YAML 1.2 core schema.
    pub kind: Kind,
    /// Whether it stands without quotes.
    pub plain: bool,
}

/// What a scalar means under the YAML 1.2 core schema (`yes`, `no`, `on`, `off` are text).
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kind {
    /// `null`, `~`, or nothing at all.
    Null,
    /// `true`, `false`.
    Bool(bool),
    /// A whole number, also `0x1F` and `0o17`; `None` where it fits neither `i64` nor `u64`.
    Integer(Option<i128>),
    /// A number with a fraction or exponent, also `.inf` and `.nan`.
    Float(f64),
    /// Anything else, and everything in quotes.
    Text,
}

impl Node {
    /// Adds every key at and below this node to `found`, and every item of a list: it may have been meant as one.
    pub fn collect_keys(&self, found: &mut BTreeSet<String>) {
        match &self.value {
            Value::Scalar(_) => {}
            Value::Sequence(items) => {
                for item in items.iter() {
                    found.extend(item.scalar().map(|scalar| scalar.text.clone()));
                    item.collect_keys(found);
                }
            }
            Value::Mapping(entries) => {
                for entry in entries.iter() {
                    found.insert(entry.key.to_string());
                    entry.value.collect_keys(found);
                }
            }
        }
    }

    /// The scalar, if it is one.
    #[must_use]
    pub fn scalar(&self) -> Option<&Scalar> {
        match &self.value {
            Value::Scalar(scalar) => Some(scalar),
            _ => None,
        }
    }

    /// Whether nothing (or `null`) stands here.
    #[must_use]
    pub fn is_null(&self) -> bool {
        self.scalar().is_some_and(|s| s.kind == Kind::Null)
    }

    /// The entries, if it is a map.
    #[must_use]
    pub fn entries(&self) -> Option<&[Entry]> {
        match &self.value {
            Value::Mapping(entries) => Some(entries),
            _ => None,
        }
    }

    /// The value under `key`, if this is a map that has it.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Self> {
        self.entries()?.iter().find(|entry| &*entry.key == key).map(|entry| &entry.value)
    }

    /// What this is, in a reader's words.
    #[must_use]
    pub fn kind_name(&self) -> &'static str {
        match &self.value {
            Value::Sequence(_) => "a list",
            Value::Mapping(_) => "a map",
            Value::Scalar(scalar) => match scalar.kind {
                Kind::Null => "nothing",
                Kind::Bool(_) => "true or false",
                Kind::Integer(_) | Kind::Float(_) => "a number",
                Kind::Text => "text",
            },
        }
    }
}
