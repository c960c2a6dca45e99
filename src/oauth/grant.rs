//! The parameters of each grant, from the fields of a login.

use serde_json::Value;
use url::Url;

use crate::auth::{ClientAuth, GrantType, Login, Params};
use crate::clock::Timestamp;
use crate::diagnostic::Diagnostic;
use crate::secret::Secret;
use crate::template::{Error, Template, Tree};

use super::assertion::Maker;
use super::client_auth::Credentials;
use super::config::Config;
use super::discovery::Metadata;
use super::identity::Identity;
use super::parameters::Parameters;

/// Evaluates the fields of a login. A field is asked for when it is needed: asking for a code makes one, or costs a person's time.
pub trait Fields {
    /// The text of a field.
    ///
    /// # Errors
    /// The template fails.
    fn text(&self, template: &Template) -> Result<String, Error>;

    /// The value of a field that is a tree.
    ///
    /// # Errors
    /// A template fails.
    fn value(&self, tree: &Tree<Template>) -> Result<Value, Error>;

    /// The text of the file that a field names; or the text of the field itself when that is JSON already.
    ///
    /// # Errors
    /// The template fails, or the file can't be read.
    fn document(&self, template: &Template) -> Result<Secret, Error>;

    /// Whether everything that a field reads has a value. Asks nobody.
    fn has(&self, template: &Template) -> bool;
}

/// Builds token requests of one login.
pub(super) struct Grants<'g> {
    pub(super) login: &'g Login,
    pub(super) fields: &'g dyn Fields,
    pub(super) identity: &'g Identity,
    /// Where the request goes.
    pub(super) token_endpoint: &'g Url,
    /// What the server says about itself, when it was asked.
    pub(super) metadata: Option<&'g Metadata>,
    /// What the provider's configuration file says.
    pub(super) config: Option<&'g Config>,
    /// The time that assertions are made at.
    pub(super) now: Timestamp,
}

impl Grants<'_> {
    /// The client, ready to show itself. Without a word on how, a secret goes into the header (RFC 8414 §2 has that for the
    /// default), and a client without one is a public one.
    pub(super) fn credentials(&self) -> Result<Credentials, Error> {
        let client = &self.login.client;
        let secret = match &client.secret {
            Some(template) => Some(Secret::new(self.fields.text(template)?)).filter(|secret| !secret.expose().is_empty()),
            None => self.config.and_then(|config| config.client_secret.clone()),
        };
        let usual = || self.metadata.and_then(Metadata::client_auth).unwrap_or(ClientAuth::Basic);
        let auth = client.auth.unwrap_or_else(|| if secret.is_some() { usual() } else { ClientAuth::None });
        let needs_secret =
            matches!(auth, ClientAuth::Basic | ClientAuth::BasicRaw | ClientAuth::Post | ClientAuth::ClientSecretJwt);
        if needs_secret && secret.is_none() {
            return Err(self.missing("client_secret", &format!("`client_auth: {}` needs it", auth.name())));
        }
        if self.identity.client_id.is_none() && auth != ClientAuth::None {
            return Err(self.missing("client_id", &format!("`client_auth: {}` needs it", auth.name())));
        }
        let assertion = match auth {
            ClientAuth::PrivateKeyJwt => Some(self.maker(None)?.client_assertion()?),
            ClientAuth::ClientSecretJwt => Some(self.maker(secret.clone())?.client_assertion()?),
            _ => None,
        };
        Ok(Credentials { id: self.identity.client_id.clone(), secret, auth, assertion })
    }

    /// The parameters of the grant itself.
    pub(super) fn parameters(&self) -> Result<Parameters, Error> {
        let mut parameters = Parameters::default();
        parameters.set("grant_type", self.login.grant_type.wire());
        let brought = &self.login.brought;
        match &self.login.grant_type {
            GrantType::AuthorizationCode => {
                parameters.set("code", self.needed(brought.code.as_ref(), "code")?);
                if let Some(uri) = &self.login.redirect_uri {
                    parameters.set("redirect_uri", self.fields.text(uri)?);
                }
            }
            GrantType::Password => {
                parameters.set("username", self.needed(brought.username.as_ref(), "username")?);
                parameters.set("password", self.needed(brought.password.as_ref(), "password")?);
                self.wanted(&mut parameters);
            }
            GrantType::TokenExchange => {
                let token = self.needed(brought.subject_token.as_ref(), "subject_token")?;
                parameters.set("subject_token", token);
                parameters.set("subject_token_type", ACCESS_TOKEN_TYPE);
                if let Some(actor) = &brought.actor_token {
                    parameters.set("actor_token", self.fields.text(actor)?);
                    parameters.set("actor_token_type", ID_TOKEN_TYPE);
                }
                self.wanted(&mut parameters);
            }
            GrantType::JwtBearer => {
                let maker = self.maker(None)?;
                parameters.set("assertion", maker.grant_assertion()?.expose());
                if !maker.claims_scope() {
                    self.scope(&mut parameters);
                }
            }
            _ => self.wanted(&mut parameters),
        }
        self.further(&self.login.token.params, &mut parameters)?;
        Ok(parameters)
    }

    /// The parameters of a refresh (RFC 6749 §6). The scope stays as it was granted.
    pub(super) fn refresh(&self, refresh_token: &Secret) -> Result<Parameters, Error> {
        let mut parameters = Parameters::default();
        parameters.set("grant_type", GrantType::RefreshToken.wire());
        parameters.set("refresh_token", refresh_token.expose());
        self.further(&self.login.refresh.params, &mut parameters)?;
        Ok(parameters)
    }

    /// Headers of every request to the token endpoint.
    pub(super) fn headers(&self) -> Result<Vec<(String, String)>, Error> {
        let mut headers = Vec::new();
        for (name, values) in &self.login.token.headers {
            for value in values {
                headers.push((name.clone(), self.fields.text(value)?));
            }
        }
        Ok(headers)
    }

    /// Whether a code is at hand.
    pub(super) fn has_code(&self) -> bool {
        self.login.brought.code.as_ref().is_some_and(|code| self.fields.has(code))
    }

    /// The refresh token that was brought along.
    pub(super) fn brought_refresh_token(&self) -> Result<Option<Secret>, Error> {
        let Some(template) = self.login.brought.refresh_token.as_ref().filter(|template| self.fields.has(template)) else {
            return Ok(None);
        };
        let text = self.fields.text(template)?;
        Ok((!text.is_empty()).then(|| Secret::new(text)))
    }

    fn maker(&self, secret: Option<Secret>) -> Result<Maker<'_>, Error> {
        Maker::new(self, secret)
    }

    fn scope(&self, parameters: &mut Parameters) {
        parameters.set("scope", self.identity.scope.join(self.login.wanted.scope_separator.as_deref().unwrap_or(" ")));
    }

    fn wanted(&self, parameters: &mut Parameters) {
        let Identity { audience, resource, subject, .. } = self.identity;
        self.scope(parameters);
        parameters.set("audience", audience.clone().unwrap_or_default());
        parameters.replace("resource", resource.clone());
        if let Some((kind, id)) = subject {
            parameters.set("box_subject_type", kind);
            parameters.set("box_subject_id", id);
        }
    }

    fn further(&self, params: &Params, parameters: &mut Parameters) -> Result<(), Error> {
        for (name, values) in params {
            let values = values.iter().map(|value| self.fields.text(value)).collect::<Result<_, _>>()?;
            parameters.replace(name, values);
        }
        Ok(())
    }

    fn needed(&self, template: Option<&Template>, name: &str) -> Result<String, Error> {
        match template {
            Some(template) => self.fields.text(template),
            None => Err(self.missing(name, &format!("`grant_type: {}` needs it", self.login.grant_type.name()))),
        }
    }

    fn missing(&self, name: &str, why: &str) -> Error {
        let finding: Diagnostic = self.login.place.error(format!("the login has no `{name}`"));
        finding.label(why.to_owned()).into()
    }
}

/// RFC 8693 §3.
const ACCESS_TOKEN_TYPE: &str = "urn:ietf:params:oauth:token-type:access_token";
/// RFC 8693 §3.
const ID_TOKEN_TYPE: &str = "urn:ietf:params:oauth:token-type:id_token";
