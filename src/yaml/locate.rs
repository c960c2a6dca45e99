//! From a range in a scalar's resolved text back to the file.

use std::ops::Range;

use super::Node;
use crate::diagnostic::{SourceFile, Span};

/// Where `range` of the resolved text of `node` stands in the file: exactly where the text stands as it is, else at the same
/// occurrence of the same characters, else the whole value.
#[must_use]
pub fn locate(file: &SourceFile, node: &Node, range: Range<usize>) -> Span {
    let raw = file.slice(node.span);
    found(raw, node, range).map_or(node.span, |found| Span::new(node.span.start + found.start, node.span.start + found.end))
}

/// The range in the raw text.
fn found(raw: &str, node: &Node, range: Range<usize>) -> Option<Range<usize>> {
    let text = node.scalar()?.text.as_str();
    let piece = text.get(range.clone())?;
    let quote = usize::from(raw.len() >= 2 && raw.starts_with(['"', '\'']) && raw.ends_with(['"', '\'']));
    if raw.get(quote..raw.len() - quote) == Some(text) {
        return Some(range.start + quote..range.end + quote);
    }
    if raw == text {
        return Some(range);
    }
    if piece.is_empty() {
        return None;
    }
    // Occurrences are counted with overlap, in the text and in the raw text alike.
    let nth = occurrences(text, piece).take_while(|&at| at < range.start).count();
    let at = occurrences(raw, piece).nth(nth)?;
    Some(at..at + piece.len())
}

fn occurrences<'t>(text: &'t str, piece: &'t str) -> impl Iterator<Item = usize> + 't {
    let mut from = 0;
    std::iter::from_fn(move || {
        let at = from + text.get(from..)?.find(piece)?;
        from = at + text[at..].chars().next().map_or(1, char::len_utf8);
        Some(at)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::yaml::{Privacy, read};

    fn located(text: &str, piece: &str, nth: usize) -> String {
        let document = read("a.yaml", text.to_owned(), Privacy::Open).unwrap();
        let root = document.root.unwrap();
        let node = root.get("a").unwrap();
        let start = node.scalar().unwrap().text.match_indices(piece).nth(nth).unwrap().0;
        let span = locate(&document.file, node, start..start + piece.len());
        format!("{}:{}", span.start, document.file.slice(span))
    }

    #[test]
    fn a_piece_of_a_value_is_found_in_the_file() {
        for (text, piece, nth, expected) in [
            ("a: x y z", "y", 0, "5:y"),
            ("a: 'x y z'", "y", 0, "6:y"),
            ("a: \"é {{ x }}\"", "{{ x }}", 0, "7:{{ x }}"),
            ("a: 'it''s {{ x }}'", "{{ x }}", 0, "10:{{ x }}"),
            ("a: \"\\\"{{ x }}\\\" {{ x }}\"", "{{ x }}", 1, "16:{{ x }}"),
            ("a: |\n  x\n  {{ y }}\n  {{ y }}\n", "{{ y }}", 1, "21:{{ y }}"),
            ("a: >-\n  x\n  {{ y }}\n", "{{ y }}", 0, "12:{{ y }}"),
            // The escape hides the piece: the whole value is shown.
            ("a: \"\\x41b\"", "Ab", 0, "3:\"\\x41b\""),
        ] {
            assert_eq!(located(text, piece, nth), expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_span_never_cuts_a_character(text in "[a'\"\\\\é{} \n]{0,20}", from in 0..30_usize, to in 0..30_usize) {
            let yaml = format!("a: {}\n", crate::yaml::write::scalar(&text.clone().into()));
            let document = read("a.yaml", yaml, Privacy::Open).unwrap();
            let root = document.root.unwrap();
            let node = root.get("a").unwrap();
            let span = locate(&document.file, node, from..to);
            prop_assert!(document.file.text().get(span.start..span.end).is_some());
            if let Some(piece) = text.get(from..to) {
                let shown = document.file.slice(span);
                prop_assert!(shown == piece || span == node.span, "{shown} {piece}");
            }
        }
    }
}
