//! What `set` and `unset` share: the environment as its files say it, and its local file to write to.

use crate::diagnostic::{Cause, Diagnostic, Severity};
use crate::environment::{self, Environment, Files};
use crate::files::root::Root;
use crate::mask::Masker;
use crate::store::{Store, StoreError};
use crate::template::Builder;
use crate::world::World;
use crate::yaml::edit::Change;

use super::super::{Diagnostics, Exit, exit, runtime};
use super::{FileArgs, no_environment, root};

/// The sections of the local file.
pub(super) const VARIABLES: &str = "variables";
pub(super) const STORED: &str = "stored";

/// An environment whose local file is changed.
pub(super) struct Target {
    pub(super) environment: Environment,
    pub(super) files: Files,
}

/// Why nothing was changed.
pub(super) enum Stop {
    /// There is something wrong with the command line or the files.
    Findings(Vec<Diagnostic>),
    /// The file could not be written.
    Unsaved(Diagnostic),
    /// Whoever was asked pressed Ctrl-C.
    Interrupted,
}

impl From<Diagnostic> for Stop {
    fn from(finding: Diagnostic) -> Self {
        Self::Findings(vec![finding])
    }
}

impl Stop {
    /// Tells it.
    pub(super) fn tell(self, diagnostics: &mut Diagnostics) -> Exit {
        let (findings, exit) = match self {
            Self::Findings(findings) => {
                let exit = exit::of_findings(&findings);
                (findings, exit)
            }
            Self::Unsaved(finding) => (vec![finding], Exit::Unsaved),
            Self::Interrupted => (Vec::new(), Exit::Interrupted(crate::world::Interrupt::Keyboard)),
        };
        diagnostics.tell(&findings);
        let _ = diagnostics.out.finish();
        exit
    }
}

impl Target {
    /// Loads the environment that `args` name. Its templates are not compiled: a value that is broken can be set anew.
    pub(super) fn load(
        world: &World,
        args: &FileArgs,
        words: &[String],
        masker: &Masker,
        diagnostics: &mut Diagnostics,
    ) -> Result<Self, Stop> {
        let root: Root = root(world, args.root.as_ref())?;
        let name = args.env.as_deref().ok_or_else(|| no_environment(world, &root, words))?;
        let path = environment::find(name, &world.folder, root.path(), &world.folder)?;
        let mut templates = Builder::new(world.clock.clone());
        let loaded = environment::load(&path, &world.folder, &root, &[], &mut templates, masker).map_err(Stop::Findings)?;
        let (mistakes, warnings): (Vec<_>, Vec<_>) =
            loaded.findings.into_iter().partition(|finding| finding.severity == Severity::Error);
        diagnostics.tell(&warnings);
        match loaded.environment.files.clone() {
            Some(files) if mistakes.is_empty() => Ok(Self { environment: loaded.environment, files }),
            _ => Err(Stop::Findings(mistakes)),
        }
    }

    /// Writes `changes`; a `.gitignore` that had to be made first is told.
    pub(super) fn save(&self, changes: &[Change], diagnostics: &mut Diagnostics) -> Result<(), Stop> {
        let store = Store::new(&self.files);
        let runtime = runtime()?;
        let made = runtime.block_on(store.prepare()).map_err(|error| failed(&error, &store))?;
        if let Some(made) = made {
            diagnostics.tell(&[Diagnostic::note(format!("made `{made}`, so that git leaves local files alone"))]);
        }
        runtime.block_on(store.change(changes)).map_err(|error| failed(&error, &store))
    }
}

fn failed(error: &StoreError, store: &Store) -> Stop {
    let finding = error.finding(store.shown());
    if finding.cause == Cause::Policy { finding.into() } else { Stop::Unsaved(finding) }
}
