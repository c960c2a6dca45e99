//! The file system: reading what was named, confined reading below the project root, whole and synced writing, locks, git.
//!
//! The only writer of files in the program. May import `diagnostic`, `world` and what stands left of them.

pub mod git;
pub mod lock;
pub mod write;
