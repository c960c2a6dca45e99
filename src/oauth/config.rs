//! The configuration files that providers hand out for an application: Box's `config.json`, Google's service account.

use serde::Deserialize;

use crate::diagnostic::Place;
use crate::secret::Secret;
use crate::template::Error;

/// What such a file says.
#[derive(Debug, Clone)]
pub(super) struct Config {
    /// Who signs assertions.
    pub(super) issuer: String,
    /// The client's id, when it has one.
    pub(super) client_id: Option<String>,
    /// The client's secret, when it has one.
    pub(super) client_secret: Option<Secret>,
    /// The private key, PEM.
    pub(super) key: Secret,
    /// What the key is encrypted with.
    pub(super) passphrase: Option<Secret>,
    /// `kid`.
    pub(super) key_id: Option<String>,
    /// Box's subject: its type and id.
    pub(super) subject: Option<(String, String)>,
    /// Where tokens come from.
    pub(super) token_endpoint: Option<String>,
    /// Whether the scopes stand in the assertion, and not beside it.
    pub(super) scope_in_claims: bool,
}

/// <https://developer.box.com/guides/authentication/jwt/without-sdk/>
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct BoxFile {
    box_app_settings: BoxSettings,
    #[serde(rename = "enterpriseID")]
    enterprise_id: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct BoxSettings {
    #[serde(rename = "clientID")]
    client_id: String,
    client_secret: Option<String>,
    app_auth: BoxAuth,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct BoxAuth {
    #[serde(rename = "publicKeyID")]
    public_key_id: Option<String>,
    private_key: String,
    passphrase: Option<String>,
}

/// <https://developers.google.com/identity/protocols/oauth2/service-account>
#[derive(Deserialize)]
struct GoogleFile {
    client_email: String,
    private_key: String,
    private_key_id: Option<String>,
    token_uri: Option<String>,
}

impl Config {
    /// Reads the text of a file that is named at `place`. A message never shows a word of it.
    ///
    /// # Errors
    /// It is neither of the two.
    pub(super) fn read(text: &Secret, place: &Place) -> Result<Self, Error> {
        if let Ok(file) = serde_json::from_str::<BoxFile>(text.expose()) {
            return Ok(Self::of_box(file));
        }
        if let Ok(file) = serde_json::from_str::<GoogleFile>(text.expose()) {
            return Ok(Self::of_google(file));
        }
        let what = match serde_json::from_str::<serde_json::Value>(text.expose()) {
            Ok(_) => "the configuration file is neither Box's `config.json` nor a Google service account",
            Err(_) => "the configuration file is no JSON",
        };
        let finding = place.error(what);
        Err(finding.help("it must hold `boxAppSettings` with `appAuth`, or `client_email` with `private_key`").into())
    }

    fn of_box(file: BoxFile) -> Self {
        let settings = file.box_app_settings;
        let filled = |text: Option<String>| text.filter(|text| !text.is_empty());
        Self {
            issuer: settings.client_id.clone(),
            client_id: Some(settings.client_id),
            client_secret: filled(settings.client_secret).map(Secret::new),
            key: Secret::new(settings.app_auth.private_key),
            passphrase: filled(settings.app_auth.passphrase).map(Secret::new),
            key_id: filled(settings.app_auth.public_key_id),
            subject: filled(file.enterprise_id).map(|id| ("enterprise".to_owned(), id)),
            token_endpoint: None,
            scope_in_claims: false,
        }
    }

    fn of_google(file: GoogleFile) -> Self {
        Self {
            issuer: file.client_email,
            client_id: None,
            client_secret: None,
            key: Secret::new(file.private_key),
            passphrase: None,
            key_id: file.private_key_id,
            subject: None,
            token_endpoint: file.token_uri,
            scope_in_claims: true,
        }
    }
}
