//! Reading a file that a person named: a regular file, of bounded size, in UTF-8.
//!
//! A named pipe must not block the program and a device must not be read, so the file is opened without blocking and looked at
//! through its descriptor before the first byte is read.

use std::fmt;
use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

/// The largest text file that is read, in bytes.
pub const TEXT_LIMIT: u64 = 16 * 1024 * 1024;

/// Why a file could not be read. The text is a predicate, to be put behind the path: "`a.yaml` does not exist".
#[derive(Debug)]
pub enum ReadError {
    /// There is nothing at this path.
    NotFound,
    /// A folder stands where a file was expected.
    IsFolder,
    /// A pipe, a socket or a device.
    NotRegular,
    /// A symbolic link where none is followed.
    IsLink,
    /// This user may not read it.
    PermissionDenied,
    /// Larger than `limit` bytes.
    TooLarge {
        /// The most that is read, in bytes.
        limit: u64,
    },
    /// It starts with the byte order mark of UTF-16.
    Utf16,
    /// A byte sequence that is not UTF-8; line and column are 1-based, the column counts characters.
    NotText {
        /// The line of the first bad byte.
        line: usize,
        /// The column of the first bad byte.
        column: usize,
    },
    /// Anything else that the file system reports.
    Io(io::Error),
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotFound => f.write_str("does not exist"),
            Self::IsFolder => f.write_str("is a folder, expected a file"),
            Self::NotRegular => f.write_str("is a pipe, a socket or a device, expected a regular file"),
            Self::IsLink => f.write_str("is a symbolic link, expected the file itself"),
            Self::PermissionDenied => f.write_str("can't be read: permission denied"),
            Self::TooLarge { limit } => write!(f, "is larger than {}", Size(*limit)),
            Self::Utf16 => f.write_str("is UTF-16 text, expected UTF-8"),
            Self::NotText { line, column } => write!(f, "is not UTF-8 text: first bad byte at line {line}, column {column}"),
            Self::Io(error) => write!(f, "can't be read: {error}"),
        }
    }
}

impl std::error::Error for ReadError {}

impl From<io::Error> for ReadError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => Self::NotFound,
            io::ErrorKind::PermissionDenied => Self::PermissionDenied,
            io::ErrorKind::IsADirectory => Self::IsFolder,
            // Opening a socket, or a device without a driver, is reported like this.
            _ if error.raw_os_error() == Some(Errno::NXIO.raw_os_error()) => Self::NotRegular,
            _ => Self::Io(error),
        }
    }
}

/// A size in the largest unit that divides it.
struct Size(u64);

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const MIB: u64 = 1024 * 1024;
        match self.0 {
            bytes if bytes >= MIB && bytes % MIB == 0 => write!(f, "{} MiB", bytes / MIB),
            bytes if bytes >= 1024 && bytes % 1024 == 0 => write!(f, "{} KiB", bytes / 1024),
            bytes => write!(f, "{bytes} bytes"),
        }
    }
}

/// A file that only its owner should be able to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Local {
    /// What stands in it.
    pub text: String,
    /// Its permission bits.
    pub mode: u32,
}

impl Local {
    /// Whether someone other than the owner may read or write it.
    #[must_use]
    pub const fn is_loose(&self) -> bool {
        self.mode & 0o077 != 0
    }
}

/// The text of a file that a person named: a collection, an environment. Symbolic links are followed.
///
/// # Errors
/// See [`ReadError`]; the limit is [`TEXT_LIMIT`].
pub fn read_text(path: &Path) -> Result<String, ReadError> {
    let (mut file, facts) = open(path, OFlags::empty())?;
    text(&mut file, facts.len(), TEXT_LIMIT)
}

/// The text of a local file, which holds secrets: a symbolic link at its place is refused, since it could name a file that git
/// tracks or that others read.
///
/// # Errors
/// See [`ReadError`]; the limit is [`TEXT_LIMIT`].
pub fn read_local(path: &Path) -> Result<Local, ReadError> {
    let (mut file, facts) = open(path, OFlags::NOFOLLOW)?;
    let text = text(&mut file, facts.len(), TEXT_LIMIT)?;
    Ok(Local { text, mode: facts.permissions().mode() & 0o7777 })
}

/// The bytes of a regular file; with `follow`, also of one at the end of a link.
pub(super) fn read_bytes(path: &Path, follow: bool, limit: u64) -> Result<Vec<u8>, ReadError> {
    let (mut file, facts) = open(path, if follow { OFlags::empty() } else { OFlags::NOFOLLOW })?;
    bytes(&mut file, facts.len(), limit)
}

/// Opens a regular file, without waiting for what is none.
pub(super) fn open(path: &Path, more: OFlags) -> Result<(File, Metadata), ReadError> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC | more;
    let file = match rustix::io::retry_on_intr(|| rustix::fs::open(path, flags, Mode::empty())) {
        Ok(descriptor) => File::from(descriptor),
        Err(Errno::LOOP) if more.contains(OFlags::NOFOLLOW) => return Err(ReadError::IsLink),
        Err(error) => return Err(io::Error::from(error).into()),
    };
    let facts = regular(&file)?;
    Ok((file, facts))
}

/// The facts of an open file, if it is a regular one.
pub(super) fn regular(file: &File) -> Result<Metadata, ReadError> {
    let facts = file.metadata()?;
    if facts.is_dir() {
        return Err(ReadError::IsFolder);
    }
    if !facts.is_file() {
        return Err(ReadError::NotRegular);
    }
    Ok(facts)
}

/// At most `limit` bytes of `file`; `expected` is its size as the file system tells it, which may grow meanwhile.
pub(super) fn bytes(file: &mut impl Read, expected: u64, limit: u64) -> Result<Vec<u8>, ReadError> {
    if expected > limit {
        return Err(ReadError::TooLarge { limit });
    }
    let mut bytes = Vec::with_capacity(usize::try_from(expected).unwrap_or_default());
    file.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > limit {
        return Err(ReadError::TooLarge { limit });
    }
    Ok(bytes)
}

/// [`bytes`] as text.
pub(super) fn text(file: &mut impl Read, expected: u64, limit: u64) -> Result<String, ReadError> {
    let bytes = bytes(file, expected, limit)?;
    if bytes.starts_with(&[0xFF, 0xFE]) || bytes.starts_with(&[0xFE, 0xFF]) {
        return Err(ReadError::Utf16);
    }
    String::from_utf8(bytes).map_err(|error| {
        let good = error.as_bytes().get(..error.utf8_error().valid_up_to()).unwrap_or_default();
        let good = String::from_utf8_lossy(good);
        let last = good.rsplit('\n').next().unwrap_or_default();
        ReadError::NotText { line: good.matches('\n').count() + 1, column: last.chars().count() + 1 }
    })
}

/// Whether two descriptions are of one and the same file.
pub(super) fn same(one: &Metadata, other: &Metadata) -> bool {
    (one.dev(), one.ino()) == (other.dev(), other.ino())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;
    use std::os::unix::net::UnixListener;

    use super::*;

    /// A folder with one of everything that can stand at a path.
    fn zoo() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let files: [(&str, &[u8]); 6] = [
            ("good.yaml", "name: größe\n".as_bytes()),
            ("empty.yaml", b""),
            ("latin1.yaml", b"name: ok\nplace: M\xFCnchen\n"),
            ("cut.yaml", "größ\u{e9}".as_bytes().split_last().unwrap().1),
            ("utf16.yaml", b"\xFF\xFEn\0a\0"),
            ("utf16be.yaml", b"\xFE\xFF\0n\0a"),
        ];
        for (name, bytes) in files {
            #[expect(clippy::disallowed_methods, reason = "a test makes its files by itself")]
            fs::write(at(name), bytes).unwrap();
        }
        fs::create_dir(at("folder")).unwrap();
        symlink("good.yaml", at("link.yaml")).unwrap();
        symlink("link-loop", at("link-loop")).unwrap();
        let fifo = rustix::fs::FileType::Fifo;
        rustix::fs::mknodat(rustix::fs::CWD, at("pipe"), fifo, Mode::from_raw_mode(0o600), 0).unwrap();
        drop(UnixListener::bind(at("socket")).unwrap());
        File::create(at("large.yaml")).unwrap().set_len(TEXT_LIMIT + 1).unwrap();
        folder
    }

    #[test]
    fn what_stands_at_a_path_is_told_in_one_line() {
        let zoo = zoo();
        let pipe = "is a pipe, a socket or a device, expected a regular file";
        let cases = [
            ("good.yaml", Ok("name: größe\n")),
            ("empty.yaml", Ok("")),
            ("link.yaml", Ok("name: größe\n")),
            ("missing.yaml", Err("does not exist")),
            ("good.yaml/below", Err("does not exist")),
            ("folder", Err("is a folder, expected a file")),
            ("pipe", Err(pipe)),
            ("socket", Err(pipe)),
            ("/dev/null", Err(pipe)),
            ("large.yaml", Err("is larger than 16 MiB")),
            ("utf16.yaml", Err("is UTF-16 text, expected UTF-8")),
            ("utf16be.yaml", Err("is UTF-16 text, expected UTF-8")),
            ("latin1.yaml", Err("is not UTF-8 text: first bad byte at line 2, column 9")),
            ("cut.yaml", Err("is not UTF-8 text: first bad byte at line 1, column 5")),
        ];
        for (name, expected) in cases {
            let read = read_text(&zoo.path().join(name)).map_err(|error| error.to_string());
            assert_eq!(read.as_deref().map_err(String::as_str), expected, "{name}");
        }
    }

    #[test]
    fn a_local_file_is_never_reached_through_a_link_and_tells_its_mode() {
        let zoo = zoo();
        let path = zoo.path().join("good.yaml");
        for (mode, loose) in [(0o600, false), (0o400, false), (0o640, true), (0o604, true), (0o602, true)] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            let local = read_local(&path).unwrap();
            assert_eq!((local.mode, local.is_loose()), (mode, loose));
        }
        for name in ["link.yaml", "link-loop"] {
            let refused = read_local(&zoo.path().join(name)).unwrap_err().to_string();
            assert_eq!(refused, "is a symbolic link, expected the file itself", "{name}");
        }
    }

    #[test]
    fn a_file_that_grows_while_it_is_read_is_still_bounded() {
        assert!(matches!(bytes(&mut io::repeat(b'x'), 0, 10), Err(ReadError::TooLarge { limit: 10 })));
        assert_eq!(bytes(&mut io::repeat(b'x').take(10), 0, 10).unwrap().len(), 10);
    }
}
