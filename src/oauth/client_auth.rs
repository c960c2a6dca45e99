//! How a client shows who it is: in one place only, never in two (RFC 6749 §2.3).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::utf8_percent_encode;

use crate::auth::ClientAuth;
use crate::secret::Secret;
use crate::template::RESERVED_IN_URL;

use super::parameters::Parameters;

/// A client that can show itself.
#[derive(Debug, Clone)]
pub(super) struct Credentials {
    pub(super) id: Option<String>,
    pub(super) secret: Option<Secret>,
    pub(super) auth: ClientAuth,
    /// A signed assertion, for those ways that have one.
    pub(super) assertion: Option<Secret>,
}

/// RFC 7523 §2.2.
const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

impl Credentials {
    /// Puts what the server needs into `parameters`; the value of an `Authorization` header when it goes there.
    pub(super) fn apply(&self, parameters: &mut Parameters) -> Option<Secret> {
        let id = self.id.as_deref().unwrap_or_default();
        let secret = self.secret.as_ref().map(Secret::expose).unwrap_or_default();
        match self.auth {
            ClientAuth::Basic => {
                // Percent-encoded with `%20` for a blank: the one form that strict and lax servers both take (RFC 6749 §2.3.1).
                let encoded = |text: &str| utf8_percent_encode(text, RESERVED_IN_URL).to_string();
                Some(basic(&encoded(id), &encoded(secret)))
            }
            ClientAuth::BasicRaw => Some(basic(id, secret)),
            ClientAuth::Post => {
                parameters.set("client_id", id);
                parameters.set("client_secret", secret);
                None
            }
            ClientAuth::None | ClientAuth::Tls => {
                parameters.set("client_id", id);
                None
            }
            ClientAuth::PrivateKeyJwt | ClientAuth::ClientSecretJwt => {
                parameters.set("client_id", id);
                parameters.set("client_assertion_type", ASSERTION_TYPE);
                parameters.set("client_assertion", self.assertion.as_ref().map(Secret::expose).unwrap_or_default());
                None
            }
        }
    }
}

fn basic(id: &str, secret: &str) -> Secret {
    Secret::new(format!("Basic {}", STANDARD.encode(format!("{id}:{secret}"))))
}

#[cfg(test)]
mod tests {
    use crate::auth::BodyFormat;

    use super::*;

    fn shown(auth: ClientAuth, id: &str, secret: Option<&str>) -> (Option<String>, String) {
        let mut parameters = Parameters::default();
        let client = Credentials { id: Some(id.to_owned()), secret: secret.map(Secret::new), auth, assertion: None };
        let header = client.apply(&mut parameters).map(|header| header.expose().to_owned());
        (header, String::from_utf8(parameters.body(BodyFormat::Form).0).unwrap())
    }

    #[test]
    fn credentials_go_to_one_place() {
        let secret = Some("p@ss word:+%/&=~");
        let decoded = |header: &str| String::from_utf8(STANDARD.decode(header.strip_prefix("Basic ").unwrap()).unwrap()).unwrap();
        let (header, body) = shown(ClientAuth::Basic, "urn:odd client:id", secret);
        assert_eq!(decoded(&header.unwrap()), "urn%3Aodd%20client%3Aid:p%40ss%20word%3A%2B%25%2F%26%3D~");
        assert_eq!(body, "");
        let (header, body) = shown(ClientAuth::BasicRaw, "id", secret);
        assert_eq!((decoded(&header.unwrap()).as_str(), body.as_str()), ("id:p@ss word:+%/&=~", ""));
        let (header, body) = shown(ClientAuth::Post, "id", secret);
        assert_eq!((header, body.as_str()), (None, "client_id=id&client_secret=p%40ss+word%3A%2B%25%2F%26%3D%7E"));
        let (header, body) = shown(ClientAuth::None, "id", None);
        assert_eq!((header, body.as_str()), (None, "client_id=id"));
    }
}
