//! The texts to look for: a sorted set that grows, with a filter before it that lets ordinary text through fast.
//!
//! A search needs two answers at each place of a text: which is the longest pattern that stands here, and may what is left be
//! the beginning of one. Both are a neighbour in a sorted set. So a new secret costs one insertion, where an Aho-Corasick
//! automaton has to be built again from all of them each time that an answer brings a token.
//!
//! Every place is looked at, those inside of a match too, and what overlaps or touches becomes one mask: of two secrets that
//! share some characters neither is left half visible.

use std::collections::BTreeSet;
use std::ops::Bound;

use super::MASK;

/// The bytes that the filter looks at. No pattern is shorter.
const HEAD: usize = 4;

/// The longest pattern in bytes; a longer text is looked for piece by piece. It bounds what a writer holds back and the work at
/// each place, whatever a server sends as a token.
const LONGEST: usize = 512;

/// The filter's bits per pattern: about one false alarm in sixteen places at the worst.
const BITS_PER_PATTERN: usize = 16;

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
    longest: usize,
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
        self.longest = self.longest.max(text.len());
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
            if self.longest_at(&text[candidate..]).is_some() {
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
            if let Some(length) = self.longest_at(rest) {
                if hidden_to.is_none_or(|end| end < place) {
                    out.extend_from_slice(&text[plain_from..place]);
                    out.extend_from_slice(MASK.as_bytes());
                }
                plain_from = plain_from.max(place + length);
                hidden_to = Some(plain_from);
            }
            if !last && self.may_begin_with(rest) {
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
        let told = rest.windows(HEAD).position(|window| head(window).is_some_and(|head| bit(&self.filter, head)));
        let place = from + told.unwrap_or((rest.len() + 1).saturating_sub(HEAD));
        (place < text.len()).then_some(place)
    }

    /// The length of the longest pattern that `text` starts with.
    fn longest_at(&self, text: &[u8]) -> Option<usize> {
        let mut text = &text[..text.len().min(self.longest)];
        loop {
            let below = self.sorted.range::<[u8], _>((Bound::Unbounded, Bound::Included(text))).next_back()?;
            let common = below.iter().zip(text).take_while(|(a, b)| a == b).count();
            if common == below.len() {
                return Some(common);
            }
            // A pattern that the text starts with sorts at or before `below`, so it is a beginning of what they share.
            if common < HEAD {
                return None;
            }
            text = &text[..common];
        }
    }

    /// Whether some pattern is longer than `text` and starts with it.
    fn may_begin_with(&self, text: &[u8]) -> bool {
        text.len() < self.longest
            && (self.sorted.range::<[u8], _>((Bound::Excluded(text), Bound::Unbounded)).next())
                .is_some_and(|above| above.starts_with(text))
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
