//! Keeps what a request stores: the place is looked at before the request is sent, the values are saved before anything else happens.

use url::Url;

use crate::collection::Request;
use crate::diagnostic::{Cause, Diagnostic, Place};
use crate::event::{Problem, ProblemKind};
use crate::store::{Keep, Store, StoreError};
use crate::trust::{Allowed, Origin};

use super::harvest::{Harvest, Taken};
use super::{Run, UnderWay};

impl Run<'_, '_> {
    /// Looks, once a run and before the first request that stores something, whether a save can work: a code or refresh token that
    /// can be used once must not be spent on an answer that can't be kept.
    pub(super) async fn prepare_store(&mut self, request: &Request) -> Result<(), Problem> {
        let (Some(store), Some(first), false) = (self.store, request.stores.first(), self.policy.no_save) else { return Ok(()) };
        if self.prepared {
            return Ok(());
        }
        match store.prepare().await {
            Ok(made) => {
                self.prepared = true;
                if let Some(made) = made {
                    self.notice(&Diagnostic::note(format!("made `{made}`, so that git leaves local files alone")));
                }
                Ok(())
            }
            Err(error) => {
                self.unsaved = true;
                Err(problem(&first.place, store, &error))
            }
        }
    }

    /// A secret from an origin that is not allowed is not stored: a later run would send it elsewhere.
    pub(super) fn refuse_foreign(&mut self, url: &Url, taken: &mut Vec<Taken<'_>>, harvest: &mut Harvest<'_>) {
        if self.policy.no_save || !taken.iter().any(|taken| taken.stored && taken.captured.secret) {
            return;
        }
        if self.gate.may_store_from(url).unwrap_or(false) {
            return;
        }
        let Some(origin) = Origin::of(url) else { return };
        let line = Allowed::line_to_add(&origin);
        taken.retain(|taken| {
            let foreign = taken.stored && taken.captured.secret;
            if foreign {
                let name = &taken.capture.name;
                let diagnostic = taken
                    .capture
                    .place
                    .error(format!("the secret `{name}` was not stored: it came from `{origin}`, which is not allowed"))
                    .help(format!("if it belongs there, add this to the environment: {line}"))
                    .refusal();
                harvest.problems.push(Problem { kind: ProblemKind::Policy, diagnostic });
            }
            !foreign
        });
    }

    /// Saves what was stored, all in one go, before anything else happens with it.
    pub(super) async fn save(&mut self, request: &Request, taken: &[Taken<'_>], harvest: &mut Harvest<'_>) {
        let stored = || taken.iter().filter(|taken| taken.stored);
        let Some(first) = stored().next() else { return };
        if self.policy.no_save {
            if let Some(lost) = stored().find(|taken| taken.capture.name.ends_with("refresh_token")) {
                let name = &lost.capture.name;
                let notice = lost.capture.place.warning(format!("`{name}` is not saved because of `--no-save`"));
                self.notice(&notice.help("a refresh token that can be used once is lost with this run"));
            }
            return;
        }
        let Some(store) = self.store else { return };
        let kept: Vec<Keep<'_>> = stored()
            .map(|taken| Keep { name: &taken.capture.name, value: &taken.captured.value, secret: taken.captured.secret })
            .collect();
        let names = kept.iter().map(|keep| keep.name.to_owned()).collect();
        self.under_way = Some(UnderWay::Save { request: request.full_name(), names });
        let saved = store.keep(&kept).await;
        self.under_way = None;
        match saved {
            Ok(()) => harvest.saved = true,
            Err(error) => {
                self.unsaved = true;
                harvest.problems.push(problem(&first.capture.place, store, &error));
            }
        }
    }
}

fn problem(place: &Place, store: &Store, error: &StoreError) -> Problem {
    let diagnostic = error.finding(store.shown()).at(place.clone()).help("`--no-save` keeps the values of a run in memory only");
    let kind = if diagnostic.cause == Cause::Policy { ProblemKind::Policy } else { ProblemKind::Save };
    Problem { kind, diagnostic }
}
