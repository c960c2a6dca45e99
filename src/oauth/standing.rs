//! What is known of a login's token without asking anybody, and what can be asked of the server about it: revoke (RFC 7009), look
//! up (RFC 7662).

use serde_json::Value;
use url::Url;

use crate::diagnostic::Diagnostic;
use crate::template::Template;

use super::discovery::Metadata;
use super::endpoint::Asked;
use super::error::Error;
use super::lifecycle::{Asking, Lifecycle, TokenStore, definition, stored, url};
use super::parameters::Parameters;
use super::token::Token;
use crate::auth::{BodyFormat, Login};

/// How it stands with the token of a login.
#[derive(Debug, Clone, PartialEq)]
pub enum Standing {
    /// None is kept.
    Missing,
    /// One is kept that was got with another configuration; what changed, where that can be told.
    Foreign(Vec<&'static str>),
    /// One is kept that can be used.
    Fresh(Token),
    /// One is kept that has ended, or is about to.
    Stale(Token),
}

/// What a server is asked about a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Question {
    Revoke,
    Introspect,
}

impl Question {
    fn field(self) -> &'static str {
        match self {
            Self::Revoke => "revocation_endpoint",
            Self::Introspect => "introspection_endpoint",
        }
    }

    fn template(self, login: &Login) -> Option<&Template> {
        match self {
            Self::Revoke => login.endpoints.revocation.as_ref(),
            Self::Introspect => login.endpoints.introspection.as_ref(),
        }
    }

    fn named(self, metadata: &Metadata) -> Option<&str> {
        match self {
            Self::Revoke => metadata.revocation_endpoint.as_deref(),
            Self::Introspect => metadata.introspection_endpoint.as_deref(),
        }
    }
}

impl<S: TokenStore> Lifecycle<'_, S> {
    /// How it stands with the token of a login. Nothing is sent.
    ///
    /// # Errors
    /// The definition can't be used.
    pub fn standing(&self, asking: &Asking<'_>) -> Result<Standing, Error> {
        let known = self.known(asking)?;
        let Some(token) = self.held(asking.name).map(|token| token.clone()) else { return Ok(Standing::Missing) };
        Ok(match (token.is_for(&known.fingerprint), known.takes(&token, self.clock)) {
            (false, _) => Standing::Foreign(known.identity.differences(token.fingerprint(), asking.sandbox.as_ref())),
            (true, true) => Standing::Fresh(token),
            (true, false) => Standing::Stale(token),
        })
    }

    /// Revokes the kept tokens of a login at its server, the refresh token first: most servers take the others with it
    /// (RFC 7009 §2.1). A token that the server does not know counts as revoked.
    ///
    /// # Errors
    /// The server offers no revocation, or refuses.
    pub async fn revoke(&self, asking: &Asking<'_>) -> Result<(), Error> {
        let Some(token) = self.held(asking.name).map(|token| token.clone()) else { return Ok(()) };
        let tokens = token.refresh_token().into_iter().chain([token.access_token()]);
        for secret in tokens {
            let mut parameters = Parameters::default();
            parameters.set("token", secret.expose());
            self.question(asking, Question::Revoke, parameters).await?;
        }
        Ok(())
    }

    /// What the server says of the kept access token. `active: false` is an answer like any other.
    ///
    /// # Errors
    /// There is no token, the server offers no introspection, or refuses.
    pub async fn introspect(&self, asking: &Asking<'_>) -> Result<Value, Error> {
        let Some(token) = self.held(asking.name).map(|token| token.access_token()) else {
            let finding = Diagnostic::error(format!("no token of `{}` is kept", asking.name));
            return Err(Error::Definition(Box::new(finding.help("get one with `runner auth token`, or by a run"))));
        };
        let mut parameters = Parameters::default();
        parameters.set("token", token.expose());
        let body = self.question(asking, Question::Introspect, parameters).await?;
        serde_json::from_slice(&body).map_err(|_| {
            Error::unusable(200, "the answer is no JSON", &self.endpoint.masker.mask(&String::from_utf8_lossy(&body)))
        })
    }

    /// Takes the token of a login out of the file.
    ///
    /// # Errors
    /// The file can't be changed.
    pub async fn forget(&self, name: &str) -> Result<(), Error> {
        self.held.borrow_mut().remove(name);
        match self.store {
            Some(store) => store.forget(name).await.map_err(stored),
            None => Ok(()),
        }
    }

    async fn question(&self, asking: &Asking<'_>, question: Question, parameters: Parameters) -> Result<bytes::Bytes, Error> {
        let known = self.known(asking)?;
        let server = self.server(&known).await?;
        let named = server.metadata.as_ref().and_then(|metadata| Url::parse(question.named(metadata)?).ok());
        let target = match (question.template(asking.login), named) {
            (Some(template), _) => url(asking.fields, template)?,
            (None, Some(url)) => url,
            (None, None) => {
                let finding = asking.login.place.error(format!("the login has no `{}`", question.field()));
                return Err(Error::Definition(Box::new(finding.help("the server may not offer that"))));
            }
        };
        let grants = known.grants(&server, self.clock.now());
        let asked = Asked {
            url: &target,
            parameters,
            credentials: grants.credentials().map_err(definition)?,
            headers: grants.headers().map_err(definition)?,
            format: BodyFormat::Form,
        };
        self.endpoint.question(asked, asking.guard).await
    }
}
