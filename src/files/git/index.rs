//! Looking for one path in git's index: versions 2, 3 and 4, also split in two.
//!
//! Read as a stream, so that the index of a very large repository costs no memory. The format is git's own description,
//! `gitformat-index`; the checksum at the end is not looked at, since a wrong one could only come from a broken disk.

use std::fmt;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek};
use std::path::Path;

/// The longest path that is read, in bytes; no file system takes longer ones.
const PATH_LIMIT: u64 = 64 * 1024;
/// The mode of an entry that stands for a whole folder.
const FOLDER: u32 = 0o040_000;

/// Why an index can't be read.
#[derive(Debug)]
pub(super) enum IndexError {
    /// What the file system reports, a file that ends too early included.
    Io(io::Error),
    /// It does not have the form of an index.
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
            Self::Damaged => f.write_str("git's index is damaged"),
            Self::Version(version) => write!(f, "git's index has the unknown version {version}"),
            Self::Extension(name) => write!(f, "git's index has the unknown extension `{}`", name.escape_debug()),
            Self::Sparse => f.write_str("git's index is sparse and leaves this folder out"),
        }
    }
}

impl From<io::Error> for IndexError {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

/// Whether the index in the folder `git` holds the path `wanted`; `hash` is the length of an object's name in bytes.
pub(super) fn tracks(git: &Path, hash: usize, wanted: &[u8]) -> Result<bool, IndexError> {
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

fn scan_file(path: &Path, hash: usize, wanted: &[u8]) -> Result<Option<Scan>, IndexError> {
    match File::open(path) {
        Ok(file) => {
            let length = file.metadata()?.len();
            scan(BufReader::with_capacity(64 * 1024, file), length, hash, wanted).map(Some)
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn scan<R: BufRead + Seek>(mut input: R, length: u64, hash: usize, wanted: &[u8]) -> Result<Scan, IndexError> {
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
        if path == wanted {
            return Ok(Scan { found: true, base: None });
        }
        if mode == FOLDER && wanted.starts_with(&path) {
            return Err(IndexError::Sparse);
        }
    }
    let hash_length = u64::try_from(hash).unwrap_or(u64::MAX);
    let end = length.checked_sub(hash_length).ok_or(IndexError::Damaged)?;
    Ok(Scan { found: false, base: shared(&mut input, end, hash)? })
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

/// Goes through the extensions up to `end`: the name of the shared index, if there is one.
fn shared<R: BufRead + Seek>(input: &mut R, end: u64, hash: usize) -> Result<Option<String>, IndexError> {
    while input.stream_position()? < end {
        let name: [u8; 4] = array(input)?;
        let size = u32::from_be_bytes(array(input)?);
        if u64::from(size) > end.saturating_sub(input.stream_position()?) {
            return Err(IndexError::Damaged);
        }
        match &name {
            b"link" => {
                let mut base = Vec::new();
                input.take(u64::from(size)).take(u64::try_from(hash).unwrap_or_default()).read_to_end(&mut base)?;
                if base.len() < hash {
                    return Err(IndexError::Damaged);
                }
                let is_set = base.iter().any(|byte| *byte != 0);
                return Ok(is_set.then(|| base.iter().map(|byte| format!("{byte:02x}")).collect()));
            }
            b"sdir" => {}
            [first, ..] if !first.is_ascii_uppercase() => {
                return Err(IndexError::Extension(String::from_utf8_lossy(&name).into_owned()));
            }
            _ => {}
        }
        input.seek_relative(i64::from(size))?;
    }
    Ok(None)
}

fn array<const N: usize>(input: &mut impl Read) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    input.read_exact(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
pub(super) mod build {
    //! Makes the bytes of an index.

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
        bytes.extend(vec![0xCD; hash]);
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
        scan(Cursor::new(bytes), length, hash, wanted.as_bytes()).map_err(|error| error.to_string())
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
        let short = "git's index can't be read: failed to fill whole buffer";
        let cases = [
            (b"".to_vec(), short),
            (b"DIRX\0\0\0\x02\0\0\0\0".to_vec(), "git's index is damaged"),
            (b"DIRC\0\0\0\x05\0\0\0\0".to_vec(), "git's index has the unknown version 5"),
            (b"DIRC\0\0\0\x02\xFF\xFF\xFF\xFF".to_vec(), short),
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
        fn a_cut_index_never_loses_a_path_silently(cut in 0_usize..400) {
            let bytes = build::index(4, 20, &[(FILE, "a"), (FILE, "b"), (FILE, "c")], b"");
            let cut = cut.min(bytes.len() - 21);
            let missed = read(&bytes[..cut], 20, "c") == Ok(Scan::default());
            prop_assert!(!missed);
        }
    }
}
