//! `/boxwood/v1/clients`: further clients of an appliance's API, for appliances that keep them in a
//! collection of their configuration.

use config_tree::{Body, Key, NodePath};
use hyper::Method;
use serde_json::{Value, json};
use transaction_engine::Edit;

use crate::answer::Answer;
use crate::appliance::Appliance;
use crate::caller::Caller;
use crate::failure::{Failure, Place};
use crate::json::wipe;
use crate::presentation::Presentation;

const HREF: &str = "/boxwood/v1/clients";

/// A body that may hold a secret; erased when it goes.
struct Wiped(Value);

impl Drop for Wiped {
    fn drop(&mut self) {
        wipe(&mut self.0);
    }
}

fn collection(appliance: &Appliance) -> Result<NodePath, Failure> {
    let collection = appliance.dialect.clients();
    collection.cloned().ok_or(Failure::NotFound(Place::Request))
}

/// All clients, without their secrets.
pub(super) fn clients(appliance: &Appliance) -> Result<Answer, Failure> {
    let (collection, shows) = (collection(appliance)?, appliance.shows());
    let running = appliance.engine.running();
    let members = running.tree.members(&collection);
    let items = members.map(|(key, body)| shown(&*shows, &collection, key, body));
    let items: Vec<Value> = items.collect();
    let meta = json!({ "href": HREF, "parent": "/boxwood/v1" });
    Ok(Answer::document(&json!({ "items": items, "meta": meta })))
}

/// Shows, makes, changes or takes away a client.
pub(super) async fn client(
    appliance: &Appliance,
    caller: &Caller,
    method: &Method,
    name: &str,
    body: Option<Value>,
) -> Result<Answer, Failure> {
    let collection = collection(appliance)?;
    let missing = || Failure::NotFound(Place::Request);
    let key = Key::parse(name).map_err(|_| missing())?;
    let path = collection.join(&key);
    let actor = caller.session.user().to_owned();
    match *method {
        Method::PUT => {
            let sent = Wiped(super::needed(body)?);
            let (made, at, collection) = (key.clone(), path.clone(), collection.clone());
            let change = move |edit: &mut Edit<'_>| -> Result<(), Failure> {
                match edit.tree().body(&at) {
                    Some(_) => edit.node_put(&at, sent.0.clone())?,
                    None => drop(edit.node_create_with_key(&collection, &made, sent.0.clone())?),
                }
                Ok(())
            };
            appliance.autocommit(&actor, change).await?;
        }
        Method::DELETE => {
            let change = move |edit: &mut Edit<'_>| Ok::<_, Failure>(edit.node_delete(&path)?);
            appliance.autocommit(&actor, change).await?;
            return Ok(Answer::document(&json!({ "meta": { "parent": HREF } })));
        }
        _ => {}
    }
    let (running, shows) = (appliance.engine.running(), appliance.shows());
    let body = running.tree.body(&path).ok_or_else(missing)?;
    Ok(Answer::document(&shown(&*shows, &collection, &key, body)))
}

fn shown(shows: &dyn Presentation, collection: &NodePath, key: &Key, body: &Body) -> Value {
    let text = &shows.shown(&collection.join(key), body).text;
    let body: Value = serde_json::from_slice(text).unwrap_or(Value::Null);
    json!({ "name": key.as_str(), "body": body, "meta": { "href": format!("{HREF}/{key}") } })
}
