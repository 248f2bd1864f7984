//! `/boxwood/v1/outbox`, `/boxwood/v1/health/figures` and `/boxwood/v1/test/WAY`: what the
//! appliance sends by itself, what it measures, and messages to try the settings with.

use std::time::Duration;

use delivery::{EventKind, Figures, State, Wanted, Way};
use hyper::Method;
use serde_json::{Value, json};

use super::call::{Call, Refused};
use super::route::{Operation, Who, ok, query, run};
use crate::answer::Answer;
use crate::failure::{Failure, Place};
use crate::methods::Methods;
use crate::query::Query;

const OUTBOX: &str = "outbox";
const FIGURES: &str = "health/figures";

pub(super) const OPERATIONS: &[Operation] = &[
    Operation::new(Methods::GET, OUTBOX, "outbox", Who::Administrators, run!(outbox))
        .does("Read the outbox", "Mails, traps and syslog lines as they go out, the oldest first.")
        .with(&[
            query("way", "string", "Messages of this way: mail, trap or syslog."),
            query("state", "string", "Messages in this state: recorded, waiting, sent, given-up."),
            query("event", "string", "Messages about events of this name."),
            query("after", "integer", "Messages with a greater id."),
            query("wait_seconds", "integer", "Waits for a message that fits, at most 60 seconds."),
        ])
        .answers(&[ok("Outbox", "The messages.")])
        .refuses(&[400]),
    Operation::new(Methods::DELETE, OUTBOX, "outbox_clear", Who::Administrators, run!(clear))
        .does("Empty the outbox", "Messages that wait to be sent stay.")
        .answers(&[ok("Done", "It is empty.")]),
    Operation::new(Methods::GET, FIGURES, "health_figures", Who::Administrators, run!(figures))
        .does("Read figures of health", "What was measured last, and the limits of it.")
        .answers(&[ok("HealthFigures", "The figures.")]),
    Operation::new(
        Methods::PUT,
        FIGURES,
        "health_figures_replace",
        Who::Administrators,
        run!(figures),
    )
    .does("Replace figures of health", "What is given stands for what is measured.")
    .takes("Figures")
    .answers(&[ok("HealthFigures", "The figures as they are now.")])
    .refuses(&[400]),
    Operation::new(
        Methods::DELETE,
        FIGURES,
        "health_figures_restore",
        Who::Administrators,
        run!(figures),
    )
    .does("Restore figures of health", "What is measured counts again.")
    .answers(&[ok("HealthFigures", "The figures as they are now.")]),
    Operation::new(Methods::POST, "test/{way}", "test_message", Who::Administrators, run!(test))
        .does("Send a test message", "By mail, trap or syslog, past the queue.")
        .may_take("TestBy")
        .answers(&[ok("Tested", "What the other side answered.")])
        .refuses(&[400, 404]),
];

/// The longest time that a request waits for a message.
const LONGEST_WAIT: u64 = 60;

/// The messages, with those of what was committed before this request.
async fn outbox(call: Call<'_>) -> Result<Answer, Refused> {
    let acting = &call.appliance.acting;
    acting.catch_up().await;
    let query = call.query()?;
    let wanted = wanted(&query)?;
    let messages = match query.get("wait_seconds") {
        None => acting.delivery.outbox(&wanted),
        Some(seconds) => {
            let seconds = whole("wait_seconds", seconds)?.min(LONGEST_WAIT);
            acting.delivery.outbox_within(&wanted, Duration::from_secs(seconds)).await
        }
    };
    let mut document = acting.delivery.condition();
    document["messages"] = json!(messages);
    document["meta"] = json!({ "href": call.path, "parent": "/boxwood/v1" });
    Ok(Answer::document(&document))
}

/// Forgets the messages, with those of what was committed before this request.
async fn clear(call: Call<'_>) -> Result<Answer, Refused> {
    let acting = &call.appliance.acting;
    acting.catch_up().await;
    acting.delivery.clear_outbox();
    Ok(Answer::document(&json!({ "meta": { "href": call.path, "parent": "/boxwood/v1" } })))
}

fn wanted(query: &Query<'_>) -> Result<Wanted, Failure> {
    let way = match query.get("way") {
        None => None,
        Some(name) => Some(Way::named(name).ok_or_else(|| one_of("way", Way::ALL.map(Way::name)))?),
    };
    let state = query.get("state");
    if state.is_some_and(|state| !State::WORDS.contains(&state)) {
        return Err(one_of("state", State::WORDS));
    }
    let event = query.get("event");
    if event.is_some_and(|event| EventKind::named(event).is_none()) {
        return Err(one_of("event", EventKind::ALL.map(EventKind::name)));
    }
    let after = query.get("after").map(|after| whole("after", after)).transpose()?;
    Ok(Wanted {
        way,
        state: state.map(str::to_owned),
        event: event.map(str::to_owned),
        after: after.unwrap_or(0),
    })
}

fn one_of<const N: usize>(name: &str, words: [&str; N]) -> Failure {
    Failure::malformed(format!("{name} must be one of {}", words.join(", ")), "")
}

fn whole(name: &str, text: &str) -> Result<u64, Failure> {
    text.parse().map_err(|_| Failure::malformed(format!("{name} must be a whole number"), ""))
}

/// Shows what is measured, puts other figures in its place, or goes back to what is measured.
async fn figures(mut call: Call<'_>) -> Result<Answer, Refused> {
    let appliance = call.appliance;
    let delivery = &appliance.acting.delivery;
    match call.head.method {
        Method::PUT => {
            let body = call.needed()?;
            let given: Figures = serde_json::from_value(body).map_err(|error| {
                let message = format!("Send figures, such as {{\"disk_percent\": 95}}: {error}");
                Failure::malformed(message, "")
            })?;
            tracing::info!(appliance = &*appliance.name, "figures of health were replaced");
            delivery.replace_figures(Some(given));
            delivery.measure().await;
        }
        Method::DELETE => {
            delivery.replace_figures(None);
            delivery.measure().await;
        }
        _ if delivery.figures().is_none() => delivery.measure().await,
        _ => {}
    }
    let running = appliance.engine.running();
    let limits = appliance.acting.configuration(&running.tree).health;
    let (time, figures) = delivery.figures().unzip();
    let time = time.map(|time| transaction_engine::Timestamp::from_micros(time).to_string());
    Ok(Answer::document(&json!({
        "above_limit": delivery.raised(),
        "figures": figures,
        "limits": {
            "disk_percent": limits.disk,
            "load1": limits.load1,
            "load15": limits.load15,
            "load5": limits.load5,
            "memory_percent": limits.memory,
            "swap_percent": limits.swap,
        },
        "measured": time,
        "replaced": delivery.replaced_figures(),
        "meta": { "href": "/boxwood/v1/health/figures", "parent": "/boxwood/v1/health" },
    })))
}

/// Sends a test message by the committed or the staged settings, and says what came of it.
async fn test(mut call: Call<'_>) -> Result<Answer, Refused> {
    let (appliance, session) = (call.appliance, &call.caller()?.session);
    let way = Way::named(call.step("way")).ok_or(Failure::NotFound(Place::Request))?;
    let body = call.body.take();
    let staged = match body.as_ref().map(|body| &body["settings"]) {
        None => false,
        Some(Value::Null) if body.as_ref().is_some_and(is_empty) => false,
        Some(settings) if settings == "committed" => false,
        Some(settings) if settings == "staged" => true,
        Some(_) => {
            let message = "Send {\"settings\": \"committed\"} or {\"settings\": \"staged\"}, or \
                           nothing for the former";
            return Err(Failure::malformed(message, "/settings").into());
        }
    };
    let configuration = match staged {
        true => appliance.acting.configuration(appliance.engine.view(session).tree()),
        false => appliance.acting.configuration(&appliance.engine.running().tree),
    };
    let problems = configuration.problems.iter().filter(|(of, _)| *of == way);
    let problems: Vec<&String> = problems.map(|(_, text)| text).collect();
    let results = appliance.acting.delivery.test(way, &configuration).await;
    Ok(Answer::document(&json!({
        "configured": !results.is_empty(),
        "problems": problems,
        "results": results,
        "settings": if staged { "staged" } else { "committed" },
        "way": way.name(),
        "meta": { "href": call.path, "parent": "/boxwood/v1" },
    })))
}

fn is_empty(body: &Value) -> bool {
    body.as_object().is_some_and(serde_json::Map::is_empty)
}
