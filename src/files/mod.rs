//! The file system: reading what was named, confined reading below the project root, whole and synced writing, locks, git.
//!
//! The only writer of files in the program. May import `diagnostic`, `world` and what stands left of them. It knows bytes and
//! names only: what a file means is decided further right.

pub mod git;
pub mod lock;
pub mod read;
pub mod root;
pub mod rule;
pub mod write;
