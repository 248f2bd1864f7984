//! Sessions on a pseudo-terminal: colours, the prompt for a password, and an editor.

use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Command, Stdio};

use rustix::fs::{Mode, OFlags};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, tcgetattr};
use support::Server;

use crate::User;

const EMAIL: &str = "/management/email";

/// A command on a terminal of its own.
struct OnTerminal {
    child: Child,
    screen: File,
}

impl OnTerminal {
    fn start(mut command: Command) -> Self {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let name = ptsname(&master, Vec::new()).unwrap();
        let open = || -> OwnedFd { rustix::fs::open(&name, OFlags::RDWR, Mode::empty()).unwrap() };
        command.env("TERM", "xterm").env_remove("NO_COLOR");
        command.stdin(Stdio::from(open())).stdout(Stdio::from(open())).stderr(Stdio::from(open()));
        let child = command.spawn().unwrap();
        // The command keeps handles of the terminal that would hide its end.
        drop(command);
        Self { child, screen: File::from(master) }
    }

    /// Reads until a text is on the screen.
    fn wait_for(&mut self, text: &str) -> String {
        let (mut seen, mut bytes) = (String::new(), [0; 1024]);
        while !seen.contains(text) {
            let read = self.screen.read(&mut bytes).unwrap_or(0);
            assert!(read > 0, "the command ended before {text:?}: {seen:?}");
            seen.push_str(&String::from_utf8_lossy(&bytes[..read]));
        }
        seen
    }

    fn press(&mut self, text: &str) {
        self.screen.write_all(text.as_bytes()).unwrap();
    }

    /// All that is left on the screen, and the exit code.
    fn end(mut self) -> (String, i32) {
        let (mut seen, mut bytes) = (String::new(), [0; 1024]);
        // The terminal answers with an error once its other side is closed.
        while let Ok(read @ 1..) = self.screen.read(&mut bytes) {
            seen.push_str(&String::from_utf8_lossy(&bytes[..read]));
        }
        (seen, self.child.wait().unwrap().code().unwrap())
    }
}

#[test]
fn differences_are_coloured_on_a_terminal_and_plain_when_asked() {
    let server = Server::dev();
    let user = User::at(&server);
    user.out(&["open"]);
    user.out(&["set", EMAIL, "sender_address", "a@example.com"]);
    let (screen, code) = OnTerminal::start(user.command(&["show"])).end();
    assert_eq!(code, 0);
    assert!(screen.contains("\u{1b}[32m+\"a@example.com\"\u{1b}[0m"), "{screen:?}");
    let (screen, _) = OnTerminal::start(user.command(&["show", "--output", "json"])).end();
    assert!(!screen.contains('\u{1b}'), "{screen:?}");
}

#[test]
fn the_administrator_is_asked_for_a_password_that_is_not_shown() {
    let server = Server::dev();
    let user = User::new();
    let binary = support::binary();
    // The prompt is for the person at the terminal, so the command needs one that controls it.
    let mut command = user.command(&["login", server.url(), "--insecure"]);
    let arguments: Vec<_> = command.get_args().map(ToOwned::to_owned).collect();
    let variables: Vec<_> =
        command.get_envs().filter_map(|(n, v)| Some((n.to_owned(), v?.to_owned()))).collect();
    command = Command::new("setsid");
    command.args(["--ctty", "--wait"]).arg(binary).args(arguments).env_clear().envs(variables);
    command.env_remove("BOXWOOD_PASSWORD");
    let mut terminal = OnTerminal::start(command);
    terminal.wait_for("Password of admin: ");
    // What is typed before the echo is off would be shown by the terminal itself.
    let is_hidden = || !tcgetattr(&terminal.screen).unwrap().local_modes.contains(LocalModes::ECHO);
    support::wait_for("the terminal to hide what is typed", is_hidden);
    terminal.press("admin\n");
    let (screen, code) = terminal.end();
    assert!(code == 0 && screen.contains("logged in to"), "{screen:?}");
    assert!(!screen.contains("admin\r\n"), "{screen:?}");
}

/// An editor that does what a script says.
fn editor(user: &User, script: &str) -> String {
    let file = user.home.path().join("editor.sh");
    fs::write(&file, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
    file.to_str().unwrap().to_owned()
}

fn edit(user: &User, script: &str) -> (String, i32) {
    let mut command = user.command(&["edit", EMAIL, "--commit"]);
    command.env("EDITOR", editor(user, script));
    OnTerminal::start(command).end()
}

#[test]
fn an_edit_is_corrected_in_the_editor_and_nothing_is_lost() {
    let server = Server::dev();
    let user = User::at(&server);
    let (screen, code) = edit(
        &user,
        "sed -i 's/\"sender_address\": .*/\"sender_address\": \"ed@example.com\",/' $1",
    );
    assert!(code == 0 && screen.contains("committed as revision"), "{screen}");
    assert_eq!(user.json(&["get", EMAIL])["body"]["sender_address"], "ed@example.com");
    assert!(edit(&user, "true").0.contains("nothing changed"));

    // First a value that the schema refuses; the second time the refusal is in the file.
    let script = "if grep -q '^# .*sender_address' $1; then sed -i 's/12,$/\"again@example.com\",/' $1; \
                  else sed -i 's/\"sender_address\": .*/\"sender_address\": 12,/' $1; fi";
    let (screen, code) = edit(&user, script);
    assert!(code == 0 && screen.contains("committed as revision"), "{screen}");
    assert_eq!(user.json(&["get", EMAIL])["body"]["sender_address"], "again@example.com");

    // Given up: the text is kept where the command says.
    let (screen, code) =
        edit(&user, "sed -i 's/\"sender_address\": .*/\"sender_address\": 12,/' $1");
    assert!(code == 1 && screen.contains("your text is kept"), "{screen}");
    let file = screen.split("/boxwood-").nth(1).unwrap().split(':').next().unwrap();
    let file = std::env::temp_dir().join(format!("boxwood-{file}"));
    assert!(fs::read_to_string(&file).unwrap().contains("12,"));
    fs::remove_file(file).unwrap();
    let (screen, code) = edit(&user, "exit 3");
    assert!(code == 1 && screen.contains("ended with"), "{screen}");
}
