//! A mistake before its file is known: what the reader collects while it does not yet know which lines may be shown.

use std::sync::Arc;

use crate::diagnostic::{Diagnostic, Place, SourceFile, Span};

/// One mistake. Only `shown` may quote a piece of the file; everything else holds no value, at most a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mistake {
    pub(super) span: Span,
    pub(super) message: String,
    /// The label for a line that stays hidden.
    pub(super) label: String,
    /// The label for a line that may be shown; empty: the same.
    pub(super) shown: String,
    pub(super) help: Vec<String>,
}

impl Mistake {
    pub(super) fn new(span: Span, message: impl Into<String>, label: impl Into<String>) -> Self {
        Self { span, message: message.into(), label: label.into(), shown: String::new(), help: Vec::new() }
    }

    /// Sets the label that quotes the line.
    pub(super) fn shown(mut self, label: impl Into<String>) -> Self {
        self.shown = label.into();
        self
    }

    pub(super) fn help(mut self, help: impl Into<String>) -> Self {
        self.help.push(help.into());
        self
    }

    pub(super) fn error(self, file: &Arc<SourceFile>) -> Diagnostic {
        let place = Place::new(file, self.span);
        let finding = place.error(&self.message);
        self.dress(finding, file)
    }

    pub(super) fn warning(self, file: &Arc<SourceFile>) -> Diagnostic {
        let place = Place::new(file, self.span);
        let finding = place.warning(&self.message);
        self.dress(finding, file)
    }

    fn dress(self, finding: Diagnostic, file: &SourceFile) -> Diagnostic {
        let label = if self.shown.is_empty() || !file.shows(self.span) { self.label } else { self.shown };
        Diagnostic { help: self.help, ..finding.label(label) }
    }
}
