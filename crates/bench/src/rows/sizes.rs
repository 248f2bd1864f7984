//! How cost grows with the size of the tree: commit, GET, start, memory; and what idling costs.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hyper::Method;
use hyper::http::request::Parts;
use transaction_engine::Session;

use super::Setting;
use crate::Outcome;
use crate::appliance::{THINGS, USER_LISTS, builtin, catalog, fill, key, member, path, thing};
use crate::daemon::{Daemon, PASSWORD};
use crate::load::{self, Connection, Plan, login, request};
use crate::paths::{InProcess, put};
use crate::report::{Curve, Figure, Goal, Report, Row};
use crate::timing::{Samples, median, timed};

const SIZES: [usize; 4] = [100, 10_000, 100_000, 1_000_000];
const CONNECTIONS: usize = 32;

/// Members that are read and changed, spread over the collection: as many in each tree, so that the
/// processor's caches hold them all and what differs is the tree.
const SPREAD: usize = 100;

/// Members that no cache of a processor holds.
const SCATTERED: usize = 50_000;

/// How long a daemon is watched while no client asks it for anything.
const IDLE: Duration = Duration::from_secs(5);

/// Measures it.
///
/// # Errors
/// A tree cannot be made or a daemon does not start.
pub fn measure(setting: &Setting) -> Outcome<Report> {
    let sizes = if setting.quick { &SIZES[..2] } else { &SIZES[..] };
    let mut report = Report::default();
    report.add(in_process(setting, sizes)?);
    report.add(over_http(setting, sizes)?);
    Ok(report)
}

// ===== through the engine and the service =====

struct Subject {
    size: usize,
    product: InProcess,
    session: Arc<Session>,
    heads: Vec<Parts>,
    commits: Samples,
    gets: Samples,
}

impl Subject {
    fn new(size: usize, product: InProcess) -> Outcome<Self> {
        let session = product.engine().session_open("bench");
        let (commits, gets) = <(Samples, Samples)>::default();
        let mut made = Self { size, product, session, heads: Vec::new(), commits, gets };
        made.heads = spread(size).map(|number| made.head(number)).collect::<Outcome<_>>()?;
        made.see_all()?;
        Ok(made)
    }

    fn head(&self, number: usize) -> Outcome<Parts> {
        self.product.head(Method::GET, &format!("/configuration{THINGS}/{}", key(number)))
    }

    // The form in which each is shown is made on first sight; that is not in question here.
    fn see_all(&self) -> Outcome<()> {
        self.heads.iter().try_for_each(|head| self.product.expect(head, Bytes::new()).map(drop))
    }

    fn commit(&mut self, steps: usize) -> Outcome<()> {
        let (engine, things) = (self.product.engine(), path(THINGS)?);
        for (step, number) in spread(self.size).cycle().take(steps).enumerate() {
            let place = member(&things, number)?;
            let body = thing(number, self.commits.len() + step + 1);
            let (nanos, done) = timed(|| {
                engine.transaction_open(&self.session)?;
                put(engine, &self.session, &place, body)?;
                engine.transaction_commit(&self.session, None)
            });
            done?;
            self.commits.push(nanos);
        }
        Ok(())
    }

    // Members that were looked at long ago: in memory, and in no cache of the processor.
    fn scattered(&self) -> Outcome<Row> {
        let mut samples = Samples::default();
        for round in 0..2 {
            for number in spread_over(self.size, SCATTERED) {
                let head = self.head(number)?;
                let (nanos, _) = timed(|| self.product.handle(&head, Bytes::new()));
                if round > 0 {
                    samples.push(nanos);
                }
            }
        }
        let axis =
            format!("GET, in process, {} nodes, {SCATTERED} of them in turn, p50", self.size);
        let warm = Figure::new(self.gets.p50_us(), "µs");
        let cold = Figure::new(samples.p50_us(), "µs");
        Ok(Row::against("size", axis, cold, format!("{SPREAD} of them"), warm))
    }

    fn get(&mut self, steps: usize) {
        for head in self.heads.iter().cycle().take(steps) {
            let (nanos, _) = timed(|| self.product.handle(head, Bytes::new()));
            self.gets.push(nanos);
        }
    }
}

fn spread(size: usize) -> impl Iterator<Item = usize> + Clone {
    spread_over(size, SPREAD)
}

fn spread_over(size: usize, count: usize) -> impl Iterator<Item = usize> + Clone {
    let count = size.min(count);
    (0..count).map(move |index| index * (size / count))
}

fn in_process(setting: &Setting, sizes: &[usize]) -> Outcome<Report> {
    let (catalog, things) = (catalog()?, path(THINGS)?);
    let mut durable = Vec::new();
    let mut memory = Vec::new();
    for &size in sizes {
        let data = fresh(&setting.dir, &format!("size-{size}"))?;
        fill(&data, &catalog, &things, size, |number| thing(number, 0))?;
        durable.push(Subject::new(size, InProcess::durable(&data)?)?);
        memory.push(Subject::new(size, InProcess::in_memory(size)?)?);
    }
    for round in 0..=setting.rounds() {
        for subject in &mut durable {
            // A commit empties the cache of what it changed.
            subject.see_all()?;
            subject.get(setting.steps(4000));
            subject.commit(setting.steps(120))?;
        }
        for subject in &mut memory {
            subject.commit(setting.steps(400))?;
        }
        if round == 0 {
            for subject in durable.iter_mut().chain(&mut memory) {
                subject.commits = Samples::default();
                subject.gets = Samples::default();
            }
        }
    }
    let of = |subjects: &[Subject], samples: fn(&Subject) -> &Samples| {
        subjects.iter().map(|subject| (subject.size, samples(subject).p50_us())).collect()
    };
    let curves = vec![
        Curve { name: "open + PUT + commit, durable", points: of(&durable, |s| &s.commits) },
        Curve { name: "open + PUT + commit, in memory", points: of(&memory, |s| &s.commits) },
        Curve { name: "GET, in process", points: of(&durable, |s| &s.gets) },
    ];
    let mut rows: Vec<Row> = curves.iter().flat_map(rows_of).collect();
    if let Some(largest) = durable.last() {
        rows.push(largest.scattered()?);
    }
    Ok(Report { rows, curves })
}

fn rows_of(curve: &Curve) -> Vec<Row> {
    let Some((first, rest)) = curve.points.split_first() else { return Vec::new() };
    let row = |(size, us): &(usize, f64)| {
        let reference = format!("{} nodes", first.0);
        let axis = format!("{}, {size} nodes, p50", curve.name);
        let row = Row::against(
            "size",
            axis,
            Figure::new(*us, "µs"),
            reference,
            Figure::new(first.1, "µs"),
        );
        // In memory there is no sync to hide behind; the goal is about what a client waits for.
        let hidden = curve.name.contains("in memory");
        if *size == 1_000_000 && !hidden { row.goal(Goal::AtMost(1.5)) } else { row }
    };
    rest.iter().map(row).collect()
}

// ===== the real daemon =====

fn over_http(setting: &Setting, sizes: &[usize]) -> Outcome<Report> {
    let catalog = builtin()?;
    let lists = path(USER_LISTS)?;
    let mut report = Report::default();

    let empty = fresh(&setting.dir, "http-0")?;
    let daemon = Daemon::start(&empty, &[])?;
    let (mut first, resident_empty) = (vec![daemon.start_seconds], daemon.resident_mib()?);
    drop(daemon);
    for number in 0..setting.rounds() {
        first.push(
            Daemon::start(&fresh(&setting.dir, &format!("http-0-{number}"))?, &[])?.start_seconds,
        );
    }
    let again = starts(&empty, setting.rounds())?;
    let ms = |seconds: f64| Figure::new(seconds * 1000.0, "ms");
    report.rows.push(
        Row::alone("start", "process to ready, new data directory", ms(median(&first)))
            .note("key, certificate, defaults and password hash are made"),
    );
    report.rows.push(
        Row::alone("start", "process to ready, empty", ms(median(&again)))
            .goal(Goal::AtMost(99.0))
            .note("one password hash of 30 ms is in it, as the password is given"),
    );

    let mut daemons = Vec::new();
    let mut curve = Curve { name: "GET over HTTP, 32 connections", points: Vec::new() };
    for &size in sizes {
        let data = fresh(&setting.dir, &format!("http-{size}"))?;
        fill(&data, &catalog, &lists, size, |number| thing(number, 0))?;
        // The first start adds the defaults; it is the next ones that count.
        drop(Daemon::start(&data, &[])?);
        let took = starts(&data, if size > 100_000 { 2 } else { 3 })?;
        let daemon = Daemon::start(&data, &[])?;
        let row = Row::alone("start", format!("process to ready, {size} nodes"), ms(median(&took)));
        report.rows.push(match size {
            1_000_000 => row.goal(Goal::AtMost(5_000.0)),
            _ => row,
        });
        if size >= 10_000 {
            let bytes = (daemon.resident_mib()? - resident_empty) * 1_048_576.0 / size as f64;
            let note = format!(
                "{:.0} MiB in all, {} bytes of body each",
                daemon.resident_mib()?,
                thing(size, 0).to_string().len()
            );
            let row =
                Row::alone("memory", format!("a node, {size} nodes"), Figure::new(bytes, "bytes"));
            report.rows.push(row.note(note));
        }
        let plan = plan(&daemon, size)?;
        daemons.push((size, daemon, plan, Vec::new(), Vec::new()));
    }
    for round in 0..=setting.rounds() {
        for (_, daemon, plan, p50, per_second) in &mut daemons {
            let load = load::run(daemon.clear, plan, CONNECTIONS, setting.round() / 2)?;
            if round > 0 {
                p50.push(load.latencies.p50_us());
                per_second.push(load.per_second());
            }
        }
    }
    for (size, _, _, p50, _) in &daemons {
        curve.points.push((*size, median(p50)));
    }
    report.rows.extend(rows_of(&curve));
    report.curves.push(curve);
    daemons.truncate(0);
    report.rows.extend(idling(&empty)?);
    Ok(report)
}

fn starts(data: &Path, rounds: usize) -> Outcome<Vec<f64>> {
    (0..rounds).map(|_| Ok(Daemon::start(data, &[])?.start_seconds)).collect()
}

fn plan(daemon: &Daemon, size: usize) -> Outcome<Plan> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let token = runtime.block_on(async {
        let mut connection = Connection::open(daemon.clear).await?;
        login(&mut connection, "admin", PASSWORD).await
    })?;
    let requests = spread(size).map(|number| {
        let path = format!("/api/configuration{USER_LISTS}/{}", key(number));
        request("GET", &path, Some(&token), None)
    });
    Ok(Arc::new(requests.collect()))
}

fn idling(data: &Path) -> Outcome<Vec<Row>> {
    let daemon = Daemon::start(data, &[])?;
    // After the start has settled.
    wait(Duration::from_secs(1));
    let (cpu, waits) = (daemon.cpu_seconds()?, daemon.waits()?);
    wait(IDLE);
    let (cpu, waits) = (daemon.cpu_seconds()? - cpu, daemon.waits()? - waits);
    let share = cpu / IDLE.as_secs_f64() * 1e6;
    Ok(vec![
        Row::alone("idle", "processor time in a second", Figure::new(share, "µs"))
            .goal(Goal::AtMost(1000.0))
            .note(format!("{waits} wake-ups in {} s, all of them sled's threads", IDLE.as_secs())),
        Row::alone("idle", "resident memory", Figure::new(daemon.resident_mib()?, "MiB")),
    ])
}

#[expect(clippy::disallowed_methods, reason = "nothing else happens that could be waited for")]
fn wait(time: Duration) {
    std::thread::sleep(time);
}

// A data directory with nothing in it.
fn fresh(dir: &Path, name: &str) -> Outcome<PathBuf> {
    let data = dir.join("sizes").join(name);
    if data.exists() {
        fs::remove_dir_all(&data)?;
    }
    fs::create_dir_all(dir.join("sizes"))?;
    Ok(data)
}
