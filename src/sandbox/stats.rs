//! Counters, so that a test can see from outside what a client did.

use std::collections::BTreeMap;

use serde::Serialize;

/// What was asked of the sandbox since it started.
#[derive(Debug, Default, Serialize)]
pub(super) struct Stats {
    /// Requests to the token endpoint, by grant.
    grants: BTreeMap<&'static str, Grant>,
    /// Refresh tokens that were shown again after they had been spent, within the grace period or not.
    pub(super) refresh_tokens_reused: u64,
    /// Requests to the token endpoint that met a fault.
    pub(super) faults: u64,
    pub(super) revocations: u64,
    pub(super) introspections: u64,
    pub(super) api_calls: Calls,
}

#[derive(Debug, Default, Serialize)]
struct Grant {
    requests: u64,
    /// Tokens were made, whether or not the answer reached the client.
    granted: u64,
    refused: u64,
}

/// Calls to the API.
#[derive(Debug, Default, Serialize)]
pub(super) struct Calls {
    pub(super) requests: u64,
    /// Without a token that is good.
    pub(super) unauthorized: u64,
}

impl Stats {
    /// Counts a request to the token endpoint.
    pub(super) fn count(&mut self, grant: &'static str, was_granted: bool) {
        let count = self.grants.entry(grant).or_default();
        count.requests += 1;
        *(if was_granted { &mut count.granted } else { &mut count.refused }) += 1;
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::testing::Desk;

    #[test]
    fn everything_is_counted() {
        let mut desk = Desk::new();
        let (access, refresh) = desk.log_in();
        desk.refresh(&refresh);
        desk.refresh(&refresh);
        desk.refresh("nonsense");
        desk.get("/2.0/users/me", &access);
        desk.as_client("/oauth2/introspect", &[("token", "x")]);
        desk.as_client("/oauth2/revoke", &[("token", "x")]);
        desk.send("POST", "/sandbox/faults", &[], r#"{"status": 500}"#);
        desk.form("/oauth2/token", &[("grant_type", "password")]);
        assert_eq!(
            desk.send("GET", "/sandbox/stats", &[], "").json(),
            json!({
                "grants": {
                    "authorization_code": {"requests": 1, "granted": 1, "refused": 0},
                    "other": {"requests": 1, "granted": 0, "refused": 1},
                    "refresh_token": {"requests": 3, "granted": 1, "refused": 2},
                },
                "refresh_tokens_reused": 1, "faults": 1, "revocations": 1, "introspections": 1,
                "api_calls": {"requests": 1, "unauthorized": 1},
            })
        );
    }
}
