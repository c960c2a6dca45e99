//! Where everything is (RFC 8414 §2, OpenID Connect Discovery §3): one document under both addresses.

use hyper::StatusCode;
use serde_json::json;

use super::answer::Answer;
use super::call::Call;
use super::grants::Grant;
use super::terms::SCOPES;

/// The document. The issuer is the sandbox as the client calls it, because it compares the two (RFC 8414 §3.3).
pub(super) fn answer(call: &Call) -> Answer {
    let issuer = call.origin();
    let scopes: Vec<&str> = SCOPES.iter().map(|(name, _)| *name).collect();
    let document = json!({
        "issuer": issuer,
        "authorization_endpoint": format!("{issuer}/api/oauth2/authorize"),
        "token_endpoint": format!("{issuer}/oauth2/token"),
        "revocation_endpoint": format!("{issuer}/oauth2/revoke"),
        "introspection_endpoint": format!("{issuer}/oauth2/introspect"),
        "grant_types_supported": Grant::ALL.map(Grant::grant_type),
        "response_types_supported": ["code"],
        "scopes_supported": scopes,
        "token_endpoint_auth_methods_supported": ["client_secret_post"],
        "revocation_endpoint_auth_methods_supported": ["client_secret_post"],
        "introspection_endpoint_auth_methods_supported": ["client_secret_post"],
        "code_challenge_methods_supported": ["S256", "plain"],
    });
    Answer::json(StatusCode::OK, &document)
}
