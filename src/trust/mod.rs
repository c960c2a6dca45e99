//! Origins: where a secret may go.
//!
//! A secret goes only to an origin that the person named: one of the environment's own URLs, or an entry of `hosts:` or
//! `--allow-host`. An origin is compared as a parsed value (scheme, host, effective port), never as text, because
//! `api.box.com.evil.test`, `https://api.box.com@evil.test` and `http://api.box.com` all look right and are not. A run may be held
//! to a few hosts altogether.
//!
//! It may import only `diagnostic` and what stands left of it. It opens no connection and reads no file.

mod allowed;
mod only;
mod origin;
mod refusal;
mod rule;
mod suffix;

pub use allowed::{Allowed, Entry};
pub use only::{HeldBy, OnlyHosts};
pub use origin::{Origin, Scheme};
pub use refusal::Refusal;
pub use rule::{HostRule, HostRuleError};
