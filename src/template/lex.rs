//! Cuts a template into text, expressions and tags, and those into tokens, as Tera does.
//!
//! Tera gives away neither its tokens nor the places of its variables; this lexer follows the same rules.

use std::ops::Range;

/// The largest template, in bytes.
const MAX_SOURCE: usize = 1024 * 1024;
/// How many `{{` and `{%` a template may have. Tera parses a chain of `elif` by recursion.
const MAX_TAGS: usize = 500;
/// How deep brackets may nest in an expression.
const MAX_BRACKETS: usize = 32;

/// What is wrong with a template, and where in its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) at: Range<usize>,
    pub(super) message: String,
    pub(super) label: String,
    pub(super) help: Option<String>,
}

impl Fault {
    pub(super) fn new(at: Range<usize>, message: impl Into<String>) -> Self {
        Self { at, message: message.into(), label: String::new(), help: None }
    }

    pub(super) fn label(mut self, label: impl Into<String>) -> Self {
        self.label = label.into();
        self
    }

    pub(super) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

/// A piece of a template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Segment {
    /// Text as it is.
    Text(Range<usize>),
    /// `{{ … }}`.
    Output(Code),
    /// `{% … %}`.
    Tag(Code),
    /// A comment, or a `raw` block.
    Inert,
}

/// The tokens between two delimiters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Code {
    /// With the delimiters.
    pub(super) whole: Range<usize>,
    /// What stands between them.
    pub(super) tokens: Vec<Token>,
    /// Whether a `-` at a delimiter trims the text around.
    pub(super) trims: bool,
}

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Ident,
    Text,
    Integer,
    Float,
    Operator,
}

/// A token and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) kind: Kind,
    pub(super) at: Range<usize>,
    /// For a bracket: the index of its partner.
    pub(super) partner: Option<usize>,
}

/// The pieces of `text`.
pub(super) fn segments(text: &str) -> Result<Vec<Segment>, Fault> {
    check_size(text)?;
    let mut segments = Vec::new();
    let (mut at, mut tags) = (0, 0);
    while at < text.len() {
        let rest = text.get(at..).unwrap_or_default();
        let Some(next) = marker(rest) else {
            segments.push(Segment::Text(at..text.len()));
            break;
        };
        if next > 0 {
            segments.push(Segment::Text(at..at + next));
        }
        let start = at + next;
        let opening = text.get(start..start + 2).unwrap_or_default();
        if opening == "{#" {
            let end = text.get(start + 2..).and_then(|rest| rest.find("#}"));
            let end = end.ok_or_else(|| Fault::new(start..start + 2, "`{#` is never closed").label("expected `#}`"))?;
            segments.push(Segment::Inert);
            at = start + 2 + end + 2;
            continue;
        }
        tags += 1;
        if tags > MAX_TAGS {
            return Err(Fault::new(start..start + 2, format!("a template may have at most {MAX_TAGS} `{{{{` and `{{%`")));
        }
        if opening == "{%"
            && let Some(end) = raw_block(text, start)?
        {
            segments.push(Segment::Inert);
            at = end;
            continue;
        }
        let code = code(text, start, if opening == "{{" { "}}" } else { "%}" })?;
        at = code.whole.end;
        segments.push(if opening == "{{" { Segment::Output(code) } else { Segment::Tag(code) });
    }
    Ok(segments)
}

/// The tokens of a bare expression.
pub(super) fn expression(text: &str) -> Result<Vec<Token>, Fault> {
    check_size(text)?;
    Lexer { text, at: 0, tokens: Vec::new(), open: Vec::new() }.run(0..0, None).map(|lexed| lexed.0)
}

/// Whether `text` holds anything for Tera.
pub(super) fn has_code(text: &str) -> bool {
    marker(text).is_some()
}

fn check_size(text: &str) -> Result<(), Fault> {
    if text.len() > MAX_SOURCE {
        return Err(Fault::new(0..0, format!("a template may have at most {MAX_SOURCE} bytes, not {}", text.len())));
    }
    Ok(())
}

fn marker(text: &str) -> Option<usize> {
    text.as_bytes().windows(2).position(|pair| matches!(pair, b"{{" | b"{%" | b"{#"))
}

/// The end of a `{% raw %}…{% endraw %}` that starts at `start`.
fn raw_block(text: &str, start: usize) -> Result<Option<usize>, Fault> {
    let tag = |from: usize, name: &str| -> Option<usize> {
        let rest = text.get(from + 2..)?;
        let rest = rest.strip_prefix('-').unwrap_or(rest).trim_ascii_start().strip_prefix(name)?.trim_ascii_start();
        let rest = rest.strip_prefix('-').unwrap_or(rest).strip_prefix("%}")?;
        Some(text.len() - rest.len())
    };
    let Some(mut at) = tag(start, "raw") else { return Ok(None) };
    while let Some(next) = text.get(at..).and_then(|rest| rest.find("{%")) {
        if let Some(end) = tag(at + next, "endraw") {
            return Ok(Some(end));
        }
        at += next + 2;
    }
    Err(Fault::new(start..start + 2, "`{% raw %}` is never closed").label("expected `{% endraw %}`"))
}

fn code(text: &str, start: usize, closing: &'static str) -> Result<Code, Fault> {
    let inner = start + 2;
    let trims = text.get(inner..).is_some_and(|rest| rest.starts_with('-'));
    let lexer = Lexer { text, at: inner + usize::from(trims), tokens: Vec::new(), open: Vec::new() };
    let (tokens, end, trims_end) = lexer.run(start..inner, Some(closing))?;
    Ok(Code { whole: start..end, tokens, trims: trims || trims_end })
}

struct Lexer<'t> {
    text: &'t str,
    at: usize,
    tokens: Vec<Token>,
    open: Vec<usize>,
}

impl Lexer<'_> {
    fn rest(&self) -> &str {
        self.text.get(self.at..).unwrap_or_default()
    }

    /// Reads up to `closing`, or to the end of the text; gives the tokens, the end and whether it trims.
    fn run(mut self, opening: Range<usize>, closing: Option<&str>) -> Result<(Vec<Token>, usize, bool), Fault> {
        loop {
            let rest = self.rest();
            let trimmed = rest.trim_ascii_start();
            self.at += rest.len() - trimmed.len();
            let rest = self.rest();
            match closing {
                Some(closing) => {
                    let dash = rest.strip_prefix('-').is_some_and(|rest| rest.starts_with(closing));
                    if dash || rest.starts_with(closing) {
                        let end = self.at + usize::from(dash) + 2;
                        return self.finish().map(|tokens| (tokens, end, dash));
                    }
                    if rest.is_empty() || rest.starts_with("{{") || rest.starts_with("{%") {
                        let opened = self.text.get(opening.clone()).unwrap_or_default();
                        return Err(
                            Fault::new(opening, format!("`{opened}` is never closed")).label(format!("expected `{closing}`"))
                        );
                    }
                }
                None if rest.is_empty() => {
                    let end = self.at;
                    return self.finish().map(|tokens| (tokens, end, false));
                }
                None => {}
            }
            self.token()?;
        }
    }

    fn finish(self) -> Result<Vec<Token>, Fault> {
        match self.open.last().and_then(|&at| self.tokens.get(at)) {
            Some(token) => {
                let bracket = self.text.get(token.at.clone()).unwrap_or_default();
                Err(Fault::new(token.at.clone(), format!("`{bracket}` is never closed")))
            }
            None => Ok(self.tokens),
        }
    }

    fn token(&mut self) -> Result<(), Fault> {
        let rest = self.rest();
        let Some(first) = rest.chars().next() else { return Ok(()) };
        let start = self.at;
        let (kind, length) = match first {
            '\'' | '"' | '`' => (Kind::Text, self.quoted(first)?),
            '0'..='9' => number(rest),
            c if c.is_ascii_alphabetic() || c == '_' => {
                (Kind::Ident, rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).unwrap_or(rest.len()))
            }
            _ => (Kind::Operator, self.operator(first)?),
        };
        self.at += length;
        let partner = self.bracket(start, first)?;
        self.tokens.push(Token { kind, at: start..self.at, partner });
        Ok(())
    }

    /// The length of the quoted text that starts here.
    fn quoted(&self, quote: char) -> Result<usize, Fault> {
        let mut chars = self.rest().char_indices().skip(1);
        while let Some((at, c)) = chars.next() {
            if c == quote {
                return Ok(at + 1);
            }
            if c == '\\' {
                chars.next();
            }
        }
        Err(Fault::new(self.at..self.at + 1, format!("the quote `{quote}` is never closed")))
    }

    fn operator(&self, first: char) -> Result<usize, Fault> {
        let rest = self.rest();
        let pair = rest.get(..2).unwrap_or_default();
        let here = |length: usize| self.at..self.at + length;
        match pair {
            "||" => return Err(Fault::new(here(2), "unexpected `||`").label("write `or`")),
            "&&" => return Err(Fault::new(here(2), "unexpected `&&`").label("write `and`")),
            "//" | "**" | "==" | "!=" | ">=" | "<=" | "?." | "?[" => return Ok(2),
            _ if rest.starts_with("...") => return Ok(3),
            _ => {}
        }
        match first {
            '+' | '-' | '*' | '/' | '%' | '.' | ',' | ':' | '~' | '|' | '=' | '>' | '<' | '(' | ')' | '[' | ']' | '{' | '}' => {
                Ok(1)
            }
            '!' => Err(Fault::new(here(1), "unexpected `!`").label("write `not`")),
            '$' => Err(Fault::new(here(1), "unexpected `$`").label("variables are written without `$`")),
            c => Err(Fault::new(here(c.len_utf8()), format!("unexpected `{c}` in an expression"))),
        }
    }

    /// Pairs brackets, so that wrapping an expression in parentheses can't change what it means.
    fn bracket(&mut self, start: usize, first: char) -> Result<Option<usize>, Fault> {
        let here = start..self.at;
        let token = self.text.get(here.clone()).unwrap_or_default();
        match token {
            "(" | "[" | "{" | "?[" => {
                if self.open.len() >= MAX_BRACKETS {
                    return Err(Fault::new(here, format!("brackets may nest {MAX_BRACKETS} deep at most")));
                }
                self.open.push(self.tokens.len());
                Ok(None)
            }
            ")" | "]" | "}" => {
                let index = self.tokens.len();
                let opened = self.open.pop().and_then(|at| Some((at, self.tokens.get_mut(at)?)));
                let text = self.text;
                let expected = match first {
                    ')' => "(",
                    ']' => "[",
                    _ => "{",
                };
                match opened {
                    Some((at, opening)) if text.get(opening.at.clone()).is_some_and(|o| o.ends_with(expected)) => {
                        opening.partner = Some(index);
                        Ok(Some(at))
                    }
                    _ => Err(Fault::new(here, format!("`{first}` without its `{expected}`"))),
                }
            }
            _ => Ok(None),
        }
    }
}

fn number(rest: &str) -> (Kind, usize) {
    let mut dot = false;
    let length = rest
        .bytes()
        .take_while(|&b| {
            if b == b'.' && !dot {
                dot = true;
                return true;
            }
            b.is_ascii_digit()
        })
        .count();
    (if dot { Kind::Float } else { Kind::Integer }, length)
}
