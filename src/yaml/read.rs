//! Text to values with places.

use std::sync::Arc;

use super::mistake::Mistake;
use super::tree::{Merges, build};
use super::{Document, hint};
use crate::diagnostic::{Diagnostic, Hidden, SourceFile, Span};

/// The largest file that is read, in bytes.
pub const LARGEST: usize = 16 << 20;

/// How much of a file its diagnostics may show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Privacy {
    /// Every line (a collection).
    Open,
    /// Every line but those with a tagged value (a shared environment).
    HideTagged,
    /// No line (a local file).
    Hidden,
}

/// Reads `text`, the content of the file that people know as `name`.
///
/// # Errors
/// Everything that is wrong with the file as YAML, each finding at its place.
pub fn read(name: &str, text: String, privacy: Privacy) -> Result<Document, Vec<Diagnostic>> {
    match read_on(name, text, privacy) {
        Ok(document) if document.has_mistakes() => Err(document.warnings),
        result => result,
    }
}

/// As [`read`], but a mistake that leaves the rest readable, such as a duplicate key, is among the warnings of the document, so
/// that what else is wrong with the file can be told with it.
///
/// # Errors
/// What keeps the file from being read.
pub fn read_on(name: &str, text: String, privacy: Privacy) -> Result<Document, Vec<Diagnostic>> {
    if text.len() > LARGEST {
        let message = format!("`{name}` is larger than {} MiB", LARGEST >> 20);
        return Err(vec![Diagnostic::error(message).help("rows of data can stand in a csv or jsonl file")]);
    }
    let tree = build(&text, Merges::Resolved);
    let hidden = match privacy {
        Privacy::Open => Hidden::Nothing,
        Privacy::Hidden => Hidden::All,
        // Without a whole tree nobody knows where the tagged values end.
        Privacy::HideTagged if tree.cut && hint::has_tag(&text) => Hidden::All,
        Privacy::HideTagged => Hidden::Ranges(joined(tree.tagged)),
    };
    let file = Arc::new(SourceFile::new(name, text, hidden));
    let mut mistakes = tree.mistakes;
    mistakes.sort_by_key(|mistake: &Mistake| mistake.span.start);
    let readable = mistakes.iter().all(|mistake| mistake.spares_the_rest);
    let errors = mistakes.into_iter().map(|mistake| mistake.error(&file));
    if tree.cut || !readable {
        return Err(errors.collect());
    }
    let warnings = errors.chain(tree.warnings.into_iter().map(|mistake| mistake.warning(&file))).collect();
    Ok(Document { file, root: tree.root, warnings })
}

/// Ranges in order, those that touch made one, so that a file full of tags stays cheap to ask about.
fn joined(mut ranges: Vec<Span>) -> Vec<Span> {
    ranges.sort_by_key(|range| range.start);
    let mut joined: Vec<Span> = Vec::with_capacity(ranges.len());
    for range in ranges {
        match joined.last_mut() {
            Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
            _ => joined.push(range),
        }
    }
    joined
}
