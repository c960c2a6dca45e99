//! Values of the command line: `--var`, `--secret`, `RUNNER_VAR_…`, `RUNNER_SECRET_…`.

use std::collections::BTreeMap;
use std::io;

use serde_json::Value;

use crate::diagnostic::Diagnostic;
use crate::environment::Given;
use crate::mask::{Learnt, Masker, SHORTEST};
use crate::secret::Secret;
use crate::template::{RESERVED, is_name};
use crate::world::{World, ask_secret};
use crate::yaml::plain_value;

use super::args::PlanArgs;

const VARIABLE: &str = "RUNNER_VAR_";
const SECRET: &str = "RUNNER_SECRET_";

/// Why there is nothing to go on with.
pub(super) enum Refused {
    /// Mistakes.
    Findings(Vec<Diagnostic>),
    /// Ctrl-C in place of a secret.
    Interrupted,
}

/// What the command line gives; secrets are known to `masker` before anything is said. Warnings go to `warnings`.
pub(super) fn collect(
    args: &PlanArgs,
    world: &World,
    may_ask: bool,
    masker: &Masker,
    warnings: &mut Vec<Diagnostic>,
) -> Result<Vec<Given>, Refused> {
    let mut given: BTreeMap<String, Given> = BTreeMap::new();
    let mut findings = Vec::new();
    let mut add = |name: &str, value: Value, secret: bool| {
        given.insert(name.to_owned(), Given { name: name.to_owned(), value, secret });
    };
    for (variable, text) in &world.variables {
        if let Some(name) = variable.strip_prefix(VARIABLE)
            && usable(name)
        {
            add(name, plain_value(text), false);
        }
    }
    for argument in &args.var {
        match argument.split_once('=') {
            Some((name, text)) if usable(name) => add(name, plain_value(text), false),
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
            add(name, Value::from(text.as_str()), true);
        }
    }
    for name in &args.secret {
        if world.variables.get(&format!("{SECRET}{name}")).is_some_and(|text| !text.is_empty()) {
            continue;
        }
        match asked(name, world, may_ask)? {
            Ok(secret) => {
                if masker.learn(&secret) == Learnt::TooShort {
                    warnings.push(too_short(name));
                }
                add(name, Value::from(secret.expose()), true);
            }
            Err(finding) => findings.push(finding),
        }
    }
    if findings.is_empty() { Ok(given.into_values().collect()) } else { Err(Refused::Findings(findings)) }
}

fn usable(name: &str) -> bool {
    is_name(name) && !RESERVED.contains(&name)
}

fn too_short(name: &str) -> Diagnostic {
    Diagnostic::warning(format!("the secret `{name}` is shorter than {SHORTEST} characters and can't be masked in the output"))
}

/// Asks for a secret on the terminal.
fn asked(name: &str, world: &World, may_ask: bool) -> Result<Result<Secret, Diagnostic>, Refused> {
    if let Some((before, _)) = name.split_once('=') {
        // The value is not repeated: it stands in the shell's history already.
        let finding = Diagnostic::error("a secret never stands on a command line: others on this machine could read it there");
        let help = format!("write `--secret {before}` and type the value when asked, or set RUNNER_SECRET_{before}");
        return Ok(Err(finding.help(help)));
    }
    if !usable(name) {
        return Ok(Err(Diagnostic::error(format!("`--secret {name}`: `{name}` can't be the name of a variable"))));
    }
    if !may_ask || !world.input_is_terminal {
        let finding = Diagnostic::error(format!("the secret `{name}` can't be asked for: there is no terminal"));
        return Ok(Err(finding.help(format!("set the process variable RUNNER_SECRET_{name}"))));
    }
    match ask_secret(name) {
        Err(error) if error.kind() == io::ErrorKind::Interrupted => Err(Refused::Interrupted),
        answer => Ok(answer.map_err(|error| Diagnostic::error(format!("the secret `{name}` was not given: {error}")))),
    }
}
