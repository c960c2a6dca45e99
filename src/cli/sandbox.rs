//! `runner sandbox`: the embedded server alone, until it is interrupted.

use std::fs::File;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use crate::diagnostic::Diagnostic;
use crate::mask::Masker;
use crate::sandbox::{self, ENTERPRISE, Options, PublicKey, Sandbox};
use crate::world::{ColourChoice, World, interrupted};

use super::args::SandboxArgs;
use super::{Diagnostics, Exit, runtime};

/// Runs the sandbox.
pub(super) fn run(mut world: World, args: &SandboxArgs) -> Exit {
    let masker = Masker::new();
    let mut diagnostics = Diagnostics::of(&mut world, ColourChoice::Auto, &masker);
    let keys = match args.public_key.iter().map(|path| public_key(path)).collect::<Result<Vec<_>, _>>() {
        Ok(keys) => keys,
        Err(finding) => return diagnostics.stop(&[finding]),
    };
    let ids: Vec<String> = keys.iter().map(|key| key.id().to_owned()).collect();
    let options = Options { grace: args.grace.unwrap_or_default(), keys, faults: args.fault.clone() };
    let settings = sandbox::Settings { state: state(&world), clock: world.clock.clone(), port: args.port, options };
    let runtime = match runtime() {
        Ok(runtime) => runtime,
        Err(finding) => return diagnostics.stop(&[finding]),
    };
    runtime.block_on(async {
        let server = match sandbox::start(settings).await {
            Ok(server) => server,
            Err(error) => {
                let finding = Diagnostic::error(format!("the sandbox could not be started on port {}: {error}", args.port));
                return diagnostics.stop(&[finding.help("choose another port with `--port`, or 0 for any free one")]);
            }
        };
        // These are a sandbox's own values, made to be seen; nothing here is masked.
        let _ = world.stdout.write_all(introduction(&server, &ids).as_bytes()).and_then(|()| world.stdout.flush());
        let interrupt = interrupted().await;
        server.shutdown().await;
        Exit::Interrupted(interrupt)
    })
}

fn introduction(server: &Sandbox, keys: &[String]) -> String {
    let url = server.url();
    let id = server.client_id();
    let keys: String = keys.iter().map(|key| format!("public_key_id  {key}\n")).collect();
    format!(
        "The sandbox runs at {url} until you press Ctrl-C.\n\n\
         api_url        {url}/2.0\n\
         issuer         {url}\n\
         token_url      {url}/oauth2/token\n\
         client_id      {id}\n\
         client_secret  {}\n\
         enterprise_id  {ENTERPRISE}\n\
         {keys}\n\
         A code to copy (it lives 30 seconds):\n\
         {url}/api/oauth2/authorize?response_type=code&client_id={id}\n",
        server.client_secret().expose()
    )
}

/// The key in a file; what is wrong with it is told with its name.
fn public_key(path: &Path) -> Result<PublicKey, Diagnostic> {
    /// A larger file holds no key.
    const MOST: u64 = 64 * 1024;
    let shown = path.display();
    let mut text = Vec::new();
    (File::open(path).and_then(|file| file.take(MOST).read_to_end(&mut text)))
        .map_err(|error| Diagnostic::error(format!("the public key `{shown}` could not be read: {error}")))?;
    PublicKey::read(&text).map_err(|error| Diagnostic::error(format!("`{shown}` is no public key for the sandbox: {error}")))
}

/// The state file in the user's state folder; `None` keeps everything in memory.
fn state(world: &World) -> Option<PathBuf> {
    let variable = |name: &str| world.variables.get(name).filter(|text| !text.is_empty()).map(PathBuf::from);
    let base = variable("XDG_STATE_HOME").or_else(|| variable("HOME").map(|home| home.join(".local/state")))?;
    let folder = base.join("runner");
    std::fs::create_dir_all(&folder).ok()?;
    Some(folder.join("sandbox.local.json"))
}
