//! Managed logins: a token is got once, kept fresh across requests, runs and processes, and never knowingly spent twice.
//!
//! ```text
//!            ┌ fresh ──────────────────────────────────────────────▶ Token
//! Login ──▶ lifecycle ── stale ─ lock ─ re-read ─ note ─ refresh ──▶ saved, synced ──▶ Token
//!            └ none, or the refresh is refused ─ grant ────────────▶ saved, synced ──▶ Token
//!
//! grant | refresh: Parameters ─ client_auth ─▶ endpoint ─ http ─▶ answer ──▶ Token, or Error with what it means
//! ```
//!
//! May import `check` and what stands left of it. It writes no file and asks no person: it declares what it needs of either
//! ([`TokenStore`]), and `store` implements it. Nothing here prints.

mod answer;
mod assertion;
mod client_auth;
mod config;
mod discovery;
mod endpoint;
mod environment;
mod error;
mod grant;
mod identity;
mod jwt;
mod key;
mod lifecycle;
mod parameters;
mod renewal;
mod standing;
mod token;

pub use discovery::Metadata;
pub use endpoint::Endpoint;
pub use environment::EnvironmentFields;
pub use error::{Error, Refused, hint};
pub use grant::Fields;
pub use identity::Identity;
pub use lifecycle::{Asking, Habits, Lifecycle, Obtained, TokenStore};
pub use standing::Standing;
pub use token::Token;
