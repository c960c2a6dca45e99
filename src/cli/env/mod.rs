//! `runner env`: which environments there are, what their values are and where each comes from, and a person's own values in the
//! local file.

mod edit;
mod json;
mod list;
mod set;
mod show;
mod unset;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Args as ClapArgs, Subcommand};

use crate::diagnostic::Diagnostic;
use crate::environment;
use crate::files::read::ReadError;
use crate::files::root::Root;
use crate::world::World;

use super::Exit;
use super::args::{Colour, ValueArgs};

#[derive(Debug, Subcommand)]
pub(super) enum EnvCommand {
    /// List the environments that can be chosen here
    List(ListArgs),
    /// Show values with their origin; secrets are masked
    Show(ShowArgs),
    /// Set a value of your own, in the local file; a secret is asked for
    #[command(override_usage = "runner env set [OPTIONS] <NAME> [VALUE]")]
    Set(SetArgs),
    /// Take values out of the local file
    Unset(UnsetArgs),
}

#[derive(Debug, ClapArgs)]
pub(super) struct ListArgs {
    /// The project root: no environment is looked for above it
    #[arg(long, value_name = "DIR")]
    root: Option<PathBuf>,
    /// Colour in the output
    #[arg(long, value_name = "WHEN", default_value = "auto")]
    color: Colour,
}

#[derive(Debug, ClapArgs)]
pub(super) struct ShowArgs {
    /// Only these, with their values in full
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    #[command(flatten)]
    values: ValueArgs,
    /// Print JSON, without the values of secrets
    #[arg(long)]
    json: bool,
}

/// Which local file is changed.
#[derive(Debug, ClapArgs)]
pub(super) struct FileArgs {
    /// The environment: a name, or the path of its file
    #[arg(short, long, value_name = "NAME|PATH", alias = "environment")]
    env: Option<String>,
    /// The project root: no environment is looked for above it
    #[arg(long, value_name = "DIR")]
    root: Option<PathBuf>,
    /// Colour in the output
    #[arg(long, value_name = "WHEN", default_value = "auto")]
    color: Colour,
}

#[derive(Debug, ClapArgs)]
pub(super) struct SetArgs {
    /// The variable
    #[arg(value_name = "NAME")]
    name: String,
    /// Its value, unless it is a secret: left out, it is asked for, or read from standard input
    // Several, so that no message of the parser repeats a piece of one.
    #[arg(value_name = "VALUE", num_args = 0..)]
    value: Vec<String>,
    #[command(flatten)]
    file: FileArgs,
}

#[derive(Debug, ClapArgs)]
pub(super) struct UnsetArgs {
    /// The variables
    #[arg(required = true, value_name = "NAME")]
    names: Vec<String>,
    #[command(flatten)]
    file: FileArgs,
}

/// Does what `command` says.
pub(super) fn run(world: World, command: &EnvCommand) -> Exit {
    match command {
        EnvCommand::List(args) => list::run(world, args),
        EnvCommand::Show(args) => show::run(world, args),
        EnvCommand::Set(args) => set::run(world, args),
        EnvCommand::Unset(args) => unset::run(world, args),
    }
}

/// What to say instead of `error`, which would repeat a piece of what was to be set: a secret may start with `-` too.
pub(super) fn without_value(error: &clap::Error, arguments: &[OsString]) -> Option<Diagnostic> {
    let word = |at: usize| arguments.get(at).and_then(|word| word.to_str());
    if (word(1), word(2)) != (Some("env"), Some("set")) || error.kind() != ErrorKind::UnknownArgument {
        return None;
    }
    let finding = Diagnostic::error("`env set` has no such flag");
    Some(match error.get(ContextKind::SuggestedArg) {
        Some(ContextValue::String(near)) => finding.help(format!("did you mean `{near}`?")),
        _ => finding.help("a value that starts with `-` stands behind `--`; a secret is left out and asked for"),
    })
}

/// The project root of the working folder.
fn root(world: &World, given: Option<&PathBuf>) -> Result<Root, Diagnostic> {
    let given = given.map(|given| world.folder.join(given));
    Root::find(&world.folder, given.as_deref()).map_err(|error| {
        let folder = given.as_deref().unwrap_or(&world.folder).display().to_string();
        Diagnostic::error(format!("the project root `{folder}` {}", ReadError::from(error)))
    })
}

/// What to say when no environment was chosen; `words` are what stands on the command line instead.
fn no_environment(world: &World, root: &Root, words: &[String]) -> Diagnostic {
    let names = environment::available(&world.folder, root.path());
    let finding = Diagnostic::error("no environment was chosen");
    match names.iter().find(|name| words.contains(name)) {
        Some(name) => finding.help(format!("write `--env {name}`")),
        None if names.is_empty() => finding.help(format!("{NONE}: make `environments/dev.yaml`")),
        None => finding.help(format!("choose one with `--env NAME`: {}", names.join(", "))),
    }
}

const NONE: &str = "there is no environment from here up to the project root";
