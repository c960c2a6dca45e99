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
    /// A redirect would take a body with secrets to another origin.
    RedirectedBody {
        /// Where it leads.
        origin: Origin,
        /// The names, never the values, of the secrets; none when they are not known by name.
        secrets: Vec<String>,
    },
    /// The URL of a redirect holds a known secret and its origin is not allowed.
    RedirectedUrl {
        /// Where it leads.
        origin: Origin,
    },
    /// A redirect leads from https to http.
    Downgrade {
        /// Where it leads.
        origin: Origin,
    },
    /// A redirect leads to a URL that is neither http nor https.
    RedirectScheme {
        /// The scheme of the URL.
        scheme: String,
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
            Self::Secret { origin, secrets } => write!(f, "{} may not go to `{origin}`", named(secrets)),
            Self::RedirectedBody { origin, secrets } => {
                write!(f, "{} in the body may not follow a redirect to `{origin}`", named(secrets))
            }
            Self::RedirectedUrl { origin } => {
                write!(f, "a redirect would take a known secret to `{origin}`, which is not allowed to get one")
            }
            Self::Downgrade { origin } => write!(f, "a redirect from https to `{origin}` is not followed"),
            Self::RedirectScheme { scheme } => write!(f, "a redirect to a `{scheme}:` URL is not followed"),
            Self::Endpoint { origin, named_by } => write!(f, "`{named_by}` lies on `{origin}`, which is not allowed"),
            Self::OnlyHost { origin } => write!(f, "`{origin}` is none of the hosts of `--only-host`"),
            Self::NotHttp { scheme } => write!(f, "expected an `https` or `http` URL, got `{scheme}`"),
        }
    }
}

impl Error for Refusal {}

/// Secrets by their names, when those are known.
fn named(secrets: &[String]) -> String {
    match secrets {
        [] => "a secret".to_owned(),
        [name] => format!("the secret `{name}`"),
        names => format!("the secrets `{}`", names.join("`, `")),
    }
}

impl Refusal {
    /// How to allow it, for whoever means it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Secret { origin, .. } | Self::Endpoint { origin, .. } | Self::RedirectedUrl { origin } => {
                Some(format!("if it is meant to go there, add `{}` to the environment", Allowed::line_to_add(origin)))
            }
            Self::RedirectedBody { .. } | Self::Downgrade { .. } => {
                Some("if it is meant to go there, put that URL into the request; `redirects: false` shows the answer".to_owned())
            }
            Self::RedirectScheme { .. } => Some("`redirects: false` shows the answer".to_owned()),
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
