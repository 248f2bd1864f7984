//! What a person at a terminal and a service manager see of a start.

use std::fs::{File, OpenOptions};
use std::io::Read;
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use support::{Evidence, Server, Signal, binary, refused, wait_for};

#[test]
fn a_port_that_is_taken_is_named_with_its_holder_and_a_way_out() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("https://{}", taken.local_addr().expect("an address"));
    let exit = Server::builder().listen(&url).run();
    let holder = format!("(process {})", std::process::id());
    refused(&exit, 1, &[&url, "in use by", &holder, "--listen https://127.0.0.1:0"]);
}

#[test]
fn a_terminal_shows_where_to_go_and_standard_output_only_the_ready_line() {
    let terminal = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a terminal");
    grantpt(&terminal).expect("it can be used");
    unlockpt(&terminal).expect("it can be used");
    let name = ptsname(&terminal, Vec::new()).expect("it has a name");
    let name = name.to_str().expect("a path is text").to_owned();
    let other_side = OpenOptions::new().read(true).write(true).open(name).expect("it opens");
    let evidence = Evidence::new();
    let mut child = Command::new(binary())
        .args(["dev", "--listen", "https://127.0.0.1:0", "--log", "off"])
        .env("TMPDIR", evidence.path())
        .stdout(Stdio::piped())
        .stderr(OwnedFd::from(other_side))
        .spawn()
        .expect("the binary can be started");
    let mut screen = File::from(terminal);
    let mut shown = String::new();
    wait_for("the banner", || {
        let mut piece = [0; 1024];
        let count = screen.read(&mut piece).unwrap_or(0);
        shown += &String::from_utf8_lossy(&piece[..count]);
        shown.contains("Ctrl-C")
    });
    for expected in ["is ready", "sps-6.2", "https://127.0.0.1:", "login", "admin"] {
        assert!(shown.contains(expected), "{expected}: {shown}");
    }
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::INT).expect("it can be stopped");
    assert!(child.wait().expect("it ends").success());
    let mut printed = String::new();
    child.stdout.take().expect("a pipe").read_to_string(&mut printed).expect("it can be read");
    assert!(printed.starts_with("boxwood ready https://127.0.0.1:"), "{printed}");
    assert_eq!(printed.lines().count(), 1, "{printed}");
}

#[test]
fn without_a_terminal_there_is_no_banner() {
    let server = Server::dev();
    assert!(!server.log().contains("Ctrl-C"), "{}", server.log());
}

#[test]
fn a_service_manager_hears_of_start_watchdog_and_stop() {
    // The path of a socket has a hundred characters at most.
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("notify");
    let socket = UnixDatagram::bind(&path).expect("a socket");
    let mut server =
        Server::builder().env("NOTIFY_SOCKET", &path).env("WATCHDOG_USEC", "100000").start();
    // Read without a pause: the system holds a few messages only, and then the sender waits.
    let heard = Arc::new(Mutex::new(String::new()));
    let all = Arc::clone(&heard);
    std::thread::spawn(move || {
        let mut message = [0; 4096];
        while let Ok(count) = socket.recv(&mut message) {
            let text = String::from_utf8_lossy(&message[..count]).into_owned();
            all.lock().expect("it is not poisoned").push_str(&text);
        }
    });
    let has = |what: &str| heard.lock().expect("it is not poisoned").contains(what);
    wait_for("READY=1", || has("READY=1"));
    wait_for("WATCHDOG=1", || has("WATCHDOG=1"));
    assert!(has(&format!("STATUS=Accepting requests on {}", server.url())));
    assert!(!has("STOPPING=1"));
    assert!(server.terminate().success());
    wait_for("STOPPING=1", || has("STOPPING=1"));
}

#[test]
fn the_log_can_be_a_file_that_is_rotated() {
    let evidence = Evidence::new();
    let log = evidence.path().join("boxwood.log");
    let data = evidence.path().join("data");
    let mut server = Server::builder().serve(data).http().set("log.file", log.display()).start();
    let moved = evidence.path().join("boxwood.log.1");
    std::fs::rename(&log, &moved).expect("it can be moved");
    server.signal(Signal::HUP);
    wait_for("the file again", || {
        server.client().get("/boxwood/v1/health").expect(200);
        log.exists()
    });
    assert!(server.terminate().success());
    let before = std::fs::read_to_string(&moved).expect("there is a log");
    assert!(before.contains("\"message\":\"configuration opened\""), "{before}");
    let after = std::fs::read_to_string(&log).expect("there is a log");
    assert!(after.contains("\"message\":\"stopped\""), "{after}");
    assert_eq!(server.log(), "");
    let exit = Server::builder().set("log.file", evidence.path().display()).run();
    refused(&exit, 1, &["cannot append to the log file"]);
}

#[test]
fn verify_reads_a_data_directory_and_names_damage() {
    let evidence = Evidence::new();
    let data = evidence.path().join("data");
    let verify = Server::builder().bare().arg("verify").arg("--data-dir").arg(&data);
    refused(&verify.run(), 1, &["there is no configuration"]);
    let mut server = Server::builder().serve(&data).http().appliance("sps-7.0").start();
    refused(&verify.run(), 1, &["in use"]);
    assert!(server.terminate().success());
    // The appliance is the one that the directory names, whatever is the default.
    let exit = verify.run();
    assert!(exit.status.success(), "{}", exit.stderr);
    assert!(
        exit.stdout.starts_with("sps-7.0: revision 1 is in order: 1 records"),
        "{}",
        exit.stdout
    );

    let checkpoint = data.join("checkpoints/00000001.checkpoint");
    let mut bytes = std::fs::read(&checkpoint).expect("a checkpoint");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&checkpoint, bytes).expect("it can be written");
    let exit = verify.run();
    assert!(exit.status.success() && exit.stdout.contains("warning"), "{}", exit.stdout);
}
