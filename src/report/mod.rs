//! What people read while a run goes on. Reporters only listen to events; none of them changes a run.
//!
//! ```text
//! Event ──console──▶ Page (masked, printable, painted text) ──guard (in CI)──▶ the writer that the command line gives
//! ```
//!
//! Untrusted text (names, headers, bodies, messages of a server) takes the same way always: masked first, then made printable,
//! then shortened, then painted. Another order would show the half of a secret, or a cursor movement. May import `event` and
//! what stands left of it.

mod answer;
mod body;
mod console;
mod guard;
mod html;
mod page;
mod text;
mod wire;

#[cfg(test)]
mod tests;

use crate::diagnostic::Style;

pub use console::Console;
pub use guard::defuse;
pub use text::{columns, fit};

/// How much the console tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Verbosity {
    /// What explains a non-zero exit code, and nothing else.
    Quiet,
    /// One line a request.
    #[default]
    Normal,
    /// Also the heads of requests and answers.
    Heads,
    /// Also their bodies.
    Bodies,
}

/// How the console writes; decided by the command line for the one stream that it hands over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// Whether text is painted.
    pub style: Style,
    /// The columns of the terminal; `None` on a pipe or in a file, where no request line is shortened.
    pub width: Option<usize>,
    /// How much is told.
    pub verbosity: Verbosity,
    /// Whether a CI system reads the stream and would take some lines as commands.
    pub ci: bool,
}
