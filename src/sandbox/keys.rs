//! The public keys that assertions are checked with: read from PEM or JWK, known by an id.
//!
//! They are kept in memory, and a key that was registered is registered anew after a restart.

use std::collections::VecDeque;
use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use ring::digest;
use ring::signature::{self, RsaParameters, RsaPublicKeyComponents, UnparsedPublicKey};
use rustls::pki_types::SubjectPublicKeyInfoDer;
use rustls::pki_types::pem::PemObject;
use serde_json::Value;

use super::token::{ALPHANUMERIC_LOWER, letters};

/// How many keys are kept; the oldest goes first.
const MOST: usize = 100;
/// Bytes of the longest id.
const LONGEST_ID: usize = 100;

/// The public half of a key that signs assertions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey {
    id: String,
    material: Material,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Material {
    /// Modulus and exponent, big-endian, without leading zeros.
    Rsa { n: Vec<u8>, e: Vec<u8> },
    /// An uncompressed point: 4, x, y.
    P256(Vec<u8>),
}

/// Why a text is no public key that the sandbox can use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BadKey {
    /// Neither PEM nor a JWK.
    Unreadable,
    /// The half that must stay with its owner.
    Private,
    /// Neither RSA nor P-256, or of a size that is not in use.
    Unsupported,
}

impl std::error::Error for BadKey {}

impl fmt::Display for BadKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unreadable => "expected a public key as PEM (`-----BEGIN PUBLIC KEY-----`) or as a JWK",
            Self::Private => "this is a private key; only its public half is wanted (`openssl pkey -in FILE -pubout`)",
            Self::Unsupported => "expected an RSA key of 2048 to 8192 bits, or one on the curve P-256",
        })
    }
}

impl PublicKey {
    /// Reads PEM (SPKI, RFC 7468 §13) or a JWK (RFC 7517). The id is the `kid` of the JWK, or made of the key itself.
    ///
    /// # Errors
    /// See [`BadKey`].
    pub fn read(text: &[u8]) -> Result<Self, BadKey> {
        let (kid, material) = match serde_json::from_slice(text) {
            Ok(jwk) => of_jwk(&jwk)?,
            Err(_) => (None, of_pem(text)?),
        };
        let id = kid.unwrap_or_else(|| material.id());
        material.checked().map(|material| Self { id, material })
    }

    /// What an assertion calls it in `kid`.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Whether `signature` is one of `message`; `None` when the key is not for that algorithm.
    pub(super) fn verify(&self, algorithm: &str, message: &[u8], signature: &[u8]) -> Option<bool> {
        let rsa: &RsaParameters = match (&self.material, algorithm) {
            (Material::P256(point), "ES256") => {
                let key = UnparsedPublicKey::new(&signature::ECDSA_P256_SHA256_FIXED, point);
                return Some(key.verify(message, signature).is_ok());
            }
            (Material::Rsa { .. }, "RS256") => &signature::RSA_PKCS1_2048_8192_SHA256,
            (Material::Rsa { .. }, "RS384") => &signature::RSA_PKCS1_2048_8192_SHA384,
            (Material::Rsa { .. }, "RS512") => &signature::RSA_PKCS1_2048_8192_SHA512,
            _ => return None,
        };
        match &self.material {
            Material::Rsa { n, e } => Some(RsaPublicKeyComponents { n, e }.verify(rsa, message, signature).is_ok()),
            Material::P256(_) => None,
        }
    }
}

impl Material {
    /// Eight letters and digits, as Box's ids of keys.
    fn id(&self) -> String {
        let bytes = match self {
            Self::Rsa { n, .. } => n,
            Self::P256(point) => point,
        };
        letters(digest::digest(&digest::SHA256, bytes).as_ref(), ALPHANUMERIC_LOWER).chars().take(8).collect()
    }

    fn checked(self) -> Result<Self, BadKey> {
        let good = match &self {
            Self::Rsa { n, e } => (256..=1024).contains(&n.len()) && !e.is_empty() && e.len() <= 8,
            Self::P256(point) => point.len() == 65 && point.first() == Some(&4),
        };
        if good { Ok(self) } else { Err(BadKey::Unsupported) }
    }
}

fn of_jwk(jwk: &Value) -> Result<(Option<String>, Material), BadKey> {
    let text = |name: &str| jwk.get(name).and_then(Value::as_str);
    let bytes = |name: &str| BASE64.decode(text(name)?).ok();
    if text("d").is_some() {
        return Err(BadKey::Private);
    }
    let material = match (text("kty"), text("crv")) {
        (Some("RSA"), _) => (bytes("n").zip(bytes("e")))
            .map(|(n, e)| Material::Rsa { n: without_zeros(&n).to_vec(), e: without_zeros(&e).to_vec() })
            .ok_or(BadKey::Unreadable)?,
        (Some("EC"), Some("P-256")) => (bytes("x").zip(bytes("y")))
            .map(|(x, y)| Material::P256([&[4], x.as_slice(), &y].concat()))
            .ok_or(BadKey::Unreadable)?,
        (Some(_), _) => return Err(BadKey::Unsupported),
        (None, _) => return Err(BadKey::Unreadable),
    };
    let kid = text("kid").filter(|kid| !kid.is_empty() && kid.len() <= LONGEST_ID);
    Ok((kid.map(str::to_owned), material))
}

fn of_pem(text: &[u8]) -> Result<Material, BadKey> {
    if text.windows(11).any(|part| part == b"PRIVATE KEY") {
        return Err(BadKey::Private);
    }
    let der = SubjectPublicKeyInfoDer::from_pem_slice(text).map_err(|_| BadKey::Unreadable)?;
    of_spki(&der).ok_or(BadKey::Unsupported)
}

/// SPKI: a sequence of the algorithm (a sequence that starts with its OID) and the key (a bit string) (RFC 5280 §4.1).
fn of_spki(der: &[u8]) -> Option<Material> {
    const RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1];
    const EC: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1];
    const P256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7];
    let (spki, _) = value(0x30, der)?;
    let (algorithm, rest) = value(0x30, spki)?;
    let (oid, parameters) = value(0x06, algorithm)?;
    // The first byte of a bit string counts the bits of its last one that are not used: none here.
    let key = value(0x03, rest)?.0.strip_prefix(&[0])?;
    if oid == RSA {
        let (integers, _) = value(0x30, key)?;
        let (n, rest) = value(0x02, integers)?;
        let (e, _) = value(0x02, rest)?;
        Some(Material::Rsa { n: without_zeros(n).to_vec(), e: without_zeros(e).to_vec() })
    } else if oid == EC && value(0x06, parameters)?.0 == P256 {
        Some(Material::P256(key.to_vec()))
    } else {
        None
    }
}

/// The value of the DER element at the start of `bytes` when it has that tag, and what follows it (X.690 §8.1).
fn value(tag: u8, bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (found, rest) = bytes.split_first()?;
    let (first, rest) = rest.split_first()?;
    let (length, rest) = match *first {
        short @ 0..=0x7f => (usize::from(short), rest),
        0x81 => rest.split_first().map(|(length, rest)| (usize::from(*length), rest))?,
        0x82 => rest.split_first_chunk().map(|(length, rest)| (usize::from(u16::from_be_bytes(*length)), rest))?,
        _ => return None,
    };
    (*found == tag).then(|| rest.split_at_checked(length))?
}

fn without_zeros(bytes: &[u8]) -> &[u8] {
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    bytes.get(zeros..).unwrap_or_default()
}

/// The keys that are registered, oldest first.
#[derive(Default)]
pub(super) struct Keys(VecDeque<PublicKey>);

impl Keys {
    /// Registers a key; one of the same id gives way to it.
    pub(super) fn add(&mut self, key: PublicKey) {
        self.0.retain(|known| known.id != key.id);
        while self.0.len() >= MOST {
            self.0.pop_front();
        }
        self.0.push_back(key);
    }

    /// The keys that an assertion with that `kid` may be signed with: the one of that id, or any when it names none.
    pub(super) fn named(&self, kid: Option<&str>) -> Vec<&PublicKey> {
        self.0.iter().filter(|key| kid.is_none_or(|kid| kid == key.id)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Desk, Signer};
    use super::*;

    /// The public half of a key that was thrown away, and what it signed: `head.body`.
    const RSA: &str = "\
-----BEGIN PUBLIC KEY-----\n\
MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEA2LJqQrxq+v+44Fw7uB/h\n\
OkXTkmbvx2CDE9lw9c2+EcOC8PSK1uU7yoGqUEx/ePdEwYDr2Q1ARA4K7ki7RE92\n\
bVUnBK96Tv3repVBo8XwkgmJ8pfYmOHLwrPRaqENb2F4fMMCFGJPleXwOdupiaQV\n\
OzaG9N/2JpB8IQg2fCGnv3rnZAChDyUWumYOvKQnAJFlNxNh45oQUXuswSYsT5sC\n\
X6Qv/BHUapLpbEon0C8wvSGQgOWqpeVPOdTdVVN6B7mzF/oooNP1FpBhXh7ay5Iy\n\
Kx/H1JI1/94JYuazCo2shNmJZIo5D/pbRU4yijJ1hsSqaCKKbOPCoRpZTt43yvBY\n\
QwIDAQAB\n\
-----END PUBLIC KEY-----\n\n";
    const SIGNED: [(&str, &str); 3] = [
        (
            "RS256",
            "KThWYs1suDgyjC6_KvbOwtSEArSC9C9ePPw1nC1WFVI5SsKy9wBiIOdtT4jJtnvEXCmg6EDjJ9XR98PmUHSr6sH4_VUIKZBpcootSLtKSMRPNJ\
            5D5msRdqTCVj7-sWRMNtubFjZDIxD1NDFcPuzJ740p6Ub95P2I1JZDDT_GatYgTrcqkfZWGw0RD0FS-1RwcTTGqw-YKdm7y7H0Wy-HyJcpiElv\
            XCL7ITriNISENDpsOtBaj08tJJvEuZIYakuqRKguJxKMj4eZss9zItKtibe4DvNTF-Bg3CNjL0PJbQfb7lDZbKFEzQIaeiasW28dHDVn9dhzOn\
            Uk3JC4NQsG_g",
        ),
        (
            "RS384",
            "L0UwHWi2mSMMwzSyJH8g0kP68Ank31ePht2A7P4BaFNsZvv6KqahZwu0E2sJzzwtBm0vjeEa00zufNEJP3wZN5_h1wamoEYWdgVksyqDfOffCj\
            VZRl54ydQbgnCo8dHII_p4JQo4yLQKFvCA5wrvw25OlUbzp9TSoD9Ak4Fos0mRKMUey2yWm1FuqkBY-etmk2_S5EuemJdReodd6TEZJoLrGp-H\
            PnjfsTu12WElh4ZQ1Gz8WjOl3hBv2OAdA-ldmy8NQ-c2WSaz-LDSPXSmZzIwVxBQ3AR3G6Y7MVFzr__j0DsdA7xAkTmWrvIqGoTZkRibSSKrS0\
            Ir8ISoeNwsyQ",
        ),
        (
            "RS512",
            "d1SW_EBudb8cRp7b8uYznCXoKZkrPypqzZxEszpjCLqqm9lKuQfQFL2I_vPYQXWBUI0Z-ABrdqko6PGa5q-4PB6VgF3FAb-rqZDCxWw9BHA6_B\
            FnQWONyROtRKB_75rPf8o8QXCLDjlm7Sf0Tjpo5fTDHizFJRW77QcjyvUBqKBIgHWq_GJNma42FLTDtasEswdAO7tR_kboTwfpCRBknGY-0JH3\
            3xAyB8hm9ZpRQ09ie7atLzJFaIzwAQ4gRRcghmdSlIODM2Lwn18BcplZR8fm8Dbbg4JyRqGQhtLh8rkYYlcdJV2dJZLiyJ43B3wVT-AK9BwTOW\
            -1nQUiuYSVIA",
        ),
    ];
    const P256: &str = "-----BEGIN PUBLIC KEY-----\n\
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEj5uqY8VGqYAIyKCYPbkfFmBp5V4f\n\
2678/UT3zgz9rnDZKQoXN/dXhWOjn+/tem7lBoK+pb7K79Re2LVWM99EPQ==\n\
-----END PUBLIC KEY-----\n\n";
    const P384: &str = "-----BEGIN PUBLIC KEY-----\n\
MHYwEAYHKoZIzj0CAQYFK4EEACIDYgAEYc+PsX54o0B93bxqe/2EWAcFw4SmTsSJ\n\
NVaPp3JzrR59bTV1efiQE2Sev2lSaX38bJIbZ4tJhh6ctIL4nWQYT0Iuy+ceX3kj\n\
sN9coZ1jCeoH3cHohr8s1M2wJvdMoBp3\n\
-----END PUBLIC KEY-----\n\n";
    const RSA_1024: &str = "-----BEGIN PUBLIC KEY-----\n\
MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDkQh+1cciRvdiIhVRpSazxI6i2\n\
7JbNwRNzqkGRBb3eo7NhyDa2fB19+tCEQ23DSrjHIetxQsKz07M7KMpYcGaOO+iR\n\
4lVIgceLt+E32+f87q7YKdqqHuuHHgHNPb0lh9ZxliaCv1ur9Dn2wJjUUTC9EDaD\n\
7WepmyYBN6Efoon/1QIDAQAB\n\
-----END PUBLIC KEY-----\n\n";

    #[test]
    fn an_rsa_key_checks_what_it_signed_and_nothing_else() {
        let key = PublicKey::read(RSA.as_bytes()).unwrap();
        assert_eq!(key.id().len(), 8);
        for (algorithm, text) in SIGNED {
            let mut signature = BASE64.decode(text).unwrap();
            assert_eq!(key.verify(algorithm, b"head.body", &signature), Some(true), "{algorithm}");
            assert_eq!(key.verify(algorithm, b"head.Body", &signature), Some(false), "{algorithm}");
            signature[200] ^= 1;
            assert_eq!(key.verify(algorithm, b"head.body", &signature), Some(false), "{algorithm}");
        }
        let signature = BASE64.decode(SIGNED[0].1).unwrap();
        assert_eq!(key.verify("RS384", b"head.body", &signature), Some(false));
        for algorithm in ["ES256", "none", "HS256"] {
            assert_eq!(key.verify(algorithm, b"head.body", &signature), None, "{algorithm}");
        }
    }

    #[test]
    fn a_jwk_is_the_same_key_as_its_pem() {
        let pem = PublicKey::read(RSA.as_bytes()).unwrap();
        let Material::Rsa { n, e } = &pem.material else { panic!("{pem:?}") };
        let (n, e) = (BASE64.encode(n), BASE64.encode(e));
        let jwk = PublicKey::read(format!(r#"{{"kty": "RSA", "n": "{n}", "e": "{e}"}}"#).as_bytes()).unwrap();
        assert_eq!(jwk, pem);
        let named = PublicKey::read(format!(r#"{{"kty": "RSA", "n": "{n}", "e": "{e}", "kid": "mine"}}"#).as_bytes()).unwrap();
        assert_eq!((named.id(), &named.material), ("mine", &pem.material));
    }

    #[test]
    fn what_is_no_key_for_the_sandbox() {
        assert!(PublicKey::read(P256.as_bytes()).is_ok());
        let private = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
        let cases = [
            ("", BadKey::Unreadable),
            ("hello", BadKey::Unreadable),
            ("{}", BadKey::Unreadable),
            ("-----BEGIN PUBLIC KEY-----\n!\n-----END PUBLIC KEY-----\n", BadKey::Unreadable),
            ("-----BEGIN PUBLIC KEY-----\nMIIB\n-----END PUBLIC KEY-----\n", BadKey::Unsupported),
            (private, BadKey::Private),
            (r#"{"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA", "d": "AA"}"#, BadKey::Private),
            (r#"{"kty": "EC", "crv": "P-256", "x": "AA", "y": "AA"}"#, BadKey::Unsupported),
            (r#"{"kty": "OKP", "crv": "Ed25519", "x": "AA"}"#, BadKey::Unsupported),
            (r#"{"kty": "RSA", "n": "AA"}"#, BadKey::Unreadable),
            (P384, BadKey::Unsupported),
            (RSA_1024, BadKey::Unsupported),
        ];
        for (text, expected) in cases {
            assert_eq!(PublicKey::read(text.as_bytes()), Err(expected), "{text}");
        }
    }

    #[test]
    fn keys_are_registered_by_a_call_and_kept_within_bounds() {
        let mut desk = Desk::new();
        let signer = Signer::new();
        let reply = desk.send("POST", "/sandbox/keys", &[], &signer.jwk("first"));
        assert_eq!((reply.status, reply.body.as_str()), (201, r#"{"kid":"first"}"#));
        let bad = desk.send("POST", "/sandbox/keys", &[], "x");
        let expected = "expected a public key as PEM (`-----BEGIN PUBLIC KEY-----`) or as a JWK";
        assert_eq!((bad.status, bad.json()["message"].as_str()), (400, Some(expected)));
        for n in 0..MOST {
            desk.send("POST", "/sandbox/keys", &[], &signer.jwk(&n.to_string()));
        }
        assert!(desk.core.keys.named(Some("first")).is_empty());
        desk.send("POST", "/sandbox/keys", &[], &signer.jwk("0"));
        assert_eq!((desk.core.keys.named(Some("0")).len(), desk.core.keys.named(None).len()), (1, MOST));
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_read_without_harm(bytes: Vec<u8>) {
            let _ = (PublicKey::read(&bytes), of_spki(&bytes));
        }
    }
}
