//! Mistakes in and around quotes.

use super::super::line::{Slot, quoted};
use super::super::mistake::Mistake;
use super::case::Case;
use super::{never_closed, with_mended};

impl<'t> Case<'t> {
    pub(super) fn escape(&self) -> Option<Mistake> {
        let slot = self.line.slots().into_iter().find(|slot| slot.value == self.column)?;
        let inner = self.rest().get(1..)?;
        let bytes = inner.as_bytes();
        let (mut at, mut bad, mut good, mut end) = (0, None, false, None);
        while let Some(&byte) = bytes.get(at) {
            match byte {
                b'\\' => {
                    let known = is_escape(&bytes[at + 1..]);
                    if known {
                        good |= bytes.get(at + 1) != Some(&b'/');
                    } else {
                        bad = bad.or(Some(at));
                    }
                    at += 2;
                }
                b'"' => {
                    end = Some(at);
                    break;
                }
                _ => at += 1,
            }
        }
        let from = self.column + 1 + bad.unwrap_or(0);
        let to = (from + 1 + self.line.text.get(from + 1..)?.chars().next().map_or(0, char::len_utf8)).min(self.line.text.len());
        let message = "unknown escape in double quotes";
        let label = "write the backslash twice, or use single quotes";
        let mistake = Mistake::new(self.line.span(from, to), message, label);
        let (Some(_), Some(end), false) = (bad, end, good) else { return Some(mistake) };
        let single = format!("'{}'", inner[..end].replace('\'', "''"));
        let mended = self.line.mended(slot, self.column + end + 2, &single);
        Some(if mended.is_empty() { mistake } else { mistake.shown(format!("write it in single quotes: {mended}")) })
    }

    /// Text behind a closing quote.
    pub(super) fn behind_quote(&self) -> Option<Mistake> {
        let message = "text behind a closing quote";
        let mistake = Mistake::new(self.rest_of_line(), message, "put the whole value in one pair of quotes");
        if let Some(open) = self.quote_above() {
            return Some(open);
        }
        let starts_quoted = |slot: &Slot| self.line.text[slot.value..].starts_with(['"', '\'']) && slot.value < self.column;
        let Some(slot) = self.line.slots().into_iter().rfind(starts_quoted) else { return Some(mistake) };
        if slot.depth > 0 && self.rest().starts_with(['"', '\'']) && self.line.text[..self.column].ends_with(' ') {
            return Some(Mistake::new(self.here(), "a comma is missing", "add a `,` before this"));
        }
        let end = self.line.value_end(slot, false);
        let value = &self.line.text[slot.value..end];
        let quote = &value[..1];
        let inner = value.strip_prefix(quote).and_then(|text| text.strip_suffix(quote));
        let glued = !self.line.text[..self.column].ends_with(' ');
        let whole = match inner {
            Some(inner) => inner.to_owned(),
            None if glued => value.replacen(quote, "", 2),
            None => value.to_owned(),
        };
        Some(with_mended(mistake, &self.line.mended(slot, end, &quoted(&whole))))
    }

    /// The quote of an earlier line that this line's opening quote closed by mistake.
    fn quote_above(&self) -> Option<Mistake> {
        let closes = self.column.checked_sub(1)?;
        self.line.slots().into_iter().find(|slot| slot.value == closes)?;
        let quote = self.line.text.get(closes..self.column)?;
        let mut above = self.line.above(self.text);
        while let Some(line) = above {
            let last = line.slots().into_iter().next_back();
            if let Some(slot) = last.filter(|slot| line.text[slot.value..].starts_with(quote))
                && !line.text[slot.value + 1..].contains(quote)
            {
                return Some(never_closed(line.span(slot.value, line.text.len())));
            }
            above = line.above(self.text);
        }
        None
    }
}

/// Whether a backslash and what follows it is an escape (YAML 1.2.2 §5.7).
fn is_escape(rest: &[u8]) -> bool {
    let digits = match rest.first() {
        Some(b'x') => 2,
        Some(b'u') => 4,
        Some(b'U') => 8,
        Some(b) => return b"0abtnvfre \"/\\N_LP\t".contains(b),
        None => return true,
    };
    rest.get(1..=digits).is_some_and(|hex| hex.iter().all(u8::is_ascii_hexdigit))
}
