//! Why a request is not sent.

use std::error::Error;
use std::fmt;

use super::allowed::Allowed;
use super::only::HeldBy;
use super::origin::Origin;
use super::rule::HostRule;

/// A request that policy stops before anything is connected to (exit code 6).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// The request carries secrets and its origin is not allowed.
    Secret {
        /// Where the request would go.
        origin: Origin,
        /// The names, never the values, of the secrets that it carries.
        secrets: Vec<String>,
        /// Whether the same host is allowed over https, so that only the scheme stands in the way.
        over_https: bool,
    },
    /// The request follows a collection that passes or not as a secret says.
    Outcome {
        /// Where the request would go.
        origin: Origin,
        /// The name of the collection.
        collection: String,
        /// The request of it, or of one that it needs, of which a secret decided what came.
        request: String,
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
    /// The run is held to hosts of which the origin is none.
    OnlyHost {
        /// Where the request would go.
        origin: Origin,
        /// What holds it.
        held_by: Vec<HeldBy>,
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
            Self::Secret { origin, secrets, .. } => write!(f, "{} may not go to `{origin}`", named(secrets)),
            Self::RedirectedBody { origin, secrets } => {
                write!(f, "{} in the body may not follow a redirect to `{origin}`", named(secrets))
            }
            Self::RedirectedUrl { origin } => {
                write!(f, "a redirect would take a known secret to `{origin}`, which is not allowed to get one")
            }
            Self::Outcome { origin, collection, request } => {
                write!(f, "this request would tell `{origin}` that `{collection}` passed; a secret decided that at `{request}`")
            }
            Self::Downgrade { origin } => write!(f, "a redirect from https to `{origin}` is not followed"),
            Self::RedirectScheme { scheme } => write!(f, "a redirect to a `{scheme}:` URL is not followed"),
            Self::Endpoint { origin, named_by } => write!(f, "`{named_by}` lies on `{origin}`, which is not allowed"),
            Self::OnlyHost { origin, held_by } => {
                let held_by: Vec<String> = held_by.iter().map(HeldBy::to_string).collect();
                write!(f, "`{origin}` is none of the hosts of {}", held_by.join(" and "))
            }
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
            Self::Secret { origin, over_https: true, .. } => Some(format!(
                "this host is allowed over https: write `https://`; if plain http is meant, add `{}` to the environment",
                Allowed::line_to_add(origin)
            )),
            Self::Secret { origin, .. } | Self::Endpoint { origin, .. } | Self::RedirectedUrl { origin } => {
                Some(format!("if it is meant to go there, add `{}` to the environment", Allowed::line_to_add(origin)))
            }
            Self::Outcome { origin, collection, .. } => Some(format!(
                "if that may be known there, add `{}` to the environment; `always: true` sends the request whatever became of `{collection}`",
                Allowed::line_to_add(origin)
            )),
            Self::RedirectedBody { .. } | Self::Downgrade { .. } => {
                Some("if it is meant to go there, put that URL into the request; `redirects: false` shows the answer".to_owned())
            }
            Self::RedirectScheme { .. } => Some("`redirects: false` shows the answer".to_owned()),
            Self::OnlyHost { origin, held_by } => {
                let entry = HostRule::exactly(origin);
                let ways: Vec<String> = held_by
                    .iter()
                    .map(|by| match by {
                        HeldBy::Flag => format!("`--only-host {entry}`"),
                        HeldBy::Process => format!("`{entry}` to RUNNER_ONLY_HOSTS"),
                    })
                    .collect();
                Some(format!("if the run may connect there, add {}", ways.join(" and ")))
            }
            Self::NotHttp { .. } => None,
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
        let refusal = Refusal::Secret { origin: origin.clone(), secrets: vec!["client_secret".into()], over_https: false };
        assert_eq!(refusal.to_string(), "the secret `client_secret` may not go to `https://evil.test`");
        assert_eq!(refusal.hint().unwrap(), "if it is meant to go there, add `hosts: [evil.test]` to the environment");
        let refusal = Refusal::Endpoint { origin, named_by: "auth.box.token_endpoint".into() };
        assert_eq!(refusal.to_string(), "`auth.box.token_endpoint` lies on `https://evil.test`, which is not allowed");
        assert_eq!(refusal.hint().unwrap(), "if it is meant to go there, add `hosts: [evil.test]` to the environment");
    }

    #[test]
    fn plain_http_to_a_host_that_is_allowed_over_https_is_told_so() {
        let origin = Origin::of(&Url::parse("http://api.box.com/").unwrap()).unwrap();
        let refusal = Refusal::Secret { origin, secrets: Vec::new(), over_https: true };
        let hint = "this host is allowed over https: write `https://`; if plain http is meant, add `hosts: [http://api.box.com]` to the environment";
        assert_eq!(refusal.hint().as_deref(), Some(hint));
    }
}
