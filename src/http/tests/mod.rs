//! The client against small servers on loopback.

mod answers;
mod connections;
mod faults;
mod server;
mod tls;

use std::time::Duration;

use url::Url;

use super::*;

fn url(text: &str) -> Url {
    Url::parse(text).unwrap()
}

fn get(text: &str) -> Request {
    request("GET", text)
}

fn request(method: &str, text: &str) -> Request {
    Request { timeout: Duration::from_secs(10), ..Request::new(Method::new(method).unwrap(), url(text)) }
}

fn client() -> Client {
    Client::new(Settings::default()).unwrap()
}

/// Sends without a guard.
async fn send(client: &Client, request: Request) -> Result<Exchange, Error> {
    client.send(request, &|_, _| Ok(())).await
}
