//! The two streams of a run: the report on stdout, what is worth saying besides on stderr.

use std::io;

use crate::diagnostic::{Diagnostic, Severity};
use crate::event::{Event, Reporter};
use crate::mask::MaskedWriter;
use crate::report::Console;
use crate::world::Stream;

use super::Diagnostics;

/// Listens to a run and writes to both streams.
pub(super) struct Output {
    pub(super) console: Console<MaskedWriter<Stream>>,
    pub(super) diagnostics: Diagnostics,
    /// Why the report is not whole, when the stream does not take it.
    pub(super) broken: Option<io::Error>,
    /// Whether what is only worth knowing is left out.
    pub(super) quiet: bool,
}

impl Output {
    /// Writes what is still held back. Gives `false` when the report could not be written as a whole.
    pub(super) fn finish(self) -> bool {
        let Self { console, mut diagnostics, broken, .. } = self;
        let broken = console.into_inner().finish().err().or(broken);
        if let Some(error) = &broken {
            diagnostics.tell(&[Diagnostic::error(format!("the report could not be written: {error}"))]);
        }
        // Where standard error fails too there is nobody left to tell.
        let _ = diagnostics.out.finish();
        broken.is_none()
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
        if let Err(error) = self.console.event(event) {
            self.broken.get_or_insert(error);
        }
        Ok(())
    }
}
