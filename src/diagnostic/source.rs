//! Source text with places in it: the one type for offsets, lines and columns.

use std::fmt;
use std::sync::Arc;

use super::Diagnostic;

/// A range of bytes of a [`SourceFile`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Span {
    /// First byte.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
}

impl Span {
    /// The range `start..end`.
    #[must_use]
    pub const fn new(start: usize, end: usize) -> Self {
        Self { start, end }
    }

    /// Whether the two ranges share a byte (an empty range lies in what surrounds it).
    #[must_use]
    pub const fn touches(self, other: Self) -> bool {
        self.start <= other.end && other.start <= self.end
    }
}

/// A line and a column, both 1-based; columns count characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// 1-based line.
    pub line: usize,
    /// 1-based column, in characters.
    pub column: usize,
}

/// How much of a file a diagnostic may show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hidden {
    /// Everything may be shown.
    Nothing,
    /// Lines that touch one of these ranges stay hidden (values under a tag).
    Ranges(Vec<Span>),
    /// No line is ever shown (a local file, a file of secrets).
    All,
}

/// A text that was read, with the name under which people know it.
#[derive(PartialEq, Eq)]
pub struct SourceFile {
    name: String,
    text: String,
    line_starts: Vec<usize>,
    hidden: Hidden,
}

impl fmt::Debug for SourceFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SourceFile").field("name", &self.name).finish_non_exhaustive()
    }
}

impl SourceFile {
    /// A file called `name` (as it should be printed) that holds `text`.
    #[must_use]
    pub fn new(name: impl Into<String>, text: impl Into<String>, hidden: Hidden) -> Self {
        let text = text.into();
        // A byte order mark is no column: an editor does not show it either.
        let first = if text.starts_with('\u{FEFF}') { '\u{FEFF}'.len_utf8() } else { 0 };
        let line_starts = std::iter::once(first).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        Self { name: name.into(), text, line_starts, hidden }
    }

    /// The name under which the file is printed.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The whole text.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The text of a range; empty when the range does not lie on character borders.
    #[must_use]
    pub fn slice(&self, span: Span) -> &str {
        self.text.get(span.start..span.end).unwrap_or_default()
    }

    /// Line and column of a byte offset; an offset past the end is the end.
    #[must_use]
    pub fn position(&self, offset: usize) -> Position {
        let offset = offset.min(self.text.len()).max(self.line_starts[0]);
        let line = self.line_starts.partition_point(|&start| start <= offset);
        let start = self.line_starts[line - 1];
        let column = self.text.as_bytes()[start..offset].iter().filter(|&&b| b & 0xC0 != 0x80).count() + 1;
        Position { line, column }
    }

    /// The range of a 1-based line, without its line break.
    pub(super) fn line(&self, line: usize) -> Span {
        let start = self.line_starts.get(line - 1).copied().unwrap_or(self.text.len());
        let end = self.line_starts.get(line).map_or(self.text.len(), |next| next - 1);
        let end = if end > start && self.text.as_bytes()[end - 1] == b'\r' { end - 1 } else { end };
        Span::new(start, end)
    }

    /// Whether a diagnostic may show this range's line.
    pub(super) fn may_show(&self, line: Span) -> bool {
        match &self.hidden {
            Hidden::Nothing => true,
            Hidden::Ranges(ranges) => !ranges.iter().any(|range| range.touches(line)),
            Hidden::All => false,
        }
    }

    /// Whether a diagnostic at `span` may show its line.
    #[must_use]
    pub fn shows(&self, span: Span) -> bool {
        self.may_show(self.line(self.position(span.start).line))
    }

    /// Whether every line of this file stays hidden.
    #[must_use]
    pub fn is_hidden(&self) -> bool {
        self.hidden == Hidden::All
    }
}

/// A range in a file: what a diagnostic points at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The file.
    pub file: Arc<SourceFile>,
    /// The range in it.
    pub span: Span,
}

impl Place {
    /// The range `span` of `file`.
    #[must_use]
    pub fn new(file: &Arc<SourceFile>, span: Span) -> Self {
        Self { file: Arc::clone(file), span }
    }

    /// An error at this place.
    pub fn error(&self, message: impl Into<String>) -> Diagnostic {
        Diagnostic::error(message).at(self.clone())
    }

    /// A warning at this place.
    pub fn warning(&self, message: impl Into<String>) -> Diagnostic {
        Diagnostic::warning(message).at(self.clone())
    }

    /// Whether a message about this place may repeat what stands there.
    #[must_use]
    pub fn shows(&self) -> bool {
        self.file.shows(self.span)
    }

    /// `key`, which stands here, if a message may repeat it: always on a line that may be shown, else only when it is formed like a
    /// name. A slip in a local file can make a key of a piece of a secret.
    #[must_use]
    pub fn nameable<'k>(&self, key: &'k str) -> Option<&'k str> {
        (self.shows() || looks_like_a_name(key)).then_some(key)
    }

    /// The 1-based line.
    #[must_use]
    pub fn line(&self) -> usize {
        self.file.position(self.span.start).line
    }
}

/// Whether `key` is a word of letters, digits and `_`.
#[must_use]
pub fn looks_like_a_name(key: &str) -> bool {
    let form = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    key.bytes().next().is_some_and(|first| !first.is_ascii_digit()) && key.bytes().all(form)
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Position { line, column } = self.file.position(self.span.start);
        write!(f, "{}:{line}:{column}", self.file.name())
    }
}
