//! One line of YAML, taken apart roughly: where its values start and end. Only hints use it, since it must also make sense of
//! lines that are wrong.

use crate::diagnostic::Span;

/// The longest piece of a line that a label repeats, in bytes.
const LONGEST: usize = 120;
/// The longest line that is taken apart, in bytes: hints for lines beyond it are general ones.
const WALKED: usize = 16 << 10;

/// One line and where it stands in its text.
#[derive(Debug, Clone, Copy)]
pub(super) struct Line<'t> {
    pub(super) text: &'t str,
    pub(super) start: usize,
}

/// A place of a line where a key or value starts. All offsets count from the start of the line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Slot {
    /// Where the entry starts: the key, or the value itself where there is none.
    pub(super) entry: usize,
    /// Where the value starts.
    pub(super) value: usize,
    /// How many brackets of this line are open.
    pub(super) depth: usize,
}

impl<'t> Line<'t> {
    /// The line of `text` that holds the byte `at`.
    pub(super) fn at(text: &'t str, at: usize) -> Self {
        let mut at = at.min(text.len());
        while !text.is_char_boundary(at) {
            at -= 1;
        }
        let start = text[..at].rfind('\n').map_or(0, |nl| nl + 1);
        let end = text[at..].find('\n').map_or(text.len(), |nl| at + nl);
        Self { text: text[start..end].trim_end_matches('\r'), start }
    }

    /// The line above, if there is one.
    pub(super) fn above(self, text: &'t str) -> Option<Self> {
        Some(Self::at(text, self.start.checked_sub(1)?))
    }

    /// A range of this line as a range of the text.
    pub(super) fn span(self, start: usize, end: usize) -> Span {
        Span::new(self.start + start, self.start + end.max(start))
    }

    /// The number of spaces at its start.
    pub(super) fn indent(self) -> usize {
        self.text.len() - self.text.trim_start_matches(' ').len()
    }

    /// Whether nothing but a comment stands in it.
    pub(super) fn is_blank(self) -> bool {
        let text = self.text.trim_start();
        text.is_empty() || text.starts_with('#')
    }

    /// The line without its comment and the spaces before that.
    pub(super) fn content_end(self) -> usize {
        let end = self.text.match_indices('#').map(|(at, _)| at).find(|&at| self.text[..at].ends_with([' ', '\t']));
        self.text[..end.unwrap_or(self.text.len())].trim_end().len()
    }

    /// Where keys and values start, in order.
    pub(super) fn slots(self) -> Vec<Slot> {
        let mut slots = Vec::new();
        if self.text.len() > WALKED {
            return slots;
        }
        let mut walk = Walk { bytes: self.text.as_bytes(), at: 0, entry: 0, depth: 0 };
        walk.blanks();
        while walk.bytes.get(walk.at) == Some(&b'-') && matches!(walk.bytes.get(walk.at + 1), Some(b' ' | b'\t')) {
            walk.at += 1;
            walk.blanks();
        }
        walk.entry = walk.at;
        while walk.at < walk.bytes.len() && walk.bytes[walk.at] != b'#' {
            slots.push(Slot { entry: walk.entry, value: walk.at, depth: walk.depth });
            walk.node();
        }
        slots
    }

    /// Where the value of a slot ends: at the end of the line, or where the brackets around it say so. A key ends at `: `.
    pub(super) fn value_end(self, slot: Slot, key: bool) -> usize {
        let bytes = self.text.as_bytes();
        let last = self.content_end().max(slot.value);
        let mut at = slot.value;
        let mut open = 0_usize;
        while at < last {
            if bytes[at..].starts_with(b"{{") || bytes[at..].starts_with(b"{%") {
                at = template_end(self.text, at);
                continue;
            }
            match bytes[at] {
                b'[' | b'{' => open += 1,
                b']' | b'}' if open > 0 => open -= 1,
                b']' | b'}' | b',' if open == 0 && slot.depth > 0 => break,
                b':' if key && open == 0 && matches!(bytes.get(at + 1), None | Some(b' ' | b'\t')) => break,
                _ => {}
            }
            at += 1;
        }
        let at = at.min(last);
        slot.value + self.text.get(slot.value..at).map_or(0, |text| text.trim_end().len())
    }

    /// The entry with the range `value..end` in quotes, as it should be written; empty when it is too long to repeat.
    pub(super) fn mended(self, slot: Slot, end: usize, text: &str) -> String {
        let before = self.text.get(slot.entry..slot.value).unwrap_or_default();
        let pair = self.value_end(Slot { value: end, ..slot }, false);
        let after = if slot.depth > 0 || self.text[end..].starts_with(':') { self.text.get(end..pair) } else { None };
        let mended = format!("{before}{text}{}", after.unwrap_or_default());
        if mended.len() > LONGEST { String::new() } else { mended }
    }
}

/// Text in quotes that need no escapes where that is possible.
pub(super) fn quoted(text: &str) -> String {
    if text.contains(['"', '\\']) { format!("'{}'", text.replace('\'', "''")) } else { format!("\"{text}\"") }
}

/// Where `{{ … }}` or `{% … %}` that starts at `at` ends.
fn template_end(text: &str, at: usize) -> usize {
    let close = if text[at..].starts_with("{{") { "}}" } else { "%}" };
    text[at..].find(close).map_or(text.len(), |end| at + end + 2)
}

struct Walk<'t> {
    bytes: &'t [u8],
    at: usize,
    entry: usize,
    depth: usize,
}

impl Walk<'_> {
    fn blanks(&mut self) {
        while matches!(self.bytes.get(self.at), Some(b' ' | b'\t')) {
            self.at += 1;
        }
    }

    /// Walks over what starts here, up to where the next key or value starts.
    fn node(&mut self) {
        match self.bytes[self.at] {
            quote @ (b'"' | b'\'') => self.quoted(quote),
            b'{' if matches!(self.bytes.get(self.at + 1), Some(b'{' | b'%')) => {
                let close: &[u8] = if self.bytes[self.at + 1] == b'{' { b"}}" } else { b"%}" };
                let rest = &self.bytes[self.at..];
                self.at += rest.windows(2).position(|pair| pair == close).map_or(rest.len(), |end| end + 2);
            }
            b'{' | b'[' => {
                self.depth += 1;
                return self.next();
            }
            _ => {}
        }
        self.plain();
    }

    fn quoted(&mut self, quote: u8) {
        self.at += 1;
        while let Some(&byte) = self.bytes.get(self.at) {
            self.at += if byte == b'\\' && quote == b'"' { 2 } else { 1 };
            if byte == quote {
                break;
            }
        }
        self.at = self.at.min(self.bytes.len());
    }

    /// Walks to the end of the text: `: `, a comment, or a bracket or comma inside brackets.
    fn plain(&mut self) {
        while let Some(&byte) = self.bytes.get(self.at) {
            let blank_behind = matches!(self.bytes.get(self.at + 1), None | Some(b' ' | b'\t'));
            match byte {
                b':' if blank_behind => {
                    self.at += 1;
                    self.blanks();
                    return;
                }
                b'#' if matches!(self.at.checked_sub(1).map(|at| self.bytes[at]), Some(b' ' | b'\t')) => {
                    self.at = self.bytes.len();
                    return;
                }
                b',' if self.depth > 0 => return self.next(),
                b']' | b'}' if self.depth > 0 => self.depth -= 1,
                _ => {}
            }
            self.at += 1;
        }
    }

    fn next(&mut self) {
        self.at += 1;
        self.blanks();
        self.entry = self.at;
    }
}
