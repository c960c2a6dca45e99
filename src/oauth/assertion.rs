//! Assertions: JSON Web Tokens that a client signs to show who it is, or on whose behalf it asks (RFC 7521, RFC 7523).
//!
//! Each is made anew: its `jti` is used once, also when a request is tried again (RFC 7523 §3).

use std::time::Duration;

use serde_json::{Map, Value};

use crate::auth::Assertion;
use crate::diagnostic::Diagnostic;
use crate::secret::Secret;
use crate::template::Error;

use super::grant::Grants;
use super::jwt::{self, Algorithm, Signer};
use super::key;

/// How long an assertion is good, unless the login says otherwise: Box takes at most a minute.
const LIFETIME: Duration = Duration::from_secs(45);
/// The longest that is made.
const LONGEST: Duration = Duration::from_secs(60);

/// Makes assertions of one login.
pub(super) struct Maker<'m> {
    grants: &'m Grants<'m>,
    signer: Signer,
    algorithm: Algorithm,
}

impl<'m> Maker<'m> {
    /// A maker that signs with the client's `secret`, or with the login's private key.
    ///
    /// # Errors
    /// There is no key, it can't be read, or it does not go with the algorithm.
    pub(super) fn new(grants: &'m Grants<'m>, secret: Option<Secret>) -> Result<Self, Error> {
        let fields = &grants.login.assertion;
        let named = match &fields.algorithm {
            Some(template) => {
                let text = grants.fields.text(template)?;
                Some(Algorithm::named(&text).ok_or_else(|| {
                    let known = Algorithm::names().collect::<Vec<_>>().join(", ");
                    Error::from(template.place().error(format!("unknown algorithm `{text}`")).help(format!("known: {known}")))
                })?)
            }
            None => None,
        };
        let signer = match secret {
            Some(secret) => Signer::Secret(secret),
            None => Signer::Key(Box::new(private_key(grants, fields)?)),
        };
        let usual = match &signer {
            Signer::Key(key) => Algorithm::usual(key),
            Signer::Secret(_) => Algorithm::Hs256,
        };
        Ok(Self { grants, signer, algorithm: named.unwrap_or(usual) })
    }

    /// Whether the scopes stand in the assertion.
    pub(super) fn claims_scope(&self) -> bool {
        self.grants.config.is_some_and(|config| config.scope_in_claims)
    }

    /// The assertion of the grant (RFC 7523 §2.1): who asks, and for whom.
    pub(super) fn grant_assertion(&self) -> Result<Secret, Error> {
        let (identity, config) = (self.grants.identity, self.grants.config);
        let mut claims = Map::new();
        let issuer = config.map(|config| config.issuer.clone()).or_else(|| identity.client_id.clone());
        claims.insert("iss".to_owned(), Value::from(issuer.unwrap_or_default()));
        if let Some((kind, id)) = &identity.subject {
            // Box wants text also where the id is made of digits.
            claims.insert("sub".to_owned(), Value::from(id.as_str()));
            claims.insert("box_sub_type".to_owned(), Value::from(kind.as_str()));
        }
        if self.claims_scope() && !identity.scope.is_empty() {
            claims.insert("scope".to_owned(), Value::from(identity.scope.join(" ")));
        }
        self.signed(claims)
    }

    /// The assertion of the client (RFC 7523 §2.2): it speaks of itself.
    pub(super) fn client_assertion(&self) -> Result<Secret, Error> {
        let id = self.grants.identity.client_id.clone().unwrap_or_default();
        let mut claims = Map::new();
        claims.insert("iss".to_owned(), Value::from(id.as_str()));
        claims.insert("sub".to_owned(), Value::from(id));
        self.signed(claims)
    }

    fn signed(&self, mut claims: Map<String, Value>) -> Result<Secret, Error> {
        let Grants { login, fields, token_endpoint, config, now, .. } = self.grants;
        let assertion = &login.assertion;
        let audience = match &assertion.audience {
            Some(template) => fields.text(template)?,
            None => token_endpoint.to_string(),
        };
        claims.insert("aud".to_owned(), Value::from(audience));
        claims.insert("jti".to_owned(), Value::from(uuid::Uuid::new_v4().simple().to_string()));
        let lifetime = assertion.lifetime.unwrap_or(LIFETIME).min(LONGEST);
        claims.insert("iat".to_owned(), Value::from(now.0));
        claims.insert("exp".to_owned(), Value::from(now.0.saturating_add(i64::try_from(lifetime.as_secs()).unwrap_or(0))));
        if let Some(tree) = &assertion.claims
            && let Value::Object(further) = fields.value(tree)?
        {
            // `null` takes a claim away.
            for (name, value) in further {
                if value.is_null() { drop(claims.remove(&name)) } else { drop(claims.insert(name, value)) }
            }
        }
        // A number is no StringOrURI (RFC 7519 §4.1.2), and Box refuses one.
        if let Some(Value::Number(number)) = claims.get("sub") {
            let text = number.to_string();
            claims.insert("sub".to_owned(), Value::from(text));
        }
        let mut header = Map::new();
        header.insert("typ".to_owned(), Value::from("JWT"));
        let key_id = match &assertion.key_id {
            Some(template) => Some(fields.text(template)?),
            None => config.and_then(|config| config.key_id.clone()),
        };
        if let Some(key_id) = key_id {
            header.insert("kid".to_owned(), Value::from(key_id));
        }
        jwt::sign(self.algorithm, header, &claims, &self.signer).map_err(|mismatch| {
            let place = assertion.algorithm.as_ref().map_or(&login.place, |template| template.place());
            place.error(mismatch.to_string()).into()
        })
    }
}

fn private_key(grants: &Grants<'_>, fields: &Assertion) -> Result<key::PrivateKey, Error> {
    let login = grants.login;
    let config = grants.config;
    let (pem, place) = match (&fields.key, config) {
        (Some(template), _) => (Secret::new(grants.fields.text(template)?), template.place()),
        (None, Some(config)) => (config.key.clone(), fields.config.as_ref().map_or(&login.place, |template| template.place())),
        (None, None) => {
            let finding = login.place.error("the login needs a private key");
            return Err(finding
                .help("give it: `assertion: {key: \"{{ private_key }}\"}`, or `config:` with the provider's file")
                .into());
        }
    };
    let passphrase = match &fields.passphrase {
        Some(template) => Some(Secret::new(grants.fields.text(template)?)),
        None => config.and_then(|config| config.passphrase.clone()),
    };
    key::read(pem.expose(), passphrase.as_ref()).map_err(|error| {
        let finding: Diagnostic = place.error(error.to_string());
        match error.hint() {
            Some(hint) => finding.help(hint).into(),
            None => finding.into(),
        }
    })
}
