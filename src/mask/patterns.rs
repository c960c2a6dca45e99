//! The texts to look for: a sorted set that grows, with a filter before it that lets ordinary text through fast.
//!
//! A search needs two answers at each place of a text: which is the longest pattern that stands here, and may what is left be
//! the beginning of one. Both are a neighbour in a sorted set, which serves as a tree of all patterns. So a new secret costs a
//! few insertions, where an Aho-Corasick automaton has to be built again from all of them each time that an answer brings a
//! token. And where the text may be read in several ways, each of them is a walk of its own through that tree.
//!
//! Every place is looked at, those inside of a match too, and what overlaps or touches becomes one mask: of two secrets that
//! share some characters neither is left half visible.

use std::collections::{BTreeSet, HashSet};
use std::ops::Bound;

use super::MASK;
use super::spelling::{self, Reading};

/// The bytes that the filter looks at. No pattern is shorter.
const HEAD: usize = 4;

/// The longest pattern in bytes; a longer text is looked for piece by piece. It bounds what a writer holds back and the work at
/// each place, whatever a server sends as a token.
const LONGEST: usize = 512;

/// The filter's bits per pattern: about one false alarm in sixteen places at the worst.
const BITS_PER_PATTERN: usize = 16;

/// When so many bytes of a pattern stand there, the rest may stand on the next lines: base64 and YAML are wrapped.
const WRAPPED_FROM: usize = 16;

/// The most steps of all walks from one place. A secret needs one for each of its characters that is spelt; only a great many
/// backslashes, say, in a text of them need more.
const MOST_STEPS: usize = 4 * LONGEST;

/// Where a pass left off: the number of bytes at the start of the next text that a mask which is already written covers.
/// `Some(0)`: the mask ends right before it. `None`: ordinary text stands before it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Resume(Option<usize>);

/// What to look for.
#[derive(Default)]
pub(super) struct Patterns {
    sorted: BTreeSet<Box<[u8]>>,
    /// A bit for the hash of each pattern's head; its length is a power of two.
    filter: Vec<u64>,
    ambiguous: Ambiguous,
}

/// Which bytes may be read as something else that is part of a pattern.
struct Ambiguous([bool; 256]);

impl Default for Ambiguous {
    fn default() -> Self {
        let mut flags = Self([false; 256]);
        flags.add(b"%&\\");
        flags
    }
}

impl Ambiguous {
    fn add(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0[usize::from(byte)] = true;
        }
    }

    /// Quotes, blanks and line breaks matter only when a pattern contains what they may stand for.
    fn learn(&mut self, pattern: &[u8]) {
        for &byte in pattern {
            match byte {
                b'\'' | b'"' => self.add(b"'\""),
                b' ' | b'\n' => self.add(b"+ \t\r\n"),
                _ => {}
            }
        }
    }

    fn contains(&self, byte: u8) -> bool {
        self.0[usize::from(byte)]
    }
}

/// What stands at one place.
#[derive(Default)]
struct Found {
    /// Where the longest pattern ends.
    end: Option<usize>,
    /// Whether a longer one may stand here if more text comes.
    open: bool,
}

/// A place in a text that was read as the first `known` bytes of `pattern`. Of all patterns that begin so it is the first in
/// order: if just these bytes are one, it is this.
#[derive(Clone, Copy)]
struct Walk<'p> {
    pattern: &'p [u8],
    known: usize,
    at: usize,
}

impl Patterns {
    /// Adds a text to look for; one that is shorter than [`HEAD`] is left out.
    pub(super) fn add(&mut self, text: &str) {
        if text.len() <= LONGEST {
            self.add_piece(text);
            return;
        }
        let mut start = 0;
        while start + LONGEST < text.len() {
            let end = text.floor_char_boundary(start + LONGEST);
            self.add_piece(&text[start..end]);
            start = end;
        }
        // The last piece is a full one too: a short rest would be found in ordinary text.
        self.add_piece(&text[text.ceil_char_boundary(text.len() - LONGEST)..]);
    }

    fn add_piece(&mut self, text: &str) {
        let Some(head) = head(text.as_bytes()) else { return };
        if !self.sorted.insert(text.as_bytes().into()) {
            return;
        }
        self.ambiguous.learn(text.as_bytes());
        if self.sorted.len() * BITS_PER_PATTERN > self.filter.len() * 64 {
            self.filter = vec![0; (self.sorted.len() * BITS_PER_PATTERN / 64).next_power_of_two().max(8) * 2];
            for head in self.sorted.iter().filter_map(|pattern| self::head(pattern)) {
                set_bit(&mut self.filter, head);
            }
        } else {
            set_bit(&mut self.filter, head);
        }
    }

    /// Whether a pattern stands anywhere in `text`.
    pub(super) fn occur_in(&self, text: &[u8]) -> bool {
        let mut at = 0;
        while let Some(candidate) = self.next_candidate(text, at) {
            if self.look(&text[candidate..]).end.is_some() {
                return true;
            }
            at = candidate + 1;
        }
        false
    }

    /// Writes `text`, masked, to `out`. Unless this is the `last` text it stops where a pattern may begin that the text's end
    /// cuts off. Gives the number of bytes that are done with; the rest is to be handed in again, with more behind it.
    pub(super) fn pass(&self, text: &[u8], resume: Resume, last: bool, out: &mut Vec<u8>) -> (usize, Resume) {
        let mut hidden_to = resume.0;
        let mut plain_from = resume.0.unwrap_or(0);
        let mut at = 0;
        while let Some(place) = self.next_candidate(text, at) {
            let rest = &text[place..];
            let found = self.look(rest);
            if let Some(length) = found.end {
                if hidden_to.is_none_or(|end| end < place) {
                    out.extend_from_slice(&text[plain_from..place]);
                    out.extend_from_slice(MASK.as_bytes());
                }
                plain_from = plain_from.max(place + length);
                hidden_to = Some(plain_from);
            }
            if !last && found.open {
                out.extend_from_slice(text.get(plain_from..place).unwrap_or_default());
                return (place, Resume(hidden_to.and_then(|end| end.checked_sub(place))));
            }
            at = place + 1;
        }
        out.extend_from_slice(text.get(plain_from..).unwrap_or_default());
        (text.len(), Resume(hidden_to.and_then(|end| end.checked_sub(text.len()))))
    }

    /// The next place at or behind `from` where a pattern may stand; too few bytes to tell count as one.
    fn next_candidate(&self, text: &[u8], from: usize) -> Option<usize> {
        let rest = text.get(from..).filter(|rest| !rest.is_empty())?;
        // Up to there, one of the first bytes may be read in several ways.
        let mut unsure = rest.iter().take(HEAD - 1).rposition(|byte| self.ambiguous.contains(*byte)).map_or(0, |at| at + 1);
        let told = rest.windows(HEAD).enumerate().position(|(place, window)| {
            if self.ambiguous.contains(window[HEAD - 1]) {
                unsure = place + HEAD;
            }
            place < unsure || head(window).is_some_and(|head| bit(&self.filter, head))
        });
        let place = from + told.unwrap_or((rest.len() + 1).saturating_sub(HEAD));
        (place < text.len()).then_some(place)
    }

    /// The longest pattern that `text`, in whatever spelling, starts with.
    fn look(&self, text: &[u8]) -> Found {
        let mut found = Found::default();
        let mut walks: Vec<Walk<'_>> = self.start(text).into_iter().collect();
        let (mut readings, mut seen, mut parted) = (Vec::new(), HashSet::new(), false);
        for _ in 0..MOST_STEPS {
            let Some(walk) = walks.pop() else { break };
            let Some(walk) = self.plain(walk, text, &mut found) else { continue };
            // Two ways to the same place are one.
            if parted && !seen.insert((walk.known, walk.at, walk.pattern.as_ptr())) {
                continue;
            }
            readings.clear();
            let rest = &text[walk.at..];
            let cut = spelling::read(rest, &mut readings);
            found.open = found.open || (cut && self.goes_on(walk));
            for reading in &readings {
                self.follow(walk, reading, rest, &mut walks);
            }
            parted = parted || walks.len() > 1;
        }
        found
    }

    /// The walk from the start of `text`, over the bytes of the filter at once if none is ambiguous.
    fn start(&self, text: &[u8]) -> Option<Walk<'_>> {
        let root = Walk { pattern: self.sorted.first()?, known: 0, at: 0 };
        match text.get(..HEAD).filter(|head| !head.iter().any(|byte| self.ambiguous.contains(*byte))) {
            Some(head) => self.descend(root, head, HEAD),
            None => Some(root),
        }
    }

    /// Goes on to the next byte that may be read in several ways; `None` when no pattern goes on so, or the text ends.
    fn plain<'p>(&'p self, mut walk: Walk<'p>, text: &[u8], found: &mut Found) -> Option<Walk<'p>> {
        loop {
            if walk.known == walk.pattern.len() {
                found.end = found.end.max(Some(walk.at));
            }
            match text.get(walk.at) {
                None => {
                    found.open = found.open || self.goes_on(walk);
                    return None;
                }
                Some(b'\r' | b'\n') if walk.known >= WRAPPED_FROM => return Some(walk),
                Some(&byte) if self.ambiguous.contains(byte) => return Some(walk),
                Some(byte) => walk = self.descend(walk, &[*byte], walk.at + 1)?,
            }
        }
    }

    /// Adds the walks that go on from `walk` when `reading` is what stands at the start of `rest`.
    fn follow<'p>(&'p self, walk: Walk<'p>, reading: &Reading, rest: &[u8], walks: &mut Vec<Walk<'p>>) {
        let end = walk.at + reading.end;
        let skipped = Walk { at: end, ..walk };
        let before = walk.known.checked_sub(1).and_then(|last| walk.pattern.get(last));
        match reading.bytes() {
            [] => walks.extend(before.map(|_| skipped)),
            // A form's blank; and in YAML a line break stands for one.
            [b'+' | b'\n'] => walks.extend(self.descend(walk, b" ", end)),
            // The line break of Windows and of forms.
            [b'\r'] => walks.extend(self.descend(walk, b"\n", end).map(|_| skipped)),
            _ => {}
        }
        if let [b' ' | b'\t' | b'\r' | b'\n'] = reading.bytes() {
            // A line break may come with another one and with the next line's indentation.
            walks.extend(before.filter(|before| matches!(before, b' ' | b'\n')).map(|_| skipped));
        }
        if let ([b'\r' | b'\n'], WRAPPED_FROM..) = (reading.bytes(), walk.known) {
            let margin = rest[reading.end..].iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
            walks.push(Walk { at: end + margin, ..walk });
        }
        if !reading.bytes().is_empty() {
            walks.extend(self.descend(walk, reading.bytes(), end));
        }
    }

    /// The walk one reading further, if any pattern goes on with these `bytes`.
    fn descend<'p>(&'p self, walk: Walk<'p>, bytes: &[u8], at: usize) -> Option<Walk<'p>> {
        let (begun, rest) = walk.pattern.split_at_checked(walk.known)?;
        let known = walk.known + bytes.len();
        if rest.starts_with(bytes) {
            return Some(Walk { known, at, ..walk });
        }
        // What goes on with `bytes` would stand before it, where nothing is that begins so.
        if rest > bytes {
            return None;
        }
        let wanted = [begun, bytes].concat();
        let pattern = self.sorted.range::<[u8], _>((Bound::Included(wanted.as_slice()), Bound::Unbounded)).next()?;
        pattern.starts_with(&wanted).then_some(Walk { pattern, known, at })
    }

    /// Whether some pattern is longer than what is known and begins with it.
    fn goes_on(&self, walk: Walk<'_>) -> bool {
        let Some((known, rest)) = walk.pattern.split_at_checked(walk.known) else { return false };
        !rest.is_empty()
            || (self.sorted.range::<[u8], _>((Bound::Excluded(known), Bound::Unbounded)).next())
                .is_some_and(|above| above.starts_with(known))
    }
}

fn head(text: &[u8]) -> Option<u32> {
    text.first_chunk::<HEAD>().map(|head| u32::from_le_bytes(*head))
}

fn slot(bits: usize, head: u32) -> (usize, u64) {
    // Fibonacci hashing: the product's upper half depends on all four bytes.
    let hash = (u64::from(head).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32) as usize & (bits - 1);
    (hash / 64, 1 << (hash % 64))
}

fn set_bit(filter: &mut [u64], head: u32) {
    let (word, bit) = slot(filter.len() * 64, head);
    filter[word] |= bit;
}

fn bit(filter: &[u64], head: u32) -> bool {
    if filter.is_empty() {
        return false;
    }
    let (word, bit) = slot(filter.len() * 64, head);
    filter[word] & bit != 0
}
