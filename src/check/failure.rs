//! What did not hold, as data, and how it is told.

use std::io::{self, Write};

use serde_json::Value;

use super::answer::{JsonProblem, KEPT};
use crate::diagnostic::{Diagnostic, Place};
use crate::template;

/// How much of a value a message shows, in characters.
const SHOWN: usize = 80;

/// One thing that did not hold. Texts are whole and not masked: [`Self::describe`] masks first and shortens then.
#[derive(Debug, Clone)]
pub enum Failure {
    /// The status is not an expected one.
    Status {
        /// The status.
        status: u16,
        /// The expected ones, in words.
        expected: String,
        /// Where they stand; where nothing is said, the request.
        place: Place,
    },
    /// A part of the answer is not as expected.
    Mismatch(Box<Mismatch>),
    /// A condition does not hold.
    Condition {
        /// The condition as written.
        source: String,
        /// What it reads of the answer: path and value.
        facts: Vec<(String, String)>,
        /// Where it stands.
        place: Place,
    },
    /// A JSONPath asks for a body that is not JSON.
    NotJson {
        /// What is wrong with the body.
        problem: JsonProblem,
        /// Where the path stands.
        place: Place,
    },
    /// A capture finds nothing.
    Missing(Box<Missing>),
    /// An operand or a condition can't be evaluated.
    Template(template::Error),
}

/// A part of the answer that is not as expected.
#[derive(Debug, Clone)]
pub struct Mismatch {
    /// The part: `` `$.expires_in` ``, ``the header `ETag` ``.
    pub subject: String,
    /// What came, as JSON; `None` when there is nothing.
    pub actual: Option<String>,
    /// What was expected, in words: `at least 60`.
    pub expected: String,
    /// Where the expectation stands.
    pub place: Place,
    /// How to mend it.
    pub help: Vec<String>,
}

/// A capture that finds nothing.
#[derive(Debug, Clone)]
pub struct Missing {
    /// The variable that stays without a value.
    pub name: String,
    /// The request whose answer was looked at.
    pub request: String,
    /// What was looked for: `` `$.id` ``, ``the header `ETag` ``.
    pub source: String,
    /// The regular expression that matches nothing in the source.
    pub regex: Option<String>,
    /// What was there instead: a few words and a text.
    pub came: (&'static str, String),
    /// Where the source stands.
    pub place: Place,
}

impl Failure {
    /// Whether the answer lacks what was asked for. After an unexpected status that is a consequence, not worth telling.
    #[must_use]
    pub fn is_absence(&self) -> bool {
        match self {
            Self::Missing(_) | Self::NotJson { .. } => true,
            Self::Mismatch(mismatch) => mismatch.actual.is_none(),
            Self::Status { .. } | Self::Condition { .. } | Self::Template(_) => false,
        }
    }

    /// The failure as it is told; `mask` hides every known secret.
    #[must_use]
    pub fn describe(&self, mask: &dyn Fn(&str) -> String) -> Diagnostic {
        match self {
            Self::Status { status, expected, place } => place.error(format!("status is {status}, expected {expected}")),
            Self::Mismatch(mismatch) => mismatch.describe(mask),
            Self::Condition { source, facts, place } => {
                let mut finding = place.error(format!("`{}` does not hold", shortened(&mask(source))));
                for (path, value) in facts {
                    finding = finding.help(format!("`{}` is {}", mask(path), shortened(&mask(value))));
                }
                finding
            }
            Self::NotJson { problem, place } => {
                let finding = place.error(mask(&problem.to_string()));
                match problem.reason {
                    Some(_) => finding.help(format!("the body starts: {}", excerpt(&mask(&problem.body)))),
                    None => finding,
                }
            }
            Self::Missing(missing) => missing.describe(mask),
            Self::Template(template::Error::Undefined { path, place }) => place.error(format!("`{path}` has no value")),
            Self::Template(template::Error::Failed(finding)) => masked((**finding).clone(), mask),
        }
    }
}

impl Mismatch {
    fn describe(&self, mask: &dyn Fn(&str) -> String) -> Diagnostic {
        let subject = mask(&self.subject);
        let came = self.actual.as_deref().map_or("missing".to_owned(), |actual| shortened(&mask(actual)));
        let expected = shortened(&mask(&self.expected));
        let finding = self.place.error(format!("{subject} is {came}, expected {expected}"));
        self.help.iter().fold(finding, |finding, help| finding.help(shortened_to(&mask(help), 4 * SHOWN)))
    }
}

impl Missing {
    fn describe(&self, mask: &dyn Fn(&str) -> String) -> Diagnostic {
        let Self { name, request, source, regex, came, place } = self;
        let why = match regex {
            Some(regex) => format!("`{regex}` matches nothing in {source} of the answer to `{request}`"),
            None => format!("{source} is not in the answer to `{request}`"),
        };
        let came = match excerpt(&mask(&came.1)) {
            text if text.is_empty() => format!("{} nothing", came.0),
            text => format!("{} {text}", came.0),
        };
        place.error(mask(&format!("`{name}` got no value: {why}"))).help(came)
    }
}

/// Drops all but the first word that the body is not JSON: it is one mistake, however many paths ask for it.
pub fn without_repeats(failures: &mut Vec<Failure>) {
    let mut told = false;
    failures.retain(|failure| !matches!(failure, Failure::NotJson { .. }) || !std::mem::replace(&mut told, true));
}

fn masked(mut finding: Diagnostic, mask: &dyn Fn(&str) -> String) -> Diagnostic {
    finding.message = mask(&finding.message);
    finding.label = mask(&finding.label);
    finding.help.iter_mut().for_each(|help| *help = mask(help));
    finding
}

/// At most [`SHOWN`] characters, without control characters.
fn shortened(text: &str) -> String {
    shortened_to(text, SHOWN)
}

fn shortened_to(text: &str, most: usize) -> String {
    let mut chars = text.chars().map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c });
    let mut line: String = chars.by_ref().take(most).collect();
    if chars.next().is_some() {
        line.pop();
        line.push('…');
    }
    line
}

/// The start of a text of many lines, as one line.
fn excerpt(text: &str) -> String {
    let words = text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty());
    // more words than characters are shown need not be read
    shortened(&words.take(SHOWN).collect::<Vec<_>>().join(" "))
}

/// A value as JSON, up to 1 MiB of it.
pub(super) fn json_text(value: &Value) -> String {
    let mut sink = Bounded(Vec::new());
    // the only error is the one of a full sink, and then what it holds is the start
    _ = serde_json::to_writer(&mut sink, value);
    String::from_utf8_lossy(&sink.0).into_owned()
}

/// Takes a megabyte and refuses the rest.
struct Bounded(Vec<u8>);

impl Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let taken = bytes.len().min(KEPT.saturating_sub(self.0.len()));
        self.0.extend_from_slice(&bytes[..taken]);
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::diagnostic::{Hidden, SourceFile, Span};

    fn place() -> Place {
        Place::new(&Arc::new(SourceFile::new("c.yaml", "", Hidden::Nothing)), Span::default())
    }

    #[test]
    fn a_value_is_masked_before_it_is_shortened() {
        let secret = "s".repeat(200);
        let mask = |text: &str| text.replace(&secret, "***");
        let told = |before: &str| {
            let mismatch = Mismatch {
                subject: "`$.token`".to_owned(),
                actual: Some(format!("\"{before}{secret}\"")),
                expected: format!("\"{before}{secret}\""),
                place: place(),
                help: vec![format!("it was {before}{secret}")],
            };
            Failure::Mismatch(Box::new(mismatch)).describe(&mask)
        };
        let first = told("");
        assert_eq!(first.message, "`$.token` is \"***\", expected \"***\"");
        assert_eq!(first.help, ["it was ***"]);
        // Wherever the cut lies.
        for before in 0..500 {
            let told = told(&"x".repeat(before));
            assert!(!told.message.contains("ss") && !told.help.concat().contains("ss"), "{before}: {told:?}");
        }
    }

    #[test]
    fn a_value_keeps_its_spaces() {
        assert_eq!(shortened("\"a  b\u{7f}\""), "\"a  b\u{fffd}\"");
    }

    #[test]
    fn long_and_many_lined_text_becomes_one_short_line() {
        let table = [
            ("a\n\n  b\tc", "a b c".to_owned()),
            ("\u{1b}[31mred", "[31mred".to_owned()),
            (&"é".repeat(80), "é".repeat(80)),
            (&"é".repeat(81), format!("{}…", "é".repeat(79))),
            (&"a ".repeat(5000), format!("{}…", "a ".repeat(40).trim_end())),
            ("", String::new()),
        ];
        for (text, expected) in table {
            assert_eq!(excerpt(text), expected);
        }
    }

    #[test]
    fn a_body_that_is_not_json_is_told_once() {
        let problem = JsonProblem { reason: None, content_type: None, body: String::new() };
        let not_json = Failure::NotJson { problem, place: place() };
        let status = Failure::Status { status: 500, expected: "200".to_owned(), place: place() };
        let mut failures = vec![not_json.clone(), status, not_json];
        without_repeats(&mut failures);
        assert!(matches!(failures[..], [Failure::NotJson { .. }, Failure::Status { .. }]));
    }

    #[test]
    fn json_text_stops_at_a_megabyte() {
        assert_eq!(json_text(&Value::String("x".repeat(2 * KEPT))).len(), KEPT);
    }
}
