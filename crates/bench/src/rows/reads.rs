//! An authenticated GET from the real daemon, compared with servers that give the same bytes for nothing.

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use super::Setting;
use crate::Outcome;
use crate::daemon::{Daemon, PASSWORD};
use crate::load::{self, Connection, Plan, Target, login, request};
use crate::report::{Figure, Goal, Report, Row};
use crate::timing::{median, most};

const PATH: &str = "/api/configuration/management/email";
const CONNECTIONS: usize = 32;

/// Number of slices of a round: the machine is not the same from one second to the next, and servers
/// are compared that were asked one right after the other.
const SLICES: usize = 4;

struct Server {
    daemon: Daemon,
    plan: Plan,
    per_second: Vec<f64>,
    cpu_us: Vec<f64>,
    p50_us: Vec<f64>,
    p99_us: Vec<f64>,
}

/// Measures it.
///
/// # Errors
/// A server does not start or refuses.
pub fn measure(setting: &Setting) -> Outcome<Report> {
    let dir = setting.dir.join("reads");
    fs::create_dir_all(&dir)?;
    let product = Daemon::start(&dir.join("product"), &[])?;
    let silent = Daemon::start(&dir.join("silent"), &["--log", "off"])?;
    let (answer, product_plan) = capture(product.clear)?;
    let (_, silent_plan) = capture(silent.clear)?;
    let file = dir.join("answer.http");
    fs::write(&file, &answer)?;
    let file = file.to_str().ok_or("the folder's name is not UTF-8")?;
    let bare = Daemon::own(&["bare", file], &dir.join("bare.log"))?;
    let guarded = Daemon::own(&["guarded", file], &dir.join("guarded.log"))?;

    let server = |daemon, plan: &Plan| Server {
        daemon,
        plan: Arc::clone(plan),
        per_second: Vec::new(),
        cpu_us: Vec::new(),
        p50_us: Vec::new(),
        p99_us: Vec::new(),
    };
    let mut servers = [
        server(bare, &product_plan),
        server(product, &product_plan),
        server(guarded, &product_plan),
        server(silent, &silent_plan),
    ];
    let mut report = Report::default();
    for (part, tls) in [("GET", false), ("GET, TLS 1.3", true)] {
        turns(setting, &mut servers, tls)?;
        report.rows.extend(rows(part, &servers, answer.len()));
    }
    Ok(report)
}

// The answer as bytes, and a plan that asks for it.
fn capture(target: Target) -> Outcome<(Vec<u8>, Plan)> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut connection = Connection::open(target).await?;
        let token = login(&mut connection, "admin", PASSWORD).await?;
        let request = request("GET", PATH, Some(&token), None);
        let answer = connection.expect(200, &request).await?;
        let mut bytes = answer.head.as_bytes().to_vec();
        bytes.extend_from_slice(b"\r\n\r\n");
        bytes.extend_from_slice(answer.body);
        Ok((bytes, Arc::new(vec![request])))
    })
}

fn turns(setting: &Setting, servers: &mut [Server], tls: bool) -> Outcome<()> {
    for server in servers.iter_mut() {
        // Warms up.
        load::run(server.target(tls), &server.plan, CONNECTIONS, setting.round())?;
        server.per_second.clear();
        server.cpu_us.clear();
        server.p50_us.clear();
        server.p99_us.clear();
    }
    for _ in 0..setting.rounds() * SLICES {
        for server in servers.iter_mut() {
            server.take(tls, setting.round() / SLICES as u32)?;
        }
        // So that none always comes after the same one.
        servers.reverse();
    }
    Ok(())
}

impl Server {
    fn target(&self, tls: bool) -> Target {
        if tls { self.daemon.secure } else { self.daemon.clear }
    }

    fn take(&mut self, tls: bool, time: Duration) -> Outcome<()> {
        let before = self.daemon.cpu_seconds()?;
        let load = load::run(self.target(tls), &self.plan, CONNECTIONS, time)?;
        let cpu = self.daemon.cpu_seconds()? - before;
        self.per_second.push(load.per_second());
        self.cpu_us.push(cpu * 1e6 / load.latencies.len() as f64);
        self.p50_us.push(load.latencies.p50_us());
        self.p99_us.push(load.latencies.quantile_us(0.99));
        Ok(())
    }
}

fn rows(part: &'static str, servers: &[Server; 4], bytes: usize) -> Vec<Row> {
    let [bare, product, guarded, silent] = servers;
    let per_second = |server: &Server| Figure::new(median(&server.per_second), "/s");
    let cpu = |server: &Server| Figure::new(median(&server.cpu_us), "µs");
    let best = most(&product.per_second) / most(&bare.per_second);
    let latency = format!(
        "p50 {:.0} µs, p99 {:.0} µs; best round by best round {best:.2}; {bytes} bytes",
        median(&product.p50_us),
        median(&product.p99_us)
    );
    vec![
        Row::against(
            part,
            "requests/s, 32 connections",
            per_second(product),
            "bare hyper",
            per_second(bare),
        )
        .ratio(by_round(&product.per_second, &bare.per_second))
        .goal(Goal::AtLeast(0.85))
        .note(latency),
        Row::against(
            part,
            "the same, against the transport alone",
            per_second(product),
            "own transport, no product",
            per_second(guarded),
        )
        .ratio(by_round(&product.per_second, &guarded.per_second)),
        Row::against(
            part,
            "server's processor time a request",
            cpu(product),
            "bare hyper",
            cpu(bare),
        )
        .ratio(by_round(&product.cpu_us, &bare.cpu_us))
        .note(format!("own transport alone {:.2} µs", median(&guarded.cpu_us))),
        Row::against(
            part,
            "what the log costs: processor time a request",
            cpu(product),
            "the same with --log off",
            cpu(silent),
        )
        .ratio(by_round(&product.cpu_us, &silent.cpu_us)),
    ]
}

// Rounds that were taken in turns are compared one by one, so that a noisy moment hits both.
fn by_round(figures: &[f64], references: &[f64]) -> f64 {
    let ratios: Vec<f64> = figures.iter().zip(references).map(|(a, b)| a / b).collect();
    median(&ratios)
}
