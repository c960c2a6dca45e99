//! What a template reads: the dotted paths of its expressions with their places, whether each is guarded, and the edits that
//! make Tera as strict as we promise.
//!
//! Tera lets an undefined variable pass in `==`, `~`, `or`, arguments and conditions. So every path that no test guards is
//! wrapped in a filter of ours that refuses what is undefined; a path under `is defined` or `default` is made tolerant at
//! every dot instead. Short circuits keep their meaning, since the filter runs only where Tera evaluates it.

use std::ops::Range;

use super::lex::{Code, Fault, Kind, Segment, Token};
use super::names::Sort;

/// How deep `if` and `for` may nest.
const MAX_BLOCKS: usize = 32;
/// How many `elif` one `if` may have: Tera takes each for an `if` within the one before, by recursion.
const MAX_ARMS: usize = 64;
/// The filter that counts how often a loop will run.
const LOOP: &str = "__loop";
const KEYWORDS: &[&str] =
    &["and", "or", "not", "in", "is", "if", "else", "for", "true", "false", "none", "null", "True", "False", "None"];

/// One path in an expression.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Path {
    /// Name and members; it ends before an index that is not a literal.
    pub(super) parts: Vec<String>,
    /// Where the parts stand in the text.
    pub(super) at: Range<usize>,
    /// A loop variable or a `set` name: no reading of a variable.
    pub(super) local: bool,
    /// Under `is defined`, `is undefined` or `default` itself.
    pub(super) tolerant: bool,
    /// Under `is defined` or `is undefined` itself.
    pub(super) tested: bool,
    /// Tested as a whole name: a test of a member tells something of what the name holds.
    pub(super) bare: bool,
    /// Tolerant, or tested elsewhere in its expression or in an `if` around it.
    pub(super) guarded: bool,
}

/// A text to be put in front of a byte of the template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Edit {
    pub(super) at: usize,
    pub(super) text: String,
    /// Where the code begins that the text belongs to.
    pub(super) from: usize,
}

/// What was found in a template.
#[derive(Debug, Default)]
pub(super) struct Findings {
    pub(super) paths: Vec<Path>,
    /// The expressions whose value is written, by place.
    pub(super) outputs: Vec<Range<usize>>,
    pub(super) edits: Vec<Edit>,
    pub(super) faults: Vec<Fault>,
}

/// Looks through one template.
pub(super) struct Reader<'t> {
    text: &'t str,
    found: Findings,
    /// Names of `set` and `for`, innermost last; the first frame is the template's.
    locals: Vec<Vec<String>>,
    blocks: Vec<Block>,
}

struct Block {
    word: &'static str,
    at: Range<usize>,
    /// How many `elif` it has.
    arms: usize,
    /// The paths that its conditions test.
    tested: Vec<Vec<String>>,
}

impl<'t> Reader<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        Self { text, found: Findings::default(), locals: vec![Vec::new()], blocks: Vec::new() }
    }

    /// Reads all segments. `output` gives the filter that each written expression passes through.
    pub(super) fn template(mut self, segments: &[Segment], mut output: impl FnMut(usize, &Range<usize>) -> String) -> Findings {
        for segment in segments {
            match segment {
                Segment::Output(code) => match span(&code.tokens) {
                    Some(at) => {
                        let filter = output(self.found.outputs.len(), &code.whole);
                        self.expression(&code.tokens);
                        self.wrap(at.clone(), ")", &filter);
                        self.found.outputs.push(at);
                    }
                    None => self.fault(Fault::new(code.whole.clone(), "an expression is missing")),
                },
                Segment::Tag(code) => self.tag(code),
                Segment::Text(_) | Segment::Inert => {}
            }
        }
        if let Some(block) = self.blocks.pop() {
            let message = format!("`{{% {} %}}` is never closed", block.word);
            self.fault(Fault::new(block.at, message).label(format!("expected `{{% end{} %}}`", block.word)));
        }
        self.found
    }

    /// Reads one bare expression that passes through `filter`.
    pub(super) fn single(mut self, tokens: &[Token], filter: &str) -> Findings {
        match span(tokens) {
            Some(at) => {
                self.expression(tokens);
                self.wrap(at.clone(), ")", filter);
                self.found.outputs.push(at);
            }
            None => self.fault(Fault::new(0..self.text.len(), "an expression is missing")),
        }
        self.found
    }

    pub(super) fn word(&self, token: Option<&Token>) -> &'t str {
        token.and_then(|token| self.text.get(token.at.clone())).unwrap_or_default()
    }

    pub(super) fn fault(&mut self, fault: Fault) {
        self.found.faults.push(fault);
    }

    /// Puts parentheses and a filter around a range.
    fn wrap(&mut self, at: Range<usize>, closing: &str, filter: &str) {
        self.found.edits.push(Edit { at: at.start, text: "(".to_owned(), from: at.start });
        self.found.edits.push(Edit { at: at.end, text: format!("{closing} | {filter}"), from: at.start });
    }

    fn tag(&mut self, code: &Code) {
        let Some((head, rest)) = code.tokens.split_first() else {
            return self.fault(Fault::new(code.whole.clone(), "a tag is missing between `{%` and `%}`"));
        };
        match self.word(Some(head)) {
            "if" => {
                self.open("if", head);
                self.condition(head, rest);
            }
            "elif" => {
                self.inside("if", head);
                self.arm(head);
                self.condition(head, rest);
            }
            "else" => self.inside("", head),
            "for" => self.open_loop(head, rest),
            "endif" => self.close("if", head),
            "endfor" => {
                self.close("for", head);
                if self.locals.len() > 1 {
                    self.locals.pop();
                }
            }
            "set" | "set_global" => self.set(head, rest),
            "break" | "continue" => {}
            other => {
                let known = ["if", "elif", "else", "endif", "for", "endfor", "set", "set_global", "raw", "break", "continue"];
                let fault = Fault::new(head.at.clone(), format!("the tag `{other}` is not supported"));
                let fault = match other {
                    "include" | "extends" | "import" | "block" | "macro" | "component" => {
                        fault.label("a template reads no other template")
                    }
                    _ => match crate::diagnostic::nearest(other, known) {
                        Some(near) => fault.label(format!("did you mean `{near}`?")),
                        None => fault.help(format!("tags: {}", known.join(", "))),
                    },
                };
                self.fault(fault);
            }
        }
    }

    fn open(&mut self, word: &'static str, head: &Token) {
        if self.blocks.len() == MAX_BLOCKS {
            self.fault(Fault::new(head.at.clone(), format!("`if` and `for` may nest {MAX_BLOCKS} deep at most")));
        }
        self.blocks.push(Block { word, at: head.at.clone(), arms: 0, tested: Vec::new() });
    }

    fn inside(&mut self, word: &str, head: &Token) {
        if self.blocks.last().is_none_or(|block| !word.is_empty() && block.word != word) {
            let message = format!("`{}` without its `if`", self.word(Some(head)));
            self.fault(Fault::new(head.at.clone(), message));
        }
    }

    fn arm(&mut self, head: &Token) {
        let Some(block) = self.blocks.last_mut() else { return };
        block.arms += 1;
        if block.arms == MAX_ARMS + 1 {
            self.fault(Fault::new(head.at.clone(), format!("an `if` may have at most {MAX_ARMS} `elif`")));
        }
    }

    fn close(&mut self, word: &str, head: &Token) {
        match self.blocks.pop() {
            Some(block) if block.word == word => {}
            Some(block) => {
                let message = format!("`end{word}` where `end{}` is expected", block.word);
                self.fault(Fault::new(head.at.clone(), message));
            }
            None => self.fault(Fault::new(head.at.clone(), format!("`end{word}` without its `{word}`"))),
        }
    }

    fn condition(&mut self, head: &Token, tokens: &[Token]) {
        if tokens.is_empty() {
            return self.fault(Fault::new(head.at.clone(), "a condition is missing"));
        }
        let tested = self.expression(tokens);
        if let Some(block) = self.blocks.last_mut() {
            block.tested.extend(tested);
        }
    }

    fn open_loop(&mut self, head: &Token, tokens: &[Token]) {
        self.open("for", head);
        let split = tokens.iter().position(|token| self.word(Some(token)) == "in");
        let Some(split) = split else {
            self.locals.push(vec!["loop".to_owned()]);
            return self.fault(Fault::new(head.at.clone(), "a loop is written `{% for item in items %}`"));
        };
        let (names, list) = tokens.split_at(split);
        let list = list.get(1..).unwrap_or_default();
        self.expression(list);
        match span(list) {
            Some(at) => self.wrap(at, ")", LOOP),
            None => self.fault(Fault::new(head.at.clone(), "a loop is written `{% for item in items %}`")),
        }
        let mut locals: Vec<String> =
            names.iter().filter(|t| t.kind == Kind::Ident).map(|t| self.word(Some(t)).to_owned()).collect();
        locals.push("loop".to_owned());
        self.locals.push(locals);
    }

    fn set(&mut self, head: &Token, tokens: &[Token]) {
        let name = self.word(tokens.first()).to_owned();
        let Some(value) = tokens.get(2..).filter(|_| self.word(tokens.get(1)) == "=") else {
            let word = self.word(Some(head));
            let fault = Fault::new(head.at.clone(), format!("`{word}` is written `{{% {word} name = value %}}`"));
            return self.fault(fault);
        };
        if let Some(at) = span(value) {
            self.expression(value);
            // What a loop adds to itself again and again must stay bounded.
            self.wrap(at, ")", "__bounded");
        }
        // From here on the name is the template's own, also behind an `if` that did not set it: then it has no value.
        let frame = if self.word(Some(head)) == "set" { self.locals.last_mut() } else { self.locals.first_mut() };
        if let Some(frame) = frame {
            frame.push(name);
        }
    }

    /// Reads one expression; gives the paths that it tests.
    fn expression(&mut self, tokens: &[Token]) -> Vec<Vec<String>> {
        let comprehensions = self.comprehensions(tokens);
        let first = self.found.paths.len();
        let mut at = 0;
        while let Some(token) = tokens.get(at) {
            at = if token.kind == Kind::Ident { self.ident(tokens, at, &comprehensions) } else { at + 1 };
        }
        self.count_comprehensions(tokens);
        let paths = self.found.paths.get(first..).unwrap_or_default();
        let tested: Vec<Vec<String>> = paths.iter().filter(|path| path.tested).map(|path| path.parts.clone()).collect();
        let around: Vec<Vec<String>> = self.blocks.iter().flat_map(|block| block.tested.clone()).chain(tested.clone()).collect();
        for path in self.found.paths.iter_mut().skip(first) {
            path.guarded = path.tolerant || around.iter().any(|tested| path.parts.starts_with(tested));
        }
        tested
    }

    /// The names of list comprehensions (`[x for x in xs]`) with the range in which each holds.
    fn comprehensions(&self, tokens: &[Token]) -> Vec<(String, Range<usize>)> {
        let mut found = Vec::new();
        for (at, _) in tokens.iter().enumerate().filter(|(_, token)| self.word(Some(token)) == "for") {
            let opening = tokens.iter().enumerate().take(at).rev().find_map(|(open, token)| {
                let close = token.partner.filter(|&close| close > at && self.word(Some(token)) == "[")?;
                Some(open..close)
            });
            let Some(range) = opening else { continue };
            let names = tokens.iter().skip(at + 1).take_while(|token| self.word(Some(token)) != "in");
            found.extend(names.filter(|t| t.kind == Kind::Ident).map(|t| (self.word(Some(t)).to_owned(), range.clone())));
        }
        found
    }

    /// Wraps what each list comprehension runs over, up to its `if` or its end.
    fn count_comprehensions(&mut self, tokens: &[Token]) {
        let loops: Vec<usize> = (0..tokens.len()).filter(|&at| self.word(tokens.get(at)) == "for").collect();
        for at in loops {
            let Some(start) = (at..tokens.len()).find(|&index| self.word(tokens.get(index)) == "in").map(|index| index + 1)
            else {
                continue;
            };
            let mut end = start;
            while let Some(token) = tokens.get(end).filter(|token| !matches!(self.word(Some(token)), "if" | "for" | "]")) {
                end = token.partner.filter(|&close| close > end).unwrap_or(end) + 1;
            }
            if let Some(list) = tokens.get(start..end).and_then(span) {
                self.wrap(list, ")", LOOP);
            }
        }
    }

    /// Reads the identifier at `at`; gives the index of what comes next.
    fn ident(&mut self, tokens: &[Token], at: usize, comprehensions: &[(String, Range<usize>)]) -> usize {
        let word = self.word(tokens.get(at));
        let before = at.checked_sub(1).map_or("", |before| self.word(tokens.get(before)));
        let behind = self.word(tokens.get(at + 1));
        match (before, behind) {
            // A member of something that is no path, and the name of an argument.
            ("." | "?.", _) => return at + 1,
            ("(" | ",", "=") => return at + 1,
            ("|", _) => return self.called(Sort::Filter, tokens, at),
            ("is", _) if word != "not" => return self.called(Sort::Test, tokens, at),
            ("not", _) if at >= 2 && self.word(tokens.get(at - 2)) == "is" => return self.called(Sort::Test, tokens, at),
            _ if KEYWORDS.contains(&word) => return at + 1,
            (_, "(") => return self.called(Sort::Function, tokens, at),
            _ => {}
        }
        if before == "for" || (before == "," && comprehensions.iter().any(|(name, _)| name == word) && behind == "in") {
            return at + 1;
        }
        self.path(tokens, at, comprehensions)
    }

    fn path(&mut self, tokens: &[Token], at: usize, comprehensions: &[(String, Range<usize>)]) -> usize {
        let name = self.word(tokens.get(at));
        let Some(start) = tokens.get(at).map(|token| token.at.start) else { return at + 1 };
        let mut parts = vec![name.to_owned()];
        let mut next = at + 1;
        while let Some((part, after)) = self.member(tokens, next) {
            parts.push(part);
            next = after;
        }
        let chain = self.chain(tokens, next);
        let end_of = |index: usize| tokens.get(index.saturating_sub(1)).map_or(start, |token| token.at.end);
        let range = start..end_of(next);
        let local = self.locals.iter().flatten().any(|local| local == name)
            || comprehensions.iter().any(|(local, holds)| local == name && holds.contains(&at));
        if name.starts_with("__") {
            self.fault(Fault::new(range, format!("the name `{name}` is reserved")));
            return next;
        }
        let words: Vec<&str> = (chain..chain + 3).map(|index| self.word(tokens.get(index))).collect();
        let tested = matches!(words.as_slice(), ["is", "defined" | "undefined", _] | ["is", "not", "defined" | "undefined"]);
        let tolerant = tested || matches!(words.as_slice(), ["|", "default", _]);
        if tolerant {
            for token in tokens.get(at + 1..chain).unwrap_or_default() {
                if matches!(self.word(Some(token)), "." | "[") {
                    let at = token.at.start;
                    self.found.edits.push(Edit { at, text: "?".to_owned(), from: at });
                }
            }
        } else if !(local && name == "loop") {
            let index = self.found.paths.len();
            self.wrap(start..end_of(chain), "", &format!("__must(n={index}))"));
        }
        let bare = tested && parts.len() == 1 && next == chain;
        self.found.paths.push(Path { parts, at: range, local, tolerant, tested, bare, guarded: false });
        next
    }

    /// The literal member at `at`: `.name`, `["name"]`, `[0]`.
    fn member(&self, tokens: &[Token], at: usize) -> Option<(String, usize)> {
        let token = tokens.get(at + 1)?;
        let text = self.word(Some(token));
        match (self.word(tokens.get(at)), token.kind) {
            ("." | "?.", Kind::Ident) => Some((text.to_owned(), at + 2)),
            ("[" | "?[", Kind::Text | Kind::Integer) if self.word(tokens.get(at + 2)) == "]" => {
                let part = match token.kind {
                    Kind::Text => text.get(1..text.len().checked_sub(1)?)?,
                    // Only the canonical spelling is the index that Tera reads.
                    _ => text.parse::<usize>().ok().filter(|index| index.to_string() == text).map(|_| text)?,
                };
                (!part.contains('\\')).then(|| (part.to_owned(), at + 3))
            }
            _ => None,
        }
    }

    /// Where the chain of members and subscripts that goes on at `at` ends.
    fn chain(&self, tokens: &[Token], mut at: usize) -> usize {
        loop {
            at = match self.word(tokens.get(at)) {
                "." | "?." if tokens.get(at + 1).is_some_and(|token| token.kind == Kind::Ident) => at + 2,
                "[" | "?[" => match tokens.get(at).and_then(|token| token.partner) {
                    Some(close) if close > at => close + 1,
                    _ => return at,
                },
                _ => return at,
            };
        }
    }
}

/// From the first token to the last.
pub(super) fn span(tokens: &[Token]) -> Option<Range<usize>> {
    Some(tokens.first()?.at.start..tokens.last()?.at.end)
}
