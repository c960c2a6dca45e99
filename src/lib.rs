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
//!  run: one step after the other
//!      │ collection::Request + plan::Scope                (only the names that its templates read)
//!      ▼
//!  run::render                                            a Diagnostic at the template that failed → exit 1
//!      │ http::Request: bytes, and which secrets they carry
//!      ▼
//!  run::gate ──▶ trust: may they go there?                a refusal → exit 6
//!      ▼
//!  http::Client::send                                     http::Error → exit 3
//!      │ http::Exchange: request as sent, response, timings
//!      ▼
//!  check: captures, then assertions                       a failed one is a result, not an error
//!      │ captures → Scope, stores → store (saved and synced before anything else happens), verdicts ▼
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
