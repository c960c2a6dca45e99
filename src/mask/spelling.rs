//! Reads a text as what it may stand for: each character as it is, or as one that a writer of URLs, JSON, YAML, HTML or of a
//! command line had to spell in another way, or two of them one after the other.
//!
//! Writers differ in which characters they spell so, in upper and lower case, and in leading zeros. A reader need not know: it
//! takes any spelling of any character. So these encodings cost no pattern, however many ways of writing there are.

/// The longest margin of a line that goes on another one, in bytes.
pub(super) const WIDEST_MARGIN: usize = 256;

/// What a place in a text may stand for: up to four bytes, or none for a line break that only wraps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Reading {
    bytes: [u8; 4],
    length: usize,
    /// Where the text goes on.
    pub(super) end: usize,
}

impl Reading {
    fn of(bytes: &[u8], end: usize) -> Self {
        let mut reading = Self { bytes: [0; 4], length: bytes.len().min(4), end };
        for (to, from) in reading.bytes.iter_mut().zip(bytes) {
            *to = *from;
        }
        reading
    }

    fn of_char(c: char, end: usize) -> Self {
        Self::of(c.encode_utf8(&mut [0; 4]).as_bytes(), end)
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

/// One way to spell characters, known by the character that it begins with.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Family {
    /// `%2f`
    Percent,
    /// `&amp;`, `&#38;`, `&#x26;`
    Markup,
    /// `\n`, `\"`, `\u00e9`, `\xe9`, `\303`: JSON, YAML in double quotes, shells in `$'…'`, in double quotes and without.
    Backslash,
    /// What ends a quoted text, in one: `''` (YAML), `""` (CSV), `'\''` and `'"'"'` (shells).
    Quote,
}

const FAMILIES: [Family; 4] = [Family::Percent, Family::Markup, Family::Backslash, Family::Quote];

impl Family {
    const fn of(first: u8) -> Option<Self> {
        match first {
            b'%' => Some(Self::Percent),
            b'&' => Some(Self::Markup),
            b'\\' => Some(Self::Backslash),
            b'\'' | b'"' => Some(Self::Quote),
            _ => None,
        }
    }
}

/// Whether something other than the character itself may be meant at the start of `text`; if it is cut off, it may.
pub(super) fn may_spell(text: &[u8]) -> bool {
    let (first, next) = match text {
        [] => return false,
        [first] => return Family::of(*first).is_some(),
        [first, next, ..] => (*first, *next),
    };
    // The next character may be spelt too.
    let spelt = Family::of(next).is_some();
    match Family::of(first) {
        None => false,
        Some(Family::Percent) => spelt || next.is_ascii_hexdigit(),
        Some(Family::Markup) => spelt || next.is_ascii_alphanumeric() || next == b'#',
        Some(Family::Backslash) => true,
        Some(Family::Quote) => spelt,
    }
}

/// Adds what the start of `text`, which is not empty, may stand for to `readings`. Says whether the text may end within a
/// spelling, so that more of it would allow more readings.
pub(super) fn read(text: &[u8], readings: &mut Vec<Reading>) -> bool {
    let Some(&first) = text.first() else { return true };
    readings.push(Reading::of(&[first], 1));
    if !may_spell(text) {
        return false;
    }
    let mut cut = false;
    for outer in [None].into_iter().chain(FAMILIES.map(Some)) {
        let mut cursor = Cursor { text, at: 0, outer, decoded: outer.is_none(), cut: false };
        let inner = cursor.clone().next().and_then(Family::of);
        let read = inner.and_then(|inner| cursor.spelling(inner));
        cut |= cursor.cut;
        // Without a character of the outer family it is what was read before.
        let Some(read) = read.filter(|_| cursor.decoded) else { continue };
        readings.push(read);
        // `\xe9` and `\351` are a byte to some and a character to others.
        if let ([byte @ 0x80..=0xFF], Some(Family::Backslash)) = (read.bytes(), inner) {
            readings.push(Reading::of_char(char::from(*byte), read.end));
        }
    }
    cut
}

/// A place in a text whose characters may be spelt in one family; in what comes of it, spellings of all families are read.
#[derive(Clone)]
struct Cursor<'a> {
    text: &'a [u8],
    at: usize,
    outer: Option<Family>,
    /// Whether a character of the outer family was met.
    decoded: bool,
    /// Whether the text ended before it was clear what it says.
    cut: bool,
}

impl Cursor<'_> {
    /// The next character, if it is ASCII; any other is in no spelling.
    fn next(&mut self) -> Option<u8> {
        let Some(&first) = self.text.get(self.at) else {
            self.cut = true;
            return None;
        };
        if self.outer.is_some() && self.outer == Family::of(first) {
            let mut inner = Self { outer: None, ..self.clone() };
            let read = self.outer.and_then(|outer| inner.spelling(outer));
            self.cut |= inner.cut;
            if let Some(read) = read {
                self.at = read.end;
                self.decoded = true;
                return match read.bytes() {
                    [ascii @ 0..=0x7F] => Some(*ascii),
                    _ => None,
                };
            }
        }
        self.at += 1;
        Some(first)
    }

    /// Goes on only if the next character is one that `accepts` takes.
    fn next_if<T>(&mut self, accepts: impl Fn(u8) -> Option<T>) -> Option<T> {
        let mut ahead = self.clone();
        let taken = ahead.next().and_then(accepts);
        if taken.is_some() {
            *self = ahead;
        } else {
            self.cut |= ahead.cut;
        }
        taken
    }

    fn expect(&mut self, wanted: &[u8]) -> Option<()> {
        wanted.iter().try_for_each(|&wanted| self.next_if(|byte| (byte == wanted).then_some(())))
    }

    /// A number of at least one and at most `most` digits.
    fn number(&mut self, radix: u32, most: usize) -> Option<u32> {
        let mut number = None;
        for _ in 0..most {
            let Some(digit) = self.next_if(|byte| char::from(byte).to_digit(radix)) else { break };
            number = Some(number.unwrap_or(0_u32).saturating_mul(radix).saturating_add(digit));
        }
        number
    }

    /// A number of just `length` hex digits.
    fn hex(&mut self, length: usize) -> Option<u32> {
        (0..length).try_fold(0, |number, _| Some(number << 4 | self.next_if(|byte| char::from(byte).to_digit(16))?))
    }

    fn spelling(&mut self, family: Family) -> Option<Reading> {
        match family {
            Family::Percent => {
                self.expect(b"%")?;
                let byte = self.hex(2)?;
                Some(self.byte(byte))
            }
            Family::Markup => {
                self.expect(b"&")?;
                let c = if self.expect(b"#").is_some() { self.character_number() } else { self.character_name() }?;
                Some(Reading::of_char(c, self.at))
            }
            Family::Backslash => {
                self.expect(b"\\")?;
                self.escape()
            }
            Family::Quote => {
                let closed: [(&[u8], u8); 4] = [(b"'\"'\"'", b'\''), (b"'\\''", b'\''), (b"''", b'\''), (b"\"\"", b'"')];
                closed.into_iter().find_map(|(spelling, quote)| {
                    let mut ahead = self.clone();
                    let found = ahead.expect(spelling).map(|()| Reading::of(&[quote], ahead.at));
                    if found.is_some() {
                        *self = ahead;
                    } else {
                        self.cut |= ahead.cut;
                    }
                    found
                })
            }
        }
    }

    /// A byte that was given by its number; what is too large for one says nothing.
    fn byte(&self, number: u32) -> Reading {
        Reading::of(&[u8::try_from(number).unwrap_or_default()], self.at)
    }

    /// Behind `&#`. The semicolon may be missing.
    fn character_number(&mut self) -> Option<char> {
        let hex = self.next_if(|byte| matches!(byte, b'x' | b'X').then_some(())).is_some();
        let number = if hex { self.number(16, 10) } else { self.number(10, 10) }?;
        let _ = self.expect(b";");
        char::from_u32(number)
    }

    /// Behind `&`.
    fn character_name(&mut self) -> Option<char> {
        let mut name = Vec::new();
        while let Some(byte) = self.next_if(|byte| byte.is_ascii_alphanumeric().then_some(byte)) {
            name.push(byte);
            if name.len() > LONGEST_NAME {
                return None;
            }
        }
        self.expect(b";")?;
        named(&name)
    }

    /// Behind `\`.
    fn escape(&mut self) -> Option<Reading> {
        if let Some(byte) = self.number(8, 3) {
            return Some(self.byte(byte & 0xFF));
        }
        let c = match self.next()? {
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'v' => '\u{b}',
            b'a' => '\u{7}',
            b'e' | b'E' => '\u{1b}',
            b'N' => '\u{85}',
            b'_' => '_',
            b'L' => '\u{2028}',
            b'P' => '\u{2029}',
            b'x' => {
                let byte = self.number(16, 2)?;
                return Some(self.byte(byte));
            }
            b'u' => self.utf16()?,
            b'U' => char::from_u32(self.hex(8)?)?,
            b'\n' => {
                // A line that only goes on, and the next one's indentation.
                (0..WIDEST_MARGIN).try_for_each(|_| self.next_if(|byte| matches!(byte, b' ' | b'\t').then_some(())));
                return Some(Reading::of(&[], self.at));
            }
            plain if !plain.is_ascii_alphanumeric() => char::from(plain),
            _ => return None,
        };
        Some(Reading::of_char(c, self.at))
    }

    /// Behind `\u`: four digits, or a pair of such (RFC 8259 §7), or `{…}`.
    fn utf16(&mut self) -> Option<char> {
        if self.expect(b"{").is_some() {
            let number = self.number(16, 8)?;
            self.expect(b"}")?;
            return char::from_u32(number);
        }
        let first = self.hex(4)?;
        if !(0xD800..0xDC00).contains(&first) {
            return char::from_u32(first);
        }
        self.expect(b"\\u")?;
        let second = self.hex(4)?.checked_sub(0xDC00).filter(|second| *second < 0x400)?;
        char::from_u32(0x10000 + ((first - 0xD800) << 10) + second)
    }
}

/// The length of the longest of the names below, in characters.
const LONGEST_NAME: usize = 8;

/// The names of HTML for what is neither a letter nor a digit in ASCII (HTML standard §13.5), `_` and some more by two names.
const NAMES: [(&str, char); 43] = [
    ("Tab", '\t'),
    ("NewLine", '\n'),
    ("excl", '!'),
    ("quot", '"'),
    ("QUOT", '"'),
    ("num", '#'),
    ("dollar", '$'),
    ("percnt", '%'),
    ("amp", '&'),
    ("AMP", '&'),
    ("apos", '\''),
    ("lpar", '('),
    ("rpar", ')'),
    ("ast", '*'),
    ("midast", '*'),
    ("plus", '+'),
    ("comma", ','),
    ("period", '.'),
    ("sol", '/'),
    ("colon", ':'),
    ("semi", ';'),
    ("lt", '<'),
    ("LT", '<'),
    ("equals", '='),
    ("gt", '>'),
    ("GT", '>'),
    ("quest", '?'),
    ("commat", '@'),
    ("lsqb", '['),
    ("lbrack", '['),
    ("bsol", '\\'),
    ("rsqb", ']'),
    ("rbrack", ']'),
    ("Hat", '^'),
    ("lowbar", '_'),
    ("UnderBar", '_'),
    ("grave", '`'),
    ("lcub", '{'),
    ("lbrace", '{'),
    ("verbar", '|'),
    ("vert", '|'),
    ("rcub", '}'),
    ("rbrace", '}'),
];

/// The names of the characters from U+00A0 to U+00FF in order (HTML 4.01 §24.2.1).
const LATIN: &str = "nbsp iexcl cent pound curren yen brvbar sect uml copy ordf laquo not shy reg macr deg plusmn sup2 sup3 \
    acute micro para middot cedil sup1 ordm raquo frac14 frac12 frac34 iquest Agrave Aacute Acirc Atilde Auml Aring AElig Ccedil \
    Egrave Eacute Ecirc Euml Igrave Iacute Icirc Iuml ETH Ntilde Ograve Oacute Ocirc Otilde Ouml times Oslash Ugrave Uacute \
    Ucirc Uuml Yacute THORN szlig agrave aacute acirc atilde auml aring aelig ccedil egrave eacute ecirc euml igrave iacute \
    icirc iuml eth ntilde ograve oacute ocirc otilde ouml divide oslash ugrave uacute ucirc uuml yacute thorn yuml";

fn named(name: &[u8]) -> Option<char> {
    let ascii = NAMES.iter().find(|(known, _)| known.as_bytes() == name).map(|(_, c)| *c);
    ascii.or_else(|| ('\u{a0}'..).zip(LATIN.split(' ')).find(|(_, known)| known.as_bytes() == name).map(|(c, _)| c))
}
