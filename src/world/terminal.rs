//! Asking a person for a secret: what is typed is not shown.
//!
//! The terminal is read key by key. Its own line editing would cut a pasted key or token at 4096 bytes, and a Ctrl-C that ended
//! the process would leave the terminal mute; as a mere key it ends the question only, with the terminal as it was before. A
//! signal from elsewhere ends the process, and the terminal is put right before.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};

use rustix::termios::{LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcsetattr};

use super::signal::remember;
use crate::secret::Secret;

/// The longest secret that can be typed, in bytes.
const LIMIT: usize = 64 * 1024;

/// Reads a secret that another program hands in: everything until the end, without the one line break that ends a line. What
/// stands in several lines, such as a key, stays whole.
///
/// # Errors
/// [`io::ErrorKind::InvalidData`] for what is not UTF-8 or longer than 64 KiB; else what reading reports.
pub fn read_secret(input: &mut dyn Read) -> io::Result<Secret> {
    let mut bytes = Vec::new();
    input.take(LIMIT as u64 + 1).read_to_end(&mut bytes)?;
    if bytes.len() > LIMIT {
        return Err(too_long());
    }
    let text = String::from_utf8(bytes).map_err(|_| not_text())?;
    let text = text.strip_suffix('\n').unwrap_or(&text);
    Ok(Secret::new(text.strip_suffix('\r').unwrap_or(text)))
}

fn too_long() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "the answer is longer than 64 KiB")
}

fn not_text() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "the answer is not UTF-8 text")
}

/// Asks on the terminal of this process, whatever its standard streams are. Blocks its thread.
///
/// # Errors
/// [`io::ErrorKind::Interrupted`] after Ctrl-C, [`io::ErrorKind::UnexpectedEof`] when the terminal is gone or Ctrl-D is the whole
/// answer, [`io::ErrorKind::InvalidData`] for what is not UTF-8 or longer than 64 KiB; else what opening the terminal reports.
pub fn ask_secret(prompt: &str) -> io::Result<Secret> {
    let terminal = OpenOptions::new().read(true).write(true).open("/dev/tty")?;
    let mute = Mute::new(&terminal)?;
    // The prompt may stand in a file that came from elsewhere.
    let prompt: String = prompt.chars().filter(|character| !character.is_control()).collect();
    (&terminal).write_all(format!("{prompt}: ").as_bytes())?;
    let answer = read_answer(&mut &terminal);
    drop(mute);
    (&terminal).write_all(b"\n")?;
    answer
}

/// A terminal that shows nothing of what is typed, until this is dropped.
struct Mute<'a> {
    terminal: &'a File,
    before: Termios,
}

impl<'a> Mute<'a> {
    fn new(terminal: &'a File) -> io::Result<Self> {
        let before = tcgetattr(terminal)?;
        let mut mute = before.clone();
        mute.local_modes
            .remove(LocalModes::ECHO | LocalModes::ECHONL | LocalModes::ICANON | LocalModes::ISIG | LocalModes::IEXTEN);
        mute.special_codes[SpecialCodeIndex::VMIN] = 1;
        mute.special_codes[SpecialCodeIndex::VTIME] = 0;
        remember(Some((terminal.try_clone()?, before.clone())));
        // What was typed ahead is kept: it may be the answer.
        tcsetattr(terminal, OptionalActions::Drain, &mute)?;
        Ok(Self { terminal, before })
    }
}

impl Drop for Mute<'_> {
    fn drop(&mut self) {
        // There is nobody left to tell when the terminal is gone.
        let _ = tcsetattr(self.terminal, OptionalActions::Drain, &self.before);
        remember(None);
    }
}

/// How far a key's sequence has been read; arrow keys and their like are no part of a secret.
enum Sequence {
    None,
    Escape,
    Control,
}

fn read_answer(keys: &mut impl Read) -> io::Result<Secret> {
    let mut answer = Vec::new();
    let mut sequence = Sequence::None;
    loop {
        let byte = next(keys)?;
        sequence = match (sequence, byte) {
            (_, 0x03) => return Err(io::ErrorKind::Interrupted.into()),
            (_, b'\r' | b'\n') => break,
            (_, 0x1B) => Sequence::Escape,
            (Sequence::Escape, b'[' | b'O') => Sequence::Control,
            (Sequence::Control, 0x20..=0x3F) => Sequence::Control,
            (Sequence::Escape | Sequence::Control, _) => Sequence::None,
            (Sequence::None, 0x04) if answer.is_empty() => return Err(io::ErrorKind::UnexpectedEof.into()),
            (Sequence::None, 0x04) => break,
            (Sequence::None, 0x08 | 0x7F) => {
                // One character, whatever its number of bytes.
                while answer.pop().is_some_and(|byte| byte & 0xC0 == 0x80) {}
                Sequence::None
            }
            (Sequence::None, 0x15) => {
                answer.clear();
                Sequence::None
            }
            (Sequence::None, byte) => {
                if byte >= 0x20 {
                    answer.push(byte);
                }
                Sequence::None
            }
        };
        if answer.len() > LIMIT {
            return Err(too_long());
        }
    }
    String::from_utf8(answer).map(Secret::new).map_err(|_| not_text())
}

fn next(keys: &mut impl Read) -> io::Result<u8> {
    let mut byte = [0];
    keys.read_exact(&mut byte)?;
    Ok(u8::from_be_bytes(byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_make_an_answer() {
        use io::ErrorKind::{Interrupted, InvalidData, UnexpectedEof};
        let cases: [(&[u8], Result<&str, io::ErrorKind>); 17] = [
            (b"s3cr3t\n", Ok("s3cr3t")),
            (b"s3cr3t\r", Ok("s3cr3t")),
            (b"\n", Ok("")),
            (b"one\ntwo\n", Ok("one")),
            ("größe\n".as_bytes(), Ok("größe")),
            ("grö\x7F\x08oss\n".as_bytes(), Ok("goss")),
            (b"\x7F\x7Fa\n", Ok("a")),
            (b"wrong\x15right\n", Ok("right")),
            (b"a\x1B[Db\x1B[1;5Cc\x1BOAd\n", Ok("abcd")),
            (b"\x1B[200~pasted\x1B[201~\n", Ok("pasted")),
            (b"a\tb\0c\n", Ok("abc")),
            (b"ab\x04", Ok("ab")),
            (b"\x04", Err(UnexpectedEof)),
            (b"cut off", Err(UnexpectedEof)),
            (b"abc\x03\n", Err(Interrupted)),
            (b"\x1B\x03", Err(Interrupted)),
            (b"\xFF\n", Err(InvalidData)),
        ];
        for (mut keys, expected) in cases {
            let shown = String::from_utf8_lossy(keys).into_owned();
            let answer = read_answer(&mut keys).map_err(|error| error.kind());
            assert_eq!(answer.as_ref().map(Secret::expose), expected.as_ref().copied(), "{shown:?}");
        }
    }

    #[test]
    fn what_is_handed_in_loses_one_line_break() {
        use io::ErrorKind::InvalidData;
        let long = vec![b'x'; LIMIT + 1];
        let cases: [(&[u8], Result<&str, io::ErrorKind>); 8] = [
            (b"s3cr3t", Ok("s3cr3t")),
            (b"s3cr3t\n", Ok("s3cr3t")),
            (b"s3cr3t\r\n", Ok("s3cr3t")),
            (b" a\nb\n\n", Ok(" a\nb\n")),
            (b"\n", Ok("")),
            (b"", Ok("")),
            (b"\xFF\n", Err(InvalidData)),
            (&long, Err(InvalidData)),
        ];
        for (mut bytes, expected) in cases {
            let read = read_secret(&mut bytes).map_err(|error| error.kind());
            assert_eq!(read.as_ref().map(Secret::expose), expected.as_ref().copied());
        }
        assert_eq!(read_secret(&mut &long[..LIMIT]).unwrap().expose().len(), LIMIT);
    }

    #[test]
    fn a_long_secret_is_whole_and_an_endless_one_is_refused() {
        let token = "x".repeat(LIMIT);
        assert_eq!(read_answer(&mut format!("{token}\n").as_bytes()).unwrap().expose(), token);
        assert_eq!(read_answer(&mut io::repeat(b'x')).unwrap_err().kind(), io::ErrorKind::InvalidData);
    }
}
