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

#[cfg(test)]
mod tests {
    use super::super::testing::Desk;

    #[test]
    fn both_addresses_name_the_host_that_was_asked() {
        let mut desk = Desk::new();
        for path in ["/.well-known/openid-configuration", "/.well-known/oauth-authorization-server"] {
            for host in ["127.0.0.1:8765", "localhost:1"] {
                let json = desk.send("GET", path, &[("host", host)], "").json();
                assert_eq!(json["issuer"], format!("http://{host}"));
                for (name, place) in [
                    ("authorization_endpoint", "api/oauth2/authorize"),
                    ("token_endpoint", "oauth2/token"),
                    ("revocation_endpoint", "oauth2/revoke"),
                    ("introspection_endpoint", "oauth2/introspect"),
                ] {
                    assert_eq!(json[name], format!("http://{host}/{place}"));
                    assert_ne!(desk.send("POST", &format!("/{place}"), &[], "").status, 404, "{place}");
                }
                assert_eq!(json["grant_types_supported"].as_array().unwrap().len(), 5);
                assert_eq!(json["token_endpoint_auth_methods_supported"][0], "client_secret_post");
            }
        }
        assert_eq!(desk.send("POST", "/.well-known/openid-configuration", &[], "").status, 405);
    }
}
