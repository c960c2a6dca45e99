//! From arguments to a checked plan; shared by the commands that read collections.

use std::collections::BTreeMap;

use crate::diagnostic::Diagnostic;
use crate::environment::Tls;
use crate::mask::Masker;
use crate::plan::{self, Inputs, Plan, Rules};
use crate::trust::HostRule;
use crate::world::{Interrupt, World};

use super::args::PlanArgs;
use super::given::{self, Asking, Refused};
use super::{Diagnostics, Exit};

/// What the commands change about the checks.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Wishes<'w> {
    /// `--no-save`.
    pub(super) no_save: bool,
    /// `--fresh-token`.
    pub(super) fresh_token: bool,
    /// Who is asked for a secret.
    pub(super) asking: Asking,
    /// What is said about TLS.
    pub(super) tls: Option<&'w Tls>,
    /// Whether a run without an environment is an open question and no mistake.
    pub(super) open: bool,
    /// `--allow-host`.
    pub(super) allow_host: &'w [HostRule],
}

/// Loads and checks everything; warnings are told at once.
pub(super) fn plan(
    args: &PlanArgs,
    world: &World,
    wishes: Wishes<'_>,
    masker: &Masker,
    diagnostics: &mut Diagnostics,
) -> Result<Plan, Exit> {
    let mut warnings = Vec::new();
    let given = given::collect(&args.values, world, wishes.asking, masker, &mut warnings).map_err(|refused| match refused {
        Refused::Findings(findings) => diagnostics.stop(&findings),
        Refused::Interrupted => Exit::Interrupted(Interrupt::Keyboard),
    })?;
    let inputs = Inputs {
        paths: &args.collections,
        environment: args.values.env.as_deref(),
        root: args.values.root.as_deref(),
        given: &given,
        tls: wishes.tls,
        folder: &world.folder,
        masker,
    };
    let mut plan = plan::build(&inputs, world.clock.clone()).map_err(|findings| diagnostics.stop(&findings))?;
    if wishes.fresh_token {
        // The stored secrets stay known to the masker; they are only not used.
        plan.environment.stored.clear();
    }
    warnings.append(&mut plan.warnings);
    check(&plan, &world.variables, masker, wishes).map_err(|findings| {
        diagnostics.tell(&warnings);
        diagnostics.stop(&findings)
    })?;
    diagnostics.tell(&warnings);
    Ok(plan)
}

fn check(plan: &Plan, process: &BTreeMap<String, String>, masker: &Masker, wishes: Wishes<'_>) -> Result<(), Vec<Diagnostic>> {
    let open = wishes.open && plan.environment.files.is_none();
    plan::validate(
        plan,
        process,
        masker,
        Rules { no_save: wishes.no_save, open, run: !wishes.open, allow_host: wishes.allow_host },
    )
}
