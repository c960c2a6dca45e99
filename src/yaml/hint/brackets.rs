//! Mistakes in and around `[ ]` and `{ }`.

use super::super::line::{Line, quoted};
use super::super::mistake::Mistake;
use super::case::Case;
use super::{QUOTE_IT, must_be_quoted, with_mended};

impl<'t> Case<'t> {
    /// A comma or bracket was expected inside `[ ]` or `{ }`.
    pub(super) fn in_brackets(&self) -> Option<Mistake> {
        let slot = self.line.slots().into_iter().rfind(|slot| {
            let opens_here = self.line.text[slot.value..].starts_with('[') && slot.value == self.column;
            slot.value <= self.column && slot.depth > 0 && !opens_here
        });
        if self.context.last.start < self.line.start && self.rest().starts_with(':') {
            let above = Line::at(self.text, self.context.last.start);
            let end = above.content_end();
            return Some(Mistake::new(above.span(end, end), "a comma is missing", "add a `,` here"));
        }
        // The slot may lie inside brackets that are part of the text: `$.a[0].b`.
        let last = self.context.last.start.checked_sub(self.line.start);
        let slot = slot.and_then(|slot| match last {
            Some(last) if last <= slot.value => self.line.slots().into_iter().rfind(|slot| slot.value == last),
            _ => Some(slot),
        })?;
        let rest = self.rest();
        if rest.starts_with(['[', '{']) {
            let end = self.line.value_end(slot, true);
            let message = "text with `[` or `{` in it must be quoted inside brackets";
            let mended = self.line.mended(slot, end, &quoted(&self.line.text[slot.value..end]));
            return Some(with_mended(Mistake::new(self.line.span(slot.value, end), message, QUOTE_IT), &mended));
        }
        let end = self.line.value_end(slot, false);
        let value = &self.line.text[slot.value..end];
        if rest.starts_with(':') {
            let mended = self.line.mended(slot, end, &quoted(value));
            let mistake = Mistake::new(self.line.span(slot.value, end), "a value with `: ` in it must be quoted", QUOTE_IT);
            return Some(with_mended(mistake, &mended));
        }
        if value.starts_with(['[', '{', '*', '&', '!']) {
            return Some(must_be_quoted(self.line, slot));
        }
        self.unclosed()
    }

    pub(super) fn unclosed(&self) -> Option<Mistake> {
        let before = self.line.text.get(..self.column).unwrap_or_default().trim_end();
        if self.rest().starts_with(',') && before.ends_with(',') {
            return Some(Mistake::new(self.here(), "nothing stands between two commas", "take one of them out"));
        }
        let at = self.context.open?;
        let line = Line::at(self.text, at);
        let column = at - line.start;
        let bracket = line.text.get(column..=column)?;
        let close = if bracket == "[" { "]" } else { "}" };
        let mistake = Mistake::new(line.span(column, column + 1), "a bracket is never closed", "add the closing one")
            .shown_message(format!("this `{bracket}` is never closed"))
            .shown(format!("add the closing `{close}`"));
        Some(mistake.help("text that starts with a bracket must be quoted"))
    }

    pub(super) fn mismatched(&self, open: char, close: char) -> Mistake {
        let span = self.here();
        Mistake::new(span, "a bracket is closed by one of another kind", "expected the same kind")
            .shown_message(format!("this `{open}` is closed by a `{close}`"))
            .shown(format!("expected `{}`", if open == '[' { ']' } else { '}' }))
    }

    /// Text behind a value that looked complete: `[x] y`, `{id}/x`, `*x y`.
    pub(super) fn behind_value(&self) -> Option<Mistake> {
        let slot = self.slot().filter(|slot| slot.value < self.column)?;
        let first = self.line.text[slot.value..].chars().next()?;
        // Brackets are slots of their own for what stands in them; the value starts at the outermost one of this line.
        let outer = self.line.slots().into_iter().rfind(|slot| {
            slot.depth == 0 && slot.value < self.column && self.line.text[slot.value..].starts_with(['[', '{', '*', '&', '!'])
        });
        match outer {
            Some(outer) => Some(must_be_quoted(self.line, outer)),
            None if "*&!".contains(first) => Some(must_be_quoted(self.line, slot)),
            None => None,
        }
    }
}
