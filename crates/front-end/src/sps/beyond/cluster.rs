//! `/api/cluster`: whether the appliance is in a cluster, and how it gets into one.
//!
//! A promotion is made in a transaction and comes true with its commit (core protocol §8.4). It is
//! no part of the configuration, so it waits here for the commit of its session.

use std::sync::{Arc, Weak};

use config_tree::{Body, Tree, node_path};
use parking_lot::Mutex;
use serde_json::{Value, json};
use transaction_engine::Session;
use uuid::Uuid;

use super::super::Call;
use super::super::machine::{Node, State};
use super::{expect_known, text};
use crate::answer::Answer;
use crate::failure::{Failure, Place};
use crate::transfer::config_hash;
use crate::transport::RequestBody;

const NODES: &str = "/api/cluster/nodes";
const STATUS: &str = "/api/cluster/status";

/// What the first node of a cluster does.
const CENTRAL: &str = "central-management";

/// Nodes that wait for the commit of a session.
#[derive(Default)]
pub(in crate::sps) struct Promotions(Mutex<Vec<(Weak<Session>, String, Node)>>);

impl Promotions {
    fn put(&self, session: &Arc<Session>, name: String, node: Node) {
        let mut waiting = self.0.lock();
        waiting.retain(|(other, ..)| other.strong_count() > 0 && !is(other, session));
        waiting.push((Arc::downgrade(session), name, node));
    }

    /// Takes out what a session has promoted.
    pub(in crate::sps) fn take(&self, session: &Arc<Session>) -> Option<(String, Node)> {
        let mut waiting = self.0.lock();
        let place = waiting.iter().position(|(other, ..)| is(other, session))?;
        let (_, name, node) = waiting.swap_remove(place);
        Some((name, node))
    }
}

fn is(other: &Weak<Session>, session: &Arc<Session>) -> bool {
    std::ptr::eq(other.as_ptr(), Arc::as_ptr(session))
}

impl Call<'_> {
    /// The nodes.
    pub(super) fn cluster_nodes(&self) -> Answer {
        let nodes = self.sps.machine.state().nodes;
        let item = |(name, node): (&String, &Node)| json!({ "body": shown(node), "key": name, "meta": { "href": node_href(name) } });
        let items: Vec<Value> = nodes.iter().map(item).collect();
        let meta = self.listing_meta(NODES, "/api/cluster");
        Answer::document(&json!({ "items": items, "meta": meta }))
    }

    /// One node.
    pub(super) fn cluster_node(&self, name: &str) -> Result<Answer, Failure> {
        let nodes = self.sps.machine.state().nodes;
        let node = nodes.get(name).ok_or(Failure::NotFound(Place::Request))?;
        let meta = self.meta(&node_href(name), NODES);
        Ok(Answer::document(&json!({ "body": shown(node), "key": name, "meta": meta })))
    }

    /// How the nodes are.
    pub(super) async fn cluster_status(&self) -> Result<Answer, Failure> {
        let figures = self.figures().await?;
        let nodes = self.sps.machine.state().nodes;
        let now = self.appliance.now().to_string();
        let running = self.appliance.engine.running();
        let hash = config_hash(&running.tree);
        let item = |name: &String| {
            json!({
                "configuration_sync": {
                    "downloaded_xml_hash": hash,
                    "issues": { "warnings": [] },
                    "last_checked": now,
                    "last_updated": running.time.to_string(),
                },
                "fqdn": self.full_name(),
                "health_status": figures,
                "key": name,
                "last_seen": now,
                "meta": { "configuration": node_href(name), "href": format!("{STATUS}/{name}") },
                "sync_status": "up-to-date",
            })
        };
        let items: Vec<Value> = nodes.keys().map(item).collect();
        let mut meta = self.meta(STATUS, "/api/cluster");
        meta["self"] = json!(nodes.keys().next().map(|name| node_href(name)));
        Ok(Answer::document(&json!({ "items": items, "meta": meta })))
    }

    /// Makes the appliance the first node of a cluster, when its session commits.
    pub(super) async fn cluster_promote(&self, body: RequestBody) -> Result<Answer, Failure> {
        match self.json(body).await? {
            None => {}
            Some(body) => expect_known(&body, &[])?,
        }
        let session = &self.login()?.session;
        let engine = &self.appliance.engine;
        self.transaction_needed(session)?;
        if !self.sps.machine.state().nodes.is_empty() {
            return Err(Failure::inconsistent("The appliance is a node of a cluster already"));
        }
        let view = engine.view(session);
        let address = listen_address(view.tree()).ok_or_else(|| {
            Failure::inconsistent(
                "Clustering is not enabled; enable it at /api/configuration/local_services/cluster",
            )
        })?;
        let (name, node) =
            (Uuid::new_v4().to_string(), Node { address, roles: vec![CENTRAL.to_owned()] });
        let document = json!({ "body": shown(&node), "meta": self.meta(&node_href(&name), NODES) });
        self.sps.promotions.put(session, name, node);
        Ok(Answer::document(&document))
    }

    /// Joins the appliance for passwords. The token and the certificates that it brings are not
    /// needed, as nothing is sent there, and not kept.
    pub(super) async fn cluster_spp(&self, body: RequestBody) -> Result<Answer, Failure> {
        const KNOWN: [&str; 3] = ["spp", "spp_api_token", "spp_cert_chain"];
        if self.head.method == hyper::Method::POST {
            let body = self.json_needed(body).await?;
            expect_known(&body, &KNOWN)?;
            let spp = text(&body, "spp")?.to_owned();
            text(&body, "spp_api_token")?;
            let joined = self.sps.machine.change(move |state| {
                if state.nodes.is_empty() {
                    return Err(Failure::inconsistent(
                        "The appliance is in no cluster; promote it at /api/cluster/promote",
                    ));
                }
                state.spp = Some(spp);
                Ok(())
            });
            joined.await?;
        }
        let spp = self.sps.machine.state().spp;
        let meta = self.meta("/api/cluster/spp", "/api/cluster");
        Ok(Answer::document(&json!({ "body": { "spp": spp }, "key": "spp", "meta": meta })))
    }

    /// Makes a promotion true whose transaction was committed.
    pub(in crate::sps) async fn cluster_committed(
        &self,
        session: &Arc<Session>,
    ) -> Result<(), Failure> {
        let Some((name, node)) = self.sps.promotions.take(session) else { return Ok(()) };
        let promoted = self.sps.machine.change(move |state: &mut State| {
            state.nodes.insert(name, node);
            Ok(())
        });
        promoted.await
    }
}

fn node_href(name: &str) -> String {
    format!("{NODES}/{name}")
}

fn shown(node: &Node) -> Value {
    json!({ "address": node.address, "roles": node.roles })
}

// The address that the cluster's service listens on, without its prefix length.
fn listen_address(tree: &Tree) -> Option<String> {
    let body = tree.body(node_path!("/local_services/cluster"))?;
    if body.value()["enabled"] != json!(true) {
        return None;
    }
    let reference = body.references().iter().find(|one| one.pointer == "/listen_address")?;
    let inside = format!("/{}", reference.fragment.as_deref()?);
    let nic = tree.body(&reference.target).map(Body::value)?;
    let address = nic.pointer(&inside)?.as_str()?;
    Some(address.split('/').next().unwrap_or(address).to_owned())
}
