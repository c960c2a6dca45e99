//! `runner run`.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use url::Url;

use crate::clock::Clock;
use crate::diagnostic::{Diagnostic, Style};
use crate::environment::{Environment, Files, Values};
use crate::event::{Event, Reporter};
use crate::http::{Client, Identity, Limits, Proxy, Settings, Tls};
use crate::mask::Masker;
use crate::oauth::{Endpoint, Habits, Lifecycle, Token};
use crate::plan::Plan;
use crate::report::{Console, Settings as ConsoleSettings, Verbosity};
use crate::run::{Gate, Policy, Run};
use crate::sandbox::{self, Sandbox};
use crate::secret::Secret;
use crate::store::Store;
use crate::trust::HostRule;
use crate::world::{Interrupts, World};

use super::args::{ConnectionArgs, RunArgs};
use super::given::Asking;
use super::output::Output;
use super::setup::{Wishes, plan};
use super::{Diagnostics, Exit, exit, is_ci, take_stream};

/// Runs collections.
pub(super) fn run(mut world: World, args: &RunArgs) -> Exit {
    let masker = Masker::new();
    let paint = world.colour(&world.stdout, args.plan.values.color.into());
    let stdout = take_stream(&mut world.stdout);
    let width = stdout.width;
    let mut diagnostics = Diagnostics::of(&mut world, args.plan.values.color.into(), &masker);
    let asking = match args.non_interactive || world.variables.contains_key("CI") {
        true => Asking::Never,
        false => Asking::Now,
    };
    if let Some(hosts) = world.variables.get("RUNNER_ONLY_HOSTS") {
        // Whoever sets it relies on it: it must not be overlooked.
        let finding = Diagnostic::error(format!(
            "RUNNER_ONLY_HOSTS is set to `{hosts}`, and this version of runner can't hold a run to it yet"
        ));
        return diagnostics.stop(&[finding]);
    }
    let wishes = Wishes { no_save: args.no_save, fresh_token: args.fresh_token, asking, open: false };
    let plan = match plan(&args.plan, &world, wishes, &masker, &mut diagnostics) {
        Ok(plan) => plan,
        Err(exit) => return exit,
    };
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
    let client = match client(&plan.environment, args, &world.folder) {
        Ok(client) => client,
        Err(finding) => return diagnostics.stop(&[finding]),
    };
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return diagnostics.stop(&[Diagnostic::error(format!("the runtime could not be started: {error}"))]),
    };
    let console = Console::new(masker.writer(stdout), masker.clone(), settings);
    let output = Output { console, diagnostics, broken: None, quiet: args.quiet };
    runtime.block_on(drive(&plan, &world, args, &client, &masker, output))
}

async fn drive(plan: &Plan, world: &World, args: &RunArgs, client: &Client, masker: &Masker, mut output: Output) -> Exit {
    let server = match start_sandbox(&plan.environment, &world.clock).await {
        Ok(server) => server,
        Err(finding) => return output.diagnostics.stop(&[finding]),
    };
    let members = server.as_ref().map(Members);
    let values = Values::new(&plan.environment, &plan.engine, &world.variables, Some(&plan.root), masker)
        .with_sandbox(members.as_ref().map(|members| members as &dyn crate::environment::Sandbox));
    let hosts = plan.environment.hosts.iter().filter_map(|(host, _)| host.parse::<HostRule>().ok());
    let gate = Gate::new(&values, hosts.chain(args.allow_host.iter().cloned()).collect());
    let store = plan.environment.files.as_ref().map(Store::new);
    let kept =
        plan.environment.tokens.iter().filter_map(|(name, members)| Some((name.clone(), Token::from_members(members.clone())?)));
    let kept = kept.collect();
    let endpoint = Endpoint { client, masker, timeout: args.timeout };
    let logins =
        Lifecycle::new(store.as_ref(), endpoint, &*world.clock, Habits { no_save: args.no_save, fresh: args.fresh_token }, kept);
    let address = server.as_ref().map(Sandbox::url);
    let environment = plan.environment.files.as_ref().map(|_| plan.environment.name.as_str());
    let _ = output.event(&Event::RunStarted { environment, sandbox: address.as_deref(), collections: plan.units.len() });
    let mut run = Run::new(plan, &values, client, masker, &logins, gate, &mut output);
    run.store = store.as_ref();
    run.policy = Policy { no_save: args.no_save, dry_run: args.dry_run, timeout: args.timeout };
    let started = Instant::now();
    let interrupt = match Interrupts::listen() {
        Ok(mut interrupts) => tokio::select! {
            () = run.run() => None,
            interrupt = interrupts.next() => Some(interrupt),
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
    if let (Some(_), Some(name)) = (interrupt, under_way) {
        let notice = Diagnostic::warning(format!("interrupted while `{name}` was under way; the server may have received it"));
        let _ = output.event(&Event::Notice(&notice));
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

/// Starts the embedded server when the environment asks for it.
async fn start_sandbox(environment: &Environment, clock: &Arc<dyn Clock>) -> Result<Option<Sandbox>, Diagnostic> {
    let Some(choice) = &environment.sandbox else { return Ok(None) };
    let state = environment.files.as_ref().map(|files: &Files| {
        let stem = files.shared.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        files.local.with_file_name(format!(".{stem}.sandbox.local.json"))
    });
    let settings = sandbox::Settings { state, clock: Arc::clone(clock), port: 0 };
    sandbox::start(settings)
        .await
        .map(Some)
        .map_err(|error| choice.place.error(format!("the sandbox could not be started: {error}")))
}

/// The sandbox as the environment sees it.
struct Members<'s>(&'s Sandbox);

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

/// The client of the run: the command line before the environment.
fn client(environment: &Environment, args: &RunArgs, folder: &Path) -> Result<Client, Diagnostic> {
    let connection = &args.connection;
    let mut settings = Settings { tls: tls(environment, connection, folder)?, ..Settings::default() };
    if let Some(limit) = args.connect_timeout {
        settings.connect_timeout = limit;
    }
    if let Some(body) = args.max_body {
        settings.limits = Limits { body, ..Limits::default() };
    }
    settings.resolve = connection.resolve.clone();
    let proxy = match (&connection.proxy, &environment.proxy) {
        (Some(text), _) => Some((text, None)),
        (None, Some((text, place))) => Some((text, Some(place))),
        (None, None) => None,
    };
    if let Some((text, place)) = proxy {
        let proxy = Url::parse(text).ok().and_then(|url| Proxy::new(url, connection.noproxy.clone()).ok());
        let finding = || match place {
            Some(place) => place.error("`proxy` must be an `http://` or `https://` URL"),
            None => Diagnostic::error("`--proxy` must be an `http://` or `https://` URL"),
        };
        settings.proxy = Some(proxy.ok_or_else(finding)?);
    }
    Client::new(settings).map_err(|error| error.finding())
}

fn tls(environment: &Environment, connection: &ConnectionArgs, folder: &Path) -> Result<Tls, Diagnostic> {
    let configured = environment.tls.clone().unwrap_or_default();
    let pick = |flag: &Option<std::path::PathBuf>, configured: Option<std::path::PathBuf>| match flag {
        Some(path) => Some(folder.join(path)),
        None => configured,
    };
    let read = |path: &Path| {
        crate::files::read::read_text(path)
            .map_err(|error| Diagnostic::error(format!("the certificate or key `{}` {error}", path.display())))
    };
    let ca = pick(&connection.cacert, configured.ca).map(|path| read(&path)).transpose()?;
    let cert = pick(&connection.cert, configured.cert).map(|path| read(&path)).transpose()?;
    let key = pick(&connection.key, configured.key).map(|path| read(&path)).transpose()?;
    Ok(Tls {
        ca: ca.map(String::into_bytes),
        identity: cert.zip(key).map(|(cert, key)| Identity { cert: cert.into_bytes(), key: Secret::new(key) }),
        insecure: connection.insecure || configured.insecure,
    })
}
