//! A file is wholly old or wholly new: temporary file in the same folder, fsync, check, rename, fsync of the folder.
//!
//! Up to the rename every step can fail without a trace: the old file is intact, and the temporary file goes away with its
//! handle. Only a killed process leaves one: its name matches the `*.local.*` of `.gitignore` when the file's own name does, so
//! that `git add .` takes no secret, and [`remove_stale`] takes it away.

use std::ffi::OsString;
use std::fmt;
use std::fs::{self, File, Metadata, OpenOptions, Permissions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, Dir, FileType, unlinkat};
use rustix::io::Errno;
use tempfile::NamedTempFile;

/// What stands between the name of a file and the end of its temporary file's name, in characters.
const RANDOM: usize = 6;

/// The end of a temporary file's name.
const STAGED: &str = ".tmp";

/// A name such as the temporary file for `path` has: to ask whether git would take it.
#[must_use]
pub fn staged_like(path: &Path) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    path.with_file_name(format!(".{name}.{}{STAGED}", "x".repeat(RANDOM)))
}

/// Why a checked replacement did not happen.
#[derive(Debug)]
pub enum ReplaceError<E> {
    /// What the file system reports. The old file is intact.
    Io(io::Error),
    /// What was read back is not what was written. The old file is intact.
    Garbled,
    /// The last check did not agree. The old file is intact.
    Check(E),
    /// The new file stands, whole, but a power cut may bring the old one back: the folder could not be synced.
    Unsynced(io::Error),
}

impl<E: fmt::Display> fmt::Display for ReplaceError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) | Self::Unsynced(error) => error.fmt(f),
            Self::Garbled => f.write_str("what was read back is not what was written"),
            Self::Check(error) => error.fmt(f),
        }
    }
}

impl<E: fmt::Debug + fmt::Display> std::error::Error for ReplaceError<E> {}

impl<E> From<io::Error> for ReplaceError<E> {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// Replaces the file at `path` by `bytes`, mode 0600, synced; a stricter old mode is kept. On failure the old file is intact
/// (or, when nothing but the sync of the folder failed, the new one whole) and no temporary file is left.
///
/// # Errors
/// What the file system reports; also when a symbolic link, or anything that is no regular file, stands at `path`.
pub fn replace_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    match replace_checked(path, bytes, || Ok::<(), std::convert::Infallible>(())) {
        Ok(()) => Ok(()),
        Err(ReplaceError::Io(error) | ReplaceError::Unsynced(error)) => Err(error),
        Err(garbled @ ReplaceError::Garbled) => Err(io::Error::new(io::ErrorKind::InvalidData, garbled.to_string())),
        Err(ReplaceError::Check(never)) => match never {},
    }
}

/// Like [`replace_private`], but asks `check` when all is written, synced and read back: the old file still stands, and the
/// rename follows at once.
///
/// # Errors
/// See [`ReplaceError`].
pub fn replace_checked<E>(path: &Path, bytes: &[u8], check: impl FnOnce() -> Result<(), E>) -> Result<(), ReplaceError<E>> {
    let old = old_file(path)?;
    // Opened first: a folder that can't be synced must be known while the old file still stands.
    let folder = File::open(folder_of(path))?;
    let mode = old.as_ref().map_or(0o600, |old| old.permissions().mode() & 0o600);
    let mut new = stage(path, 0o600, bytes)?;
    keep_owner(new.as_file(), old.as_ref());
    new.as_file().set_permissions(Permissions::from_mode(mode))?;
    sync(new.as_file())?;
    if !holds(new.as_file_mut(), bytes)? {
        return Err(ReplaceError::Garbled);
    }
    check().map_err(ReplaceError::Check)?;
    new.persist(path).map_err(|error| error.error)?;
    sync(&folder).map_err(ReplaceError::Unsynced)
}

/// Makes the file at `path`, which must not exist yet, with the mode that the umask leaves; whole and synced. The temporary file
/// is named like one of `beside`, so that whoever tidies there takes it away after a kill.
///
/// # Errors
/// [`io::ErrorKind::AlreadyExists`] when anything stands at `path`, else what the file system reports.
pub fn create_new(path: &Path, text: &str, beside: &Path) -> io::Result<()> {
    // Most runs find it: then nothing is written.
    if fs::symlink_metadata(path).is_ok() {
        return Err(io::ErrorKind::AlreadyExists.into());
    }
    let folder = File::open(folder_of(path))?;
    let new = stage(beside, 0o666, text.as_bytes())?;
    sync(new.as_file())?;
    new.persist_noclobber(path).map_err(|error| error.error)?;
    sync(&folder)
}

/// Makes a temporary file for `path` and takes it away again: whether [`replace_private`] could begin.
///
/// # Errors
/// What the file system reports.
pub fn probe(path: &Path) -> io::Result<()> {
    stage(path, 0o600, b"").map(drop)
}

/// Takes the temporary files for `path` away that killed processes left. To be called only by who holds the lock under which
/// every writer of `path` works: then whoever made them is gone. What can't be taken away is left for the next one.
pub fn remove_stale(path: &Path) {
    let Ok(prefix) = staged_prefix(path) else { return };
    // Not by `read_dir` of the standard library: it panics when a folder does not close well.
    let Ok(folder) = File::open(folder_of(path)) else { return };
    let Ok(entries) = Dir::read_from(&folder) else { return };
    for entry in entries.map_while(Result::ok) {
        let name = entry.file_name();
        let random = name.to_bytes().strip_prefix(prefix.as_bytes()).and_then(|name| name.strip_suffix(STAGED.as_bytes()));
        let is_ours = random.is_some_and(|random| random.len() == RANDOM && random.iter().all(u8::is_ascii_alphanumeric));
        if is_ours && entry.file_type() == FileType::RegularFile {
            let _ = unlinkat(&folder, name, AtFlags::empty());
        }
    }
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// The facts of the file that is to be replaced, if there is one.
fn old_file(path: &Path) -> io::Result<Option<Metadata>> {
    let refused = |why: &str| Err(io::Error::new(io::ErrorKind::InvalidInput, why));
    match fs::symlink_metadata(path) {
        Ok(old) if old.is_symlink() => refused("a symbolic link stands at this path, expected the file itself"),
        Ok(old) if !old.is_file() => refused("what stands at this path is not a regular file"),
        Ok(old) => Ok(Some(old)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// `bytes` in a new file beside `path`; it goes away with the handle.
fn stage(path: &Path, mode: u32, bytes: &[u8]) -> io::Result<NamedTempFile> {
    let prefix = staged_prefix(path)?;
    let mut options = OpenOptions::new();
    options.read(true).write(true).create_new(true).mode(mode);
    // Kept aside, since the crate adds the temporary file's name, which tells nobody anything.
    let mut code = None;
    let make = |path: &Path| options.open(path).inspect_err(|error| code = error.raw_os_error());
    let mut builder = tempfile::Builder::new();
    let made = builder.prefix(&prefix).suffix(STAGED).rand_bytes(RANDOM).make_in(folder_of(path), make);
    let mut file = made.map_err(|error| code.map_or(error, io::Error::from_raw_os_error))?;
    file.as_file_mut().write_all(bytes)?;
    Ok(file)
}

/// What the names of temporary files for `path` start with.
fn staged_prefix(path: &Path) -> io::Result<OsString> {
    let name = path.file_name().ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
    let mut prefix = OsString::from(".");
    prefix.push(name);
    prefix.push(".");
    Ok(prefix)
}

/// A file that root replaces stays its owner's; anyone else can't give files away, and need not.
fn keep_owner(new: &File, old: Option<&Metadata>) {
    let Some(old) = old.filter(|_| rustix::process::geteuid().is_root()) else { return };
    let (owner, group) = (rustix::fs::Uid::from_raw(old.uid()), rustix::fs::Gid::from_raw(old.gid()));
    // Where it can't be done (containers, network file systems) a file of root's is better than a lost token.
    let _ = rustix::fs::fchown(new, Some(owner), Some(group));
}

/// Whether the file holds exactly these bytes.
fn holds(file: &mut File, bytes: &[u8]) -> io::Result<bool> {
    let mut found = Vec::with_capacity(bytes.len() + 1);
    file.seek(SeekFrom::Start(0))?;
    let limit = u64::try_from(bytes.len()).unwrap_or(u64::MAX).saturating_add(1);
    file.take(limit).read_to_end(&mut found)?;
    Ok(found == bytes)
}

fn sync(file: &File) -> io::Result<()> {
    match file.sync_all() {
        // Some network and user space file systems can't sync a folder; there is nothing more to be had from them.
        Err(error) if error.raw_os_error() == Some(Errno::INVAL.raw_os_error()) => Ok(()),
        done => done,
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "a test makes its files by itself")]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o7777
    }

    #[test]
    fn a_replaced_file_is_private_and_never_looser_than_before() {
        let cases = [(None, 0o600), (Some(0o644), 0o600), (Some(0o600), 0o600), (Some(0o400), 0o400), (Some(0o4755), 0o600)];
        for (old, expected) in cases {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("dev.local.yaml");
            if let Some(old) = old {
                fs::write(&path, "old").unwrap();
                fs::set_permissions(&path, Permissions::from_mode(old)).unwrap();
            }
            replace_private(&path, b"new").unwrap();
            assert_eq!((fs::read(&path).unwrap().as_slice(), mode(&path)), (b"new".as_slice(), expected), "{old:?}");
            assert_eq!(names(folder.path()), ["dev.local.yaml"]);
        }
    }

    #[test]
    fn what_the_check_refuses_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("dev.local.yaml");
        fs::write(&path, "old").unwrap();
        let refused = replace_checked(&path, b"new", || Err("no"));
        assert!(matches!(refused, Err(ReplaceError::Check("no"))));
        assert_eq!(fs::read(&path).unwrap(), b"old");
        assert_eq!(names(folder.path()), ["dev.local.yaml"]);
    }

    #[test]
    fn while_the_check_runs_the_temporary_file_is_whole_and_private_and_its_name_ignored() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("dev.local.yaml");
        replace_checked(&path, b"new", || {
            let names = names(folder.path());
            assert!(matches!(names.as_slice(), [name] if name.contains(".local.")), "{names:?}");
            let staged = folder.path().join(&names[0]);
            assert_eq!((fs::read(&staged).unwrap().as_slice(), mode(&staged)), (b"new".as_slice(), 0o600));
            Ok::<(), String>(())
        })
        .unwrap();
    }

    #[test]
    fn what_a_killed_save_left_is_taken_away_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("dev.local.yaml");
        let kept = [
            ".dev.local.lock",
            ".dev.local.yaml.abc.tmp",
            ".dev.local.yaml.abcdefg.tmp",
            ".dev.local.yaml.abc-ef.tmp",
            ".dev.local.yaml.abcdef.tmp~",
            ".dev.local.yml.abcdef.tmp",
            ".dev2.local.yaml.abcdef.tmp",
            "dev.local.yaml",
            "dev.local.yaml.abcdef.tmp",
        ];
        for name in kept {
            fs::write(folder.path().join(name), "x").unwrap();
        }
        fs::create_dir(folder.path().join(".dev.local.yaml.Folder.tmp")).unwrap();
        symlink("dev.local.yaml", folder.path().join(".dev.local.yaml.abcd12.tmp")).unwrap();
        // As a killed process leaves them.
        for _ in 0..2 {
            stage(&path, 0o600, b"secret").unwrap().keep().unwrap();
        }
        remove_stale(&path);
        let mut left: Vec<&str> = [kept.as_slice(), &[".dev.local.yaml.Folder.tmp", ".dev.local.yaml.abcd12.tmp"]].concat();
        left.sort_unstable();
        assert_eq!(names(folder.path()), left);
        remove_stale(&folder.path().join("missing/dev.local.yaml"));
    }

    #[test]
    fn a_link_is_neither_followed_nor_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let (target, link) = (folder.path().join("tracked.yaml"), folder.path().join("dev.local.yaml"));
        fs::write(&target, "old").unwrap();
        symlink("tracked.yaml", &link).unwrap();
        let error = replace_private(&link, b"secret").unwrap_err();
        assert_eq!(error.to_string(), "a symbolic link stands at this path, expected the file itself");
        assert_eq!(fs::read(&target).unwrap(), b"old");
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    }

    #[test]
    fn a_path_that_can_not_be_written_is_an_error_and_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("folder")).unwrap();
        let cases = [
            ("missing/dev.local.yaml", "No such file or directory (os error 2)"),
            ("folder", "what stands at this path is not a regular file"),
            ("folder/..", "what stands at this path is not a regular file"),
        ];
        for (name, expected) in cases {
            assert_eq!(replace_private(&folder.path().join(name), b"x").unwrap_err().to_string(), expected, "{name}");
        }
        let missing = stage(&folder.path().join("missing/dev.local.yaml"), 0o600, b"x").unwrap_err();
        assert_eq!(missing.to_string(), "No such file or directory (os error 2)");
        assert_eq!(names(folder.path()), ["folder"]);
        assert!(names(&folder.path().join("folder")).is_empty());
    }

    #[test]
    fn a_new_file_never_takes_the_place_of_another() {
        let folder = tempfile::tempdir().unwrap();
        let (path, local) = (folder.path().join(".gitignore"), folder.path().join("dev.local.yaml"));
        create_new(&path, "*.local.*\n", &local).unwrap();
        let again = create_new(&path, "other", &local).unwrap_err();
        assert_eq!(again.kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read_to_string(&path).unwrap(), "*.local.*\n");
        symlink("nowhere", folder.path().join("link")).unwrap();
        assert_eq!(create_new(&folder.path().join("link"), "x", &local).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(names(folder.path()), [".gitignore", "link"]);
    }
}
