//! `/boxwood/v1/clients`: further clients of an appliance's API, for appliances that keep them in a
//! collection of their configuration.

use config_tree::{Body, Key, NodePath};
use hyper::Method;
use serde_json::{Value, json};
use transaction_engine::Edit;

use super::call::{Call, Refused};
use super::route::{Operation, Who, ok, run};
use crate::answer::Answer;
use crate::appliance::Appliance;
use crate::failure::{Failure, Place};
use crate::json::wipe;
use crate::methods::Methods;
use crate::presentation::Presentation;

const HREF: &str = "/boxwood/v1/clients";

pub(super) const OPERATIONS: &[Operation] = &[
    Operation::new(Methods::GET, "clients", "clients", Who::Administrators, run!(clients))
        .does("List clients", "Further clients of the appliance's API, without their secrets.")
        .answers(&[ok("Clients", "All clients.")])
        .refuses(&[404]),
    Operation::new(Methods::GET, "clients/{name}", "client", Who::Administrators, run!(client))
        .does("Read a client", "One client, without its secret.")
        .answers(&[ok("Client", "The client.")])
        .refuses(&[404]),
    Operation::new(Methods::PUT, "clients/{name}", "client_set", Who::Administrators, run!(client))
        .does("Make or change a client", "The body is what the appliance's catalog says.")
        .takes("Body")
        .answers(&[ok("Client", "The client as it is now.")])
        .refuses(&[400, 404]),
    Operation::new(
        Methods::DELETE,
        "clients/{name}",
        "client_delete",
        Who::Administrators,
        run!(client),
    )
    .does("Delete a client", "Its credentials are not accepted any more.")
    .answers(&[ok("Done", "It is gone.")])
    .refuses(&[404]),
];

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
async fn clients(call: Call<'_>) -> Result<Answer, Refused> {
    let appliance = call.appliance;
    let (collection, shows) = (collection(appliance)?, appliance.shows());
    let running = appliance.engine.running();
    let members = running.tree.members(&collection);
    let items = members.map(|(key, body)| shown(&*shows, &collection, key, body));
    let items: Vec<Value> = items.collect();
    let meta = json!({ "href": HREF, "parent": "/boxwood/v1" });
    Ok(Answer::document(&json!({ "items": items, "meta": meta })))
}

/// Shows, makes, changes or removes a client.
async fn client(mut call: Call<'_>) -> Result<Answer, Refused> {
    let (appliance, method) = (call.appliance, &call.head.method);
    let collection = collection(appliance)?;
    let missing = || Failure::NotFound(Place::Request);
    let key = Key::parse(call.step("name")).map_err(|_| missing())?;
    let path = collection.join(&key);
    let actor = call.caller()?.session.user().to_owned();
    match *method {
        Method::PUT => {
            let sent = Wiped(call.needed()?);
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
