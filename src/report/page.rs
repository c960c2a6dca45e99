//! The text of one event while it is put together: the one place where untrusted text becomes printable and painted.

use std::borrow::Cow;

use crate::diagnostic::{Diagnostic, Paint, Style, printable, render};
use crate::mask::Masker;

use super::Settings;
use super::text::{columns, squeeze};

/// The text of one event. It is kept for the next one, so that a line costs no allocation of its own.
#[derive(Debug)]
pub(super) struct Page {
    pub(super) text: String,
    pub(super) style: Style,
    pub(super) masker: Masker,
    width: Option<usize>,
}

impl Page {
    pub(super) fn new(settings: Settings, masker: Masker) -> Self {
        Self { text: String::new(), style: settings.style, masker, width: settings.width }
    }

    /// Untrusted text as one line, safe to be shortened and shown.
    pub(super) fn safe(&self, text: &str) -> String {
        let masked = self.masker.mask(text);
        match printable(&masked) {
            Cow::Borrowed(_) => masked,
            Cow::Owned(text) => text,
        }
    }

    /// The same with every run of white space as one space.
    pub(super) fn safe_squeezed(&self, text: &str) -> String {
        printable(&squeeze(&self.masker.mask(text))).into_owned()
    }

    /// Adds painted text.
    pub(super) fn paint(&mut self, paint: Paint, text: &str) {
        self.text.push_str(&self.style.paint(paint, text));
    }

    /// Adds one indented line.
    pub(super) fn line(&mut self, paint: Paint, text: &str) {
        self.text.push_str("  ");
        self.paint(paint, text);
        self.text.push('\n');
    }

    /// Adds an indented sentence with a word in front, broken between words on a terminal: `  server: …`.
    pub(super) fn remark(&mut self, label: &str, text: &str) {
        self.text.push_str("  ");
        self.paint(Paint::Strong, label);
        self.text.push(':');
        let mut used = 2 + columns(label) + 1;
        for word in text.split(' ') {
            let needed = 1 + columns(word);
            if self.width.is_some_and(|width| used + needed > width && used > 4) {
                self.text.push_str("\n   ");
                used = 3;
            }
            self.text.push(' ');
            self.text.push_str(word);
            used += needed;
        }
        self.text.push('\n');
    }

    /// Adds a finding, indented below its request.
    pub(super) fn finding(&mut self, finding: &Diagnostic) {
        for line in render(finding, self.style, &self.masker).lines() {
            self.text.push_str("  ");
            self.text.push_str(line);
            self.text.push('\n');
        }
    }
}
