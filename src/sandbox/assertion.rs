//! The assertion of the JWT bearer grant (RFC 7523 §3), checked in Box's order and refused in Box's words.

use std::collections::VecDeque;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use serde_json::Value;

use super::keys::Keys;
use super::users::{self, User};
use crate::clock::Timestamp;

/// Seconds that an assertion may live, as at Box.
const LONGEST_LIFE: i64 = 60;
/// The audience that Box wants, whatever host is asked.
const AUDIENCE: &str = "https://api.box.com/oauth2/token";
/// Characters of a `jti`.
const JTI: std::ops::RangeInclusive<usize> = 16..=128;

const EXPIRED: &str = "Current date time must be before the expiration date time listed in the 'exp' claim.";
const USED: &str = "Please check the 'jti' claim. A unique 'jti' value is required.";

/// What an assertion must say.
pub(super) struct Expected<'a> {
    /// The issuer.
    pub(super) client_id: &'a str,
    /// The token endpoint as the client calls it; Box's own is good as well.
    pub(super) token_url: &'a str,
    pub(super) now: Timestamp,
}

/// The `jti` values that were used and are not expired, so that none is used twice. An assertion lives a minute, so they are not
/// kept for longer than the process.
#[derive(Default)]
pub(super) struct Used(VecDeque<(String, i64)>);

impl Used {
    /// Whether `jti` is new; it is not any more.
    fn take(&mut self, jti: &str, expires: i64, now: Timestamp) -> bool {
        self.0.retain(|(_, expires)| *expires > now.0);
        let new = !self.0.iter().any(|(used, _)| used == jti);
        if new {
            self.0.push_back((jti.to_owned(), expires));
        }
        new
    }
}

/// Checks an assertion, for the user that its token will act for. The error is Box's `error_description`.
pub(super) fn check(text: &str, keys: &Keys, used: &mut Used, expected: &Expected<'_>) -> Result<&'static User, &'static str> {
    let claims = verified(text, keys)?;
    let claim = |name: &str| claims.get(name);
    if claim("iss").and_then(Value::as_str) != Some(expected.client_id) {
        return Err("Please check the 'iss' claim. The client id specified is invalid.");
    }
    let is_meant = |value: &Value| value.as_str().is_some_and(|text| text == AUDIENCE || text == expected.token_url);
    if !claim("aud").is_some_and(|aud| is_meant(aud) || aud.as_array().is_some_and(|all| all.iter().any(is_meant))) {
        return Err("Please check the 'aud' claim. The 'aud' specified is invalid.");
    }
    let now = expected.now.0;
    let exp = claim("exp").and_then(Value::as_i64).ok_or("Please check the 'exp' claim.")?;
    if exp <= now {
        return Err(EXPIRED);
    }
    if exp > now.saturating_add(LONGEST_LIFE) {
        return Err("Please check the 'exp' claim. It must be within 60 seconds.");
    }
    if claim("nbf").is_some_and(|nbf| nbf.as_i64().is_none_or(|nbf| nbf > now)) {
        return Err("Please check the 'nbf' claim.");
    }
    // A number is refused as well (the id of an enterprise looks like one).
    let subject = claim("sub").and_then(Value::as_str).ok_or("Please check the 'sub' claim.")?;
    let kind = claim("box_sub_type").and_then(Value::as_str).filter(|kind| matches!(*kind, "enterprise" | "user"));
    let kind = kind.ok_or("Please check the 'box_sub_type' claim.")?;
    let user = users::of_subject(kind, subject).ok_or("Please check the 'sub' claim. The 'sub' specified is invalid.")?;
    let jti = claim("jti").and_then(Value::as_str).filter(|jti| JTI.contains(&jti.chars().count()));
    let jti = jti.ok_or("Please check the 'jti' claim. It must be 16 to 128 characters long.")?;
    // Last, so that what is refused for another reason uses up no `jti`.
    if used.take(jti, exp, expected.now) { Ok(user) } else { Err(USED) }
}

/// The claims of a JWT (RFC 7519 §7.2) that one of the keys signed.
fn verified(text: &str, keys: &Keys) -> Result<Value, &'static str> {
    const MALFORMED: &str = "The assertion is not a signed JWT.";
    let (signed, signature) = text.rsplit_once('.').ok_or(MALFORMED)?;
    let (head, body) = signed.split_once('.').ok_or(MALFORMED)?;
    let json = |part: &str| serde_json::from_slice::<Value>(&BASE64.decode(part).ok()?).ok().filter(Value::is_object);
    let (head, claims) = json(head).zip(json(body)).ok_or(MALFORMED)?;
    let signature = BASE64.decode(signature).map_err(|_| MALFORMED)?;
    let algorithm = head.get("alg").and_then(Value::as_str).filter(|name| matches!(*name, "RS256" | "RS384" | "RS512" | "ES256"));
    let algorithm = algorithm.ok_or("Please check the 'alg' header. The 'alg' specified is invalid.")?;
    let named = keys.named(head.get("kid").and_then(Value::as_str));
    if named.is_empty() {
        return Err("Please check the 'kid' header. The 'kid' specified is invalid.");
    }
    let is_good = named.iter().any(|key| key.verify(algorithm, signed.as_bytes(), &signature) == Some(true));
    if is_good { Ok(claims) } else { Err("The signature of the assertion does not match the public key.") }
}
