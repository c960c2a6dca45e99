//! Why a request is not sent.

use std::error::Error;
use std::fmt;

use super::allowed::Allowed;
use super::origin::Origin;

/// A request that policy stops before anything is connected to (exit code 6).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// The request carries secrets and its origin is not allowed.
    Secret {
        /// Where the request would go.
        origin: Origin,
        /// The names, never the values, of the secrets that it carries.
        secrets: Vec<String>,
    },
    /// An endpoint that a collection names lies on an origin that is not allowed.
    Endpoint {
        /// Where the endpoint lies.
        origin: Origin,
        /// What names it, such as `auth.box.token_endpoint`.
        named_by: String,
    },
    /// `--only-host` does not name the origin.
    OnlyHost {
        /// Where the request would go.
        origin: Origin,
    },
    /// The URL is neither http nor https.
    NotHttp {
        /// The scheme of the URL.
        scheme: String,
    },
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Secret { origin, secrets } => match secrets.as_slice() {
                [] => write!(f, "a secret may not go to `{origin}`"),
                [name] => write!(f, "the secret `{name}` may not go to `{origin}`"),
                names => write!(f, "the secrets `{}` may not go to `{origin}`", names.join("`, `")),
            },
            Self::Endpoint { origin, named_by } => write!(f, "`{named_by}` lies on `{origin}`, which is not allowed"),
            Self::OnlyHost { origin } => write!(f, "`{origin}` is none of the hosts of `--only-host`"),
            Self::NotHttp { scheme } => write!(f, "expected an `https` or `http` URL, got `{scheme}`"),
        }
    }
}

impl Error for Refusal {}

impl Refusal {
    /// How to allow it, for whoever means it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Secret { origin, .. } | Self::Endpoint { origin, .. } => {
                Some(format!("if it is meant to go there, add `{}` to the environment", Allowed::line_to_add(origin)))
            }
            Self::OnlyHost { .. } | Self::NotHttp { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use url::Url;

    #[test]
    fn a_refusal_names_the_secret_and_the_line_to_add() {
        let origin = Origin::of(&Url::parse("https://evil.test/?token=hunter2").unwrap()).unwrap();
        let refusal = Refusal::Secret { origin, secrets: vec!["client_secret".into()] };
        assert_eq!(refusal.to_string(), "the secret `client_secret` may not go to `https://evil.test`");
        assert_eq!(refusal.hint().unwrap(), "if it is meant to go there, add `hosts: [evil.test]` to the environment");
    }
}
