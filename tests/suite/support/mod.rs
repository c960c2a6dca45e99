//! What the tests share: the program in a folder of its own, a server to talk to, and a search for secrets that got out.

pub(crate) mod bomb;
pub(crate) mod browser;
pub(crate) mod cases;
pub(crate) mod git;
pub(crate) mod hostile;
pub(crate) mod leak;
pub(crate) mod peer;
pub(crate) mod proxy;
pub(crate) mod runner;
pub(crate) mod rust_tokens;
mod scrub;
pub(crate) mod server;
pub(crate) mod spell;
pub(crate) mod tls;
pub(crate) mod trace;
