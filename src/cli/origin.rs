//! Where a value comes from and why it is a secret, in words; shared by `env show` and `explain`. Nothing is started, asked or saved
//! to find it out.

use serde_json::Value;

use crate::auth::{Carrier, Method, Scheme};
use crate::diagnostic::{Diagnostic, Paint, Place};
use crate::environment::{Content, Declaration, Environment, Evaluated, Files, GivenBy, Reason, Sandbox, Stored, Unset, Values};
use crate::mask::MASK;
use crate::plan::ways_to_give;
use crate::yaml::write;

use super::given::{SECRET, VARIABLE};
use super::table::Row;

/// The address that a sandbox has as long as none runs. No host has this name (RFC 2606 §2).
const NOWHERE: &str = "http://sandbox.invalid";
const SANDBOX_URL: &str = "[sandbox.url]";

/// Stands for a value whose evaluation fails.
pub(super) const UNHAD: &str = "can't be evaluated";

/// The sandbox of a command that starts none: its members are their own names.
pub(super) struct Unstarted;

impl Sandbox for Unstarted {
    fn member(&self, name: &str) -> Option<String> {
        // An address must look like one, or nothing that is made of it could be shown.
        Some(if name == "url" { NOWHERE.to_owned() } else { format!("[sandbox.{name}]") })
    }
}

/// `text` with the sandbox's address named.
pub(super) fn with_sandbox_named(text: &str) -> String {
    text.replace(NOWHERE, SANDBOX_URL)
}

/// What is known of a variable of the environment.
pub(super) enum State {
    /// It has this value.
    Known(Evaluated),
    /// It has a value once the sandbox runs; until then this stands for it.
    FromSandbox(Evaluated),
    /// It must be set.
    Unset(Unset),
    /// Its value can't be had.
    Failed(Diagnostic),
}

/// Looks at a variable of the environment; `None` when no layer declares it.
pub(super) fn state(values: &Values<'_>, name: &str) -> Option<State> {
    if let Some(unset) = values.unset(name) {
        return Some(State::Unset(unset));
    }
    match values.get(name) {
        Ok(Some(evaluated)) if values.reads_sandbox(name) => Some(State::FromSandbox(evaluated)),
        Ok(Some(evaluated)) => Some(State::Known(evaluated)),
        Ok(None) => None,
        Err(error) => Some(State::Failed(error.into_finding())),
    }
}

/// A value as it would be written in a file, on one line: `5` is a number, `"5"` text.
pub(super) fn shown(value: &Value) -> String {
    match value {
        // What is no name of anything else needs no quotes here, whatever YAML thinks of its signs.
        Value::String(text) if !text.is_empty() && crate::yaml::plain_value(text).is_string() => with_sandbox_named(text),
        value => with_sandbox_named(&write::inline(value)),
    }
}

/// The row of a variable of the environment; `environment` is its name, for the command that sets a value.
pub(super) fn row(values: &Values<'_>, name: &str, state: &State) -> Row {
    let mut row = Row { name: name.to_owned(), ..Row::default() };
    if let Some(declaration) = values.declaration(name) {
        row.origin = origin(declaration, name);
    }
    match state {
        State::Known(evaluated) | State::FromSandbox(evaluated) => {
            row.value = if evaluated.secret { MASK.to_owned() } else { shown(&evaluated.value) };
        }
        State::Failed(_) => {
            row.value = UNHAD.to_owned();
            row.paint = Some(Paint::Error);
        }
        State::Unset(unset) => describe_unset(values, name, unset, &mut row),
    }
    let secret = match state {
        State::Known(evaluated) | State::FromSandbox(evaluated) => evaluated.secret,
        State::Unset(_) | State::Failed(_) => values.makes_secret(name),
    };
    if secret {
        row.remarks.push(reason(values, name));
    }
    row.remarks.extend(overridden(values, name));
    row
}

fn describe_unset(values: &Values<'_>, name: &str, unset: &Unset, row: &mut Row) {
    row.paint = Some(Paint::Warning);
    row.value = "not set".to_owned();
    if unset.name != name {
        row.remarks.push(format!("it reads `{}`, which is not set", unset.name));
        return;
    }
    row.origin = place(unset.declaration.place.as_ref());
    let missing = match &unset.declaration.content {
        Content::ProcessVariable(variable) => Some(format!("the process variable `{variable}` is not there")),
        Content::File { written, .. } => Some(format!("the file `{written}` is not there")),
        Content::Prompt(text) => Some(format!("to be asked for: {text}")),
        _ => None,
    };
    row.remarks.extend(missing);
    let environment = chosen_as(values.environment());
    let mut ways = vec![format!("`runner env set {name} --env {environment}`")];
    ways.extend(ways_to_give(name, unset.declaration.content.is_secret()));
    let last = ways.pop().unwrap_or_default();
    row.remarks.push(format!("set it with {} or {last}", ways.join(", ")));
}

/// What `--env` takes to choose an environment: its name, or its path when it lies where no name finds it.
pub(super) fn chosen_as(environment: &Environment) -> &str {
    let elsewhere = |files: &&Files| files.shared.parent().is_none_or(|folder| !folder.ends_with("environments"));
    environment.files.as_ref().filter(elsewhere).map_or(&environment.name, |files| &files.shared_shown)
}

/// Where a declaration stands, or what else gives the value.
pub(super) fn origin(declaration: &Declaration, name: &str) -> String {
    let at = place(declaration.place.as_ref());
    match &declaration.content {
        Content::Literal { secret, by, .. } => match (by, secret) {
            (GivenBy::Flag, false) => "--var".to_owned(),
            (GivenBy::Flag, true) => "--secret".to_owned(),
            (GivenBy::ProcessVariable, false) => format!("{VARIABLE}{name}"),
            (GivenBy::ProcessVariable, true) => format!("{SECRET}{name}"),
        },
        Content::ProcessVariable(variable) => format!("{at} (!env {variable})"),
        Content::File { written, .. } => format!("{at} (!file {written})"),
        Content::Tree { .. } | Content::Unset | Content::SecretUnset | Content::Prompt(_) => at,
    }
}

/// `file:line`.
pub(super) fn place(place: Option<&Place>) -> String {
    place.map(|place| format!("{}:{}", place.file.name(), place.line())).unwrap_or_default()
}

/// Why a variable is a secret.
pub(super) fn reason(values: &Values<'_>, name: &str) -> String {
    reason_words(values.reason(name).as_ref())
}

/// A reason in words.
pub(super) fn reason_words(reason: Option<&Reason>) -> String {
    let at = |at: &Option<Place>| match at {
        Some(_) => format!(" at {}", place(at.as_ref())),
        None => String::new(),
    };
    match reason {
        Some(Reason::Tagged { tag, place }) => format!("secret: `{tag}`{}", at(place)),
        Some(Reason::Local(place)) => format!("secret: text in the local file{}", at(place)),
        Some(Reason::Given) => "secret: given as one".to_owned(),
        Some(Reason::Stored) => "secret: what is stored under this name is one".to_owned(),
        Some(Reason::Reads(read)) => format!("secret: reads `{read}`"),
        None => "secret".to_owned(),
    }
}

/// What a stored value is called a secret for.
pub(super) fn stored_reason(stored: &Stored) -> &'static str {
    if crate::mask::is_secret_name(&stored.name) { "secret: by its name" } else { "secret: stored with `!secret`" }
}

/// The lower layers whose value does not count, and the higher ones that have none.
fn overridden(values: &Values<'_>, name: &str) -> Vec<String> {
    let (Some(variable), Some(effective)) = (values.environment().variable(name), values.declaration(name)) else {
        return Vec::new();
    };
    let at = variable.declarations.iter().position(|declaration| std::ptr::eq(declaration, effective)).unwrap_or_default();
    let names = |declarations: Option<&[Declaration]>, wanted: &dyn Fn(&Declaration) -> bool| -> Vec<String> {
        let declarations = declarations.unwrap_or_default().iter().rev();
        declarations.filter(|declaration| wanted(declaration)).map(|declaration| origin(declaration, name)).collect()
    };
    let lower = names(variable.declarations.get(..at), &|declaration| values.has_value(declaration));
    // A higher layer that says nothing at all is no news.
    let wants_one = |declaration: &Declaration| matches!(declaration.content, Content::ProcessVariable(_) | Content::File { .. });
    let higher = names(variable.declarations.get(at + 1..), &wants_one);
    let mut remarks = Vec::new();
    if !lower.is_empty() {
        remarks.push(format!("overrides {}", lower.join(", ")));
    }
    if !higher.is_empty() {
        remarks.push(format!("{} has no value now", higher.join(", ")));
    }
    remarks
}

/// A way to authorise in a few words, without its credentials.
pub(super) fn method(method: &Method) -> String {
    match method {
        Method::Scheme(scheme) => scheme_name(scheme),
        Method::Login(login) => format!("oauth2, {}", login.grant_type.name()),
    }
}

/// A scheme in a few words, without its credentials.
pub(super) fn scheme_name(scheme: &Scheme) -> String {
    match scheme {
        Scheme::Bearer(_) => "bearer".to_owned(),
        Scheme::Basic { .. } => "basic".to_owned(),
        Scheme::ApiKey { carrier: Carrier::Header, name, .. } => format!("api_key in the header {name}"),
        Scheme::ApiKey { carrier: Carrier::Query, name, .. } => format!("api_key in the query parameter {name}"),
        Scheme::ApiKey { carrier: Carrier::Cookie, name, .. } => format!("api_key in the cookie {name}"),
    }
}
