//! What happens in a run, as typed events. The engine emits them; reporters only listen.
//!
//! Neither the engine nor a reporter owns them. May import `collection`, `http` and what stands left of `run`.

use std::io;
use std::time::Duration;

use crate::collection::Request;
use crate::diagnostic::Diagnostic;
use crate::http::{Body, Exchange};

/// Listens to a run.
pub trait Reporter {
    /// Takes one event. It is called between two requests and must not wait.
    ///
    /// # Errors
    /// What the reporter's sink reports.
    fn event(&mut self, event: &Event<'_>) -> io::Result<()>;
}

/// Something that happened.
#[derive(Debug)]
pub enum Event<'e> {
    /// The run starts: everything was checked, nothing was sent.
    RunStarted {
        /// The environment's name; `None` without one.
        environment: Option<&'e str>,
        /// The embedded server's address, when one was started.
        sandbox: Option<&'e str>,
        /// How many collections run, needs included.
        collections: usize,
    },
    /// The requests of a collection follow.
    CollectionStarted {
        /// Its name.
        name: &'e str,
        /// Whether another collection needs it (it was not named on the command line).
        needed: bool,
    },
    /// Something worth knowing that is no failure: a file was made, a value was not used.
    Notice(&'e Diagnostic),
    /// A request ended, one way or another.
    StepFinished(&'e Step<'e>),
    /// All is done and saved.
    RunFinished(&'e Summary),
}

/// One request of one iteration.
#[derive(Debug)]
pub struct Step<'s> {
    /// The request as written.
    pub request: &'s Request,
    /// How it ended.
    pub outcome: Outcome,
    /// What was sent and what came; `None` when nothing was sent or nothing came.
    pub exchange: Option<&'s Exchange>,
    /// The body that was sent; `None` without one, or when nothing was sent.
    pub sent: Option<&'s Body>,
    /// The request as it would be sent, of a dry run.
    pub preview: Option<&'s Preview>,
    /// The names that it captured.
    pub captured: Vec<&'s str>,
    /// The names that it stored.
    pub stored: Vec<&'s str>,
    /// The file that holds what was stored, as printed; `None` when it was kept for this run only.
    pub stored_in: Option<&'s str>,
    /// From rendering to the last check.
    pub duration: Duration,
}

impl<'s> Step<'s> {
    /// A request of which there is no answer to tell.
    #[must_use]
    pub fn without_answer(request: &'s Request, outcome: Outcome, duration: Duration) -> Self {
        Self {
            request,
            outcome,
            exchange: None,
            sent: None,
            preview: None,
            captured: Vec::new(),
            stored: Vec::new(),
            stored_in: None,
            duration,
        }
    }
}

/// What a dry run would send.
pub struct Preview {
    /// The method.
    pub method: String,
    /// The whole URL.
    pub url: String,
    /// The headers, in order.
    pub headers: Vec<(String, String)>,
    /// The body as text; a file as its path.
    pub body: Option<String>,
}

impl std::fmt::Debug for Preview {
    // The value may be a secret.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Preview").field("method", &self.method).finish_non_exhaustive()
    }
}

/// How a request ended.
#[derive(Debug)]
pub enum Outcome {
    /// Everything held.
    Passed,
    /// An answer came and something did not hold.
    Failed(Vec<Problem>),
    /// No answer that could be judged, or nothing could be sent.
    Errored(Box<Problem>),
    /// It was not sent.
    Skipped(Skipped),
}

/// Why a request was not sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Skipped {
    /// Its `when` does not hold.
    Condition,
    /// A value is missing that an earlier request should have given.
    MissingValue {
        /// The value's name.
        name: String,
        /// The request that should have captured or stored it.
        producer: String,
    },
    /// A collection that this one needs failed.
    FailedNeed {
        /// That collection.
        name: String,
    },
    /// A value could not be saved before; only `always` requests run.
    UnsavedValue,
    /// The login that it names got no token for an earlier request.
    NoToken {
        /// The login.
        login: String,
    },
    /// The time of the whole run was up before.
    RunTimeout,
    /// A dry run sends nothing, so this request's values are not known.
    DryRun {
        /// The first value that is not known.
        name: String,
    },
}

/// One thing that went wrong, with its weight.
#[derive(Debug)]
pub struct Problem {
    /// What kind of problem; it decides the exit code.
    pub kind: ProblemKind,
    /// What to tell.
    pub diagnostic: Diagnostic,
}

/// Kinds of problems.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProblemKind {
    /// The status was not the expected one.
    Status,
    /// An assertion does not hold.
    Assertion,
    /// A capture found nothing.
    Capture,
    /// The request could not be built from the values at hand.
    Build,
    /// No answer: DNS, connection, TLS, time, protocol.
    Transport,
    /// No token to be had.
    Authorisation,
    /// A value could not be saved.
    Save,
    /// Refused by policy.
    Policy,
}

/// The run in numbers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Summary {
    /// Requests that passed.
    pub passed: usize,
    /// Requests that failed.
    pub failed: usize,
    /// Requests without an answer that could be judged.
    pub errored: usize,
    /// Requests that were not sent.
    pub skipped: usize,
    /// Of the skipped: those that were skipped for a missing value or a failed need.
    pub skipped_for_want: usize,
    /// Whether a value could not be saved.
    pub unsaved: bool,
    /// Whether something was refused by policy.
    pub refused: bool,
    /// Whether no token was to be had.
    pub unauthorised: bool,
    /// Whether a request got no answer, or the time of the run was up.
    pub transport: bool,
    /// From the first request to the end.
    pub duration: Duration,
    /// Whether this was a dry run.
    pub dry_run: bool,
    /// Whether a signal ended the run: the rest of its requests was not sent.
    pub interrupted: bool,
}

impl Summary {
    /// Counts one step.
    pub fn count(&mut self, outcome: &Outcome) {
        match outcome {
            Outcome::Passed => self.passed += 1,
            Outcome::Failed(problems) => {
                self.failed += 1;
                problems.iter().for_each(|problem| self.weigh(problem.kind));
            }
            Outcome::Errored(problem) => {
                self.errored += 1;
                self.weigh(problem.kind);
            }
            Outcome::Skipped(reason) => {
                self.skipped += 1;
                // Something was not done for want of time, be it this request alone.
                self.transport |= matches!(reason, Skipped::RunTimeout);
                if matches!(reason, Skipped::MissingValue { .. } | Skipped::FailedNeed { .. } | Skipped::NoToken { .. }) {
                    self.skipped_for_want += 1;
                }
            }
        }
    }

    fn weigh(&mut self, kind: ProblemKind) {
        match kind {
            ProblemKind::Status | ProblemKind::Assertion | ProblemKind::Capture | ProblemKind::Build => {}
            ProblemKind::Transport => self.transport = true,
            ProblemKind::Authorisation => self.unauthorised = true,
            ProblemKind::Save => self.unsaved = true,
            ProblemKind::Policy => self.refused = true,
        }
    }
}
