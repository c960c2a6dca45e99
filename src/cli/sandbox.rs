//! `runner sandbox`: the embedded server alone, until it is interrupted.

use std::io::Write;
use std::path::PathBuf;

use crate::diagnostic::Diagnostic;
use crate::mask::Masker;
use crate::sandbox::{self, Sandbox};
use crate::world::{ColourChoice, World, interrupted};

use super::args::SandboxArgs;
use super::{Diagnostics, Exit, runtime};

/// Runs the sandbox.
pub(super) fn run(mut world: World, args: &SandboxArgs) -> Exit {
    let masker = Masker::new();
    let mut diagnostics = Diagnostics::of(&mut world, ColourChoice::Auto, &masker);
    let settings = sandbox::Settings { state: state(&world), clock: world.clock.clone(), port: args.port };
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
        let _ = world.stdout.write_all(introduction(&server).as_bytes()).and_then(|()| world.stdout.flush());
        let interrupt = interrupted().await;
        server.shutdown().await;
        Exit::Interrupted(interrupt)
    })
}

fn introduction(server: &Sandbox) -> String {
    let url = server.url();
    let id = server.client_id();
    format!(
        "The sandbox runs at {url} until you press Ctrl-C.\n\n\
         api_url        {url}/2.0\n\
         token_url      {url}/oauth2/token\n\
         client_id      {id}\n\
         client_secret  {}\n\n\
         A code to copy (it lives 30 seconds):\n\
         {url}/api/oauth2/authorize?response_type=code&client_id={id}\n",
        server.client_secret().expose()
    )
}

/// The state file in the user's state folder; `None` keeps everything in memory.
fn state(world: &World) -> Option<PathBuf> {
    let variable = |name: &str| world.variables.get(name).filter(|text| !text.is_empty()).map(PathBuf::from);
    let base = variable("XDG_STATE_HOME").or_else(|| variable("HOME").map(|home| home.join(".local/state")))?;
    let folder = base.join("runner");
    std::fs::create_dir_all(&folder).ok()?;
    Some(folder.join("sandbox.local.json"))
}
