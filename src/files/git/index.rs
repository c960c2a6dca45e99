//! Looking for one path in git's index: versions 2, 3 and 4, also split in two.
//!
//! Read as a stream, so that the index of a very large repository costs no memory. The format is git's own description,
//! `gitformat-index`. A path that is not found counts as missing only when the checksum at the end fits what was read.

use std::fmt;
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;

use ring::digest::{Context, SHA1_FOR_LEGACY_USE_ONLY, SHA256};
use rustix::fs::OFlags;

use crate::files::read::{self, ReadError};

/// The longest path that is read, in bytes; no file system takes longer ones.
const PATH_LIMIT: u64 = 64 * 1024;
/// The bytes of signature, version and number of entries.
const HEAD: u64 = 12;
/// The mode of an entry that stands for a whole folder.
const FOLDER: u32 = 0o040_000;

/// Why an index can't be read.
#[derive(Debug)]
pub(super) enum IndexError {
    /// What the file system reports.
    Io(io::Error),
    /// The file can't be opened.
    Unreadable(ReadError),
    /// It does not have the form of an index, or its checksum does not fit.
    Damaged,
    /// A version that did not exist when this was written.
    Version(u32),
    /// An extension that a reader must know, and this one does not.
    Extension(String),
    /// Only the folder is there, not the paths in it.
    Sparse,
}

impl fmt::Display for IndexError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(error) => write!(f, "git's index can't be read: {error}"),
            Self::Unreadable(error) => write!(f, "git's index {error}"),
            Self::Damaged => f.write_str("git's index is damaged"),
            Self::Version(version) => write!(f, "git's index has the unknown version {version}"),
            Self::Extension(name) => write!(f, "git's index has the unknown extension `{}`", name.escape_debug()),
            Self::Sparse => f.write_str("git's index is sparse and leaves this folder out"),
        }
    }
}

impl From<io::Error> for IndexError {
    fn from(error: io::Error) -> Self {
        // It ends before it says so itself.
        if error.kind() == io::ErrorKind::UnexpectedEof { Self::Damaged } else { Self::Io(error) }
    }
}

/// A path that is looked for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted<'p> {
    /// The path from the top of the work tree.
    pub(super) path: &'p [u8],
    /// Whether upper and lower case are one, as `core.ignorecase` says.
    pub(super) ignore_case: bool,
}

impl Wanted<'_> {
    fn is(&self, path: &[u8]) -> bool {
        path == self.path || self.ignore_case && path.eq_ignore_ascii_case(self.path)
    }

    /// Whether `folder`, which ends in a slash, lies above it.
    fn is_below(&self, folder: &[u8]) -> bool {
        let start = self.path.get(..folder.len()).unwrap_or_default();
        start == folder || self.ignore_case && start.eq_ignore_ascii_case(folder)
    }
}

/// Whether the index in the folder `git` holds `wanted`; `hash` is the length of an object's name in bytes.
pub(super) fn tracks(git: &Path, hash: usize, wanted: Wanted<'_>) -> Result<bool, IndexError> {
    let Some(own) = scan_file(&git.join("index"), hash, wanted)? else { return Ok(false) };
    let Some(base) = own.base else { return Ok(own.found) };
    // What the own half takes away from the shared one is not looked at: it errs towards "tracked".
    let shared = scan_file(&git.join(format!("sharedindex.{base}")), hash, wanted)?;
    Ok(own.found || shared.ok_or(IndexError::Damaged)?.found)
}

/// What one index file says.
#[derive(Debug, Default, PartialEq, Eq)]
struct Scan {
    found: bool,
    /// The name of the shared index that this one only adds to.
    base: Option<String>,
}

fn scan_file(path: &Path, hash: usize, wanted: Wanted<'_>) -> Result<Option<Scan>, IndexError> {
    match read::open(path, OFlags::empty()) {
        Ok((file, facts)) => scan(BufReader::with_capacity(64 * 1024, file), facts.len(), hash, wanted).map(Some),
        Err(ReadError::NotFound) => Ok(None),
        Err(error) => Err(IndexError::Unreadable(error)),
    }
}

fn scan(input: impl BufRead, length: u64, hash: usize, wanted: Wanted<'_>) -> Result<Scan, IndexError> {
    let end = length.saturating_sub(u64::try_from(hash).unwrap_or(u64::MAX)).max(HEAD);
    let mut input = Hashed::new(input, end, hash);
    if &array(&mut input)? != b"DIRC" {
        return Err(IndexError::Damaged);
    }
    let version = u32::from_be_bytes(array(&mut input)?);
    if !(2..=4).contains(&version) {
        return Err(IndexError::Version(version));
    }
    let mut path = Vec::new();
    for _ in 0..u32::from_be_bytes(array(&mut input)?) {
        let mode = entry(&mut input, version, hash, &mut path)?;
        if wanted.is(&path) {
            return Ok(Scan { found: true, base: None });
        }
        if mode == FOLDER && wanted.is_below(&path) {
            return Err(IndexError::Sparse);
        }
    }
    let base = shared(&mut input, hash)?;
    input.finish()?;
    Ok(Scan { found: false, base })
}

/// The bytes up to the checksum, and their checksum.
struct Hashed<R> {
    inner: io::Take<R>,
    context: Context,
    hash: usize,
}

impl<R: BufRead> Hashed<R> {
    fn new(inner: R, end: u64, hash: usize) -> Self {
        let algorithm = if hash == 20 { &SHA1_FOR_LEGACY_USE_ONLY } else { &SHA256 };
        Self { inner: inner.take(end), context: Context::new(algorithm), hash }
    }

    /// The number of bytes before the checksum.
    fn left(&self) -> u64 {
        self.inner.limit()
    }

    /// Compares the checksum; one of zeros says that there is none (`index.skipHash`).
    fn finish(self) -> Result<(), IndexError> {
        let mut written = Vec::new();
        self.inner.into_inner().take(u64::try_from(self.hash).unwrap_or_default()).read_to_end(&mut written)?;
        let fits = written == self.context.finish().as_ref() || written.iter().all(|byte| *byte == 0);
        if written.len() == self.hash && fits { Ok(()) } else { Err(IndexError::Damaged) }
    }
}

impl<R: BufRead> Read for Hashed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.inner.read(buffer)?;
        self.context.update(buffer.get(..length).unwrap_or_default());
        Ok(length)
    }
}

impl<R: BufRead> BufRead for Hashed<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.inner.fill_buf()
    }

    fn consume(&mut self, amount: usize) {
        // What is consumed was filled before, so this reads nothing.
        if let Ok(filled) = self.inner.fill_buf() {
            self.context.update(filled.get(..amount).unwrap_or(filled));
        }
        self.inner.consume(amount);
    }
}

/// Reads one entry: its path into `path`, which holds the one before; gives its mode.
fn entry(input: &mut impl BufRead, version: u32, hash: usize, path: &mut Vec<u8>) -> Result<u32, IndexError> {
    let facts: [u8; 40] = array(input)?;
    io::copy(&mut input.take(u64::try_from(hash).unwrap_or(u64::MAX)), &mut io::sink())?;
    let flags = u16::from_be_bytes(array(input)?);
    let extended = version >= 3 && flags & 0x4000 != 0;
    if extended {
        array::<2>(input)?;
    }
    if version == 4 {
        let kept = path.len().checked_sub(varint(input)?).ok_or(IndexError::Damaged)?;
        path.truncate(kept);
    } else {
        path.clear();
    }
    let before = path.len();
    input.take(PATH_LIMIT).read_until(0, path)?;
    if path.pop() != Some(0) {
        return Err(IndexError::Damaged);
    }
    if version < 4 {
        let size = facts.len() + hash + 2 + if extended { 2 } else { 0 } + path.len() - before;
        // One to eight zero bytes bring an entry to a multiple of eight; the first of them ended the path.
        let more = 7 - size % 8;
        io::copy(&mut input.take(u64::try_from(more).unwrap_or_default()), &mut io::sink())?;
    }
    let [_, _, _, _, _, _, mode, ..] = *facts.as_chunks::<4>().0 else { return Err(IndexError::Damaged) };
    Ok(u32::from_be_bytes(mode))
}

/// The number of bytes that a path of version 4 drops from the end of the one before it.
fn varint(input: &mut impl Read) -> Result<usize, IndexError> {
    let [mut byte] = array(input)?;
    let mut value = usize::from(byte & 0x7F);
    while byte & 0x80 != 0 {
        [byte] = array(input)?;
        let next = value.checked_add(1).and_then(|value| value.checked_mul(0x80)).ok_or(IndexError::Damaged)?;
        value = next | usize::from(byte & 0x7F);
    }
    Ok(value)
}

/// Goes through the extensions to the checksum: the name of the shared index, if there is one.
fn shared<R: BufRead>(input: &mut Hashed<R>, hash: usize) -> Result<Option<String>, IndexError> {
    let mut found = None;
    while input.left() > 0 {
        let name: [u8; 4] = array(input)?;
        let size = u64::from(u32::from_be_bytes(array(input)?));
        if size > input.left() {
            return Err(IndexError::Damaged);
        }
        let mut extension = input.take(size);
        match &name {
            b"link" => {
                let mut base = Vec::new();
                extension.by_ref().take(u64::try_from(hash).unwrap_or_default()).read_to_end(&mut base)?;
                if base.len() < hash {
                    return Err(IndexError::Damaged);
                }
                let is_set = base.iter().any(|byte| *byte != 0);
                found = is_set.then(|| base.iter().map(|byte| format!("{byte:02x}")).collect());
            }
            b"sdir" => {}
            [first, ..] if !first.is_ascii_uppercase() => {
                return Err(IndexError::Extension(String::from_utf8_lossy(&name).into_owned()));
            }
            _ => {}
        }
        io::copy(&mut extension, &mut io::sink())?;
    }
    Ok(found)
}

fn array<const N: usize>(input: &mut impl Read) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    input.read_exact(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
pub(super) mod build {
    //! Makes the bytes of an index.

    use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, SHA256};

    /// An index of `version` with these modes and paths, which must be sorted; `tail` are its extensions.
    pub(in super::super) fn index(version: u32, hash: usize, entries: &[(u32, &str)], tail: &[u8]) -> Vec<u8> {
        let mut bytes = b"DIRC".to_vec();
        bytes.extend(version.to_be_bytes());
        bytes.extend(u32::try_from(entries.len()).unwrap().to_be_bytes());
        let mut before = "";
        for (mode, path) in entries {
            let start = bytes.len();
            bytes.extend([0; 24]);
            bytes.extend(mode.to_be_bytes());
            bytes.extend([0; 12]);
            bytes.extend(vec![0xAB; hash]);
            let length = u16::try_from(path.len()).unwrap().min(0x0FFF);
            bytes.extend((if version == 3 { length | 0x4000 } else { length }).to_be_bytes());
            if version == 3 {
                bytes.extend([0x20, 0]);
            }
            if version == 4 {
                let shared = before.bytes().zip(path.bytes()).take_while(|(one, other)| one == other).count();
                bytes.extend(varint(before.len() - shared));
                bytes.extend(&path.as_bytes()[shared..]);
                bytes.push(0);
            } else {
                bytes.extend(path.as_bytes());
                bytes.extend(vec![0; 8 - (bytes.len() - start) % 8]);
            }
            before = path;
        }
        bytes.extend(tail);
        let algorithm = if hash == 20 { &SHA1_FOR_LEGACY_USE_ONLY } else { &SHA256 };
        let checksum = ring::digest::digest(algorithm, &bytes);
        bytes.extend(checksum.as_ref());
        bytes
    }

    fn varint(mut value: usize) -> Vec<u8> {
        let mut bytes = vec![u8::try_from(value & 0x7F).unwrap()];
        while value > 0x7F {
            value = (value >> 7) - 1;
            bytes.insert(0, u8::try_from(value & 0x7F).unwrap() | 0x80);
        }
        bytes
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use proptest::prelude::*;

    use super::*;

    const FILE: u32 = 0o100_644;

    fn read(bytes: &[u8], hash: usize, wanted: &str) -> Result<Scan, String> {
        let length = u64::try_from(bytes.len()).unwrap();
        let wanted = Wanted { path: wanted.as_bytes(), ignore_case: false };
        scan(Cursor::new(bytes), length, hash, wanted).map_err(|error| error.to_string())
    }

    #[test]
    fn every_version_is_read() {
        let long = "x".repeat(5000);
        let other = format!("{long}/y");
        let entries = [
            (FILE, "a"),
            (FILE, "environments/dev.local.yaml"),
            (FILE, "environments/dev.yaml"),
            (FILE, &long),
            (FILE, &other),
            (FILE, "z"),
        ];
        for (version, hash) in [(2, 20), (3, 20), (4, 20), (2, 32), (4, 32)] {
            let bytes = build::index(version, hash, &entries, b"TREE\0\0\0\x03abc");
            for (_, path) in entries {
                assert!(read(&bytes, hash, path).unwrap().found, "version {version}: {path}");
            }
            for path in ["", "environments", "environments/dev", "environments/dev.yaml2", "zz"] {
                assert_eq!(read(&bytes, hash, path), Ok(Scan::default()), "version {version}: {path}");
            }
        }
    }

    #[test]
    fn what_is_not_understood_is_an_error_and_not_an_absence() {
        let index = |tail: &[u8]| build::index(2, 20, &[(FILE, "a"), (FOLDER, "sparse/")], tail);
        let damaged = "git's index is damaged";
        let cases = [
            (b"".to_vec(), damaged),
            (b"DIRX\0\0\0\x02\0\0\0\0".to_vec(), "git's index is damaged"),
            (b"DIRC\0\0\0\x05\0\0\0\0".to_vec(), "git's index has the unknown version 5"),
            (b"DIRC\0\0\0\x02\xFF\xFF\xFF\xFF".to_vec(), damaged),
            (index(b"what\0\0\0\0"), "git's index has the unknown extension `what`"),
            (index(b"link\0\0\0\x02ab"), "git's index is damaged"),
            (index(b"TREE\0\0\0\x7Fab"), "git's index is damaged"),
        ];
        for (bytes, expected) in cases {
            assert_eq!(read(&bytes, 20, "b").unwrap_err(), expected);
        }
        assert_eq!(read(&index(b""), 20, "sparse/b").unwrap_err(), "git's index is sparse and leaves this folder out");
    }

    #[test]
    fn a_split_index_names_its_base() {
        let base = [&b"link\0\0\0\x14"[..], &[0x1F; 20]].concat();
        let bytes = build::index(2, 20, &[(FILE, "a")], &base);
        assert_eq!(read(&bytes, 20, "b").unwrap().base, Some("1f".repeat(20)));
        let unset = [&b"link\0\0\0\x14"[..], &[0; 20]].concat();
        assert_eq!(read(&build::index(2, 20, &[], &unset), 20, "b"), Ok(Scan::default()));
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300), version in 2_u8..5, count in any::<u8>()) {
            let whole = [&b"DIRC\0\0\0"[..], &[version, 0, 0, 0, count], &bytes].concat();
            let _ = read(&whole, 20, "a");
        }

        #[test]
        fn a_damaged_index_never_loses_a_path_silently(version in 2_u32..5, at in any::<proptest::sample::Index>(), bits in 1_u8..=255) {
            let mut bytes = build::index(version, 20, &[(FILE, "a"), (FILE, "b"), (FILE, "c")], b"TREE\0\0\0\x03abc");
            *at.get_mut(&mut bytes) ^= bits;
            let missed = read(&bytes, 20, "c") == Ok(Scan::default());
            prop_assert!(!missed);
        }

        #[test]
        fn a_cut_index_never_loses_a_path_silently(cut in 0_usize..400) {
            let bytes = build::index(4, 20, &[(FILE, "a"), (FILE, "b"), (FILE, "c")], b"");
            let cut = cut.min(bytes.len() - 21);
            let missed = read(&bytes[..cut], 20, "c") == Ok(Scan::default());
            prop_assert!(!missed);
        }
    }
}
