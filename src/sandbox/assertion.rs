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

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::testing::{Desk, Reply, Signer};
    use super::*;

    const MALFORMED: &str = "The assertion is not a signed JWT.";

    /// A desk that knows a key as `key`.
    fn desk() -> (Desk, Signer) {
        let (mut desk, signer) = (Desk::new(), Signer::new());
        assert_eq!(desk.send("POST", "/sandbox/keys", &[], &signer.jwk("key")).status, 201);
        (desk, signer)
    }

    /// Good claims with a `jti` of its own.
    fn claims(desk: &Desk, jti: &str) -> Value {
        json!({
            "iss": desk.core.client.id, "sub": "900000001", "box_sub_type": "enterprise", "aud": AUDIENCE,
            "jti": format!("{jti:0>16}"), "exp": desk.now.0 + 45,
        })
    }

    fn head() -> Value {
        json!({"alg": "ES256", "typ": "JWT", "kid": "key"})
    }

    fn present(desk: &mut Desk, assertion: &str) -> Reply {
        let grant = ("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer");
        desk.as_client("/oauth2/token", &[grant, ("assertion", assertion)])
    }

    #[track_caller]
    fn assert_refused(reply: &Reply, description: &str) {
        assert_eq!(reply.refusal(), (400, "invalid_grant".to_owned(), description.to_owned()));
    }

    #[test]
    fn a_good_assertion_gets_box_s_answer_and_acts_for_its_subject() {
        let (mut desk, signer) = desk();
        for (n, (kind, id, acts_for)) in
            [("enterprise", "900000001", "20000000009"), ("user", "20000000002", "20000000002")].into_iter().enumerate()
        {
            let mut claims = claims(&desk, &n.to_string());
            (claims["sub"], claims["box_sub_type"]) = (json!(id), json!(kind));
            let reply = present(&mut desk, &signer.sign(&head(), &claims));
            let json = reply.json();
            let token = json["access_token"].as_str().unwrap().to_owned();
            assert_eq!(
                json,
                json!({"access_token": token, "expires_in": 4123, "restricted_to": [], "issued_token_type": "bearer"})
            );
            assert_eq!(desk.get("/2.0/users/me", &token).json()["id"], acts_for);
        }
    }

    #[test]
    fn each_claim_is_checked_and_refused_in_box_s_words() {
        let (mut desk, signer) = desk();
        let now = desk.now.0;
        let cases = [
            ("iss", json!("other"), "Please check the 'iss' claim. The client id specified is invalid."),
            ("aud", json!("https://example.com"), "Please check the 'aud' claim. The 'aud' specified is invalid."),
            ("aud", json!([]), "Please check the 'aud' claim. The 'aud' specified is invalid."),
            ("exp", json!(now), EXPIRED),
            ("exp", json!(now + 61), "Please check the 'exp' claim. It must be within 60 seconds."),
            ("exp", json!("soon"), "Please check the 'exp' claim."),
            ("nbf", json!(now + 1), "Please check the 'nbf' claim."),
            ("sub", json!(900_000_001), "Please check the 'sub' claim."),
            ("sub", json!("1"), "Please check the 'sub' claim. The 'sub' specified is invalid."),
            ("box_sub_type", json!("user"), "Please check the 'sub' claim. The 'sub' specified is invalid."),
            ("box_sub_type", json!("external"), "Please check the 'box_sub_type' claim."),
            ("jti", json!("123456789012345"), "Please check the 'jti' claim. It must be 16 to 128 characters long."),
            ("jti", json!("x".repeat(129)), "Please check the 'jti' claim. It must be 16 to 128 characters long."),
        ];
        for (n, (name, value, description)) in cases.into_iter().enumerate() {
            let mut claims = claims(&desk, &n.to_string());
            claims[name] = value;
            assert_refused(&present(&mut desk, &signer.sign(&head(), &claims)), description);
        }
        let good = [("exp", json!(now + 60)), ("aud", json!(["x", AUDIENCE])), ("aud", json!("http://127.0.0.1/oauth2/token"))];
        for (n, (name, value)) in good.into_iter().enumerate() {
            let mut claims = claims(&desk, &format!("good{n}"));
            claims[name] = value;
            assert_eq!(present(&mut desk, &signer.sign(&head(), &claims)).status, 200, "{name}");
        }
    }

    #[test]
    fn an_assertion_works_once_and_a_refused_one_uses_nothing_up() {
        let (mut desk, signer) = desk();
        let mut early = claims(&desk, "1");
        early["sub"] = json!("1");
        assert_eq!(present(&mut desk, &signer.sign(&head(), &early)).status, 400);
        let assertion = signer.sign(&head(), &claims(&desk, "1"));
        assert_eq!(present(&mut desk, &assertion).status, 200);
        assert_refused(&present(&mut desk, &assertion), USED);
        let fresh = signer.sign(&head(), &claims(&desk, "1"));
        assert_refused(&present(&mut desk, &fresh), USED);
        desk.advance(45);
        assert_refused(&present(&mut desk, &assertion), EXPIRED);
        let later = signer.sign(&head(), &claims(&desk, "1"));
        assert_eq!(present(&mut desk, &later).status, 200, "it is forgotten once it can't be used any more");
    }

    #[test]
    fn only_the_named_key_and_a_known_algorithm_count() {
        let (mut desk, signer) = desk();
        let (mut next, other) = (0, Signer::new());
        let mut signed = |by: &Signer, head: Value, desk: &Desk| {
            next += 1;
            by.sign(&head, &claims(desk, &next.to_string()))
        };
        let mismatch = "The signature of the assertion does not match the public key.";
        let alg = "Please check the 'alg' header. The 'alg' specified is invalid.";
        let cases = [
            (signed(&other, head(), &desk), mismatch),
            (signed(&signer, json!({"alg": "RS256", "kid": "key"}), &desk), mismatch),
            (signed(&signer, json!({"alg": "none", "kid": "key"}), &desk), alg),
            (signed(&signer, json!({"alg": "HS256", "kid": "key"}), &desk), alg),
            (
                signed(&signer, json!({"alg": "ES256", "kid": "x"}), &desk),
                "Please check the 'kid' header. The 'kid' specified is invalid.",
            ),
            ("a.b".to_owned(), MALFORMED),
            ("e30.e30.!".to_owned(), MALFORMED),
            ("W10.W10.".to_owned(), MALFORMED),
        ];
        for (assertion, description) in cases {
            assert_refused(&present(&mut desk, &assertion), description);
        }
        let unnamed = signed(&signer, json!({"alg": "ES256"}), &desk);
        assert_eq!(present(&mut desk, &unnamed).status, 200, "without a `kid` any key will do");
    }

    #[test]
    fn the_client_still_shows_its_secret() {
        let (mut desk, signer) = desk();
        let assertion = signer.sign(&head(), &claims(&desk, "1"));
        let grant = ("grant_type", "urn:ietf:params:oauth:grant-type:jwt-bearer");
        let reply = desk.form("/oauth2/token", &[grant, ("assertion", &assertion)]);
        assert_eq!(reply.refusal().1, "invalid_client");
        assert_eq!(desk.as_client("/oauth2/token", &[grant]).refusal().2, "Missing assertion parameter");
    }
}
