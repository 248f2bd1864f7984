//! `boxwood healthcheck`, as a container runs it.

use support::{Server, refused};

#[test]
fn a_healthcheck_asks_the_daemon_of_its_settings() {
    let mut server = Server::builder().https().start();
    let check = |args: &[&str]| Server::builder().bare().arg("healthcheck").args(args).run();
    for args in [&["--url", server.url()][..], &["--listen", server.url()]] {
        let exit = check(args);
        assert!(exit.status.success(), "{}", exit.stderr);
        assert!(exit.stdout.contains("\"status\":\"ok\""), "{}", exit.stdout);
    }
    let by_variable = Server::builder().bare().args(["healthcheck", "--ready"]);
    let exit = by_variable.env("BOXWOOD_LISTEN", server.url()).run();
    assert!(exit.status.success() && exit.stdout.contains("ready"), "{}", exit.stderr);

    let url = server.url().to_owned();
    assert!(server.terminate().success());
    refused(&check(&["--url", &url]), 1, &["no answer from", &url]);
    refused(&check(&["--listen", "https://127.0.0.1:0"]), 2, &["--url https://HOST:PORT"]);
    refused(&check(&["--set", "limits.headers=x"]), 2, &["limits.headers"]);
}

#[test]
fn dev_is_reachable_from_outside_only_when_that_is_said() {
    let dev = Server::builder().listen("https://0.0.0.0:0");
    refused(&dev.clone().run(), 2, &["known password", "--expose-dev"]);
    dev.arg("--expose-dev").start();
}
