//! `runner run`.

use std::sync::Arc;
use std::time::{Duration, Instant};

use url::Url;

use crate::clock::Clock;
use crate::diagnostic::{Diagnostic, Style};
use crate::environment::{Environment, Files, Values};
use crate::event::{Event, Reporter};
use crate::http::Client;
use crate::mask::Masker;
use crate::oauth::{Endpoint, Habits, Lifecycle, Token};
use crate::plan::{self, Plan};
use crate::report::{Console, Settings as ConsoleSettings, Verbosity};
use crate::run::{Gate, Policy, Run, UnderWay};
use crate::sandbox::{self, Sandbox};
use crate::store::Store;
use crate::trust::Origin;
use crate::world::{Interrupts, World};

use super::args::RunArgs;
use super::given::Asking;
use super::output::Output;
use super::setup::{self, Wishes};
use super::{Diagnostics, Exit, connection, exit, is_ci, runtime, take_stream};

/// How long work in the background may take when all else is done.
pub(super) const LAST_WORK: Duration = Duration::from_millis(200);

/// Runs collections.
pub(super) fn run(mut world: World, args: &RunArgs) -> Exit {
    let masker = Masker::new();
    connection::learn(&args.connection, &masker);
    let paint = world.colour(&world.stdout, args.plan.values.color.into());
    let stdout = take_stream(&mut world.stdout);
    let width = stdout.width;
    let mut diagnostics = Diagnostics::of(&mut world, args.plan.values.color.into(), &masker);
    let asking = match args.non_interactive || world.variables.contains_key("CI") {
        true => Asking::Never,
        false => Asking::Now,
    };
    let only = match connection::held_to(&args.only_host, &world) {
        Ok(only) => only,
        Err(findings) => return diagnostics.stop(&findings),
    };
    let tls = connection::given_tls(&args.connection, &world.folder);
    let wishes = Wishes {
        no_save: args.no_save,
        fresh_token: args.fresh_token,
        asking,
        tls: Some(&tls),
        open: false,
        allow_host: &args.allow_host,
    };
    let plan = match setup::plan(&args.plan, &world, wishes, &masker, &mut diagnostics) {
        Ok(plan) => plan,
        Err(exit) => return exit,
    };
    let beyond = plan::beyond(&plan, &only, args.connection.insecure);
    if !beyond.is_empty() {
        return diagnostics.stop(&beyond);
    }
    let settings = ConsoleSettings {
        // The console indents what it explains by two columns.
        style: Style::new(paint).with_columns(width.map(|width| width.saturating_sub(2))),
        width,
        verbosity: match (args.quiet, args.verbose) {
            (true, _) => Verbosity::Quiet,
            (false, 0) => Verbosity::Normal,
            (false, 1) => Verbosity::Heads,
            (false, _) => Verbosity::Bodies,
        },
        ci: is_ci(&world),
    };
    let client = match connection::client(&plan.environment, (&args.connection, &args.limits), &world, only) {
        Ok(client) => client,
        Err(findings) => return diagnostics.stop(&findings),
    };
    diagnostics.tell(connection::warnings(&plan.environment, &args.connection).as_slice());
    let runtime = match runtime() {
        Ok(runtime) => runtime,
        Err(finding) => return diagnostics.stop(&[finding]),
    };
    let console = Console::new(masker.writer(stdout), masker.clone(), settings);
    let output = Output { console, diagnostics, broken: None, quiet: args.quiet };
    let exit = runtime.block_on(drive(&plan, &world, args, client, &masker, output));
    // A name server that does not answer must not keep the program from ending.
    runtime.shutdown_timeout(LAST_WORK);
    exit
}

async fn drive(plan: &Plan, world: &World, args: &RunArgs, mut client: Client, masker: &Masker, mut output: Output) -> Exit {
    let server = match start_sandbox(&plan.environment, &world.clock).await {
        Ok(server) => server,
        Err(finding) => return output.diagnostics.stop(&[finding]),
    };
    if let Some(origin) = server.as_ref().and_then(|server| Origin::of(&Url::parse(&server.url()).ok()?)) {
        client.admit_own(origin);
    }
    let members = server.as_ref().map(Members);
    let values = Values::new(&plan.environment, &plan.engine, &world.variables, Some(&plan.root), masker)
        .with_sandbox(members.as_ref().map(|members| members as &dyn crate::environment::Sandbox));
    let gate = Gate::new(&values, args.allow_host.clone());
    let store = plan.environment.files.as_ref().map(Store::new);
    let kept =
        plan.environment.tokens.iter().filter_map(|(name, members)| Some((name.clone(), Token::from_members(members.clone())?)));
    let kept = kept.collect();
    let endpoint = Endpoint { client: &client, masker, timeout: args.limits.timeout };
    let logins =
        Lifecycle::new(store.as_ref(), endpoint, &*world.clock, Habits { no_save: args.no_save, fresh: args.fresh_token }, kept);
    let address = server.as_ref().map(Sandbox::url);
    let environment = plan.environment.files.as_ref().map(|_| plan.environment.name.as_str());
    let _ = output.event(&Event::RunStarted { environment, sandbox: address.as_deref(), collections: plan.units.len() });
    let mut run = Run::new(plan, &values, &client, masker, &logins, gate, &mut output);
    run.store = store.as_ref();
    run.policy =
        Policy { no_save: args.no_save, dry_run: args.dry_run, timeout: args.limits.timeout, run_timeout: args.run_timeout };
    let started = Instant::now();
    let interrupt = match Interrupts::listen() {
        Ok(interrupts) => tokio::select! {
            () = run.run() => None,
            interrupt = interrupts.first() => Some(interrupt),
        },
        // Without handlers the system's own answer to a signal is what is left.
        Err(_) => {
            run.run().await;
            None
        }
    };
    let mut summary = std::mem::take(&mut run.summary);
    let under_way = run.under_way.take();
    drop(run);
    if interrupt.is_some() {
        summary.interrupted = true;
        summary.duration = started.elapsed();
    }
    if let (Some(_), Some(under_way)) = (interrupt, under_way) {
        let _ = output.event(&Event::Notice(&half_done(&under_way)));
    }
    if interrupt.is_none() && !args.dry_run {
        let flagged = |name: &str| args.plan.values.var.iter().any(|var| var.split('=').next() == Some(name));
        for name in values.unused_given().into_iter().filter(|name| flagged(name)) {
            let notice = Diagnostic::warning(format!("`{name}` was given, and no request that was sent reads it"));
            let _ = output.event(&Event::Notice(&notice));
        }
    }
    let _ = output.event(&Event::RunFinished(&summary));
    let written = output.finish();
    match interrupt {
        Some(interrupt) => Exit::Interrupted(interrupt),
        None if !written => Exit::Unsaved,
        None => exit::of_summary(&summary),
    }
}

/// What an interrupted run must tell.
fn half_done(under_way: &UnderWay) -> Diagnostic {
    Diagnostic::warning(match under_way {
        UnderWay::Answer { request } => format!("interrupted while `{request}` was under way; the server may have received it"),
        UnderWay::Save { request, names } => {
            let names = names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
            format!("interrupted while `{request}` waited to save {names}: not saved")
        }
    })
}

/// Starts the embedded server when the environment asks for it.
pub(super) async fn start_sandbox(environment: &Environment, clock: &Arc<dyn Clock>) -> Result<Option<Sandbox>, Diagnostic> {
    let Some(choice) = &environment.sandbox else { return Ok(None) };
    let state = environment.files.as_ref().map(|files: &Files| {
        let stem = files.shared.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        files.local.with_file_name(format!(".{stem}.sandbox.local.json"))
    });
    let settings = sandbox::Settings { state, clock: Arc::clone(clock), port: 0, options: sandbox::Options::default() };
    sandbox::start(settings)
        .await
        .map(Some)
        .map_err(|error| choice.place.error(format!("the sandbox could not be started: {error}")))
}

/// The sandbox as the environment sees it.
pub(super) struct Members<'s>(pub(super) &'s Sandbox);

impl crate::environment::Sandbox for Members<'_> {
    fn member(&self, name: &str) -> Option<String> {
        match name {
            "url" => Some(self.0.url()),
            "client_id" => Some(self.0.client_id()),
            "client_secret" => Some(self.0.client_secret().expose().to_owned()),
            "code" => Some(self.0.issue_code().expose().to_owned()),
            _ => None,
        }
    }
}
