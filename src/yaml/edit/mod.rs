//! Changes keys of a file and keeps every other byte: comments, order, quoting, line ends.
//!
//! Each change is one replacement of a range of the text; after the last one the text is read again and compared, key by key,
//! with what it should hold. What can't be proven is refused, so that an edit never harms a neighbour (through an anchor, say).
//!
//! ```text
//! text ──read──► tree ──target──► place in a map ──splice──► text   (once for each change)
//!   └──────────► model + changes ═════════ equal? ═════════ model ◄──read──┘
//! ```

mod model;
mod splice;
mod target;

use std::fmt;

use serde_json::Value;

use super::tree::{Merges, build};
use super::{LARGEST, Node};

/// One change to a file: the value that a key has from now on.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// The keys from the top of the file: `["stored", "access_token"]`. Missing maps are made.
    pub path: Vec<String>,
    /// The new value; `None` takes the key away.
    pub value: Option<Value>,
    /// A tag to put before the value, with its `!`. Without one, a tag that stood there goes.
    pub tag: Option<&'static str>,
}

/// Why a file can't be changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EditError {
    /// The text is not YAML, or something that must be a map is not; the message says what.
    Unusable(String),
}

impl fmt::Display for EditError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unusable(message) => f.write_str(message),
        }
    }
}

impl std::error::Error for EditError {}

/// `text` with `changes` made; the result was read again and holds exactly the changes.
///
/// # Errors
/// See [`EditError`].
pub fn apply(text: &str, changes: &[Change]) -> Result<String, EditError> {
    let before = tree(text, Merges::Resolved)?;
    let mut expected = model::Model::of(before.as_ref());
    let mut edited = text.to_owned();
    for change in changes {
        expected = expected.with(change)?;
        if let Some(next) = target::edit(&edited, change)? {
            edited = next;
        }
    }
    let after = tree(&edited, Merges::Resolved).map_err(|_| unproven(changes))?;
    if model::Model::of(after.as_ref()).is_same(&expected) { Ok(edited) } else { Err(unproven(changes)) }
}

/// The tree of a text that must be sound.
fn tree(text: &str, merges: Merges) -> Result<Option<Node>, EditError> {
    if text.len() > LARGEST {
        return Err(EditError::Unusable(format!("the file is larger than {} MiB", LARGEST >> 20)));
    }
    let tree = build(text, merges);
    match tree.mistakes.first() {
        None => Ok(tree.root),
        Some(mistake) => {
            let line = super::hint::line_number(text, mistake.span.start);
            Err(EditError::Unusable(format!("line {line}: {}", mistake.message)))
        }
    }
}

fn unproven(changes: &[Change]) -> EditError {
    let keys: Vec<String> = changes.iter().map(|change| format!("`{}`", change.path.join("."))).collect();
    let keys = keys.join(", ");
    EditError::Unusable(format!("{keys} can't be changed without changing something else (an anchor?); change the file by hand"))
}

#[cfg(test)]
mod any_file_tests;
#[cfg(test)]
mod tests;
