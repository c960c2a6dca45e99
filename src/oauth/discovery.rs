//! Reads what a server says about itself (RFC 8414, OpenID Connect Discovery 1.0).

use serde::Deserialize;
use url::Url;

use crate::auth::ClientAuth;
use crate::http::{self, Guard, Method};

use super::endpoint::{Endpoint, LONGEST_ANSWER};
use super::error::Error;

/// The metadata of an authorization server, as far as it is used (RFC 8414 §2). Members that are not there are not offered.
#[derive(Debug, Clone, Deserialize)]
pub struct Metadata {
    /// REQUIRED; must be what the login calls it.
    pub issuer: String,
    /// Where tokens come from.
    pub token_endpoint: Option<String>,
    /// Where tokens are revoked.
    pub revocation_endpoint: Option<String>,
    /// Where tokens are looked up.
    pub introspection_endpoint: Option<String>,
    /// How clients may show themselves; `client_secret_basic` when left out.
    #[serde(default)]
    pub token_endpoint_auth_methods_supported: Vec<String>,
}

impl Metadata {
    /// Reads the metadata of `issuer`, from either of the two places that the standards name.
    ///
    /// # Errors
    /// No answer, none that is metadata, or that of somebody else.
    pub(super) async fn of(issuer: &Url, endpoint: &Endpoint<'_>, guard: &Guard<'_>) -> Result<Self, Error> {
        let mut last = None;
        for url in places(issuer) {
            let mut request = http::Request::new(Method::GET, url.clone());
            request.headers.push(("Accept".to_owned(), "application/json".to_owned()));
            if let Some(limit) = endpoint.timeout {
                request.timeout = limit;
            }
            let response = endpoint.client.send(request, guard).await.map_err(Error::Http)?.response;
            let unusable = |problem: String| Error::unusable(response.status, problem, &response.text());
            if response.status == 404 {
                last = Some(unusable(format!("`{issuer}` publishes no metadata at `{url}`")));
                continue;
            }
            if response.status != 200 || response.body.len() > LONGEST_ANSWER {
                return Err(unusable(format!("the metadata at `{url}` can't be read")));
            }
            let metadata: Self =
                serde_json::from_slice(&response.body).map_err(|_| unusable(format!("what stands at `{url}` is no metadata")))?;
            return match metadata.issuer == issuer.as_str() || metadata.issuer == issuer.as_str().trim_end_matches('/') {
                true => Ok(metadata),
                // Exact text (RFC 8414 §3.3): else one server could speak for another.
                false => Err(unusable(format!("the metadata is of the issuer `{}`, not of `{issuer}`", metadata.issuer))),
            };
        }
        Err(last.unwrap_or_else(|| Error::unusable(404, "the issuer publishes no metadata", "")))
    }

    /// How a client with a secret may show itself: the first way that the server takes and that we know.
    pub(super) fn client_auth(&self) -> Option<ClientAuth> {
        self.token_endpoint_auth_methods_supported.iter().find_map(|method| match method.as_str() {
            "client_secret_basic" => Some(ClientAuth::Basic),
            "client_secret_post" => Some(ClientAuth::Post),
            _ => None,
        })
    }
}

/// Where metadata may stand: behind the issuer's path (OpenID Connect Discovery §4), or between host and path (RFC 8414 §3.1).
fn places(issuer: &Url) -> Vec<Url> {
    let with_path = |path: String| {
        let mut url = issuer.clone();
        url.set_path(&path);
        url.set_query(None);
        url
    };
    let path = issuer.path().trim_end_matches('/');
    vec![
        with_path(format!("{path}/.well-known/openid-configuration")),
        with_path(format!("/.well-known/oauth-authorization-server{path}")),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_stands_behind_the_path_or_before_it() {
        let places = |issuer: &str| places(&Url::parse(issuer).unwrap()).iter().map(Url::to_string).collect::<Vec<_>>();
        assert_eq!(
            places("https://a.test"),
            ["https://a.test/.well-known/openid-configuration", "https://a.test/.well-known/oauth-authorization-server"]
        );
        assert_eq!(
            places("https://a.test/realms/x/"),
            [
                "https://a.test/realms/x/.well-known/openid-configuration",
                "https://a.test/.well-known/oauth-authorization-server/realms/x"
            ]
        );
    }
}
