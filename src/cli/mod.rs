//! The command line: what was asked for, put together from everything else, and the exit code.
//!
//! Stands right of everything but `main`. It decides nothing that a module to its left could decide.

mod args;
mod check;
mod exit;
mod given;
mod list;
mod output;
mod run;
mod sandbox;
mod setup;

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;

use crate::diagnostic::{Diagnostic, Style, render_all};
use crate::mask::{MaskedWriter, Masker};
use crate::world::{ColourChoice, Stream, World};

use args::{Args, Command};

pub use exit::Exit;

/// Runs the program in `world`.
#[must_use]
pub fn run(mut world: World) -> ExitCode {
    let args = match Args::try_parse_from(args::with_command(&world.arguments)) {
        Ok(args) => args,
        Err(error) => return usage(&mut world, &error).into(),
    };
    let exit = match args.command {
        Command::Run(args) => run::run(world, &args),
        Command::Check(args) => check::run(world, &args),
        Command::List(args) => list::run(world, &args),
        Command::Sandbox(args) => sandbox::run(world, &args),
    };
    exit.into()
}

/// Help and version go to stdout; wrong usage to stderr.
fn usage(world: &mut World, error: &clap::Error) -> Exit {
    let (stream, exit) =
        if error.use_stderr() { (&mut world.stderr, Exit::Usage) } else { (&mut world.stdout, Exit::Passed) };
    let text = error.render().to_string();
    let _ = stream.write_all(text.as_bytes()).and_then(|()| stream.flush());
    exit
}

/// Where diagnostics go: masked, and painted if someone looks.
struct Diagnostics {
    out: MaskedWriter<Stream>,
    style: Style,
}

impl Diagnostics {
    fn new(stderr: Stream, colour: bool, masker: &Masker) -> Self {
        Self { out: masker.writer(stderr), style: Style::new(colour) }
    }

    /// Tells findings. A stream that fails has nobody to be told of.
    fn tell(&mut self, findings: &[Diagnostic]) {
        let _ = self.out.write_all(render_all(findings, self.style).as_bytes()).and_then(|()| self.out.flush());
    }

    /// Tells findings that stop everything.
    fn stop(&mut self, findings: &[Diagnostic]) -> Exit {
        self.tell(findings);
        if findings.len() > 1 {
            let errors = findings.iter().filter(|f| f.severity == crate::diagnostic::Severity::Error).count();
            let _ = writeln!(self.out, "\n{errors} mistakes; nothing was sent");
        }
        let _ = self.out.finish();
        exit::of_findings(findings)
    }
}

/// Whether text for the two streams is painted: stdout, stderr.
fn colours(world: &World, choice: ColourChoice) -> (bool, bool) {
    (world.colour(&world.stdout, choice), world.colour(&world.stderr, choice))
}
