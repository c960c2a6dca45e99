//! The masking stream: holds back only what may be the beginning of a secret, so that ordinary lines appear at once.

use std::fmt;
use std::io::{self, Write};

use super::Masker;
use super::patterns::Resume;

/// Masks what is written, across write borders; `flush` writes all but what may be the start of a secret.
///
/// A secret that becomes known later is masked in what is still held back, too. After an error of the inner writer, what was
/// being written is lost.
pub struct MaskedWriter<W: Write> {
    masker: Masker,
    inner: W,
    /// What may be the beginning of a secret.
    held: Vec<u8>,
    resume: Resume,
    /// Masked text on its way out; kept to save the allocation.
    ready: Vec<u8>,
}

impl<W: Write> MaskedWriter<W> {
    pub(super) fn new(masker: Masker, inner: W) -> Self {
        Self { masker, inner, held: Vec::new(), resume: Resume::default(), ready: Vec::new() }
    }

    /// Writes what was held back. Call it at the end of the output; dropping the writer does the same, but can't tell of an
    /// error.
    ///
    /// # Errors
    /// What the inner writer reports.
    pub fn finish(&mut self) -> io::Result<()> {
        if !self.held.is_empty() {
            self.pass(&[], true)?;
        }
        self.inner.flush()
    }

    #[cfg(test)]
    pub(super) fn held(&self) -> &[u8] {
        &self.held
    }

    fn pass(&mut self, text: &[u8], last: bool) -> io::Result<()> {
        self.ready.clear();
        let joined;
        let whole = if self.held.is_empty() {
            text
        } else {
            self.held.extend_from_slice(text);
            joined = std::mem::take(&mut self.held);
            &joined
        };
        let (done, resume) = self.masker.patterns(|patterns| patterns.pass(whole, self.resume, last, &mut self.ready));
        self.held = whole[done..].to_vec();
        self.resume = resume;
        // The lock is free again: a reader of our output that stands still must not keep others from learning.
        self.inner.write_all(&self.ready)
    }
}

impl<W: Write> Write for MaskedWriter<W> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        if self.masker.knows_nothing() {
            return self.inner.write(buffer);
        }
        self.pass(buffer, false)?;
        Ok(buffer.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

impl<W: Write> Drop for MaskedWriter<W> {
    fn drop(&mut self) {
        // Nobody is left to hear of an error; who wants to know calls `finish`.
        let _ = self.finish();
    }
}

impl<W: Write> fmt::Debug for MaskedWriter<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MaskedWriter [redacted]")
    }
}
