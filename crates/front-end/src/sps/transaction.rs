//! `/api/transaction`: what is open, open, commit, roll back, and what has changed.

use std::sync::Arc;

use config_tree::Change;
use hyper::Method;
use hyper::header::HeaderName;
use serde_json::{Value, json};
use tokio::sync::oneshot;
use tokio::time::Instant;
use transaction_engine::{CommitOptions, Committed, Confirmation, Session};

use super::Call;
use crate::answer::Answer;
use crate::caller::Access;
use crate::changelog;
use crate::confirmation_time::{bad_wait, wait};
use crate::failure::{Failure, Place};
use crate::metrics::CommitOutcome;
use crate::transport::RequestBody;

/// On the answer to a commit that was made before, under the same `Idempotency-Key`.
const REPLAY: HeaderName = HeaderName::from_static("boxwood-replay");

impl Call<'_> {
    pub(super) async fn transaction(&self, body: RequestBody) -> Result<Answer, Failure> {
        let session = &self.login()?.session;
        let engine = &self.appliance.engine;
        match self.head.method {
            Method::POST => {
                expect_nothing(self.json(body).await?)?;
                // A holder whose session is over must not stand in the way until it is noticed.
                self.appliance.logins.expire();
                engine.transaction_open(session)?;
                Ok(Answer::document(&self.status(session)))
            }
            Method::PUT => {
                let body = self.json(body).await?;
                let idempotency = self.idempotency(body.as_ref())?;
                let options = CommitOptions { idempotency, ..self.command(body)? };
                self.expect_rights_to_changes()?;
                // Without an open transaction only a request that was answered before succeeds.
                let is_replay = !engine.transaction_status(session).open;
                let committed = self.transaction_commit(session, options).await?;
                Box::pin(self.cluster_committed(session)).await?;
                let mut status = self.status(session);
                if let Some(Confirmation { token, until }) = &committed.confirmation {
                    status["confirmation"] = json!({
                        "href": "/boxwood/v1/confirmation",
                        "revision": committed.number.get(),
                        "token": token.as_str(),
                        "until": until.to_string(),
                    });
                }
                let answer = Answer::document(&status).revision(committed.number.get());
                Ok(if is_replay { answer.header_text(REPLAY, "true") } else { answer })
            }
            Method::DELETE => {
                engine.transaction_rollback(session)?;
                self.sps.promotions.take(session);
                let meta = json!({ "href": "/api/transaction", "parent": "/api" });
                Ok(Answer::document(&json!({ "meta": meta })))
            }
            _ => Ok(Answer::document(&self.status(session))),
        }
    }

    pub(super) fn transaction_changes(&self) -> Result<Answer, Failure> {
        let engine = &self.appliance.engine;
        let changes = engine.transaction_changes(&self.login()?.session);
        Ok(Answer::document(&json!({
            "changes": changelog::entries(&*self.sps.shows, &changes),
            "meta": {
                "href": "/api/transaction/changes",
                "parent": "/api/transaction",
                "remaining_seconds": self.remaining_seconds(),
                "transaction": "/api/transaction",
            },
        })))
    }

    // Both eras' members side by side: `body.status` for present clients, `transaction.status` for
    // those of the 5.x guide (core protocol §4.3).
    fn status(&self, session: &Session) -> Value {
        let status = self.appliance.engine.transaction_status(session);
        let text = if status.open { "open" } else { "closed" };
        let mut meta = json!({
            "href": "/api/transaction",
            "parent": "/api",
            "remaining_seconds": self.remaining_seconds(),
        });
        if status.changed {
            meta["changes"] = json!("/api/transaction/changes");
        }
        let message = if status.message_required { "required" } else { "optional" };
        json!({
            "body": { "commit_message": message, "status": text },
            "key": "transaction",
            "meta": meta,
            "transaction": { "status": text },
        })
    }

    // What was staged with rights that the user no longer has is not committed.
    fn expect_rights_to_changes(&self) -> Result<(), Failure> {
        let login = self.login()?;
        let standing = login.standing();
        if standing.rights.is_all() {
            return Ok(());
        }
        let changes = self.appliance.engine.transaction_changes(&login.session);
        let is_allowed = |change: &Change| standing.rights.allow(Access::Write, change.path());
        match changes.iter().all(is_allowed) {
            true => Ok(()),
            false => Err(Failure::Forbidden(Place::Request)),
        }
    }

    // The commit goes on when the client goes away: it belongs to the writer from here on.
    async fn transaction_commit(
        &self,
        session: &Arc<Session>,
        options: CommitOptions,
    ) -> Result<Committed, Failure> {
        let started = Instant::now();
        let (answer, answered) = oneshot::channel();
        self.appliance.engine.transaction_commit_begin(session, options, move |result| {
            // The client may be gone.
            let _ = answer.send(result);
        });
        let result = answered.await.map_err(|_| Failure::Internal)?;
        let outcome = result.as_ref().map_or_else(Into::into, |_| CommitOutcome::Committed);
        self.appliance.metrics.commit(outcome, started.elapsed());
        Ok(result?)
    }

    // What `PUT /api/transaction` was sent: how to commit, or a refusal.
    fn command(&self, body: Option<Value>) -> Result<CommitOptions, Failure> {
        const FORM: &str = "Send {\"status\": \"commit\"}, with \"message\" if you like";
        let body = match body {
            Some(body) => body,
            None if self.sps.settings.lenient_commit => return Ok(CommitOptions::default()),
            None => return Err(Failure::BodyMissing(format!("The body is empty. {FORM}"))),
        };
        let Value::Object(mut members) = body else {
            return Err(Failure::malformed(FORM, ""));
        };
        match members.remove("status") {
            Some(Value::String(status)) if status == "commit" => {}
            Some(_) => {
                return Err(Failure::malformed("The only status to set is \"commit\"", "/status"));
            }
            None => return Err(Failure::malformed(FORM, "/status")),
        }
        let mut message = None;
        for name in ["message", "commit_message"] {
            match members.remove(name) {
                None | Some(Value::Null) => {}
                Some(Value::String(text)) => message = Some(text),
                Some(_) => {
                    let pointer = format!("/{name}");
                    return Err(Failure::malformed("A commit message is a string", &pointer));
                }
            }
        }
        let confirm_within = match members.remove("confirm_within") {
            None | Some(Value::Null) => None,
            Some(seconds) => Some(wait(&seconds).ok_or_else(|| bad_wait("confirm_within"))?),
        };
        match members.keys().next() {
            Some(name) => {
                let sentence = format!("`{name}` is unknown here. {FORM}");
                Err(Failure::malformed(sentence, format!("/{name}")))
            }
            None => Ok(CommitOptions { message, confirm_within, idempotency: None }),
        }
    }
}

fn expect_nothing(body: Option<Value>) -> Result<(), Failure> {
    match body {
        None => Ok(()),
        Some(Value::Object(members)) if members.is_empty() => Ok(()),
        Some(_) => Err(Failure::malformed("Opening a transaction takes no body", "")),
    }
}
