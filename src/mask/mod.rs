//! The one sink for everything that leaves the process: known secrets are replaced in every encoding, also when a secret is
//! split over several writes.
//!
//! ```text
//! Secret ─learn→ encodings (one text, many spellings) → patterns (sorted, growing) ─┬→ mask, finds   (a text at hand)
//!                                                                                   └→ MaskedWriter  (a stream)
//! ```
//!
//! Imports `secret` only. The set of known secrets only grows: what is a secret stays one even when the variable that held it
//! gets another value.

mod encodings;
mod filter;
mod names;
mod patterns;
mod spelling;
mod writer;

use std::collections::HashSet;
use std::fmt;
use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use self::patterns::{Patterns, Resume};
use crate::secret::Secret;

pub use self::names::{is_secret_header, is_secret_name};
pub use self::writer::MaskedWriter;

/// What stands where a secret stood. Its length says nothing about the secret's.
pub const MASK: &str = "***";

/// The shortest secret that can be masked without garbling ordinary text, in characters.
pub const SHORTEST: usize = 4;

/// What became of a secret that was told to the masker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Learnt {
    /// It is masked from now on (or was already, or there is nothing in it to mask).
    Masked,
    /// It is too short to be masked; worth a warning.
    TooShort,
}

/// The set of known secrets. Clones share it.
#[derive(Clone, Default)]
pub struct Masker {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    /// Lets text pass without a lock as long as there is nothing to look for.
    knows_something: AtomicBool,
    patterns: RwLock<Patterns>,
    /// What was learnt: the same secret comes by many times, and a pattern alone does not say that its encodings are known.
    learnt: RwLock<HashSet<Secret>>,
}

impl Masker {
    /// A masker that knows nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes `secret` known, in every encoding, to all clones and to all writers, for what they have not written yet. White
    /// space around it is not part of it: a key file ends with a line break that its users leave out.
    pub fn learn(&self, secret: &Secret) -> Learnt {
        let text = secret.expose().trim();
        if text.is_empty() {
            return Learnt::Masked;
        }
        if text.chars().count() < SHORTEST {
            return Learnt::TooShort;
        }
        if self.shared.learnt.read().unwrap_or_else(PoisonError::into_inner).contains(secret) {
            return Learnt::Masked;
        }
        // Encoded before the lock is taken: writers wait for the shortest possible time.
        let spellings = encodings::all(text);
        let mut patterns = self.shared.patterns.write().unwrap_or_else(PoisonError::into_inner);
        for spelling in &spellings {
            patterns.add(spelling);
        }
        drop(patterns);
        self.shared.learnt.write().unwrap_or_else(PoisonError::into_inner).insert(secret.clone());
        self.shared.knows_something.store(true, Ordering::Release);
        Learnt::Masked
    }

    /// `text` with every known secret replaced by [`MASK`]. Call it before shortening, wrapping or colouring.
    #[must_use]
    pub fn mask(&self, text: &str) -> String {
        if self.knows_nothing() {
            return text.to_owned();
        }
        let mut masked = Vec::with_capacity(text.len());
        self.patterns(|patterns| patterns.pass(text.as_bytes(), Resume::default(), true, &mut masked));
        // Patterns begin and end at character borders, so what is left is the text it was.
        String::from_utf8(masked).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
    }

    /// Whether a known secret, in any encoding, stands in `bytes`.
    #[must_use]
    pub fn finds(&self, bytes: &[u8]) -> bool {
        !self.knows_nothing() && self.patterns(|patterns| patterns.occur_in(bytes))
    }

    /// A writer to `inner` that masks what passes through it.
    pub fn writer<W: Write>(&self, inner: W) -> MaskedWriter<W> {
        MaskedWriter::new(self.clone(), inner)
    }

    fn knows_nothing(&self) -> bool {
        !self.shared.knows_something.load(Ordering::Acquire)
    }

    fn patterns<T>(&self, read: impl FnOnce(&Patterns) -> T) -> T {
        read(&self.shared.patterns.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl fmt::Debug for Masker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Masker [redacted]")
    }
}

#[cfg(test)]
mod tests;
