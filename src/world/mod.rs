//! The outside as values: arguments, process environment, working folder, streams, clock, terminal, signals.
//!
//! A [`World`] is made once, by `main`, and handed down; a test makes its own, in which what it does not mention is empty. No
//! other module asks the process. May import `secret`, `mask`, `clock` and `diagnostic`.

mod signal;
mod stream;
mod terminal;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::{self, IsTerminal, Read};
use std::path::PathBuf;
use std::sync::Arc;

use crate::clock::{Clock, SystemClock};

pub use signal::{Interrupt, Interrupts, interrupted};
pub use stream::{ColourChoice, Stream};
pub use terminal::{ask_secret, read_secret};

/// All that the program takes from, and gives to, the process it runs in. It has no `Debug`: variables hold secrets.
pub struct World {
    /// The command line, the program's name first.
    pub arguments: Vec<OsString>,
    /// The process environment; a variable that is not UTF-8 is left out.
    pub variables: BTreeMap<String, String>,
    /// The working folder: relative paths of the command line start here.
    pub folder: PathBuf,
    /// Where data goes.
    pub stdout: Stream,
    /// Where everything else goes.
    pub stderr: Stream,
    /// What is handed in: standard input.
    pub stdin: Box<dyn Read + Send>,
    /// Whether standard input is a terminal, so that someone may be asked.
    pub input_is_terminal: bool,
    /// The time.
    pub clock: Arc<dyn Clock>,
}

impl World {
    /// The world of this process.
    ///
    /// # Errors
    /// When the working folder can't be told: it was removed, or is not readable.
    #[expect(clippy::disallowed_methods, reason = "the one place where the process is asked")]
    pub fn of_process() -> io::Result<Self> {
        let text = |(name, value): (OsString, OsString)| Some((name.into_string().ok()?, value.into_string().ok()?));
        Ok(Self {
            arguments: std::env::args_os().collect(),
            variables: std::env::vars_os().filter_map(text).collect(),
            folder: std::env::current_dir()?,
            stdout: Stream::of_process(io::stdout()),
            stderr: Stream::of_process(io::stderr()),
            stdin: Box::new(io::stdin()),
            input_is_terminal: io::stdin().is_terminal(),
            clock: Arc::new(SystemClock),
        })
    }

    /// Whether text for `stream` is painted: `choice`, and for [`ColourChoice::Auto`] in this order `NO_COLOR` (set, not empty),
    /// `CLICOLOR_FORCE` (set, not empty, not `0`), a dumb terminal, a terminal at all.
    #[must_use]
    pub fn colour(&self, stream: &Stream, choice: ColourChoice) -> bool {
        let variable = |name: &str| self.variables.get(name).map_or("", String::as_str);
        match choice {
            ColourChoice::Always => true,
            ColourChoice::Never => false,
            ColourChoice::Auto if !variable("NO_COLOR").is_empty() => false,
            ColourChoice::Auto if !matches!(variable("CLICOLOR_FORCE"), "" | "0") => true,
            ColourChoice::Auto => stream.terminal && variable("TERM") != "dumb",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{FixedClock, Timestamp};

    /// Names and values.
    type Variables<'a> = &'a [(&'a str, &'a str)];

    fn world(variables: Variables) -> World {
        let silent = || Stream::new(Box::new(io::sink()), false, None);
        World {
            arguments: Vec::new(),
            variables: variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
            folder: PathBuf::new(),
            stdout: silent(),
            stderr: silent(),
            stdin: Box::new(io::empty()),
            input_is_terminal: false,
            clock: Arc::new(FixedClock::new(Timestamp(0))),
        }
    }

    #[test]
    fn colour_is_decided_by_flag_then_variables_then_terminal() {
        use ColourChoice::{Always, Auto, Never};
        let cases: [(ColourChoice, bool, Variables, bool); 12] = [
            (Auto, true, &[], true),
            (Auto, false, &[], false),
            (Auto, true, &[("TERM", "dumb")], false),
            (Auto, true, &[("TERM", "xterm")], true),
            (Auto, true, &[("NO_COLOR", "1")], false),
            (Auto, true, &[("NO_COLOR", "")], true),
            (Auto, false, &[("CLICOLOR_FORCE", "1")], true),
            (Auto, false, &[("CLICOLOR_FORCE", "0")], false),
            (Auto, false, &[("CLICOLOR_FORCE", "1"), ("TERM", "dumb")], true),
            (Auto, false, &[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")], false),
            (Always, false, &[("NO_COLOR", "1"), ("TERM", "dumb")], true),
            (Never, true, &[("CLICOLOR_FORCE", "1")], false),
        ];
        for (choice, terminal, variables, expected) in cases {
            let stream = Stream::new(Box::new(io::sink()), terminal, None);
            assert_eq!(world(variables).colour(&stream, choice), expected, "{choice:?} {terminal} {variables:?}");
        }
    }

    #[test]
    fn the_world_of_a_process_knows_its_name_and_its_folder() {
        let world = World::of_process().unwrap();
        assert!(!world.arguments.is_empty());
        assert!(world.folder.is_absolute());
    }
}
