//! `/boxwood/v1/worlds/W/clock`: the time of a world.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value, json};
use transaction_engine::Timestamp;
use transaction_engine::clock::AdjustableClock;

use super::make::expect_empty;
use super::{HREF, Problem};
use crate::answer::Answer;
use crate::failure::Failure;
use crate::own_api::blocking;
use crate::request;
use crate::world::{TimeChange, World, Worlds};

/// The most seconds that a clock is moved by at once: ten thousand years, for which no clock has
/// room.
const MOST_SECONDS: f64 = 315_576_000_000.0;

/// Shows the time of a world.
pub(super) fn show(worlds: &Worlds, name: &str) -> Result<Answer, Problem> {
    Ok(Answer::document(&shown(&*worlds.find(name)?)))
}

/// Changes the time of a world.
pub(super) async fn change(
    worlds: &Arc<Worlds>,
    name: &str,
    body: Option<Value>,
) -> Result<Answer, Problem> {
    let change = read(request::needed(body)?)?;
    let world = worlds.find(name)?;
    let of_it = Arc::clone(&world);
    // What becomes due may wait for a store.
    blocking(move || of_it.change_time(change)).await??;
    Ok(Answer::document(&shown(&world)))
}

fn shown(world: &World) -> Value {
    let now = world.appliances.first().map(|appliance| appliance.now().to_string());
    let clock = world.clock.as_deref();
    json!({
        "frozen": clock.is_some_and(AdjustableClock::is_frozen),
        "meta": { "href": format!("{HREF}/{}/clock", world.name), "parent": format!("{HREF}/{}", world.name) },
        "now": now,
        "step_seconds": clock.map_or(Duration::ZERO, AdjustableClock::step).as_secs_f64(),
    })
}

fn read(body: Value) -> Result<TimeChange, Failure> {
    let Value::Object(mut members) = body else {
        return Err(Failure::malformed("send an object", ""));
    };
    let now = match members.remove("now") {
        None | Some(Value::Null) => None,
        Some(value) => Some(value.as_str().and_then(Timestamp::parse).ok_or_else(|| {
            let message = "`now` must be a time as RFC 3339 has it, such as 2030-01-31T12:00:00Z";
            Failure::malformed(message, "/now")
        })?),
    };
    let frozen = match members.remove("frozen") {
        None | Some(Value::Null) => None,
        Some(Value::Bool(frozen)) => Some(frozen),
        Some(_) => return Err(Failure::malformed("`frozen` must be true or false", "/frozen")),
    };
    let advance = seconds(&mut members, "advance_seconds")?.unwrap_or_default();
    let step = seconds(&mut members, "step_seconds")?;
    expect_empty(&members, "", "now, frozen, advance_seconds, step_seconds")?;
    Ok(TimeChange { now, advance, frozen, step })
}

fn seconds(members: &mut Map<String, Value>, name: &str) -> Result<Option<Duration>, Failure> {
    let value = match members.remove(name) {
        None | Some(Value::Null) => return Ok(None),
        Some(value) => value,
    };
    let seconds = value.as_f64().filter(|seconds| (0.0..=MOST_SECONDS).contains(seconds));
    let seconds = seconds.ok_or_else(|| {
        let message = format!("`{name}` must be a number from 0 to {MOST_SECONDS}");
        Failure::malformed(message, format!("/{name}"))
    })?;
    Ok(Some(Duration::from_secs_f64(seconds)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_body_asks_for() {
        let body = json!({"now": "1970-01-01T00:00:01Z", "frozen": true, "advance_seconds": 1.5});
        let change = read(body).unwrap();
        assert_eq!(change.now, Some(Timestamp::from_micros(1_000_000)));
        assert_eq!((change.advance, change.frozen), (Duration::from_millis(1_500), Some(true)));
        assert_eq!(read(json!({})).unwrap(), TimeChange::default());
        for bad in [
            json!([]),
            json!({"now": 5}),
            json!({"now": "tomorrow"}),
            json!({"frozen": "yes"}),
            json!({"advance_seconds": -1}),
            json!({"advance_seconds": "1"}),
            json!({"advance_seconds": 1e300}),
            json!({"step_seconds": -0.5}),
            json!({"advance": 1}),
        ] {
            assert!(read(bad.clone()).is_err(), "{bad}");
        }
    }
}
