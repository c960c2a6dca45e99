//! How the run connects: flags before the environment, for every connection of the run.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::diagnostic::Diagnostic;
use crate::environment::{Environment, Tls, TlsFile, passwords_of};
use crate::http::{Client, Error, Limits, NoProxy, Proxy, Settings};
use crate::mask::Masker;
use crate::plan;
use crate::trust::{HeldBy, HostRule, OnlyHosts};
use crate::world::World;

use super::args::{ConnectionArgs, LimitArgs};

/// The hosts that a run is held to, set outside of the checkout, separated by commas or blanks.
const ONLY_HOSTS: &str = "RUNNER_ONLY_HOSTS";

/// Makes the password of `--proxy` known, before anything is said.
pub(super) fn learn(connection: &ConnectionArgs, masker: &Masker) {
    for password in connection.proxy.iter().flat_map(|text| passwords_of(text)) {
        masker.learn(&password);
    }
}

/// What must not be overlooked about the connections of a run.
pub(super) fn warnings(environment: &Environment, connection: &ConnectionArgs) -> Option<Diagnostic> {
    const TEXT: &str =
        "no certificate is checked in this run: whoever sits on the way can read and change all of it, secrets too";
    const HELP: &str = "to trust one server, name its certificate: `--cacert server.pem`, or `tls: {ca: server.pem}`";
    let configured = environment.tls.as_ref().and_then(|tls| tls.insecure.as_ref());
    let warning = match (connection.insecure, configured) {
        (true, _) => Diagnostic::warning(format!("`--insecure`: {TEXT}")),
        (false, Some(place)) => Diagnostic::warning(format!("`insecure: true`: {TEXT}")).at(place.clone()),
        (false, None) => return None,
    };
    Some(warning.help(HELP))
}

/// What the run is held to. The two lists hold together: see [`OnlyHosts`].
pub(super) fn held_to(flag: &[HostRule], world: &World) -> Result<OnlyHosts, Vec<Diagnostic>> {
    let mut only = OnlyHosts::default();
    if !flag.is_empty() {
        only.hold(HeldBy::Flag, flag.to_vec());
    }
    let Some(process) = world.variables.get(ONLY_HOSTS) else { return Ok(only) };
    let (mut rules, mut findings) = (Vec::new(), Vec::new());
    for entry in process.split(|c: char| c == ',' || c.is_whitespace()).filter(|entry| !entry.is_empty()) {
        match entry.parse::<HostRule>() {
            Ok(rule) => rules.push(rule),
            Err(error) => {
                findings.push(Diagnostic::error(format!("`{entry}` in {ONLY_HOSTS}: {error}")).help(error.hint()));
            }
        }
    }
    if rules.is_empty() && findings.is_empty() {
        // A CI system gives an empty text for a setting that it lacks: whoever relies on one must not get none.
        let finding = Diagnostic::error(format!("{ONLY_HOSTS} is set and names no host"));
        findings.push(finding.help("name the hosts that runs may connect to, separated by commas, or do not set it at all"));
    }
    only.hold(HeldBy::Process, rules);
    if findings.is_empty() { Ok(only) } else { Err(findings) }
}

/// The client of a run that is held to `only`.
///
/// # Errors
/// What stands in its way: a file, the proxy.
pub(super) fn client(
    environment: &Environment,
    (connection, limits): (&ConnectionArgs, &LimitArgs),
    world: &World,
    only: OnlyHosts,
) -> Result<Client, Vec<Diagnostic>> {
    let mut settings = Settings { tls: plan::tls(environment)?, only, ..Settings::default() };
    settings.tls.insecure |= connection.insecure;
    if let Some(limit) = limits.connect_timeout {
        settings.connect_timeout = limit;
    }
    if let Some(body) = limits.max_body {
        settings.limits = Limits { body, ..Limits::default() };
    }
    settings.resolve = connection.resolve.clone();
    let except = || except(connection, &world.variables);
    settings.proxy = match (&connection.proxy, &environment.proxy) {
        (Some(text), _) => Some(Proxy::parse(text, except()).map_err(|error| vec![under_flag(error).finding()])?),
        (None, Some((text, place))) => Some(Proxy::parse(text, except()).map_err(|error| vec![place.error(error.to_string())])?),
        (None, None) => None,
    };
    if let Some(origin) = settings.proxy.as_ref().and_then(Proxy::origin)
        && settings.only.is_held()
    {
        settings.only.check_origin(&origin).map_err(|refusal| {
            let finding = Diagnostic::error(format!("the proxy is refused: {refusal}")).refusal();
            let finding = refusal.hint().into_iter().fold(finding, Diagnostic::help);
            let place = environment.proxy.as_ref().filter(|_| connection.proxy.is_none()).map(|(_, place)| place.clone());
            vec![place.map_or(finding.clone(), |place| finding.at(place))]
        })?;
    }
    Client::new(settings).map_err(|error| vec![error.finding()])
}

/// The hosts that are reached without the proxy. As in curl the flag goes before the variable, and the variable in lower case
/// before the other. Nothing else about connections is read from the process environment.
fn except(connection: &ConnectionArgs, process: &BTreeMap<String, String>) -> Vec<NoProxy> {
    match &connection.noproxy {
        Some(except) => except.clone(),
        None => {
            let list = ["no_proxy", "NO_PROXY"].iter().find_map(|name| process.get(*name));
            list.map(|list| NoProxy::of_process(list)).unwrap_or_default()
        }
    }
}

/// The certificates and the key that the command line names.
pub(super) fn given_tls(connection: &ConnectionArgs, folder: &Path) -> Tls {
    let file = |flag: &Option<PathBuf>| flag.as_ref().map(|path| TlsFile { path: folder.join(path), place: None });
    Tls { ca: file(&connection.cacert), cert: file(&connection.cert), key: file(&connection.key), insecure: None }
}

/// An error about the proxy of the command line, under the name of its flag.
fn under_flag(error: Error) -> Error {
    match error {
        Error::Settings { what: "proxy", reason } => Error::Settings { what: "--proxy", reason },
        error => error,
    }
}
