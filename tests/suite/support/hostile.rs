//! A loopback server without manners: a test writes what it wants on the bare connection.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use rustix::net::sockopt::set_socket_linger;
use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, connect, getsockname, listen, socket_with};

/// It stops to accept when this goes out of scope.
pub(crate) struct Hostile {
    address: SocketAddr,
    stopped: Arc<AtomicBool>,
}

impl Hostile {
    /// Starts a server that reads the head of each request and leaves the rest to `act`, which gets the path. When it returns,
    /// the connection is closed.
    pub(crate) fn start(act: impl Fn(&str, &mut TcpStream) -> io::Result<()> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let address = listener.local_addr().expect("an address");
        let stopped = Arc::<AtomicBool>::default();
        let (shared, act) = (Arc::clone(&stopped), Arc::new(act));
        thread::spawn(move || {
            for mut stream in listener.incoming().map_while(Result::ok) {
                if shared.load(Ordering::SeqCst) {
                    break;
                }
                let act = Arc::clone(&act);
                // A client that walks away in the middle is what is tested here.
                thread::spawn(move || -> io::Result<()> {
                    // No thread outlives its test for long.
                    stream.set_read_timeout(Some(Duration::from_secs(20)))?;
                    stream.set_write_timeout(Some(Duration::from_secs(20)))?;
                    let path = path(&stream)?;
                    act(&path, &mut stream)
                });
            }
        });
        Self { address, stopped }
    }

    /// `http://127.0.0.1:PORT`.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for Hostile {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::SeqCst);
        // The listener wakes up, sees that it is stopped, and frees the port.
        drop(TcpStream::connect(self.address));
    }
}

/// The path of the request, whose head is read to its end; a body is not touched.
fn path(stream: &TcpStream) -> io::Result<String> {
    let mut reader = BufReader::with_capacity(1, stream);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let path = line.split(' ').nth(1).unwrap_or_default().to_owned();
    while line.trim_end() != "" {
        line.clear();
        reader.read_line(&mut line)?;
    }
    Ok(path)
}

/// Writes `bytes` again and again until the other side has had enough.
pub(crate) fn flood(stream: &mut TcpStream, bytes: &[u8]) -> io::Result<()> {
    loop {
        stream.write_all(bytes)?;
    }
}

/// Writes one byte after the other, far slower than the limit that is tested.
pub(crate) fn drip(stream: &mut TcpStream, bytes: &[u8]) -> io::Result<()> {
    for byte in bytes.iter().cycle() {
        stream.write_all(&[*byte])?;
        thread::sleep(Duration::from_millis(10));
    }
    Ok(())
}

/// Says nothing until the other side goes.
pub(crate) fn silence(stream: &mut TcpStream) -> io::Result<()> {
    while stream.read(&mut [0; 4096])? > 0 {}
    Ok(())
}

/// Closes the connection so that the other side gets a reset in place of an end.
pub(crate) fn reset(stream: &TcpStream) -> io::Result<()> {
    set_socket_linger(stream, Some(Duration::ZERO))?;
    Ok(())
}

/// A port whose queue of connections is full: the system answers no further one.
pub(crate) struct Full {
    address: SocketAddr,
    _listener: OwnedFd,
    _waiting: Vec<OwnedFd>,
}

impl Full {
    pub(crate) fn new() -> Self {
        let socket = |flags| socket_with(AddressFamily::INET, SocketType::STREAM, flags, None).expect("a socket");
        let listener = socket(SocketFlags::CLOEXEC);
        bind(&listener, &SocketAddr::from(([127, 0, 0, 1], 0))).expect("a socket");
        listen(&listener, 0).expect("a socket");
        let address = SocketAddr::try_from(getsockname(&listener).expect("a socket")).expect("a socket");
        let waiting = (0..8).map(|_| {
            let stream = socket(SocketFlags::CLOEXEC | SocketFlags::NONBLOCK);
            // It is under way, or the queue is full already.
            let _ = connect(&stream, &address);
            stream
        });
        let waiting = waiting.collect();
        Self { address, _listener: listener, _waiting: waiting }
    }

    /// `127.0.0.1:PORT`.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }
}
