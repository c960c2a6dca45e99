//! What `runner env show --json` prints: types of their own, so that a renamed field inside changes nothing for scripts.
//! `docs/environments.md` describes them.

use serde::Serialize;
use serde_json::Value;

#[derive(Debug, Serialize)]
pub(super) struct Shown {
    pub(super) environment: String,
    pub(super) file: String,
    /// Left out where there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) local_file: Option<String>,
    pub(super) variables: Vec<Variable>,
    pub(super) stored: Vec<Variable>,
}

#[derive(Debug, Serialize)]
pub(super) struct Variable {
    pub(super) name: String,
    pub(super) state: State,
    pub(super) secret: bool,
    /// Left out for a secret, and where there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) value: Option<Value>,
    /// Left out where nothing gives a value.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(super) origin: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum State {
    /// There is a value.
    Set,
    /// It must be set.
    Unset,
    /// The sandbox gives it when a run starts.
    Sandbox,
    /// It can't be evaluated.
    Failed,
}
