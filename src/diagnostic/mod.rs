//! What runner says about bad input: one message, one place, how to mend it.
//!
//! A [`Diagnostic`] is data; [`render`] is the only code that turns one into text. It may import `secret`, `mask` and
//! `clock`, and knows nothing of YAML, HTTP or OAuth.

mod printable;
mod render;
mod source;
pub mod style;
mod suggest;

pub use printable::{printable, printable_block};
pub use render::{render, render_all, wrapped};
pub use source::{Hidden, Place, Position, SourceFile, Span, looks_like_a_name};
pub use style::{Paint, Style};
pub use suggest::nearest;

/// How much a finding weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// Nothing runs.
    Error,
    /// Worth saying; the run goes on.
    Warning,
    /// Nothing is wrong.
    Note,
}

/// What kind of finding this is; it decides the exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// Wrong usage or input: exit code 2.
    Input,
    /// Refused by policy (a secret would go astray, a file is out of bounds): exit code 6.
    Policy,
}

/// One finding: what is wrong, where, and how to mend it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// Error or warning.
    pub severity: Severity,
    /// What kind of finding this is.
    pub cause: Cause,
    /// One line, lower case, no full stop, literals in backticks.
    pub message: String,
    /// Where; a finding about the command line has no place.
    pub place: Option<Place>,
    /// The text beside the caret; may be empty.
    pub label: String,
    /// Further lines: `= help: …`.
    pub help: Vec<String>,
}

impl Diagnostic {
    /// An error without a place.
    pub fn error(message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            cause: Cause::Input,
            message: message.into(),
            place: None,
            label: String::new(),
            help: Vec::new(),
        }
    }

    /// A warning without a place.
    pub fn warning(message: impl Into<String>) -> Self {
        Self { severity: Severity::Warning, ..Self::error(message) }
    }

    /// A note without a place.
    pub fn note(message: impl Into<String>) -> Self {
        Self { severity: Severity::Note, ..Self::error(message) }
    }

    /// Puts the finding at a place.
    #[must_use]
    pub fn at(mut self, place: Place) -> Self {
        self.place = Some(place);
        self
    }

    /// Puts a text beside the caret.
    #[must_use]
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.label = label.into();
        self
    }

    /// Adds a line of help.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help.push(help.into());
        self
    }

    /// Marks the finding as a refusal by policy.
    #[must_use]
    pub fn refusal(mut self) -> Self {
        self.cause = Cause::Policy;
        self
    }
}
