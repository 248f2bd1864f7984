//! Catalogs of one's own: begun, checked, served.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use serde_json::json;
use support::Server;

use crate::site::{Site, boxwood, refused, succeed, text};

#[test]
fn new_catalog_passes_and_serves_a_reference_and_a_secret() {
    let site = Site::new();
    let lamp = site.arg("lamp");
    let told = succeed(&["catalog", "new", &lamp]);
    assert!(told.contains("light.yaml") && told.contains("boxwood dev --catalog"), "{told}");
    let counts = succeed(&["catalog", "check", &lamp]);
    assert_eq!(counts, "lamp (Lamp): 3 endpoints: 2 objects, 1 collection\n");

    let server = Server::builder().arg("--catalog").arg(&lamp).start();
    let mut admin = server.admin();
    let info = admin.get("/api/info").expect(200);
    assert_eq!(info.at("/body/firmware_version"), "1.0.0", "{info}");
    assert_eq!(info.at("/meta/remaining_seconds"), 600, "ten minutes, as nothing says otherwise");

    // The catalog asks for concurrent transactions: the first change opens one.
    let made = admin.post("/api/configuration/tokens", &json!({"text": "too short"})).expect(201);
    let remote = |key| json!({"enabled": true, "host": "lamp.example.com", "token": key});
    let refusal = admin.put("/api/configuration/remote", &remote(made.at("/key")));
    let refusal = refusal.expect_error(400, "SemanticError");
    assert!(!refusal.text().contains("too short"), "{refusal}");
    let secret = "a token long enough";
    let made = admin.post("/api/configuration/tokens", &json!({"text": secret})).expect(201);
    admin.put("/api/configuration/remote", &remote(made.at("/key"))).expect(200);
    admin.commit().expect(200);

    let shown = server.admin().get("/api/configuration/remote").expect(200);
    assert_eq!(shown.at("/body/token/key"), made.at("/key"));
    let token = admin.get(made.at("/meta/href").as_str().expect("a path")).expect(200);
    assert_eq!(token.at("/body"), json!({}));
    assert!(!token.text().contains(secret) && !server.log().contains(secret));
}

#[test]
fn a_catalog_with_accounting_asks_for_messages_when_it_is_told_to() {
    // Appliances have it from 8 on, and no catalog of that version is part of the program.
    const ACCOUNTING: &str = "/api/configuration/management/accounting";
    const HEALTH: &str = "/api/configuration/management/health_monitoring";
    let site = Site::new();
    fs::create_dir_all(site.path("later/management")).expect("a folder");
    site.write("later/catalog.yaml", "name: later\ntitle: Later\nextends: sps-7.0\n");
    site.write(
        "later/management/accounting.yaml",
        "kind: object\n\
         title: Accounting\n\
         description: What is asked of those who change something.\n\
         schema:\n  \
           type: object\n  \
           additionalProperties: false\n  \
           required: [require_commitlog]\n  \
           properties:\n    \
             require_commitlog: {title: Messages, description: Asked for., type: boolean}\n\
         default: {require_commitlog: false}\n",
    );
    let server = Server::builder().arg("--catalog").arg(site.path("later")).start();
    let mut admin = server.admin();
    admin.open().expect(200);
    admin.put(ACCOUNTING, &json!({"require_commitlog": true})).expect(200);
    assert_eq!(admin.get("/api/transaction").expect(200).at("/body/commit_message"), "optional");
    admin.commit().expect(200);

    let opened = admin.open().expect(200);
    assert_eq!(opened.at("/body/commit_message"), "required");
    let mut body = admin.get(HEALTH).expect(200).at("/body");
    body["maximum_load1"] = json!(7);
    admin.put(HEALTH, &body).expect(200);
    for refused in [admin.commit(), admin.commit_with(" ")] {
        let refused = refused.expect_error(400, "SemanticError");
        assert_eq!(refused.at("/error/details/errors/0/rule"), "message-required");
    }
    let status = admin.get("/api/transaction").expect(200);
    assert_eq!(status.at("/body/status"), "open", "nothing is lost: {status}");
    admin.commit_with("Watch the load").expect(200);
    let revision = admin.get("/boxwood/v1/revisions/3").expect(200);
    assert_eq!(revision.at("/message"), "Watch the load");
    assert_eq!(admin.get(HEALTH).expect(200).at("/body/maximum_load1"), 7);
}

#[test]
fn new_catalog_goes_nowhere_where_something_is() {
    let site = Site::new();
    fs::create_dir(site.path("lamp")).expect("a folder");
    site.write("lamp/mine.txt", "mine");
    let exit = boxwood(&["catalog", "new", &site.arg("lamp")]).run();
    refused(&exit, 1, &["lamp is not empty"]);
    assert_eq!(fs::read_dir(site.path("lamp")).expect("a folder").count(), 1);
    fs::remove_file(site.path("lamp/mine.txt")).expect("it can be removed");
    succeed(&["catalog", "new", &site.arg("lamp")]);
}

#[test]
fn each_fault_of_a_catalog_is_reported_with_file_line_and_remedy() {
    let site = broken();
    let exit = boxwood(&["catalog", "check", &site.arg("lamp")]).run();
    assert_eq!(exit.status.code(), Some(1));
    assert!(exit.stderr.contains("has 3 faults"), "{}", exit.stderr);
    let lines: Vec<&str> = exit.stdout.lines().collect();
    assert_eq!(lines.len(), 3, "{}", exit.stdout);
    for (line, (file, word)) in lines.iter().zip(FAULTS) {
        let place = format!("{}:", site.path(&format!("lamp/{file}")).display());
        let rest = line.strip_prefix(&place).unwrap_or_else(|| panic!("{line} is not of {place}"));
        let number = rest.split(':').next().and_then(|digits| digits.parse::<u32>().ok());
        assert!(number.is_some_and(|number| number > 0), "{line}");
        assert!(rest.contains(word) && rest.contains("; "), "{line}");
    }
    let exit = boxwood(&["catalog", "check", &site.arg("nowhere")]).run();
    assert_eq!(exit.status.code(), Some(1));
    assert!(exit.stdout.contains("nowhere: the folder cannot be read"), "{}", exit.stdout);
}

#[test]
fn a_broken_catalog_is_not_served_and_touches_no_data() {
    let site = broken();
    for builder in [site.serve("data"), Server::builder()] {
        let exit = builder.arg("--catalog").arg(site.path("lamp")).run();
        let files: Vec<&str> = FAULTS.iter().map(|(file, _)| *file).collect();
        refused(&exit, 1, &[&["has 3 faults"], files.as_slice()].concat());
    }
    assert!(!site.path("data").exists());
}

#[test]
fn a_catalog_goes_in_the_place_of_a_built_in_one_and_not_beside_it() {
    let site = Site::new();
    succeed(&["catalog", "new", &site.arg("lamp")]);
    let both = Server::builder().arg("--catalog").arg(site.path("lamp"));
    refused(&both.clone().arg("--appliance").arg("sps-6.2").run(), 2, &["catalog", "appliance"]);
    let server = both.env("BOXWOOD_SPS_VERSION", "9 F9").start();
    let info = server.admin().get("/api/info").expect(200);
    assert_eq!(info.at("/body/version"), "9 F9", "a setting goes before the catalog");
}

#[test]
fn a_catalog_without_certificates_has_one_of_the_daemons_own() {
    let site = Site::new();
    succeed(&["catalog", "new", &site.arg("lamp")]);
    let builder = site.serve("data").https().arg("--catalog").arg(site.path("lamp"));
    let mut server = builder.start();
    let shown = server.client().certificate_pem();
    let key = site.path("data/tls/private_key.pem");
    let mode = key.metadata().expect("a key").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(text(&site.path("data/tls/certificate.pem")).trim(), shown.trim());
    let mut verifying = support::Client::verifying(server.url(), &shown);
    verifying.login("admin", "admin").expect(200);
    assert!(server.terminate().success());
    assert_eq!(builder.start().client().certificate_pem(), shown, "the same after a restart");
    // An appliance whose configuration names one has no other.
    let server = site.serve("sps").https().start();
    server.admin();
    assert!(!site.path("sps/tls").exists());
}

/// The faults of [`broken`]: file, and a word of the sentence.
const FAULTS: [(&str, &str); 3] =
    [("light.yaml", "minimun"), ("remote.yaml", "/tockens"), ("tokens.yaml", "kind")];

/// An example in which three files have a slip each.
fn broken() -> Site {
    let site = Site::new();
    succeed(&["catalog", "new", &site.arg("lamp")]);
    let slips = [
        ("light.yaml", "minimum: 1", "minimun: 1"),
        ("remote.yaml", "collection: /tokens", "collection: /tockens"),
        ("tokens.yaml", "kind: collection", "kind: colection"),
    ];
    for (file, right, wrong) in slips {
        let path = site.path(&format!("lamp/{file}"));
        let whole = text(&path);
        assert!(whole.contains(right), "{file} has no {right}");
        fs::write(path, whole.replace(right, wrong)).expect("a file can be written");
    }
    site
}
