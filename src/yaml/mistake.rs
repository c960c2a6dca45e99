//! A mistake before its file is known: what the reader collects while it does not yet know which lines may be shown.

use std::sync::Arc;

use crate::diagnostic::{Diagnostic, Place, Severity, SourceFile, Span};

/// One mistake. Only what is called `shown` may hold a piece of a value, even a single character; everything else at most a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mistake {
    pub(super) span: Span,
    pub(super) message: String,
    /// The message for a line that may be shown; empty: the same.
    pub(super) shown_message: String,
    /// The label for a line that stays hidden.
    pub(super) label: String,
    /// The label for a line that may be shown; empty: the same.
    pub(super) shown: String,
    pub(super) help: Vec<String>,
    /// Whether what was read besides it can be trusted.
    pub(super) spares_the_rest: bool,
}

impl Mistake {
    pub(super) fn new(span: Span, message: impl Into<String>, label: impl Into<String>) -> Self {
        Self {
            span,
            message: message.into(),
            shown_message: String::new(),
            label: label.into(),
            shown: String::new(),
            help: Vec::new(),
            spares_the_rest: false,
        }
    }

    /// Sets the label that quotes the line.
    pub(super) fn shown(mut self, label: impl Into<String>) -> Self {
        self.shown = label.into();
        self
    }

    /// Sets the message that names a character of the value.
    pub(super) fn shown_message(mut self, message: impl Into<String>) -> Self {
        self.shown_message = message.into();
        self
    }

    /// Says that what was read besides it can be trusted.
    pub(super) fn spares_the_rest(mut self) -> Self {
        self.spares_the_rest = true;
        self
    }

    pub(super) fn help(mut self, help: impl Into<String>) -> Self {
        self.help.push(help.into());
        self
    }

    pub(super) fn error(self, file: &Arc<SourceFile>) -> Diagnostic {
        self.finding(file, Severity::Error)
    }

    pub(super) fn warning(self, file: &Arc<SourceFile>) -> Diagnostic {
        self.finding(file, Severity::Warning)
    }

    fn finding(self, file: &Arc<SourceFile>, severity: Severity) -> Diagnostic {
        let shows = file.shows(self.span);
        let pick = |shown: String, hidden: String| if shows && !shown.is_empty() { shown } else { hidden };
        let finding = Diagnostic::error(pick(self.shown_message, self.message)).label(pick(self.shown, self.label));
        Diagnostic { severity, help: self.help, ..finding.at(Place::new(file, self.span)) }
    }
}
