//! A token with everything that the server said about it.

use std::time::Duration;

use serde_json::{Map, Value};

use crate::clock::Timestamp;
use crate::secret::Secret;

/// How long before its end a token counts as stale, unless the login says otherwise: a request takes time, and clocks differ.
pub(super) const SKEW: Duration = Duration::from_secs(30);

/// The longest lifetime that is believed, in seconds: ten years.
const LONGEST: i64 = 10 * 365 * 86_400;

/// An access token and what came with it, as it is kept under `tokens:`.
#[derive(Clone, PartialEq)]
pub struct Token {
    members: Map<String, Value>,
}

impl std::fmt::Debug for Token {
    // The values are secrets.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Token").field("members", &self.members.keys().collect::<Vec<_>>()).finish()
    }
}

impl Token {
    /// The fingerprint of the configuration that it was got with.
    const FOR: &'static str = "for";
    /// When the refresh of its refresh token was begun, as long as no answer has come.
    const REFRESHING: &'static str = "refreshing";

    /// What is kept under `tokens:`; `None` when it holds no access token.
    #[must_use]
    pub fn from_members(members: Map<String, Value>) -> Option<Self> {
        let token = Self { members };
        (!token.text("access_token")?.is_empty()).then_some(token)
    }

    /// The token of an answer to a request that was sent at `asked_at`.
    pub(super) fn of_answer(mut members: Map<String, Value>, access_token: &str, asked_at: Timestamp) -> Self {
        members.insert("access_token".to_owned(), Value::from(access_token));
        let mut token = Self { members };
        match token.lifetime() {
            Some(lifetime) => token.set("expires_at", Value::from(asked_at.0.saturating_add(lifetime))),
            None => drop(token.members.remove("expires_at")),
        }
        token
    }

    /// Every member, for `tokens.NAME.member` and for the file.
    #[must_use]
    pub fn members(&self) -> &Map<String, Value> {
        &self.members
    }

    /// The access token.
    #[must_use]
    pub fn access_token(&self) -> Secret {
        Secret::new(self.text("access_token").unwrap_or_default())
    }

    /// The refresh token.
    #[must_use]
    pub fn refresh_token(&self) -> Option<Secret> {
        self.text("refresh_token").filter(|text| !text.is_empty()).map(Secret::new)
    }

    /// When it ends; `None` when the server did not say: then it is used until it is refused.
    #[must_use]
    pub fn expires_at(&self) -> Option<Timestamp> {
        self.members.get("expires_at").and_then(seconds).map(Timestamp)
    }

    /// Its type as it is compared and written: `Bearer` also when the server did not say (RFC 6749 §5.1 makes the member REQUIRED,
    /// Box leaves it out) and whatever its case (§7.1).
    #[must_use]
    pub fn token_type(&self) -> &str {
        match self.text("token_type") {
            Some(text) if !text.eq_ignore_ascii_case("bearer") && !text.is_empty() => text,
            _ => "Bearer",
        }
    }

    /// The scopes that it has, when the server said so: text, or a list.
    #[must_use]
    pub fn scope(&self, separator: &str) -> Option<Vec<String>> {
        match self.members.get("scope")? {
            Value::String(text) => {
                let parts = text.split(|c: char| c == ' ' || separator.contains(c)).filter(|part| !part.is_empty());
                Some(parts.map(ToOwned::to_owned).collect())
            }
            Value::Array(items) => Some(items.iter().filter_map(Value::as_str).map(ToOwned::to_owned).collect()),
            _ => None,
        }
    }

    /// Whether it can be used at `now`: it ends later than `skew` from now, or than half its lifetime if that is less.
    #[must_use]
    pub fn is_fresh(&self, now: Timestamp, skew: Duration) -> bool {
        let Some(Timestamp(end)) = self.expires_at() else { return true };
        let skew = i64::try_from(skew.as_secs()).unwrap_or(i64::MAX);
        let skew = self.lifetime().map_or(skew, |lifetime| skew.min(lifetime / 2));
        now.0 < end.saturating_sub(skew)
    }

    /// Whether it was got with the configuration of that fingerprint.
    #[must_use]
    pub fn is_for(&self, fingerprint: &str) -> bool {
        self.text(Self::FOR) == Some(fingerprint)
    }

    /// The fingerprint of the configuration that it was got with.
    pub(super) fn fingerprint(&self) -> &str {
        self.text(Self::FOR).unwrap_or_default()
    }

    pub(super) fn mark_for(&mut self, fingerprint: &str) {
        self.set(Self::FOR, Value::from(fingerprint));
    }

    /// When a refresh was begun of which no answer is known.
    #[must_use]
    pub fn refreshing_since(&self) -> Option<Timestamp> {
        self.members.get(Self::REFRESHING).and_then(seconds).map(Timestamp)
    }

    pub(super) fn note_refresh(&mut self, at: Option<Timestamp>) {
        match at {
            Some(at) => self.set(Self::REFRESHING, Value::from(at.0)),
            None => drop(self.members.remove(Self::REFRESHING)),
        }
    }

    /// Takes over the refresh token of `old` when the answer brought none: it goes on being good (RFC 6749 §6).
    pub(super) fn inherit(&mut self, old: &Self) {
        if self.refresh_token().is_none()
            && let Some(kept) = old.members.get("refresh_token")
        {
            self.set("refresh_token", kept.clone());
        }
    }

    /// Takes over a refresh token that was brought along when the answer brought none.
    pub(super) fn keep_refresh_token(&mut self, refresh_token: &Secret) {
        if self.refresh_token().is_none() {
            self.set("refresh_token", Value::from(refresh_token.expose()));
        }
    }

    pub(super) fn forget_refresh_token(&mut self) {
        self.members.remove("refresh_token");
    }

    /// `expires_in` in seconds: a number, a number as text (PayPal), or nothing.
    fn lifetime(&self) -> Option<i64> {
        self.members.get("expires_in").and_then(seconds).map(|lifetime| lifetime.clamp(0, LONGEST))
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.members.get(name).and_then(Value::as_str)
    }

    fn set(&mut self, name: &str, value: Value) {
        self.members.insert(name.to_owned(), value);
    }
}

/// A number of seconds as servers write it: `3600`, `3600.0`, `"3600"`.
fn seconds(value: &Value) -> Option<i64> {
    let whole = |number: f64| {
        // The cast saturates, and what is no number becomes 0.
        #[expect(clippy::cast_possible_truncation, reason = "a float saturates")]
        number.is_finite().then_some(number as i64)
    };
    match value {
        Value::Number(number) => number.as_i64().or_else(|| number.as_f64().and_then(whole)),
        Value::String(text) => text.trim().parse().ok().or_else(|| text.trim().parse::<f64>().ok().and_then(whole)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn token(answer: &Value) -> Token {
        Token::of_answer(answer.as_object().unwrap().clone(), "at", Timestamp(1000))
    }

    #[test]
    fn the_end_is_counted_from_the_request() {
        let table = [
            (json!({"expires_in": 3600}), Some(4600)),
            (json!({"expires_in": "3600"}), Some(4600)),
            (json!({"expires_in": 3600.7}), Some(4600)),
            (json!({"expires_in": " 60 "}), Some(1060)),
            (json!({"expires_in": 0}), Some(1000)),
            (json!({"expires_in": -5}), Some(1000)),
            (json!({"expires_in": 1e300}), Some(1000 + LONGEST)),
            (json!({"expires_in": "soon"}), None),
            (json!({"expires_in": null, "expires_at": 7}), None),
            (json!({}), None),
        ];
        for (answer, end) in table {
            assert_eq!(token(&answer).expires_at(), end.map(Timestamp), "{answer}");
        }
    }

    #[test]
    fn a_token_is_stale_a_little_before_its_end_but_never_for_more_than_half_its_life() {
        let fresh = |lifetime: i64, at: i64| token(&json!({"expires_in": lifetime})).is_fresh(Timestamp(1000 + at), SKEW);
        assert!(fresh(3600, 3569) && !fresh(3600, 3570));
        assert!(fresh(20, 9) && !fresh(20, 10));
        assert!(!fresh(0, 0));
        assert!(token(&json!({})).is_fresh(Timestamp(i64::MAX), SKEW));
    }

    #[test]
    fn types_and_scopes_come_in_several_forms() {
        assert_eq!(token(&json!({})).token_type(), "Bearer");
        assert_eq!(token(&json!({"token_type": "bearer"})).token_type(), "Bearer");
        assert_eq!(token(&json!({"token_type": "DPoP"})).token_type(), "DPoP");
        let scope = |scope: Value, separator: &str| token(&json!({"scope": scope})).scope(separator);
        assert_eq!(scope(json!("a b"), " "), Some(vec!["a".to_owned(), "b".to_owned()]));
        assert_eq!(scope(json!("a,b"), ","), Some(vec!["a".to_owned(), "b".to_owned()]));
        assert_eq!(scope(json!(["a", "b"]), " "), Some(vec!["a".to_owned(), "b".to_owned()]));
        assert_eq!(scope(json!(null), " "), None);
    }

    #[test]
    fn a_refresh_token_is_kept_when_none_comes() {
        let old = token(&json!({"refresh_token": "r1"}));
        let mut new = token(&json!({}));
        new.inherit(&old);
        assert_eq!(new.refresh_token().unwrap().expose(), "r1");
        let mut new = token(&json!({"refresh_token": "r2"}));
        new.inherit(&old);
        assert_eq!(new.refresh_token().unwrap().expose(), "r2");
    }

    #[test]
    fn debug_shows_no_value() {
        assert_eq!(
            format!("{:?}", token(&json!({"refresh_token": "r1"}))),
            r#"Token { members: ["refresh_token", "access_token"] }"#
        );
    }
}
