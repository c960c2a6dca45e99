//! What to say when a text is not YAML: the parser's rule that broke is turned into the mistake that a person made.
//!
//! Messages and plain labels hold no piece of the file; only [`Mistake::shown`] does.

use granit_parser::ErrorKind;

use super::line::{Line, Slot, quoted};
use super::mistake::Mistake;
use crate::diagnostic::Span;

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
    let slot = line.slots().into_iter().find(|slot| line.start + slot.value == at)?;
    Some(template_at(line, slot))
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
    with_mended(Mistake::new(line.span(slot.value, end), message, QUOTE_IT), &mended)
}

fn template_at(line: Line<'_>, slot: Slot) -> Mistake {
    let end = line.value_end(slot, true);
    let brackets = if line.text[slot.value..].starts_with("{%") { "{% %}" } else { "{{ }}" };
    let message = format!("a value that starts with `{brackets}` must be quoted");
    let mended = line.mended(slot, end, &quoted(&line.text[slot.value..end]));
    with_mended(Mistake::new(line.span(slot.value, end), message, QUOTE_IT), &mended)
}

struct Case<'t> {
    text: &'t str,
    line: Line<'t>,
    column: usize,
    context: Context,
}

impl<'t> Case<'t> {
    /// The rest of the line from the error on.
    fn rest(&self) -> &'t str {
        self.line.text.get(self.column..).unwrap_or_default()
    }

    /// The last slot at or before the error.
    fn slot(&self) -> Option<Slot> {
        self.line.slots().into_iter().rfind(|slot| slot.value <= self.column)
    }

    fn rest_of_line(&self) -> Span {
        self.line.span(self.column, self.line.content_end().max((self.column + 1).min(self.line.text.len())))
    }

    /// An unquoted template on the line, whatever rule it broke.
    fn template(&self) -> Option<Mistake> {
        let is_template = |slot: &Slot| {
            let rest = &self.line.text[slot.value..];
            (rest.starts_with("{{") || rest.starts_with("{%")) && slot.value <= self.column
        };
        self.line.slots().into_iter().find(is_template).map(|slot| template_at(self.line, slot))
    }

    fn of_kind(&self, kind: &ErrorKind) -> Option<Mistake> {
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
                self.line.span(self.column, self.column + 1),
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
            K::InvalidSimpleKey => self.colon_missing(),
            K::RecursionLimitExceeded => Some(Mistake::new(
                self.line.span(self.column, self.column + 1),
                format!("the file is nested deeper than {} levels", super::tree::DEPTH),
                "the limit is reached here",
            )),
            _ => None,
        }
    }

    /// No case of ours: the parser's own words, which never hold a piece of the file.
    fn unknown(&self, kind: &ErrorKind) -> Mistake {
        let words = match kind {
            ErrorKind::UnexpectedCharacter { .. } | ErrorKind::Custom(_) => "this character can't stand here".to_owned(),
            kind => kind.to_string(),
        };
        let end = (self.column + 1).min(self.line.text.len());
        Mistake::new(self.line.span(self.column, end), "this is not valid YAML", words)
    }

    fn control(&self, character: char) -> Mistake {
        let code = u32::from(character);
        let at = self.rest().find(character).map_or(self.column, |at| self.column + at);
        Mistake::new(
            self.line.span(at, at + character.len_utf8()),
            format!("the control character U+{code:04X} can't stand in YAML"),
            format!("write it as `\\u{code:04x}` in double quotes"),
        )
    }

    fn starts_with_sign(&self) -> Option<Mistake> {
        let slot = self.line.slots().into_iter().find(|slot| slot.value == self.column)?;
        Some(must_be_quoted(self.line, slot))
    }

    /// Text behind a value that looked complete: `[x] y`, `{id}/x`, `*x y`.
    fn behind_value(&self) -> Option<Mistake> {
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

    /// `: ` where no key can be.
    fn colon(&self) -> Option<Mistake> {
        let first = Line::at(self.text, self.context.last.start);
        if self.context.last.start < self.line.start && self.context.last.end + 1 >= self.line.start + self.line.indent() {
            return self.colon_below(first);
        }
        let slot = self.line.slots().into_iter().find(|slot| slot.entry < slot.value && slot.value < self.column);
        let Some(slot) = slot else { return self.colon_missing() };
        let end = self.line.value_end(slot, false);
        let mended = self.line.mended(slot, end, &quoted(&self.line.text[slot.value..end]));
        let mistake = Mistake::new(self.line.span(slot.value, end), "a value with `: ` in it must be quoted", QUOTE_IT);
        Some(with_mended(mistake, &mended))
    }

    /// A key whose line was read as the rest of the value above it.
    fn colon_below(&self, above: Line<'t>) -> Option<Mistake> {
        if above.slots().iter().any(|slot| slot.entry < slot.value && above.start + slot.value <= self.context.last.start) {
            let (indent, end) = (self.line.indent(), self.line.content_end());
            let label = "the line above has a value already, so nothing can be indented below it";
            return Some(Mistake::new(self.line.span(indent, end), "wrong indentation", label));
        }
        Some(not_a_key(above))
    }

    /// A line that should be `key: value` and is not.
    fn colon_missing(&self) -> Option<Mistake> {
        Some(not_a_key(self.line))
    }

    fn escape(&self) -> Option<Mistake> {
        let slot = self.line.slots().into_iter().find(|slot| slot.value == self.column)?;
        let inner = self.rest().get(1..)?;
        let bytes = inner.as_bytes();
        let (mut at, mut bad, mut good, mut end) = (0, None, false, None);
        while let Some(&byte) = bytes.get(at) {
            match byte {
                b'\\' => {
                    let known = bytes.get(at + 1).is_some_and(|b| b"0abtnvfre \"/\\N_LPxuU\t".contains(b));
                    if known {
                        good |= bytes.get(at + 1) != Some(&b'/')
                    } else {
                        bad = bad.or(Some(at))
                    }
                    at += 2;
                }
                b'"' => {
                    end = Some(at);
                    break;
                }
                _ => at += 1,
            }
        }
        let from = self.column + 1 + bad.unwrap_or(0);
        let to = (from + 1 + self.line.text.get(from + 1..)?.chars().next().map_or(0, char::len_utf8)).min(self.line.text.len());
        let message = "unknown escape in double quotes";
        let label = "write the backslash twice, or use single quotes";
        let mistake = Mistake::new(self.line.span(from, to), message, label);
        let (Some(_), Some(end), false) = (bad, end, good) else { return Some(mistake) };
        let single = format!("'{}'", inner[..end].replace('\'', "''"));
        let mended = self.line.mended(slot, self.column + end + 2, &single);
        Some(if mended.is_empty() { mistake } else { mistake.shown(format!("write it in single quotes: {mended}")) })
    }

    /// Text behind a closing quote.
    fn behind_quote(&self) -> Option<Mistake> {
        let message = "text behind a closing quote";
        let mistake = Mistake::new(self.rest_of_line(), message, "put the whole value in one pair of quotes");
        if let Some(open) = self.quote_above() {
            return Some(open);
        }
        let starts_quoted = |slot: &Slot| self.line.text[slot.value..].starts_with(['"', '\'']) && slot.value < self.column;
        let Some(slot) = self.line.slots().into_iter().rfind(starts_quoted) else { return Some(mistake) };
        let end = self.line.value_end(slot, false);
        let value = &self.line.text[slot.value..end];
        let quote = &value[..1];
        let inner = value.strip_prefix(quote).and_then(|text| text.strip_suffix(quote));
        let glued = !self.line.text[..self.column].ends_with(' ');
        let whole = match inner {
            Some(inner) => inner.to_owned(),
            None if glued => value.replacen(quote, "", 2),
            None => value.to_owned(),
        };
        Some(with_mended(mistake, &self.line.mended(slot, end, &quoted(&whole))))
    }

    /// The quote of an earlier line that this line's opening quote closed by mistake.
    fn quote_above(&self) -> Option<Mistake> {
        let closes = self.column.checked_sub(1)?;
        self.line.slots().into_iter().find(|slot| slot.value == closes)?;
        let quote = self.line.text.get(closes..self.column)?;
        let mut above = self.line.above(self.text);
        while let Some(line) = above {
            let last = line.slots().into_iter().next_back();
            if let Some(slot) = last.filter(|slot| line.text[slot.value..].starts_with(quote))
                && !line.text[slot.value + 1..].contains(quote)
            {
                return Some(never_closed(line.span(slot.value, line.text.len())));
            }
            above = line.above(self.text);
        }
        None
    }

    fn tab(&self) -> Option<Mistake> {
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

    /// A comma or bracket was expected inside `[ ]` or `{ }`.
    fn in_brackets(&self) -> Option<Mistake> {
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

    fn unclosed(&self) -> Option<Mistake> {
        let at = self.context.open?;
        let line = Line::at(self.text, at);
        let column = at - line.start;
        let bracket = line.text.get(column..=column)?;
        let close = if bracket == "[" { "]" } else { "}" };
        let message = format!("this `{bracket}` is never closed");
        Some(Mistake::new(line.span(column, column + 1), message, format!("add the closing `{close}`")))
            .map(|mistake| mistake.help(format!("text that starts with `{bracket}` must be quoted")))
    }

    fn mismatched(&self, open: char, close: char) -> Mistake {
        let span = self.line.span(self.column, self.column + 1);
        let message = format!("this `{open}` is closed by a `{close}`");
        Mistake::new(span, message, format!("expected `{}`", if open == '[' { ']' } else { '}' }))
    }

    /// A line that is indented like none of those above it.
    fn indentation(&self) -> Option<Mistake> {
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
}

fn indented(outer: Option<usize>, deeper: Option<usize>, found: usize) -> String {
    let expected: Vec<String> = outer.into_iter().chain(deeper).map(|columns| columns.to_string()).collect();
    let plural = if expected == ["1"] { "" } else { "s" };
    format!("expected {} space{plural}, found {found}", expected.join(" or "))
}

fn never_closed(span: Span) -> Mistake {
    Mistake::new(span, "this quote is never closed", "add the closing quote")
}

/// A line without `: `.
fn not_a_key(line: Line<'_>) -> Mistake {
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
