//! The verbs of SPS: a session by a cookie, and a transaction in it.

use serde_json::json;

use crate::client::Client;
use crate::response::Response;
use crate::server::Server;

impl Client {
    /// Logs in; the jar holds the session's cookie from then on.
    ///
    /// # Panics
    ///
    /// When the login is refused.
    #[track_caller]
    pub fn login(&mut self, user: &str, password: &str) -> Response {
        self.request("GET", "/api/authentication").basic(user, password).send().expect(200)
    }

    /// Opens a transaction.
    #[track_caller]
    pub fn open(&mut self) -> Response {
        self.request("POST", "/api/transaction").send()
    }

    /// Commits the transaction.
    #[track_caller]
    pub fn commit(&mut self) -> Response {
        self.put("/api/transaction", &json!({"status": "commit"}))
    }

    /// Commits the transaction with a message.
    #[track_caller]
    pub fn commit_with(&mut self, message: &str) -> Response {
        self.put("/api/transaction", &json!({"status": "commit", "message": message}))
    }

    /// Rolls the transaction back.
    #[track_caller]
    pub fn rollback(&mut self) -> Response {
        self.delete("/api/transaction")
    }
}

/// `boxwood dev`, and its administrator with an open transaction.
///
/// # Panics
///
/// When one of them is refused.
#[track_caller]
pub fn opened() -> (Server, Client) {
    let server = Server::dev();
    let mut admin = server.admin();
    admin.open().expect(200);
    (server, admin)
}
