//! Private keys as providers hand them out: PEM with PKCS#8 (plain or encrypted), PKCS#1 or SEC1 in it.
//!
//! An error never shows a word of the key or of its passphrase.

use std::fmt;

use pkcs8::der::Decode;
use pkcs8::{EncryptedPrivateKeyInfo, ObjectIdentifier, PrivateKeyInfo, SecretDocument};
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, EcdsaSigningAlgorithm, Ed25519KeyPair,
    RsaKeyPair,
};
use sec1::EcPrivateKey;

use crate::secret::Secret;

/// RFC 8017 App. A.1.
const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
/// RFC 5480 §2.1.1.
const EC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
/// RFC 8410 §3.
const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");
/// RFC 5480 §2.1.1.1.
const P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
/// RFC 5480 §2.1.1.1.
const P384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.34");

/// The beginnings of the identifiers of old ways to encrypt a key: PBES1 (RFC 8018 App. A.3) and those of PKCS#12.
const OLD_ENCRYPTION: [&[u8]; 2] =
    [&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x05], &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x0c, 0x01]];
/// The last byte of PBES2's identifier (RFC 8018 App. A.4), which begins like those of PBES1.
const PBES2: u8 = 13;

/// A key that can sign.
pub(super) enum PrivateKey {
    /// RSA, for RS… and PS….
    Rsa(Box<RsaKeyPair>),
    /// P-256, for ES256.
    P256(EcdsaKeyPair),
    /// P-384, for ES384.
    P384(EcdsaKeyPair),
    /// Ed25519, for `EdDSA`.
    Ed25519(Ed25519KeyPair),
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PrivateKey({})", self.kind())
    }
}

impl PrivateKey {
    /// What kind of key it is, for messages.
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Rsa(_) => "RSA",
            Self::P256(_) => "P-256",
            Self::P384(_) => "P-384",
            Self::Ed25519(_) => "Ed25519",
        }
    }
}

/// Why a key can't be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum KeyError {
    /// There is no `-----BEGIN … PRIVATE KEY-----`.
    NoKey,
    /// A certificate or a public key.
    NotPrivate,
    /// Encrypted in OpenSSL's own old form (`Proc-Type: 4,ENCRYPTED`).
    Traditional,
    /// Encrypted with PBES1.
    OldEncryption,
    /// Encrypted, and no passphrase is given.
    NoPassphrase,
    /// The passphrase does not open it.
    WrongPassphrase,
    /// Encrypted in a way that is not known.
    UnknownEncryption,
    /// Broken, or cut off.
    Broken,
    /// A kind or curve that is not known.
    UnknownKind,
    /// An elliptic-curve key without its public half, which can't be computed here.
    NoPublicHalf,
    /// An RSA key of fewer than 2048 bits, or with other weak parameters.
    Weak,
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoKey => "the private key is no PEM text: it has no line `-----BEGIN PRIVATE KEY-----`",
            Self::NotPrivate => "the private key is a certificate or a public key",
            Self::Traditional => "the private key is encrypted in OpenSSL's old form (`Proc-Type`), which is not read",
            Self::OldEncryption => "the private key is encrypted with PBES1, which is not read",
            Self::NoPassphrase => "the private key is encrypted, and there is no `passphrase`",
            Self::WrongPassphrase => "the passphrase does not open the private key",
            Self::UnknownEncryption => "the private key is encrypted in a way that is not known",
            Self::Broken => "the private key is broken or cut off",
            Self::UnknownKind => "the private key is of a kind that is not known: expected RSA, P-256, P-384 or Ed25519",
            Self::NoPublicHalf => "the private key lacks its public half",
            Self::Weak => "the private key is too weak: RSA needs 2048 bits or more",
        })
    }
}

impl std::error::Error for KeyError {}

impl KeyError {
    /// How to mend it.
    pub(super) fn hint(self) -> Option<&'static str> {
        match self {
            Self::Traditional | Self::OldEncryption | Self::UnknownEncryption => {
                Some("convert it: openssl pkcs8 -topk8 -v2 aes-256-cbc -in key.pem -out key8.pem")
            }
            Self::NoPublicHalf => Some("convert it: openssl pkcs8 -topk8 -nocrypt -in key.pem -out key8.pem"),
            Self::NoKey => Some("give the text of the file: `private_key: !file keys/app.pem` in the environment"),
            Self::NoPassphrase => Some("give it: `assertion: {passphrase: \"{{ … }}\"}`"),
            _ => None,
        }
    }
}

/// Reads a private key. A PEM text that went through an environment variable may have `\n` in two characters.
///
/// # Errors
/// See [`KeyError`].
pub(super) fn read(pem: &str, passphrase: Option<&Secret>) -> Result<PrivateKey, KeyError> {
    let text = if pem.trim().contains('\n') { pem.to_owned() } else { pem.replace("\\n", "\n") };
    let start = text.find("-----BEGIN ").ok_or(KeyError::NoKey)?;
    // What stands before the key (`Bag Attributes`) is for people.
    let text = &text[start..];
    if text.contains("Proc-Type:") {
        return Err(KeyError::Traditional);
    }
    let label = text["-----BEGIN ".len()..].split("-----").next().unwrap_or_default();
    if !label.ends_with("PRIVATE KEY") {
        return Err(KeyError::NotPrivate);
    }
    let end = format!("-----END {label}-----");
    let end = text.find(&end).map(|at| at + end.len()).ok_or(KeyError::Broken)?;
    let text = text[..end].lines().map(str::trim).collect::<Vec<_>>().join("\n");
    let (label, document) = SecretDocument::from_pem(&text).map_err(|_| KeyError::Broken)?;
    match label {
        "PRIVATE KEY" => pkcs8(document.as_bytes()),
        "ENCRYPTED PRIVATE KEY" => pkcs8(decrypted(document.as_bytes(), passphrase)?.as_bytes()),
        "RSA PRIVATE KEY" => {
            RsaKeyPair::from_der(document.as_bytes()).map(|key| PrivateKey::Rsa(Box::new(key))).map_err(rejected)
        }
        "EC PRIVATE KEY" => sec1(document.as_bytes(), None),
        _ => Err(KeyError::UnknownKind),
    }
}

fn decrypted(der: &[u8], passphrase: Option<&Secret>) -> Result<SecretDocument, KeyError> {
    let Ok(encrypted) = EncryptedPrivateKeyInfo::from_der(der) else {
        // The library does not even read the names of these.
        let old = |prefix: &&[u8]| {
            let mut windows = der.windows(prefix.len() + 1);
            windows.any(|window| window.starts_with(prefix) && window.last() != Some(&PBES2))
        };
        return Err(if OLD_ENCRYPTION.iter().any(old) { KeyError::OldEncryption } else { KeyError::UnknownEncryption });
    };
    if matches!(encrypted.encryption_algorithm, pkcs8::pkcs5::EncryptionScheme::Pbes1(_)) {
        return Err(KeyError::OldEncryption);
    }
    let passphrase = passphrase.ok_or(KeyError::NoPassphrase)?;
    encrypted.decrypt(passphrase.expose()).map_err(|_| KeyError::WrongPassphrase)
}

fn pkcs8(der: &[u8]) -> Result<PrivateKey, KeyError> {
    let info = PrivateKeyInfo::from_der(der).map_err(|_| KeyError::Broken)?;
    match info.algorithm.oid {
        RSA => RsaKeyPair::from_pkcs8(der).map(|key| PrivateKey::Rsa(Box::new(key))).map_err(rejected),
        // The inner structure is that of SEC1; the curve may stand outside only (RFC 5915 §1).
        EC => sec1(info.private_key, info.algorithm.parameters_oid().ok()),
        ED25519 => Ed25519KeyPair::from_pkcs8_maybe_unchecked(der).map(PrivateKey::Ed25519).map_err(rejected),
        _ => Err(KeyError::UnknownKind),
    }
}

fn sec1(der: &[u8], outer_curve: Option<ObjectIdentifier>) -> Result<PrivateKey, KeyError> {
    let key = EcPrivateKey::from_der(der).map_err(|_| KeyError::Broken)?;
    let curve = key.parameters.and_then(|parameters| parameters.named_curve()).or(outer_curve);
    let public = key.public_key.ok_or(KeyError::NoPublicHalf)?;
    let pair = |algorithm: &'static EcdsaSigningAlgorithm| {
        EcdsaKeyPair::from_private_key_and_public_key(algorithm, key.private_key, public, &SystemRandom::new()).map_err(rejected)
    };
    match curve {
        Some(P256) => pair(&ECDSA_P256_SHA256_FIXED_SIGNING).map(PrivateKey::P256),
        Some(P384) => pair(&ECDSA_P384_SHA384_FIXED_SIGNING).map(PrivateKey::P384),
        _ => Err(KeyError::UnknownKind),
    }
}

fn rejected(error: ring::error::KeyRejected) -> KeyError {
    let text = error.to_string();
    if text.contains("TooSmall") || text.contains("TooLarge") || text.contains("Unsafe") {
        KeyError::Weak
    } else {
        KeyError::Broken
    }
}
