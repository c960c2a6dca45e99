//! What to say when a text is not YAML: the parser's rule that broke is turned into the mistake that a person made.
//!
//! Messages and plain labels hold no piece of a value; only [`Mistake::shown`] and [`Mistake::shown_message`] do.

mod brackets;
mod case;
mod indent;
mod quotes;

use granit_parser::ErrorKind;

use super::line::{Line, Slot, quoted};
use super::mistake::Mistake;
use crate::diagnostic::Span;
use case::Case;

/// What the reader knew when the scan broke off.
#[derive(Debug, Clone, Copy)]
pub(super) struct Context {
    /// The last scalar or alias.
    pub(super) last: Span,
    /// The innermost `[` or `{` that is still open.
    pub(super) open: Option<usize>,
}

/// What the label says where the line can't be repeated.
const QUOTE_IT: &str = "put the value in quotes";

/// The mistake behind a scan error of the given kind at the byte `at`.
pub(super) fn scan_error(text: &str, kind: &ErrorKind, at: usize, context: Context) -> Mistake {
    let line = Line::at(text, at);
    let column = at.saturating_sub(line.start).min(line.text.len());
    let case = Case { text, line, column, context };
    case.template().or_else(|| case.of_kind(kind)).unwrap_or_else(|| case.unknown(kind))
}

/// An alias that no anchor stands before: mostly text that starts with `*`.
pub(super) fn unknown_alias(text: &str, span: Span) -> Mistake {
    let line = Line::at(text, span.start);
    let name = text.get(span.start + 1..span.end).unwrap_or_default();
    let is_name = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
    let slot = line.slots().into_iter().find(|slot| line.start + slot.value == span.start);
    match slot {
        Some(slot) if !is_name || line.start + line.value_end(slot, false) > span.end => must_be_quoted(line, slot),
        _ => Mistake::new(span, "this alias has no anchor before it", "an anchor is written `&name`")
            .help("text that starts with `*` must be quoted"),
    }
}

/// A map as a key that is really an unquoted `{{ … }}`; `outer` is where the map around the key starts.
pub(super) fn template_key(text: &str, outer: usize, key: usize) -> Option<Mistake> {
    let at = if text.get(outer..)?.starts_with("{{") && outer + 1 == key { outer } else { key };
    if !text.get(at..)?.starts_with("{{") {
        return None;
    }
    let line = Line::at(text, at);
    // A tag or an anchor may stand between the start of the slot and the template.
    let slot = line.slots().into_iter().rfind(|slot| line.start + slot.value <= at)?;
    Some(template_at(line, Slot { value: at - line.start, ..slot }))
}

/// A value that a comment cuts off: ` #x` with no space behind the `#`.
pub(super) fn cut_by_comment(text: &str, at: usize, absent: bool) -> Mistake {
    let line = Line::at(text, at);
    let column = at - line.start;
    let message =
        if absent { "this is a comment, so the value is empty" } else { "this is a comment, so the value ends before it" };
    let rest = line.text[column..].trim_end();
    let slots = line.slots();
    let slot = slots.last().copied().filter(|slot| !absent && slot.value < column);
    let slot = slot.unwrap_or(Slot { entry: slots.last().map_or(column, |slot| slot.entry), value: column, depth: 0 });
    let value = line.text.get(slot.value..column + rest.len()).unwrap_or_default();
    let mended = line.mended(slot, column + rest.len(), &quoted(value));
    let mistake = Mistake::new(line.span(column, column + rest.len()), message, QUOTE_IT);
    if mended.is_empty() {
        return mistake.help("a comment is meant? put a space behind the `#`");
    }
    mistake
        .shown(format!("if it belongs to the value, write it quoted: {mended}"))
        .help("a comment is meant? put a space behind the `#`")
}

/// Whether anything in the text looks like a tag.
pub(super) fn has_tag(text: &str) -> bool {
    text.match_indices('!').any(|(at, _)| {
        let before = text[..at].chars().next_back();
        let after = text[at + 1..].chars().next();
        before.is_none_or(|c| c.is_whitespace() || "[{,:-?\u{FEFF}".contains(c)) && after != Some('=')
    })
}

/// The 1-based line of a byte.
pub(super) fn line_number(text: &str, at: usize) -> usize {
    text.as_bytes().iter().take(at).filter(|&&b| b == b'\n').count() + 1
}

fn with_mended(mistake: Mistake, mended: &str) -> Mistake {
    if mended.is_empty() { mistake } else { mistake.shown(format!("write it quoted: {mended}")) }
}

/// The value of a slot starts with a character that means something to YAML.
fn must_be_quoted(line: Line<'_>, slot: Slot) -> Mistake {
    let end = line.value_end(slot, false);
    let first = line.text[slot.value..].chars().next().unwrap_or('*');
    let message = match first {
        '`' => "a value that starts with a backtick must be quoted".to_owned(),
        first => format!("a value that starts with `{first}` must be quoted"),
    };
    let mended = line.mended(slot, end, &quoted(&line.text[slot.value..end]));
    let neutral = "a value that starts with a sign such as `*`, `@` or `{` must be quoted";
    with_mended(Mistake::new(line.span(slot.value, end), neutral, QUOTE_IT).shown_message(message), &mended)
}

fn template_at(line: Line<'_>, slot: Slot) -> Mistake {
    let end = line.value_end(slot, true);
    let brackets = if line.text[slot.value..].starts_with("{%") { "{% %}" } else { "{{ }}" };
    let message = format!("a value that starts with `{brackets}` must be quoted");
    let mended = line.mended(slot, end, &quoted(&line.text[slot.value..end]));
    with_mended(Mistake::new(line.span(slot.value, end), message, QUOTE_IT), &mended)
}

fn never_closed(span: Span) -> Mistake {
    Mistake::new(span, "this quote is never closed", "add the closing quote")
}
