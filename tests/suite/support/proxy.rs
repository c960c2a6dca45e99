//! A proxy that works: HTTP and SOCKS5 on one port, with TLS around it if wished. Whatever name is asked for, the way leads to one
//! server; names need no name server then. It remembers what it was asked.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio_rustls::TlsAcceptor;

/// It stops when this goes out of scope.
pub(crate) struct Proxy {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<String>>>,
    _stop: oneshot::Sender<()>,
}

impl Proxy {
    /// Passes everything on to `upstream`; over plain http it answers `{"via": "proxy"}` itself.
    pub(crate) fn start(upstream: SocketAddr, tls: Option<Arc<ServerConfig>>) -> Self {
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        listener.set_nonblocking(true).expect("a listener for tokio");
        let address = listener.local_addr().expect("an address");
        let seen = Arc::<Mutex<Vec<String>>>::default();
        let (stop, stopped) = oneshot::channel();
        let shared = Arc::clone(&seen);
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async {
                let listener = TcpListener::from_std(listener).expect("a listener");
                tokio::select! {
                    () = accept(&listener, upstream, tls, &shared) => (),
                    _ = stopped => (),
                }
            });
        });
        Self { address, seen, _stop: stop }
    }

    /// `127.0.0.1:PORT`.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// What it was asked so far: heads of HTTP requests, and `SOCKS user:password@host:port`.
    pub(crate) fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

async fn accept(listener: &TcpListener, upstream: SocketAddr, tls: Option<Arc<ServerConfig>>, seen: &Arc<Mutex<Vec<String>>>) {
    while let Ok((stream, _)) = listener.accept().await {
        let (tls, seen) = (tls.clone(), Arc::clone(seen));
        // The end of a connection, however it comes, is the client's business.
        tokio::spawn(async move {
            match tls {
                Some(config) => serve(TlsAcceptor::from(config).accept(stream).await?, upstream, &seen).await,
                None => serve(stream, upstream, &seen).await,
            }
        });
    }
}

async fn serve(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    upstream: SocketAddr,
    seen: &Mutex<Vec<String>>,
) -> io::Result<()> {
    let remember = |what: String| seen.lock().unwrap_or_else(PoisonError::into_inner).push(what);
    let first = stream.read_u8().await?;
    if first == 5 {
        remember(socks(&mut stream).await?);
        // Connected, from 0.0.0.0:0 (RFC 1928 §6).
        stream.write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0]).await?;
    } else {
        let mut head = vec![first];
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await?);
        }
        let head = String::from_utf8_lossy(&head).into_owned();
        let is_tunnel = head.starts_with("CONNECT ");
        remember(head);
        if !is_tunnel {
            let answer = "HTTP/1.1 200 OK\r\nContent-Length: 16\r\nConnection: close\r\n\r\n{\"via\": \"proxy\"}";
            stream.write_all(answer.as_bytes()).await?;
            return stream.shutdown().await;
        }
        stream.write_all(b"HTTP/1.1 200 Connection established\r\nVia: 1.1 proxy\r\n\r\n").await?;
    }
    let mut upstream = TcpStream::connect(upstream).await?;
    copy_bidirectional(&mut stream, &mut upstream).await.map(|_| ())
}

/// The SOCKS5 handshake up to the reply; takes any user name and password, and asks for them when they are offered.
async fn socks(stream: &mut (impl AsyncRead + AsyncWrite + Unpin)) -> io::Result<String> {
    let mut methods = vec![0; usize::from(stream.read_u8().await?)];
    stream.read_exact(&mut methods).await?;
    let mut credentials = String::new();
    let with_password = methods.contains(&2);
    stream.write_all(&[5, if with_password { 2 } else { 0 }]).await?;
    if with_password {
        stream.read_u8().await?;
        let user = text(stream).await?;
        credentials = format!("{user}:{}@", text(stream).await?);
        stream.write_all(&[1, 0]).await?;
    }
    let mut request = [0; 3];
    stream.read_exact(&mut request).await?;
    let host = match stream.read_u8().await? {
        1 => Ipv4Addr::from(stream.read_u32().await?).to_string(),
        4 => Ipv6Addr::from(stream.read_u128().await?).to_string(),
        _ => text(stream).await?,
    };
    Ok(format!("SOCKS {credentials}{host}:{}", stream.read_u16().await?))
}

async fn text(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<String> {
    let mut bytes = vec![0; usize::from(stream.read_u8().await?)];
    stream.read_exact(&mut bytes).await?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
