//! runner runs collections of API requests that are kept as YAML files.
//!
//! The trip of one request. Each arrow is a type, so that a step can't be left out or taken twice; beside it stands what may
//! come instead.
//!
//! ```text
//!  arguments, environment, terminal, signals
//!      │ World                                            wrong usage → exit 2
//!      ▼
//!  cli::run ──── paths ───▶ collection::load              Diagnostics: every one with file, line, column and mend
//!      │                    environment::load
//!      │                        │ Collection, Environment: data with places, nothing evaluated
//!      ▼                        ▼
//!  plan::build ◀────────────────┘                         Diagnostics of the whole plan at once
//!      │ Plan: the steps in order, all templates compiled
//!      │                                                  ══ before this line no byte is sent ══
//!      ▼
//!  run: iteration → step → attempt
//!      │ collection::Request<Template> + template::Scope  (only the names that its templates read)
//!      │
//!      ├──▶ oauth::lifecycle::token ──▶ store             lock, read again, refresh or grant;
//!      │        │ Token: saved and synced, then returned  oauth::Error → exit 4, a failed save → exit 5
//!      ▼        ▼
//!  run::render                                            a Diagnostic at the template that failed → exit 1
//!      │ http::Request: bytes, and which parts are secret
//!      ▼
//!  http::Client::send ──▶ trust, at every hop             a refusal → exit 6, http::Error → exit 3
//!      │ http::Exchange: request as sent, response, timings
//!      ▼
//!  check: captures, then assertions                       a failed one is a result, not an error
//!      │ captures → Scope, stores → store, verdicts ▼
//!      │ event::Outcome: passed, failed, errored, skipped → exit 0 or 1
//!      ▼
//!  event::Event ──▶ report, through mask::MaskedWriter    a report that can't be written → exit 5
//!      │ event::Summary
//!      ▼
//!  exit code
//! ```
//!
//! A module may import only what stands above it in the list below; `tests/suite/architecture.rs` holds it to that. So
//! vocabulary lies at the top, where every part can speak it, and no part knows who uses it.

pub mod secret;
pub mod mask;
pub mod clock;
pub mod diagnostic;
pub mod world;
pub mod files;
pub mod yaml;
pub mod query;
pub mod template;
pub mod auth;
pub mod collection;
pub mod environment;
pub mod trust;
pub mod http;
pub mod check;
pub mod oauth;
pub mod store;
pub mod plan;
pub mod event;
pub mod run;
pub mod report;
pub mod sandbox;
pub mod cli;
