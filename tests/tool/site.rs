//! What these tests share: commands, directories, and configurations worth moving.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
pub(crate) use support::refused;
use support::{Client, Evidence, Exit, Server, ServerBuilder};

/// One secret key for all of a test's daemons, and another.
pub(crate) const KEY: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
pub(crate) const OTHER_KEY: &str =
    "ffeeddccbbaa99887766554433221100ffeeddccbbaa99887766554433221100";

/// A command that answers and ends.
pub(crate) fn boxwood<S: AsRef<str>>(arguments: &[S]) -> ServerBuilder {
    let arguments = arguments.iter().map(|argument| argument.as_ref().to_owned());
    Server::builder().bare().args(arguments).env("BOXWOOD_SECRET_KEY", KEY)
}

/// Runs a command that must succeed; its standard output.
#[track_caller]
pub(crate) fn succeed<S: AsRef<str>>(arguments: &[S]) -> String {
    let Exit { status, stdout, stderr, .. } = boxwood(arguments).run();
    assert!(status.success(), "{status}\n{stdout}{stderr}");
    stdout
}

/// A fresh directory for a test.
pub(crate) struct Site(Evidence);

impl Site {
    pub(crate) fn new() -> Self {
        Self(Evidence::new())
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// The same as an argument.
    pub(crate) fn arg(&self, name: &str) -> String {
        self.path(name).display().to_string()
    }

    /// A daemon on a directory of that name.
    pub(crate) fn serve(&self, name: &str) -> ServerBuilder {
        Server::builder().serve(self.path(name)).env("BOXWOOD_SECRET_KEY", KEY)
    }

    /// A data directory in which something was configured and no daemon runs.
    pub(crate) fn data(&self, name: &str) -> String {
        let mut server = self.serve(name).start();
        configure(&mut server.admin());
        assert!(server.terminate().success());
        self.arg(name)
    }

    pub(crate) fn write(&self, name: &str, text: &str) -> String {
        fs::write(self.path(name), text).expect("a file can be written");
        self.arg(name)
    }
}

/// Something of everything: a secret that is referred to, a changed object, another order, members
/// of a collection.
pub(crate) fn configure(admin: &mut Client) {
    const TIMEOUT: &str = "/api/configuration/management/webinterface";
    admin.open().expect(200);
    let user = create_user(admin, "eve", "open sesame");
    let members = json!({"name": "keepers", "members": [user]});
    admin.post("/api/configuration/aaa/local_database/groups", &members).expect(201);
    admin.put(TIMEOUT, &json!({"timeout": 23})).expect(200);
    admin.commit_with("Something of everything").expect(200);
}

pub(crate) fn create_user(admin: &mut Client, name: &str, plain: &str) -> String {
    let made = admin.post("/api/configuration/passwords", &json!({"plain": plain})).expect(201);
    let user = json!({"name": name, "password": made.at("/key")});
    let made = admin.post("/api/configuration/aaa/local_database/users", &user).expect(201);
    made.at("/key").as_str().expect("a key").to_owned()
}

/// The hash of the running configuration.
#[track_caller]
pub(crate) fn config_hash(server: &Server) -> String {
    let info = server.admin().get("/api/info").expect(200);
    info.at("/body/config_hash").as_str().expect("a hash").to_owned()
}

/// A document that was read from a file or from standard output.
#[track_caller]
pub(crate) fn document(text: &str) -> Value {
    serde_json::from_str(text).expect("a document is JSON")
}

/// The body of a node of a document.
#[track_caller]
pub(crate) fn body<'d>(document: &'d mut Value, path: &str) -> &'d mut Value {
    let nodes = document["nodes"].as_array_mut().expect("nodes");
    let node = nodes.iter_mut().find(|node| node["path"] == path);
    &mut node.unwrap_or_else(|| panic!("no node {path}"))["body"]
}

/// The whole text of a file.
#[track_caller]
pub(crate) fn text(path: &Path) -> String {
    fs::read_to_string(path).expect("the file can be read")
}
