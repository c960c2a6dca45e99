//! A TCP server that sends given bytes, whatever it is sent: for those that break the rules of a protocol.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

/// What comes after the last bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// The connection is closed.
    Close,
    /// Nothing: it stays open until the other side goes, or the test ends.
    Silence,
}

/// It stops when this goes out of scope.
pub(crate) struct Peer {
    address: SocketAddr,
    stopped: Arc<AtomicBool>,
    open: Arc<Mutex<Vec<TcpStream>>>,
}

impl Peer {
    /// Reads once before each of `replies`.
    pub(crate) fn start(replies: Vec<Vec<u8>>, end: End) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let address = listener.local_addr().expect("an address");
        let (stopped, open) = (Arc::<AtomicBool>::default(), Arc::<Mutex<Vec<TcpStream>>>::default());
        let (flag, kept) = (Arc::clone(&stopped), Arc::clone(&open));
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if flag.load(Ordering::SeqCst) {
                    break;
                }
                kept.lock().unwrap_or_else(PoisonError::into_inner).extend(stream.try_clone());
                let replies = replies.clone();
                thread::spawn(move || converse(stream, &replies, end));
            }
        });
        Self { address, stopped, open }
    }

    /// `127.0.0.1:PORT`.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }
}

fn converse(mut stream: TcpStream, replies: &[Vec<u8>], end: End) -> io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    let mut buffer = [0; 4096];
    for reply in replies {
        if stream.read(&mut buffer)? == 0 {
            return Ok(());
        }
        stream.write_all(reply)?;
    }
    // What is left unread when a socket is closed makes the system reset it, and the reply may be lost.
    if end == End::Close {
        stream.shutdown(Shutdown::Write)?;
    }
    while stream.read(&mut buffer)? > 0 {}
    Ok(())
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::SeqCst);
        for stream in self.open.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            // One that the other side closed already is fine.
            let _ = stream.shutdown(Shutdown::Both);
        }
        // The listener wakes up, sees that it is stopped, and frees the port.
        drop(TcpStream::connect(self.address));
    }
}
