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
