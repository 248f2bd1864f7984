//! Many writers of disjoint objects, compared with one.

use std::fs;
use std::sync::Arc;
use std::sync::Barrier;
use std::time::Duration;

use config_tree::NodePath;
use serde_json::Value;
use transaction_engine::{Edit, Engine, Mode, Session};

use super::Setting;
use crate::appliance::{Setup, THINGS, catalog, fill, member, path, thing};
use crate::paths::put;
use crate::report::{Figure, Goal, Report, Row};
use crate::timing::{median, now};
use crate::{Failure, Outcome};

const PART: &str = "32 writers";
const WRITERS: usize = 32;

/// Measures it.
///
/// # Errors
/// The engine refuses a commit: there is nothing to disagree about.
pub fn measure(setting: &Setting) -> Outcome<Report> {
    let dir = setting.dir.join("writers");
    fs::create_dir_all(&dir)?;
    let data = dir.join("product");
    fill(&data, &catalog()?, &path(THINGS)?, 1000, |number| thing(number, 0))?;
    let setup = Setup { mode: Mode::Concurrent, ..Setup::bench()? };
    let engine = Arc::new(setup.durable(&data)?);
    let [mut one, mut many, mut ratios, mut shares] = <[Vec<f64>; 4]>::default();
    let [mut requests, mut request_ratios] = <[Vec<f64>; 2]>::default();
    for round in 0..=setting.rounds() {
        // No commit finds its object as it wants it: each is a revision.
        let turn = round * 30_000;
        let (alone, _) = run(&engine, 1, setting.round(), turn, session_commit)?;
        let (together, share) =
            run(&engine, WRITERS, setting.round(), turn + 10_000, session_commit)?;
        let (autocommits, _) = run(&engine, WRITERS, setting.round(), turn + 20_000, autocommit)?;
        if round > 0 {
            one.push(alone);
            many.push(together);
            ratios.push(together / alone);
            shares.push(share);
            requests.push(autocommits);
            request_ratios.push(autocommits / together);
        }
    }
    engine.shutdown();
    let figure = |values: &[f64]| Figure::new(median(values), "/s");
    Ok(Report {
        rows: vec![
            Row::against(
                PART,
                "commits/s, concurrent mode, disjoint objects",
                figure(&many),
                "one writer",
                figure(&one),
            )
            .ratio(median(&ratios))
            .goal(Goal::AtLeast(3.0)),
            // 2,000 a second where sessions reach 6,000.
            Row::against(
                PART,
                "autocommits/s, disjoint objects",
                figure(&requests),
                "commits of sessions",
                figure(&many),
            )
            .ratio(median(&request_ratios))
            .goal(Goal::AtLeast(0.33)),
            Row::alone(PART, "syncs a commit", Figure::new(median(&shares), ""))
                .goal(Goal::AtMost(0.999)),
        ],
        curves: Vec::new(),
    })
}

/// Makes one commit of an object.
type Commit = fn(&Engine, &Arc<Session>, &NodePath, Value) -> Outcome<()>;

fn session_commit(
    engine: &Engine,
    session: &Arc<Session>,
    place: &NodePath,
    body: Value,
) -> Outcome<()> {
    put(engine, session, place, body)?;
    engine.transaction_commit(session, None)?;
    Ok(())
}

fn autocommit(
    engine: &Engine,
    session: &Arc<Session>,
    place: &NodePath,
    body: Value,
) -> Outcome<()> {
    let place = place.clone();
    let change = move |edit: &mut Edit<'_>| edit.node_put(&place, body.clone());
    engine.autocommit(session.user(), None, change)?;
    Ok(())
}

// Commits in a second, and syncs a commit.
fn run(
    engine: &Arc<Engine>,
    writers: usize,
    time: Duration,
    turn: usize,
    commit: Commit,
) -> Outcome<(f64, f64)> {
    let barrier = Arc::new(Barrier::new(writers + 1));
    let threads: Vec<_> = (0..writers)
        .map(|writer| {
            let (engine, barrier) = (Arc::clone(engine), Arc::clone(&barrier));
            std::thread::spawn(move || -> Outcome<usize> {
                let place = member(&path(THINGS)?, writer)?;
                let session = engine.session_open("bench");
                barrier.wait();
                let end = now() + time;
                let mut commits = 0;
                while now() < end {
                    commit(&engine, &session, &place, thing(writer, turn + commits))?;
                    commits += 1;
                }
                engine.session_end(&session);
                Ok(commits)
            })
        })
        .collect();
    barrier.wait();
    let (started, before) = (now(), engine.syncs());
    let mut commits = 0;
    for thread in threads {
        commits += thread.join().map_err(|_| Failure::from("a writer panicked"))??;
    }
    let syncs = engine.syncs() - before;
    Ok((commits as f64 / started.elapsed().as_secs_f64(), syncs as f64 / commits as f64))
}
