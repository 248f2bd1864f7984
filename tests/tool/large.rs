//! Many nodes at once.

use std::fmt::Write;

use support::Server;

use crate::site::{Site, document, succeed};

const MEMBERS: usize = 20_000;

#[test]
fn twenty_thousand_nodes_go_in_and_out_in_one_transaction() {
    let site = Site::new();
    let store = site.arg("store");
    std::fs::create_dir(site.path("store")).expect("a folder");
    site.write("store/catalog.yaml", "name: store\ntitle: Store\ntransactions: concurrent\n");
    site.write(
        "store/things.yaml",
        "kind: collection\ntitle: Things\noperations: [list, create, replace, delete]\nkey: uuid\n\
         schema:\n  type: object\n  additionalProperties: false\n  required: [name]\n  properties:\n    \
         name: {type: string, x-unique: true}\n    next: {x-reference: /things, type: [string, \"null\"]}\n",
    );
    let mut text = String::from(
        "{\"format\": \"boxwood-configuration/1\", \"appliance\": \"store\", \"secrets\": \"sealed\",\n\
         \"nodes\": [\n",
    );
    for n in 0..MEMBERS {
        // A chain in which each refers to one that comes later, the last to nobody.
        let next = if n + 1 < MEMBERS { format!("\"k{}\"", n + 1) } else { "null".to_owned() };
        let comma = if n == 0 { "" } else { ",\n" };
        let _ = write!(
            text,
            "{comma}{{\"path\": \"/things/k{n}\", \"body\": {{\"name\": \"{n}\", \"next\": {next}}}}}"
        );
    }
    text.push_str("\n]}\n");
    let file = site.write("many.json", &text);
    let flags = ["--data-dir", &site.arg("data"), "--catalog", &store];

    let said = succeed(&[&["import", file.as_str()][..], &flags].concat());
    assert!(
        said.contains(&format!("imported {MEMBERS} nodes as revision 1: {MEMBERS} added")),
        "{said}"
    );
    let exported = succeed(&[&["export"][..], &flags].concat());
    let nodes = &document(&exported)["nodes"];
    assert_eq!(*nodes, document(&text)["nodes"], "all of them, in their order");

    // The same into a running daemon, by the same document.
    let server = Server::builder().arg("--catalog").arg(&store).start();
    let import = ["import", file.as_str(), "--url", server.url(), "--insecure"];
    let exit = crate::site::boxwood(&import).env("BOXWOOD_PASSWORD", "admin").run();
    assert!(exit.status.success(), "{}", exit.stderr);
    let hash = document(&exported)["config_hash"].clone();
    assert!(exit.stdout.contains(hash.as_str().expect("a hash")), "{}", exit.stdout);
    let path = format!("/boxwood/v1/references?path=/things/k{}", MEMBERS - 1);
    let users = server.admin().get(&path).expect(200).at("/references");
    assert_eq!(users.as_array().map(Vec::len), Some(1));
    // What was said meanwhile is about the work.
    for line in exit.stderr.lines() {
        assert!(line.starts_with("boxwood: "), "{line}");
    }
}
