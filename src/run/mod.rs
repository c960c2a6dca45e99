//! Runs a plan: one request after the other, each rendered, sent, and judged; values are saved before the next one starts.
//!
//! ```text
//! collection::Request ──render──> http::Request + Carried ──gate──> sent ──> Exchange ──harvest──> captures, stores (saved)
//!                                                                                └──check──> Outcome ──> Event
//! ```
//! It prints nothing: it emits events. May import `event` and what stands left of it; never a reporter.

mod gate;
mod harvest;
mod login;
mod render;
mod response;
mod save;
mod step;
mod taint;

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use crate::collection::Request;
use crate::diagnostic::Diagnostic;
use crate::environment::Values;
use crate::event::{Event, Outcome, Reporter, Skipped, Step, Summary};
use crate::http::Client;
use crate::mask::Masker;
use crate::oauth::Lifecycle;
use crate::plan::{Decision, Found, Plan, Scope, Taint};
use crate::store::Store;

pub use gate::{Carried, Gate};
pub use render::carried;

/// What the command line decides about a run.
#[derive(Debug, Clone, Copy, Default)]
pub struct Policy {
    /// Stored values live for this run only.
    pub no_save: bool,
    /// Nothing is sent.
    pub dry_run: bool,
    /// `--timeout`: the limit on every exchange, before what a collection says.
    pub timeout: Option<Duration>,
    /// `--run-timeout`: the limit on the whole run.
    pub run_timeout: Option<Duration>,
}

/// Everything that a run works with.
pub struct Run<'r, 'o> {
    /// What is run.
    pub plan: &'r Plan,
    /// The values of the environment.
    pub values: &'r Values<'r>,
    /// The connections.
    pub client: &'r Client,
    /// Where stored values go; `None` without an environment.
    pub store: Option<&'r Store>,
    /// The tokens of managed logins.
    pub logins: &'r Lifecycle<'r, Store>,
    /// Learns every secret that an answer brings.
    pub masker: &'r Masker,
    /// Where secrets may go.
    pub gate: Gate<'r>,
    /// What the command line decides.
    pub policy: Policy,
    /// Who listens.
    pub reporter: &'o mut dyn Reporter,
    /// What happened so far; it is complete at every await, so that an interrupted run can still be told.
    pub summary: Summary,
    /// What has begun and not ended.
    pub under_way: Option<UnderWay>,
    /// Whether the place for stored values was looked at.
    prepared: bool,
    /// Whether a value could not be saved: from then on only `always` requests are sent.
    unsaved: bool,
    /// The logins that got no token: a server is not asked again and again for what it refused.
    failed_logins: HashSet<String>,
    /// What was stored so far: every later collection of the run sees it.
    stored: HashMap<String, Found>,
    /// The secrets that decided whether a stored name has a value.
    doubts: HashMap<String, Taint>,
    /// The secrets that decide if the collection that is running passes; only where another one needs it.
    outcome: Option<Decision>,
    /// When the first request was looked at.
    started: Instant,
}

/// Something that an interruption leaves half done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UnderWay {
    /// A request was sent, and its answer has not come.
    Answer {
        /// The request.
        request: String,
    },
    /// An answer has come, and what it brought is not saved.
    Save {
        /// The request.
        request: String,
        /// The values.
        names: Vec<String>,
    },
}

/// What a finished collection leaves to those that need it.
#[derive(Debug, Default)]
struct Finished {
    failed: bool,
    captures: HashMap<String, Found>,
    /// The secrets that decided whether a name has a value.
    doubts: Vec<(String, Taint)>,
    /// The secrets that decided if it passed.
    outcome: Decision,
}

impl<'r, 'o> Run<'r, 'o> {
    /// A run that has not started.
    #[must_use]
    pub fn new(
        plan: &'r Plan,
        values: &'r Values<'r>,
        client: &'r Client,
        masker: &'r Masker,
        logins: &'r Lifecycle<'r, Store>,
        gate: Gate<'r>,
        reporter: &'o mut dyn Reporter,
    ) -> Self {
        Self {
            plan,
            values,
            client,
            store: None,
            logins,
            masker,
            gate,
            policy: Policy::default(),
            reporter,
            summary: Summary::default(),
            prepared: false,
            under_way: None,
            unsaved: false,
            failed_logins: HashSet::new(),
            stored: HashMap::new(),
            doubts: HashMap::new(),
            outcome: None,
            started: Instant::now(),
        }
    }

    /// Runs every collection of the plan.
    pub async fn run(&mut self) {
        self.started = Instant::now();
        self.summary.dry_run = self.policy.dry_run;
        let mut finished: Vec<Finished> = Vec::new();
        for unit in 0..self.plan.units.len() {
            let done = self.collection(unit, &finished).await;
            finished.push(done);
        }
        self.summary.duration = self.started.elapsed();
    }

    async fn collection(&mut self, unit: usize, finished: &[Finished]) -> Finished {
        let plan = self.plan;
        let planned = &plan.units[unit];
        self.emit(&Event::CollectionStarted { name: &planned.collection.name, needed: planned.needed });
        let mut scope = Scope::new(self.values, &plan.engine, &planned.collection);
        let needed = planned.needs.iter().flat_map(|&need| &finished[need].captures);
        for (name, captured) in self.stored.iter().chain(needed) {
            scope.inherit(name, captured.clone());
        }
        self.doubts.iter().for_each(|(name, taint)| scope.add_doubt(name, taint));
        let mut outcome = Decision::default();
        for &need in &planned.needs {
            finished[need].doubts.iter().for_each(|(name, taint)| scope.add_doubt(name, taint));
            scope.follow(&plan.units[need].collection.name, &finished[need].outcome);
            let Decision { taint, request } = &finished[need].outcome;
            outcome.add(taint, request.as_deref());
        }
        self.outcome = plan.units.iter().any(|other| other.needs.contains(&unit)).then_some(outcome);
        let failed_need = planned.needs.iter().find(|&&need| finished[need].failed).map(|&need| &plan.units[need]);
        let mut failed = failed_need.is_some();
        for request in &planned.collection.requests {
            let step = match failed_need {
                // Not even `always` requests: the limit is there to be kept.
                _ if self.time_left().is_some_and(|left| left.is_zero()) => self.skip(request, Skipped::RunTimeout),
                Some(need) if !request.always => self.skip(request, Skipped::FailedNeed { name: need.collection.name.clone() }),
                _ => self.request(unit, request, &scope).await,
            };
            failed |= match &step {
                Outcome::Passed => false,
                Outcome::Failed(_) | Outcome::Errored(_) => true,
                Outcome::Skipped(reason) => {
                    matches!(reason, Skipped::MissingValue { .. } | Skipped::NoToken { .. } | Skipped::RunTimeout)
                }
            };
            self.summary.duration = self.started.elapsed();
        }
        for store in planned.collection.requests.iter().flat_map(|request| &request.stores) {
            self.doubts.entry(store.name.clone()).or_default().add(&scope.doubt(&store.name));
        }
        let outcome = self.outcome.take().unwrap_or_default();
        Finished { failed, captures: scope.captures().into_iter().collect(), doubts: scope.doubts(), outcome }
    }

    /// What is left of the time of the run; `None` when it has no limit.
    fn time_left(&self) -> Option<Duration> {
        self.policy.run_timeout.map(|limit| limit.saturating_sub(self.started.elapsed()))
    }

    /// Tells the reporter. A sink that fails must not stop a run: what it says would be lost with it.
    fn emit(&mut self, event: &Event<'_>) {
        let _ = self.reporter.event(event);
    }

    /// Tells something that is no failure.
    fn notice(&mut self, notice: &Diagnostic) {
        self.emit(&Event::Notice(notice));
    }

    /// Tells a request that is not looked at any closer.
    fn skip(&mut self, request: &Request, reason: Skipped) -> Outcome {
        self.finish(Step::without_answer(request, Outcome::Skipped(reason), Duration::ZERO))
    }

    /// Counts a step, tells it, and gives its outcome back.
    fn finish(&mut self, step: Step<'_>) -> Outcome {
        self.summary.count(&step.outcome);
        self.emit(&Event::StepFinished(&step));
        step.outcome
    }
}
