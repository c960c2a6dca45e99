//! The two streams of a run: the report on stdout, what is worth saying besides on stderr.

use std::io;

use crate::diagnostic::Severity;
use crate::event::{Event, Reporter};
use crate::mask::MaskedWriter;
use crate::report::Console;
use crate::world::Stream;

use super::Diagnostics;

/// Listens to a run and writes to both streams.
pub(super) struct Output {
    pub(super) console: Console<MaskedWriter<Stream>>,
    pub(super) diagnostics: Diagnostics,
    /// Whether what is only worth knowing is left out.
    pub(super) quiet: bool,
}

impl Output {
    /// Writes what is still held back.
    pub(super) fn finish(self) {
        let Self { console, mut diagnostics, .. } = self;
        // A stream that fails has nobody to be told of.
        let _ = console.into_inner().finish();
        let _ = diagnostics.out.finish();
    }
}

impl Reporter for Output {
    fn event(&mut self, event: &Event<'_>) -> io::Result<()> {
        if let Event::Notice(notice) = event {
            if !(self.quiet && notice.severity == Severity::Note) {
                self.diagnostics.tell(std::slice::from_ref(notice));
            }
            return Ok(());
        }
        self.console.event(event)
    }
}
