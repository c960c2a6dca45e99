//! The people of the sandbox's enterprise, and who of them may act as another.

use serde_json::{Value, json};

/// The id of the only enterprise.
pub const ENTERPRISE: &str = "900000001";

/// A user.
pub(super) struct User {
    pub(super) id: &'static str,
    name: &'static str,
    login: &'static str,
    /// Whether an app that acts for this user may send `as-user`.
    pub(super) is_admin: bool,
}

/// The user that approves in the browser and owns every item.
pub(super) const OWNER: &User = &User { id: "20000000001", name: "Sandbox User", login: "sandbox@example.com", is_admin: true };

/// A user that is no admin.
const MANAGED: &User = &User { id: "20000000002", name: "Managed User", login: "managed@example.com", is_admin: false };

/// The service account: whom a token acts for that was got for the enterprise.
pub(super) const SERVICE: &User =
    &User { id: "20000000009", name: "Service Account", login: "AutomationUser_sandbox@example.com", is_admin: true };

/// The user of that id.
pub(super) fn find(id: &str) -> Option<&'static User> {
    [OWNER, MANAGED, SERVICE].into_iter().find(|user| user.id == id)
}

/// Whom a token acts for that is asked for in the name of a subject: `enterprise` and its id, or `user` and theirs.
pub(super) fn of_subject(kind: &str, id: &str) -> Option<&'static User> {
    match kind {
        "enterprise" => (id == ENTERPRISE).then_some(SERVICE),
        "user" => find(id),
        _ => None,
    }
}

impl User {
    /// As it stands beside an item.
    pub(super) fn mini(&self) -> Value {
        json!({"type": "user", "id": self.id, "name": self.name, "login": self.login})
    }

    /// As `/users/me` shows it.
    pub(super) fn full(&self) -> Value {
        json!({
            "type": "user", "id": self.id, "name": self.name, "login": self.login,
            "created_at": "2025-01-15T09:00:00-08:00", "modified_at": "2025-01-15T09:00:00-08:00",
            "language": "en", "timezone": "America/Los_Angeles",
            "space_amount": 10_737_418_240_u64, "space_used": 1_024, "max_upload_size": 262_144_000,
            "status": "active", "job_title": "", "phone": "", "address": "", "avatar_url": "", "notification_email": null,
        })
    }
}
