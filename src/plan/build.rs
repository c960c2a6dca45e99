//! Loads collections, what they need, and the environment; compiles every template in one go.

use std::collections::BTreeSet;
use std::fs::Metadata;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::clock::Clock;
use crate::collection::{self, Collection};
use crate::diagnostic::{Diagnostic, Place, Severity};
use crate::environment::{self, Environment, Given, Tls};
use crate::files::read::ReadError;
use crate::files::root::Root;
use crate::files::rule::{Refusal, Rule};
use crate::mask::Masker;
use crate::template::Builder;

use super::validate::findings_of;
use super::{Plan, Unit};

/// What a plan is built from.
#[derive(Debug)]
pub struct Inputs<'i> {
    /// Collection files and folders, as typed; none when only the environment is of interest.
    pub paths: &'i [PathBuf],
    /// `--env`.
    pub environment: Option<&'i str>,
    /// `--root`.
    pub root: Option<&'i Path>,
    /// Values of the command line.
    pub given: &'i [Given],
    /// What the command line says about TLS.
    pub tls: Option<&'i Tls>,
    /// The working folder.
    pub folder: &'i Path,
    /// Secrets become known here as files are read.
    pub masker: &'i Masker,
}

/// Loads and compiles; the result still has to pass [`super::validate`].
///
/// # Errors
/// Every mistake of every file that could be found.
pub fn build(inputs: &Inputs<'_>, clock: Arc<dyn Clock>) -> Result<Plan, Vec<Diagnostic>> {
    let mut loader = Loader {
        inputs,
        templates: Builder::new(Arc::clone(&clock)),
        units: Vec::new(),
        keys: Vec::new(),
        needed: Vec::new(),
        findings: Vec::new(),
        uncertain: BTreeSet::new(),
    };
    for path in inputs.paths {
        loader.named(path);
    }
    let first_folder = loader.units.first().map(|unit| parent(&unit.collection.path).to_owned());
    let folder = first_folder.unwrap_or_else(|| inputs.folder.to_owned());
    let mut root = match Root::find(&folder, inputs.root) {
        Ok(root) => root,
        Err(error) => {
            // A folder that is not there was told as the collection that is not in it, unless `--root` names it.
            if inputs.root.is_some() || loader.findings.is_empty() {
                let folder = inputs.root.unwrap_or(&folder).display();
                let error = ReadError::from(error);
                loader.findings.push(Diagnostic::error(format!("the project root `{folder}` {error}")));
            }
            return Err(loader.findings);
        }
    };
    let mut environment = loader.environment(&root);
    if let (Some(environment), Some(tls)) = (&mut environment, inputs.tls) {
        environment.tls.get_or_insert_default().overlay(tls);
    }
    for path in environment.iter().flat_map(Environment::secret_files) {
        root.withhold(path.to_owned());
    }
    loader.refuse_secrets(&root);
    let Loader { templates, units, keys, mut findings, uncertain, .. } = loader;
    let engine = templates.compile().map_err(|more| findings.extend(more)).ok();
    let (mut errors, warnings): (Vec<_>, Vec<_>) = findings.into_iter().partition(|f| f.severity == Severity::Error);
    match (engine, environment) {
        (Some(engine), Some(environment)) if errors.is_empty() => {
            Ok(Plan { units, environment, engine, root, warnings, uncertain: BTreeSet::new() })
        }
        (_, environment) => {
            // What could be read is checked all the same, so that nobody mends one kind of mistake only to be told of the next.
            let lost = |unit: &Unit| unit.needs.len() < unit.collection.needs.len();
            let open = environment.is_none() || units.iter().any(lost) || keys.iter().any(|(_, p)| *p == Progress::Failed);
            let environment = environment.unwrap_or_else(|| environment::without_file(inputs.given));
            if let Ok(engine) = Builder::new(clock).compile() {
                let plan = Plan { units, environment, engine, root, warnings, uncertain };
                errors.extend(findings_of(&plan, open, inputs.masker));
            }
            Err(in_order(errors))
        }
    }
}

/// Findings in the order of the files, the files in the order in which they were told of; those without a place stand first.
fn in_order(mut findings: Vec<Diagnostic>) -> Vec<Diagnostic> {
    let mut files: Vec<String> = Vec::new();
    for place in findings.iter().filter_map(|finding| finding.place.as_ref()) {
        if !files.iter().any(|name| name == place.file.name()) {
            files.push(place.file.name().to_owned());
        }
    }
    findings.sort_by_key(|finding| {
        let place = finding.place.as_ref();
        place.map(|place| (files.iter().position(|name| name == place.file.name()), place.span.start))
    });
    findings
}

struct Loader<'i> {
    inputs: &'i Inputs<'i>,
    templates: Builder,
    units: Vec<Unit>,
    /// The canonical path of each unit, and of each file that is being loaded.
    keys: Vec<(PathBuf, Progress)>,
    /// Each file that was read because a collection needs it: what it is, its name in messages, and the need.
    needed: Vec<(Metadata, String, Refusal, Place)>,
    findings: Vec<Diagnostic>,
    uncertain: BTreeSet<String>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Progress {
    Loading,
    Loaded(usize),
    Failed,
}

impl Loader<'_> {
    /// A path of the command line: a file, or a folder of collections.
    fn named(&mut self, typed: &Path) {
        let path = self.inputs.folder.join(typed);
        if !path.is_dir() {
            self.unit(&path, &typed.display().to_string(), None);
            return;
        }
        match collection::discover(&path, typed) {
            Ok(files) if files.is_empty() => self.findings.push(
                Diagnostic::error(format!("there is no collection below `{}`", typed.display()))
                    .help("a collection is a `.yaml` file with `requests:` at the top"),
            ),
            Ok(files) => {
                for file in files {
                    let shown = file.strip_prefix(self.inputs.folder).unwrap_or(&file).display().to_string();
                    self.unit(&file, &shown, None);
                }
            }
            Err(findings) => self.findings.extend(findings),
        }
    }

    /// Loads a collection after those that it needs; each file once. The text of a needed one was read through the root.
    fn unit(&mut self, path: &Path, shown: &str, text: Option<String>) -> Option<usize> {
        let needed = text.is_some();
        let key = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        if let Some((_, Progress::Loaded(index))) = self.keys.iter().find(|(known, _)| *known == key) {
            let index = *index;
            self.units[index].needed &= needed;
            return Some(index);
        }
        self.keys.push((key.clone(), Progress::Loading));
        let loaded = match text {
            Some(text) => collection::load_text(path, shown, text, &mut self.templates),
            None => collection::load(path, shown, &mut self.templates),
        };
        let mut loaded = match loaded {
            Ok(loaded) => loaded,
            Err(findings) => {
                self.findings.extend(findings);
                self.finish(&key, Progress::Failed);
                return None;
            }
        };
        self.findings.append(&mut loaded.findings);
        self.uncertain.append(&mut loaded.uncertain);
        let needs = self.needs(&loaded.collection, shown);
        self.units.push(Unit { collection: loaded.collection, needs, needed });
        let index = self.units.len() - 1;
        self.finish(&key, Progress::Loaded(index));
        Some(index)
    }

    fn finish(&mut self, key: &Path, progress: Progress) {
        if let Some(entry) = self.keys.iter_mut().find(|(known, _)| known == key) {
            entry.1 = progress;
        }
    }

    fn needs(&mut self, collection: &Collection, shown: &str) -> Vec<usize> {
        let folder = parent(&collection.path);
        // The folder of a collection that was just read can be opened.
        let Ok(root) = Root::find(folder, self.inputs.root) else { return Vec::new() };
        let mut found = Vec::new();
        for need in &collection.needs {
            // A message about a mistake shows the line that it stands in: no key, note or log is read to find one.
            if !Path::new(&need.path).extension().is_some_and(|ending| ending == "yaml" || ending == "yml") {
                let finding = need.place.error(format!("`{}` is no collection: its name does not end in `.yaml`", need.path));
                self.findings.push(finding);
                continue;
            }
            let below = Path::new(shown).parent().unwrap_or(Path::new("")).join(&need.path).display().to_string();
            let refused = |rule: Rule| Refusal { named: need.path.clone(), rule };
            let read = root.open(folder, &need.path).and_then(|mut opened| {
                let text = opened.text().map_err(|error| refused(error.into()))?;
                let facts = opened.file.metadata().map_err(|error| refused(ReadError::from(error).into()))?;
                Ok((opened.path, facts, text))
            });
            let (key, facts, text) = match read {
                Ok(read) => read,
                Err(refusal) => {
                    self.findings.push(refusal.finding("the needed collection", &need.place));
                    continue;
                }
            };
            self.needed.push((facts, below.clone(), refused(Rule::Secret), need.place.clone()));
            let path = folder.join(&need.path);
            match self.keys.iter().find(|(known, _)| *known == key).map(|(_, progress)| *progress) {
                Some(Progress::Loading) => self.findings.push(
                    need.place
                        .error("collections need one another in a circle")
                        .label(format!("`{}` needs this collection, directly or not", need.path)),
                ),
                Some(Progress::Failed) => {}
                _ => found.extend(self.unit(&path, &below, Some(text))),
            }
        }
        found
    }

    /// Refuses the needed collections that turned out to be a secret of the environment. What was found in them shows their lines.
    fn refuse_secrets(&mut self, root: &Root) {
        for (_, shown, refusal, place) in self.needed.iter().filter(|(facts, ..)| root.withholds(facts)) {
            self.findings.retain(|finding| finding.place.as_ref().is_none_or(|place| place.file.name() != shown));
            self.findings.push(refusal.finding("the needed collection", place));
        }
    }

    /// The environment of the run; every collection must mean the same file by its name.
    fn environment(&mut self, root: &Root) -> Option<Environment> {
        let inputs = self.inputs;
        let Some(name) = inputs.environment else { return Some(environment::without_file(inputs.given)) };
        let mut paths: Vec<PathBuf> = Vec::new();
        let mut folders: Vec<&Path> =
            self.units.iter().filter(|unit| !unit.needed).map(|unit| parent(&unit.collection.path)).collect();
        if inputs.paths.is_empty() {
            folders.push(inputs.folder);
        }
        for folder in folders {
            let Ok(root) = Root::find(folder, inputs.root) else { continue };
            let folder = folder.canonicalize().unwrap_or_else(|_| folder.to_owned());
            match environment::find(name, &folder, root.path(), inputs.folder) {
                Ok(path) if paths.contains(&path) => {}
                Ok(path) => paths.push(path),
                Err(finding) if self.findings.contains(&finding) => {}
                Err(finding) => self.findings.push(finding),
            }
        }
        if let [first, second, ..] = paths.as_slice() {
            let shown = |path: &Path| path.strip_prefix(inputs.folder).unwrap_or(path).display().to_string();
            self.findings.push(
                Diagnostic::error(format!("the collections find different environments called `{name}`"))
                    .help(format!("`{}` and `{}`", shown(first), shown(second)))
                    .help("run them one after another, or give the path of one with `--env`"),
            );
            return None;
        }
        let path = paths.first()?;
        match environment::load(path, inputs.folder, root, inputs.given, &mut self.templates, inputs.masker) {
            Ok(loaded) => {
                self.findings.extend(loaded.findings);
                self.uncertain.extend(loaded.uncertain);
                Some(loaded.environment)
            }
            Err(findings) => {
                self.findings.extend(findings);
                None
            }
        }
    }
}

/// The folder of a file.
fn parent(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}
