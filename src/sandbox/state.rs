//! What must outlive the process: the key, and which refresh tokens were spent.
//!
//! A spend is on disk before it is answered. Several processes may share one state file: each re-reads it under the lock before
//! it decides, and everything in it only ever grows (a serial rises, a family is revoked), so what two of them know is joined by
//! taking the greater. When the file can't be written the same facts are kept in memory.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use super::token::{Family, Key, Kind, REFRESH_LIFETIME, Token};
use crate::clock::Timestamp;
use crate::files::lock::{Lock, LockError};
use crate::files::write;

/// How many families are remembered; the file stays below half a megabyte.
const MOST_FAMILIES: usize = 4_096;
/// A larger state file is not ours.
const MOST_BYTES: u64 = 16 * 1024 * 1024;
/// The lock is held for one read and one write; whoever holds it longer than this hangs.
const LOCK_WAIT: Duration = Duration::from_secs(2);

/// What was spent and revoked.
#[derive(Clone, Default)]
pub(super) struct Ledger {
    families: BTreeMap<Family, Entry>,
    /// Of tokens issued up to here families may have been forgotten, so one of an unknown family counts as spent.
    floor: i64,
    changed: bool,
}

/// What becomes of a refresh token that is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Spend {
    /// It was good.
    First,
    /// It was spent before and is good within the grace period.
    Again,
    /// It was spent before: its family is dead.
    Reused,
    /// Its family was dead already, or is forgotten.
    Dead,
}

/// One family of which at least one refresh token was spent, or that was revoked.
#[derive(Clone, Copy, Default, Serialize, Deserialize)]
struct Entry {
    /// How many refresh tokens were spent: the next good one has this serial.
    spent: u32,
    revoked: bool,
    /// When the newest of them was spent first.
    #[serde(default)]
    spent_at: i64,
    /// When something happened last. All tokens of the family were issued by then.
    at: i64,
}

impl Ledger {
    /// Spends a refresh token. One that was spent before kills its family: either the one who holds it or the one who used it
    /// first has stolen it (RFC 9700 §4.14.2). Only the newest spent one is good again, for `grace` seconds.
    pub(super) fn spend(&mut self, token: &Token, grace: i64, now: Timestamp) -> Spend {
        if !self.families.contains_key(&token.family) && token.issued_at.0 <= self.floor {
            return Spend::Dead;
        }
        let entry = self.families.entry(token.family).or_default();
        let next = token.serial.checked_add(1);
        entry.at = entry.at.max(now.0);
        self.changed = true;
        let is_recent = now.0.saturating_sub(entry.spent_at) < grace;
        match next {
            _ if entry.revoked && token.serial >= entry.spent => Spend::Dead,
            Some(next) if token.serial >= entry.spent => {
                (entry.spent, entry.spent_at) = (next, now.0);
                Spend::First
            }
            Some(next) if !entry.revoked && next == entry.spent && is_recent => Spend::Again,
            _ => {
                entry.revoked = true;
                Spend::Reused
            }
        }
    }

    /// Makes all tokens of a family worthless.
    pub(super) fn revoke(&mut self, family: Family, now: Timestamp) {
        let entry = self.families.entry(family).or_default();
        entry.revoked = true;
        entry.at = entry.at.max(now.0);
        self.changed = true;
    }

    /// Whether a token was neither revoked nor spent, as far as its family is known.
    fn knows_as_good(&self, token: &Token) -> bool {
        match self.families.get(&token.family) {
            Some(entry) => !entry.revoked && (token.kind == Kind::Access || token.serial >= entry.spent),
            None => token.kind == Kind::Access || token.issued_at.0 > self.floor,
        }
    }

    /// Learns what another process knows.
    fn join(&mut self, other: &Self) {
        self.floor = self.floor.max(other.floor);
        for (family, theirs) in &other.families {
            let ours = self.families.entry(*family).or_default();
            (ours.spent, ours.spent_at) = (ours.spent, ours.spent_at).max((theirs.spent, theirs.spent_at));
            ours.revoked |= theirs.revoked;
            ours.at = ours.at.max(theirs.at);
        }
    }

    /// Forgets families whose every token has expired, and the oldest of too many.
    fn prune(&mut self, now: Timestamp) {
        let dead = now.0.saturating_sub(REFRESH_LIFETIME);
        self.families.retain(|_, entry| entry.at > dead);
        let surplus = self.families.len().saturating_sub(MOST_FAMILIES);
        if surplus > 0 {
            let mut ages: Vec<i64> = self.families.values().map(|entry| entry.at).collect();
            ages.sort_unstable();
            let oldest = ages.get(surplus - 1).copied().unwrap_or_default();
            self.families.retain(|_, entry| entry.at > oldest);
            self.floor = self.floor.max(oldest);
        }
    }
}

/// The state file's text.
#[derive(Serialize, Deserialize)]
struct Stored {
    key: String,
    #[serde(default)]
    floor: i64,
    #[serde(default)]
    families: BTreeMap<String, Entry>,
}

fn to_text(key: &Key, ledger: &Ledger) -> io::Result<Vec<u8>> {
    let stored = Stored {
        key: key.to_text().expose().to_owned(),
        floor: ledger.floor,
        families: ledger.families.iter().map(|(family, entry)| (family.to_text(), *entry)).collect(),
    };
    let mut text = serde_json::to_vec_pretty(&stored)?;
    text.push(b'\n');
    Ok(text)
}

fn from_text(text: &[u8]) -> Option<(Key, Ledger)> {
    let stored: Stored = serde_json::from_slice(text).ok()?;
    let families = stored.families.iter().filter_map(|(name, entry)| Some((Family::from_text(name)?, *entry))).collect();
    Some((Key::from_text(&stored.key)?, Ledger { families, floor: stored.floor, changed: false }))
}

/// Another process holds the lock of the state file and does not let go.
pub(super) struct Busy;

/// The ledger, and the file that it is kept in.
pub(super) struct Keeper {
    key: Key,
    ledger: Ledger,
    file: Option<StateFile>,
}

struct StateFile {
    path: PathBuf,
    lock: PathBuf,
    /// How long another process may keep the lock before the answer is that it hangs.
    wait: Duration,
    /// What the file was like when it was last read.
    seen: Option<(SystemTime, u64)>,
}

impl Keeper {
    /// Takes key and ledger from the file at `path`, or makes both new. A file that can't be read as a state file is replaced.
    ///
    /// # Errors
    /// The system has no random numbers to give.
    pub(super) fn open(path: Option<PathBuf>, now: Timestamp) -> io::Result<Self> {
        let new = Key::random()?;
        let Some(path) = path else { return Ok(Self { key: new, ledger: Ledger::default(), file: None }) };
        let mut file = StateFile { lock: path.with_extension("lock"), path, wait: LOCK_WAIT, seen: None };
        // Without the lock a whole file is still read; only a new one could lose against that of another process.
        let lock = Lock::acquire_blocking(&file.lock, file.wait);
        let (key, ledger) = match file.read() {
            Some(known) => known,
            None => (new, Ledger::default()),
        };
        let mut keeper = Self { key, ledger, file: Some(file) };
        if keeper.file.as_ref().is_some_and(|file| file.seen.is_none()) {
            match lock {
                Ok(_) => keeper.save(now),
                Err(_) => keeper.file = None,
            }
        }
        Ok(keeper)
    }

    /// The key that signs.
    pub(super) fn key(&self) -> &Key {
        &self.key
    }

    /// What is known now, by any process.
    fn ledger(&mut self) -> &Ledger {
        if self.file.as_ref().is_some_and(|file| file.stamp() != file.seen) {
            self.learn();
        }
        &self.ledger
    }

    /// The token in `text`, when it would be taken now.
    pub(super) fn good(&mut self, text: &str, now: Timestamp) -> Option<Token> {
        let token = self.key.read(text)?;
        (!token.is_expired(now) && self.ledger().knows_as_good(&token)).then_some(token)
    }

    /// Lets `change` decide on the newest state, and has it on disk when it returns.
    ///
    /// # Errors
    /// Nothing was decided, because another process keeps the lock.
    pub(super) fn change<T>(&mut self, now: Timestamp, change: impl FnOnce(&mut Ledger) -> T) -> Result<T, Busy> {
        let lock = match self.file.as_ref().map(|file| Lock::acquire_blocking(&file.lock, file.wait)) {
            Some(Err(LockError::Held(_))) => return Err(Busy),
            Some(Ok(lock)) => Some(lock),
            Some(Err(LockError::Io(_))) | None => None,
        };
        self.learn();
        self.ledger.changed = false;
        let done = change(&mut self.ledger);
        if self.ledger.changed {
            self.ledger.prune(now);
            if lock.is_some() {
                self.save(now);
            }
        }
        Ok(done)
    }

    /// Reads what others wrote. A file with another key is another sandbox's by now: ours goes on without a file.
    fn learn(&mut self) {
        let Some(file) = &mut self.file else { return };
        match file.read() {
            Some((key, theirs)) if key.is(&self.key) => self.ledger.join(&theirs),
            Some(_) => self.file = None,
            None => {}
        }
    }

    /// Writes the file; whoever calls holds the lock. What can't be written stays in memory.
    fn save(&mut self, now: Timestamp) {
        self.ledger.prune(now);
        let Some(file) = &mut self.file else { return };
        let written = to_text(&self.key, &self.ledger).and_then(|text| write::replace_private(&file.path, &text));
        if written.is_ok() {
            file.seen = file.stamp();
        }
    }
}

impl StateFile {
    fn read(&mut self) -> Option<(Key, Ledger)> {
        let stamp = self.stamp()?;
        let mut text = Vec::new();
        File::open(&self.path).ok()?.take(MOST_BYTES).read_to_end(&mut text).ok()?;
        let known = from_text(&text)?;
        self.seen = Some(stamp);
        Some(known)
    }

    /// Tells one version of the file from another. Two within one tick of the file system's clock differ in length, save for
    /// the count of a spend, and a spend is only ever decided on what was read under the lock.
    fn stamp(&self) -> Option<(SystemTime, u64)> {
        stamp(&self.path)
    }
}

fn stamp(path: &Path) -> Option<(SystemTime, u64)> {
    let facts = std::fs::metadata(path).ok()?;
    // Anything else, a pipe for one, could block the reader.
    if !facts.is_file() {
        return None;
    }
    Some((facts.modified().ok()?, facts.len()))
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "a test makes its files by itself")]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::super::terms::Terms;
    use super::super::testing::{Desk, pair};
    use super::super::token::Mint;
    use super::*;

    const START: Timestamp = Timestamp(1_800_000_000);

    fn place() -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(".dev.sandbox.local.json");
        (folder, path)
    }

    #[test]
    fn tokens_outlive_the_process_and_so_does_the_memory_of_what_was_spent() {
        let (_folder, path) = place();
        let mut first = Desk::open(Some(path.clone()));
        let (_, spent) = first.log_in();
        let (access, fresh) = pair(&first.refresh(&spent));
        let client = first.core.client.id.clone();
        drop(first);

        let mut second = Desk::open(Some(path.clone()));
        assert_eq!(second.core.client.id, client);
        assert_eq!(second.get("/2.0/users/me", &access).status, 200);
        let (access, fresh) = pair(&second.refresh(&fresh));
        assert_eq!(second.refresh(&spent).status, 400);

        let mut third = Desk::open(Some(path));
        assert_eq!(third.get("/2.0/users/me", &access).status, 401);
        assert_eq!(third.refresh(&fresh).status, 400);
    }

    #[test]
    fn two_processes_with_one_file_know_what_the_other_spent() {
        let (_folder, path) = place();
        let (mut one, mut two) = (Desk::open(Some(path.clone())), Desk::open(Some(path)));
        let ((access, token), (_, other)) = (one.log_in(), one.log_in());
        assert_eq!(two.get("/2.0/users/me", &access).status, 200);
        assert_eq!(one.refresh(&token).status, 200);
        assert_eq!(two.refresh(&other).status, 200);
        assert_eq!(one.refresh(&other).status, 400);
        assert_eq!(two.refresh(&token).status, 400);
        assert_eq!(one.get("/2.0/users/me", &access).status, 401, "revoked by the other process");
    }

    #[test]
    fn the_file_is_private_and_holds_no_token() {
        let (folder, path) = place();
        let mut desk = Desk::open(Some(path.clone()));
        let (_, token) = desk.log_in();
        let (_, fresh) = pair(&desk.refresh(&token));
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let text = fs::read_to_string(&path).unwrap();
        assert!(!text.contains(&token) && !text.contains(&fresh) && !text.contains(desk.core.client.secret.expose()));
        let mut names: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        assert_eq!(names, [".dev.sandbox.local.json", ".dev.sandbox.local.lock"]);
    }

    #[test]
    fn a_file_that_is_none_is_made_anew() {
        for text in ["", "{", "[]", r#"{"key": "short"}"#, "\u{0}"] {
            let (_folder, path) = place();
            fs::write(&path, text).unwrap();
            let (_, token) = Desk::open(Some(path.clone())).log_in();
            assert_eq!(Desk::open(Some(path)).refresh(&token).status, 200, "{text}");
        }
    }

    #[test]
    fn without_a_place_to_write_all_is_kept_in_memory() {
        let (folder, _) = place();
        for path in [folder.path().join("missing/state.json"), folder.path().to_owned()] {
            let mut desk = Desk::open(Some(path));
            let (_, token) = desk.log_in();
            let (_, fresh) = pair(&desk.refresh(&token));
            assert_eq!(desk.refresh(&token).status, 400);
            assert_eq!(desk.refresh(&fresh).status, 400);
        }
    }

    #[test]
    fn a_file_with_another_key_is_left_alone() {
        let (_folder, path) = place();
        let mut desk = Desk::open(Some(path.clone()));
        fs::remove_file(&path).unwrap();
        drop(Desk::open(Some(path.clone())));
        let others = fs::read(&path).unwrap();
        let (_, token) = desk.log_in();
        assert_eq!(desk.refresh(&token).status, 200);
        assert_eq!(desk.refresh(&token).status, 400);
        assert_eq!(fs::read(&path).unwrap(), others);
    }

    #[test]
    fn a_lock_that_is_not_let_go_is_told_and_nothing_is_spent() {
        let (folder, path) = place();
        let mut desk = Desk::open(Some(path));
        let (_, token) = desk.log_in();
        let lock = Lock::acquire_blocking(&folder.path().join(".dev.sandbox.local.lock"), LOCK_WAIT).unwrap();
        desk.core.keeper.file.as_mut().unwrap().wait = Duration::ZERO;
        assert_eq!(desk.refresh(&token).refusal().1, "temporarily_unavailable");
        drop(lock);
        assert_eq!(desk.refresh(&token).status, 200);
    }

    #[test]
    fn the_ledger_forgets_what_has_expired_and_never_lets_a_spent_token_back() {
        let mut mint = Mint::new(Key::random().unwrap()).unwrap();
        let mut ledger = Ledger::default();
        let mut token = |at: i64| {
            let issued_at = Timestamp(START.0 + at);
            Token { issued_at, ..Token::new(Kind::Refresh, mint.family(), Terms::default()) }
        };
        let old = token(0);
        assert_eq!(ledger.spend(&old, 0, START), Spend::First);
        ledger.prune(Timestamp(START.0 + REFRESH_LIFETIME - 1));
        assert_eq!(ledger.families.len(), 1);
        ledger.prune(Timestamp(START.0 + REFRESH_LIFETIME));
        assert_eq!(ledger.families.len(), 0);

        let many: Vec<Token> = (0..5_000).map(&mut token).collect();
        for spent in &many {
            assert_eq!(ledger.spend(spent, 0, spent.issued_at), Spend::First);
        }
        ledger.prune(START);
        assert_eq!(ledger.families.len(), MOST_FAMILIES);
        assert!(many.iter().all(|spent| ledger.spend(spent, 0, Timestamp(START.0 + 5_000)) != Spend::First));
        assert_eq!(ledger.spend(&token(5_000), 0, Timestamp(START.0 + 5_000)), Spend::First);
    }
}
