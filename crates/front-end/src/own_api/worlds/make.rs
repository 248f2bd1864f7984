//! `POST /boxwood/v1/worlds`: a world is forked.

use std::sync::Arc;

use serde_json::{Map, Value};
use transaction_engine::RevisionNumber;

use super::{HREF, Problem, created, shown};
use crate::answer::Answer;
use crate::appliance::Appliance;
use crate::failure::{Failure, Place};
use crate::world::{MAIN, NewWorld, WorldName, Worlds};

/// What the body asks for.
#[derive(Debug, Default, PartialEq, Eq)]
struct Asked {
    name: Option<String>,
    from: From,
}

/// What a world begins from.
#[derive(Debug, Default, PartialEq, Eq)]
struct From {
    world: Option<String>,
    revision: Option<u64>,
    tag: Option<String>,
    /// The appliance whose revision it is; without it, the one of the listener.
    appliance: Option<String>,
}

/// Forks a world.
pub(super) async fn make(
    worlds: &Arc<Worlds>,
    appliance: &Appliance,
    body: Option<Value>,
) -> Result<Answer, Problem> {
    let Asked { name, from } = Asked::read(body)?;
    let name = name.as_deref().map(WorldName::parse).transpose()?;
    let origin = from.world.as_deref().unwrap_or(MAIN).to_owned();
    let at = from.place(worlds, appliance, &origin)?;
    let all = Arc::clone(worlds);
    let make = move || all.make(NewWorld { name, from: &origin, at });
    // A tree of the past may have to be read from the store.
    let world = match at {
        Some(_) => super::super::blocking(make).await??,
        None => make()?,
    };
    tracing::info!(world = &*world.name, from = world.from.as_deref(), "world forked");
    Ok(created(&format!("{HREF}/{}", world.name), &shown(worlds, &world)))
}

impl Asked {
    fn read(body: Option<Value>) -> Result<Self, Failure> {
        let mut members = match body {
            None => return Ok(Self::default()),
            Some(Value::Object(members)) => members,
            Some(_) => return Err(Failure::malformed("send an object", "")),
        };
        let name = text(&mut members, "name", "")?;
        let from = match members.remove("from") {
            None | Some(Value::Null) => From::default(),
            Some(Value::String(world)) => From { world: Some(world), ..From::default() },
            Some(Value::Object(members)) => From::read(members)?,
            Some(_) => {
                return Err(Failure::malformed(
                    "`from` must be the name of a world, or an object",
                    "/from",
                ));
            }
        };
        expect_empty(&members, "", "name, from")?;
        Ok(Self { name, from })
    }
}

impl From {
    fn read(mut members: Map<String, Value>) -> Result<Self, Failure> {
        let world = text(&mut members, "world", "/from")?;
        let tag = text(&mut members, "tag", "/from")?;
        let appliance = text(&mut members, "appliance", "/from")?;
        let revision = match members.remove("revision") {
            None | Some(Value::Null) => None,
            Some(value) => Some(value.as_u64().ok_or_else(|| {
                Failure::malformed("`revision` must be the number of a revision", "/from/revision")
            })?),
        };
        if revision.is_some() && tag.is_some() {
            return Err(Failure::malformed("give `revision` or `tag`, not both", "/from"));
        }
        expect_empty(&members, "/from", "world, revision, tag, appliance")?;
        Ok(Self { world, revision, tag, appliance })
    }

    // The revision, and the number of its appliance.
    fn place(
        &self,
        worlds: &Worlds,
        here: &Appliance,
        origin: &str,
    ) -> Result<Option<(usize, RevisionNumber)>, Problem> {
        let name = self.appliance.as_deref().unwrap_or(&here.name);
        let world = worlds.find(origin)?;
        let number = world.appliances.iter().position(|appliance| *appliance.name == *name);
        let number = number.ok_or_else(|| {
            let message = format!("there is no appliance named {name:?} here");
            Failure::malformed(message, "/from/appliance")
        })?;
        let revision = match (&self.revision, &self.tag) {
            (Some(revision), _) => RevisionNumber::new(*revision),
            (None, Some(tag)) => {
                let engine = &world.appliances[number].engine;
                engine.tag(tag).ok_or(Failure::NotFound(Place::Request))?.number
            }
            (None, None) => return Ok(None),
        };
        Ok(Some((number, revision)))
    }
}

/// Takes out a text member.
pub(super) fn text(
    members: &mut Map<String, Value>,
    name: &str,
    at: &str,
) -> Result<Option<String>, Failure> {
    match members.remove(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(_) => {
            Err(Failure::malformed(format!("`{name}` must be a text"), format!("{at}/{name}")))
        }
    }
}

/// Refuses unknown members: they were meant to do something.
pub(super) fn expect_empty(
    members: &Map<String, Value>,
    at: &str,
    known: &str,
) -> Result<(), Failure> {
    match members.keys().next() {
        None => Ok(()),
        // Not the name itself, which comes from a stranger.
        Some(_) => Err(Failure::malformed(format!("unknown member; known are {known}"), at)),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_a_body_asks_for() {
        let read = |body: Value| Asked::read(Some(body));
        let whole = json!({"name": "a", "from": {"world": "b", "revision": 3, "appliance": "x"}});
        let from = From {
            world: Some("b".to_owned()),
            revision: Some(3),
            tag: None,
            appliance: Some("x".to_owned()),
        };
        assert_eq!(read(whole).unwrap(), Asked { name: Some("a".to_owned()), from });
        assert_eq!(read(json!({"from": "b"})).unwrap().from.world.unwrap(), "b");
        assert_eq!(Asked::read(None).unwrap(), Asked::default());
        assert_eq!(read(json!({"name": null})).unwrap(), Asked::default());
        for bad in [
            json!([]),
            json!("a"),
            json!({"name": 1}),
            json!({"nmae": "a"}),
            json!({"from": 1}),
            json!({"from": {"revision": -1}}),
            json!({"from": {"revision": "1"}}),
            json!({"from": {"revision": 1, "tag": "t"}}),
            json!({"from": {"what": 1}}),
        ] {
            assert!(read(bad.clone()).is_err(), "{bad}");
        }
    }
}
