//! The text around one entry: where it starts and ends, and how a new one is written in its place.

use serde_json::Value as Json;

use super::super::line::Line;
use super::super::{Entry, Node, Value, write};
use super::EditError;
use crate::diagnostic::Span;

/// A value to be written.
pub(super) struct Block {
    pub(super) tag: Option<&'static str>,
    pub(super) value: Json,
}

impl Block {
    /// Whether it stands on lines of its own outside brackets.
    fn is_lines(&self) -> bool {
        matches!(&self.value, Json::Object(map) if !map.is_empty())
    }

    /// The value on one line.
    fn line(&self, in_brackets: bool) -> String {
        let value = if in_brackets { write::inline(&self.value) } else { write::scalar(&self.value) };
        match (self.tag, &self.value) {
            (None, _) => value,
            (Some(tag), Json::Null) => tag.to_owned(),
            (Some(tag), _) => format!("{tag} {value}"),
        }
    }
}

/// A text that is about to be changed.
pub(super) struct Spot<'t> {
    text: &'t str,
    newline: &'static str,
}

impl<'t> Spot<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        let newline = match text.find('\n') {
            Some(at) if text[..at].ends_with('\r') => "\r\n",
            _ => "\n",
        };
        Self { text, newline }
    }

    /// Whether the collection that starts here is written in brackets.
    pub(super) fn is_bracket(&self, at: usize) -> bool {
        self.text.get(at..).is_some_and(|text| text.starts_with(['{', '[']))
    }

    /// Whether the text of a range stands without quotes.
    pub(super) fn is_plain(&self, span: Span) -> bool {
        !self.text.get(span.start..span.end).is_some_and(|text| text.starts_with(['"', '\'']))
    }

    /// The text of a file without a value, with its first entry.
    pub(super) fn first_entry(&self, (key, block): &(String, Block)) -> String {
        let mut out = self.text.to_owned();
        if !out.is_empty() && !out.ends_with('\n') && out != "\u{FEFF}" {
            out.push_str(self.newline);
        }
        out.push_str(&self.entry(key, block, 0));
        out.push_str(self.newline);
        out
    }

    /// Key and value as they stand in a block, without a line break at the end.
    fn entry(&self, key: &str, block: &Block, indent: usize) -> String {
        let mut out = format!("{}:", write::key(key));
        out.push_str(&self.behind_colon(block, indent));
        out
    }

    /// What stands behind the colon of a key that is indented by `indent`.
    fn behind_colon(&self, block: &Block, indent: usize) -> String {
        if !block.is_lines() {
            return format!(" {}", block.line(false));
        }
        let mut out = block.tag.map_or_else(String::new, |tag| format!(" {tag}"));
        write::block(&mut out, &block.value, indent + 2, self.newline);
        out
    }

    fn spliced(&self, span: Span, text: &str) -> String {
        let (before, after) = (&self.text[..span.start], &self.text[span.end.max(span.start)..]);
        let mut out = String::with_capacity(before.len() + text.len() + after.len());
        out.push_str(before);
        out.push_str(text);
        out.push_str(after);
        out
    }

    /// The end of the line that holds `at`, before its line break.
    fn line_end(&self, at: usize) -> usize {
        let line = Line::at(self.text, at);
        line.start + line.text.len()
    }

    /// How far the line's first character but spaces, list marks and the like is from its start, in characters.
    fn column(&self, at: usize) -> usize {
        let line = Line::at(self.text, at);
        self.text[line.start..at].trim_start_matches('\u{FEFF}').chars().count()
    }

    /// Where the colon of an entry ends; `None` where it has none (`{a}`).
    fn colon(&self, entry: &Entry) -> Option<usize> {
        let rest = &self.text[entry.key_span.end..];
        let gap = rest.len() - rest.trim_start().len();
        rest[gap..].starts_with(':').then_some(entry.key_span.end + gap + 1)
    }

    /// Where key and colon end.
    fn key_end(&self, entry: &Entry) -> usize {
        self.colon(entry).unwrap_or(entry.key_span.end)
    }

    /// Where the value begins with all that belongs to it (tag, anchor, `|`): the first token behind the colon.
    fn value_start(&self, from: usize, value: &Node) -> usize {
        let limit = value.used_at.start;
        let mut at = from;
        while at < limit {
            let rest = &self.text[at..limit];
            let blank = rest.len() - rest.trim_start().len();
            at += blank;
            if !self.text[at..limit].starts_with('#') {
                break;
            }
            at = self.line_end(at).min(limit);
        }
        at.min(limit)
    }

    /// Whether a value is a block scalar, by its header.
    fn header(&self, start: usize, value: &Node) -> Option<&'t str> {
        let mut head = self.text.get(start..value.span.start)?;
        while head.starts_with(['!', '&']) {
            head = head.find(char::is_whitespace).map_or("", |end| head[end..].trim_start_matches([' ', '\t']));
        }
        (head.starts_with(['|', '>']) && value.used_at == value.span).then(|| head.lines().next().unwrap_or_default())
    }

    /// The comment behind the header of a block scalar, with the space before it.
    fn header_comment(&self, start: usize, value: &Node) -> &'t str {
        let header = self.header(start, value).unwrap_or_default();
        header.find([' ', '\t']).map_or("", |at| header[at..].trim_end())
    }

    /// Where a value ends in the text: behind its last character, never a comment behind it.
    fn value_end(&self, from: usize, value: &Node) -> usize {
        let tag = value.tag.as_ref().filter(|_| value.used_at == value.span).map_or(from, |tag| tag.span.end);
        let end = value.used_at.end.max(tag);
        let start = self.value_start(from, value);
        match self.header(start, value) {
            // Without content the range of a block scalar lies somewhere behind its header.
            Some(_) if value.span.start == value.span.end => self.line_end(start),
            _ => end,
        }
    }

    /// Replaces the value of an entry.
    pub(super) fn replace(&self, entry: &Entry, block: &Block, in_brackets: bool) -> Result<String, EditError> {
        let value = &entry.value;
        let Some(colon) = self.colon(entry) else {
            let is_shorthand = in_brackets && value.span.start == value.span.end;
            let at = entry.key_span.end;
            return if is_shorthand {
                Ok(self.spliced(Span::new(at, at), &format!(": {}", block.line(true))))
            } else {
                Err(odd(entry))
            };
        };
        let start = self.value_start(colon, value);
        let end = self.value_end(colon, value).max(colon);
        let absent = start >= end;
        let same_line = Line::at(self.text, start).start == Line::at(self.text, colon).start;
        if in_brackets || (!block.is_lines() && !absent && (same_line || !self.is_block(value))) {
            let line = block.line(in_brackets);
            return Ok(match absent {
                true => self.spliced(Span::new(colon, colon), &format!(" {line}")),
                false => self.spliced(Span::new(start, end), &format!("{line}{}", self.header_comment(start, value))),
            });
        }
        if absent {
            return Ok(self.behind_line(colon, Span::new(colon, colon), block, entry));
        }
        let old = if same_line { Span::new(colon, end) } else { Span::new(self.end_of_line_above(start), end) };
        Ok(self.behind_line(colon, old, block, entry))
    }

    /// Takes the old value away and writes the new one behind the colon; a comment on the key's line stays there.
    fn behind_line(&self, colon: usize, old: Span, block: &Block, entry: &Entry) -> String {
        let cut = self.spliced(old, self.header_comment(self.value_start(colon, &entry.value), &entry.value));
        let spot = Spot { text: &cut, newline: self.newline };
        let new = spot.behind_colon(block, self.column(entry.key_span.start));
        let (first, rest) = new.split_at(new.find(self.newline).unwrap_or(new.len()));
        let with_lines = spot.spliced(Span::new(spot.line_end(colon), spot.line_end(colon)), rest);
        Spot { text: &with_lines, newline: self.newline }.spliced(Span::new(colon, colon), first)
    }

    fn end_of_line_above(&self, at: usize) -> usize {
        Line::at(self.text, at).above(self.text).map_or(at, |line| line.start + line.text.len())
    }

    /// Whether a collection stands on lines of its own.
    fn is_block(&self, value: &Node) -> bool {
        !matches!(value.value, Value::Scalar(_)) && value.used_at == value.span && !self.is_bracket(value.span.start)
    }

    /// Adds an entry behind the last one of a map.
    pub(super) fn append(&self, map: &Node, key: &str, block: &Block, in_brackets: bool) -> Result<String, EditError> {
        if in_brackets {
            return Ok(self.append_in_brackets(map, key, block));
        }
        let Some(last) = map.entries().and_then(<[Entry]>::last) else {
            return Err(EditError::Unusable("a map without keys can't be extended; change the file by hand".to_owned()));
        };
        let indent = self.column(map.span.start);
        let end = self.entry_end(last);
        let lead = format!("{}{}", self.newline, " ".repeat(indent));
        Ok(self.spliced(Span::new(end, end), &format!("{lead}{}", self.entry(key, block, indent))))
    }

    fn append_in_brackets(&self, map: &Node, key: &str, block: &Block) -> String {
        let entry = write::inline(&Json::Object([(key.to_owned(), Json::Null)].into_iter().collect()));
        let name = entry.strip_prefix('{').and_then(|e| e.strip_suffix(": null}")).unwrap_or(key);
        let new = format!("{name}: {}", block.line(true));
        let Some(last) = map.entries().and_then(<[Entry]>::last) else {
            let at = map.span.start + 1;
            return self.spliced(Span::new(at, at), &new);
        };
        let end = self.bracket_entry_end(last);
        match self.comma(end, map.span.end) {
            Some(comma) => self.spliced(Span::new(comma, comma), &format!(" {new}")),
            None => self.spliced(Span::new(end, end), &format!(", {new}")),
        }
    }

    /// Where an entry in brackets ends.
    fn bracket_entry_end(&self, entry: &Entry) -> usize {
        let from = self.key_end(entry);
        self.value_end(from, &entry.value).max(from)
    }

    /// The end of the comma that follows `from`, if one does.
    fn comma(&self, from: usize, limit: usize) -> Option<usize> {
        let mut at = from;
        loop {
            let rest = self.text.get(at..limit)?;
            at += rest.len() - rest.trim_start().len();
            match self.text.get(at..limit)?.chars().next()? {
                ',' => return Some(at + 1),
                '#' => at = self.line_end(at),
                _ => return None,
            }
        }
    }

    /// The end of the last line of a block entry, its comment included.
    fn entry_end(&self, entry: &Entry) -> usize {
        let from = self.key_end(entry);
        let end = self.line_end(self.value_end(from, &entry.value).max(from));
        let Some(keeps) = self.block_scalar_tail(from, &entry.value) else { return end };
        // Empty lines behind a block scalar may belong to it.
        let mut last = end;
        let mut at = end;
        while let Some(nl) = self.text[at..].find('\n') {
            at += nl + 1;
            let line = Line::at(self.text, at);
            let at_end = line.start >= self.text.len();
            if at_end || !line.text.trim_matches([' ', '\t']).is_empty() {
                break;
            }
            if keeps || !line.text.is_empty() {
                last = line.start + line.text.len();
            }
        }
        last
    }

    /// Whether a value ends with a block scalar, and whether that keeps its last empty lines (`|+`).
    fn block_scalar_tail(&self, from: usize, value: &Node) -> Option<bool> {
        let (mut from, mut value) = (from, value);
        loop {
            if value.used_at != value.span || self.is_bracket(value.span.start) && !matches!(value.value, Value::Scalar(_)) {
                return None;
            }
            match &value.value {
                Value::Scalar(_) => {
                    return self.header(self.value_start(from, value), value).map(|header| header.contains('+'));
                }
                Value::Mapping(entries) => {
                    let last = entries.last()?;
                    from = self.key_end(last);
                    value = &last.value;
                }
                Value::Sequence(items) => {
                    let last = items.last()?;
                    from = self.item_start(last);
                    value = last;
                }
            }
        }
    }

    /// Behind the `-` of a list item: the last one on the lines above its content that starts a token.
    fn item_start(&self, item: &Node) -> usize {
        let start = item.tag.as_ref().map_or(item.span.start, |tag| tag.span.start.min(item.span.start));
        let line = Line::at(self.text, start);
        let here = self.text[line.start..start].rfind("- ").map(|at| line.start + at + 1);
        let above = || {
            let line = line.above(self.text)?;
            line.text.rfind("- ").map(|at| line.start + at + 1)
        };
        here.or_else(above).unwrap_or(start)
    }

    /// Takes an entry away with its lines.
    pub(super) fn remove(&self, map: &Node, entry: &Entry, in_brackets: bool) -> String {
        let entries = map.entries().unwrap_or_default();
        let at = entries.iter().position(|other| other.key_span == entry.key_span).unwrap_or(0);
        let next = entries.get(at + 1);
        if in_brackets {
            return self.remove_in_brackets(entries, at, map);
        }
        let start = entry.key_span.start;
        let line = Line::at(self.text, start);
        let lead = &self.text[line.start..start];
        let is_first_on_line = lead.trim_start_matches('\u{FEFF}').trim().is_empty();
        match next {
            // `- a: 1` loses its first key: the next one moves up behind the `-`.
            Some(next) if !is_first_on_line => self.spliced(Span::new(start, next.key_span.start), ""),
            None if !is_first_on_line => self.spliced(Span::new(start, self.entry_end(entry)), "{}"),
            _ => {
                let bom = lead.len() - lead.trim_start_matches('\u{FEFF}').len();
                let end = self.entry_end(entry);
                let mut end = self.text[end..].find('\n').map_or(self.text.len(), |nl| end + nl + 1);
                let before = at.checked_sub(1).map(|before| &entries[before]);
                if before.is_some_and(|entry| self.block_scalar_tail(self.key_end(entry), &entry.value).is_some()) {
                    // Empty lines behind the key would join the block scalar above it.
                    let rest = &self.text[end..];
                    let content = rest.find(|c: char| !c.is_whitespace()).unwrap_or(rest.len());
                    end += rest[..content].rfind('\n').map_or(0, |nl| nl + 1);
                }
                self.spliced(Span::new(line.start + bom, end), "")
            }
        }
    }

    fn remove_in_brackets(&self, entries: &[Entry], at: usize, map: &Node) -> String {
        let start = entries[at].key_span.start;
        let end = self.bracket_entry_end(&entries[at]);
        match (entries.get(at + 1), at.checked_sub(1).map(|before| &entries[before])) {
            (Some(next), _) => self.spliced(Span::new(start, next.key_span.start), ""),
            (None, Some(before)) => self.spliced(Span::new(self.bracket_entry_end(before), end), ""),
            (None, None) => self.spliced(Span::new(start, self.comma(end, map.span.end).unwrap_or(end)), ""),
        }
    }
}

fn odd(entry: &Entry) -> EditError {
    EditError::Unusable(format!("`{}` is written in an unusual way; change the file by hand", entry.key))
}
