//! The project root, and opening what a collection names below it.
//!
//! A collection may come from anyone, links and all, and what it reads it can send away. So a path is walked component by
//! component, each opened below the descriptor of the one before and never through a link: a link's text is read and walked
//! in its turn. That way every rule holds for the real place of a file, not only for the name that was written, and nothing
//! that is swapped meanwhile leads out of the root.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File, Metadata};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use rustix::fs::{AtFlags, FileType, Mode, OFlags};
use rustix::io::Errno;

use super::read::{self, ReadError};
use super::rule::{Refusal, Rule, allowed, is_environments, is_url};

/// As many links as Linux follows in one path.
const LINKS: u32 = 40;
/// The longest path, in bytes: that of Linux.
const LONGEST: usize = 4096;

/// The folder below which a collection reads.
#[derive(Debug)]
pub struct Root {
    path: PathBuf,
    folder: OwnedFd,
    /// Files below it that no collection reads.
    withheld: Vec<PathBuf>,
}

/// A regular file below the root, open for reading.
#[derive(Debug)]
pub struct Opened {
    /// The file, at its start.
    pub file: File,
    /// Its size when it was opened, in bytes.
    pub length: u64,
    /// Where it really lies: absolute, without links.
    pub path: PathBuf,
}

impl Root {
    /// The root of the project of a collection in `collection_folder`: `given`, or else the nearest folder at or above it that
    /// holds `.git`, or else the nearest that holds `environments/`, or else the folder itself.
    ///
    /// # Errors
    /// When the folder can't be found or opened.
    pub fn find(collection_folder: &Path, given: Option<&Path>) -> io::Result<Self> {
        let path = match given {
            Some(given) => fs::canonicalize(given)?,
            None => nearest(&fs::canonicalize(collection_folder)?),
        };
        let folder = rustix::fs::open(&path, FOLDER, Mode::empty())?;
        Ok(Self { path, folder, withheld: Vec::new() })
    }

    /// Keeps the file at `path`, under whatever name or link, from being opened by a collection: it holds a secret.
    pub fn withhold(&mut self, path: PathBuf) {
        self.withheld.push(path);
    }

    /// The folder: absolute, without links.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether `path` lies below the root once links are followed. Of a path that does not exist the folders above it decide.
    #[must_use]
    pub fn contains(&self, path: &Path) -> bool {
        let real = path.ancestors().find_map(|above| fs::canonicalize(above).ok());
        real.is_none_or(|real| real.starts_with(&self.path))
    }

    /// Whether a file is one of those that were withheld, now and by what it is: a link of either kind is the same file.
    #[must_use]
    pub fn withholds(&self, facts: &Metadata) -> bool {
        self.withheld.iter().any(|path| fs::metadata(path).is_ok_and(|other| read::same(&other, facts)))
    }

    /// Opens the file that `relative` names from the folder `base`: a regular file below the root, whatever links lie between,
    /// without a component that starts with `.` or is named `*.local.*`, and not in an `environments` folder. (The folder
    /// `base` itself may be a hidden one: a person chose it.)
    ///
    /// # Errors
    /// See [`Rule`].
    pub fn open(&self, base: &Path, relative: &str) -> Result<Opened, Refusal> {
        self.walk(base, relative).map_err(|rule| Refusal { named: relative.to_owned(), rule })
    }

    /// Opens the file at `path`, which an environment names: a regular file below the root, whatever its name.
    ///
    /// # Errors
    /// It lies outside, or can't be read.
    pub fn open_for_environment(&self, path: &Path) -> Result<Opened, Rule> {
        if !self.contains(path) {
            return Err(self.outside());
        }
        // What is swapped from here on is a link where none is followed any more.
        let real = fs::canonicalize(path).map_err(ReadError::from)?;
        let (Some(folder), Some(name)) = (real.parent(), real.file_name()) else { return Err(ReadError::IsFolder.into()) };
        let mut walk = Walk::new(self);
        walk.enter_below(folder)?;
        walk.open(name.to_owned()).map(|(opened, _)| opened)
    }

    fn walk(&self, base: &Path, relative: &str) -> Result<Opened, Rule> {
        if relative.starts_with('/') {
            return Err(Rule::Absolute);
        }
        if is_url(relative) {
            return Err(Rule::Url);
        }
        if relative.contains('\0') {
            return Err(Rule::ZeroByte);
        }
        if relative.len() > LONGEST {
            return Err(Errno::NAMETOOLONG.into());
        }
        let mut walk = Walk::new(self);
        walk.enter_below(&fs::canonicalize(base).map_err(ReadError::from)?)?;
        walk.push(relative.as_bytes());
        while let Some(name) = walk.left.pop() {
            if let Some(opened) = walk.step(name)? {
                return Ok(opened);
            }
        }
        Err(ReadError::IsFolder.into())
    }

    fn outside(&self) -> Rule {
        Rule::Outside(self.path.clone())
    }
}

const FOLDER: OFlags = OFlags::DIRECTORY.union(OFlags::RDONLY).union(OFlags::CLOEXEC);

fn nearest(folder: &Path) -> PathBuf {
    let holds_git = |folder: &&Path| fs::symlink_metadata(folder.join(".git")).is_ok();
    let holds_environments = |folder: &&Path| folder.join("environments").is_dir();
    let found = folder.ancestors().find(holds_git).or_else(|| folder.ancestors().find(holds_environments));
    found.unwrap_or(folder).to_path_buf()
}

/// The way through the folders below the root.
struct Walk<'a> {
    root: &'a Root,
    /// The folders entered so far, outermost first; the root itself is not among them.
    folders: Vec<(OsString, OwnedFd)>,
    /// Components still to go, the next one last.
    left: Vec<OsString>,
    links: u32,
}

impl<'a> Walk<'a> {
    fn new(root: &'a Root) -> Self {
        Self { root, folders: Vec::new(), left: Vec::new(), links: 0 }
    }

    /// Enters a folder that is absolute and was without links.
    fn enter_below(&mut self, real: &Path) -> Result<(), Rule> {
        let below = real.strip_prefix(&self.root.path).map_err(|_| self.root.outside())?;
        for component in below.components() {
            let Component::Normal(name) = component else { return Err(self.root.outside()) };
            self.enter(name.to_owned())?;
        }
        Ok(())
    }

    fn here(&self) -> BorrowedFd<'_> {
        self.folders.last().map_or(self.root.folder.as_fd(), |(_, folder)| folder.as_fd())
    }

    fn enter(&mut self, name: OsString) -> Result<(), Rule> {
        let folder = rustix::fs::openat(self.here(), name.as_os_str(), FOLDER | OFlags::NOFOLLOW, Mode::empty())?;
        self.folders.push((name, folder));
        Ok(())
    }

    /// Puts the components of `path` before those that are left.
    fn push(&mut self, path: &[u8]) {
        // What ends in a slash names a folder: for the system that is one more component, `.`.
        let last = path.ends_with(b"/").then_some(&b"."[..]);
        let names = path.split(|byte| *byte == b'/').filter(|name| !name.is_empty()).chain(last);
        let before = self.left.len();
        self.left.extend(names.map(|name| OsStr::from_bytes(name).to_owned()));
        if let Some(added) = self.left.get_mut(before..) {
            added.reverse();
        }
    }

    /// Takes one component; gives the file when it was the last one.
    fn step(&mut self, name: OsString) -> Result<Option<Opened>, Rule> {
        if name == "." {
            return Ok(None);
        }
        if name == ".." {
            return self.folders.pop().map(|_| None).ok_or_else(|| self.root.outside());
        }
        allowed(&name)?;
        let facts = rustix::fs::statat(self.here(), name.as_os_str(), AtFlags::SYMLINK_NOFOLLOW)?;
        match FileType::from_raw_mode(facts.st_mode) {
            FileType::Symlink => self.follow(&name).map(|()| None),
            FileType::Directory => self.enter(name).map(|()| None),
            _ if !self.left.is_empty() => Err(ReadError::NotFound.into()),
            FileType::RegularFile => self.open_for_collection(name).map(Some),
            _ => Err(ReadError::NotRegular.into()),
        }
    }

    fn follow(&mut self, name: &OsStr) -> Result<(), Rule> {
        self.links += 1;
        if self.links > LINKS {
            return Err(Rule::Links);
        }
        let target = rustix::fs::readlinkat(self.here(), name, Vec::new())?.into_bytes();
        if target.starts_with(b"/") {
            return Err(self.root.outside());
        }
        self.push(&target);
        Ok(())
    }

    fn open_for_collection(&self, name: OsString) -> Result<Opened, Rule> {
        // Of the folder in which the collection lies no name was looked at yet.
        if self.folders.iter().any(|(name, _)| is_environments(name)) {
            return Err(Rule::Environment);
        }
        let (opened, facts) = self.open(name)?;
        if self.root.withholds(&facts) {
            return Err(Rule::Secret);
        }
        if made_up(&opened.file)? {
            return Err(Rule::System);
        }
        Ok(opened)
    }

    fn open(&self, name: OsString) -> Result<(Opened, Metadata), Rule> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let file = File::from(rustix::fs::openat(self.here(), name.as_os_str(), flags, Mode::empty())?);
        let facts = read::regular(&file)?;
        let mut path = self.root.path.clone();
        path.extend(self.folders.iter().map(|(name, _)| name));
        path.push(name);
        Ok((Opened { file, length: facts.len(), path }, facts))
    }
}

/// Whether the file lies in `/proc` or `/sys`, wherever those are mounted: a root as high as `/` would bring them in.
#[cfg(target_os = "linux")]
fn made_up(file: &File) -> Result<bool, Rule> {
    /// `SYSFS_MAGIC` of linux/magic.h.
    const SYSFS: rustix::fs::FsWord = 0x6265_6572;
    let kind = rustix::fs::fstatfs(file)?.f_type;
    Ok(kind == rustix::fs::PROC_SUPER_MAGIC || kind == SYSFS)
}

/// Elsewhere there are no such files.
#[cfg(not(target_os = "linux"))]
fn made_up(_: &File) -> Result<bool, Rule> {
    Ok(false)
}

impl Opened {
    /// All of the file.
    ///
    /// # Errors
    /// When it holds more than `limit` bytes, or can't be read.
    pub fn bytes(&mut self, limit: u64) -> Result<Vec<u8>, ReadError> {
        read::bytes(&mut self.file, self.length, limit)
    }

    /// All of the file as text.
    ///
    /// # Errors
    /// When it holds more than [`read::TEXT_LIMIT`] bytes, is not UTF-8, or can't be read.
    pub fn text(&mut self) -> Result<String, ReadError> {
        read::text(&mut self.file, self.length, read::TEXT_LIMIT)
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "a test makes its files by itself")]
mod tests {
    use std::os::unix::fs::symlink;

    use proptest::prelude::*;

    use super::*;

    const WORDS: [&str; 13] =
        ["a.json", "sub", "up", "down", "git", "loop", "..", ".", "", ".git", "environments", "x.local.y", "missing"];

    fn tree(files: &[&str], links: &[(&str, &str)]) -> tempfile::TempDir {
        let top = tempfile::tempdir().unwrap();
        for file in files {
            let path = top.path().join(file);
            if file.ends_with('/') {
                fs::create_dir_all(path).unwrap();
            } else {
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(path, file).unwrap();
            }
        }
        for (link, target) in links {
            symlink(target, top.path().join(link)).unwrap();
        }
        top
    }

    #[test]
    fn the_root_is_the_nearest_git_then_environments_then_the_folder_itself() {
        let cases: [(&[&str], &str); 6] = [
            (&["a/.git/", "a/b/environments/", "a/b/c/"], "a"),
            (&["a/.git/", "a/b/.git", "a/b/c/"], "a/b"),
            (&["a/environments/", "a/b/c/"], "a"),
            (&["a/environments/", "a/b/environments/", "a/b/c/"], "a/b"),
            (&["a/environments", "a/b/c/"], "a/b/c"),
            (&["a/b/c/.git"], "a/b/c"),
        ];
        for (files, expected) in cases {
            let top = tree(files, &[]);
            let root = Root::find(&top.path().join("a/b/c"), None).unwrap();
            assert_eq!(root.path(), top.path().canonicalize().unwrap().join(expected), "{files:?}");
        }
        let top = tree(&["a/.git/", "a/b/c/"], &[("link", "a/b")]);
        let given = Root::find(&top.path().join("a/b/c"), Some(&top.path().join("link"))).unwrap();
        assert_eq!(given.path(), top.path().canonicalize().unwrap().join("a/b"));
        assert!(Root::find(&top.path().join("missing"), None).is_err());
    }

    #[test]
    fn only_regular_files_below_the_root_that_are_no_secrets_are_opened() {
        let top = tree(
            &[
                "secret",
                "p/.git/config",
                "p/bodies/a.json",
                "p/collections/x.yaml",
                "p/collections/sub/y.json",
                "p/collections/dev.local.yaml",
                "p/collections/dev.LOCAL.yaml",
                "p/collections/.env",
                "p/collections/.dev.local.lock",
                "p/environments/dev.yaml",
                "p/Environments.d/ok.yaml",
                "p/collections/environments/dev.yaml",
            ],
            &[
                ("p/collections/inside", "../bodies/a.json"),
                ("p/collections/folder", "sub"),
                ("p/collections/leaves", "../../secret"),
                ("p/collections/leaves-by-folder", "../.."),
                ("p/collections/absolute", "/etc/passwd"),
                ("p/collections/git", "../.git/config"),
                ("p/collections/environment", "../environments/dev.yaml"),
                ("p/collections/local", "dev.local.yaml"),
                ("p/collections/circle", "circle"),
                ("p/collections/dangling", "nothing"),
                ("p/collections/innocent.local.json", "sub/y.json"),
                ("p/collections/proc", "/proc/self/environ"),
                ("p/collections/slashed", "x.yaml/"),
            ],
        );
        let pipe = top.path().join("p/collections/pipe");
        rustix::fs::mknodat(rustix::fs::CWD, pipe, FileType::Fifo, Mode::from_raw_mode(0o600), 0).unwrap();
        let outside = format!("lies outside of the project root `{}`", top.path().canonicalize().unwrap().join("p").display());
        let environment = "is not read: it lies in an `environments` folder";
        let cases: &[(&str, Result<&str, &str>)] = &[
            ("x.yaml", Ok("p/collections/x.yaml")),
            ("./sub//y.json", Ok("p/collections/sub/y.json")),
            ("sub/../x.yaml", Ok("p/collections/x.yaml")),
            ("../bodies/a.json", Ok("p/bodies/a.json")),
            ("../Environments.d/ok.yaml", Ok("p/Environments.d/ok.yaml")),
            ("inside", Ok("p/bodies/a.json")),
            ("folder/y.json", Ok("p/collections/sub/y.json")),
            ("folder/../x.yaml", Ok("p/collections/x.yaml")),
            ("/etc/passwd", Err("is an absolute path, expected one relative to the file that names it")),
            ("../../secret", Err(&outside)),
            ("../../p/bodies/a.json", Err(&outside)),
            ("leaves", Err(&outside)),
            ("leaves-by-folder/secret", Err(&outside)),
            ("absolute", Err(&outside)),
            ("proc", Err(&outside)),
            (".env", Err("is not read: `.env` starts with `.`")),
            (".dev.local.lock", Err("is not read: `.dev.local.lock` starts with `.`")),
            ("../.git/config", Err("is not read: `.git` starts with `.`")),
            (".../x", Err("is not read: `...` starts with `.`")),
            ("git", Err("is not read: `.git` starts with `.`")),
            ("dev.local.yaml", Err("is not read: `dev.local.yaml` is named like a local file")),
            ("dev.LOCAL.yaml", Err("is not read: `dev.LOCAL.yaml` is named like a local file")),
            ("local", Err("is not read: `dev.local.yaml` is named like a local file")),
            ("innocent.local.json", Err("is not read: `innocent.local.json` is named like a local file")),
            ("../environments/dev.yaml", Err(environment)),
            ("../environments/missing.yaml", Err(environment)),
            ("environments/dev.yaml", Err(environment)),
            ("environment", Err(environment)),
            ("circle", Err("is not read: too many symbolic links")),
            ("dangling", Err("does not exist")),
            ("missing", Err("does not exist")),
            ("x.yaml/y", Err("does not exist")),
            ("nul\0", Err("is no path: it holds a zero byte")),
            ("file:///etc/passwd", Err("is a URL, expected a path relative to the file that names it")),
            ("x.yaml/", Err("does not exist")),
            ("x.yaml/.", Err("does not exist")),
            ("sub/", Err("is a folder, expected a file")),
            ("slashed", Err("does not exist")),
            ("./././sub/./y.json", Ok("p/collections/sub/y.json")),
            ("folder/../../bodies/a.json", Ok("p/bodies/a.json")),
            ("", Err("is a folder, expected a file")),
            ("sub", Err("is a folder, expected a file")),
            ("pipe", Err("is a pipe, a socket or a device, expected a regular file")),
        ];
        let base = top.path().join("p/collections");
        let root = Root::find(&base, None).unwrap();
        for (named, expected) in cases {
            match (root.open(&base, named), expected) {
                (Ok(mut opened), Ok(file)) => {
                    assert_eq!(opened.text().unwrap(), *file, "{named}");
                    assert_eq!(opened.path, top.path().canonicalize().unwrap().join(file), "{named}");
                }
                (Err(refusal), Err(text)) => {
                    assert_eq!(refusal.to_string(), format!("`{}` {text}", named.escape_debug()));
                }
                (got, expected) => panic!("{named}: {got:?}, expected {expected:?}"),
            }
        }
    }

    /// Between the look at a name and its opening someone may put a link there.
    #[test]
    fn what_became_a_link_meanwhile_is_not_followed() {
        let top = tree(&["p/sub/a.json", "out/a.json"], &[("p/folder", "../out"), ("p/file", "../out/a.json")]);
        let root = Root::find(&top.path().join("p"), None).unwrap();
        let mut walk = Walk::new(&root);
        assert!(walk.enter("folder".into()).is_err());
        assert!(walk.open("file".into()).is_err());
        assert!(walk.enter("sub".into()).is_ok());
        assert!(walk.open("a.json".into()).is_ok());
    }

    proptest! {
        /// Whatever the components, what is opened lies below the root under names that are allowed.
        #[test]
        fn no_path_leads_out(parts in proptest::collection::vec(0_usize..WORDS.len(), 0..12), slash in any::<bool>()) {
            let top = tree(
                &["p/a.json", "p/sub/a.json", "p/sub/sub/a.json", "p/.git/a.json", "p/environments/a.json", "p/x.local.y/a.json", "a.json"],
                &[("p/up", ".."), ("p/down", "sub/sub"), ("p/sub/up", "../.."), ("p/sub/git", "../.git"), ("p/loop", "loop/a.json")],
            );
            let path = parts.iter().map(|part| WORDS[*part]).collect::<Vec<_>>().join("/") + if slash { "/" } else { "" };
            let base = top.path().join("p");
            let root = Root::find(&base, Some(&base)).unwrap();
            if let Ok(mut opened) = root.open(&base, &path) {
                let below = opened.path.strip_prefix(root.path()).unwrap().to_owned();
                prop_assert!(["a.json", "sub/a.json", "sub/sub/a.json"].iter().any(|free| below == Path::new(free)), "{below:?}");
                prop_assert_eq!(opened.text().unwrap(), format!("p/{}", below.display()));
                // The system agrees about what the path means.
                prop_assert_eq!(fs::canonicalize(base.join(&path)).unwrap(), opened.path);
            }
        }

        #[test]
        fn no_text_makes_it_panic(path in "(\\PC|[./\0:\u{FEFF}]){0,40}") {
            let top = tree(&["p/a.json"], &[]);
            let base = top.path().join("p");
            let _ = Root::find(&base, Some(&base)).unwrap().open(&base, &path);
        }
    }

    #[test]
    fn a_collection_outside_of_the_root_or_among_the_environments_reads_nothing() {
        let top = tree(&["p/environments/x.yaml", "p/.api/x.yaml", "p/a.json", "q/x.yaml"], &[]);
        let root = Root::find(&top.path().join("p"), None).unwrap();
        let open = |base: &str, named: &str| root.open(&top.path().join(base), named);
        assert!(matches!(open("q", "x.yaml").unwrap_err().rule, Rule::Outside(_)));
        assert!(matches!(open("p/environments", "x.yaml").unwrap_err().rule, Rule::Environment));
        assert!(open("p/environments", "../a.json").is_ok());
        assert!(open("p/.api", "x.yaml").is_ok());
        assert!(open("p/.api", "../.api/x.yaml").unwrap_err().rule.is_policy());
        assert!(!open("p", "missing").unwrap_err().rule.is_policy());
    }
}
