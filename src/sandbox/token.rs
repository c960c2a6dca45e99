//! Tokens that carry what is needed to check them, signed with HMAC-SHA-256; and everything else that must not be guessed.
//!
//! A token is 48 bytes, 64 characters in base64url: kind, family, serial, time of issue, signature. Unusual terms stand as JSON
//! before the signature and make it longer. A *family* is one login: all the tokens that come from one code, or one token that an
//! app got without a person, and whatever was made of them. The *serial* counts the refreshes of a family.

use std::io;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use ring::hmac;
use ring::rand::{SecureRandom, SystemRandom};

use super::terms::Terms;
use crate::clock::Timestamp;
use crate::secret::Secret;

/// Seconds that an access token lives: 60 minutes, as at Box.
pub(super) const ACCESS_LIFETIME: i64 = 60 * 60;
/// Seconds that a refresh token lives when it is not used: 60 days, as at Box.
pub(super) const REFRESH_LIFETIME: i64 = 60 * 24 * 60 * 60;

const UNSIGNED: usize = 1 + Family::LENGTH + 4 + 8;
/// 23 bytes of the signature: with them a token has the 64 characters that Box's own tools expect of a refresh token.
const SIGNED: usize = 48;
/// Characters of the longest token that is looked at.
const LONGEST: usize = 1_024;

/// What a token is for. The value is its first byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Opens the API.
    Access = 1,
    /// Gets the next pair, once.
    Refresh = 2,
}

/// Which login a token belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Family([u8; Self::LENGTH]);

impl Family {
    const LENGTH: usize = 12;

    /// Its name in the state file.
    pub(super) fn to_text(self) -> String {
        BASE64.encode(self.0)
    }

    /// The family of that name.
    pub(super) fn from_text(text: &str) -> Option<Self> {
        BASE64.decode(text).ok()?.try_into().ok().map(Self)
    }
}

/// What a token says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) kind: Kind,
    pub(super) family: Family,
    /// How many refreshes came before it in its family.
    pub(super) serial: u32,
    pub(super) issued_at: Timestamp,
    pub(super) terms: Terms,
}

impl Token {
    /// The first token of a family.
    pub(super) fn new(kind: Kind, family: Family, terms: Terms) -> Self {
        Self { kind, family, serial: 0, issued_at: Timestamp(0), terms }
    }

    /// When it will have lived its time.
    pub(super) fn expires_at(&self) -> Timestamp {
        let usual = match self.kind {
            Kind::Access => ACCESS_LIFETIME,
            Kind::Refresh => REFRESH_LIFETIME,
        };
        Timestamp(self.issued_at.0.saturating_add(self.terms.lifetime.unwrap_or(usual)))
    }

    /// Whether it has lived its time at `now`.
    pub(super) fn is_expired(&self, now: Timestamp) -> bool {
        now >= self.expires_at()
    }
}

/// The key that signs tokens.
#[derive(Clone)]
pub(super) struct Key {
    bytes: [u8; 32],
    mac: hmac::Key,
}

impl Key {
    /// A key that nobody had before.
    pub(super) fn random() -> io::Result<Self> {
        Ok(Self::from_bytes(random()?))
    }

    fn from_bytes(bytes: [u8; 32]) -> Self {
        Self { bytes, mac: hmac::Key::new(hmac::HMAC_SHA256, &bytes) }
    }

    /// As it stands in the state file.
    pub(super) fn to_text(&self) -> Secret {
        Secret::new(BASE64.encode(self.bytes))
    }

    /// The key of that text.
    pub(super) fn from_text(text: &str) -> Option<Self> {
        BASE64.decode(text).ok()?.try_into().ok().map(Self::from_bytes)
    }

    /// Whether `other` is the same key.
    pub(super) fn is(&self, other: &Self) -> bool {
        same(&self.bytes, &other.bytes)
    }

    /// Writes and signs a token.
    pub(super) fn write(&self, token: &Token) -> Secret {
        let mut bytes = Vec::with_capacity(SIGNED);
        bytes.push(token.kind as u8);
        bytes.extend(token.family.0);
        bytes.extend(token.serial.to_be_bytes());
        bytes.extend(token.issued_at.0.to_be_bytes());
        if token.terms != Terms::default() {
            bytes.extend(serde_json::to_vec(&token.terms).unwrap_or_default());
        }
        let signature = self.sign("token", &bytes);
        bytes.extend(signature.iter().take(SIGNED - UNSIGNED));
        Secret::new(BASE64.encode(bytes))
    }

    /// What the token in `text` says; `None` when this key did not sign it.
    pub(super) fn read(&self, text: &str) -> Option<Token> {
        if text.len() > LONGEST {
            return None;
        }
        let bytes = BASE64.decode(text).ok()?;
        let (said, signature) = bytes.split_at_checked(bytes.len().checked_sub(SIGNED - UNSIGNED)?)?;
        if !same(signature, self.sign("token", said).get(..SIGNED - UNSIGNED)?) {
            return None;
        }
        let (kind, rest) = said.split_first()?;
        let (family, rest) = rest.split_first_chunk()?;
        let (serial, rest) = rest.split_first_chunk()?;
        let (issued_at, terms) = rest.split_first_chunk()?;
        Some(Token {
            kind: [Kind::Access, Kind::Refresh].into_iter().find(|known| *known as u8 == *kind)?,
            family: Family(*family),
            serial: u32::from_be_bytes(*serial),
            issued_at: Timestamp(i64::from_be_bytes(*issued_at)),
            terms: if terms.is_empty() { Terms::default() } else { serde_json::from_slice(terms).ok()? },
        })
    }

    /// The client id that belongs to this key: 32 characters, as at Box.
    pub(super) fn client_id(&self) -> String {
        letters(&self.sign("client id", b""), ALPHANUMERIC_LOWER)
    }

    /// The client secret that belongs to this key: 32 characters, as at Box.
    pub(super) fn client_secret(&self) -> Secret {
        Secret::new(letters(&self.sign("client secret", b""), ALPHANUMERIC))
    }

    /// The signature of `data` for one purpose; what is signed for one is worth nothing for another.
    fn sign(&self, purpose: &str, data: &[u8]) -> [u8; 32] {
        let mut context = hmac::Context::with_key(&self.mac);
        context.update(purpose.as_bytes());
        context.update(&[0]);
        context.update(data);
        context.sign().as_ref().try_into().unwrap_or_default()
    }
}

/// Makes texts that nobody can guess and that never come twice.
///
/// They are signatures of a counter. So there is one call for randomness, at the start, and none that could fail later.
pub(super) struct Mint {
    key: Key,
    /// Tells this process from others that have the same key.
    process: [u8; 32],
    count: u64,
}

impl Mint {
    /// A mint on `key`.
    ///
    /// # Errors
    /// The system has no random numbers to give.
    pub(super) fn new(key: Key) -> io::Result<Self> {
        Ok(Self { key, process: random()?, count: 0 })
    }

    /// The key that it stands on.
    pub(super) fn key(&self) -> &Key {
        &self.key
    }

    /// 32 letters and digits.
    pub(super) fn text(&mut self) -> String {
        letters(&self.next(), ALPHANUMERIC)
    }

    /// A new family.
    pub(super) fn family(&mut self) -> Family {
        let bytes = self.next();
        Family(bytes.first_chunk().copied().unwrap_or_default())
    }

    fn next(&mut self) -> [u8; 32] {
        self.count = self.count.wrapping_add(1);
        self.key.sign("mint", &[self.process.as_slice(), &self.count.to_be_bytes()].concat())
    }
}

/// Whether two texts are equal, in a time that does not tell where they differ.
pub(super) fn same(left: &[u8], right: &[u8]) -> bool {
    left.len() == right.len() && left.iter().zip(right).fold(0, |differences, (l, r)| differences | (l ^ r)) == 0
}

pub(super) const ALPHANUMERIC_LOWER: &[u8] = b"abcdefghijklmnopqrstuvwxyz0123456789";
const ALPHANUMERIC: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/// One letter of `alphabet` for each byte. The slight lean towards its first letters costs a few of some 165 bits.
pub(super) fn letters(bytes: &[u8], alphabet: &[u8]) -> String {
    bytes.iter().filter_map(|byte| alphabet.get(usize::from(*byte) % alphabet.len()).copied().map(char::from)).collect()
}

fn random() -> io::Result<[u8; 32]> {
    let mut bytes = [0; 32];
    SystemRandom::new().fill(&mut bytes).map_err(|_| io::Error::other("the system has no random numbers to give"))?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    fn key() -> Key {
        Key::from_bytes([7; 32])
    }

    fn token(kind: Kind) -> Token {
        Token { serial: 3, issued_at: Timestamp(1_700_000_000), ..Token::new(kind, Family([9; 12]), Terms::default()) }
    }

    #[test]
    fn a_token_is_64_characters_and_reads_back() {
        for kind in [Kind::Access, Kind::Refresh] {
            let text = key().write(&token(kind));
            assert_eq!(text.expose().len(), 64);
            assert_eq!(key().read(text.expose()), Some(token(kind)));
        }
    }

    #[test]
    fn a_token_of_another_key_or_with_one_changed_character_is_none() {
        let text = key().write(&token(Kind::Access));
        assert_eq!(Key::from_bytes([8; 32]).read(text.expose()), None);
        for place in 0..64 {
            let mut changed: Vec<char> = text.expose().chars().collect();
            changed[place] = if changed[place] == 'A' { 'B' } else { 'A' };
            assert_eq!(key().read(&changed.iter().collect::<String>()), None, "character {place}");
        }
    }

    #[test]
    fn lifetimes_are_those_of_box() {
        for (kind, lifetime) in [(Kind::Access, 3_600), (Kind::Refresh, 5_184_000)] {
            let token = token(kind);
            assert!(!token.is_expired(Timestamp(token.issued_at.0 + lifetime - 1)));
            assert!(token.is_expired(Timestamp(token.issued_at.0 + lifetime)));
        }
    }

    #[test]
    fn the_client_belongs_to_the_key_and_looks_like_one_of_box() {
        let (id, secret) = (key().client_id(), key().client_secret());
        assert_eq!((id.len(), secret.expose().len()), (32, 32));
        assert_eq!(id, key().client_id());
        assert_ne!(id, Key::from_bytes([8; 32]).client_id());
        assert!(id.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit()));
        assert!(secret.expose().chars().all(|c| c.is_ascii_alphanumeric()));
    }

    #[test]
    fn two_processes_with_one_key_never_make_the_same_text() {
        let mut mints = [Mint::new(key()).unwrap(), Mint::new(key()).unwrap()];
        let texts: HashSet<String> = (0..200).map(|n| mints[n % 2].text()).collect();
        assert_eq!(texts.len(), 200);
    }

    #[test]
    fn a_key_reads_back_from_its_text() {
        let text = key().to_text();
        assert!(Key::from_text(text.expose()).unwrap().is(&key()));
        assert!(Key::from_text("short").is_none());
    }

    proptest! {
        #[test]
        fn any_text_reads_as_none(text in ".*") {
            prop_assert_eq!(key().read(&text), None);
        }
    }
}
