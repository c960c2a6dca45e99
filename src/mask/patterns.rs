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
use super::filter::{Filter, HEAD};
use super::spelling::{self, Reading, WIDEST_MARGIN};

/// The longest pattern in bytes; a longer text is looked for piece by piece. It bounds what a writer holds back and the work at
/// each place, whatever a server sends as a token.
const LONGEST: usize = 512;

/// When so many bytes of a pattern stand there, the rest may stand on the next lines: base64 and YAML are wrapped.
const WRAPPED_FROM: usize = 16;

/// The work to take a byte that is just itself is one; this is the work for one that may be read in several ways.
const STEP: usize = 32;

/// The work that may be spent on one place: a secret needs a step for each of its characters that is spelt. Only a great many
/// backslashes, say, in a text of them need more.
pub(super) const MOST_WORK: usize = 4 * LONGEST * STEP;

/// The work per byte of text that may go on for ever. So a text costs time in proportion to its length whatever stands in it.
pub(super) const WORK_PER_BYTE: usize = 8 * STEP;

/// Where a pass left off.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Resume {
    /// The number of bytes at the start of the next text that a mask which is already written covers. `Some(0)`: the mask ends
    /// right before it. `None`: ordinary text stands before it.
    hidden: Option<usize>,
    /// Whether the rest of the line is hidden, because it takes too much work to read.
    tangled: bool,
    pub(super) effort: Effort,
}

/// The work of a pass.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Effort {
    /// What was spent lately.
    lately: usize,
    #[cfg(test)]
    pub(super) all: usize,
}

impl Effort {
    fn spend(&mut self, work: usize) {
        self.lately += work;
        #[cfg(test)]
        {
            self.all += work;
        }
    }

    fn is_too_much(self) -> bool {
        self.lately > MOST_WORK
    }

    /// `bytes` of text are behind us.
    fn passed(&mut self, bytes: usize) {
        self.lately = self.lately.saturating_sub(bytes.saturating_mul(WORK_PER_BYTE));
    }
}

/// What to look for.
#[derive(Default)]
pub(super) struct Patterns {
    sorted: BTreeSet<Box<[u8]>>,
    filter: Filter,
}

/// What stands at one place.
#[derive(Default)]
struct Found {
    /// Where the longest pattern ends.
    end: Option<usize>,
    /// Whether a longer one may stand here if more text comes.
    open: bool,
    /// Whether it takes too much work to tell.
    tangled: bool,
}

/// What a look at a place works with; kept to save the allocations.
#[derive(Default)]
struct Desk<'p> {
    walks: Vec<Walk<'p>>,
    readings: Vec<Reading>,
    seen: HashSet<(usize, usize, *const u8)>,
}

/// A place in a text that was read as the first `known` bytes of `pattern`. Of all patterns that begin so it is the first in
/// order: if just these bytes are one, it is this.
#[derive(Clone, Copy)]
struct Walk<'p> {
    pattern: &'p [u8],
    known: usize,
    at: usize,
    /// Whether what was read last stands for nothing. It is no part of a pattern that ended before it.
    margin: bool,
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
        let pattern = text.as_bytes();
        if pattern.len() < HEAD || !self.sorted.insert(pattern.into()) {
            return;
        }
        if !self.filter.add(pattern, self.sorted.len()) {
            self.filter.rebuild(self.sorted.iter().map(AsRef::as_ref));
        }
    }

    /// Whether a pattern stands anywhere in `text`, or it takes too much work to tell.
    pub(super) fn occur_in(&self, text: &[u8]) -> bool {
        let (mut at, mut desk, mut effort) = (0, Desk::default(), Effort::default());
        while let Some(place) = self.filter.next(text, at) {
            effort.passed(place + 1 - at);
            let found = self.look(&text[place..], &mut desk, &mut effort);
            if found.end.is_some() || found.tangled {
                return true;
            }
            at = place + 1;
        }
        false
    }

    /// Writes `text`, masked, to `out`. Unless this is the `last` text it stops where a pattern may begin that the text's end
    /// cuts off. Gives the number of bytes that are done with; the rest is to be handed in again, with more behind it.
    pub(super) fn pass(&self, text: &[u8], resume: Resume, last: bool, out: &mut Vec<u8>) -> (usize, Resume) {
        let Resume { hidden, mut tangled, mut effort } = resume;
        let mut hidden_to = hidden;
        let mut at = 0;
        if tangled {
            (at, tangled) = end_of_line(text, 0);
            hidden_to = hidden_to.max(Some(at));
        }
        let mut plain_from = hidden_to.unwrap_or(0);
        let mut desk = Desk::default();
        let left_off = |done: usize, hidden_to: Option<usize>, tangled, effort| {
            (done, Resume { hidden: hidden_to.and_then(|end| end.checked_sub(done)), tangled, effort })
        };
        while let Some(place) = self.filter.next(text, at) {
            effort.passed(place - at);
            let before = effort;
            let found = self.look(&text[place..], &mut desk, &mut effort);
            let mut next = place + 1;
            let mut end = found.end.map(|length| place + length);
            if found.tangled {
                (next, tangled) = end_of_line(text, place);
                end = end.max(Some(next));
            }
            if let Some(end) = end {
                if hidden_to.is_none_or(|hidden| hidden < place) {
                    out.extend_from_slice(&text[plain_from..place]);
                    out.extend_from_slice(MASK.as_bytes());
                }
                plain_from = plain_from.max(end);
                hidden_to = Some(plain_from);
            }
            if !last && found.open && !found.tangled {
                out.extend_from_slice(text.get(plain_from..place).unwrap_or_default());
                return left_off(place, hidden_to, false, before);
            }
            effort.passed(next - place);
            at = next;
        }
        effort.passed(text.len().saturating_sub(at));
        out.extend_from_slice(text.get(plain_from..).unwrap_or_default());
        left_off(text.len(), hidden_to, tangled, effort)
    }

    /// The longest pattern that `text`, in whatever spelling, starts with.
    fn look<'p>(&'p self, text: &[u8], desk: &mut Desk<'p>, effort: &mut Effort) -> Found {
        let mut found = Found::default();
        let Some(first) = self.sorted.first() else { return found };
        let Desk { walks, readings, seen } = desk;
        walks.clear();
        walks.push(Walk { pattern: first, known: 0, at: 0, margin: false });
        seen.clear();
        let mut parted = false;
        while let Some(walk) = walks.pop() {
            effort.spend(STEP);
            if effort.is_too_much() {
                found.tangled = true;
                break;
            }
            let Some(walk) = self.plain(walk, text, &mut found, effort) else { continue };
            // Two ways to the same place are one.
            if parted && !seen.insert((walk.known, walk.at, walk.pattern.as_ptr())) {
                continue;
            }
            readings.clear();
            let rest = &text[walk.at..];
            let cut = spelling::read(rest, readings);
            found.open = found.open || (cut && self.goes_on(walk));
            for reading in readings.iter() {
                self.follow(walk, reading, rest, walks);
            }
            parted = parted || walks.len() > 1;
        }
        found
    }

    /// Goes on to the next byte that may be read in several ways; `None` when no pattern goes on so, or the text ends.
    fn plain<'p>(&'p self, mut walk: Walk<'p>, text: &[u8], found: &mut Found, effort: &mut Effort) -> Option<Walk<'p>> {
        loop {
            if walk.known == walk.pattern.len() && !walk.margin {
                found.end = found.end.max(Some(walk.at));
            }
            match text.get(walk.at) {
                None => {
                    found.open = found.open || self.goes_on(walk);
                    return None;
                }
                Some(b'\r' | b'\n') if walk.known >= WRAPPED_FROM => return Some(walk),
                Some(_) if self.filter.is_ambiguous(&text[walk.at..]) => return Some(walk),
                Some(byte) => walk = self.descend(walk, &[*byte], walk.at + 1)?,
            }
            effort.spend(1);
        }
    }

    /// Adds the walks that go on from `walk` when `reading` is what stands at the start of `rest`.
    fn follow<'p>(&'p self, walk: Walk<'p>, reading: &Reading, rest: &[u8], walks: &mut Vec<Walk<'p>>) {
        let end = walk.at + reading.end;
        let skipped = Walk { at: end, margin: true, ..walk };
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
            let margin = rest[reading.end..].iter().take(WIDEST_MARGIN).take_while(|byte| matches!(byte, b' ' | b'\t')).count();
            walks.push(Walk { at: end + margin, margin: true, ..walk });
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
            return Some(Walk { known, at, margin: false, ..walk });
        }
        // What goes on with `bytes` would stand before it, where nothing is that begins so.
        if rest > bytes || !self.filter.goes_on(begun, bytes) {
            return None;
        }
        let wanted = [begun, bytes].concat();
        let pattern = self.sorted.range::<[u8], _>((Bound::Included(wanted.as_slice()), Bound::Unbounded)).next()?;
        pattern.starts_with(&wanted).then_some(Walk { pattern, known, at, margin: false })
    }

    /// Whether some pattern is longer than what is known and begins with it.
    fn goes_on(&self, walk: Walk<'_>) -> bool {
        let Some((known, rest)) = walk.pattern.split_at_checked(walk.known) else { return false };
        !rest.is_empty()
            || (self.sorted.range::<[u8], _>((Bound::Excluded(known), Bound::Unbounded)).next())
                .is_some_and(|above| above.starts_with(known))
    }
}

/// Where the line that `from` is in ends, and whether it goes on behind the text.
fn end_of_line(text: &[u8], from: usize) -> (usize, bool) {
    memchr::memchr(b'\n', &text[from..]).map_or((text.len(), true), |length| (from + length, false))
}
