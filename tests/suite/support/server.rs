//! A loopback server that answers as a test says, and remembers what it was asked. HTTP/1.1 with keep-alive on plain threads;
//! none of the product's HTTP code is in it, so that a mistake there can't hide itself.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{IpAddr, Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;
use std::time::Duration;

use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// A connection that stays silent for longer is closed: no thread outlives its test for long.
const LONGEST_SILENCE: Duration = Duration::from_secs(30);

/// The largest body that the server takes, in bytes.
const LARGEST_BODY: usize = 64 << 20;

/// What the server was asked.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    /// `GET`.
    pub(crate) method: String,
    /// As sent, without the query.
    pub(crate) path: String,
    /// As sent, without the question mark; empty when there is none.
    pub(crate) query: String,
    /// Names as sent, in order.
    pub(crate) headers: Vec<(String, String)>,
    /// Decoded when it came in chunks.
    pub(crate) body: Vec<u8>,
    /// Which connection it came on, from 1.
    pub(crate) connection: usize,
}

impl Request {
    /// The first value of a header, whatever the case of its name.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// The body as text.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The decoded value of a field of a form body.
    pub(crate) fn form_field(&self, name: &str) -> Option<String> {
        url::form_urlencoded::parse(&self.body).find(|(known, _)| known == name).map(|(_, value)| value.into_owned())
    }

    /// `GET /path?query`: short enough for a list of what was asked.
    pub(crate) fn line(&self) -> String {
        let mark = if self.query.is_empty() { "" } else { "?" };
        format!("{} {}{mark}{}", self.method, self.path, self.query)
    }
}

/// What the server answers.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    delay: Duration,
    raw: bool,
    cut_off: Option<usize>,
}

impl Answer {
    /// A status without a body.
    pub(crate) fn status(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Vec::new(), delay: Duration::ZERO, raw: false, cut_off: None }
    }

    /// JSON, written out.
    pub(crate) fn json(status: u16, text: impl Into<String>) -> Self {
        Self { body: text.into().into_bytes(), ..Self::status(status) }.header("Content-Type", "application/json")
    }

    /// Plain text.
    pub(crate) fn text(status: u16, text: impl Into<Vec<u8>>) -> Self {
        Self { body: text.into(), ..Self::status(status) }.header("Content-Type", "text/plain; charset=utf-8")
    }

    /// Exactly these bytes, status line and all; then the connection is closed. No bytes: it is closed without an answer.
    pub(crate) fn raw(bytes: impl Into<Vec<u8>>) -> Self {
        Self { body: bytes.into(), raw: true, ..Self::status(0) }
    }

    /// Adds a header.
    pub(crate) fn header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    /// Waits before it answers.
    pub(crate) fn slow(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    /// Announces the whole body, sends its first bytes, and closes the connection.
    pub(crate) fn cut_off(mut self, after: usize) -> Self {
        self.cut_off = Some(after);
        self
    }

    /// Writes the answer; whether the connection stays open.
    fn write(&self, request: &Request, stream: &mut impl Write) -> io::Result<bool> {
        if self.raw {
            stream.write_all(&self.body)?;
            return Ok(false);
        }
        let mut head = format!("HTTP/1.1 {} Answer\r\n", self.status);
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        let bodiless = matches!(self.status, 100..=199 | 204 | 304);
        if !bodiless {
            head.push_str(&format!("Content-Length: {}\r\n", self.body.len()));
        }
        let mut bytes = format!("{head}\r\n").into_bytes();
        if !bodiless && request.method != "HEAD" {
            bytes.extend_from_slice(&self.body[..self.cut_off.unwrap_or(self.body.len()).min(self.body.len())]);
        }
        stream.write_all(&bytes)?;
        let wants_close = request.header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"));
        Ok(self.cut_off.is_none() && !wants_close)
    }
}

/// A server on a port of 127.0.0.1 that the system chose. It stops when this goes out of scope.
pub(crate) struct Server {
    address: SocketAddr,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    stopped: AtomicBool,
    requests: Mutex<Vec<Request>>,
    connections: Mutex<Vec<TcpStream>>,
}

impl Server {
    /// Starts to answer; requests of several connections are answered side by side.
    pub(crate) fn start(answer: impl Fn(&Request) -> Answer + Send + Sync + 'static) -> Self {
        Self::start_at(Ipv4Addr::LOCALHOST.into(), None, answer).expect("a free port")
    }

    /// Starts at another address, which the machine may not have. With `tls` it speaks TLS to whoever begins with it, on the same
    /// port as http.
    pub(crate) fn start_at(
        address: IpAddr,
        tls: Option<Arc<ServerConfig>>,
        answer: impl Fn(&Request) -> Answer + Send + Sync + 'static,
    ) -> io::Result<Self> {
        let listener = TcpListener::bind((address, 0))?;
        let address = listener.local_addr().expect("an address");
        let state = Arc::<State>::default();
        let (shared, answer) = (Arc::clone(&state), Arc::new(answer));
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if shared.stopped.load(Ordering::SeqCst) {
                    break;
                }
                let number = {
                    let mut connections = lock(&shared.connections);
                    connections.extend(stream.try_clone());
                    connections.len()
                };
                let (shared, answer, tls) = (Arc::clone(&shared), Arc::clone(&answer), tls.clone());
                // The end of a connection, however it comes, ends its thread and nothing else.
                thread::spawn(move || accept(stream, tls, number, &shared, &*answer));
            }
        });
        Ok(Self { address, state })
    }

    /// `http://127.0.0.1:PORT`.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// What it was asked so far, in the order of arrival.
    pub(crate) fn requests(&self) -> Vec<Request> {
        lock(&self.state.requests).clone()
    }

    /// What it was asked so far, a line each.
    pub(crate) fn lines(&self) -> Vec<String> {
        lock(&self.state.requests).iter().map(Request::line).collect()
    }

    /// How many connections were opened to it.
    pub(crate) fn connections(&self) -> usize {
        lock(&self.state.connections).len()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.state.stopped.store(true, Ordering::SeqCst);
        for stream in lock(&self.state.connections).iter() {
            // One that the other side closed already is fine.
            let _ = stream.shutdown(Shutdown::Both);
        }
        // The listener wakes up, sees that it is stopped, and frees the port.
        drop(TcpStream::connect(self.address));
    }
}

/// A handler that panicked fails its test in some other way.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// A TLS handshake starts with this byte (RFC 8446 §5.1), no request does.
const HANDSHAKE: u8 = 22;

fn accept(
    stream: TcpStream,
    tls: Option<Arc<ServerConfig>>,
    connection: usize,
    state: &State,
    answer: &dyn Fn(&Request) -> Answer,
) -> io::Result<()> {
    stream.set_read_timeout(Some(LONGEST_SILENCE))?;
    stream.set_nodelay(true)?;
    let socket = stream.try_clone()?;
    let mut first = [0];
    match tls {
        Some(config) if stream.peek(&mut first)? == 1 && first[0] == HANDSHAKE => {
            let session = ServerConnection::new(config).map_err(io::Error::other)?;
            serve(StreamOwned::new(session, stream), connection, state, answer)?;
        }
        _ => serve(stream, connection, state, answer)?,
    }
    socket.shutdown(Shutdown::Both)
}

fn serve(stream: impl Read + Write, connection: usize, state: &State, answer: &dyn Fn(&Request) -> Answer) -> io::Result<()> {
    let mut reader = BufReader::new(stream);
    while let Some(request) = read_request(&mut reader, connection)? {
        lock(&state.requests).push(request.clone());
        let answer = answer(&request);
        thread::sleep(answer.delay);
        if !answer.write(&request, reader.get_mut())? {
            break;
        }
        reader.get_mut().flush()?;
    }
    Ok(())
}

/// The next request; `None` at the end of the connection.
fn read_request(reader: &mut BufReader<impl Read + Write>, connection: usize) -> io::Result<Option<Request>> {
    let first = read_line(reader)?;
    let mut words = first.split(' ');
    let (Some(method), Some(target), Some(_)) = (words.next(), words.next(), words.next()) else { return Ok(None) };
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let mut request = Request {
        method: method.to_owned(),
        path: path.to_owned(),
        query: query.to_owned(),
        headers: Vec::new(),
        body: Vec::new(),
        connection,
    };
    loop {
        let line = read_line(reader)?;
        let Some((name, value)) = line.split_once(':') else { break };
        request.headers.push((name.to_owned(), value.trim().to_owned()));
    }
    if request.header("expect").is_some_and(|value| value.eq_ignore_ascii_case("100-continue")) {
        reader.get_mut().write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
    }
    let chunked = request.header("transfer-encoding").is_some_and(|value| value.eq_ignore_ascii_case("chunked"));
    if chunked {
        request.body = read_chunks(reader)?;
    } else if let Some(length) = request.header("content-length") {
        request.body = read_exactly(reader, number(length, 10)?)?;
    }
    Ok(Some(request))
}

fn read_chunks(reader: &mut impl BufRead) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let size = number(read_line(reader)?.split(';').next().unwrap_or_default(), 16)?;
        body.extend(read_exactly(reader, size)?);
        // The line break behind a chunk, or the empty line behind the last: the server knows no trailers.
        read_line(reader)?;
        if size == 0 {
            return Ok(body);
        }
    }
}

fn read_exactly(reader: &mut impl Read, length: usize) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; length];
    reader.read_exact(&mut bytes)?;
    Ok(bytes)
}

fn read_line(reader: &mut impl BufRead) -> io::Result<String> {
    let mut line = String::new();
    reader.read_line(&mut line)?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

fn number(text: &str, radix: u32) -> io::Result<usize> {
    let number = usize::from_str_radix(text.trim(), radix).ok().filter(|number| *number <= LARGEST_BODY);
    number.ok_or_else(|| io::Error::other(format!("`{text}` is no length for a body")))
}
