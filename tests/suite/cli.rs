//! The command line itself.

use crate::support::runner::Runner;

#[test]
fn the_version_is_told() {
    Runner::new().arg("--version").expect_stdout(concat!("runner ", env!("CARGO_PKG_VERSION"), "\n")).run();
}
