//! `runner auth`: the tokens of an environment's logins, without a collection.

mod forget;
mod introspect;
mod show;
mod status;
mod token;

use clap::{Args as ClapArgs, Subcommand};

use crate::auth::{Definition, Login};
use crate::diagnostic::{Cause, Diagnostic, nearest};
use crate::environment::Values;
use crate::http::{self, Client, Luggage};
use crate::mask::Masker;
use crate::oauth::{self, Asking, Endpoint, EnvironmentFields, Habits, Lifecycle, Token};
use crate::plan::{self, Inputs, Plan, Rules};
use crate::run::Gate;
use crate::sandbox::Sandbox;
use crate::store::Store;
use crate::trust::Origin;
use crate::world::{Stream, World};

use super::args::{ConnectionArgs, LimitArgs, ValueArgs};
use super::connection;
use super::given::{self, Refused};
use super::run::{LAST_WORK, Members, start_sandbox};
use super::{Diagnostics, Exit, exit, runtime, take_stream};

#[derive(Debug, Subcommand)]
pub(super) enum AuthCommand {
    /// Tell how it stands with each login's token; nothing is sent
    Status(StatusArgs),
    /// Print a fresh access token and nothing else: curl -H "Authorization: Bearer $(runner auth token …)"
    Token(LoginArgs),
    /// Renew the token, fresh or not
    Refresh(LoginArgs),
    /// Revoke the tokens at the server, and forget them
    Revoke(LoginArgs),
    /// Revoke the tokens, and forget them also when the server does not answer
    Logout(LoginArgs),
    /// Ask the server what it knows of the token
    Introspect(LoginArgs),
    /// Show a login with what its preset fills in
    Show(ShowArgs),
}

/// One login of an environment.
#[derive(Debug, ClapArgs)]
pub(super) struct LoginArgs {
    /// The login; may be left out where the environment has one only
    #[arg(value_name = "LOGIN")]
    name: Option<String>,
    #[command(flatten)]
    values: ValueArgs,
    #[command(flatten)]
    limits: LimitArgs,
    #[command(flatten)]
    connection: ConnectionArgs,
}

#[derive(Debug, ClapArgs)]
pub(super) struct StatusArgs {
    #[command(flatten)]
    login: LoginArgs,
    /// Print JSON, without a secret
    #[arg(long)]
    json: bool,
}

#[derive(Debug, ClapArgs)]
pub(super) struct ShowArgs {
    #[command(flatten)]
    login: LoginArgs,
    /// Show what the preset of a provider fills in
    #[arg(long, value_name = "NAME")]
    provider: Option<String>,
}

/// Does what `command` says.
pub(super) fn run(world: World, command: &AuthCommand) -> Exit {
    match command {
        AuthCommand::Status(args) => status::run(world, args),
        AuthCommand::Token(args) => within(world, args, token::print),
        AuthCommand::Refresh(args) => within(world, args, token::refresh),
        AuthCommand::Revoke(args) => within(world, args, forget::revoke),
        AuthCommand::Logout(args) => within(world, args, forget::logout),
        AuthCommand::Introspect(args) => within(world, args, introspect::run),
        AuthCommand::Show(args) => show::run(world, args),
    }
}

/// What a command about logins works with.
struct Session<'s> {
    plan: &'s Plan,
    gate: Gate<'s>,
    logins: Lifecycle<'s, Store>,
    fields: EnvironmentFields<'s>,
    sandbox: Option<Origin>,
    masker: &'s Masker,
    diagnostics: Diagnostics,
    /// Not masked: what is written here is meant to be seen.
    stdout: Stream,
    /// The columns of the terminal.
    width: Option<usize>,
}

impl Session<'_> {
    /// The login called `name`, or the only one.
    fn login(&self, name: Option<&str>) -> Result<(&Definition, &Login), Diagnostic> {
        let logins: Vec<(&Definition, &Login)> = self.plan.environment.logins().collect();
        let names: Vec<&str> = logins.iter().map(|(definition, _)| definition.name.as_str()).collect();
        match (name, logins.as_slice()) {
            (_, []) => {
                let finding = Diagnostic::error(format!("the environment `{}` has no login", self.plan.environment.name));
                Err(finding.help("a login is an `oauth2` definition under `auth:`"))
            }
            (None, [only]) => Ok(*only),
            (None, _) => Err(Diagnostic::error("which login?").help(format!("logins: {}", names.join(", ")))),
            (Some(name), _) => logins.iter().find(|(definition, _)| definition.name == name).copied().ok_or_else(|| {
                let finding = Diagnostic::error(format!("there is no login called `{name}`"));
                match nearest(name, names.iter().copied()) {
                    Some(near) => finding.help(format!("did you mean `{near}`?")),
                    None => finding.help(format!("logins: {}", names.join(", "))),
                }
            }),
        }
    }

    /// Asks the life of tokens about a login, with a guard on where its credentials may go.
    async fn ask<T>(
        &self,
        (definition, login): (&Definition, &Login),
        question: impl AsyncFnOnce(&Lifecycle<'_, Store>, &Asking<'_>) -> Result<T, oauth::Error>,
    ) -> Result<T, Stop> {
        let endpoints = self.gate.endpoints(true, &definition.name).map_err(|error| Stop::from(error.into_finding()))?;
        let guard = |url: &url::Url, _: Luggage| endpoints.check(url);
        let asking = Asking {
            name: &definition.name,
            login,
            fields: &self.fields,
            sandbox: self.sandbox.clone(),
            guard: &guard,
            refused: None,
        };
        question(&self.logins, &asking).await.map_err(|error| Stop::of(&error, definition))
    }

    /// Tells what is worth telling; nothing of it is the answer.
    fn tell_notices(&mut self) {
        let notices = self.logins.notices();
        self.diagnostics.tell(&notices);
    }
}

/// Why a command did not do what it was asked for.
struct Stop {
    finding: Diagnostic,
    exit: Exit,
    /// What a question about a token ran into, without a word on what it was for.
    reason: Option<String>,
}

impl From<Diagnostic> for Stop {
    fn from(finding: Diagnostic) -> Self {
        let exit = exit::of_findings(std::slice::from_ref(&finding));
        Self { finding, exit, reason: None }
    }
}

impl Stop {
    /// The same, told of what `failed`: no token was wanted.
    fn while_it(mut self, failed: &str) -> Self {
        if let Some(reason) = &self.reason {
            self.finding.message = format!("{failed}: {reason}");
        }
        self
    }

    fn of(error: &oauth::Error, definition: &Definition) -> Self {
        let finding = error.finding(&definition.name);
        let exit = match (error, finding.cause) {
            (_, Cause::Policy) => Exit::Refused,
            (oauth::Error::Store(_), _) => Exit::Unsaved,
            (oauth::Error::Definition(_), _) => Exit::Usage,
            (oauth::Error::Http(error) | oauth::Error::Unanswered(error), _) => match error.class() {
                http::Class::Policy => Exit::Refused,
                http::Class::Transport => Exit::Transport,
                http::Class::Request => Exit::Usage,
            },
            _ => Exit::Authorisation,
        };
        let finding = if finding.place.is_some() { finding } else { finding.at(definition.place.clone()) };
        Self { finding, exit, reason: Some(error.to_string()) }
    }
}

/// Opens a session for one login and lets `work` do its part.
fn within(
    world: World,
    args: &LoginArgs,
    work: impl AsyncFnOnce(&mut Session<'_>, (Definition, Login)) -> Result<(), Stop>,
) -> Exit {
    session(world, args, async |session| {
        let (definition, login) = session.login(args.name.as_deref())?;
        let chosen = (definition.clone(), login.clone());
        work(session, chosen).await
    })
}

/// Loads the environment, starts what it needs, and lets `work` do its part.
fn session(mut world: World, args: &LoginArgs, work: impl AsyncFnOnce(&mut Session<'_>) -> Result<(), Stop>) -> Exit {
    let masker = Masker::new();
    connection::learn(&args.connection, &masker);
    let mut diagnostics = Diagnostics::of(&mut world, args.values.color.into(), &masker);
    let (plan, mut client) = match prepare(&world, args, &masker, &mut diagnostics) {
        Ok(ready) => ready,
        Err(findings) => return diagnostics.stop(&findings),
    };
    let runtime = match runtime() {
        Ok(runtime) => runtime,
        Err(finding) => return diagnostics.stop(&[finding]),
    };
    let stdout = take_stream(&mut world.stdout);
    let exit = runtime.block_on(async {
        let server = match start_sandbox(&plan.environment, &world.clock).await {
            Ok(server) => server,
            Err(finding) => return diagnostics.stop(&[finding]),
        };
        let own = server.as_ref().and_then(|server| Origin::of(&url::Url::parse(&Sandbox::url(server)).ok()?));
        own.iter().for_each(|origin| client.admit_own(origin.clone()));
        let members = server.as_ref().map(Members);
        let values = Values::new(&plan.environment, &plan.engine, &world.variables, Some(&plan.root), &masker)
            .with_sandbox(members.as_ref().map(|members| members as &dyn crate::environment::Sandbox));
        let store = plan.environment.files.as_ref().map(Store::new);
        let kept = plan.environment.tokens.iter();
        let kept = kept.filter_map(|(name, members)| Some((name.clone(), Token::from_members(members.clone())?))).collect();
        let endpoint = Endpoint { client: &client, masker: &masker, timeout: args.limits.timeout };
        let width = stdout.width;
        let mut session = Session {
            plan: &plan,
            gate: Gate::new(&values, Vec::new()),
            logins: Lifecycle::new(store.as_ref(), endpoint, &*world.clock, Habits::default(), kept),
            fields: EnvironmentFields { engine: &plan.engine, values: &values, root: &plan.root },
            sandbox: own,
            masker: &masker,
            diagnostics,
            stdout,
            width,
        };
        let done = work(&mut session).await;
        session.tell_notices();
        match done {
            Ok(()) => {
                let _ = session.diagnostics.out.finish();
                Exit::Passed
            }
            Err(stop) => {
                session.diagnostics.stop(&[stop.finding]);
                stop.exit
            }
        }
    });
    // A name server that does not answer must not keep the program from ending.
    runtime.shutdown_timeout(LAST_WORK);
    exit
}

/// The environment, compiled and checked, and the client that it asks for; warnings are told at once.
fn prepare(
    world: &World,
    args: &LoginArgs,
    masker: &Masker,
    diagnostics: &mut Diagnostics,
) -> Result<(Plan, Client), Vec<Diagnostic>> {
    let Some(name) = args.values.env.as_deref() else {
        return Err(vec![Diagnostic::error("no environment was chosen").help("choose one with `--env NAME`")]);
    };
    let only = connection::held_to(&[], world)?;
    let mut warnings = Vec::new();
    let given = match given::collect(&args.values, world, given::Asking::Never, masker, &mut warnings) {
        Ok(given) => given,
        Err(Refused::Findings(findings)) => return Err(findings),
        // Nobody is asked, so nobody can break it off.
        Err(Refused::Interrupted) => return Err(Vec::new()),
    };
    let tls = connection::given_tls(&args.connection, &world.folder);
    let inputs = Inputs {
        paths: &[],
        environment: Some(name),
        root: args.values.root.as_deref(),
        given: &given,
        tls: Some(&tls),
        folder: &world.folder,
        masker,
    };
    let mut plan = plan::build(&inputs, world.clock.clone())?;
    warnings.append(&mut plan.warnings);
    diagnostics.tell(&warnings);
    plan::validate(&plan, &world.variables, masker, Rules { no_save: false, open: false, run: false, allow_host: &[] })?;
    let beyond = plan::beyond(&plan, &only, args.connection.insecure);
    if !beyond.is_empty() {
        return Err(beyond);
    }
    let client = connection::client(&plan.environment, (&args.connection, &args.limits), world, only)?;
    diagnostics.tell(connection::warnings(&plan.environment, &args.connection).as_slice());
    Ok((plan, client))
}
