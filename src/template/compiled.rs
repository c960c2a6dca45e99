//! A template as Tera gets it: the text with our filters written in, and the way back from its places to those in the file.

use std::ops::Range;

use serde_json::Value;
use tera::Context;

use super::reads::{Edit, Findings, Path};
use super::{Error, Values};

/// A template for Tera.
#[derive(Debug)]
pub(super) struct Compiled {
    /// Its name in the engine.
    pub(super) name: String,
    pub(super) paths: Vec<Path>,
    pub(super) outputs: Vec<Range<usize>>,
    edits: Vec<Edit>,
    /// What stands around the text: a bare expression gets its braces.
    bare: bool,
}

const OPENING: &str = "{{ ";

impl Compiled {
    pub(super) fn new(name: String, mut findings: Findings, bare: bool) -> Self {
        // The sort is stable: what was found first at a place stays first.
        findings.edits.sort_by_key(|edit| edit.at);
        Self { name, paths: findings.paths, outputs: findings.outputs, edits: findings.edits, bare }
    }

    /// The text without the edits, for Tera to say what is wrong with it.
    pub(super) fn unedited(&self, text: &str) -> String {
        if self.bare { format!("{OPENING}{text} }}}}") } else { text.to_owned() }
    }

    /// The range of the text that a range of the unedited one came from.
    pub(super) fn unshifted(&self, range: &Range<usize>, text: &str) -> Range<usize> {
        let shift = if self.bare { OPENING.len() } else { 0 };
        let end = range.end.saturating_sub(shift).min(text.len());
        let start = range.start.saturating_sub(shift).min(end);
        if text.get(start..end).is_some() { start..end } else { 0..text.len() }
    }

    /// The text with the edits.
    pub(super) fn rewritten(&self, text: &str) -> String {
        let mut out = String::from(if self.bare { OPENING } else { "" });
        let mut at = 0;
        for edit in &self.edits {
            out.push_str(text.get(at..edit.at).unwrap_or_default());
            out.push_str(&edit.text);
            at = edit.at;
        }
        out.push_str(text.get(at..).unwrap_or_default());
        out.push_str(if self.bare { " }}" } else { "" });
        out
    }

    /// The range of the text that a range of the rewritten one came from.
    pub(super) fn original(&self, range: &Range<usize>, text: &str) -> Range<usize> {
        // What begins in a filter of ours began with the code that it is around.
        let start = self.origin(range.start, |edit| edit.from).min(text.len());
        let end = self.origin(range.end, |edit| edit.at).clamp(start, text.len());
        if text.get(start..end).is_some() { start..end } else { 0..text.len() }
    }

    fn origin(&self, offset: usize, inside: impl Fn(&Edit) -> usize) -> usize {
        let mut shift = if self.bare { OPENING.len() } else { 0 };
        for edit in &self.edits {
            let from = edit.at + shift;
            if offset < from {
                break;
            }
            if offset < from + edit.text.len() {
                return inside(edit);
            }
            shift += edit.text.len();
        }
        offset.saturating_sub(shift)
    }

    /// The values that the template reads, and nothing else: of a large answer only the members that are named.
    pub(super) fn context(&self, values: &dyn Values) -> Result<Context, Error> {
        let mut context = Context::new();
        let mut seen: Vec<&str> = Vec::new();
        for path in self.paths.iter().filter(|path| !path.local) {
            let Some(name) = path.parts.first().map(String::as_str).filter(|name| !seen.contains(name)) else { continue };
            seen.push(name);
            let reads: Vec<&Path> =
                self.paths.iter().filter(|path| !path.local && path.parts.first().is_some_and(|first| first == name)).collect();
            // Asking for a value may ask a person; asking whether there is one does not.
            if reads.iter().all(|read| read.guarded) && !values.has(name) {
                continue;
            }
            if reads.iter().all(|read| read.tested && read.parts.len() == 1) {
                context.insert_value(name.to_owned(), tera::Value::from(true));
                continue;
            }
            if let Some(value) = values.value(name)? {
                let members: Vec<&[String]> = reads.iter().filter_map(|read| read.parts.get(1..)).collect();
                context.insert_value(name.to_owned(), project(&value, &members));
            }
        }
        Ok(context)
    }
}

/// `value` with only the members that the paths name.
fn project(value: &Value, paths: &[&[String]]) -> tera::Value {
    match value {
        Value::Object(members) if paths.iter().all(|path| !path.is_empty()) => {
            let mut out = tera::Map::new();
            for name in paths.iter().filter_map(|path| path.first()) {
                let Some(member) = members.get(name) else { continue };
                let key = tera::value::Key::from(name.clone());
                if !out.contains_key(&key) {
                    let below: Vec<&[String]> =
                        paths.iter().filter(|path| path.first() == Some(name)).filter_map(|path| path.get(1..)).collect();
                    out.insert(key, project(member, &below));
                }
            }
            tera::Value::from(out)
        }
        value => tera::Value::from_serializable(value),
    }
}
