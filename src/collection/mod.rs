//! A collection: a file of requests. The model, its decoding and its loading.
//!
//! ```text
//! file ──yaml::read──> Document ──decode──> Collection (templates added to a Builder, findings collected)
//! ```
//! Knows no environment and sends nothing. May import `auth` and what stands left of it.

mod decode;
mod load;
mod model;

pub use load::{Loaded, discover, load, load_text};
pub use model::*;
