//! The arguments as clap reads them; types only.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{ArgAction, Args as ClapArgs, CommandFactory, Parser, Subcommand, ValueEnum};

use crate::diagnostic::{Diagnostic, nearest};
use crate::http::{Fixed, NoProxy};
use crate::sandbox::Fault;
use crate::trust::HostRule;
use crate::world::ColourChoice;
use crate::yaml::parse_duration;

use super::auth::AuthCommand;
use super::env::EnvCommand;

/// The command that is meant when none is named.
const DEFAULT: &str = "run";
const COMMANDS: [&str; 8] = ["run", "check", "list", "env", "explain", "auth", "sandbox", "help"];

const USAGE: &str = "runner [run] <COLLECTION>... [--env NAME] [OPTIONS]\n       runner <COMMAND>";

const AFTER: &str = "\
Exit codes:
  0  all passed
  1  an assertion or capture failed, or a value was missing
  2  wrong usage or input; nothing was sent
  3  no answer: DNS, connection, TLS, timeout
  4  no token to be had
  5  a value could not be saved
  6  refused by policy
  129, 130, 143  interrupted";

/// Run collections of API requests kept as YAML files; OAuth tokens take care of themselves.
#[derive(Debug, Parser)]
#[command(name = "runner", version, override_usage = USAGE, after_help = AFTER, subcommand_required = true, arg_required_else_help = true)]
pub(super) struct Args {
    #[command(subcommand)]
    pub(super) command: Command,
}

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Run collections (the default command)
    Run(Box<RunArgs>),
    /// Find every mistake, send nothing
    Check(CheckArgs),
    /// Show requests, their tags and the variables they need
    List(CheckArgs),
    /// Show environments and their values, and keep your own values in them
    #[command(subcommand)]
    Env(EnvCommand),
    /// Show where each value of a request comes from and where its secrets may go
    Explain(ExplainArgs),
    /// Tokens of an environment's logins
    #[command(subcommand)]
    Auth(AuthCommand),
    /// Run the embedded server alone
    Sandbox(SandboxArgs),
}

#[derive(Debug, ClapArgs)]
pub(super) struct RunArgs {
    #[command(flatten)]
    pub(super) plan: PlanArgs,
    #[command(flatten)]
    pub(super) limits: LimitArgs,
    /// The limit on the whole run: what is not sent by then is skipped
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub(super) run_timeout: Option<Duration>,
    /// Show what would be sent, send nothing
    #[arg(long)]
    pub(super) dry_run: bool,
    /// Keep stored values in memory only
    #[arg(long)]
    pub(super) no_save: bool,
    /// Start as if nothing were stored
    #[arg(long)]
    pub(super) fresh_token: bool,
    /// Never ask, never open a browser
    #[arg(long)]
    pub(super) non_interactive: bool,
    /// Allow secrets to go to a further host (`upload.box.com`, `host:port`, `*.boxcloud.com`)
    #[arg(long, value_name = "HOST", value_delimiter = ',')]
    pub(super) allow_host: Vec<HostRule>,
    /// Connect to this host and no other, with or without secrets (also RUNNER_ONLY_HOSTS)
    #[arg(long, value_name = "HOST", value_delimiter = ',')]
    pub(super) only_host: Vec<HostRule>,
    #[command(flatten)]
    pub(super) connection: ConnectionArgs,
    /// Show heads of requests and answers (-vv: bodies too)
    #[arg(short, long, action = ArgAction::Count, conflicts_with = "quiet")]
    pub(super) verbose: u8,
    /// Show failures only
    #[arg(short, long)]
    pub(super) quiet: bool,
}

/// What one exchange may take.
#[derive(Debug, ClapArgs)]
pub(super) struct LimitArgs {
    /// The limit on every exchange, before what a collection says (`500ms`, `30s`, `2m`; a bare number is seconds)
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub(super) timeout: Option<Duration>,
    /// The limit on connecting [default: 10s]
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub(super) connect_timeout: Option<Duration>,
    /// The largest answer, decoded (`10MB`, `64MiB`) [default: 64MiB]
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub(super) max_body: Option<usize>,
}

/// How connections are made; the names are curl's.
#[derive(Debug, ClapArgs)]
pub(super) struct ConnectionArgs {
    /// Accept any certificate
    #[arg(short = 'k', long)]
    pub(super) insecure: bool,
    /// Trust these certificates too (PEM)
    #[arg(long, value_name = "FILE")]
    pub(super) cacert: Option<PathBuf>,
    /// The client's certificate (PEM)
    #[arg(long, value_name = "FILE", requires = "key")]
    pub(super) cert: Option<PathBuf>,
    /// The client's key (PEM)
    #[arg(long, value_name = "FILE", requires = "cert")]
    pub(super) key: Option<PathBuf>,
    /// Send everything through a proxy (`http`, `https`, `socks5`, `socks5h`)
    #[arg(long, value_name = "URL")]
    pub(super) proxy: Option<String>,
    /// Hosts that are reached without the proxy, separated by commas; in place of NO_PROXY
    #[arg(long, value_name = "HOSTS", value_delimiter = ',')]
    pub(super) noproxy: Option<Vec<NoProxy>>,
    /// Use this address for a host (`HOST:ADDRESS`, or for one port `HOST:PORT:ADDRESS`)
    #[arg(long, value_name = "HOST:ADDRESS", value_parser = resolve)]
    pub(super) resolve: Vec<Fixed>,
}

#[derive(Debug, ClapArgs)]
pub(super) struct CheckArgs {
    #[command(flatten)]
    pub(super) plan: PlanArgs,
}

/// What every command that reads collections takes.
#[derive(Debug, ClapArgs)]
pub(super) struct PlanArgs {
    /// Collection files, or folders of them
    #[arg(required = true, value_name = "COLLECTION")]
    pub(super) collections: Vec<PathBuf>,
    #[command(flatten)]
    pub(super) values: ValueArgs,
}

/// Where values come from, and what every command takes that reads them.
#[derive(Debug, Clone, ClapArgs)]
pub(super) struct ValueArgs {
    /// The environment: a name, or the path of its file
    #[arg(short, long = "env", value_name = "NAME|PATH", alias = "environment")]
    pub(super) env: Option<String>,
    /// A variable for this run (also RUNNER_VAR_NAME)
    #[arg(long, value_name = "NAME=VALUE", aliases = ["env-var", "variable"])]
    pub(super) var: Vec<String>,
    /// Ask for a secret, or take it from RUNNER_SECRET_NAME
    #[arg(long, value_name = "NAME")]
    pub(super) secret: Vec<String>,
    /// The project root, below which collections may read files
    #[arg(long, value_name = "DIR")]
    pub(super) root: Option<PathBuf>,
    /// Colour in the output
    #[arg(long, value_name = "WHEN", default_value = "auto")]
    pub(super) color: Colour,
}

#[derive(Debug, ClapArgs)]
pub(super) struct ExplainArgs {
    /// The collection; `FILE:LINE` also names the request
    #[arg(value_name = "COLLECTION")]
    pub(super) collection: PathBuf,
    /// The request: its name, the start of it, `Group / Name`, or `FILE:LINE`
    #[arg(value_name = "REQUEST")]
    pub(super) request: Option<String>,
    #[command(flatten)]
    pub(super) values: ValueArgs,
    /// Allow secrets to go to a further host, as in a run
    #[arg(long, value_name = "HOST")]
    pub(super) allow_host: Vec<HostRule>,
}

#[derive(Debug, ClapArgs)]
pub(super) struct SandboxArgs {
    /// The port on 127.0.0.1 (0: any free one)
    #[arg(long, default_value_t = 0)]
    pub(super) port: u16,
    /// Faults of the token endpoint, in turn: slow=500ms, drop, 500, 429, expire=60, ok
    #[arg(long, value_name = "FAULT", value_delimiter = ',')]
    pub(super) fault: Vec<Fault>,
    /// A public key (PEM or JWK) that assertions may be signed with
    #[arg(long, value_name = "FILE")]
    pub(super) public_key: Vec<PathBuf>,
    /// How long a spent refresh token is still good
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub(super) grace: Option<Duration>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum Colour {
    Auto,
    Always,
    Never,
}

impl From<Colour> for ColourChoice {
    fn from(colour: Colour) -> Self {
        match colour {
            Colour::Auto => Self::Auto,
            Colour::Always => Self::Always,
            Colour::Never => Self::Never,
        }
    }
}

/// The arguments with the default command put in where none is named.
pub(super) fn with_command(arguments: &[OsString]) -> Vec<OsString> {
    let mut arguments = arguments.to_vec();
    if let Some(first) = arguments.get(1).and_then(|first| first.to_str())
        && !COMMANDS.contains(&first)
        && !matches!(first, "-h" | "--help" | "-V" | "--version")
    {
        arguments.insert(1, DEFAULT.into());
    }
    arguments
}

/// What to say of a first argument that is no file and nearly a command: `runner chekc a.yaml`.
pub(super) fn misspelt_command(arguments: &[OsString], folder: &Path) -> Option<Diagnostic> {
    let first = arguments.get(1)?.to_str()?;
    if first.starts_with('-') || COMMANDS.contains(&first) || folder.join(first).exists() {
        return None;
    }
    let near = nearest(first, COMMANDS)?;
    let finding = Diagnostic::error(format!("`{first}` is no command, and no collection of that name exists"));
    Some(finding.help(format!("did you mean `{near}`?")))
}

/// `error` with the nearest flag of the command, where clap finds none: it does not see that `--evn` is `--env`.
pub(super) fn with_suggestion(mut error: clap::Error, arguments: &[OsString]) -> clap::Error {
    let Some(ContextValue::String(unknown)) = error.get(ContextKind::InvalidArg) else { return error };
    if error.kind() != ErrorKind::UnknownArgument || error.get(ContextKind::SuggestedArg).is_some() {
        return error;
    }
    let command = Args::command();
    let word = |at: usize| arguments.get(at).and_then(|word| word.to_str());
    let named = word(1).and_then(|name| command.find_subcommand(name));
    let named = named.map(|outer| word(2).and_then(|name| outer.find_subcommand(name)).unwrap_or(outer));
    let flags: Vec<&str> =
        named.into_iter().flat_map(|command| command.get_arguments()).filter_map(|arg| arg.get_long()).collect();
    let word = unknown.trim_start_matches('-').split('=').next().unwrap_or_default();
    if let Some(near) = nearest(word, flags) {
        let suggestion = ContextValue::String(format!("--{near}"));
        error.remove(ContextKind::Suggested);
        error.insert(ContextKind::SuggestedArg, suggestion);
    }
    error
}

/// A duration of the command line: a bare number is seconds.
fn duration(text: &str) -> Result<Duration, String> {
    let found = match text.parse::<f64>() {
        Ok(seconds) => Duration::try_from_secs_f64(seconds).ok(),
        Err(_) => parse_duration(text),
    };
    match found {
        Some(duration) if duration.is_zero() => Err("it must be longer than nothing".to_owned()),
        Some(duration) => Ok(duration),
        None => Err("expected a duration such as `500ms`, `30s` or `2m`".to_owned()),
    }
}

/// A number of bytes: `1000`, `10kB`, `64MiB`.
fn size(text: &str) -> Result<usize, String> {
    const UNITS: [(&str, usize); 9] = [
        ("KiB", 1 << 10),
        ("MiB", 1 << 20),
        ("GiB", 1 << 30),
        ("kB", 1000),
        ("KB", 1000),
        ("MB", 1_000_000),
        ("GB", 1_000_000_000),
        ("B", 1),
        ("", 1),
    ];
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let factor = UNITS.iter().find(|(name, _)| *name == unit.trim()).map(|(_, factor)| *factor);
    number
        .parse::<usize>()
        .ok()
        .and_then(|number| number.checked_mul(factor?))
        .ok_or_else(|| "expected a size such as `1000`, `10MB` or `64MiB`".to_owned())
}

/// `HOST:ADDRESS,…`, for one port `HOST:PORT:ADDRESS,…`; the host may be `*`.
fn resolve(text: &str) -> Result<Fixed, String> {
    const EXPECTED: &str = "expected `HOST:ADDRESS` or `HOST:PORT:ADDRESS`, such as `api.example.com:443:127.0.0.1`";
    let addresses = |text: &str| {
        let bare = |text: &str| text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text).parse().ok();
        text.split(',').map(|text| bare(text.trim())).collect::<Option<Vec<_>>>()
    };
    let (host, rest) = text.split_once(':').ok_or(EXPECTED)?;
    let host = match host {
        "*" => "*".to_owned(),
        name => match url::Host::parse(name) {
            Ok(url::Host::Domain(name)) => name,
            _ => return Err(EXPECTED.to_owned()),
        },
    };
    let with_port = rest.split_once(':').and_then(|(port, rest)| Some((port.parse::<u16>().ok()?, addresses(rest)?)));
    let (port, addresses) = match with_port {
        Some((port, addresses)) => (Some(port), addresses),
        None => (None, addresses(rest).ok_or(EXPECTED)?),
    };
    let fixed = Fixed { host, port, addresses };
    if fixed.moves_localhost() { Err("`localhost` is always this machine".to_owned()) } else { Ok(fixed) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_and_sizes_are_read_as_people_write_them() {
        assert_eq!(duration("30"), Ok(Duration::from_secs(30)));
        assert_eq!(duration("0.5"), Ok(Duration::from_millis(500)));
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
        assert!(duration("0").is_err() && duration("-1").is_err() && duration("soon").is_err() && duration("1e400").is_err());
        assert_eq!(size("64MiB"), Ok(64 << 20));
        assert_eq!(size("10 kB"), Ok(10_000));
        assert!(size("").is_err() && size("-1").is_err() && size("99999999999999999999").is_err());
    }

    #[test]
    fn addresses_are_fixed_as_in_curl() {
        let fixed = |host: &str, port, addresses: &[&str]| {
            let addresses = addresses.iter().map(|address| address.parse().unwrap()).collect();
            Ok(Fixed { host: host.to_owned(), port, addresses })
        };
        let table = [
            ("A.test:443:[::1]", fixed("a.test", Some(443), &["::1"])),
            ("a.test:443:::1", fixed("a.test", Some(443), &["::1"])),
            ("a.test:127.0.0.1", fixed("a.test", None, &["127.0.0.1"])),
            ("a.test:::1", fixed("a.test", None, &["::1"])),
            ("a.test:443:10.0.0.1,[::1], 10.0.0.2", fixed("a.test", Some(443), &["10.0.0.1", "::1", "10.0.0.2"])),
            ("*:443:10.0.0.1", fixed("*", Some(443), &["10.0.0.1"])),
            ("bücher.example:10.0.0.1", fixed("xn--bcher-kva.example", None, &["10.0.0.1"])),
            ("localhost:127.0.0.9", fixed("localhost", None, &["127.0.0.9"])),
        ];
        for (text, expected) in table {
            assert_eq!(resolve(text), expected, "{text}");
        }
        for text in [
            "a.test",
            "a.test:",
            "a.test:443",
            "a.test:b.test",
            "a.test:443:",
            "a.test:99999:10.0.0.1",
            ":10.0.0.1",
            "10.0.0.1:10.0.0.2",
        ] {
            assert!(resolve(text).unwrap_err().starts_with("expected `HOST:ADDRESS`"), "{text}");
        }
        for text in ["localhost:10.0.0.1", "x.localhost:443:10.0.0.1", "localhost.:127.0.0.1,10.0.0.1"] {
            assert_eq!(resolve(text).unwrap_err(), "`localhost` is always this machine", "{text}");
        }
    }

    #[test]
    fn run_is_the_default_command() {
        let words = |text: &str| text.split(' ').map(OsString::from).collect::<Vec<_>>();
        assert_eq!(with_command(&words("runner a.yaml --env dev")), words("runner run a.yaml --env dev"));
        assert_eq!(with_command(&words("runner --env dev a.yaml")), words("runner run --env dev a.yaml"));
        assert_eq!(with_command(&words("runner check a.yaml")), words("runner check a.yaml"));
        assert_eq!(with_command(&words("runner --help")), words("runner --help"));
        assert_eq!(with_command(&words("runner")), words("runner"));
    }
}
