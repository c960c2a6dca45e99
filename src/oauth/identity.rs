//! What a token is for: changed configuration never presents a token that was got with another one.

use std::fmt::Write as _;

use ring::digest::{SHA256, digest};
use serde_json::{Value, json};
use url::Url;

use crate::auth::{GrantType, Login};
use crate::template::Error;
use crate::trust::Origin;

use super::config::Config;
use super::grant::Fields;

/// Hex digits of the digest of a whole configuration: enough that two of one login never meet by chance.
const WHOLE: usize = 16;
/// Hex digits of the digest of one part: they decide nothing.
const PART: usize = 2;

/// What decides which token fits: server, client, grant, scope, audience, resource and subject. It holds no secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Where the token comes from: the token endpoint, or the issuer whose metadata names it.
    pub server: Url,
    /// The client's id.
    pub client_id: Option<String>,
    /// The grant.
    pub grant: GrantType,
    /// The scopes, in the order of the file.
    pub scope: Vec<String>,
    /// The audience.
    pub audience: Option<String>,
    /// The resources.
    pub resource: Vec<String>,
    /// Type and id of Box's subject.
    pub subject: Option<(String, String)>,
}

impl Identity {
    /// The identity of a login that gets its tokens from `server`.
    ///
    /// # Errors
    /// A template fails.
    pub(super) fn of(login: &Login, server: Url, fields: &dyn Fields, config: Option<&Config>) -> Result<Self, Error> {
        let wanted = &login.wanted;
        let mut scope = Vec::new();
        for template in &wanted.scope {
            // `scope: read write` is two scopes, as is `[read, write]`.
            scope.extend(fields.text(template)?.split_whitespace().map(ToOwned::to_owned));
        }
        let text = |template: &Option<_>| template.as_ref().map(|template| fields.text(template)).transpose();
        Ok(Self {
            server,
            client_id: text(&login.client.id)?.or_else(|| config?.client_id.clone()),
            grant: login.grant_type.clone(),
            scope,
            audience: text(&wanted.audience)?,
            resource: wanted.resource.iter().map(|template| fields.text(template)).collect::<Result<_, _>>()?,
            subject: match &wanted.subject {
                Some((kind, id)) => Some((fields.text(kind)?, fields.text(id)?)),
                None => config.and_then(|config| config.subject.clone()),
            },
        })
    }

    /// The fingerprint that is kept with a token: a digest of everything, which decides, and behind it a short one of each part, which
    /// tells what changed. The embedded server counts as `sandbox:box` on whatever port it runs.
    #[must_use]
    pub fn fingerprint(&self, sandbox: Option<&Origin>) -> String {
        let parts = self.parts(sandbox);
        let whole = hex(&json!(parts).to_string(), WHOLE);
        let short: String = parts.iter().map(|part| hex(&part.to_string(), PART)).collect();
        format!("{whole}-{short}")
    }

    /// What is different between the configuration that a token was got with and this one; empty when the fingerprint tells nothing.
    #[must_use]
    pub fn differences(&self, kept: &str, sandbox: Option<&Origin>) -> Vec<&'static str> {
        let own = self.fingerprint(sandbox);
        let short = |text: &str| text.split_once('-').map(|(_, short)| short.to_owned()).filter(|short| short.is_ascii());
        let (Some(own), Some(kept)) = (short(&own), short(kept)) else { return Vec::new() };
        let piece = |text: &str, part: usize| text.get(part * PART..(part + 1) * PART).map(ToOwned::to_owned);
        let changed = NAMES.iter().enumerate().filter(|(part, _)| piece(&own, *part) != piece(&kept, *part));
        changed.map(|(_, name)| *name).collect()
    }

    /// Everything that decides, in the order of [`NAMES`].
    fn parts(&self, sandbox: Option<&Origin>) -> [Value; 7] {
        let server = match Origin::of(&self.server) {
            Some(origin) if Some(&origin) == sandbox => format!("sandbox:box{}", self.server.path()),
            _ => self.server.to_string(),
        };
        let mut scope = self.scope.clone();
        // The order of scopes means nothing (RFC 6749 §3.3).
        scope.sort();
        scope.dedup();
        [
            json!(server),
            json!(self.client_id),
            json!(self.grant.wire()),
            json!(scope),
            json!(self.audience),
            json!(self.resource),
            json!(self.subject),
        ]
    }
}

/// What the parts of a fingerprint stand for.
const NAMES: [&str; 7] =
    ["the server", "the client", "the grant type", "the scope", "the audience", "the resource", "the subject"];

/// The first `digits` hex digits of the digest of `text`.
fn hex(text: &str, digits: usize) -> String {
    digest(&SHA256, text.as_bytes()).as_ref().iter().take(digits / 2).fold(String::new(), |mut hex, byte| {
        // Writing to a string can't fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn identity() -> Identity {
        Identity {
            server: Url::parse("http://127.0.0.1:1/oauth2/token").unwrap(),
            client_id: Some("id".into()),
            grant: GrantType::ClientCredentials,
            scope: vec!["b".into(), "a".into()],
            audience: None,
            resource: Vec::new(),
            subject: None,
        }
    }

    #[test]
    fn everything_that_makes_another_token_changes_the_fingerprint() {
        let fingerprint = |change: fn(&mut Identity)| {
            let mut identity = identity();
            change(&mut identity);
            identity.fingerprint(None)
        };
        let changes: [fn(&mut Identity); 8] = [
            |_| {},
            |i| i.server = Url::parse("http://127.0.0.1:2/oauth2/token").unwrap(),
            |i| i.client_id = None,
            |i| i.grant = GrantType::Password,
            |i| i.scope = vec!["a".into()],
            |i| i.audience = Some("x".into()),
            |i| i.resource = vec!["x".into()],
            |i| i.subject = Some(("user".into(), "1".into())),
        ];
        let mut seen: Vec<String> = changes.into_iter().map(fingerprint).collect();
        seen.sort();
        seen.dedup();
        assert_eq!(seen.len(), changes.len());
        assert_eq!(fingerprint(|i| i.scope = vec!["a".into(), "b".into(), "a".into()]), fingerprint(|_| {}));
    }

    #[test]
    fn what_changed_is_told() {
        let mut other = identity();
        other.client_id = Some("other".into());
        other.scope.push("c".into());
        assert_eq!(other.differences(&identity().fingerprint(None), None), ["the client", "the scope"]);
        assert_eq!(identity().differences(&identity().fingerprint(None), None), [""; 0]);
        assert_eq!(identity().differences("3f9c", None), [""; 0]);
    }

    #[test]
    fn the_port_of_the_sandbox_does_not_count() {
        let other = Identity { server: Url::parse("http://127.0.0.1:2/oauth2/token").unwrap(), ..identity() };
        let origin = |identity: &Identity| Origin::of(&identity.server);
        assert_eq!(identity().fingerprint(origin(&identity()).as_ref()), other.fingerprint(origin(&other).as_ref()));
        assert_ne!(identity().fingerprint(None), other.fingerprint(origin(&other).as_ref()));
    }
}
