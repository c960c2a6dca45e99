//! Advisory locks between processes: a file of its own that is never renamed.
//!
//! The kernel gives the lock back when its holder ends, however it ends, so a killed process delays nobody. A second handle of
//! one process is locked out like any other process. Where the file system has no locks (some network mounts answer ENOLCK),
//! there is none to be had, and that is an error: what is kept without one may be lost.

use std::fmt;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use rustix::fs::OFlags;

use super::read::same;

/// The pauses between two attempts grow from the first to the second.
const PAUSES: (Duration, Duration) = (Duration::from_millis(5), Duration::from_millis(50));

/// A lock that is held until it is dropped (or the process dies).
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

/// Why a lock could not be had.
#[derive(Debug)]
pub enum LockError {
    /// Another process held it for longer than the wait; its process id where known.
    Held(Option<u32>),
    /// The lock file can't be opened.
    Io(io::Error),
}

impl fmt::Display for LockError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Held(Some(process)) => write!(f, "held by process {process}"),
            Self::Held(None) => f.write_str("held by another process"),
            Self::Io(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for LockError {}

impl From<io::Error> for LockError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl Lock {
    /// Takes the lock at `path` (made when missing, mode 0600), waiting at most `wait`; the thread is free meanwhile.
    ///
    /// # Errors
    /// See [`LockError`].
    pub async fn acquire(path: &Path, wait: Duration) -> Result<Self, LockError> {
        let mut pauses = Pauses::within(wait);
        loop {
            match (Self::attempt(path), pauses.next()) {
                (Err(LockError::Held(_)), Some(pause)) => tokio::time::sleep(pause).await,
                (decided, _) => return decided,
            }
        }
    }

    /// Like [`Lock::acquire`], but blocks its thread.
    ///
    /// # Errors
    /// See [`LockError`].
    pub fn acquire_blocking(path: &Path, wait: Duration) -> Result<Self, LockError> {
        let mut pauses = Pauses::within(wait);
        loop {
            match (Self::attempt(path), pauses.next()) {
                (Err(LockError::Held(_)), Some(pause)) => thread::sleep(pause),
                (decided, _) => return decided,
            }
        }
    }

    /// Takes the lock at `path` if it is free now.
    ///
    /// # Errors
    /// See [`LockError`].
    pub fn attempt(path: &Path) -> Result<Self, LockError> {
        loop {
            let mut file = open(path)?;
            match try_lock(&file) {
                Ok(()) if stands_at(&file, path)? => {
                    sign(&mut file)?;
                    return Ok(Self { _file: file });
                }
                // Someone cleaned the folder between the two steps: this lock is on a file that nobody else will open.
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Err(LockError::Held(holder(&mut file))),
                Err(TryLockError::Error(error)) => return Err(error.into()),
            }
        }
    }
}

/// The pauses between attempts, until the wait is over.
struct Pauses {
    end: Instant,
    next: Duration,
}

impl Pauses {
    fn within(wait: Duration) -> Self {
        Self { end: Instant::now() + wait, next: PAUSES.0 }
    }
}

impl Iterator for Pauses {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        let left = self.end.checked_duration_since(Instant::now()).filter(|left| !left.is_zero())?;
        let pause = self.next;
        self.next = (pause * 2).min(PAUSES.1);
        Some(pause.min(left))
    }
}

fn try_lock(file: &File) -> Result<(), TryLockError> {
    loop {
        match file.try_lock() {
            Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Interrupted => {}
            decided => return decided,
        }
    }
}

fn open(path: &Path) -> io::Result<File> {
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY;
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).mode(0o600);
    let file = options.custom_flags(flags.bits().cast_signed()).open(path)?;
    if file.metadata()?.is_file() {
        return Ok(file);
    }
    Err(io::Error::new(io::ErrorKind::InvalidInput, "the lock is not a regular file"))
}

fn stands_at(file: &File, path: &Path) -> io::Result<bool> {
    match fs::symlink_metadata(path) {
        Ok(there) => Ok(same(&file.metadata()?, &there)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Writes this process's id into the lock, for the message of those who wait in vain.
fn sign(file: &mut File) -> io::Result<()> {
    file.set_len(0)?;
    file.write_all(format!("{}\n", std::process::id()).as_bytes())
}

/// The process id in the lock; best effort, since its holder may be about to write it.
fn holder(file: &mut File) -> Option<u32> {
    let mut text = String::new();
    file.seek(SeekFrom::Start(0)).ok()?;
    file.take(16).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt, symlink};
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[test]
    fn a_held_lock_is_refused_by_name_and_free_again_after_its_guard() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(".dev.local.lock");
        let first = Lock::attempt(&path).unwrap();
        let refused = Lock::acquire_blocking(&path, Duration::from_millis(1)).unwrap_err();
        assert_eq!(refused.to_string(), format!("held by process {}", std::process::id()));
        drop(first);
        drop(Lock::attempt(&path).unwrap());
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn one_holder_at_a_time_and_everyone_gets_a_turn() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(".dev.local.lock");
        let (inside, turns) = (AtomicU32::new(0), AtomicU32::new(0));
        thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    let _lock = Lock::acquire_blocking(&path, Duration::from_secs(60)).unwrap();
                    assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0);
                    thread::sleep(Duration::from_millis(1));
                    assert_eq!(inside.fetch_sub(1, Ordering::SeqCst), 1);
                    turns.fetch_add(1, Ordering::SeqCst);
                });
            }
        });
        assert_eq!(turns.into_inner(), 8);
    }

    #[tokio::test]
    async fn who_waits_for_a_lock_leaves_the_thread_to_others() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(".dev.local.lock");
        let held = Lock::attempt(&path).unwrap();
        let give_back = async {
            tokio::task::yield_now().await;
            drop(held);
        };
        let (taken, ()) = tokio::join!(Lock::acquire(&path, Duration::from_secs(60)), give_back);
        drop(taken.unwrap());
        let _held = Lock::attempt(&path).unwrap();
        let refused = Lock::acquire(&path, Duration::from_millis(1)).await.unwrap_err();
        assert_eq!(refused.to_string(), format!("held by process {}", std::process::id()));
    }

    #[test]
    fn a_lock_file_that_was_removed_does_not_let_two_in() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(".dev.local.lock");
        let orphan = open(&path).unwrap();
        fs::remove_file(&path).unwrap();
        assert!(!stands_at(&orphan, &path).unwrap());
        let _held = Lock::attempt(&path).unwrap();
        assert!(!stands_at(&orphan, &path).unwrap());
    }

    #[test]
    fn a_place_that_can_hold_no_lock_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::create_dir(at("folder")).unwrap();
        symlink("elsewhere", at("link")).unwrap();
        for name in ["folder", "link", "missing/lock"] {
            assert!(matches!(Lock::attempt(&at(name)), Err(LockError::Io(_))), "{name}");
        }
        assert!(!at("elsewhere").exists());
    }
}
