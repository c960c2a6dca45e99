//! What the JSONPath crate accepts and would answer wrongly, or RFC 9535 forbids: refused when compiling, in words.

use jsonpath_rust::parser::model::{
    Comparable, Filter, FilterAtom, FnArg, JpQuery, Literal, Segment, Selector, Test, TestFunction,
};

use super::{QueryError, is_singular};

/// How many `..` a query may have: each multiplies the nodes by the depth of the document.
const MAX_DESCENTS: usize = 3;
/// How many times the selectors in brackets may multiply the nodes.
const MAX_FACTOR: usize = 1024;

/// Refuses what would be answered wrongly. The recursion is bounded by the nesting that the shape check allows.
pub(super) fn query(text: &str, query: &JpQuery) -> Result<(), QueryError> {
    Check { text }.segments(&query.segments)
}

struct Check<'t> {
    text: &'t str,
}

impl Check<'_> {
    fn error(&self, near: &str, message: impl Into<String>) -> QueryError {
        QueryError { message: message.into(), offset: self.text.find(near) }
    }

    fn segments(&self, segments: &[Segment]) -> Result<(), QueryError> {
        let descents = segments.iter().filter(|segment| matches!(segment, Segment::Descendant(_))).count();
        if descents > MAX_DESCENTS {
            return Err(self.error("..", format!("a JSONPath may have at most {MAX_DESCENTS} `..`, not {descents}")));
        }
        let factor = segments.iter().fold(1_usize, |factor, segment| factor.saturating_mul(selectors(segment).len().max(1)));
        if factor > MAX_FACTOR {
            return Err(self.error("[", format!("the lists in brackets multiply to {factor} selectors; at most {MAX_FACTOR}")));
        }
        for filter in segments.iter().flat_map(selectors).filter_map(filter) {
            self.filter(filter)?;
        }
        Ok(())
    }

    fn filter(&self, filter: &Filter) -> Result<(), QueryError> {
        match filter {
            Filter::Or(parts) | Filter::And(parts) => parts.iter().try_for_each(|part| self.filter(part)),
            Filter::Atom(FilterAtom::Filter { expr, .. }) => self.filter(expr),
            Filter::Atom(FilterAtom::Test { expr, .. }) => match &**expr {
                Test::Function(function) if function.is_comparable() => Err(self.error(
                    &format!("{}(", name(function)),
                    format!("the result of `{}()` must be compared, as in `{0}(…) > 1`", name(function)),
                )),
                test => self.test(test),
            },
            Filter::Atom(FilterAtom::Comparison(comparison)) => {
                let (left, right) = comparison.vals();
                [left, right].into_iter().try_for_each(|side| match side {
                    Comparable::Function(function) => self.function(function),
                    Comparable::Literal(_) | Comparable::SingularQuery(_) => Ok(()),
                })
            }
        }
    }

    fn test(&self, test: &Test) -> Result<(), QueryError> {
        match test {
            Test::RelQuery(segments) => {
                // The crate takes a filter right behind `@` for one on the outer list and finds nothing.
                if segments.first().is_some_and(|first| selectors(first).iter().any(|s| filter(s).is_some())) {
                    return Err(self.error("@[?", "a filter right behind `@` is not supported; name a member: `@.items[?…]`"));
                }
                self.segments(segments)
            }
            Test::AbsQuery(query) => self.segments(&query.segments),
            Test::Function(function) => self.function(function),
        }
    }

    /// RFC 9535 §2.4.3: well-typedness of function expressions.
    fn function(&self, function: &TestFunction) -> Result<(), QueryError> {
        let name = name(function);
        match function {
            TestFunction::Custom(custom, _) => Err(self.error(
                &format!("{custom}("),
                format!("unknown function `{custom}`; there are `length`, `count`, `value`, `match` and `search`"),
            )),
            TestFunction::Length(argument) => self.value(name, argument),
            TestFunction::Count(argument) | TestFunction::Value(argument) => match argument {
                FnArg::Test(test) if !matches!(**test, Test::Function(_)) => self.test(test),
                _ => Err(self.error(&format!("{name}("), format!("`{name}()` takes a path, as in `{name}(@..id)`"))),
            },
            TestFunction::Search(subject, pattern) | TestFunction::Match(subject, pattern) => {
                self.value(name, subject)?;
                self.value(name, pattern)?;
                match pattern {
                    FnArg::Literal(Literal::String(pattern)) if regex::Regex::new(pattern).is_err() => {
                        Err(self.error(pattern, format!("the pattern of `{name}()` is not a regular expression")))
                    }
                    _ => Ok(()),
                }
            }
        }
    }

    /// An argument that must be one value: a literal, a singular path, or a function that gives a value.
    fn value(&self, name: &str, argument: &FnArg) -> Result<(), QueryError> {
        let singular = match argument {
            FnArg::Literal(_) => return Ok(()),
            FnArg::Filter(_) => false,
            FnArg::Test(test) => match &**test {
                Test::RelQuery(segments) => is_singular(segments),
                Test::AbsQuery(query) => is_singular(&query.segments),
                Test::Function(function) if function.is_comparable() => return self.function(function),
                Test::Function(_) => false,
            },
        };
        if singular {
            return Ok(());
        }
        let message = format!("`{name}()` takes one value: a literal or a path of names and indexes");
        Err(self.error(&format!("{name}("), message))
    }
}

fn name(function: &TestFunction) -> &str {
    match function {
        TestFunction::Custom(name, _) => name,
        TestFunction::Length(_) => "length",
        TestFunction::Value(_) => "value",
        TestFunction::Count(_) => "count",
        TestFunction::Search(..) => "search",
        TestFunction::Match(..) => "match",
    }
}

fn selectors(segment: &Segment) -> &[Selector] {
    match segment {
        // The grammar nests a descendant once.
        Segment::Descendant(inner) => match &**inner {
            Segment::Selector(selector) => std::slice::from_ref(selector),
            Segment::Selectors(selectors) => selectors,
            Segment::Descendant(_) => &[],
        },
        Segment::Selector(selector) => std::slice::from_ref(selector),
        Segment::Selectors(selectors) => selectors,
    }
}

fn filter(selector: &Selector) -> Option<&Filter> {
    match selector {
        Selector::Filter(filter) => Some(filter),
        _ => None,
    }
}
