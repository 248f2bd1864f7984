//! The real binary as a child process, on free ports and with nothing of the caller's environment
//! that could change its settings.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use rustix::process::{Pid, Signal, kill_process};

use crate::client::Client;
use crate::dialect::Dialect;
use crate::evidence::Evidence;
use crate::wait::{wait_for, wait_for_value};

/// What the log of a server is called in its evidence directory.
const LOG: &str = "stderr.log";

/// What begins the line by which a listener is announced.
const READY: &str = "boxwood ready ";

/// The appliance that is emulated when none is named.
const DEFAULT_APPLIANCE: &str = "sps-6.2";

/// A running `boxwood`; killed when dropped.
#[derive(Debug)]
pub struct Server {
    child: Child,
    urls: Vec<String>,
    /// The appliance behind each of them.
    appliances: Vec<String>,
    output: Arc<Mutex<Output>>,
    status: Option<ExitStatus>,
    // Last, so that the process is gone before its files are.
    evidence: Arc<Evidence>,
}

/// Standard output so far.
#[derive(Debug, Default)]
struct Output {
    lines: Vec<String>,
    ended: bool,
}

/// How a `boxwood` that was not meant to stay ended.
#[derive(Debug)]
pub struct Exit {
    /// The exit status.
    pub status: ExitStatus,
    /// All of standard output.
    pub stdout: String,
    /// All of standard error.
    pub stderr: String,
    /// Kept as long as this is, and beyond when the test fails.
    pub evidence: Arc<Evidence>,
}

/// A `boxwood` to be started; it can be started several times.
#[derive(Clone, Debug)]
pub struct ServerBuilder {
    /// `None` is the one that was built beside the test.
    binary: Option<PathBuf>,
    command: Option<&'static str>,
    data_dir: Option<PathBuf>,
    listen: Vec<String>,
    appliances: Vec<String>,
    args: Vec<OsString>,
    environment: Vec<(OsString, Option<OsString>)>,
    log: LogTo,
}

/// Where standard error goes.
#[derive(Clone, Debug)]
enum LogTo {
    /// The evidence directory.
    Evidence,
    /// A pipe that is not read until the test does.
    Pipe,
    /// Another file, a device for example.
    File(PathBuf),
}

impl Server {
    /// `boxwood dev` with https on a free port, accepting requests.
    ///
    /// # Panics
    ///
    /// When it does not get there.
    #[track_caller]
    pub fn dev() -> Server {
        Server::builder().start()
    }

    /// `boxwood dev` for these appliances, each with https on a free port.
    ///
    /// # Panics
    ///
    /// When it does not get there.
    #[track_caller]
    pub fn dev_of(appliances: &[&str]) -> Server {
        let of = |builder: ServerBuilder, name: &&str| builder.appliance(name);
        appliances.iter().fold(Server::builder(), of).start()
    }

    /// To say more before the start; without more words it is what [`Server::dev`] starts.
    pub fn builder() -> ServerBuilder {
        ServerBuilder {
            binary: None,
            command: Some("dev"),
            data_dir: None,
            listen: Vec::new(),
            appliances: Vec::new(),
            args: Vec::new(),
            environment: Vec::new(),
            log: LogTo::Evidence,
        }
    }

    /// The first listener, as the ready line named it.
    pub fn url(&self) -> &str {
        &self.urls[0]
    }

    /// All listeners, in the order of the ready lines.
    pub fn urls(&self) -> &[String] {
        &self.urls
    }

    /// The listener of an appliance.
    ///
    /// # Panics
    ///
    /// When no listener is that appliance's.
    #[track_caller]
    pub fn url_of(&self, appliance: &str) -> &str {
        let known = &self.appliances;
        match known.iter().position(|name| name == appliance) {
            Some(place) => &self.urls[place],
            None => panic!("no listener is of {appliance}; there are {known:?}"),
        }
    }

    /// A client of the first listener, without credentials.
    pub fn client(&self) -> Client {
        self.client_at(0)
    }

    /// A client of an appliance's listener, without credentials, by the rules of its dialect.
    ///
    /// # Panics
    ///
    /// When no listener is that appliance's.
    #[track_caller]
    pub fn client_of(&self, appliance: &str) -> Client {
        Client::new(self.url_of(appliance)).dialect(Dialect::of_appliance(appliance))
    }

    /// A client of the first listener, with the credentials of the administrator.
    ///
    /// # Panics
    ///
    /// When a login is refused.
    #[track_caller]
    pub fn admin(&self) -> Client {
        with_credentials(self.client(), &self.appliances[0])
    }

    /// A client of an appliance's listener, with the credentials of the administrator.
    ///
    /// # Panics
    ///
    /// When no listener is that appliance's, or a login is refused.
    #[track_caller]
    pub fn admin_of(&self, appliance: &str) -> Client {
        with_credentials(self.client_of(appliance), appliance)
    }

    fn client_at(&self, place: usize) -> Client {
        Client::new(&self.urls[place]).dialect(Dialect::of_appliance(&self.appliances[place]))
    }

    /// The process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The log so far.
    pub fn log(&self) -> String {
        self.evidence.text(LOG)
    }

    /// The pipe of [`ServerBuilder::unread_log`], to be read at last.
    ///
    /// # Panics
    ///
    /// When there is no pipe, or it was taken before.
    pub fn take_log_pipe(&mut self) -> ChildStderr {
        self.child.stderr.take().expect("standard error is a pipe")
    }

    /// The lines of standard output so far, ready lines included.
    pub fn stdout(&self) -> Vec<String> {
        lock(&self.output).lines.clone()
    }

    /// The directory that is kept when the test fails; also the child's directory for temporary
    /// files.
    pub fn evidence(&self) -> &Path {
        self.evidence.path()
    }

    /// Asks it to stop (SIGTERM) and waits until it has.
    ///
    /// # Panics
    ///
    /// When it does not stop.
    pub fn terminate(&mut self) -> ExitStatus {
        self.signal(Signal::TERM);
        self.wait()
    }

    /// Sends SIGTERM and returns at once: for what happens while it drains.
    pub fn request_termination(&mut self) {
        self.signal(Signal::TERM);
    }

    /// Sends SIGINT, as Ctrl-C does, and waits for the end.
    ///
    /// # Panics
    ///
    /// When it does not stop.
    pub fn interrupt(&mut self) -> ExitStatus {
        self.signal(Signal::INT);
        self.wait()
    }

    /// Kills it (SIGKILL): no line of its code runs after this.
    pub fn kill(&mut self) -> ExitStatus {
        self.signal(Signal::KILL);
        self.wait()
    }

    /// Waits until it has ended by itself or by an earlier signal.
    ///
    /// # Panics
    ///
    /// When it does not end.
    pub fn wait(&mut self) -> ExitStatus {
        if let Some(status) = self.status {
            return status;
        }
        let status = wait_for_value("the end of boxwood", || {
            self.child.try_wait().expect("a child can be waited for")
        });
        self.status = Some(status);
        wait_for("the end of its output", || lock(&self.output).ended);
        status
    }

    fn into_exit(mut self) -> Exit {
        let status = self.wait();
        let stdout = self.stdout().iter().map(|line| format!("{line}\n")).collect();
        Exit { status, stdout, stderr: self.log(), evidence: Arc::clone(&self.evidence) }
    }

    /// Whether it still runs.
    pub fn is_running(&mut self) -> bool {
        if self.status.is_none() {
            self.status = self.child.try_wait().expect("a child can be waited for");
        }
        self.status.is_none()
    }

    /// Sends a signal, unless it has ended.
    ///
    /// # Panics
    ///
    /// When the system refuses.
    pub fn signal(&mut self, signal: Signal) {
        // A child that was waited for is gone, and its number may be another's by now.
        if self.is_running() {
            kill_process(Pid::from_child(&self.child), signal).expect("a child can be signalled");
        }
    }
}

/// What a client of Appgate SDP sends as `Accept`.
const APPGATE: &str = "application/vnd.appgate.peer-v23+json";

/// The client as the administrator, whose password is admin.
#[track_caller]
fn with_credentials(mut client: Client, appliance: &str) -> Client {
    match Dialect::of_appliance(appliance) {
        Dialect::Sps => {
            client.login("admin", "admin");
            client
        }
        Dialect::DsServer => client.basic("admin", "admin"),
        Dialect::Advalidation => client.credentials("X-API-Key", "admin"),
        Dialect::Prisma => {
            let form = "grant_type=client_credentials&scope=tsg_id:1";
            let token = client
                .request("POST", "/oauth2/access_token")
                .basic("admin", "admin")
                .text(form, "application/x-www-form-urlencoded")
                .send()
                .expect(200)
                .at("/access_token");
            let token = token.as_str().unwrap_or_default();
            client.credentials("authorization", &format!("Bearer {token}"))
        }
        Dialect::Appgate => {
            let mut client = client.credentials("accept", APPGATE);
            let body = serde_json::json!({
                "providerName": "local",
                "deviceId": "9a1f3b52-6c1e-4b8e-8f6f-3a52ad0c2f11",
                "username": "admin",
                "password": "admin",
            });
            let token = client.post("/admin/login", &body).expect(200).at("/token");
            let token = token.as_str().unwrap_or_default();
            client.credentials("authorization", &format!("Bearer {token}"))
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Nothing here may panic: the test may be doing so already.
        if self.status.is_none() {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

impl ServerBuilder {
    /// `boxwood serve` on this data directory, with the password admin.
    pub fn serve(mut self, data_dir: impl AsRef<Path>) -> Self {
        self.command = Some("serve");
        self.data_dir = Some(data_dir.as_ref().to_owned());
        self.environment.insert(0, ("BOXWOOD_ADMIN_PASSWORD".into(), Some("admin".into())));
        self
    }

    /// A data directory for `boxwood dev` too.
    pub fn data_dir(mut self, data_dir: impl AsRef<Path>) -> Self {
        self.data_dir = Some(data_dir.as_ref().to_owned());
        self
    }

    /// Neither command: what follows is the whole command line. For [`ServerBuilder::run`].
    pub fn bare(mut self) -> Self {
        self.command = None;
        self
    }

    /// Another binary than the one built beside the test: an older release, for instance.
    pub fn binary(mut self, path: impl AsRef<Path>) -> Self {
        self.binary = Some(path.as_ref().to_owned());
        self
    }

    /// A listener on a free port with plain http. Without any, there is one with https.
    pub fn http(self) -> Self {
        self.listen("http://127.0.0.1:0")
    }

    /// A listener on a free port with https.
    pub fn https(self) -> Self {
        self.listen("https://127.0.0.1:0")
    }

    /// An appliance: the first word of it takes the place of the default one, each more is one more
    /// appliance. Those that have no listener of their own get one with https on a free port.
    pub fn appliance(mut self, name: &str) -> Self {
        self.appliances.push(name.to_owned());
        self
    }

    /// A listener; that of a named appliance is `NAME=URL`.
    pub fn listen(mut self, url: &str) -> Self {
        self.listen.push(url.to_owned());
        self
    }

    /// An argument, after those that the other words come to.
    pub fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.args.push(arg.as_ref().to_owned());
        self
    }

    /// Several arguments.
    pub fn args<A: AsRef<OsStr>>(self, args: impl IntoIterator<Item = A>) -> Self {
        args.into_iter().fold(self, ServerBuilder::arg)
    }

    /// A setting, by `--set name=value`.
    pub fn set(self, name: &str, value: impl std::fmt::Display) -> Self {
        self.arg("--set").arg(format!("{name}={value}"))
    }

    /// Standard error is a pipe that is not read, except by [`Server::take_log_pipe`].
    pub fn unread_log(mut self) -> Self {
        self.log = LogTo::Pipe;
        self
    }

    /// Standard error is this file.
    pub fn log_to(mut self, file: impl AsRef<Path>) -> Self {
        self.log = LogTo::File(file.as_ref().to_owned());
        self
    }

    /// An environment variable.
    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.environment.push((name.into(), Some(value.as_ref().to_owned())));
        self
    }

    /// Takes an environment variable away, `BOXWOOD_ADMIN_PASSWORD` for instance.
    pub fn env_remove(mut self, name: &str) -> Self {
        self.environment.push((name.into(), None));
        self
    }

    /// Starts it and waits for its ready lines.
    ///
    /// # Panics
    ///
    /// When it ends before, or does not get there; the message holds its log.
    #[track_caller]
    pub fn start(&self) -> Server {
        match self.try_start() {
            Ok(server) => server,
            Err(Exit { status, stderr, .. }) => {
                panic!("boxwood ended before it was ready: {status}\n{stderr}")
            }
        }
    }

    /// As [`ServerBuilder::start`], for a start that may be refused.
    ///
    /// # Errors
    ///
    /// How it ended, when it ended before it was ready.
    ///
    /// # Panics
    ///
    /// When it neither gets ready nor ends.
    #[track_caller]
    pub fn try_start(&self) -> Result<Server, Exit> {
        let mut server = self.spawn();
        let listeners = self.listeners().len();
        let ready = wait_for_value("the ready lines of boxwood", || {
            let output = lock(&server.output);
            let ready: Vec<String> = output
                .lines
                .iter()
                .filter_map(|line| line.strip_prefix(READY))
                .map(str::to_owned)
                .collect();
            (ready.len() >= listeners || output.ended).then_some(ready)
        });
        if ready.len() < listeners {
            return Err(server.into_exit());
        }
        let only = self.appliances.first().map_or(DEFAULT_APPLIANCE, String::as_str);
        for line in ready {
            // Of one appliance alone the line ends with the URL.
            let (url, appliance) = line.split_once(' ').unwrap_or((&line, only));
            server.urls.push(url.to_owned());
            server.appliances.push(appliance.to_owned());
        }
        Ok(server)
    }

    /// The listeners to be: those given, and one for each appliance that has none.
    fn listeners(&self) -> Vec<String> {
        const FREE: &str = "https://127.0.0.1:0";
        let mut all = self.listen.clone();
        if !all.iter().any(|given| given.starts_with("http")) {
            all.insert(0, FREE.to_owned());
        }
        for name in self.appliances.iter().skip(1) {
            let own = format!("{name}=");
            if !all.iter().any(|given| given.starts_with(&own)) {
                all.push(format!("{own}{FREE}"));
            }
        }
        all
    }

    /// Runs it to its end, for a start that is to be refused and for commands that answer and end.
    ///
    /// # Panics
    ///
    /// When it goes on running.
    #[track_caller]
    pub fn run(&self) -> Exit {
        self.spawn().into_exit()
    }

    /// Starts it and waits for nothing: it has no [`Server::url`] yet, and may never get there.
    ///
    /// # Panics
    ///
    /// When there is no such binary.
    pub fn spawn(&self) -> Server {
        let evidence = Arc::new(Evidence::new());
        let log: Stdio = match &self.log {
            LogTo::Pipe => Stdio::piped(),
            LogTo::Evidence => created(&evidence.path().join(LOG)).into(),
            LogTo::File(file) => created(file).into(),
        };
        let mut command = Command::new(self.binary.clone().unwrap_or_else(binary));
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("BOXWOOD_") {
                command.env_remove(name);
            }
        }
        command.env("TMPDIR", evidence.path());
        if let Some(name) = self.command {
            command.arg(name);
            for url in self.listeners() {
                command.args(["--listen", &url]);
            }
        } else {
            for url in &self.listen {
                command.args(["--listen", url]);
            }
        }
        if let Some(data_dir) = &self.data_dir {
            command.arg("--data-dir").arg(data_dir);
        }
        command.args(&self.args);
        for name in &self.appliances {
            command.args(["--appliance", name]);
        }
        for (name, value) in &self.environment {
            match value {
                Some(value) => command.env(name, value),
                None => command.env_remove(name),
            };
        }
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .expect("the binary can be started");
        let output = Arc::new(Mutex::new(Output::default()));
        let stdout = child.stdout.take().expect("standard output is a pipe");
        let shared = Arc::clone(&output);
        // Reads to the end, so that the child never waits for a full pipe.
        thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                lock(&shared).lines.push(line);
            }
            lock(&shared).ended = true;
        });
        let (urls, appliances) = (Vec::new(), Vec::new());
        Server { child, urls, appliances, output, status: None, evidence }
    }
}

fn created(log: &Path) -> File {
    File::create(log).expect("the log can be created")
}

/// The binary beside the test executable, which stands in `target/PROFILE/deps`.
///
/// # Panics
///
/// When it is not built.
pub fn binary() -> PathBuf {
    let test = std::env::current_exe().expect("a test knows its executable");
    let profile = test.parent().and_then(Path::parent).expect("it stands in a deps directory");
    let binary = profile.join(format!("boxwood{}", std::env::consts::EXE_SUFFIX));
    assert!(
        binary.is_file(),
        "there is no {}: run `cargo build -p boxwood` first, or `make test`",
        binary.display()
    );
    binary
}

/// A test that panicked with the lock held is no reason to hide the output.
fn lock(output: &Mutex<Output>) -> MutexGuard<'_, Output> {
    output.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A command that was refused: its exit code, nothing on standard output, and a message that has
/// all of these words in it. Returns the message.
#[track_caller]
pub fn refused(exit: &Exit, code: i32, words: &[&str]) -> String {
    let Exit { status, stdout, stderr, .. } = exit;
    assert_eq!((status.code(), stdout.as_str()), (Some(code), ""), "{stderr}");
    assert!(!stderr.contains("panicked"), "{stderr}");
    let from = stderr.rfind("boxwood: ").unwrap_or_else(|| panic!("no message:\n{stderr}"));
    let message = &stderr[from..];
    for word in words {
        assert!(message.contains(word), "the message does not say {word:?}: {message}");
    }
    message.to_owned()
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;

    use super::*;

    /// A shell in the place of the binary.
    fn shell(script: &str) -> ServerBuilder {
        Server::builder().binary("/bin/sh").bare().arg("-c").arg(script)
    }

    const STAYS: &str = "trap 'exit 3' TERM; echo log >&2; \
                         echo boxwood ready https://127.0.0.1:7; while :; do sleep 0.01; done";

    #[test]
    fn a_server_is_awaited_and_stopped() {
        let mut server = shell(STAYS).start();
        assert_eq!(server.urls(), ["https://127.0.0.1:7"]);
        assert_eq!(server.stdout(), ["boxwood ready https://127.0.0.1:7"]);
        assert_eq!(server.log(), "log\n");
        assert!(server.is_running());
        assert_eq!(server.terminate().code(), Some(3));
        assert!(!server.is_running());
        assert_eq!(server.terminate().code(), Some(3));
        let evidence = server.evidence().to_owned();
        drop(server);
        assert!(!evidence.exists());
    }

    #[test]
    fn listeners_are_found_by_their_appliance() {
        let script = "echo boxwood ready https://127.0.0.1:7; trap 'exit 0' TERM; \
                      while :; do sleep 0.01; done";
        let server = shell(script).appliance("ds-server").start();
        assert_eq!(server.url_of("ds-server"), "https://127.0.0.1:7");
        let script = "echo boxwood ready https://127.0.0.1:7 sps-6.2; \
                      echo boxwood ready https://127.0.0.1:8 ds-server; trap 'exit 0' TERM; \
                      while :; do sleep 0.01; done";
        let server = shell(script).appliance("sps-6.2").appliance("ds-server").start();
        assert_eq!(server.url(), "https://127.0.0.1:7");
        assert_eq!(server.url_of("ds-server"), "https://127.0.0.1:8");
    }

    #[test]
    fn a_server_is_killed_at_the_latest_when_dropped() {
        let mut server = shell(STAYS).start();
        assert_eq!(server.kill().signal(), Some(9));
        let server = shell(STAYS).start();
        let pid = Pid::from_child(&server.child);
        drop(server);
        assert!(rustix::process::test_kill_process(pid).is_err());
    }

    #[test]
    fn a_server_that_does_not_start_is_reported_with_its_log() {
        let script = "echo boxwood is not ready; echo bad setting >&2; exit 4";
        let exit = shell(script).try_start().expect_err("it ends");
        assert_eq!((exit.status.code(), exit.stderr.as_str()), (Some(4), "bad setting\n"));
        assert_eq!(exit.stdout, "boxwood is not ready\n");
    }

    #[test]
    fn what_ends_by_itself_is_run_to_its_end() {
        let exit = shell("echo out; echo err $VALUE $TMPDIR >&2; exit 5").env("VALUE", "v").run();
        assert_eq!((exit.status.code(), exit.stdout.as_str()), (Some(5), "out\n"));
        assert!(exit.stderr.starts_with("err v /") && exit.stderr.contains("evidence"));
    }

    #[test]
    fn the_command_line_is_put_together() {
        let arguments = |builder: ServerBuilder| builder.binary("/bin/echo").run().stdout;
        let directory = std::env::temp_dir();
        let shown = directory.display();
        assert_eq!(arguments(Server::builder()), "dev --listen https://127.0.0.1:0\n");
        assert_eq!(
            arguments(Server::builder().serve(&directory).http().set("limits.headers", 9)),
            format!(
                "serve --listen http://127.0.0.1:0 --data-dir {shown} --set limits.headers=9\n"
            )
        );
        assert_eq!(
            arguments(Server::builder().http().appliance("a").appliance("b")),
            "dev --listen http://127.0.0.1:0 --listen b=https://127.0.0.1:0 --appliance a \
             --appliance b\n"
        );
        assert_eq!(
            arguments(
                Server::builder().listen("b=http://127.0.0.1:0").appliance("a").appliance("b")
            ),
            "dev --listen https://127.0.0.1:0 --listen b=http://127.0.0.1:0 --appliance a \
             --appliance b\n"
        );
        assert_eq!(arguments(Server::builder().bare().arg("get").arg("x")), "get x\n");
    }
}
