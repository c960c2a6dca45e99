//! From the rule that broke to the mistake that broke it.

use granit_parser::ErrorKind;

use super::super::line::{Line, Slot, quoted};
use super::super::mistake::Mistake;
use super::super::tree::DEPTH;
use super::{Context, QUOTE_IT, must_be_quoted, never_closed, template_at, with_mended};
use crate::diagnostic::{Span, looks_like_a_name};

/// One scan error, with the line on which it was noticed.
pub(super) struct Case<'t> {
    pub(super) text: &'t str,
    pub(super) line: Line<'t>,
    pub(super) column: usize,
    pub(super) context: Context,
}

impl<'t> Case<'t> {
    /// The rest of the line from the error on.
    pub(super) fn rest(&self) -> &'t str {
        self.line.text.get(self.column..).unwrap_or_default()
    }

    /// Where the character at the error ends.
    pub(super) fn next(&self) -> usize {
        self.column + self.rest().chars().next().map_or(0, char::len_utf8)
    }

    /// The character at the error.
    pub(super) fn here(&self) -> Span {
        self.line.span(self.column, self.next())
    }

    /// The last slot at or before the error.
    pub(super) fn slot(&self) -> Option<Slot> {
        self.line.slots().into_iter().rfind(|slot| slot.value <= self.column)
    }

    pub(super) fn rest_of_line(&self) -> Span {
        self.line.span(self.column, self.line.content_end().max(self.next()))
    }

    /// An unquoted template on the line, whatever rule it broke.
    pub(super) fn template(&self) -> Option<Mistake> {
        let is_template = |slot: &Slot| {
            let rest = &self.line.text[slot.value..];
            (rest.starts_with("{{") || rest.starts_with("{%")) && slot.value <= self.column
        };
        self.line.slots().into_iter().find(is_template).map(|slot| template_at(self.line, slot))
    }

    pub(super) fn of_kind(&self, kind: &ErrorKind) -> Option<Mistake> {
        use ErrorKind as K;
        match kind {
            K::UnexpectedCharacter { character } if character.is_control() => Some(self.control(*character)),
            K::UnexpectedCharacter { .. }
            | K::MissingAnchorOrAliasName
            | K::InvalidBlockScalarHeader
            | K::MappingKeyNotAllowed
            | K::UnclosedVerbatimTag
            | K::UndeclaredTagHandle
            | K::InvalidTagTerminator
            | K::InvalidGlobalTagCharacter
            | K::MissingTagUri
            | K::InvalidTagEscape
            | K::ExpectedTagBang => self.starts_with_sign(),
            K::MappingValueNotAllowed | K::SimpleKeyExpected => self.colon(),
            K::UnknownQuotedScalarEscape
            | K::InvalidQuotedScalarHexEscape
            | K::InvalidUnicodeEscape
            | K::UnpairedLowSurrogate
            | K::MissingLowSurrogate
            | K::InvalidLowSurrogate
            | K::InvalidLowSurrogateHexEscape => self.escape(),
            K::UnclosedQuotedScalar | K::DocumentIndicatorInQuotedScalar | K::InvalidQuotedScalarIndent => {
                Some(never_closed(self.rest_of_line()))
            }
            K::InvalidTrailingSingleQuotedScalar | K::InvalidTrailingDoubleQuotedScalar => self.behind_quote(),
            K::TabInBlockIndentation
            | K::TabInIndentation
            | K::TabInPlainScalar
            | K::TabNotAllowed
            | K::TabAtBlockScalarStart
            | K::InvalidBlockEntryWhitespace
            | K::InvalidMappingValueWhitespace => self.tab(),
            K::ExpectedFlowMappingSeparator | K::ExpectedFlowSequenceSeparator => self.in_brackets(),
            K::UnclosedFlowCollection { .. }
            | K::UnexpectedEofFlowMapping
            | K::UnexpectedEofFlowSequence
            | K::UnexpectedEofImplicitFlowMapping
            | K::InvalidColonPlacement
            | K::InvalidFlowScalarIndent => self.unclosed(),
            K::MismatchedFlowCollectionEnd { open, close } => Some(self.mismatched(*open, *close)),
            K::MisplacedFlowCollectionEnd => Some(Mistake::new(
                self.here(),
                "a closing bracket without an opening one",
                "take it away, or put the value in quotes",
            )),
            K::BlockSequenceEntryNotAllowed => Some(
                Mistake::new(self.rest_of_line(), "a list can't start behind its key", "put it on a line of its own")
                    .help("text that starts with `- ` must be quoted"),
            ),
            K::ExpectedBlockMappingKey
            | K::ExpectedBlockSequenceEntry
            | K::InvalidIndentation
            | K::InvalidBlockScalarIndent
            | K::UnexpectedEofBlockMapping
            | K::UnexpectedEofBlockSequence
            | K::ExpectedDocumentStart => self.behind_value().or_else(|| self.indentation()),
            K::CommentNotSeparated => Some(Mistake::new(
                self.rest_of_line(),
                "a comment needs a space before its `#`",
                "put a space before it, or put the value in quotes",
            )),
            K::InvalidSimpleKey => self.colon_missing(),
            K::RecursionLimitExceeded => Some(Mistake::new(
                self.here(),
                format!("the file is nested deeper than {DEPTH} levels"),
                "the limit is reached here",
            )),
            _ => None,
        }
    }

    /// No case of ours: the parser's own words, which never hold a piece of the file.
    pub(super) fn unknown(&self, kind: &ErrorKind) -> Mistake {
        let words = match kind {
            ErrorKind::UnexpectedCharacter { .. } | ErrorKind::Custom(_) => "this character can't stand here".to_owned(),
            kind => kind.to_string(),
        };
        Mistake::new(self.here(), "this is not valid YAML", words)
    }

    pub(super) fn control(&self, character: char) -> Mistake {
        let code = u32::from(character);
        // The scanner names the start of the value; the character may stand lines below.
        let from = self.line.start + self.column;
        let at = self.text.get(from..).and_then(|rest| rest.find(character)).map_or(from, |at| from + at);
        let end = self.text.get(at..).and_then(|rest| rest.chars().next()).map_or(at, |c| at + c.len_utf8());
        Mistake::new(Span::new(at, end), "a control character can't stand in YAML", "write it as an escape in double quotes")
            .shown_message(format!("the control character U+{code:04X} can't stand in YAML"))
            .shown(format!("write it as `\\u{code:04x}` in double quotes"))
    }

    pub(super) fn starts_with_sign(&self) -> Option<Mistake> {
        let slot = self.line.slots().into_iter().find(|slot| slot.value == self.column)?;
        Some(must_be_quoted(self.line, slot))
    }

    /// `: ` where no key can be.
    pub(super) fn colon(&self) -> Option<Mistake> {
        let first = Line::at(self.text, self.context.last.start);
        if self.context.last.start < self.line.start && self.context.last.end + 1 >= self.line.start + self.line.indent() {
            return self.colon_below(first);
        }
        let slot = self.line.slots().into_iter().find(|slot| slot.entry < slot.value && slot.value < self.column);
        let Some(slot) = slot else { return self.colon_missing() };
        let end = self.line.value_end(slot, false);
        let mended = self.line.mended(slot, end, &quoted(&self.line.text[slot.value..end]));
        let mut mistake = Mistake::new(self.line.span(slot.value, end), "a value with `: ` in it must be quoted", QUOTE_IT);
        if self.line.text.get(slot.value..self.column).is_some_and(looks_like_a_name) {
            mistake = mistake.help("a map as the value goes on the lines below, indented further, or between `{` and `}`");
        }
        Some(with_mended(mistake, &mended))
    }

    /// A line that should be `key: value` and is not.
    pub(super) fn colon_missing(&self) -> Option<Mistake> {
        Some(not_a_key(self.line))
    }
}

/// A line without `: `.
pub(super) fn not_a_key(line: Line<'_>) -> Mistake {
    let (indent, end) = (line.indent(), line.content_end());
    let mistake = Mistake::new(line.span(indent, end), "expected `key: value`", "a key ends with a colon and a space");
    let content = &line.text[indent..end];
    match content.split_once(':') {
        Some((key, value)) if !key.is_empty() && key.len() + value.len() < 100 && !value.starts_with("//") => {
            mistake.shown(format!("write a space behind the colon: {key}: {value}"))
        }
        _ => mistake,
    }
}
