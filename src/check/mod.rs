//! Looks at an answer: takes values out of it and says whether it is as expected.
//!
//! ```text
//! Answer ──take(Capture)──> Value            nothing there: Failure
//!    ├────status(Assertions)──> Failure?
//!    └────verdicts(Assertion…)──> Failure…   Failure ──describe(mask)──> Diagnostic
//! ```
//! A failure is a result, not an error: it keeps what was expected and what came as whole texts, since they are masked before
//! they are shortened. May import `http` and what stands left of it; sends nothing, saves nothing, renders nothing itself.

mod answer;
mod assertion;
mod capture;
mod compare;
mod failure;
mod matcher;
#[cfg(test)]
mod tests;
mod value;

pub use answer::{Answer, JsonProblem, Selected};
pub use assertion::{Renderers, status, verdicts};
pub use capture::take;
pub use failure::{Failure, Mismatch, Missing, without_repeats};

use serde_json::Value;

use crate::template;

/// Gives the value of an operand. What is rendered knows the captures of the request.
pub type RenderTree<'r> = dyn FnMut(&template::Tree<template::Template>) -> Result<Value, template::Error> + 'r;
/// Decides a condition.
pub type RenderCondition<'r> = dyn FnMut(&template::Template) -> Result<bool, template::Error> + 'r;
