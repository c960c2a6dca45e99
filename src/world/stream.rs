//! Standard output and standard error: where text goes, and what is known of the one who reads it.

use std::io::{self, IsTerminal, Write};
use std::os::fd::AsFd;

/// What `--color` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ColourChoice {
    /// On a terminal, unless variables say otherwise.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// A place for text.
pub struct Stream {
    /// Takes the text.
    pub writer: Box<dyn Write + Send>,
    /// Whether a person reads it on a terminal.
    pub terminal: bool,
    /// The width of that terminal in columns, where known.
    pub width: Option<usize>,
}

impl Stream {
    /// A stream into `writer`; a reader that goes away is no error.
    #[must_use]
    pub fn new(writer: Box<dyn Write + Send>, terminal: bool, width: Option<usize>) -> Self {
        Self { writer: Box::new(WhileRead { writer, gone: false }), terminal, width }
    }

    /// A stream of this process.
    pub(super) fn of_process(stream: impl Write + IsTerminal + AsFd + Send + 'static) -> Self {
        let terminal = stream.is_terminal();
        let width = if terminal { columns(&stream) } else { None };
        Self::new(Box::new(stream), terminal, width)
    }
}

fn columns(stream: &impl AsFd) -> Option<usize> {
    let size = rustix::termios::tcgetwinsize(stream).ok()?;
    // A serial line, or a terminal that nobody sized, says zero.
    (size.ws_col > 0).then_some(usize::from(size.ws_col))
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.writer.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }
}

/// Writes for as long as someone reads: `runner … | head` ends the text, and neither the run nor its exit code.
struct WhileRead {
    writer: Box<dyn Write + Send>,
    gone: bool,
}

impl WhileRead {
    fn unless_gone<T>(&mut self, nothing: T, act: impl FnOnce(&mut dyn Write) -> io::Result<T>) -> io::Result<T> {
        if self.gone {
            return Ok(nothing);
        }
        match act(&mut self.writer) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                self.gone = true;
                Ok(nothing)
            }
            done => done,
        }
    }
}

impl Write for WhileRead {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.unless_gone(bytes.len(), |writer| writer.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.unless_gone((), |writer| writer.flush())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    /// Takes one write, then fails; counts how often it was asked.
    struct Failing(Arc<AtomicUsize>, io::ErrorKind);

    impl Write for Failing {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            if self.0.fetch_add(1, Ordering::Relaxed) == 0 { Ok(bytes.len()) } else { Err(self.1.into()) }
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_reader_that_went_away_is_no_error_and_is_not_asked_again() {
        let asked = Arc::new(AtomicUsize::new(0));
        let mut stream = Stream::new(Box::new(Failing(asked.clone(), io::ErrorKind::BrokenPipe)), false, None);
        for _ in 0..5 {
            stream.write_all(b"line\n").unwrap();
            stream.flush().unwrap();
        }
        assert_eq!(asked.load(Ordering::Relaxed), 2);
    }

    #[test]
    fn a_full_disk_stays_an_error() {
        let mut stream = Stream::new(Box::new(Failing(Arc::default(), io::ErrorKind::StorageFull)), false, None);
        stream.write_all(b"fits").unwrap();
        assert_eq!(stream.write_all(b"does not").unwrap_err().kind(), io::ErrorKind::StorageFull);
    }
}
