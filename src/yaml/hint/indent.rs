//! Lines that are indented like none above them, or with tabs.

use super::super::line::Line;
use super::super::mistake::Mistake;
use super::case::{Case, not_a_key};

impl<'t> Case<'t> {
    pub(super) fn tab(&self) -> Option<Mistake> {
        let mut line = self.line;
        for _ in 0..3 {
            let blanks = line.text.len() - line.text.trim_start_matches([' ', '\t', '-']).len();
            if let Some(tab) = line.text[..blanks].find('\t') {
                let tabs = line.text[tab..].bytes().take_while(|&b| b == b'\t').count();
                return Some(Mistake::new(line.span(tab, tab + tabs), "a tab can't indent YAML", "use spaces"));
            }
            let next = line.start + self.text.get(line.start..)?.find('\n')? + 1;
            line = Line::at(self.text, next);
        }
        None
    }

    /// A line that is indented like none of those above it.
    pub(super) fn indentation(&self) -> Option<Mistake> {
        let indent = self.line.indent();
        let is_item = |line: Line<'_>| matches!(line.text.as_bytes().get(line.indent()..), Some([b'-'] | [b'-', b' ', ..]));
        if indent != self.column && !is_item(self.line) {
            return None;
        }
        let span = self.line.span(indent, self.line.content_end());
        let (mut deeper, mut limit) = (None, usize::MAX);
        let mut above = self.line.above(self.text);
        while let Some(line) = above {
            above = line.above(self.text);
            if line.is_blank() || line.indent() >= limit {
                continue;
            }
            limit = line.indent();
            let within = limit + if is_item(line) { 2 } else { 0 };
            if limit == indent {
                return match (is_item(line), is_item(self.line)) {
                    (true, false) => Some(Mistake::new(span, "a key can't stand beside list items", "expected `- `")),
                    (false, true) => Some(Mistake::new(span, "a list item can't stand beside keys", "expected `key: value`")),
                    _ => None,
                };
            }
            deeper = [limit, within].into_iter().find(|&column| column > indent).or(deeper);
            if limit < indent {
                return Some(Mistake::new(span, "wrong indentation", indented(Some(limit), deeper, indent)));
            }
        }
        deeper.map(|_| Mistake::new(span, "wrong indentation", indented(None, deeper, indent)))
    }

    /// A key whose line was read as the rest of the value above it.
    pub(super) fn colon_below(&self, above: Line<'t>) -> Option<Mistake> {
        if above.slots().iter().any(|slot| slot.entry < slot.value && above.start + slot.value <= self.context.last.start) {
            let (indent, end) = (self.line.indent(), self.line.content_end());
            let label = "the line above has a value already, so nothing can be indented below it";
            return Some(Mistake::new(self.line.span(indent, end), "wrong indentation", label));
        }
        Some(not_a_key(above))
    }
}

fn indented(outer: Option<usize>, deeper: Option<usize>, found: usize) -> String {
    let expected: Vec<String> = outer.into_iter().chain(deeper).map(|columns| columns.to_string()).collect();
    let plural = if expected == ["1"] { "" } else { "s" };
    format!("expected {} space{plural}, found {found}", expected.join(" or "))
}
