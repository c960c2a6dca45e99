//! How much an answer may cost.

use std::time::Duration;

/// How long a connection may take, DNS and TLS included.
pub const DEFAULT_CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// How long a request may take in all.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(60);

/// How many redirects a request follows when nothing else is said.
pub const DEFAULT_REDIRECTS: usize = 10;

/// How many header lines an answer may have: beyond that it is an attack, and each costs more memory than its bytes.
pub(super) const MAX_HEADER_LINES: usize = 1000;

/// How many codings may lie on top of each other in one body. More are only seen in decompression bombs.
pub(super) const MAX_CODINGS: usize = 2;

/// How much of an answer is taken in, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The body, after decoding; before decoding it may be no longer either.
    pub body: usize,
    /// All header lines together.
    pub headers: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { body: 64 << 20, headers: 256 << 10 }
    }
}
