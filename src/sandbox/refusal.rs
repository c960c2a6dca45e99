//! Why a request gets no token, in Box's words.

use hyper::StatusCode;
use serde_json::json;

use super::answer::Answer;
use super::state::Busy;

/// Why a request gets no token (RFC 6749 §5.2).
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    InvalidClient,
    InvalidGrant(&'static str),
    InvalidRequest(String),
    /// The `resource` is none of the API, or does not exist (RFC 8707 §2 calls it `invalid_target`).
    InvalidResource,
    /// A scope that nobody has.
    UnknownScope(String),
    /// A scope that the token shown does not have: 401, as at Box.
    MissingScope(String),
    UnauthorizedClient(&'static str),
    UnsupportedGrantType(String),
    /// The state file is locked by a process that hangs.
    Busy,
}

impl From<Busy> for Refusal {
    fn from(_: Busy) -> Self {
        Self::Busy
    }
}

impl Refusal {
    /// Box says the same of a grant type that is missing, misspelt, or was not sent as a form.
    pub(super) fn no_grant_type() -> Self {
        Self::InvalidRequest("Invalid grant_type parameter or parameter missing".to_owned())
    }

    /// A parameter that must be there.
    pub(super) fn missing(name: &str) -> Self {
        Self::InvalidRequest(format!("Missing {name} parameter"))
    }

    pub(super) fn into_answer(self) -> Answer {
        const BAD: StatusCode = StatusCode::BAD_REQUEST;
        let (status, error, description) = match self {
            Self::InvalidClient => (BAD, "invalid_client", "The client credentials are invalid".into()),
            Self::InvalidGrant(text) => (BAD, "invalid_grant", text.to_owned()),
            Self::InvalidRequest(text) => (BAD, "invalid_request", text),
            Self::InvalidResource => (BAD, "invalid_resource", "The target resource is invalid.".into()),
            Self::UnknownScope(scope) => (BAD, "invalid_scope", format!("The scope {scope} is unknown")),
            Self::MissingScope(scope) => {
                (StatusCode::UNAUTHORIZED, "invalid_scope", format!("The subject_token does not have the scope {scope}"))
            }
            Self::UnauthorizedClient(text) => (BAD, "unauthorized_client", text.to_owned()),
            Self::UnsupportedGrantType(text) => (BAD, "unsupported_grant_type", text),
            Self::Busy => {
                (StatusCode::SERVICE_UNAVAILABLE, "temporarily_unavailable", "The state file is locked by another process".into())
            }
        };
        Answer::json(status, &json!({"error": error, "error_description": description})).no_store()
    }
}
