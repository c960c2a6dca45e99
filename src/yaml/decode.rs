//! Takes values out of a document: every mistake becomes a finding at its place, and decoding goes on.

use std::sync::Arc;
use std::time::Duration;

use crate::diagnostic::{Diagnostic, Place, SourceFile, Span, looks_like_a_name, nearest};

use super::{Entry, Kind, Node, Value};

/// Decodes one file and collects what is wrong with it.
#[derive(Debug)]
pub struct Decoder {
    file: Arc<SourceFile>,
    tags: bool,
    findings: Vec<Diagnostic>,
}

impl Decoder {
    /// A decoder for `file` that refuses tags.
    #[must_use]
    pub fn new(file: &Arc<SourceFile>) -> Self {
        Self { file: Arc::clone(file), tags: false, findings: Vec::new() }
    }

    /// A decoder for a file in which scalars may carry tags (an environment); whoever reads a value looks at its tag.
    #[must_use]
    pub fn with_tags(file: &Arc<SourceFile>) -> Self {
        Self { tags: true, ..Self::new(file) }
    }

    /// The file.
    #[must_use]
    pub fn file(&self) -> &Arc<SourceFile> {
        &self.file
    }

    /// A range of this file.
    #[must_use]
    pub fn place(&self, span: Span) -> Place {
        Place::new(&self.file, span)
    }

    /// Adds a finding.
    pub fn report(&mut self, finding: Diagnostic) {
        self.findings.push(finding);
    }

    /// All findings so far, in the order of the file.
    #[must_use]
    pub fn finish(mut self) -> Vec<Diagnostic> {
        self.findings.sort_by_key(|finding| finding.place.as_ref().map_or(0, |place| place.span.start));
        self.findings
    }

    /// Adds a finding of the form "expected …, found …" at `node`.
    pub fn expected(&mut self, node: &Node, what: &str, expected: &str) {
        let finding = self
            .place(node.span)
            .error(format!("{what} must be {expected}, not {}", node.kind_name()))
            .label(format!("expected {expected}"));
        self.report(finding);
    }

    /// Refuses a tag where none is allowed.
    pub fn no_tag(&mut self, node: &Node) {
        if let Some(tag) = &node.tag
            && !self.tags
        {
            let finding = self.place(tag.span).error(format!("the tag `{}` is not allowed here", tag.name)).help(
                "tags such as `!env` and `!secret` belong in an environment file; text that starts with `!` must be quoted",
            );
            self.report(finding);
        }
    }

    /// The fields of a map. Unknown keys are reported at once, before anything that is missing.
    pub fn fields<'n>(&mut self, node: &'n Node, what: &'static str, known: &'static [&'static str]) -> Option<Fields<'n>> {
        self.open_fields(node, what, known, |_| false)
    }

    /// The fields of the top map of a file: keys that start with `x-` are free (a place for anchors).
    pub fn top_fields<'n>(&mut self, node: &'n Node, what: &'static str, known: &'static [&'static str]) -> Option<Fields<'n>> {
        self.open_fields(node, what, known, |key| key.starts_with("x-"))
    }

    /// Reports the fields that a later version will know.
    pub fn not_yet(&mut self, fields: &Fields<'_>, later: &[&str]) {
        for entry in fields.entries().iter().filter(|entry| later.contains(&&*entry.key)) {
            let finding = self
                .place(entry.key_span)
                .error(format!("this version of runner can't do `{}` yet", entry.key))
                .help("take the key out to run the rest");
            self.report(finding);
        }
    }

    fn open_fields<'n>(
        &mut self,
        node: &'n Node,
        what: &'static str,
        known: &'static [&'static str],
        free: fn(&str) -> bool,
    ) -> Option<Fields<'n>> {
        let entries = self.map(node, what)?;
        for entry in entries.iter().filter(|entry| !known.contains(&&*entry.key) && !free(&entry.key)) {
            let label = match nearest(&entry.key, known.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => String::new(),
            };
            let place = self.place(entry.key_span);
            let message = match place.nameable(&entry.key) {
                Some(key) => format!("unknown key `{key}` in {what}"),
                None => format!("unknown key in {what}"),
            };
            let mut finding = place.error(message).label(label.clone());
            if label.is_empty() {
                finding = finding.help(format!("known keys: {}", known.join(", ")));
            }
            self.report(finding);
        }
        Some(Fields { entries, known, span: node.span })
    }

    /// The entries of a map with free names.
    pub fn map<'n>(&mut self, node: &'n Node, what: &str) -> Option<&'n [Entry]> {
        self.no_tag(node);
        match &node.value {
            Value::Mapping(entries) => Some(entries),
            _ => {
                let glued = node
                    .scalar()
                    .and_then(|scalar| scalar.text.split_once(':'))
                    .is_some_and(|(key, rest)| looks_like_a_name(key) && !rest.is_empty() && !rest.starts_with(' '));
                self.expected(node, what, "a map");
                if let (true, Some(finding)) = (glued, self.findings.last_mut()) {
                    finding.label = "a space is missing behind the `:`".to_owned();
                }
                None
            }
        }
    }

    /// The items of a list.
    pub fn list<'n>(&mut self, node: &'n Node, what: &str) -> Option<&'n [Node]> {
        self.no_tag(node);
        match &node.value {
            Value::Sequence(items) => Some(items),
            _ => {
                self.expected(node, what, "a list");
                None
            }
        }
    }

    /// The items of a list, or the one value as a list of one.
    pub fn one_or_more<'n>(&mut self, node: &'n Node) -> &'n [Node] {
        match &node.value {
            Value::Sequence(items) => {
                self.no_tag(node);
                items
            }
            _ => std::slice::from_ref(node),
        }
    }

    /// A scalar as it is spelt.
    pub fn text<'n>(&mut self, node: &'n Node, what: &str) -> Option<&'n str> {
        self.no_tag(node);
        match node.scalar() {
            Some(scalar) if scalar.kind != Kind::Null => Some(&scalar.text),
            _ => {
                self.expected(node, what, "text");
                None
            }
        }
    }

    /// `true` or `false`.
    pub fn bool(&mut self, node: &Node, what: &str) -> Option<bool> {
        self.no_tag(node);
        match node.scalar().map(|s| s.kind) {
            Some(Kind::Bool(value)) => Some(value),
            _ => {
                self.expected(node, what, "`true` or `false`");
                None
            }
        }
    }

    /// A whole number from `0`.
    pub fn count(&mut self, node: &Node, what: &str) -> Option<u64> {
        self.no_tag(node);
        match node.scalar().map(|s| s.kind) {
            Some(Kind::Integer(Some(value))) if u64::try_from(value).is_ok() => u64::try_from(value).ok(),
            _ => {
                self.expected(node, what, "a whole number");
                None
            }
        }
    }

    /// A duration with its unit: `500ms`, `30s`, `2m`.
    pub fn duration(&mut self, node: &Node, what: &str) -> Option<Duration> {
        self.no_tag(node);
        let text = node.scalar().map_or("", |scalar| scalar.text.as_str());
        match parse_duration(text) {
            Some(duration) => Some(duration),
            None => {
                let finding = self
                    .place(node.span)
                    .error(format!("{what} must be a duration with its unit, not `{text}`"))
                    .label("such as `500ms`, `30s` or `2m`");
                self.report(finding);
                None
            }
        }
    }
}

/// The fields of one map whose keys are known.
#[derive(Debug, Clone, Copy)]
pub struct Fields<'n> {
    entries: &'n [Entry],
    known: &'static [&'static str],
    /// The place of the map.
    pub span: Span,
}

impl<'n> Fields<'n> {
    /// The value under `key`.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&'n Node> {
        self.entry(key).map(|entry| &entry.value)
    }

    /// Key and value.
    #[must_use]
    pub fn entry(&self, key: &str) -> Option<&'n Entry> {
        self.entries.iter().find(|entry| &*entry.key == key)
    }

    /// Whether an unknown key was probably meant to be `key`: then it is not missing, it is misspelt.
    #[must_use]
    pub fn misspelt(&self, key: &str) -> bool {
        let mut unknown = self.entries.iter().filter(|entry| !self.known.contains(&&*entry.key));
        unknown.any(|entry| nearest(&entry.key, self.known.iter().copied()) == Some(key))
    }

    /// All entries in the order of the file.
    #[must_use]
    pub fn entries(&self) -> &'n [Entry] {
        self.entries
    }
}

/// A duration with its unit (`500ms`, `30s`, `1m 30s`); a bare number has no unit and is refused.
#[must_use]
pub fn parse_duration(text: &str) -> Option<Duration> {
    humantime::parse_duration(text.trim()).ok()
}
