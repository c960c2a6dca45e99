//! The environment: what the team shares, what this person keeps beside it, and what the command line adds.
//!
//! ```text
//! NAME.yaml (+ extends) + NAME.local.yaml + --var/--secret ──load──> Environment ──Values──> a value, when it is first used
//! ```
//! An environment sees only itself: its templates read its own layers and `sandbox.*`, never a collection, an answer or a stored
//! value, so nothing that a collection does can move an endpoint. May import `auth` and `collection` and what stands left of them.

mod decode;
mod find;
mod load;
mod list;
mod model;
mod origin;
mod userinfo;
mod values;

pub use find::{available, find};
pub use list::{Listed, list};
pub use load::{Given, Loaded, learn_member, learn_named, load, without_file};
pub use model::*;
pub use origin::Reason;
pub use userinfo::passwords_of;
pub use values::{Evaluated, OwnScope, SANDBOX, Sandbox, Unset, Values, file_finding, is_plain_url, read_file};
