//! Values of the command line: `--var`, `--secret`, `RUNNER_VAR_…`, `RUNNER_SECRET_…`.

use std::collections::BTreeMap;
use std::io;

use serde_json::Value;

use crate::diagnostic::Diagnostic;
use crate::environment::{Given, GivenBy};
use crate::mask::{Learnt, Masker, SHORTEST};
use crate::secret::Secret;
use crate::template::{RESERVED, is_name};
use crate::world::{World, ask_secret};
use crate::yaml::plain_value;

use super::args::ValueArgs;

pub(super) const VARIABLE: &str = "RUNNER_VAR_";
pub(super) const SECRET: &str = "RUNNER_SECRET_";

/// The value of a secret that a run will ask for.
const STAND_IN: &str = "[asked for]";

/// Who is asked for the secrets that `--secret` names and that stand nowhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Asking {
    /// Whoever sits at the terminal.
    Now,
    /// Nobody: it is a mistake.
    Never,
    /// Nobody yet: the command sends nothing, and a stand-in does.
    #[default]
    Later,
}

/// Why there is nothing to go on with.
pub(super) enum Refused {
    /// Mistakes.
    Findings(Vec<Diagnostic>),
    /// Ctrl-C in place of a secret.
    Interrupted,
}

impl Refused {
    /// The mistakes: all there is, where nobody is asked.
    pub(super) fn findings(self) -> Vec<Diagnostic> {
        match self {
            Self::Findings(findings) => findings,
            Self::Interrupted => Vec::new(),
        }
    }
}

/// What the command line gives; secrets are known to `masker` before anything is said. Warnings go to `warnings`.
pub(super) fn collect(
    args: &ValueArgs,
    world: &World,
    asking: Asking,
    masker: &Masker,
    warnings: &mut Vec<Diagnostic>,
) -> Result<Vec<Given>, Refused> {
    let mut given: BTreeMap<String, Given> = BTreeMap::new();
    let mut findings = Vec::new();
    let mut add = |name: &str, value: Value, secret: bool, by: GivenBy| {
        given.insert(name.to_owned(), Given { name: name.to_owned(), value, secret, by });
    };
    for (variable, text) in &world.variables {
        if let Some(name) = variable.strip_prefix(VARIABLE)
            && usable(name)
        {
            add(name, plain_value(text), false, GivenBy::ProcessVariable);
        }
    }
    for argument in &args.var {
        match argument.split_once('=') {
            Some((name, text)) if usable(name) => add(name, plain_value(text), false, GivenBy::Flag),
            Some((name, _)) => findings.push(
                Diagnostic::error(format!("`--var {name}=…`: `{name}` can't be the name of a variable"))
                    .help("letters, digits and `_`, not starting with a digit, and none of the reserved names"),
            ),
            None => findings.push(
                Diagnostic::error(format!("`--var {argument}` has no value")).help(format!("write `--var {argument}=VALUE`")),
            ),
        }
    }
    for (variable, text) in &world.variables {
        // CI systems give an empty text for a secret that they don't have.
        if let Some(name) = variable.strip_prefix(SECRET)
            && usable(name)
            && !text.is_empty()
        {
            if masker.learn(&Secret::new(text.as_str())) == Learnt::TooShort {
                warnings.push(too_short(name));
            }
            add(name, Value::from(text.as_str()), true, GivenBy::ProcessVariable);
        }
    }
    for name in &args.secret {
        if world.variables.get(&format!("{SECRET}{name}")).is_some_and(|text| !text.is_empty()) {
            continue;
        }
        match asked(name, world, asking)? {
            Ok(None) => add(name, Value::from(STAND_IN), true, GivenBy::Flag),
            Ok(Some(secret)) => {
                if masker.learn(&secret) == Learnt::TooShort {
                    warnings.push(too_short(name));
                }
                add(name, Value::from(secret.expose()), true, GivenBy::Flag);
            }
            Err(finding) => findings.push(finding),
        }
    }
    if findings.is_empty() { Ok(given.into_values().collect()) } else { Err(Refused::Findings(findings)) }
}

pub(super) fn usable(name: &str) -> bool {
    is_name(name) && !RESERVED.contains(&name)
}

pub(super) fn too_short(name: &str) -> Diagnostic {
    Diagnostic::warning(format!("the secret `{name}` is shorter than {SHORTEST} characters and can't be masked in the output"))
}

/// Asks for a secret on the terminal; `None` when it is asked for later.
fn asked(name: &str, world: &World, asking: Asking) -> Result<Result<Option<Secret>, Diagnostic>, Refused> {
    if let Some((before, _)) = name.split_once('=') {
        // The value is not repeated: it stands in the shell's history already.
        let finding = Diagnostic::error("a secret never stands on a command line: others on this machine could read it there");
        let help = format!("write `--secret {before}` and type the value when asked, or set RUNNER_SECRET_{before}");
        return Ok(Err(finding.help(help)));
    }
    if !usable(name) {
        return Ok(Err(Diagnostic::error(format!("`--secret {name}`: `{name}` can't be the name of a variable"))));
    }
    if asking == Asking::Later {
        return Ok(Ok(None));
    }
    if asking == Asking::Never || !world.input_is_terminal {
        let finding = Diagnostic::error(format!("the secret `{name}` can't be asked for: there is no terminal"));
        return Ok(Err(finding.help(format!("set the process variable RUNNER_SECRET_{name}"))));
    }
    match ask_secret(name) {
        Err(error) if error.kind() == io::ErrorKind::Interrupted => Err(Refused::Interrupted),
        Err(error) => Ok(Err(Diagnostic::error(format!("the secret `{name}` was not given: {error}")))),
        Ok(secret) => Ok(Ok(Some(secret))),
    }
}
