//! Lets ordinary text through fast: says of most places that no pattern begins there, after a look at four bytes at most.

use super::spelling;

/// The bytes that the filter looks at. No pattern is shorter.
pub(super) const HEAD: usize = 4;

/// Bits per head that is known: about one false alarm in sixty places at the worst. A false alarm costs as much as a hundred bytes of
/// ordinary text.
const BITS_PER_HEAD: usize = 64;

/// What may stand for a blank or a line break besides themselves, when a pattern has one. All count as the same here.
const BLANKS: [u8; 4] = *b" \t\n+";

/// The beginnings of all patterns, and which bytes may be read as something else that is part of one.
#[derive(Default)]
pub(super) struct Filter {
    /// A bit for the hash of each beginning of one to four bytes; its length is a power of two.
    bits: Vec<u64>,
    /// Quotes, blanks and line breaks matter only when a pattern contains what they may stand for.
    quotes: bool,
    blanks: bool,
}

impl Filter {
    /// Adds a pattern, the `count`-th. `false`: the filter has to be built again, with [`Self::rebuild`].
    #[must_use]
    pub(super) fn add(&mut self, pattern: &[u8], count: usize) -> bool {
        self.quotes |= pattern.iter().any(|byte| matches!(byte, b'\'' | b'"'));
        let blanks = self.blanks || pattern.iter().any(|byte| matches!(byte, b' ' | b'\n'));
        let fits = count * HEAD * BITS_PER_HEAD <= self.bits.len() * 64;
        if !fits || blanks != self.blanks {
            self.blanks = blanks;
            return false;
        }
        self.set(pattern);
        true
    }

    pub(super) fn rebuild<'a>(&mut self, patterns: impl ExactSizeIterator<Item = &'a [u8]>) {
        self.bits = vec![0; (patterns.len() * HEAD * BITS_PER_HEAD / 64).next_power_of_two().max(8) * 2];
        patterns.for_each(|pattern| self.set(pattern));
    }

    /// The next place at or behind `from` where a pattern may begin.
    pub(super) fn next(&self, text: &[u8], from: usize) -> Option<usize> {
        let rest = text.get(from..)?;
        // Up to there a place has a byte that is not just itself within its first four.
        let mut unsure = (0..HEAD - 1).rfind(|&at| self.stops(rest.get(at..).unwrap_or_default())).map_or(0, |at| at + 1);
        let mut key = self.key(rest.iter().take(HEAD - 1));
        let told = rest.windows(HEAD).enumerate().position(|(place, window)| {
            let byte = window[HEAD - 1];
            if self.is_special(byte) && self.stops(&rest[place + HEAD - 1..]) {
                unsure = place + HEAD;
            }
            key = (key << 8 | u64::from(self.plain(byte))) & u64::from(u32::MAX);
            if place < unsure { self.may_begin(&rest[place..]) } else { self.has(key, HEAD) }
        });
        let last = (rest.len() + 1).saturating_sub(HEAD);
        told.or_else(|| (last..rest.len()).find(|&place| self.may_begin(&rest[place..]))).map(|place| from + place)
    }

    /// Whether the first byte of `text` is not just itself, or what comes behind it may be margin.
    fn stops(&self, text: &[u8]) -> bool {
        match text {
            [blank, next, ..] if self.blanks && BLANKS.contains(blank) => BLANKS.contains(next),
            _ => self.is_ambiguous(text),
        }
    }

    /// Whether `byte` may have to do with [`Self::is_ambiguous`], or [`BLANKS`].
    fn is_special(&self, byte: u8) -> bool {
        match byte {
            b'%' | b'&' | b'\\' => true,
            b'\'' | b'"' => self.quotes,
            b'+' | b' ' | b'\t' | b'\r' | b'\n' => self.blanks,
            _ => false,
        }
    }

    /// Whether the start of `text` has to be read as what it may stand for, not only as the byte that stands there.
    pub(super) fn is_ambiguous(&self, text: &[u8]) -> bool {
        match text.first() {
            Some(b'%' | b'&' | b'\\') => spelling::may_spell(text),
            Some(b'\'' | b'"') => self.quotes && spelling::may_spell(text),
            Some(b'+' | b' ' | b'\t' | b'\r' | b'\n') => self.blanks,
            _ => false,
        }
    }

    /// Whether a pattern may begin with the bytes of `begun` and then `bytes`; of what is longer than a head this can't tell.
    pub(super) fn goes_on(&self, begun: &[u8], bytes: &[u8]) -> bool {
        let length = begun.len() + bytes.len();
        length > HEAD || self.has(self.key(begun.iter().chain(bytes)), length)
    }

    fn may_begin(&self, text: &[u8]) -> bool {
        let (mut head, mut length) = (0, 0);
        for (at, &byte) in text.iter().take(HEAD).enumerate() {
            let is_blank = self.blanks && BLANKS.contains(&byte);
            if !is_blank && self.is_ambiguous(&text[at..]) {
                break;
            }
            (head, length) = (head << 8 | u64::from(self.plain(byte)), at + 1);
            // Behind a blank, more of it may be margin.
            if is_blank && text.get(at + 1).is_some_and(|next| BLANKS.contains(next)) {
                break;
            }
        }
        length == 0 || self.has(head, length)
    }

    fn set(&mut self, pattern: &[u8]) {
        for length in 1..=HEAD {
            let (word, bit) = self.slot(self.key(pattern.iter().take(length)), length);
            self.bits[word] |= bit;
        }
    }

    /// The bytes of a head as one number, in which all blanks are the same if they matter.
    fn key<'b>(&self, head: impl Iterator<Item = &'b u8>) -> u64 {
        head.fold(0, |key, &byte| key << 8 | u64::from(self.plain(byte)))
    }

    fn plain(&self, byte: u8) -> u8 {
        if self.blanks && BLANKS.contains(&byte) { b' ' } else { byte }
    }

    fn has(&self, head: u64, length: usize) -> bool {
        if self.bits.is_empty() {
            return false;
        }
        let (word, bit) = self.slot(head, length);
        self.bits[word] & bit != 0
    }

    fn slot(&self, head: u64, length: usize) -> (usize, u64) {
        // Fibonacci hashing: the product's upper half depends on all bytes.
        let key = head | (length as u64) << 32;
        let hash = (key.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32) as usize & (self.bits.len() * 64 - 1);
        (hash / 64, 1 << (hash % 64))
    }
}
