//! Where address and key come from, and what the program says about itself.

use std::fs;

use serde_json::json;

use crate::program::{Place, ended};
use crate::server::{Reply, Server};

fn server() -> Server {
    let state = json!({ "job": { "status": "pending", "progress": 0 } });
    Server::scripted(vec![("GET /api/job/job_1", vec![Reply::json(200, &state)])])
}

#[cfg(unix)]
#[test]
fn a_profile_has_address_and_key() {
    use std::os::unix::fs::PermissionsExt as _;
    let (server, place) = (server(), Place::new());
    let folder = place.path().join("config/reelhook");
    fs::create_dir_all(&folder).unwrap();
    let file = folder.join("config.toml");
    fs::write(&file, format!("[profiles.test]\nurl = \"{}\"\nkey = \"rk_profile\"\n", server.url)).unwrap();
    let run = || {
        let mut command = place.command("", &["show", "job_1", "--profile", "test"]);
        command.env_remove("REELHOOK_URL").env_remove("REELHOOK_KEY");
        ended(command)
    };
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    let open = run();
    assert_eq!(open.code, 2, "{open:?}");
    assert!(open.err.contains("run `chmod 600 ") && !open.err.contains("rk_profile"), "{}", open.err);
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    let read = run();
    assert_eq!(read.code, 0, "{read:?}");
    assert_eq!(server.only("GET /api/job/job_1").header("authorization"), "Bearer rk_profile");
}

#[test]
fn without_an_address_the_program_says_what_to_set() {
    let place = Place::new();
    let mut command = place.command("", &["show", "job_1"]);
    command.env_remove("REELHOOK_URL");
    let found = ended(command);
    assert_eq!(found.code, 2, "{found:?}");
    assert!(found.err.contains("set REELHOOK_URL, or `url` of a profile in "), "{}", found.err);
}

#[test]
fn help_has_examples_and_needs_no_address() {
    let place = Place::new();
    for arguments in [&["--help"][..], &["submit", "--help"], &["completions", "bash"], &["--version"]] {
        let mut command = place.command("", arguments);
        command.env_remove("REELHOOK_URL").env_remove("REELHOOK_KEY");
        let found = ended(command);
        assert_eq!(found.code, 0, "{found:?}");
        assert!(found.out.contains("reelhook"), "{}", found.out);
    }
}
