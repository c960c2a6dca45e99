//! Signed JSON Web Tokens (RFC 7515, RFC 7519), as far as a client makes them.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::{hmac, signature};
use serde_json::{Map, Value};

use crate::secret::Secret;

use super::key::PrivateKey;

/// A signature algorithm (RFC 7518 §3.1, RFC 8037 §3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Algorithm {
    Hs256,
    Hs384,
    Hs512,
    Rs256,
    Rs384,
    Rs512,
    Ps256,
    Ps384,
    Ps512,
    Es256,
    Es384,
    EdDsa,
}

impl Algorithm {
    /// The names, as they stand in a header.
    const NAMES: [(&'static str, Self); 12] = [
        ("HS256", Self::Hs256),
        ("HS384", Self::Hs384),
        ("HS512", Self::Hs512),
        ("RS256", Self::Rs256),
        ("RS384", Self::Rs384),
        ("RS512", Self::Rs512),
        ("PS256", Self::Ps256),
        ("PS384", Self::Ps384),
        ("PS512", Self::Ps512),
        ("ES256", Self::Es256),
        ("ES384", Self::Es384),
        ("EdDSA", Self::EdDsa),
    ];

    /// The algorithm of that name.
    pub(super) fn named(text: &str) -> Option<Self> {
        Self::NAMES.into_iter().find(|(name, _)| *name == text).map(|(_, algorithm)| algorithm)
    }

    /// The usual one for a key.
    pub(super) fn usual(key: &PrivateKey) -> Self {
        match key {
            PrivateKey::Rsa(_) => Self::Rs256,
            PrivateKey::P256(_) => Self::Es256,
            PrivateKey::P384(_) => Self::Es384,
            PrivateKey::Ed25519(_) => Self::EdDsa,
        }
    }

    /// The name as it stands in a header.
    pub(super) fn name(self) -> &'static str {
        Self::NAMES.iter().find(|(_, algorithm)| *algorithm == self).map_or("", |(name, _)| name)
    }

    /// All names, for messages.
    pub(super) fn names() -> impl Iterator<Item = &'static str> {
        Self::NAMES.into_iter().map(|(name, _)| name)
    }
}

/// What signs.
pub(super) enum Signer {
    /// A private key.
    Key(Box<PrivateKey>),
    /// A shared secret (RFC 7518 §3.2).
    Secret(Secret),
}

/// The algorithm and the key do not go together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mismatch {
    algorithm: Algorithm,
    key: &'static str,
}

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the algorithm `{}` does not go with a key of the kind {}", self.algorithm.name(), self.key)
    }
}

/// The token: header, claims and signature.
///
/// # Errors
/// The key can't make signatures of that algorithm.
pub(super) fn sign(
    algorithm: Algorithm,
    mut header: Map<String, Value>,
    claims: &Map<String, Value>,
    signer: &Signer,
) -> Result<Secret, Mismatch> {
    header.insert("alg".to_owned(), Value::from(algorithm.name()));
    let part = |members: &Map<String, Value>| URL_SAFE_NO_PAD.encode(Value::Object(members.clone()).to_string());
    let signed = format!("{}.{}", part(&header), part(claims));
    let signature = signature(algorithm, signed.as_bytes(), signer)?;
    Ok(Secret::new(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))))
}

fn signature(algorithm: Algorithm, message: &[u8], signer: &Signer) -> Result<Vec<u8>, Mismatch> {
    use Algorithm as A;
    let random = SystemRandom::new();
    let kind = match signer {
        Signer::Key(key) => key.kind(),
        Signer::Secret(_) => "shared secret",
    };
    let mismatch = Mismatch { algorithm, key: kind };
    let signed = match signer {
        Signer::Secret(secret) => match algorithm {
            A::Hs256 => Some(mac(hmac::HMAC_SHA256, secret, message)),
            A::Hs384 => Some(mac(hmac::HMAC_SHA384, secret, message)),
            A::Hs512 => Some(mac(hmac::HMAC_SHA512, secret, message)),
            _ => None,
        },
        Signer::Key(key) => match (&**key, algorithm) {
            (PrivateKey::Rsa(key), _) => rsa_padding(algorithm).and_then(|padding| {
                let mut signature = vec![0; key.public().modulus_len()];
                key.sign(padding, &random, message, &mut signature).ok().map(|()| signature)
            }),
            (PrivateKey::P256(key), A::Es256) | (PrivateKey::P384(key), A::Es384) => {
                key.sign(&random, message).ok().map(|signature| signature.as_ref().to_vec())
            }
            (PrivateKey::Ed25519(key), A::EdDsa) => Some(key.sign(message).as_ref().to_vec()),
            _ => None,
        },
    };
    signed.ok_or(mismatch)
}

fn rsa_padding(algorithm: Algorithm) -> Option<&'static dyn signature::RsaEncoding> {
    Some(match algorithm {
        Algorithm::Rs256 => &signature::RSA_PKCS1_SHA256,
        Algorithm::Rs384 => &signature::RSA_PKCS1_SHA384,
        Algorithm::Rs512 => &signature::RSA_PKCS1_SHA512,
        Algorithm::Ps256 => &signature::RSA_PSS_SHA256,
        Algorithm::Ps384 => &signature::RSA_PSS_SHA384,
        Algorithm::Ps512 => &signature::RSA_PSS_SHA512,
        _ => return None,
    })
}

fn mac(algorithm: hmac::Algorithm, secret: &Secret, message: &[u8]) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(algorithm, secret.expose().as_bytes()), message).as_ref().to_vec()
}
