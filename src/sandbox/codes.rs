//! Authorization codes: 30 seconds, one use (RFC 6749 §4.1.2), bound to the redirect URI and the PKCE challenge of their request.
//!
//! They are kept in memory: a code does not outlive the process that made it, and hardly anything else either.

use std::collections::VecDeque;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use ring::digest;

use super::token::{Family, Mint, same};
use crate::clock::Timestamp;

/// Seconds that a code lives, as at Box.
pub(super) const LIFETIME: i64 = 30;
/// Seconds that a code is remembered, so that a second use is known for what it is.
const MEMORY: i64 = 600;
/// How many codes are remembered.
const MOST: usize = 1_000;

/// A PKCE challenge (RFC 7636 §4.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Challenge {
    /// BASE64URL(SHA256(verifier)).
    S256(String),
    /// The verifier itself.
    Plain(String),
}

impl Challenge {
    /// The challenge of an authorization request; `plain` is meant where no method is named (RFC 7636 §4.3). `None` when the
    /// method is unknown or the challenge malformed.
    pub(super) fn new(challenge: &str, method: Option<&str>) -> Option<Self> {
        let unreserved = |c: char| c.is_ascii_alphanumeric() || "-._~".contains(c);
        if !(43..=128).contains(&challenge.len()) || !challenge.chars().all(unreserved) {
            return None;
        }
        match method {
            Some("S256") => Some(Self::S256(challenge.to_owned())),
            None | Some("plain") => Some(Self::Plain(challenge.to_owned())),
            Some(_) => None,
        }
    }

    fn accepts(&self, verifier: &str) -> bool {
        match self {
            Self::S256(hash) => {
                let seen = BASE64.encode(digest::digest(&digest::SHA256, verifier.as_bytes()));
                same(seen.as_bytes(), hash.as_bytes())
            }
            Self::Plain(challenge) => same(verifier.as_bytes(), challenge.as_bytes()),
        }
    }
}

/// What a code is bound to: what its authorization request said.
#[derive(Debug, Clone, Default)]
pub(super) struct Bound {
    /// As it was written in the request.
    pub(super) redirect_uri: Option<String>,
    pub(super) challenge: Option<Challenge>,
}

/// What a token request shows beside the code.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Shown<'a> {
    pub(super) redirect_uri: Option<&'a str>,
    pub(super) verifier: Option<&'a str>,
}

/// Why a code gets no token.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// Never made here, or forgotten.
    Unknown,
    /// Used before: the tokens of its family must die (RFC 6749 §4.1.2).
    Reused(Family),
    Expired,
    /// Not the redirect URI of the authorization request (RFC 6749 §4.1.3).
    RedirectUri,
    /// Not the verifier of the challenge, or one without a challenge (RFC 7636 §4.6, RFC 9700 §2.1.1).
    Verifier,
}

struct Code {
    text: String,
    issued_at: Timestamp,
    family: Family,
    bound: Bound,
    spent: bool,
}

/// The codes of this process, oldest first.
#[derive(Default)]
pub(super) struct Codes(VecDeque<Code>);

impl Codes {
    /// Makes a code.
    pub(super) fn issue(&mut self, mint: &mut Mint, now: Timestamp, bound: Bound) -> String {
        let forgotten = |code: &Code| now.0.saturating_sub(code.issued_at.0) >= MEMORY;
        while self.0.len() >= MOST || self.0.front().is_some_and(forgotten) {
            self.0.pop_front();
        }
        let text = mint.text();
        self.0.push_back(Code { text: text.clone(), issued_at: now, family: mint.family(), bound, spent: false });
        text
    }

    /// Spends a code for the family that its tokens will have.
    ///
    /// # Errors
    /// See [`Refused`]; a code that is refused for its redirect URI or verifier is not spent.
    pub(super) fn redeem(&mut self, text: &str, shown: Shown<'_>, now: Timestamp) -> Result<Family, Refused> {
        let code = self.0.iter_mut().find(|code| same(code.text.as_bytes(), text.as_bytes())).ok_or(Refused::Unknown)?;
        if code.spent {
            return Err(Refused::Reused(code.family));
        }
        if now.0.saturating_sub(code.issued_at.0) >= LIFETIME {
            return Err(Refused::Expired);
        }
        // Box asks for no redirect URI here; one that is sent must be the right one.
        let differs = |bound: &String| shown.redirect_uri.is_some_and(|uri| uri != bound);
        if code.bound.redirect_uri.as_ref().is_some_and(differs) {
            return Err(Refused::RedirectUri);
        }
        match (&code.bound.challenge, shown.verifier) {
            (None, None) => {}
            (Some(challenge), Some(verifier)) if challenge.accepts(verifier) => {}
            _ => return Err(Refused::Verifier),
        }
        code.spent = true;
        Ok(code.family)
    }
}

#[cfg(test)]
mod tests {
    use super::super::token::Key;
    use super::*;

    const START: Timestamp = Timestamp(1_000);
    /// The pair of RFC 7636, appendix B.
    const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    const HASH: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

    fn issued(bound: Bound) -> (Codes, String) {
        let mut mint = Mint::new(Key::random().unwrap()).unwrap();
        let mut codes = Codes::default();
        let code = codes.issue(&mut mint, START, bound);
        (codes, code)
    }

    #[test]
    fn a_code_works_for_less_than_30_seconds() {
        for (age, expected) in [(0, None), (29, None), (30, Some(Refused::Expired)), (599, Some(Refused::Expired))] {
            let (mut codes, code) = issued(Bound::default());
            assert_eq!(codes.redeem(&code, Shown::default(), Timestamp(START.0 + age)).err(), expected, "{age} s");
        }
    }

    #[test]
    fn a_second_use_names_the_family_of_the_first() {
        let (mut codes, code) = issued(Bound::default());
        let family = codes.redeem(&code, Shown::default(), START).unwrap();
        assert_eq!(codes.redeem(&code, Shown::default(), Timestamp(START.0 + 60)), Err(Refused::Reused(family)));
        assert_eq!(codes.redeem("another", Shown::default(), START), Err(Refused::Unknown));
    }

    #[test]
    fn the_verifier_must_be_that_of_the_challenge() {
        let s256 = Challenge::new(HASH, Some("S256"));
        let plain = Challenge::new(VERIFIER, None);
        let cases = [
            (&s256, Some(VERIFIER), true),
            (&s256, Some(HASH), false),
            (&s256, None, false),
            (&plain, Some(VERIFIER), true),
            (&plain, Some(HASH), false),
            (&None, None, true),
            (&None, Some(VERIFIER), false),
        ];
        for (challenge, verifier, good) in cases {
            let (mut codes, code) = issued(Bound { redirect_uri: None, challenge: challenge.clone() });
            let result = codes.redeem(&code, Shown { redirect_uri: None, verifier }, START);
            assert_eq!(result.is_ok(), good, "{challenge:?} {verifier:?}");
        }
    }

    #[test]
    fn malformed_challenges_are_none() {
        for (challenge, method) in
            [("short", Some("S256")), (HASH, Some("s256")), (&"a b".repeat(20), None), (&"a".repeat(129), None)]
        {
            assert_eq!(Challenge::new(challenge, method), None, "{challenge} {method:?}");
        }
    }

    #[test]
    fn a_redirect_uri_that_is_sent_must_be_the_one_of_the_request() {
        let uri = "http://127.0.0.1:4000/callback";
        for (sent, good) in [(None, true), (Some(uri), true), (Some("http://127.0.0.1:4000/"), false)] {
            let (mut codes, code) = issued(Bound { redirect_uri: Some(uri.to_owned()), challenge: None });
            let result = codes.redeem(&code, Shown { redirect_uri: sent, verifier: None }, START);
            assert_eq!(result.is_ok(), good, "{sent:?}");
        }
    }

    #[test]
    fn only_so_many_codes_are_remembered() {
        let mut mint = Mint::new(Key::random().unwrap()).unwrap();
        let mut codes = Codes::default();
        for _ in 0..MOST + 10 {
            codes.issue(&mut mint, START, Bound::default());
        }
        assert_eq!(codes.0.len(), MOST);
        codes.issue(&mut mint, Timestamp(START.0 + MEMORY), Bound::default());
        assert_eq!(codes.0.len(), 1);
    }
}
