//! `/api/starling/join`: whether the appliance has joined the vendor's cloud.
//!
//! Nothing is sent there: to join is to note what the cloud has given. The credential is not kept.

use config_tree::{Body, NodePath, node_path};
use hyper::{Method, StatusCode};
use serde_json::{Value, json};
use uuid::Uuid;

use super::super::Call;
use super::{expect_known, text};
use crate::answer::Answer;
use crate::failure::Failure;
use crate::transport::RequestBody;

const JOIN: &str = "/api/starling/join";

/// What the vendor's client sends.
const KNOWN: [&str; 5] =
    ["credential_string", "environment", "product_instance", "product_tims", "token_endpoint"];

fn starling() -> &'static NodePath {
    node_path!("/starling")
}

impl Call<'_> {
    /// Whether the appliance is one that can join.
    pub(in crate::sps) fn has_starling(&self) -> bool {
        self.sps.catalog.endpoint(starling()).is_some()
    }

    /// What a client needs to join, a join, and the end of one.
    pub(super) async fn starling_join(&self, body: RequestBody) -> Result<Answer, Failure> {
        match self.head.method {
            Method::POST => {
                let body = self.json_needed(body).await?;
                expect_known(&body, &KNOWN)?;
                for name in ["credential_string", "environment", "token_endpoint"] {
                    text(&body, name)?;
                }
                let mut info = body;
                if let Some(members) = info.as_object_mut() {
                    members.remove("credential_string");
                }
                self.starling_put(info.clone()).await?;
                let document = self.join_document(&info);
                Ok(Answer::text(StatusCode::CREATED, document.to_string()))
            }
            Method::DELETE => {
                self.starling_put(Value::Null).await?;
                let meta = json!({ "href": JOIN, "parent": "/api/starling" });
                Ok(Answer::document(&json!({ "meta": meta })))
            }
            _ => {
                let instance = self.instance().await?;
                let needed = json!({
                    "product_instance": instance,
                    "product_tims": instance.replace('-', "").get(..12),
                });
                Ok(Answer::document(&self.join_document(&needed)))
            }
        }
    }

    fn join_document(&self, body: &Value) -> Value {
        json!({ "body": body, "key": "join", "meta": self.meta(JOIN, "/api/starling") })
    }

    // By which the cloud knows the appliance: made once.
    async fn instance(&self) -> Result<String, Failure> {
        if let Some(instance) = self.sps.machine.state().instance {
            return Ok(instance);
        }
        let made = self.sps.machine.change(|state| {
            let made = || Uuid::new_v4().to_string();
            Ok(state.instance.get_or_insert_with(made).clone())
        });
        made.await
    }

    // A commit of its own, as joining does not belong to a transaction.
    async fn starling_put(&self, info: Value) -> Result<(), Failure> {
        let user = self.login()?.session.user().to_owned();
        let put = self.appliance.autocommit(&user, move |edit| {
            let mut body = edit.tree().body(starling()).map_or_else(|| json!({}), Body::value);
            let is_joined = body["join_info"].is_object();
            if is_joined == info.is_object() {
                let message = match is_joined {
                    true => "The appliance has joined already; DELETE the join first",
                    false => "The appliance has not joined",
                };
                return Err(Failure::inconsistent(message));
            }
            if is_joined && body["remote_access"]["enabled"] == json!(true) {
                return Err(Failure::inconsistent(
                    "Remote access is enabled; disable it at /api/configuration/starling first",
                ));
            }
            body["join_info"] = info.clone();
            Ok(edit.node_put(starling(), body)?)
        });
        put.await
    }
}
