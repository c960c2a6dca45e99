//! Checks calls of functions, filters and tests: known names, named arguments, none missing.

use std::ops::Range;

use super::lex::{Fault, Token};
use super::names::{Callable, Sort};
use super::reads::{Reader, span};
use crate::diagnostic::nearest;

impl Reader<'_> {
    /// Checks the call whose name is the token `at`; gives the index of what is to be read next.
    pub(super) fn called(&mut self, sort: Sort, tokens: &[Token], at: usize) -> usize {
        let name = self.word(tokens.get(at));
        let Some(here) = tokens.get(at).map(|token| token.at.clone()) else { return at + 1 };
        let Some(callable) = sort.find(name) else {
            self.fault(unknown(sort, name, here));
            return at + 1;
        };
        let mut given = Vec::new();
        if self.word(tokens.get(at + 1)) == "(" {
            let close = tokens.get(at + 1).and_then(|token| token.partner).unwrap_or(at + 1);
            let mut argument = at + 2;
            while argument < close {
                let end = self.argument_end(tokens, argument, close);
                let word = self.word(tokens.get(argument));
                let range = tokens.get(argument).map_or_else(|| here.clone(), |token| token.at.clone());
                if self.word(tokens.get(argument + 1)) != "=" {
                    let whole = tokens.get(argument..end).and_then(span).unwrap_or(range);
                    self.fault(unnamed(callable, whole));
                    return close + 1;
                }
                if !arguments(callable).any(|known| known == word) {
                    self.fault(no_such_argument(callable, word, range));
                }
                given.push(word);
                argument = end + 1;
            }
        }
        if let Some(missing) = callable.required.iter().find(|required| !given.contains(required)) {
            let message = format!("`{name}` needs the argument `{missing}`");
            self.fault(Fault::new(here, message).label(format!("write `{name}({missing}=…)`")));
        }
        at + 1
    }

    /// The comma or bracket that ends the argument at `at`.
    fn argument_end(&self, tokens: &[Token], mut at: usize, close: usize) -> usize {
        while at < close && self.word(tokens.get(at)) != "," {
            at = tokens.get(at).and_then(|token| token.partner).filter(|&partner| partner > at).unwrap_or(at) + 1;
        }
        at.min(close)
    }
}

fn arguments(callable: &Callable) -> impl Iterator<Item = &'static str> + use<> {
    callable.required.iter().chain(callable.optional).copied()
}

fn unknown(sort: Sort, name: &str, here: Range<usize>) -> Fault {
    let fault = Fault::new(here, format!("unknown {} `{name}`", sort.word()));
    match sort.near(name) {
        Some(near) => fault.label(format!("did you mean `{near}`?")),
        None if sort == Sort::Function && matches!(name, "get_env" | "env") => {
            fault.label("templates can't read the process environment").help("an environment file can: `name: !env NAME`")
        }
        None => fault.help(format!("{}s: {}", sort.word(), sort.list())),
    }
}

fn unnamed(callable: &Callable, at: Range<usize>) -> Fault {
    match arguments(callable).next() {
        Some(example) => {
            Fault::new(at, format!("`{}` takes named arguments", callable.name)).label(format!("write `{example}=…`"))
        }
        None => Fault::new(at, format!("`{}` takes no arguments", callable.name)),
    }
}

fn no_such_argument(callable: &Callable, word: &str, at: Range<usize>) -> Fault {
    let fault = Fault::new(at, format!("`{}` has no argument `{word}`", callable.name));
    let all: Vec<String> = arguments(callable).map(|known| format!("`{known}`")).collect();
    match nearest(word, arguments(callable)) {
        Some(near) => fault.label(format!("did you mean `{near}`?")),
        None if all.is_empty() => fault.label("it takes none"),
        None => fault.label(format!("it takes {}", all.join(", "))),
    }
}
