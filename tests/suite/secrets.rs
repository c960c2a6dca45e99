//! What becomes of secrets: they go where the environment says, and no output shows them.

use crate::support::leak::assert_no_secret;
use crate::support::runner::Runner;
use crate::support::server::{Answer, Server};

/// A secret that each encoding spells differently.
const SECRET: &str = "p/a+s \"w\\ö🔑&<r>'d%";

/// A server that sends back what it got, as bodies and headers do: plain, and in its JSON.
fn echo() -> Server {
    Server::start(|request| {
        let sent = format!("{} {:?} {}", request.line(), request.headers, request.text());
        let decoded = request.form_field("secret").unwrap_or_default();
        let body = serde_json::json!({"sent": sent, "decoded": decoded, "id": 7});
        Answer::json(500, body.to_string()).header("X-Echo", &request.query)
    })
}

#[test]
fn a_secret_that_comes_back_is_masked_in_every_output() {
    let server = echo();
    // One row for each way to look at a run.
    let ways: [&[&str]; 1] = [&[]];
    for arguments in ways {
        let ran = Runner::new()
            .file("environments/dev.yaml", format!("variables: {{url: '{}', secret: !secret }}\n", server.url()))
            .file(
                "echo.yaml",
                "
                requests:
                  - name: Echo
                    method: POST
                    url: \"{{ url }}/{{ secret }}?q={{ secret }}\"
                    auth: {basic: {username: me, password: \"{{ secret }}\"}}
                    form: {secret: \"{{ secret }}\"}
                    assert: {status: 200, json: {$.decoded: other, $.sent: {contains: nothing}}}
                ",
            )
            .env_var("RUNNER_SECRET_secret", SECRET)
            .args(["echo.yaml", "--env", "dev"])
            .args(arguments.iter().copied())
            .run_unchecked();
        assert_eq!(ran.exit, 1, "{}", ran.all_output());
        assert_no_secret(ran.all_output(), SECRET);
        for file in ran.files().iter().filter(|file| !matches!(file.as_str(), "echo.yaml" | "environments/dev.yaml")) {
            assert_no_secret(ran.read(file), SECRET);
        }
    }
    let requests = server.requests();
    assert!(
        requests.len() == ways.len() && requests.iter().all(|request| request.form_field("secret").as_deref() == Some(SECRET))
    );
}
