//! The command line: what was asked for, put together from everything else, and the exit code.
//!
//! Stands right of everything but `main`. It decides nothing that a module to its left could decide.

mod args;
mod auth;
mod check;
mod connection;
mod env;
mod exit;
mod explain;
mod given;
mod list;
mod origin;
mod output;
mod run;
mod sandbox;
mod setup;
mod table;

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
    if let Some(finding) = args::misspelt_command(&world.arguments, &world.folder) {
        return Diagnostics::of(&mut world, ColourChoice::Auto, &Masker::new()).stop(&[finding]).into();
    }
    let arguments = args::with_command(&world.arguments);
    let args = match Args::try_parse_from(&arguments) {
        Ok(args) => args,
        Err(error) => {
            let error = args::with_suggestion(error, &arguments);
            if let Some(finding) = env::without_value(&error, &arguments) {
                return Diagnostics::of(&mut world, ColourChoice::Auto, &Masker::new()).stop(&[finding]).into();
            }
            return usage(&mut world, &error).into();
        }
    };
    let exit = match args.command {
        Command::Run(args) => run::run(world, &args),
        Command::Check(args) => check::run(world, &args),
        Command::List(args) => list::run(world, &args),
        Command::Env(command) => env::run(world, &command),
        Command::Explain(args) => explain::run(world, &args),
        Command::Auth(command) => auth::run(world, &command),
        Command::Sandbox(args) => sandbox::run(world, &args),
    };
    exit.into()
}

/// Help and version go to stdout; wrong usage to stderr.
fn usage(world: &mut World, error: &clap::Error) -> Exit {
    let (stream, exit) = if error.use_stderr() { (&mut world.stderr, Exit::Usage) } else { (&mut world.stdout, Exit::Passed) };
    let text = error.render().to_string();
    let _ = stream.write_all(text.as_bytes()).and_then(|()| stream.flush());
    exit
}

/// Where diagnostics go: masked, and painted if someone looks.
struct Diagnostics {
    out: MaskedWriter<Stream>,
    masker: Masker,
    style: Style,
    /// How many lines the last finding had; an empty line stands around one of several.
    lines: usize,
    /// Whether a CI system reads along and would take some lines as commands.
    ci: bool,
}

impl Diagnostics {
    /// Takes standard error out of `world`: from here on nobody else writes to it.
    fn of(world: &mut World, choice: ColourChoice, masker: &Masker) -> Self {
        let colour = world.colour(&world.stderr, choice);
        let stderr = take_stream(&mut world.stderr);
        let style = Style::new(colour).with_columns(stderr.width);
        Self { out: masker.writer(stderr), masker: masker.clone(), style, lines: 0, ci: is_ci(world) }
    }

    /// Tells findings. A stream that fails has nobody to be told of.
    fn tell(&mut self, findings: &[Diagnostic]) {
        if findings.is_empty() {
            return;
        }
        let text = render_all(findings, self.style, &self.masker);
        let before = std::mem::replace(&mut self.lines, text.lines().count());
        let between = if before > 0 && before.max(self.lines) > 1 { "\n" } else { "" };
        let mut text = format!("{between}{text}");
        if self.ci {
            crate::report::defuse(&mut text);
        }
        let _ = self.out.write_all(text.as_bytes()).and_then(|()| self.out.flush());
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

/// What drives everything that waits, on the current thread.
fn runtime() -> Result<tokio::runtime::Runtime, Diagnostic> {
    let built = tokio::runtime::Builder::new_current_thread().enable_all().build();
    built.map_err(|error| Diagnostic::error(format!("the runtime could not be started: {error}")))
}

/// Takes a stream out of the world; nobody else writes to it from here on.
fn take_stream(stream: &mut Stream) -> Stream {
    std::mem::replace(stream, Stream::new(Box::new(std::io::sink()), false, None))
}

/// Whether a CI system reads the output.
fn is_ci(world: &World) -> bool {
    ["CI", "GITHUB_ACTIONS", "TF_BUILD", "TEAMCITY_VERSION"].iter().any(|name| world.variables.contains_key(*name))
}
