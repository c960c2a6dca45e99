//! What a token says beyond what its kind does: for whom it acts, how long it lives, and what a down-scoped one may still do.
//!
//! The terms travel in the signed token itself, so they outlive the process like everything else that a token says.

use serde::{Deserialize, Serialize};

/// The terms of a token. The usual ones, the default, take no room in it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Terms {
    /// Seconds that it lives, where those are not the usual ones of its kind.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) lifetime: Option<i64>,
    /// The id of the user that it acts for; none for the user that approves in the browser.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) user: Option<String>,
    /// All that it may do; none for everything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) scopes: Option<Vec<String>>,
    /// The id of the file or folder that it is good for, with all that lies in it; none for everything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) item: Option<String>,
}

impl Terms {
    /// Whether the token may do less than its user may.
    pub(super) fn is_restricted(&self) -> bool {
        self.scopes.is_some() || self.item.is_some()
    }

    /// Whether one of the scopes gives `right`.
    pub(super) fn allow(&self, right: Right) -> bool {
        let gives = |scope: &String| SCOPES.iter().any(|(name, rights)| name == scope && rights.contains(&right));
        self.scopes.as_ref().is_none_or(|scopes| scopes.iter().any(gives))
    }

    /// Whether the scopes hold `scope`.
    pub(super) fn hold(&self, scope: &str) -> bool {
        self.scopes.as_ref().is_none_or(|scopes| scopes.iter().any(|held| held == scope || held == ALL))
    }
}

/// What a call to the API needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Right {
    /// To see folders, and what is known of a file.
    See,
    /// To read the content of a file.
    Download,
    /// To make folders.
    Upload,
    Delete,
}

/// The scope that holds every other.
const ALL: &str = "root_readwrite";

/// Box's scopes for items, and what each gives here.
pub(super) const SCOPES: &[(&str, &[Right])] = &[
    (ALL, &[Right::See, Right::Download, Right::Upload, Right::Delete]),
    ("root_readonly", &[Right::See, Right::Download]),
    ("base_explorer", &[Right::See]),
    ("base_picker", &[Right::See]),
    ("base_preview", &[Right::See]),
    ("base_upload", &[Right::See, Right::Upload]),
    ("item_preview", &[Right::See]),
    ("item_download", &[Right::See, Right::Download]),
    ("item_upload", &[Right::Upload]),
    ("item_delete", &[Right::Delete]),
];

/// Whether the sandbox has a scope of that name.
pub(super) fn is_known(scope: &str) -> bool {
    SCOPES.iter().any(|(name, _)| *name == scope)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_each_scope_gives() {
        let rights = [Right::See, Right::Download, Right::Upload, Right::Delete];
        for (scope, expected) in [
            ("root_readwrite", [true, true, true, true]),
            ("root_readonly", [true, true, false, false]),
            ("base_explorer", [true, false, false, false]),
            ("item_preview", [true, false, false, false]),
            ("item_download", [true, true, false, false]),
            ("item_upload", [false, false, true, false]),
            ("item_delete", [false, false, false, true]),
            ("unknown", [false; 4]),
        ] {
            let terms = Terms { scopes: Some(vec![scope.to_owned()]), ..Terms::default() };
            assert_eq!(rights.map(|right| terms.allow(right)), expected, "{scope}");
        }
        assert!(rights.iter().all(|right| Terms::default().allow(*right)));
    }
}
