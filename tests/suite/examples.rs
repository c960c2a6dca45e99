//! The files that the README shows.
