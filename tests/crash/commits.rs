//! SIGKILL at random moments under commits, again and again on the same directory.

use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use support::Server;

use crate::luck::{Luck, dither, variable, watch_for};
use crate::site::Site;
use crate::tree::{Tree, revision};
use crate::writer::{ALL, Part, Progress, Watched, Writer};

/// Half of what was asked for goes to each of the two modes.
fn kills() -> u64 {
    variable("BOXWOOD_CRASH_KILLS").unwrap_or(50).max(50).div_ceil(2)
}

#[test]
fn one_exclusive_writer_loses_nothing_acknowledged() {
    let site = Site::new();
    let mut luck = Luck::new();
    let writers = vec![Writer::new(ALL, true, &mut luck)];
    kill_again_and_again(&site, writers, luck);
}

#[test]
fn four_concurrent_writers_lose_nothing_acknowledged() {
    let site = Site::concurrent();
    let mut luck = Luck::new();
    let writers =
        [&[Part::Health, Part::Disk][..], &[Part::Mail], &[Part::Trap], &[Part::Syslog, Part::Web]]
            .map(|parts| Writer::new(parts, false, &mut luck));
    kill_again_and_again(&site, writers.into(), luck);
}

#[expect(clippy::print_stdout, reason = "for the person who raised the number of kills")]
fn report(line: &str) {
    println!("{line}");
}

fn kill_again_and_again(site: &Site, mut writers: Vec<Writer>, mut luck: Luck) {
    let kills = kills();
    // The factory defaults.
    let mut expected_revision = 1;
    let (mut doubted, mut landed) = (0, 0);
    let mut server = site.builder().start();
    for _ in 0..kills {
        let commits_before: u64 = writers.iter().map(|writer| writer.commits).sum();
        let old_session = server.admin().cookie("session_id").expect("a login").to_owned();
        let seen = kill_under_commits(&mut server, &mut writers, &mut luck);

        server = site.builder().start();
        let mut admin = server.admin();
        let tree = Tree::seen_by(&mut admin);
        doubted += writers.iter().filter(|writer| writer.in_doubt.is_some()).count() as u64;
        let more = writers.iter_mut().map(|writer| u64::from(writer.settle(&tree))).sum::<u64>();
        landed += more;
        let commits: u64 = writers.iter().map(|writer| writer.commits).sum();
        expected_revision += commits - commits_before + more;
        assert_eq!(tree.revision, expected_revision, "each commit is a revision, once");
        let load = &tree.body(&Part::Health.path())["maximum_load1"];
        assert!(seen <= load.as_u64().unwrap_or(0), "{seen} was visible, {load} is there");

        writers.iter().for_each(|writer| writer.ask_again(&mut admin));

        // Sessions end with the process, and their transactions and locks with them.
        server
            .client()
            .request("GET", "/api/transaction")
            .header("Cookie", &format!("session_id={old_session}"))
            .send()
            .expect_error(401, "Unauthenticated");
    }
    let commits: u64 = writers.iter().map(|writer| writer.commits).sum();
    report(&format!(
        "{kills} kills, {commits} commits acknowledged, {doubted} in doubt, {landed} of them there"
    ));
    assert!(doubted * 10 >= kills, "only {doubted} of {kills} kills met a commit under way");
}

/// Lets all writers commit, kills the daemon at some moment, and returns the number of the newest
/// commit that a reader saw.
fn kill_under_commits(server: &mut Server, writers: &mut [Writer], luck: &mut Luck) -> u64 {
    let progress = &Progress::default();
    let seen = &AtomicU64::new(0);
    // One by one: only so many passwords are checked at once.
    let clients: Vec<_> = writers.iter().map(|_| server.admin()).collect();
    let mut reader = server.admin();
    assert!(revision(&mut reader) > 0);
    let url = Part::Health.path();

    thread::scope(|scope| {
        let watched = Watched { server, progress };
        let mut running: Vec<_> = writers
            .iter_mut()
            .zip(clients)
            .map(|(writer, client)| scope.spawn(move || writer.run(client, progress)))
            .collect();
        running.push(scope.spawn(move || {
            // What was visible once was durable before.
            while let Ok(answer) = reader.request("GET", &url).try_send() {
                let load = answer.expect(200).at("/body/maximum_load1");
                let load = load.as_u64().unwrap_or(0);
                let before = seen.fetch_max(load, Ordering::SeqCst);
                assert!(load >= before, "a reader went back from {before} to {load}");
            }
        }));

        let (counter, end) = match luck.below(3) {
            0 => (&progress.acknowledged, 1 + luck.below(9)),
            _ => (&progress.sent, 1 + luck.below(9)),
        };
        watch_for("commits", || {
            counter.load(Ordering::SeqCst) >= end || running.iter().any(|it| it.is_finished())
        });
        dither(luck.within(progress.commit_time() * 3 / 2));
        progress.killed.store(true, Ordering::SeqCst);
        watched.server.kill();
        for thread in running {
            thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        }
    });
    seen.load(Ordering::SeqCst)
}
