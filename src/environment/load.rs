//! Loads an environment: its bases, itself, the local file, the command line.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::auth::Method;
use crate::diagnostic::{Diagnostic, Place};
use crate::files::git::{self, Standing};
use crate::files::read::{ReadError, read_local, read_text};
use crate::files::root::Root;
use crate::files::rule::Rule;
use crate::mask::{Learnt, Masker, SHORTEST, is_secret_name};
use crate::secret::Secret;
use crate::template::Builder;
use crate::yaml::{self, Document, Privacy};

use super::decode::{self, Part};
use super::find::{is_local, local_refused};
use super::model::{Content, Declaration, Environment, Files, GivenBy, Layer, Variable};
use super::userinfo::passwords_of;

/// The deepest chain of `extends`.
const DEEPEST: usize = 16;

/// A value that came with the command line or with `RUNNER_VAR_…`, `RUNNER_SECRET_…`.
#[derive(Clone)]
pub struct Given {
    /// The variable.
    pub name: String,
    /// Its value, read like a plain scalar; a secret stays text.
    pub value: Value,
    /// Whether it came as a secret.
    pub secret: bool,
    /// What gave it.
    pub by: GivenBy,
}

impl std::fmt::Debug for Given {
    // The value may be a secret.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Given").field("name", &self.name).field("secret", &self.secret).finish_non_exhaustive()
    }
}

/// An environment with what is worth saying about it.
#[derive(Debug)]
pub struct Loaded {
    /// The environment.
    pub environment: Environment,
    /// Warnings and, when a file has mistakes, errors.
    pub findings: Vec<Diagnostic>,
    /// In files with mistakes every key: names that they may declare in a part that could not be read.
    pub uncertain: BTreeSet<String>,
}

/// The environment of a run without `--env`: only what the command line gives.
#[must_use]
pub fn without_file(given: &[Given]) -> Environment {
    let mut environment = Environment {
        name: String::new(),
        files: None,
        sandbox: None,
        variables: Vec::new(),
        auth: Vec::new(),
        hosts: Vec::new(),
        tls: None,
        proxy: None,
        stored: Vec::new(),
        tokens: Vec::new(),
    };
    add_given(&mut environment, given);
    environment
}

/// Loads the environment at `path`. Secrets of the local file are known to `masker` before anything about it is said.
///
/// # Errors
/// A file can't be read, or is no YAML at all.
pub fn load(
    path: &Path,
    working_folder: &Path,
    root: &Root,
    given: &[Given],
    templates: &mut Builder,
    masker: &Masker,
) -> Result<Loaded, Vec<Diagnostic>> {
    let shown = |path: &Path| path.strip_prefix(working_folder).unwrap_or(path).display().to_string();
    let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    let local = path.with_file_name(format!("{stem}.local.yaml"));
    let files = Files { shared: path.to_owned(), shared_shown: shown(path), local_shown: shown(&local), local };
    let mut environment = without_file(&[]);
    environment.name = stem;
    let mut loader = Loader {
        root,
        templates,
        shown: &shown,
        environment,
        findings: Vec::new(),
        uncertain: BTreeSet::new(),
        chain: Vec::new(),
    };
    let unread = [loader.shared(path, None), loader.local(&files, masker)];
    let Loader { mut environment, mut findings, uncertain, .. } = loader;
    learn_credentials(&environment, masker);
    if unread.iter().any(Result::is_err) {
        findings.extend(unread.into_iter().filter_map(Result::err).flatten());
        return Err(findings);
    }
    environment.files = Some(files);
    add_given(&mut environment, given);
    Ok(Loaded { environment, findings, uncertain })
}

struct Loader<'a> {
    root: &'a Root,
    templates: &'a mut Builder,
    shown: &'a dyn Fn(&Path) -> String,
    environment: Environment,
    findings: Vec<Diagnostic>,
    uncertain: BTreeSet<String>,
    /// The files that are being read, outermost first.
    chain: Vec<PathBuf>,
}

impl Loader<'_> {
    /// Reads a shared file after its bases, so that it overrides them.
    fn shared(&mut self, path: &Path, named_at: Option<&Place>) -> Result<(), Vec<Diagnostic>> {
        let name = (self.shown)(path);
        let identity = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        let at = |finding: Diagnostic| match named_at {
            Some(place) => finding.at(place.clone()),
            None => finding,
        };
        if self.chain.contains(&identity) {
            let chain: Vec<String> = self.chain.iter().chain([&identity]).map(|path| (self.shown)(path)).collect();
            return Err(vec![at(Diagnostic::error("environments extend one another in a circle")).help(chain.join(" → "))]);
        }
        if self.chain.len() >= DEEPEST {
            return Err(vec![at(Diagnostic::error(format!("`extends` goes deeper than {DEEPEST} files")))]);
        }
        let unreadable = |rule: Rule| vec![rule.judge(at(Diagnostic::error(format!("the environment `{name}` {rule}"))))];
        let text = match named_at {
            // Whoever runs the program chose this file.
            None => read_text(path).map_err(|error| unreadable(error.into()))?,
            Some(_) => {
                let mut opened = self.root.open_for_environment(path).map_err(unreadable)?;
                // A link that leads to a local file would show its lines.
                if is_local(&opened.path) {
                    return Err(vec![at(local_refused(&name))]);
                }
                opened.text().map_err(|error| unreadable(error.into()))?
            }
        };
        let document = yaml::read_on(&name, text, Privacy::HideTagged)?;
        let folder = path.parent().unwrap_or(Path::new("."));
        let (part, findings) = decode::file(&document, folder, Layer::Shared, self.templates);
        self.found(document, findings);
        self.chain.push(identity);
        for (base, place) in &part.extends {
            let target = folder.join(base);
            if is_local(&target) {
                self.findings.push(local_refused(base).at(place.clone()));
                continue;
            }
            if !self.root.contains(&target) {
                self.findings.push(
                    place
                        .error(format!("`extends: {base}` leads out of the project"))
                        .label(format!("the project root is `{}`", self.root.path().display()))
                        .refusal(),
                );
                continue;
            }
            self.shared(&target, Some(place))?;
        }
        self.chain.pop();
        self.merge(part);
        Ok(())
    }

    /// Reads the local file, if there is one.
    fn local(&mut self, files: &Files, masker: &Masker) -> Result<(), Vec<Diagnostic>> {
        let name = &files.local_shown;
        let local = match read_local(&files.local) {
            Ok(local) => local,
            Err(ReadError::NotFound) => return Ok(()),
            Err(error) => {
                let finding = Diagnostic::error(format!("the local file `{name}` {error}"));
                return Err(vec![if matches!(error, ReadError::IsLink) { finding.refusal() } else { finding }]);
            }
        };
        match git::standing(&files.local) {
            Standing::Tracked => {
                return Err(vec![
                    Diagnostic::error(format!("`{name}` holds secrets and is tracked by git"))
                        .help(format!("take it out of the index: git rm --cached {name}"))
                        .help("and change the secrets where they come from if it was ever pushed")
                        .refusal(),
                ]);
            }
            Standing::Unclear(reason) => {
                return Err(vec![
                    Diagnostic::error(format!("can't tell whether git tracks `{name}`, so it is not read: {reason}"))
                        .help("a local file that came with the project could say where your secrets go")
                        .refusal(),
                ]);
            }
            Standing::Outside | Standing::Ignored | Standing::NotIgnored => {}
        }
        if local.is_loose() {
            self.findings.push(
                Diagnostic::warning(format!("`{name}` can be read by others on this machine"))
                    .help(format!("chmod 600 {name} (the next save does it)")),
            );
        }
        let document = yaml::read_on(name, local.text, Privacy::Hidden)?;
        let folder = files.local.parent().unwrap_or(Path::new("."));
        let (part, findings) = decode::file(&document, folder, Layer::Local, self.templates);
        for (name, declaration) in &part.variables {
            if learn_literals(declaration, masker) == Learnt::TooShort {
                let finding = Diagnostic::warning(format!("the secret `{name}` is too short to be masked in the output"));
                let finding = finding.help(format!("a secret of fewer than {SHORTEST} characters would garble ordinary text"));
                self.findings.push(match &declaration.place {
                    Some(place) => finding.at(place.clone()),
                    None => finding,
                });
            }
        }
        for stored in part.stored.iter().filter(|stored| stored.secret) {
            learn_value(&stored.value, masker);
        }
        for (_, members) in &part.tokens {
            members.iter().for_each(|(name, value)| learn_member(name, value, masker));
        }
        self.found(document, findings);
        self.merge(part);
        Ok(())
    }

    /// Keeps what is worth saying about a file.
    fn found(&mut self, document: Document, mistakes: Vec<Diagnostic>) {
        if let (Some(root), true) = (&document.root, document.has_mistakes() || !mistakes.is_empty()) {
            root.collect_keys(&mut self.uncertain);
        }
        self.findings.extend(document.warnings.into_iter().chain(mistakes));
    }

    /// Lays a part over what was read before: variables and definitions by name, hosts join, the rest replaces.
    fn merge(&mut self, part: Part) {
        let environment = &mut self.environment;
        for (name, declaration) in part.variables {
            declare(environment, name, declaration);
        }
        for definition in part.auth {
            environment.auth.retain(|old| old.name != definition.name);
            environment.auth.push(definition);
        }
        environment.hosts.extend(part.hosts);
        environment.stored.extend(part.stored);
        environment.tokens.extend(part.tokens);
        environment.sandbox = part.sandbox.or(environment.sandbox.take());
        environment.tls = part.tls.or(environment.tls.take());
        environment.proxy = part.proxy.or(environment.proxy.take());
    }
}

/// Makes the credentials known that stand in the files themselves: of auth definitions, and of the proxy.
fn learn_credentials(environment: &Environment, masker: &Masker) {
    for definition in &environment.auth {
        if let Method::Scheme(scheme) = &definition.method
            && let Some(credential) = scheme.literal_credential()
        {
            masker.learn(&Secret::new(credential));
        }
    }
    for password in environment.proxy.iter().flat_map(|(proxy, _)| passwords_of(proxy)) {
        masker.learn(&password);
    }
}

fn declare(environment: &mut Environment, name: String, declaration: Declaration) {
    match environment.variables.iter_mut().find(|variable| variable.name == name) {
        Some(variable) => variable.declarations.push(declaration),
        None => environment.variables.push(Variable { name, declarations: vec![declaration] }),
    }
}

fn add_given(environment: &mut Environment, given: &[Given]) {
    for given in given {
        let content = Content::Literal { value: given.value.clone(), secret: given.secret, by: given.by };
        declare(environment, given.name.clone(), Declaration { layer: Layer::CommandLine, place: None, content });
    }
}

/// Makes the literal texts of a local variable known as secrets, whether or not a run reads it.
fn learn_literals(declaration: &Declaration, masker: &Masker) -> Learnt {
    let mut learnt = Learnt::Masked;
    let Content::Tree { tree, secret } = &declaration.content else { return learnt };
    if *secret == Some(false) {
        return learnt;
    }
    for value in tree.templates().filter_map(|template| template.literal()) {
        let text = match value {
            Value::String(text) if *secret == Some(true) || !super::values::is_plain_url(text) => text.clone(),
            Value::Number(number) if *secret == Some(true) => number.to_string(),
            _ => continue,
        };
        if learn_text(&text, masker) == Learnt::TooShort {
            learnt = Learnt::TooShort;
        }
    }
    learnt
}

/// Makes a value that is a secret as a whole known: its texts, and the digits of a number.
pub(super) fn learn_secret(value: &Value, masker: &Masker) {
    if let Value::Number(number) = value {
        masker.learn(&Secret::new(number.to_string()));
    }
    learn_value(value, masker);
}

/// Makes every text and number below `value` known as a secret.
pub(super) fn learn_value(value: &Value, masker: &Masker) {
    match value {
        Value::String(text) => {
            learn_text(text, masker);
        }
        // A pin, or a password of digits only.
        Value::Number(number) => {
            learn_text(&number.to_string(), masker);
        }
        Value::Array(items) => items.iter().for_each(|item| learn_value(item, masker)),
        Value::Object(members) => members.values().for_each(|member| learn_value(member, masker)),
        _ => {}
    }
}

/// Makes a text known; of a URL the password too, which travels without it, as Basic authorisation.
fn learn_text(text: &str, masker: &Masker) -> Learnt {
    if super::values::is_url(text) {
        for password in passwords_of(text) {
            masker.learn(&password);
        }
    }
    masker.learn(&Secret::new(text))
}

/// Makes every text known that stands under a secret name, at any depth: of a token answer, or of a token that was kept.
pub fn learn_named(value: &Value, masker: &Masker) {
    match value {
        Value::Object(members) => members.iter().for_each(|(name, member)| learn_member(name, member, masker)),
        Value::Array(items) => items.iter().for_each(|item| learn_named(item, masker)),
        _ => {}
    }
}

/// Makes one member known: its text when its name is secret, else what lies below it.
pub fn learn_member(name: &str, value: &Value, masker: &Masker) {
    match value {
        Value::String(text) if is_secret_name(name) => {
            masker.learn(&Secret::new(text.as_str()));
        }
        nested => learn_named(nested, masker),
    }
}
