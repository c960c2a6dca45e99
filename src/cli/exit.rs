//! Exit codes. They are part of the interface: the README documents them.

use std::process::ExitCode;

use crate::diagnostic::{Cause, Diagnostic};
use crate::event::Summary;
use crate::world::Interrupt;

/// How the program ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// 0: everything passed.
    Passed,
    /// 1: an assertion or capture failed, or a request could not be built.
    Failed,
    /// 2: wrong usage or input; nothing was sent.
    Usage,
    /// 3: no answer.
    Transport,
    /// 4: no token to be had.
    Authorisation,
    /// 5: a value or report could not be saved.
    Unsaved,
    /// 6: refused by policy.
    Refused,
    /// 129, 130, 143: interrupted.
    Interrupted(Interrupt),
}

impl Exit {
    /// The number.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Passed => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Transport => 3,
            Self::Authorisation => 4,
            Self::Unsaved => 5,
            Self::Refused => 6,
            Self::Interrupted(interrupt) => interrupt.exit_code(),
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// The exit of static findings: refused when all of them are refusals.
pub(super) fn of_findings(findings: &[Diagnostic]) -> Exit {
    if !findings.is_empty() && findings.iter().all(|finding| finding.cause == Cause::Policy) { Exit::Refused } else { Exit::Usage }
}

/// The exit of a finished run. Of several that apply the worst counts: 5, 6, 4, 3, 1.
pub(super) fn of_summary(summary: &Summary) -> Exit {
    if summary.unsaved {
        Exit::Unsaved
    } else if summary.refused {
        Exit::Refused
    } else if summary.unauthorised {
        Exit::Authorisation
    } else if summary.transport {
        Exit::Transport
    } else if summary.failed + summary.errored + summary.skipped_for_want > 0 {
        Exit::Failed
    } else {
        Exit::Passed
    }
}
