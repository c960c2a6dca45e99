//! The tests of the whole: one binary, one file for each feature, and the tools that they share in `support`.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test fails by panicking, and its tools are the outside world of the program"
)]

mod architecture;
mod assertion;
mod auth_command;
mod bad_input;
mod capture;
mod cli;
mod dns;
mod env_command;
mod environment;
mod examples;
mod explain;
mod fault;
mod files;
mod flow;
mod git;
mod interrupt;
mod limits;
mod login;
mod masking;
mod only_host;
mod proxy;
mod readme;
mod redirect;
mod request;
mod sandbox;
mod secrets;
mod store;
mod support;
mod taint;
mod template;
mod tls;
mod token_life;
mod tools;
mod trust;
mod writers;
