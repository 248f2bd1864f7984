//! Open, PUT and commit over HTTP, compared with the same through the engine and three bare round trips.

use std::fs;
use std::sync::Arc;

use serde_json::{Value, json};
use transaction_engine::Mode;

use super::Setting;
use crate::Outcome;
use crate::appliance::{Setup, builtin, path};
use crate::daemon::{Daemon, PASSWORD};
use crate::load::{Connection, login, request};
use crate::paths::put;
use crate::report::{Figure, Goal, Report, Row};
use crate::timing::{Samples, nanos, now, timed};

const PART: &str = "open + PUT + commit";
const OBJECT: &str = "/management/email";
const STEPS: usize = 600;

/// Measures it.
///
/// # Errors
/// A server does not start or refuses.
pub fn measure(setting: &Setting) -> Outcome<Report> {
    let dir = setting.dir.join("cycle");
    fs::create_dir_all(&dir)?;
    let catalog = Arc::new(builtin()?);
    let place = path(OBJECT)?;
    let default = catalog.endpoint(&place).and_then(|endpoint| endpoint.default().cloned());
    let bodies = bodies(default.ok_or("the object has no default")?);
    let engine = Setup { catalog, mode: Mode::Exclusive, appliers: Vec::new() }
        .durable(&dir.join("engine"))?;
    let session = engine.session_open("bench");

    let product = Daemon::start(&dir.join("product"), &[])?;
    let file = dir.join("answer.http");
    fs::write(&file, "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n{}")?;
    let file = file.to_str().ok_or("the folder's name is not UTF-8")?;
    let bare = Daemon::own(&["bare", file], &dir.join("bare.log"))?;

    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let [mut over_http, mut in_process, mut round_trips] = <[Samples; 3]>::default();
    runtime.block_on(async {
        let mut connection = Connection::open(product.clear).await?;
        let token = login(&mut connection, "admin", PASSWORD).await?;
        let open = request("POST", "/api/transaction", Some(&token), None);
        let commit =
            request("PUT", "/api/transaction", Some(&token), Some(r#"{"status": "commit"}"#));
        let puts = bodies.clone().map(|body| {
            let path = format!("/api/configuration{OBJECT}");
            request("PUT", &path, Some(&token), Some(&body.to_string()))
        });
        let mut bare_connection = Connection::open(bare.clear).await?;
        let ping = request("GET", "/", None, None);
        for step in 0..setting.steps(STEPS) + 20 {
            let started = now();
            connection.expect(200, &open).await?;
            connection.expect(200, &puts[step % 2]).await?;
            connection.expect(200, &commit).await?;
            let whole = nanos(started.elapsed());

            let body = bodies[step % 2].clone();
            let (engine_alone, done) = timed(|| {
                engine.transaction_open(&session)?;
                put(&engine, &session, &place, body)?;
                engine.transaction_commit(&session, None)
            });
            done?;

            let started = now();
            for _ in 0..3 {
                bare_connection.expect(200, &ping).await?;
            }
            let trips = nanos(started.elapsed());
            if step >= 20 {
                over_http.push(whole);
                in_process.push(engine_alone);
                round_trips.push(trips);
            }
        }
        Ok::<_, crate::Failure>(())
    })?;

    let figure = Figure::new(over_http.p50_us(), "µs");
    let reference = Figure::new(in_process.p50_us() + round_trips.p50_us(), "µs");
    let row = Row::against(
        PART,
        "over HTTP, one client, p50",
        figure,
        "engine alone + 3 bare round trips",
        reference,
    );
    let note = format!(
        "{:.0} + {:.0} µs; p99 {:.0} µs",
        in_process.p50_us(),
        round_trips.p50_us(),
        over_http.quantile_us(0.99)
    );
    Ok(Report { rows: vec![row.goal(Goal::AtMost(1.5)).note(note)], curves: Vec::new() })
}

fn bodies(default: Value) -> [Value; 2] {
    ["one@example.com", "two@example.com"].map(|address| {
        let mut body = default.clone();
        body["sender_address"] = json!(address);
        body
    })
}
