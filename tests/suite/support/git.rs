//! Indexes of git, made by hand: no test needs git, and a damaged one is easily made.

use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, SHA256, digest};

/// The mode of a plain file.
pub(crate) const FILE: u32 = 0o100_644;

/// The bytes of an index as gitformat-index describes them; entries (mode, two bytes of flags, path) are sorted by path. `hash` is
/// the length of an object's name, `extensions` are put before the checksum.
pub(crate) fn index(version: u32, hash: usize, entries: &[(u32, u16, &str)], extensions: &[u8]) -> Vec<u8> {
    let mut bytes = [&b"DIRC"[..], &version.to_be_bytes(), &u32::try_from(entries.len()).unwrap().to_be_bytes()].concat();
    for (mode, flags, path) in entries {
        let mut entry = [&[0; 24][..], &mode.to_be_bytes(), &[0; 12], &vec![0xAB; hash]].concat();
        // Version 3 has more flags: skip-worktree (0x4000), intent-to-add (0x2000).
        let extended = if version == 3 { 0x4000 } else { 0 };
        let more = if version == 3 { flags & 0x6000 } else { 0 };
        let length = u16::try_from(path.len()).unwrap().min(0x0FFF);
        entry.extend((length | extended | if version == 3 { flags & 0x8000 } else { *flags }).to_be_bytes());
        if version == 3 {
            entry.extend(more.to_be_bytes());
        }
        if version == 4 {
            // Nothing is shared with the path before: all of it is dropped.
            let before =
                entries.iter().rev().skip_while(|(_, _, other)| other != path).nth(1).map_or(0, |(.., other)| other.len());
            assert!(before < 0x80, "a path that needs no second byte");
            entry.push(u8::try_from(before).unwrap());
            entry.extend(path.as_bytes());
            entry.push(0);
        } else {
            entry.extend(path.as_bytes());
            entry.extend(vec![0; 8 - entry.len() % 8]);
        }
        bytes.extend(entry);
    }
    bytes.extend(extensions);
    let algorithm = if hash == 20 { &SHA1_FOR_LEGACY_USE_ONLY } else { &SHA256 };
    let checksum = digest(algorithm, &bytes);
    [&bytes, checksum.as_ref()].concat()
}

/// An index of version 2 that holds `path` and nothing else.
pub(crate) fn index_of(path: &str) -> Vec<u8> {
    index(2, 20, &[(FILE, 0, path)], b"")
}

/// The extension that names the shared half of a split index.
pub(crate) fn link(base: u8) -> Vec<u8> {
    [&b"link\0\0\0\x14"[..], &[base; 20]].concat()
}
