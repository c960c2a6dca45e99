//! runner runs collections of API requests that are kept as YAML files.

pub mod auth;
pub mod check;
pub mod cli;
pub mod clock;
pub mod collection;
pub mod diagnostic;
pub mod environment;
pub mod event;
pub mod files;
pub mod http;
pub mod mask;
pub mod oauth;
pub mod plan;
pub mod query;
pub mod report;
pub mod run;
pub mod sandbox;
pub mod secret;
pub mod store;
pub mod template;
pub mod trust;
pub mod world;
pub mod yaml;
