//! Where a range of a scalar's text stands in its file.

use std::ops::Range;

use crate::diagnostic::{SourceFile, Span};
use crate::yaml::Node;

/// The place in `file` of `range`, a byte range of the text of the scalar `node`.
pub(super) fn locate(file: &SourceFile, node: &Node, range: Range<usize>) -> Span {
    let text = node.scalar().map_or("", |scalar| scalar.text.as_str());
    let raw = file.slice(node.span);
    let start = node.span.start;
    for skipped in [0, 1] {
        if raw.get(skipped..skipped + text.len()) == Some(text) {
            return Span::new(start + skipped + range.start, start + skipped + range.end);
        }
    }
    // Escapes, folded lines or indentation lie between: the same words in the same order.
    let (Some(before), Some(needle)) = (text.get(..range.start), text.get(range)) else { return node.span };
    if needle.is_empty() {
        return node.span;
    }
    let nth = before.matches(needle).count();
    match raw.match_indices(needle).nth(nth) {
        Some((at, _)) => Span::new(start + at, start + at + needle.len()),
        None => node.span,
    }
}
