//! People's text: one line a request, failures explained below it, a summary at the end.

use std::fmt::Write as _;
use std::io::{self, Write};
use std::time::Duration;

use crate::diagnostic::{Diagnostic, Paint, Severity, printable, render};
use crate::event::{Event, Outcome, Problem, ProblemKind, Reporter, Skipped, Step, Summary};
use crate::http::Response;
use crate::mask::Masker;

use super::page::Page;
use super::text::{columns, fit, push_duration};
use super::{Settings, Verbosity, answer, guard, wire};

/// Columns before the name: mark and method.
const LEAD: usize = 9;
/// Columns behind the name: a gap, the status, a gap, the duration.
const TRAIL: usize = GAP + 3 + GAP + 6;
/// Columns between two columns.
const GAP: usize = 2;
/// The name's columns at the start; a longer name widens them for the lines that follow.
const NAME: usize = 32;
/// No name widens the lines of others more than this.
const WIDEST_NAME: usize = 60;
/// A name stays readable on the narrowest terminal; there the line wraps.
const NARROWEST_NAME: usize = 10;

/// Writes people's text to a stream, line by line, as things happen.
///
/// The stream is expected to be a masked one. The console masks on its own whatever it shortens or changes, since half a
/// secret is not found any more.
#[derive(Debug)]
pub struct Console<W: Write> {
    out: W,
    settings: Settings,
    page: Page,
    name_columns: usize,
    several: bool,
    /// A heading that waits for the first line below it.
    heading: Option<String>,
    wrote: bool,
}

impl<W: Write> Console<W> {
    /// A console that writes to `out`.
    pub fn new(out: W, masker: Masker, settings: Settings) -> Self {
        let page = Page::new(settings, masker);
        let name_columns = settings.width.map_or(NAME, |width| NAME.min(room(width)));
        Self { out, settings, page, name_columns, several: false, heading: None, wrote: false }
    }

    /// The writer, so that it can be finished.
    pub fn into_inner(self) -> W {
        self.out
    }

    fn started(&mut self, environment: Option<&str>, sandbox: Option<&str>) {
        if self.settings.verbosity < Verbosity::Heads {
            return;
        }
        let facts = [("environment", environment), ("sandbox", sandbox)];
        let facts: Vec<_> =
            facts.into_iter().filter_map(|(word, fact)| Some(format!("{word} {}", self.page.safe(fact?)))).collect();
        if !facts.is_empty() {
            self.page.paint(Paint::Faint, &facts.join(", "));
            self.page.text.push('\n');
        }
    }

    fn heading(&mut self, name: &str, needed: bool) {
        if !self.several && !needed {
            return;
        }
        let mut heading = self.page.style.paint(Paint::Strong, &self.page.safe(name));
        if needed {
            heading.push_str(" (needed)");
        }
        self.heading = Some(heading);
    }

    fn flush_heading(&mut self) {
        if let Some(heading) = self.heading.take() {
            if self.wrote {
                self.page.text.push('\n');
            }
            self.page.text.push_str(&heading);
            self.page.text.push('\n');
        }
    }

    fn notice(&mut self, notice: &Diagnostic) {
        if self.settings.verbosity > Verbosity::Quiet || notice.severity == Severity::Error {
            self.page.text.push_str(&render(notice, self.settings.style, &self.page.masker));
        }
    }

    fn step(&mut self, step: &Step<'_>) {
        if self.settings.verbosity == Verbosity::Quiet && !is_trouble(&step.outcome) {
            return;
        }
        self.flush_heading();
        self.request_line(step);
        self.explain(step);
        self.tell_values(step);
        let verbosity = self.settings.verbosity;
        match (step.exchange, step.preview) {
            (Some(exchange), _) if verbosity >= Verbosity::Heads => {
                wire::exchange(&mut self.page, exchange, step.sent, verbosity == Verbosity::Bodies);
            }
            (None, Some(preview)) => wire::preview(&mut self.page, preview),
            _ => {}
        }
    }

    fn request_line(&mut self, step: &Step<'_>) {
        let (mark, paint) = mark(step);
        self.page.paint(paint, mark);
        let method = printable(&step.request.method);
        let _ = write!(self.page.text, " {method:<6} ");

        let request = step.request;
        let name = request.name_behind_method();
        let name = self.page.safe(&name);
        let lead = columns(&method).saturating_sub(6);
        let room = self.settings.width.map_or(usize::MAX, |width| room(width).saturating_sub(lead));
        let name = fit(&name, room);
        let taken = columns(&name);
        self.name_columns = self.name_columns.max(taken.min(WIDEST_NAME));
        self.page.text.push_str(&name);

        let tail = tail(step);
        let aligned = self.name_columns.saturating_sub(taken + lead) + GAP;
        // A long reason moves to the left as far as it must, and below the name when that does not do.
        let left = self.settings.width.map_or(usize::MAX, |width| width.saturating_sub(LEAD + lead + taken + columns(&tail)));
        if left < GAP {
            self.page.text.push_str("\n  ");
        } else {
            self.page.text.extend(std::iter::repeat_n(' ', aligned.min(left)));
        }
        match step.outcome {
            Outcome::Skipped(_) => {
                let tail = self.page.safe(&tail);
                self.page.paint(Paint::Faint, &tail);
            }
            _ => self.page.text.push_str(&tail),
        }
        self.page.text.push('\n');
    }

    /// What went wrong, and what the server has to say about it.
    fn explain(&mut self, step: &Step<'_>) {
        let problems = problems(&step.outcome);
        for problem in problems {
            self.page.finding(&problem.diagnostic);
        }
        let Some(exchange) = step.exchange else { return };
        let response = &exchange.response;
        // What looks wrong may be right, but of another request than the one that was written.
        if !problems.is_empty() || self.settings.verbosity >= Verbosity::Heads {
            wire::hops(&mut self.page, exchange);
        }
        if !problems.is_empty() {
            let grant = answer::grant_type(step.request);
            let error = grant.and_then(|_| answer::oauth_error(response));
            // Some servers send the errors of their token endpoint with the status 200.
            let asked = error.is_some() || problems.iter().any(|problem| problem.kind == ProblemKind::Status);
            if asked && let Some(words) = answer::words(&self.page, response) {
                self.page.remark("server", &words);
            }
            if let Some(hint) = error.and_then(|error| crate::oauth::hint(&error, grant.unwrap_or_default())) {
                self.page.remark("hint", hint);
            }
        }
        let expected = problems.is_empty() && step.request.assertions.status.is_some();
        if !expected && let Some(place) = redirect(response) {
            let place = self.page.safe(&wire::visible_location(place));
            self.page.line(Paint::Faint, &format!("redirects to {place} (not followed)"));
        }
    }

    /// What was kept, and where.
    fn tell_values(&mut self, step: &Step<'_>) {
        if self.settings.verbosity == Verbosity::Quiet {
            return;
        }
        if !step.stored.is_empty() {
            let place = step.stored_in.map_or_else(|| "for this run only".to_owned(), |file| format!("in {file}"));
            let line = self.page.safe(&format!("stored {} {place}", step.stored.join(", ")));
            self.page.line(Paint::Faint, &line);
        }
        if !step.captured.is_empty() && self.settings.verbosity >= Verbosity::Heads {
            let line = self.page.safe(&format!("captured {}", step.captured.join(", ")));
            self.page.line(Paint::Faint, &line);
        }
    }

    fn summary(&mut self, summary: &Summary) {
        let Summary { passed, failed, errored, skipped, .. } = *summary;
        let trouble = failed + errored + summary.skipped_for_want > 0
            || summary.transport
            || summary.unsaved
            || summary.refused
            || summary.interrupted;
        if self.settings.verbosity == Verbosity::Quiet && !trouble {
            return;
        }
        if self.wrote {
            self.page.text.push('\n');
        }
        let total = passed + failed + errored + skipped;
        let _ = write!(self.page.text, "{total} {}", if total == 1 { "request" } else { "requests" });
        let passed_word = if summary.dry_run { "would be sent" } else { "passed" };
        let counts = [
            (passed, passed_word, Paint::Good),
            (failed, "failed", Paint::Error),
            (errored, "errored", Paint::Error),
            (skipped, "skipped", Paint::Faint),
        ];
        let mut separator = ": ";
        for (count, word, paint) in counts.into_iter().filter(|(count, ..)| *count > 0) {
            self.page.text.push_str(separator);
            self.page.paint(paint, &format!("{count} {word}"));
            separator = ", ";
        }
        if summary.dry_run {
            self.page.text.push_str(" (dry run)");
        } else {
            self.page.text.push_str(" in ");
            push_duration(&mut self.page.text, summary.duration);
        }
        if summary.interrupted {
            self.page.text.push_str(" (interrupted)");
        }
        self.page.text.push('\n');
    }

    fn emit(&mut self) -> io::Result<()> {
        if self.page.text.is_empty() {
            return Ok(());
        }
        if self.settings.ci {
            guard::defuse(&mut self.page.text);
        }
        self.wrote = true;
        self.out.write_all(self.page.text.as_bytes())?;
        self.out.flush()
    }
}

impl<W: Write> Reporter for Console<W> {
    fn event(&mut self, event: &Event<'_>) -> io::Result<()> {
        self.page.text.clear();
        match event {
            Event::RunStarted { environment, sandbox, collections } => {
                self.several = *collections > 1;
                self.started(*environment, *sandbox);
            }
            Event::CollectionStarted { name, needed } => self.heading(name, *needed),
            Event::Notice(notice) => self.notice(notice),
            Event::StepFinished(step) => self.step(step),
            Event::RunFinished(summary) => self.summary(summary),
        }
        self.emit()
    }
}

/// The columns that a name may take.
fn room(width: usize) -> usize {
    width.saturating_sub(LEAD + TRAIL).max(NARROWEST_NAME)
}

fn mark(step: &Step<'_>) -> (&'static str, Paint) {
    match &step.outcome {
        // A tick would claim that something was checked.
        Outcome::Passed if is_dry(step) => (">", Paint::Good),
        Outcome::Passed => ("✓", Paint::Good),
        Outcome::Failed(_) => ("✗", Paint::Error),
        Outcome::Errored(_) => ("!", Paint::Error),
        Outcome::Skipped(_) => ("-", Paint::Faint),
    }
}

fn is_dry(step: &Step<'_>) -> bool {
    step.exchange.is_none() && step.preview.is_some()
}

/// Whether the outcome makes the exit code other than zero.
fn is_trouble(outcome: &Outcome) -> bool {
    match outcome {
        Outcome::Passed => false,
        Outcome::Failed(_) | Outcome::Errored(_) => true,
        Outcome::Skipped(reason) => !matches!(reason, Skipped::Condition | Skipped::DryRun { .. }),
    }
}

fn problems(outcome: &Outcome) -> &[Problem] {
    match outcome {
        Outcome::Failed(problems) => problems,
        Outcome::Errored(problem) => std::slice::from_ref(problem),
        Outcome::Passed | Outcome::Skipped(_) => &[],
    }
}

/// What stands behind the name.
fn tail(step: &Step<'_>) -> String {
    let mut tail = String::with_capacity(16);
    if let Outcome::Skipped(reason) = &step.outcome {
        tail.push_str("skipped: ");
        push_reason(&mut tail, reason);
        return tail;
    }
    match (step.exchange, problems(&step.outcome).first()) {
        (Some(exchange), _) => {
            let _ = write!(tail, "{:>3}", exchange.response.status);
        }
        (None, None) if step.preview.is_some() => return "would send".to_owned(),
        (None, problem) => {
            let kind = problem.map_or(ProblemKind::Transport, |problem| problem.kind);
            tail.push_str(without_answer(kind));
            // Only waiting takes time that is worth telling.
            if !matches!(kind, ProblemKind::Transport | ProblemKind::Authorisation | ProblemKind::Save) {
                return tail;
            }
        }
    }
    tail.push_str("  ");
    push_padded_duration(&mut tail, step.duration);
    tail
}

fn push_padded_duration(out: &mut String, duration: Duration) {
    let from = out.len();
    push_duration(out, duration);
    let pad = 6_usize.saturating_sub(out.len() - from);
    out.insert_str(from, "      ".get(..pad).unwrap_or_default());
}

/// What stands in place of the status.
fn without_answer(kind: ProblemKind) -> &'static str {
    match kind {
        ProblemKind::Transport => "no answer",
        ProblemKind::Authorisation => "no token",
        ProblemKind::Policy => "refused",
        ProblemKind::Save => "not saved",
        ProblemKind::Build | ProblemKind::Status | ProblemKind::Assertion | ProblemKind::Capture => "not sent",
    }
}

fn push_reason(out: &mut String, reason: &Skipped) {
    let _ = match reason {
        Skipped::Condition => out.write_str("its `when` does not hold"),
        Skipped::MissingValue { name, producer } => write!(out, "needs `{name}`, which `{producer}` should have captured"),
        Skipped::FailedNeed { name } => write!(out, "needs `{name}`, which failed"),
        Skipped::UnsavedValue => out.write_str("a value could not be saved before"),
        Skipped::NoToken { login } => write!(out, "no token for `{login}`"),
        Skipped::RunTimeout => out.write_str("the time of the run was up (the limit is `--run-timeout`)"),
        Skipped::DryRun { name } => write!(out, "needs `{name}`, which only a real run gets"),
    };
}

/// Where a redirect points to (RFC 9110 §15.4); 304 is none.
fn redirect(response: &Response) -> Option<&str> {
    if !matches!(response.status, 300..=303 | 307 | 308) {
        return None;
    }
    response.header("location")
}
