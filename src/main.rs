//! runner.
fn main() {}
