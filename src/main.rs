//! The process: it takes the outside world, hands it to the command line, and ends with the exit code.

use std::process::ExitCode;

use runner::world::World;

fn main() -> ExitCode {
    match World::of_process() {
        Ok(world) => runner::cli::run(world),
        // There is no stream to tell it to yet; the code says "wrong input".
        Err(_) => ExitCode::from(2),
    }
}
