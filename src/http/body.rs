//! Bodies of requests that go out in parts: files and long texts.

use std::fmt;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};

use super::connect::Marks;

/// How much goes out at a time, in bytes.
pub(super) const PART: usize = 64 << 10;

/// Why a body could not be read to its end.
#[derive(Debug)]
pub(super) enum ReadFailed {
    /// The operating system says why.
    Io(io::ErrorKind),
    /// The file became shorter than the `Content-Length` that was already sent.
    Shrunk,
}

impl fmt::Display for ReadFailed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Io(kind) => kind.fmt(f),
            Self::Shrunk => f.write_str("it became shorter while it was sent"),
        }
    }
}

impl std::error::Error for ReadFailed {}

/// Sends the first `len` bytes of a file. Each body has its own place in the file, so that a replay never continues where an
/// abandoned attempt stood.
pub(super) struct FileBody {
    file: Arc<Mutex<File>>,
    position: u64,
    left: u64,
    marks: Marks,
}

impl FileBody {
    pub(super) fn new(file: Arc<Mutex<File>>, len: u64, marks: Marks) -> Self {
        marks.note(|steps| steps.sent = Some((0, len)));
        Self { file, position: 0, left: len, marks }
    }

    fn read_part(&mut self) -> Result<Bytes, ReadFailed> {
        let wanted = usize::try_from(self.left).unwrap_or(PART).min(PART);
        let mut part = vec![0; wanted];
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let read = file.seek(SeekFrom::Start(self.position)).and_then(|_| file.read(&mut part));
        drop(file);
        let read = read.map_err(|error| ReadFailed::Io(error.kind()))?;
        if read == 0 {
            return Err(ReadFailed::Shrunk);
        }
        part.truncate(read);
        self.position += read as u64;
        self.left = self.left.saturating_sub(read as u64);
        self.marks.note(|steps| steps.sent = Some((self.position, self.position + self.left)));
        Ok(part.into())
    }
}

impl Body for FileBody {
    type Data = Bytes;
    type Error = ReadFailed;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, ReadFailed>>> {
        if self.left == 0 {
            return Poll::Ready(None);
        }
        let part = self.read_part();
        if part.is_err() {
            self.left = 0;
        }
        Poll::Ready(Some(part.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        self.left == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left)
    }
}

/// Sends bytes in parts, so that it is known how many were taken.
pub(super) struct BytesBody {
    left: Bytes,
    total: usize,
    marks: Marks,
}

impl BytesBody {
    pub(super) fn new(bytes: Bytes, marks: Marks) -> Self {
        marks.note(|steps| steps.sent = Some((0, bytes.len() as u64)));
        Self { total: bytes.len(), left: bytes, marks }
    }
}

impl Body for BytesBody {
    type Data = Bytes;
    type Error = ReadFailed;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, ReadFailed>>> {
        if self.left.is_empty() {
            return Poll::Ready(None);
        }
        let next = self.left.len().min(PART);
        let part = self.left.split_to(next);
        let sent = (self.total - self.left.len()) as u64;
        self.marks.note(|steps| steps.sent = Some((sent, self.total as u64)));
        Poll::Ready(Some(Ok(Frame::data(part))))
    }

    fn is_end_stream(&self) -> bool {
        self.left.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left.len() as u64)
    }
}
