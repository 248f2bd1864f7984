//! Arguments and settings, and the ready lines.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};

use support::{Evidence, Server, ServerBuilder};

use crate::shared::refused;

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn boxwood(arguments: &[&str]) -> ServerBuilder {
    Server::builder().bare().args(arguments)
}

#[test]
fn the_variables_of_a_kubernetes_service_are_passed_over() {
    let mut server = Server::builder()
        .http()
        .env("BOXWOOD_SERVICE_HOST", "10.96.0.7")
        .env("BOXWOOD_SERVICE_PORT", "8443")
        .env("BOXWOOD_SERVICE_PORT_HTTPS", "8443")
        .env("BOXWOOD_PORT", "tcp://10.96.0.7:8443")
        .env("BOXWOOD_PORT_8443_TCP", "tcp://10.96.0.7:8443")
        .env("BOXWOOD_PORT_8443_TCP_PROTO", "tcp")
        .env("BOXWOOD_PORT_8443_TCP_PORT", "8443")
        .env("BOXWOOD_PORT_8443_TCP_ADDR", "10.96.0.7")
        .start();
    assert!(server.terminate().success());
    let exit = Server::builder().http().env("BOXWOOD_PORT", "8443").run();
    refused(&exit, 2, &["BOXWOOD_PORT", "there is no such setting"]);
}

#[test]
fn version_and_help_are_answers_and_no_starts() {
    let exit = boxwood(&["--version"]).run();
    assert_eq!((exit.status.code(), exit.stderr.as_str()), (Some(0), ""));
    assert_eq!(exit.stdout, format!("boxwood {}\n", env!("CARGO_PKG_VERSION")));
    let exit = boxwood(&["--help"]).run();
    assert_eq!((exit.status.code(), exit.stderr.as_str()), (Some(0), ""));
    assert!(exit.stdout.contains("serve") && exit.stdout.contains("dev"), "{}", exit.stdout);
}

#[test]
fn an_unknown_command_or_flag_is_refused() {
    for arguments in [&["sreve"][..], &["serve", "--liste", "x"], &[], &["dev", "extra"]] {
        let exit = boxwood(arguments).run();
        assert_eq!((exit.status.code(), exit.stdout.as_str()), (Some(2), ""), "{arguments:?}");
        assert!(exit.stderr.contains("Usage: boxwood"), "{arguments:?}: {}", exit.stderr);
    }
}

#[test]
fn each_listener_has_one_ready_line_and_nothing_else_is_on_standard_output() {
    let mut server = Server::builder().https().http().https().start();
    let lines = server.stdout();
    assert_eq!(lines.len(), 3, "{lines:?}");
    for (line, scheme) in lines.iter().zip(["https", "http", "https"]) {
        let port = line
            .strip_prefix(&format!("boxwood ready {scheme}://127.0.0.1:"))
            .unwrap_or_else(|| panic!("{line:?} is no ready line"));
        assert!(port.parse::<u16>().is_ok_and(|port| port != 0), "{line:?}");
    }
    // When the line is there requests are answered, on each of them.
    for url in server.urls() {
        let mut client = support::Client::new(url);
        client.login("admin", "admin");
        client.get("/api/configuration").expect(200);
    }
    assert!(server.terminate().success());
    assert_eq!(server.stdout(), lines, "neither work nor the end print anything");
}

#[test]
fn listeners_on_both_kinds_of_loopback_addresses_are_announced() {
    if TcpListener::bind("[::1]:0").is_err() {
        println!("skipped: there is no IPv6 here");
        return;
    }
    let server = Server::builder().listen("http://[::1]:0").listen("http://localhost:0").start();
    assert!(server.url().starts_with("http://[::1]:"), "{:?}", server.urls());
    server.admin().get("/api").expect(200);
}

#[test]
fn all_mistakes_in_the_settings_are_reported_at_once() {
    let evidence = Evidence::new();
    let file = evidence.path().join("boxwood.toml");
    let text = "[limits]\nheaders = 3\ncolour = \"red\"\n\n[log]\nformat = \"loud\"\n";
    fs::write(&file, text).expect("a file can be written");
    let data = evidence.path().join("data");
    let exit = Server::builder()
        .serve(&data)
        .listen("https://127.0.0.1")
        .env("BOXWOOD_LIMITS_BODY_BYTES", "plenty")
        .env("BOXWOOD_LIMIT_HEADERS", "9")
        .env("BOXWOOD_SECRET_KEY", "f00d")
        .arg("--config")
        .arg(&file)
        .arg("--set")
        .arg("store.cache_bytes")
        .set("transactions.mode", "sometimes")
        .run();
    let message = refused(
        &exit,
        2,
        &[
            "boxwood.toml:2",
            "limits.headers",
            "boxwood.toml:3",
            "limits.colour",
            "boxwood.toml:6",
            "log.format",
            "BOXWOOD_LIMITS_BODY_BYTES",
            "limits.body_bytes",
            "BOXWOOD_LIMIT_HEADERS",
            "did you mean BOXWOOD_LIMITS_HEADERS?",
            "BOXWOOD_SECRET_KEY",
            "--listen",
            "has no port",
            "store.cache_bytes",
            "transactions.mode",
        ],
    );
    assert!(message.contains("9 settings cannot be used"), "{message}");
    assert!(!message.contains("f00d"), "a secret is not repeated: {message}");
    assert_eq!(message.lines().count(), 10, "a line each: {message}");
    assert!(!data.exists(), "nothing was touched");
}

#[test]
fn an_unknown_variable_is_refused_and_its_value_not_repeated() {
    let exit = Server::builder().env("BOXWOOD_ADMIN_PASSWROD", "hunter2").run();
    let words = ["BOXWOOD_ADMIN_PASSWROD", "did you mean BOXWOOD_ADMIN_PASSWORD?"];
    let message = refused(&exit, 2, &words);
    assert!(!message.contains("hunter2"), "{message}");
    // Others than ours are nobody's business here.
    Server::builder().env("BOXWOODS", "1").env("LISTEN", "nowhere").start();
}

#[test]
fn a_config_file_that_is_not_there_or_not_toml_is_refused() {
    let evidence = Evidence::new();
    let missing = evidence.path().join("missing.toml");
    let exit = Server::builder().arg("--config").arg(&missing).run();
    refused(&exit, 2, &["missing.toml", "No such file"]);
    let broken = evidence.path().join("broken.toml");
    fs::write(&broken, "listen = \n[log]\nfilter = \"infoo\"\n").expect("a file can be written");
    let exit = Server::builder().arg("--config").arg(&broken).run();
    refused(&exit, 2, &["broken.toml:1", "not TOML", "broken.toml:3", "info is one"]);
}

#[test]
fn flags_go_before_variables_and_variables_before_the_file() {
    let evidence = Evidence::new();
    let file = evidence.path().join("boxwood.toml");
    let text =
        "[sps]\nversion = \"file\"\nfirmware_version = \"file\"\n[limits]\njson_depth = 10\n";
    fs::write(&file, text).expect("a file can be written");
    let server = Server::builder()
        .arg("--config")
        .arg(&file)
        .env("BOXWOOD_SPS_VERSION", "variable")
        .env("BOXWOOD_SPS_FIRMWARE_VERSION", "variable")
        .set("sps.firmware_version", "flag")
        .start();
    let mut admin = server.admin();
    let info = admin.get("/api/info").expect(200);
    assert_eq!(info.at("/body/version"), "variable", "{info}");
    assert_eq!(info.at("/body/firmware_version"), "flag", "{info}");
    admin.open().expect(200);
    let deep = format!("{}{}", "[".repeat(11), "]".repeat(11));
    let path = "/api/configuration/management/syslog";
    let answer = admin.request("PUT", path).text(deep, "application/json").send();
    assert_eq!(answer.status, 400, "the depth of the file holds: {answer}");
}

#[test]
fn the_example_settings_are_accepted_and_documented() {
    let config = repository().join("config/boxwood.toml");
    let evidence = Evidence::new();
    let mut server = Server::builder()
        .serve(evidence.path().join("data"))
        .https()
        .arg("--config")
        .arg(&config)
        .start();
    server.admin().get("/api/configuration").expect(200);
    assert!(server.terminate().success());

    // With every default taken out of its comment it says the same.
    let text = fs::read_to_string(config).expect("config/boxwood.toml is there");
    let is_setting = |line: &&str| line.starts_with('#') && !line.starts_with("# ") && *line != "#";
    let settings = text.lines().filter(is_setting).count();
    let explicit: String = text
        .lines()
        .map(|line| if is_setting(&line) { &line[1..] } else { line })
        .map(|line| format!("{line}\n"))
        .collect();
    assert!(settings > 20, "{explicit}");
    let file = evidence.path().join("explicit.toml");
    fs::write(&file, explicit).expect("a file can be written");
    let builder = Server::builder().serve(evidence.path().join("data")).https();
    builder.arg("--config").arg(&file).start();

    let documented = repository().join("docs/reference/settings.md");
    let documented = fs::read_to_string(documented).expect("docs/reference/settings.md is there");
    let rows = documented.lines().filter(|line| line.starts_with("| `")).count();
    assert!(rows >= settings, "{rows} rows for {settings} settings");
}

#[test]
fn plain_http_for_other_machines_is_refused_unless_asked_for() {
    let evidence = Evidence::new();
    let serve = |url: &str| Server::builder().serve(evidence.path().join("data")).listen(url);
    for url in ["http://0.0.0.0:0", "http://[::]:0", "http://192.0.2.1:8080"] {
        refused(&serve(url).run(), 2, &["listen", url, "loopback", "insecure_http"]);
    }
    let server = serve("http://0.0.0.0:0").arg("--insecure-http").start();
    let port = server.url().rsplit_once(':').expect("a port").1.to_owned();
    support::Client::new(&format!("http://127.0.0.1:{port}")).login("admin", "admin");
    drop(server);
    serve("https://0.0.0.0:0").start();
}

#[test]
fn dev_is_for_loopback_alone() {
    for url in ["https://0.0.0.0:0", "https://[::]:0", "http://192.0.2.1:0"] {
        let dev = Server::builder().listen(url);
        refused(&dev.run(), 2, &["listen", url, "boxwood dev", "boxwood serve"]);
        // Also when plain http is allowed: the password is known to everybody.
        refused(&dev.arg("--insecure-http").run(), 2, &["boxwood serve"]);
    }
}

#[test]
fn an_appliance_that_is_not_built_in_is_refused() {
    let exit = Server::builder().arg("--appliance").arg("sps-9.9").run();
    let Some(code @ (1 | 2)) = exit.status.code() else { panic!("{}", exit.status) };
    refused(&exit, code, &["sps-9.9", "sps-6.2"]);
}

#[test]
fn a_port_in_use_is_named_and_the_data_not_touched() {
    let evidence = Evidence::new();
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let url = format!("http://{}", taken.local_addr().expect("it is bound"));
    let data = evidence.path().join("data");
    let exit = Server::builder().serve(&data).http().listen(&url).run();
    refused(&exit, 1, &[&url, "in use"]);
    assert!(!data.exists(), "a port that is taken costs nothing");
    drop(taken);
    Server::builder().serve(&data).listen(&url).start();
}

#[test]
fn an_address_that_is_not_this_machines_is_named() {
    let evidence = Evidence::new();
    let url = "https://192.0.2.1:0";
    let exit = Server::builder().serve(evidence.path().join("data")).listen(url).run();
    refused(&exit, 1, &[url, "assign"]);
}
