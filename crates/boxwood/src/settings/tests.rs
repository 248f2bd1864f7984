//! Settings as a whole: sources in, settings or problems out.

use std::path::Path;
use std::time::Duration;

use super::registry::Setting;
use super::*;
use crate::telemetry::LogFormat;

/// A file's text, variables and `name=value` flags.
fn resolve(
    mode: Mode,
    file: &str,
    variables: &[(&str, &str)],
    flags: &[(&str, &str)],
) -> Result<Settings, BadSettings> {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let path = directory.path().join("f.toml");
    std::fs::write(&path, file).expect("the file is written");
    Settings::resolve(Sources {
        mode,
        config_file: Some(path),
        environment: variables.iter().map(|(k, v)| (k.into(), v.into())).collect(),
        flags: flags
            .iter()
            .map(|(name, value)| Given {
                name: (*name).to_owned(),
                raw: Raw::Spelled((*value).to_owned()),
                origin: Origin::Flag(format!("--set {name}")),
            })
            .collect(),
    })
    .map_err(|mut bad| {
        for problem in &mut bad.problems {
            if let Origin::File { path, .. } = &mut problem.origin {
                *path = "f.toml".to_owned();
            }
        }
        bad
    })
}

fn check_refused(file: &str, variables: &[(&str, &str)], flags: &[(&str, &str)], expect: &[&str]) {
    let bad = resolve(Mode::Serve, file, variables, flags).expect_err("the settings are refused");
    let problems: Vec<String> = bad.problems.iter().map(Problem::to_string).collect();
    assert_eq!(problems, expect);
}

#[test]
fn the_defaults_are_these() {
    let settings = resolve(Mode::Serve, "", &[], &[]).unwrap();
    let shown = format!("{settings:?}");
    let Settings {
        mode,
        appliances,
        data_dir,
        insecure_http,
        expose_dev,
        log,
        transactions,
        sps,
        limits,
        worlds,
        login,
        proxies,
        tls,
        tls_names,
        secrets,
        store,
        history,
        delivery,
        admin_password,
        secret_key,
        names: _,
        catalog: _,
        listen: _,
        own_catalogs: _,
        tls_given: _,
    } = settings;
    assert_eq!(mode, Mode::Serve);
    let [own] = appliances.as_slice() else { panic!("one appliance") };
    assert_eq!(own.listen, ["https://127.0.0.1:8443".parse::<ListenUrl>().unwrap()]);
    assert_eq!(data_dir.as_deref(), Some(Path::new("/var/lib/boxwood")));
    assert_eq!((own.name.as_deref(), &own.catalog), (Some("sps-6.2"), &None));
    assert!(!insecure_http && !expose_dev);
    assert_eq!((log.filter.as_str(), log.format), ("info", LogFormat::Auto));
    assert_eq!(log.file, None);
    assert_eq!(transactions.mode, TransactionMode::Auto);
    assert!(!sps.lenient_commit);
    assert_eq!((sps.firmware_version, sps.version), (None, None));
    assert_eq!(
        format!("{limits:?}"),
        "Limits { head_bytes: 65536, headers: 64, body_bytes: 10485760, \
         import_bytes: 268435456, json_depth: 64, violations: 100, answer_bytes: 1048576, \
         waiting_bytes: 536870912, waiting_bytes_per_address: 268435456, \
         waiting_bytes_per_connection: 8388608, header_time: 10s, body_time: 30s, tls_time: 5s, connections: 512, \
         connections_per_address: 256, drain_time: 5s, sessions: 10000, \
         transaction_changes: 1000000, http2_streams: 64 }"
    );
    assert_eq!(
        format!("{login:?}"),
        "LoginSettings { failures: 10, window: 60s, block: 30s, idle: None, \
         admin_password_file: None, lifetime: Some(86400s) }"
    );
    assert_eq!(format!("{proxies:?}"), "Proxies { trusted: [], header: XForwardedFor }");
    assert_eq!((tls, tls_names), (None, Vec::new()));
    assert_eq!(worlds.most, 100);
    assert_eq!(secrets.key_file, None);
    assert_eq!((store.cache_bytes, store.checkpoint_revisions), (67_108_864, 1000));
    assert_eq!((history.keep_revisions, history.keep_days), (10_000, 0));
    assert_eq!(history.idempotency, Duration::from_secs(86_400));
    assert_eq!(
        format!("{delivery:?}"),
        "Settings { mode: Record, smtp_port: 25, trap_port: 162, queue_messages: 10000, \
         max_age: 172800s, retry: 30s, timeout: 30s, outbox_messages: 1000, gather: 60s, \
         gather_after: 5, health_every: 10s }"
    );
    assert!(admin_password.is_none() && secret_key.is_none());
    assert!(!shown.contains("unset"), "{shown}");
}

#[test]
fn proxies_are_networks() {
    let file = "[proxies]\ntrusted = [\"10.0.0.0/8\", \"fd00::1\"]\nheader = \"forwarded\"";
    let proxies = resolve(Mode::Serve, file, &[], &[]).unwrap().proxies;
    let shown: Vec<String> = proxies.trusted.iter().map(ToString::to_string).collect();
    assert_eq!(shown, ["10.0.0.0/8", "fd00::1/128"]);
    assert_eq!(proxies.header, front_end::ProxyHeader::Forwarded);
    let expect = "environment variable BOXWOOD_PROXIES_TRUSTED: `proxies.trusted` cannot be \
                  \"10.0.0.0/8,all\": all is not a network; it takes a list of networks such as \
                  10.0.0.0/8, or addresses";
    check_refused("", &[("BOXWOOD_PROXIES_TRUSTED", "10.0.0.0/8,all")], &[], &[expect]);
}

#[test]
fn dev_has_its_own_defaults() {
    let settings = resolve(Mode::Dev, "", &[], &[]).unwrap();
    assert_eq!(settings.login.failures, 0);
    assert_eq!(settings.data_dir, None);
    assert_eq!(settings.admin_password.unwrap().expose(), "admin");
    let settings = resolve(Mode::Dev, "", &[("BOXWOOD_ADMIN_PASSWORD", "other")], &[]).unwrap();
    assert_eq!(settings.admin_password.unwrap().expose(), "other");
}

#[test]
fn stronger_sources_win() {
    let file = "data_dir = \"/d\"\n[limits]\nheaders = 11\nbody_seconds = 0.3\njson_depth = 10";
    let variables = [("BOXWOOD_LIMITS_HEADERS", "12"), ("BOXWOOD_LIMITS_JSON_DEPTH", "20")];
    let flags = [("limits.headers", "13"), ("listen", "https://[::1]:1, http://localhost:2")];
    let settings = resolve(Mode::Serve, file, &variables, &flags).unwrap();
    assert_eq!(settings.limits.headers, 13);
    assert_eq!(settings.limits.json_depth, 20);
    assert_eq!(settings.limits.body_time, Duration::from_millis(300));
    assert_eq!(settings.data_dir.as_deref(), Some(Path::new("/d")));
    let listen: Vec<String> =
        settings.appliances[0].listen.iter().map(ListenUrl::to_string).collect();
    assert_eq!(listen, ["https://[::1]:1", "http://localhost:2"]);
}

#[test]
fn every_mistake_is_reported_with_its_place() {
    check_refused(
        "listen = [\"https://127.0.0.1\", \"gopher://x:1\"]\ncolour = 1\n\n[limits]\n\
         headers = \"many\"\nbody_byte = 5\nhead_bytes = 100\nbody_seconds = inf\n[log]\nformat = 3\n",
        &[
            ("BOXWOOD_LOG_FILTER", "infoo"),
            ("BOXWOOD_LIMITS_HEADRES", "5"),
            ("BOXWOOD_INSECURE_HTTP", "yes"),
            ("PATH", "/bin"),
        ],
        &[("transactions.mode", "shared"), ("colour", "x"), ("tls.certificate", "a.pem")],
        &[
            "f.toml:1: `listen` cannot be \"https://127.0.0.1\": it has no port; it takes a \
             list of https://ADDRESS:PORT or http://ADDRESS:PORT",
            "f.toml:1: `listen` cannot be \"gopher://x:1\": it does not begin with \
             \"http://\" or \"https://\"; it takes a list of https://ADDRESS:PORT or http://ADDRESS:PORT",
            "f.toml:2: there is no setting `colour`; `boxwood serve --help` lists the settings",
            "f.toml:5: `limits.headers` cannot be \"many\"; it takes a whole number from 8 to 1024",
            "f.toml:6: there is no setting `limits.body_byte`; did you mean `limits.body_bytes`?",
            "f.toml:7: `limits.head_bytes` cannot be 100; it takes a whole number from 8192 to \
             1048576",
            "f.toml:8: `limits.body_seconds` cannot be inf; it takes seconds from 0.05 to 3600",
            "f.toml:10: `log.format` cannot be 3; it takes one of auto, human, json",
            "environment variable BOXWOOD_INSECURE_HTTP: `insecure_http` cannot be \"yes\"; it \
             takes true or false",
            "environment variable BOXWOOD_LIMITS_HEADRES: there is no such setting; did you mean \
             BOXWOOD_LIMITS_HEADERS?",
            "environment variable BOXWOOD_LOG_FILTER: `log.filter` cannot be \"infoo\": infoo is \
             not a level, info is one; it takes error, warn, info, debug, trace or off, or \
             directives such as warn,transaction_engine=debug",
            "--set transactions.mode: `transactions.mode` cannot be \"shared\"; it takes one of \
             auto, exclusive, concurrent",
            "--set colour: there is no setting `colour`; `boxwood serve --help` lists the settings",
            "--set tls.certificate: `tls.certificate` is given without `tls.private_key`; give \
             both, or neither",
        ],
    );
}

#[test]
fn secrets_are_taken_from_files_where_the_environment_has_none() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    let key = "ab".repeat(32);
    write("password", "from the file\n");
    write("boxwood.admin-password", "from systemd\n");
    write("boxwood.secret-key", &key);
    let place = folder.path().to_str().unwrap();
    let file = format!("login.admin_password_file = \"{place}/password\"");
    let systemd = ("CREDENTIALS_DIRECTORY", place);
    let password = |file: &str, variables: &[(&str, &str)]| {
        let settings = resolve(Mode::Serve, file, variables, &[]).unwrap();
        settings.admin_password.map(|password| password.expose().to_owned())
    };
    let given = ("BOXWOOD_ADMIN_PASSWORD", "given");
    assert_eq!(password(&file, &[given, systemd]).as_deref(), Some("given"));
    assert_eq!(password(&file, &[systemd]).as_deref(), Some("from the file"));
    assert_eq!(password("", &[systemd]).as_deref(), Some("from systemd"));
    assert_eq!(password("", &[]), None);
    let settings = resolve(Mode::Serve, "", &[systemd], &[]).unwrap();
    assert_eq!(settings.secret_key.unwrap().expose(), &[0xab; 32]);

    for (name, text, file, why) in [
        ("boxwood.secret-key", "hunter2", "", "it is not 64 hexadecimal digits long"),
        ("boxwood.admin-password", "\n", "", "the password is empty"),
        ("password", &"hunter2".repeat(1000), file.as_str(), "it is larger than 4096 bytes"),
    ] {
        write(name, text);
        let bad = resolve(Mode::Serve, file, &[systemd], &[]).expect_err("refused");
        let text = format!("{bad} {bad:?}");
        assert!(text.contains(why) && text.contains(place), "{text}");
        assert!(!text.contains("hunter2"), "{text}");
    }
}

#[test]
fn secrets_are_taken_from_the_environment_and_never_shown() {
    let key = "ab".repeat(32);
    let variables = [("BOXWOOD_ADMIN_PASSWORD", "hunter2"), ("BOXWOOD_SECRET_KEY", key.as_str())];
    let settings = resolve(Mode::Serve, "", &variables, &[]).unwrap();
    let shown = format!("{settings:?} {settings:#?}");
    assert!(!shown.contains("hunter2") && !shown.contains("abab") && !shown.contains("171"));
    assert_eq!(settings.admin_password.unwrap().expose(), "hunter2");
    assert_eq!(settings.secret_key.unwrap().expose(), &[0xab; 32]);

    let short = "cd".repeat(31);
    let variables = [
        ("BOXWOOD_ADMIN_PASWORD", "hunter2"),
        ("BOXWOOD_ADMIN_PASSWORD", ""),
        ("BOXWOOD_SECRET_KEY", short.as_str()),
        ("BOXWOOD_TLS_PRIVATE_KEY", "-----BEGIN PRIVATE KEY-----hunter2"),
    ];
    let file = "admin_password = \"hunter2\"\nbroken = \"hunter2\" \"hunter2\"\n";
    let bad =
        resolve(Mode::Serve, file, &variables, &[("secrets.key", "hunter2")]).expect_err("refused");
    let shown = format!("{bad} {bad:?}");
    assert!(!shown.contains("hunter2") && !shown.contains("cdcd"), "{shown}");
    assert_eq!(bad.problems.len(), 7, "{bad}");
    assert!(shown.contains("did you mean BOXWOOD_ADMIN_PASSWORD?"), "{bad}");
    assert!(shown.contains("only as environment variable BOXWOOD_SECRET_KEY"), "{bad}");
}

#[test]
fn rules_about_several_settings() {
    let in_clear = "--set listen: `listen` has http://0.0.0.0:80, where passwords would cross the \
                    network in clear; plain http is for loopback addresses: use https, or set \
                    `insecure_http` to true";
    check_refused("", &[], &[("listen", "http://0.0.0.0:80")], &[in_clear]);
    let allowed = [("listen", "http://0.0.0.0:80"), ("insecure_http", "true")];
    resolve(Mode::Serve, "", &[], &allowed).expect("insecure_http allows it");
    resolve(Mode::Dev, "", &[], &allowed).expect_err("but not in dev");
    resolve(Mode::Dev, "", &[], &[("listen", "https://0.0.0.0:0")]).expect_err("nor https in dev");
    let exposed = [("listen", "https://0.0.0.0:0"), ("expose_dev", "true")];
    resolve(Mode::Dev, "", &[], &exposed).expect("unless it is said that it may");
    let exposed = [("listen", "http://0.0.0.0:0"), ("expose_dev", "true")];
    resolve(Mode::Dev, "", &[], &exposed).expect_err("but not in clear");
    resolve(Mode::Dev, "", &[], &[("listen", "http://127.0.0.1:0")]).expect("loopback is fine");

    check_refused(
        "",
        &[],
        &[("listen", "https://127.0.0.1:9,http://127.0.0.1:9")],
        &["--set listen: `listen` has 127.0.0.1:9 twice"],
    );
    resolve(Mode::Serve, "", &[], &[("listen", "https://127.0.0.1:0,https://127.0.0.1:0")])
        .expect("any free port may be asked for twice");

    check_refused(
        "[tls]\nprivate_key = \"k.pem\"",
        &[],
        &[],
        &["f.toml:2: `tls.private_key` is given without `tls.certificate`; give both, or neither"],
    );
    let both = [("tls.private_key", "k.pem"), ("tls.certificate", "c.pem")];
    let settings = resolve(Mode::Serve, "", &[], &both).unwrap();
    let expect = TlsFiles { certificate: "c.pem".into(), private_key: "k.pem".into() };
    assert_eq!(settings.tls, Some(expect));

    check_refused(
        "",
        &[("BOXWOOD_DATA_DIR", "")],
        &[],
        &["environment variable BOXWOOD_DATA_DIR: `data_dir` is empty; `boxwood serve` keeps its \
           state in a directory: name one"],
    );
}

#[test]
fn a_missing_file_is_a_problem_beside_the_others() {
    let bad = Settings::resolve(Sources {
        mode: Mode::Serve,
        config_file: Some("/nonexistent/boxwood.toml".into()),
        environment: vec![("BOXWOOD_APPLIANCE".into(), "sps".into())],
        flags: Vec::new(),
    })
    .expect_err("refused");
    let text = bad.to_string();
    assert!(
        text.starts_with("2 settings cannot be used:\n  /nonexistent/boxwood.toml: the file given")
    );
    assert!(text.contains("BOXWOOD_APPLIANCE: `appliance` cannot be \"sps\""), "{text}");
}

#[test]
fn a_catalog_goes_in_the_place_of_a_built_in_one() {
    let settings = resolve(Mode::Serve, "", &[], &[("catalog", "lamp")]).unwrap();
    assert_eq!(settings.appliances[0].catalog.as_deref(), Some(Path::new("lamp")));
    let both = "--set catalog: `catalog` and `appliance` are both given; give one of them: a \
                directory, or the name of a built-in catalog. With several appliances, \
                `appliances.NAME.catalog` is the directory of one";
    check_refused("appliance = \"sps-6.2\"", &[], &[("catalog", "lamp")], &[both]);
    let bad = resolve(Mode::Dev, "", &[], &[("appliance", "sps-9.9")]).expect_err("refused");
    assert!(bad.to_string().contains("it is none of "), "{bad}");
}

#[test]
fn the_key_file_is_in_the_data_directory_unless_named() {
    let usual = resolve(Mode::Serve, "", &[], &[]).unwrap();
    assert_eq!(usual.key_file(Path::new("/d")), Path::new("/d/secret.key"));
    let named = resolve(Mode::Serve, "", &[], &[("secrets.key_file", "/k")]).unwrap();
    assert_eq!(named.key_file(Path::new("/d")), Path::new("/k"));
}

#[test]
fn every_setting_can_be_given_in_every_way() {
    for setting in registry::REGISTRY {
        let Setting { name, .. } = setting;
        let value = setting.default_in(Mode::Serve);
        resolve(Mode::Serve, "", &[(&variables::variable(name), value)], &[]).expect(name);
        resolve(Mode::Serve, "", &[], &[(name, value)]).expect(name);
        resolve(Mode::Serve, &format!("{name} = {}", setting.to_toml(value)), &[], &[])
            .expect(name);
        // A value of a type that no setting has.
        let bad = resolve(Mode::Serve, &format!("{name} = 1979-05-27"), &[], &[]);
        assert_eq!(bad.expect_err(name).problems.len(), 1, "{name}");
        assert!(setting.about.ends_with('.') && setting.about.len() < 120, "{name}");
    }
    let mut variables: Vec<String> =
        registry::REGISTRY.iter().map(|setting| variables::variable(setting.name)).collect();
    variables.sort();
    variables.dedup();
    assert_eq!(variables.len(), registry::REGISTRY.len(), "two settings share a variable");
}

#[test]
fn the_generated_files_are_current() {
    #[expect(clippy::disallowed_methods, reason = "asks the person who runs the test, not a user")]
    let update = std::env::var("UPDATE").is_ok_and(|value| value == "1");
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let files = [
        ("config/boxwood.toml", reference::config_file()),
        ("docs/reference/settings.md", reference::page()),
    ];
    for (name, text) in files {
        let path = root.join(name);
        if update {
            std::fs::write(&path, &text).expect("the file can be written");
        }
        let there = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(there == text, "{name} does not fit the registry: run `make generated`");
    }
}

#[test]
fn the_generated_file_holds_the_defaults() {
    let text = reference::config_file();
    assert!(text.lines().all(|line| line.chars().count() <= 100));
    let uncommented: String = text
        .lines()
        .map(|line| match line.strip_prefix('#') {
            Some(setting) if !setting.is_empty() && !setting.starts_with(' ') => setting,
            _ => line,
        })
        .map(|line| format!("{line}\n"))
        .collect();
    let settings = resolve(Mode::Serve, &uncommented, &[], &[]).expect("the defaults are good");
    let defaults = resolve(Mode::Serve, "", &[], &[]).unwrap();
    assert_eq!(format!("{settings:?}"), format!("{defaults:?}"));
    for setting in registry::REGISTRY {
        let key = setting.name.rsplit('.').next().unwrap();
        assert!(uncommented.contains(&format!("\n{key} = ")), "{} is missing", setting.name);
    }
}

// ===== several appliances =====

/// Each appliance with its listeners.
fn served(file: &str, variables: &[(&str, &str)], flags: &[(&str, &str)]) -> Vec<String> {
    let settings = resolve(Mode::Serve, file, variables, flags).unwrap();
    let show = |own: &ApplianceSettings| {
        let urls: Vec<String> = own.listen.iter().map(ListenUrl::to_string).collect();
        format!("{} {}", own.name.as_deref().unwrap_or("-"), urls.join(" "))
    };
    settings.appliances.iter().map(show).collect()
}

const BOTH: (&str, &str) = ("appliance", "sps-6.2,sps-7.0");

#[test]
fn the_second_appliance_gets_the_next_port() {
    let at = |listen| served("", &[], &[BOTH, ("listen", listen)]);
    let of = |first: &str, second: &str| [format!("sps-6.2 {first}"), format!("sps-7.0 {second}")];
    assert_eq!(served("", &[], &[BOTH]), of("https://127.0.0.1:8443", "https://127.0.0.1:8444"));
    assert_eq!(at("http://127.0.0.1:0"), of("http://127.0.0.1:0", "http://127.0.0.1:0"));
    assert_eq!(
        at("https://[::1]:5, http://localhost:6"),
        of("https://[::1]:5 http://localhost:6", "https://[::1]:7")
    );
    let full = [BOTH, ("listen", "https://127.0.0.1:65535")];
    let no_port = "--set listen: no port is left for sps-7.0: say where it listens with \
                   `appliances.sps-7.0.listen`";
    check_refused("", &[], &full, &[no_port]);
}

#[test]
fn an_appliance_can_be_given_its_listeners_in_every_way() {
    let expect = ["sps-6.2 https://127.0.0.1:8443", "sps-7.0 https://127.0.0.1:1"];
    let list = "appliance = [\"sps-6.2\", \"sps-7.0\"]\n";
    for table in ["[appliances.\"sps-7.0\"]", "[appliances.sps-7.0]"] {
        let file = format!("{list}{table}\nlisten = [\"https://127.0.0.1:1\"]\n");
        assert_eq!(served(&file, &[], &[]), expect);
    }
    let variable = ("BOXWOOD_APPLIANCES_SPS_7_0_LISTEN", "https://127.0.0.1:1");
    assert_eq!(served(list, &[variable], &[]), expect);
    assert_eq!(served("", &[("BOXWOOD_APPLIANCE", "sps-6.2, sps-7.0"), variable], &[]), expect);
    let flag = ("appliances.sps-7.0.listen", "https://127.0.0.1:1");
    assert_eq!(served(list, &[], &[flag]), expect);
    // For the first one, the stronger source counts.
    let file = "[appliances.\"sps-6.2\"]\nlisten = [\"https://127.0.0.1:1\"]\n";
    assert_eq!(served(file, &[], &[]), ["sps-6.2 https://127.0.0.1:1"]);
    assert_eq!(
        served(file, &[], &[("listen", "https://127.0.0.1:2")]),
        ["sps-6.2 https://127.0.0.1:2"]
    );
    check_refused(
        "",
        &[],
        &[("listen", "https://127.0.0.1:2"), ("appliances.sps-6.2.listen", "https://127.0.0.1:1")],
        &[
            "--set listen: `listen` and `appliances.sps-6.2.listen` are both given; give one of them",
        ],
    );
}

#[test]
fn a_setting_of_a_dialect_is_that_of_all_its_appliances_unless_one_has_its_own() {
    let file = "appliance = [\"sps-6.2\", \"sps-7.0\"]\n[sps]\nversion = \"all\"\n\
                lenient_commit = true\n[appliances.\"sps-7.0\"]\nversion = \"own\"\n";
    let settings = resolve(Mode::Serve, file, &[], &[]).unwrap();
    let [first, second] = settings.appliances.as_slice() else { panic!("two") };
    assert_eq!(first.dialect.sps.version.as_deref(), Some("all"));
    assert_eq!(second.dialect.sps.version.as_deref(), Some("own"));
    assert!(first.dialect.sps.lenient_commit && second.dialect.sps.lenient_commit);
}

#[test]
fn every_mistake_about_appliances_is_reported_by_name() {
    let lamp = tempfile::tempdir().unwrap();
    let text = "name: lamp\ntitle: Lamp\ndialect: glow\n";
    std::fs::write(lamp.path().join("catalog.yaml"), text).unwrap();
    let lamp = lamp.path().display().to_string();
    let known = catalog::Catalog::builtin_names().join(", ");
    let unknown = format!(
        "f.toml:1: `appliance` cannot be \"sps\": it is none of {known}, lamp; it takes the name of \
         an appliance, such as sps-6.2, or a list"
    );
    let not_served = format!(
        "--set appliances.sps-9.listen: `appliances.sps-9.listen` is given, but sps-9 is not \
         served; those built in are {known}, and one of your own takes \
         `appliances.sps-9.catalog` and --appliance sps-9"
    );
    check_refused(
        &format!(
            "appliance = [\"sps-6.2\", \"sps-6.2\", \"sps\"]\n[appliances.lamp]\n\
             catalog = {lamp:?}\nversion = \"1\"\n[appliances.\"sps-6.2\"]\nversions = \"1\"\n\
             listen = [\"gopher://x\"]\n"
        ),
        &[("BOXWOOD_APPLIANCES_SPS_6_2_VERSIO", "1")],
        &[("appliances.sps-9.listen", "http://127.0.0.1:1")],
        &[
            "f.toml:1: `appliance` cannot be \"sps-6.2\": it is named twice; it takes the name of \
             an appliance, such as sps-6.2, or a list",
            &unknown,
            "f.toml:4: `appliances.lamp.version` is a setting of the dialect sps, and lamp has the \
             dialect glow",
            "f.toml:6: there is no setting `appliances.sps-6.2.versions`; did you mean \
             `appliances.sps-6.2.version`?",
            "f.toml:7: `appliances.sps-6.2.listen` cannot be \"gopher://x\": it does not begin with \
             \"http://\" or \"https://\"; it takes a list of https://ADDRESS:PORT or \
             http://ADDRESS:PORT",
            "environment variable BOXWOOD_APPLIANCES_SPS_6_2_VERSIO: there is no such setting; did \
             you mean BOXWOOD_APPLIANCES_SPS_6_2_VERSION?",
            &not_served,
        ],
    );
}

#[test]
fn a_table_of_an_appliance_that_is_not_served_may_wait_where_others_are_named() {
    let table = "[appliances.\"sps-7.0\"]\nlisten = [\"https://127.0.0.1:1\"]\n";
    let chosen = format!("appliance = \"sps-6.2\"\n{table}");
    assert_eq!(served(&chosen, &[], &[]), ["sps-6.2 https://127.0.0.1:8443"]);
    let not_served = "f.toml:2: `appliances.sps-7.0.listen` is given, but sps-7.0 is not served; \
                      add --appliance sps-7.0";
    check_refused(table, &[], &[], &[not_served]);
}

#[test]
fn an_appliance_of_ones_own_has_the_name_of_its_table() {
    let settings = resolve(
        Mode::Serve,
        "appliance = [\"lamp\", \"sps-6.2\"]\n[appliances.lamp]\ncatalog = \"folder\"\n",
        &[("BOXWOOD_APPLIANCES_LAMP_LISTEN", "http://127.0.0.1:1")],
        &[],
    );
    let settings = settings.unwrap();
    assert_eq!(settings.appliances[0].name.as_deref(), Some("lamp"));
    assert_eq!(settings.appliances[0].catalog.as_deref(), Some(Path::new("folder")));
    assert_eq!(settings.appliances[0].listen[0].to_string(), "http://127.0.0.1:1");
    assert_eq!(settings.appliances[1].listen[0].to_string(), "http://127.0.0.1:2");
}

#[test]
fn every_setting_of_an_appliance_can_be_given_in_every_way() {
    let of_dialect = |dialect: Option<&str>| {
        let names = catalog::Catalog::builtin_names().iter();
        let has = |name: &&str| catalog::Catalog::dialect_of_builtin(name).as_deref() == dialect;
        names.copied().find(|name| dialect.is_none() || has(name)).expect("an appliance has it")
    };
    let mut seen = Vec::new();
    for setting in appliance_registry::APPLIANCE_REGISTRY {
        let (key, about) = (setting.key, setting.about);
        assert!(about.ends_with('.') && about.len() < 120, "{key}");
        assert!(!seen.contains(&(setting.dialect, key)), "{key} is there twice");
        seen.push((setting.dialect, key));
        let appliance = of_dialect(setting.dialect);
        let name = format!("appliances.{appliance}.{key}");
        let chosen = ("appliance", appliance);
        let in_file = format!("{name} = 1979-05-27");
        let bad = resolve(Mode::Serve, &in_file, &[], &[chosen]).expect_err("no setting is a date");
        assert_eq!(bad.problems.len(), 1, "{bad}");
        let Some(value) = setting.default.text(Mode::Serve) else { continue };
        resolve(Mode::Serve, "", &[(&variables::variable(&name), value)], &[chosen]).expect(&name);
        resolve(Mode::Serve, "", &[], &[chosen, (&name, value)]).expect(&name);
    }
}
