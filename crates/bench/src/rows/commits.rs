//! A durable commit of one object, compared with the least that a durable write can cost on this medium.

use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::sync::Arc;

use transaction_engine::store::MemStore;
use transaction_engine::{Engine, Session};

use super::Setting;
use crate::Outcome;
use crate::appliance::{
    SETTINGS, Setup, WithoutSync, builtin, catalog, checkpoints, path, sled, thing,
};
use crate::paths::{commit, put};
use crate::report::{Figure, Goal, Report, Row};
use crate::timing::{Samples, timed};

const PART: &str = "commit";
const STEPS: usize = 1500;

/// Measures it.
///
/// # Errors
/// The store cannot be opened or does not take a commit.
pub fn measure(setting: &Setting) -> Outcome<Report> {
    let dir = setting.dir.join("commits");
    fs::create_dir_all(&dir)?;
    let mut rows = durable(setting, &dir)?;
    rows.extend(parts(setting, &dir)?);
    rows.extend(validation(setting)?);
    Ok(Report { rows, curves: Vec::new() })
}

fn durable(setting: &Setting, dir: &std::path::Path) -> Outcome<Vec<Row>> {
    let engine = Setup::bench()?.durable(&dir.join("product"))?;
    let session = engine.session_open("bench");
    let mut appended = Appender::new(dir, "append")?;
    let mut appended_fs = Appender::new(dir, "append-syncfs")?;
    let [mut commits, mut wholes, mut appends, mut syncfs] = <[Samples; 4]>::default();
    for step in 0..setting.steps(STEPS) + 50 {
        let (append, done) = timed(|| appended.append());
        done?;
        let (whole, commit) = staged_and_committed(&engine, &session, step)?;
        let (fs_append, done) = timed(|| appended_fs.append_syncfs());
        done?;
        // The first few warm up.
        if step >= 50 {
            appends.push(append);
            commits.push(commit);
            wholes.push(whole);
            syncfs.push(fs_append);
        }
    }
    engine.shutdown();
    let us = |samples: &Samples| Figure::new(samples.p50_us(), "µs");
    let reference = "4 KiB append + fdatasync";
    let tail = format!(
        "p99 {:.0} µs against {:.0} µs",
        commits.quantile_us(0.99),
        appends.quantile_us(0.99)
    );
    Ok(vec![
        Row::against(
            PART,
            "one object, one writer, durable, p50",
            us(&commits),
            reference,
            us(&appends),
        )
        .goal(Goal::AtMost(2.0))
        .note(tail),
        Row::against(
            PART,
            "the same with open and PUT before it, p50",
            us(&wholes),
            reference,
            us(&appends),
        ),
        Row::against(PART, "4 KiB append + syncfs, p50", us(&syncfs), reference, us(&appends))
            .note("syncfs is what sled needs; it also writes what other processes left behind"),
    ])
}

// What is left when parts are left out: the sync, and the store.
fn parts(setting: &Setting, dir: &std::path::Path) -> Outcome<Vec<Row>> {
    let data = dir.join("without-sync");
    let store = Box::new(WithoutSync(sled(&data)?));
    let unsynced = Setup::bench()?.over(store, Some(checkpoints(&data)?))?;
    let memory = Setup::bench()?.over(Box::new(MemStore::new()), None)?;
    let sessions = [unsynced.session_open("bench"), memory.session_open("bench")];
    let [mut without_sync, mut without_store, mut staging] = <[Samples; 3]>::default();
    for step in 0..setting.steps(STEPS) + 50 {
        let (_, commit) = staged_and_committed(&unsynced, &sessions[0], step)?;
        let (whole, in_memory) = staged_and_committed(&memory, &sessions[1], step)?;
        if step >= 50 {
            without_sync.push(commit);
            without_store.push(in_memory);
            staging.push(whole - in_memory);
        }
    }
    let us = |samples: &Samples| Figure::new(samples.p50_us(), "µs");
    Ok(vec![
        Row::alone(PART, "without any sync (sled still writes), p50", us(&without_sync)),
        Row::alone(PART, "on a store in memory, p50", us(&without_store))
            .note("two thread hand-overs, the checks, the record, the hashes"),
        Row::alone(PART, "open and PUT alone, p50", us(&staging)),
    ])
}

fn validation(setting: &Setting) -> Outcome<Vec<Row>> {
    let mut rows = Vec::new();
    let builtin = builtin()?;
    let email = path("/management/email")?;
    let body = builtin.endpoint(&email).and_then(|endpoint| endpoint.default().cloned());
    let things = (catalog()?, path(crate::appliance::THINGS)?, thing(1, 1));
    let mut subjects = vec![("a thing of 5 members", &things.0, &things.1, things.2.clone())];
    if let Some(body) = body {
        subjects.push(("management/email", &builtin, &email, body));
    }
    for (name, catalog, at, body) in subjects {
        let mut samples = Samples::default();
        for _ in 0..setting.steps(20_000) {
            let body = body.clone();
            let (nanos, checked) = timed(|| catalog.check_body(at, body));
            checked.map_err(|violations| format!("{name} is refused: {violations:?}"))?;
            samples.push(nanos);
        }
        let axis = format!("checking the body of {name}, p50");
        rows.push(Row::alone(PART, axis, Figure::new(samples.p50_us(), "µs")));
    }
    Ok(rows)
}

// The time of open, PUT and commit, and that of the commit alone.
fn staged_and_committed(
    engine: &Engine,
    session: &Arc<Session>,
    step: usize,
) -> Outcome<(u64, u64)> {
    let settings = serde_json::json!({
        "server": "host.example.com", "enabled": true, "timeout": 11 + step % 2, "comment": "none",
    });
    let place = path(SETTINGS)?;
    let (staged, done) = timed(|| {
        engine.transaction_open(session)?;
        put(engine, session, &place, settings)
    });
    done?;
    let (committed, done) = timed(|| engine.transaction_commit(session, None));
    done?;
    Ok((staged + committed, committed))
}

/// Commits a few times, for those who want to look at it with other tools.
///
/// # Errors
/// The store cannot be opened or does not take a commit.
pub fn commits_alone(dir: &std::path::Path, count: usize, durable: bool) -> Outcome<()> {
    let engine = if durable {
        Setup::bench()?.durable(dir)?
    } else {
        Setup::bench()?.over(Box::new(MemStore::new()), None)?
    };
    let session = engine.session_open("bench");
    (0..count).try_for_each(|turn| commit(&engine, &session, turn))
}

struct Appender {
    file: File,
    page: Vec<u8>,
}

impl Appender {
    fn new(dir: &std::path::Path, name: &str) -> Outcome<Self> {
        let file = OpenOptions::new().create(true).append(true).open(dir.join(name))?;
        Ok(Self { file, page: vec![0x5a; 4096] })
    }

    fn append(&mut self) -> std::io::Result<()> {
        self.file.write_all(&self.page)?;
        self.file.sync_data()
    }

    fn append_syncfs(&mut self) -> std::io::Result<()> {
        self.file.write_all(&self.page)?;
        Ok(rustix::fs::syncfs(&self.file)?)
    }
}
