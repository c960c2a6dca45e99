//! The files in `collections/` and `environments/`, copied somewhere else and run as the documents say.

use std::fs;
use std::path::Path;

use crate::support::browser::between;
use crate::support::runner::{Runner, unindented};

/// A project with every file of the two folders that belongs to the repository.
fn examples() -> Runner {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut runner = Runner::new();
    for folder in ["collections", "environments"] {
        for entry in fs::read_dir(root.join(folder)).expect("a folder").map(|entry| entry.expect("an entry")) {
            let name = entry.file_name().into_string().expect("a name");
            if !name.contains(".local") && !name.ends_with(".lock") {
                runner = runner.file(&format!("{folder}/{name}"), fs::read_to_string(entry.path()).expect("a file"));
            }
        }
    }
    runner
}

#[test]
fn the_first_command_works_twice_in_a_row() {
    let first = examples().args(["collections/oauth2.yaml", "--env", "dev"]).run_passing();
    assert!(
        first.stdout.contains("✓ POST   Exchange the code") && first.stdout.contains("✓ GET    Who am I"),
        "{}",
        first.stdout
    );
    let second = first.again().args(["collections/oauth2.yaml", "--env", "dev"]).run_passing();
    assert!(
        second.stdout.contains("- POST   Exchange the code") && second.stdout.contains("✓ GET    Who am I"),
        "{}",
        second.stdout
    );
}

#[test]
fn the_files_follow_the_login_that_they_need() {
    examples()
        .args(["collections/files.yaml", "--env", "dev"])
        .expect_stdout(
            "
            Box OAuth 2.0 (needed)
            ✓ POST   Exchange the code                 200 [duration]
              stored access_token, refresh_token, expires_at in environments/dev.local.yaml
            - POST   Refresh the tokens                skipped: its `when` does not hold
            ✓ GET    Who am I                          200 [duration]

            Box files
            ✓ GET    List the folder                   200 [duration]
            ✓ GET    Read the first file               200 [duration]

            5 requests: 4 passed, 1 skipped in [duration]
            ",
        )
        .run();
}

#[test]
fn the_whole_folder_runs_each_collection_once() {
    examples()
        .args(["collections", "--env", "dev"])
        .expect_stdout(
            "
            Box OAuth 2.0
            ✓ POST   Exchange the code                 200 [duration]
              stored access_token, refresh_token, expires_at in environments/dev.local.yaml
            - POST   Refresh the tokens                skipped: its `when` does not hold
            ✓ GET    Who am I                          200 [duration]

            Box files
            ✓ GET    List the folder                   200 [duration]
            ✓ GET    Read the first file               200 [duration]

            5 requests: 4 passed, 1 skipped in [duration]
            ",
        )
        .run();
}

#[test]
fn every_example_passes_the_check_with_each_environment_and_with_none() {
    let ran = examples()
        .args(["check", "collections", "--env", "dev"])
        .expect_stdout(
            "
            no mistakes in 2 collections and 5 requests
            ",
        )
        .run();
    ran.again()
        .args(["check", "collections", "--env", "box"])
        .expect_stdout(
            "
            no mistakes in 2 collections and 5 requests
            ",
        )
        .run();
    ran.again()
        .args(["check", "collections"])
        .expect_stdout(
            "
            no mistakes in 2 collections and 5 requests
            an environment must give: api_url, client_id, client_secret, code, token_url
            ",
        )
        .run();
}

#[test]
fn a_dry_run_of_the_first_command_sends_nothing_and_stores_nothing() {
    let ran = examples().args(["collections/oauth2.yaml", "--env", "dev", "--dry-run"]).run_passing();
    let id = between(&ran.stdout, "client_id=", "&").to_owned();
    assert_eq!(
        ran.stdout.replace(&id, "[id]"),
        unindented(
            "
            > POST   Exchange the code                 would send
              > POST http://127.0.0.1:[port]/oauth2/token
              > Accept: application/json
              > Content-Type: application/x-www-form-urlencoded
              >
                grant_type=authorization_code&code=***&client_id=[id]&client_secret=***
            - POST   Refresh the tokens                skipped: needs `refresh_token`, which only a real run gets
            - GET    Who am I                          skipped: needs `access_token`, which only a real run gets

            3 requests: 1 would be sent, 2 skipped (dry run)
            "
        )
    );
    assert!(!ran.exists("environments/dev.local.yaml"));
}
