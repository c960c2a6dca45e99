//! Bytes in, bytes out: listens, reads requests within bounds, and hands each to the service.

use std::fmt;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::header::{self, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::answer::Answer;
use super::call::Call;
use super::service::Service;

/// Bytes of a request's head, and of its body.
const MOST_BYTES: usize = 64 * 1024;
/// Connections at one time; more wait to be accepted.
const MOST_CONNECTIONS: usize = 256;
/// For a head to arrive; also how long a connection may stand idle.
const HEAD_TIMEOUT: Duration = Duration::from_secs(60);
const BODY_TIMEOUT: Duration = Duration::from_secs(10);
/// For open connections to end once the server stops.
const GRACE: Duration = Duration::from_secs(1);

/// Serves until the other end of `stop` is dropped.
pub(super) async fn serve(listener: TcpListener, service: Arc<Service>, mut stop: watch::Receiver<()>) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            _ = stop.changed() => break,
            Some(_) = connections.join_next() => {}
            accepted = listener.accept(), if connections.len() < MOST_CONNECTIONS => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(connection(stream, Arc::clone(&service), stop.clone()));
                }
                // Too many open files, for one; it passes, and trying again at once would only burn time.
                Err(_) => sleep(Duration::from_millis(50)).await,
            },
        }
    }
    drop(listener);
    // What is still open after the grace is closed when `connections` goes.
    let _ = timeout(GRACE, async { while connections.join_next().await.is_some() {} }).await;
}

async fn connection(stream: TcpStream, service: Arc<Service>, mut stop: watch::Receiver<()>) {
    // Only a delay is lost when this fails.
    let _ = stream.set_nodelay(true);
    let handler = service_fn(move |request| {
        let service = Arc::clone(&service);
        async move { respond(&service, request).await }
    });
    let mut builder = http1::Builder::new();
    builder.timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT).max_buf_size(MOST_BYTES);
    let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), handler));
    // A connection ends in an error when the client is rude or gone; nobody is left to tell.
    tokio::select! {
        _ = connection.as_mut() => return,
        _ = stop.changed() => connection.as_mut().graceful_shutdown(),
    }
    let _ = connection.await;
}

/// There is an answer, and it is not to be sent.
#[derive(Debug)]
struct Dropped;

impl fmt::Display for Dropped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the answer was dropped on request")
    }
}

impl std::error::Error for Dropped {}

async fn respond(service: &Service, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Dropped> {
    let (head, body) = request.into_parts();
    let answer = match timeout(BODY_TIMEOUT, Limited::new(body, MOST_BYTES).collect()).await {
        Ok(Ok(body)) => service.answer(&Call::new(head, body.to_bytes())),
        Ok(Err(error)) if error.is::<LengthLimitError>() => closing(StatusCode::PAYLOAD_TOO_LARGE),
        Ok(Err(_)) => closing(StatusCode::BAD_REQUEST),
        Err(_) => closing(StatusCode::REQUEST_TIMEOUT),
    };
    sleep(answer.delay).await;
    if answer.is_dropped {
        return Err(Dropped);
    }
    let mut response = Response::new(Full::new(answer.body));
    *response.status_mut() = answer.status;
    *response.headers_mut() = answer.headers;
    Ok(response)
}

/// An answer after which the connection can't go on, because the rest of the body was not read.
fn closing(status: StatusCode) -> Answer {
    Answer::empty(status).with(header::CONNECTION, HeaderValue::from_static("close"))
}
