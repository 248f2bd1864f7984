//! The power goes: what the kernel was not made to write is gone, as no kill can show.
//!
//! The daemon works on a file system of its own, on a loop device whose image lies in memory. At a
//! random moment the process is stopped and the image copied as it is: what was written and not
//! synced is in the kernel, and not in the copy. The copy is mounted, its journal replays, and the
//! next daemon has to find there whatever the last one answered; then it goes on, to the next cut.
//!
//! It is kinder than some disks: whatever was handed to the device is there, in this order. That it
//! is hard enough is shown each time by a daemon that does not sync.
//!
//! Root and loop devices are needed, hence `make power-cut` and not `make test`. The number of cuts
//! is `BOXWOOD_POWER_CUTS`. Half of them are on XFS where `mkfs.xfs` is installed.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use rustix::process::geteuid;
use support::{Client, Server, ServerBuilder, Signal, wait_for};

use crate::luck::{Luck, timed, variable};
use crate::mount::{Mount, run};
use crate::site::Site;
use crate::tree::{Tree, messages, revision};
use crate::writer::{ALL, Part, Progress, Watched, Writer};

/// In all, and of each kind.
fn cuts() -> u64 {
    variable("BOXWOOD_POWER_CUTS").unwrap_or(100).div_ceil(5)
}

#[test]
#[ignore = "needs root and loop devices: make power-cut"]
fn four_writers_of_1_kib_lose_nothing_when_the_power_goes() {
    cut_again_and_again(|luck| four_writers(luck, 1 << 10));
}

#[test]
#[ignore = "needs root and loop devices: make power-cut"]
fn four_writers_of_16_kib_lose_nothing_when_the_power_goes() {
    cut_again_and_again(|luck| four_writers(luck, 16 << 10));
}

#[test]
#[ignore = "needs root and loop devices: make power-cut"]
fn four_writers_of_200_kib_lose_nothing_when_the_power_goes() {
    cut_again_and_again(|luck| four_writers(luck, 200 << 10));
}

#[test]
#[ignore = "needs root and loop devices: make power-cut"]
fn one_exclusive_writer_loses_nothing_when_the_power_goes() {
    cut_again_and_again(|luck| (Site::new(), vec![Writer::new(ALL, true, luck)]));
}

#[test]
#[ignore = "needs root and loop devices: make power-cut"]
fn a_first_start_that_loses_power_is_made_good_by_the_next() {
    let mut luck = Luck::new();
    let (_, start_time) = timed(|| Site::new().builder().start());
    let mut early = 0;
    for n in 0..cuts() {
        let site = Site::new();
        let mut disk = Disk::new(&site, FileSystem::of(n));
        let builder = disk.builder(&site);
        let mut server = builder.spawn();
        pause(luck.within(start_time * 6 / 5));
        let is_early = server.stdout().is_empty();
        early += u64::from(is_early);
        // Once it said that it was ready, its password is kept.
        let next = match is_early {
            true => builder,
            false => builder.env_remove("BOXWOOD_ADMIN_PASSWORD"),
        };
        disk.cut(&mut server);
        assert_eq!(Tree::of(&next.start()).revision, 1, "the defaults are committed once");
    }
    report(&format!("{} cuts of a first start, {early} of them before it was ready", cuts()));
}

/// Were a sync left out, these tests would say so: one is left out, and something is lost.
#[test]
#[cfg(debug_assertions)]
#[ignore = "needs root and loop devices: make power-cut"]
fn the_method_notices_a_missing_sync() {
    use transaction_engine::failpoint::Point;
    let mut luck = Luck::new();
    let trials = cuts().div_ceil(2);
    let (mut lost, mut refused) = (0, 0);
    for n in 0..trials {
        let (site, mut writers) = four_writers(&mut luck, 1 << 10);
        let mut disk = Disk::new(&site, FileSystem::of(n));
        let skipping = format!("skip:{}", Point::StoreFlushed.name());
        let builder = disk.quiet_builder(&site);
        let mut server = builder.clone().env("BOXWOOD_FAILPOINT", skipping).start();
        disk.cut_under_commits(&mut server, &mut writers, &mut luck);
        match builder.try_start() {
            Ok(server) => {
                let head = revision(&mut server.admin());
                lost += u64::from(head < 1 + commits(&writers));
            }
            Err(exit) => {
                assert!(exit.stderr.contains("damaged"), "{}", exit.stderr);
                refused += 1;
            }
        }
    }
    report(&format!(
        "without its sync {lost} of {trials} cuts lost commits, {refused} left a store that is \
         refused as damaged"
    ));
    assert!(lost + refused > 0, "nobody would notice a missing sync");
}

fn four_writers(luck: &mut Luck, bytes: usize) -> (Site, Vec<Writer>) {
    let parts =
        [&[Part::Health, Part::Disk][..], &[Part::Mail], &[Part::Trap], &[Part::Syslog, Part::Web]];
    let writers = parts.map(|parts| Writer::new(parts, false, luck).padded(bytes));
    (Site::concurrent(), writers.into())
}

// ===== cuts =====

/// So often the power goes on one disk, before there is a fresh one.
const CUTS_IN_A_ROW: u64 = 4;

fn cut_again_and_again(prepare: impl Fn(&mut Luck) -> (Site, Vec<Writer>)) {
    let mut luck = Luck::new();
    let (mut done, mut acknowledged, mut in_doubt, mut landed) = (0, 0, 0, 0);
    for n in 0..cuts().div_ceil(CUTS_IN_A_ROW) {
        let (site, mut writers) = prepare(&mut luck);
        let mut disk = Disk::new(&site, FileSystem::of(n));
        let builder = match luck.below(2) {
            0 => disk.quiet_builder(&site),
            _ => disk.builder(&site),
        };
        let mut server = builder.start();
        // The factory defaults.
        let mut revision = 1;
        for _ in 0..CUTS_IN_A_ROW.min(cuts() - done) {
            let before = commits(&writers);
            disk.cut_under_commits(&mut server, &mut writers, &mut luck);
            if luck.below(3) == 0 {
                // Once more, while the next one reads what is there.
                server = builder.spawn();
                pause(luck.within(Duration::from_millis(250)));
                disk.cut(&mut server);
            }
            server = builder.start();
            let mut admin = server.admin();
            let tree = Tree::seen_by(&mut admin);
            assert!(!server.log().contains("\"WARN\""), "{}", server.log());
            in_doubt += writers.iter().filter(|writer| writer.in_doubt.is_some()).count();
            let more: u64 = writers.iter_mut().map(|writer| u64::from(writer.settle(&tree))).sum();
            revision += commits(&writers) - before + more;
            assert_eq!(tree.revision, revision, "each commit is a revision, once");
            let _ = messages(&mut admin, &tree);
            writers.iter().for_each(|writer| writer.ask_again(&mut admin));
            landed += more;
            done += 1;
        }
        acknowledged += commits(&writers);
    }
    report(&format!(
        "{done} cuts, {acknowledged} commits acknowledged, {in_doubt} in doubt, {landed} of them \
         there"
    ));
    assert!(acknowledged > done, "there was little to lose");
}

fn commits(writers: &[Writer]) -> u64 {
    writers.iter().map(|writer| writer.commits).sum()
}

/// What is made, and with what options it is mounted.
#[derive(Clone, Copy, Debug)]
enum FileSystem {
    Ext4,
    Xfs,
}

impl FileSystem {
    /// In turn, as far as they can be made here.
    fn of(n: u64) -> FileSystem {
        match n % 2 == 1 && FileSystem::has_xfs() {
            true => FileSystem::Xfs,
            false => FileSystem::Ext4,
        }
    }

    fn has_xfs() -> bool {
        run("mkfs.xfs", &["-V"]).is_ok()
    }

    fn make(self, image: &str) -> Result<(), String> {
        match self {
            // Nothing is written later that belongs to the making.
            FileSystem::Ext4 => run("mkfs.ext4", &["-q", "-F", "-E", "lazy_itable_init=0", image]),
            FileSystem::Xfs => run("mkfs.xfs", &["-q", "-f", image]),
        }
    }

    /// The journal of ext4 would be written every five seconds, which might hide a missing sync.
    fn options(self) -> &'static str {
        match self {
            FileSystem::Ext4 => "loop,commit=300",
            FileSystem::Xfs => "loop",
        }
    }
}

/// A file system in an image in memory, mounted at one place whatever happens to it.
struct Disk {
    kind: FileSystem,
    // Before the memory that it is in.
    mounted: Option<Mount>,
    memory: Mount,
    point: PathBuf,
    evidence: PathBuf,
}

/// The least that XFS takes; most of it is never written.
const IMAGE_BYTES: u64 = 320 << 20;

impl Disk {
    /// # Panics
    ///
    /// Where there is no permission to do this.
    fn new(site: &Site, kind: FileSystem) -> Disk {
        assert!(geteuid().is_root(), "cutting the power needs root, for loop devices and mounts");
        let evidence = site.evidence().to_owned();
        let memory = ["-t", "tmpfs", "-o", "size=2g,mode=0700", "tmpfs"];
        let memory = Mount::at(&evidence.join("memory"), &memory)
            .unwrap_or_else(|why| panic!("cutting the power needs mounts: {why}"));
        let point = evidence.join("disk");
        let mut disk = Disk { kind, mounted: None, memory, point, evidence };
        let image = disk.image();
        let made = fs::File::create(&image).and_then(|file| file.set_len(IMAGE_BYTES));
        made.expect("an image can be made");
        kind.make(text(&image)).unwrap_or_else(|why| panic!("no {kind:?} can be made: {why}"));
        disk.mount();
        disk
    }

    /// `boxwood serve` on it, with checkpoints and records taken away under fire.
    fn builder(&self, site: &Site) -> ServerBuilder {
        site.builder_in(&self.point.join("data")).set("history.keep_revisions", 25)
    }

    /// Without them: their own syncs save what a commit did not sync.
    fn quiet_builder(&self, site: &Site) -> ServerBuilder {
        self.builder(site)
            .set("history.keep_revisions", 100_000)
            .set("store.checkpoint_revisions", 100_000)
    }

    fn image(&self) -> PathBuf {
        self.memory.path().join("image")
    }

    fn copy(&self) -> PathBuf {
        self.memory.path().join("copy")
    }

    fn mount(&mut self) {
        let image = self.image();
        let mounted = Mount::at(&self.point, &["-o", self.kind.options(), text(&image)]);
        let mounted =
            mounted.unwrap_or_else(|why| panic!("cutting the power needs loop devices: {why}"));
        self.mounted = Some(mounted);
    }

    /// Lets all writers commit, and cuts the power at some moment.
    fn cut_under_commits(&mut self, server: &mut Server, writers: &mut [Writer], luck: &mut Luck) {
        let progress = &Progress::default();
        // One by one: only so many passwords are checked at once.
        let clients: Vec<Client> = writers.iter().map(|_| server.admin()).collect();
        thread::scope(|scope| {
            let watched = Watched { server, progress };
            for (writer, client) in writers.iter_mut().zip(clients) {
                scope.spawn(move || writer.run(client, progress));
            }
            pause(Duration::from_millis(150 + luck.below(1350)));
            progress.killed.store(true, Ordering::SeqCst);
            self.cut(watched.server);
        });
    }

    /// Cuts the power: the daemon is gone, and of its files there is what was on the device.
    fn cut(&mut self, server: &mut Server) {
        server.signal(Signal::STOP);
        wait_for("all threads to stop", || is_stopped(server));
        // As it is, once the kernel is done with what it was doing on the device already.
        let (image, copy) = (self.image(), self.copy());
        wait_for("a copy of the image at one moment", || {
            let copied = run("cp", &["--sparse=always", text(&image), text(&copy)]);
            copied.unwrap_or_else(|why| panic!("an image can be copied: {why}"));
            run("cmp", &["--quiet", text(&image), text(&copy)]).is_ok()
        });
        server.kill();
        self.mounted = None;
        // The copy stays as it is, for the case that something is wrong with it.
        let taken = run("cp", &["--sparse=always", text(&copy), text(&image)]);
        taken.unwrap_or_else(|why| panic!("an image can be copied: {why}"));
        self.mount();
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        self.mounted = None;
        if thread::panicking() && self.copy().exists() {
            let kept = self.evidence.join("image-after-the-last-cut");
            let _ = run("cp", &["--sparse=always", text(&self.copy()), text(&kept)]);
        }
    }
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a path is text")
}

/// Whether no thread of it runs, also not in the kernel.
fn is_stopped(server: &Server) -> bool {
    let tasks = format!("/proc/{}/task", server.pid());
    let states = fs::read_dir(tasks).into_iter().flatten().map(|task| {
        let stat = task.and_then(|task| fs::read_to_string(task.path().join("stat")));
        // The name before it, in parentheses, may hold anything.
        stat.ok()?.rsplit_once(") ")?.1.chars().next()
    });
    // One that ended before has nothing to stop.
    states.into_iter().all(|state| matches!(state, None | Some('T' | 'Z')))
}

#[expect(clippy::disallowed_methods, reason = "chooses when to cut; no outcome depends on it")]
fn pause(time: Duration) {
    thread::sleep(time);
}

#[expect(clippy::print_stdout, reason = "for the person who asked for it")]
fn report(line: &str) {
    let on = if FileSystem::has_xfs() { "ext4 and XFS" } else { "ext4; there is no mkfs.xfs" };
    println!("{line} (on {on})");
}
