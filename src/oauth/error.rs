//! Why there is no token, in words that say what the server said, what it means, and what to do.

use std::fmt;

use crate::auth::GrantType;
use crate::clock::Timestamp;
use crate::diagnostic::Diagnostic;
use crate::http;

/// How much of an answer that is no token answer is shown, in characters.
const SHOWN: usize = 200;

/// Why there is no token.
#[derive(Debug, Clone)]
pub enum Error {
    /// The definition can't be used as it stands, or a template of it fails. Nothing was sent.
    Definition(Box<Diagnostic>),
    /// The server answered with an error (RFC 6749 §5.2).
    Refused(Box<Refused>),
    /// The server's answer is neither a token nor an error as the RFC has it.
    Unusable {
        /// Its status.
        status: u16,
        /// What is wrong with it.
        problem: String,
        /// Its first characters, masked.
        shown: String,
    },
    /// The endpoint wants the request sent elsewhere; a secret does not follow a redirect.
    Redirected {
        /// The status.
        status: u16,
    },
    /// No answer.
    Http(http::Error),
    /// A refresh was sent and no usable answer came: the refresh token may be spent.
    Unanswered(http::Error),
    /// A person has to log in, and none is at hand.
    NeedsPerson {
        /// The grant.
        grant: GrantType,
    },
    /// A token could not be saved, or its lock not be had.
    Store(Box<Diagnostic>),
}

/// An error of a token endpoint (RFC 6749 §5.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// The status of the answer.
    pub status: u16,
    /// `error`.
    pub error: String,
    /// `error_description`.
    pub description: Option<String>,
    /// `error_uri`.
    pub uri: Option<String>,
    /// The grant that was asked for, as on the wire.
    pub grant: String,
    /// What `WWW-Authenticate` asks for, when the client was not accepted (RFC 6749 §5.2).
    pub wants: Option<String>,
    /// What time it is at the server, when it said so (`Date`).
    pub server_time: Option<Timestamp>,
    /// How old the code was that was exchanged, in seconds, where known.
    pub code_age: Option<i64>,
}

impl Refused {
    /// Whether the grant itself (code, assertion, refresh token) is not good (any more).
    #[must_use]
    pub fn is_invalid_grant(&self) -> bool {
        self.error == "invalid_grant"
    }

    /// Whether an assertion was refused for the time that it names, or for an identifier that was used before (Box: "Please check
    /// the 'jti' claim").
    pub(super) fn is_about_time(&self) -> bool {
        let words = self.description.as_deref().unwrap_or_default().to_ascii_lowercase();
        let mut words = words.split(|c: char| !c.is_ascii_alphanumeric());
        words.any(|word| matches!(word, "exp" | "iat" | "nbf" | "jti" | "expired"))
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.error)?;
        if let Some(description) = &self.description {
            // Some servers send several lines.
            let line = description.split_whitespace().collect::<Vec<_>>().join(" ");
            write!(f, ": {line}")?;
        }
        Ok(())
    }
}

impl Error {
    /// An answer that can't be used; `body` is masked text.
    pub(super) fn unusable(status: u16, problem: impl Into<String>, body: &str) -> Self {
        let line = body.split_whitespace().collect::<Vec<_>>().join(" ");
        let mut shown: String = line.chars().take(SHOWN).collect();
        if shown.len() < line.len() {
            shown.push('…');
        }
        Self::Unusable { status, problem: problem.into(), shown }
    }

    /// The error as it is told for the login `name`; whoever knows a place adds it.
    #[must_use]
    pub fn finding(&self, name: &str) -> Diagnostic {
        let no_token = |why: String| Diagnostic::error(format!("no token for `{name}`: {why}"));
        match self {
            Self::Definition(finding) | Self::Store(finding) => (**finding).clone(),
            Self::Refused(refused) => {
                let mut finding = no_token(format!("the server answered {refused} (status {})", refused.status));
                if let Some(hint) = hint(&refused.error, &refused.grant) {
                    finding = finding.help(hint);
                }
                if let (true, Some(wants)) = (refused.error == "invalid_client", &refused.wants) {
                    finding = finding.help(format!(
                        "the server asks for `{wants}`: `client_auth` of the login says how the client shows itself"
                    ));
                }
                if let Some(age) = refused.code_age {
                    finding = finding.help(format!("the code was {age} s old when it was sent"));
                }
                match &refused.uri {
                    Some(uri) => finding.help(format!("the server refers to {uri}")),
                    None => finding,
                }
            }
            Self::Unusable { status, problem, shown } => {
                let finding = no_token(format!("{problem} (status {status})"));
                let finding = finding.help("is `token_endpoint` the right address?");
                if shown.is_empty() { finding } else { finding.help(format!("the answer starts: {shown}")) }
            }
            Self::Redirected { status } => {
                no_token(format!("the token endpoint redirects (status {status}), and a secret follows no redirect"))
                    .help("put the address that it redirects to into `token_endpoint`, if that is the server's")
            }
            Self::Http(error) => {
                let finding = error.finding();
                Diagnostic { message: format!("no token for `{name}`: {}", finding.message), ..finding }
            }
            Self::Unanswered(error) => no_token(format!("a refresh was sent and no answer came: {error}")).help(
                "the server may have spent the refresh token; the next run tries the stored one once more, and then logs in anew",
            ),
            Self::NeedsPerson { grant } => {
                let finding = no_token(format!("nothing usable is stored, and `{}` needs a person", grant.name()));
                finding.help("give a code with `--var code=…` where the login has `code: \"{{ code }}\"`")
            }
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Definition(finding) | Self::Store(finding) => f.write_str(&finding.message),
            Self::Refused(refused) => refused.fmt(f),
            Self::Unusable { problem, .. } => f.write_str(problem),
            Self::Redirected { status } => write!(f, "the token endpoint redirects (status {status})"),
            Self::Http(error) | Self::Unanswered(error) => error.fmt(f),
            Self::NeedsPerson { grant } => write!(f, "`{}` needs a person", grant.name()),
        }
    }
}

impl std::error::Error for Error {}

/// What an error of a token endpoint (RFC 6749 §5.2, §4.1.2.1) means for who runs the request.
#[must_use]
pub fn hint(error: &str, grant: &str) -> Option<&'static str> {
    Some(match (error, grant) {
        ("invalid_grant", "authorization_code") => {
            "the code was already used, has expired (at Box after 30 seconds) or was issued to another client or redirect URI; get a \
             new one and run again at once"
        }
        ("invalid_grant", "refresh_token") => {
            "the refresh token was already used, has expired, was revoked or was issued to another client; `--fresh-token` starts over"
        }
        ("invalid_grant", "password") => "the user name or the password is wrong, or the server allows no such login",
        ("invalid_grant", _) => {
            "the server takes neither code, assertion nor subject: used before, expired, issued to another client, or the application \
             is not approved for it"
        }
        ("invalid_client", _) => {
            "client id or secret is wrong, or the server wants them in another place (the form, or an `Authorization: Basic` header)"
        }
        ("unauthorized_client", _) => {
            "the application is not allowed to use this grant type; its settings at the provider say which"
        }
        ("invalid_scope", _) => "a scope is unknown, misspelt, or more than the application or the user has",
        ("unsupported_grant_type", _) => "the server does not know this `grant_type`; check its spelling and the token URL",
        ("redirect_uri_mismatch", _) => {
            "the redirect URI must equal, character by character, the one registered with the provider"
        }
        ("invalid_request", _) => "a parameter is missing, doubled or malformed; the server's text says which",
        ("access_denied", _) => "the user or the provider's policy said no",
        ("invalid_target" | "invalid_resource", _) => "the server does not know this `resource` or `audience` (RFC 8707)",
        ("slow_down" | "temporarily_unavailable", _) => "the server is busy; try again later",
        _ => return None,
    })
}
