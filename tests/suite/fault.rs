//! Saving under fault.

use crate::support::runner::Runner;
use crate::support::server::{Answer, Server};
use crate::support::trace::{Verdict, trace};

const LOCAL: &str = "environments/dev.local.yaml";

#[test]
fn show() {
    let server = Server::start(|_| Answer::json(200, r#"{"access_token":"token-from-the-answer"}"#));
    let environment = format!("variables:\n  api_url: {}\n", server.url());
    let runner = Runner::new().file("environments/dev.yaml", environment)
        .file("environments/.gitignore", "*.local.*\n.*.lock\n")
        .file(LOCAL, "a: 1\n")
        .file("c.yaml", "requests:\n  - {url: '{{ api_url }}/token', store: {access_token: $.access_token}}\n").args(["c.yaml", "--env", "dev"]);
    let (ran, calls) = trace(runner, |_| Verdict::Pass).unwrap().ended();
    for call in &calls { eprintln!("{call}"); }
    eprintln!("{} {}", ran.exit, ran.all_output());
    panic!();
}
