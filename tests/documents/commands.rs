//! Every command of the pages that users follow is run as it stands there. Only what cannot be the
//! same on every machine is put in its place: the port, the data directory, the password.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use support::{Evidence, binary};

use crate::{root, text};

/// What stands in for `boxwood`: daemons go to the background on a free port, one at a time, and
/// the command returns when they are ready.
const BOXWOOD: &str = r#"#!/bin/sh
stop() {
    [ ! -e "$SITE/pid" ] || {
        kill "$(cat "$SITE/pid")"
        while kill -0 "$(cat "$SITE/pid")" 2>/dev/null; do sleep 0.02; done
        rm "$SITE/pid"
    }
}
case $1 in
dev | serve)
    stop
    case "$*" in *--listen*) ;; *) set -- "$@" --listen https://127.0.0.1:0 ;; esac
    "$BINARY" "$@" >"$SITE/ready" 2>"$SITE/log" &
    echo $! >"$SITE/pid"
    until grep -q '^boxwood ready' "$SITE/ready"; do
        kill -0 "$(cat "$SITE/pid")" || { cat "$SITE/log" >&2; exit 1; }
        sleep 0.02
    done
    ;;
stop) stop ;;
url)
    [ -e "$SITE/pid" ] || BOXWOOD_ADMIN_PASSWORD=admin "$0" serve --data-dir data
    sed -n 's/^boxwood ready \([^ ]*\).*/\1/p' "$SITE/ready" | sed 's/0\.0\.0\.0/127.0.0.1/' | head -n 1
    ;;
*)
    case "$*" in *--data-dir*) stop ;; esac
    exec "$BINARY" "$@"
    ;;
esac
"#;

/// What is put in the place of what.
const PLACES: [(&str, &str); 6] = [
    ("https://127.0.0.1:8443", "$(boxwood url)"),
    ("https://boxwood.example.com:8443", "$(boxwood url)"),
    ("https://0.0.0.0:8443", "https://0.0.0.0:0"),
    ("/var/lib/boxwood", "data"),
    ("'…'", "admin"),
    ("make ", "make --dry-run --directory $ROOT "),
];

/// A block of code of a page: what stands behind the fence, and its lines.
struct Block {
    info: String,
    lines: Vec<String>,
}

fn blocks(page: &str) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let mut open = false;
    for line in page.lines() {
        match line.strip_prefix("```") {
            Some(_) if open => open = false,
            Some(info) => {
                open = true;
                blocks.push(Block { info: info.to_owned(), lines: Vec::new() });
            }
            None if open => {
                if let Some(block) = blocks.last_mut() {
                    block.lines.push(line.to_owned());
                }
            }
            None => {}
        }
    }
    blocks
}

/// The commands of a page, as a script. Where a page marks commands with `$`, all else in its
/// blocks is what they print; otherwise that is only what a daemon prints when it is ready.
fn script(page: &str) -> String {
    let blocks = blocks(page);
    let shell: Vec<&Block> =
        blocks.iter().filter(|block| matches!(block.info.as_str(), "" | "sh")).collect();
    let is_marked = shell.iter().any(|block| block.lines.iter().any(|l| l.starts_with("$ ")));
    let mut script = String::new();
    for block in shell {
        let mut continues = false;
        for line in &block.lines {
            let command = match line.strip_prefix("$ ") {
                Some(command) => command,
                None if is_marked && !continues => continue,
                None if line.starts_with("boxwood ready ") => continue,
                None => line,
            };
            continues = command.ends_with(['\\', '|']);
            script += command;
            script.push('\n');
        }
    }
    PLACES.iter().fold(script, |script, (from, to)| script.replace(from, to))
}

/// Runs the commands of a page in a fresh folder, and returns what they printed.
#[track_caller]
fn run(page: &str, prepare: impl FnOnce(&Path)) -> String {
    let evidence = Evidence::new();
    let site = fs::canonicalize(evidence.path()).expect("it is there");
    let tools = site.join("tools");
    fs::create_dir(&tools).expect("a folder can be made");
    let wrapper = tools.join("boxwood");
    fs::write(&wrapper, BOXWOOD).expect("a file can be written");
    fs::set_permissions(&wrapper, fs::Permissions::from_mode(0o755)).expect("modes can be set");
    prepare(&site);
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path = [tools.as_os_str(), &path].join(std::ffi::OsStr::new(":"));
    let script = format!("set -e\ntrap 'boxwood stop' EXIT\n{}", script(&text(page)));
    fs::write(site.join("script"), &script).expect("a file can be written");
    let output = Command::new("timeout")
        .args(["120", "sh", "script"])
        .current_dir(&site)
        .env("PATH", path)
        .env("SITE", &site)
        .env("BINARY", binary())
        .env("ROOT", root())
        .env("TMPDIR", &site)
        .output()
        .expect("a shell can be started");
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{page}: {}\n{script}\n{stdout}\n{stderr}", output.status);
    stdout
}

/// The certificate that a page assumes to be there: that of the daemon.
fn with_certificate(site: &Path) {
    let script = "boxwood serve --data-dir data >/dev/null && curl --silent --insecure \
                  --output /dev/null --write-out '%{certs}' \"$(boxwood url)/\" >boxwood.pem; \
                  boxwood stop";
    let path = format!("{}:{}", site.join("tools").display(), env_path());
    let status = Command::new("sh")
        .args(["-c", script])
        .current_dir(site)
        .env("PATH", path)
        .env("SITE", site)
        .env("BINARY", binary())
        .env("BOXWOOD_ADMIN_PASSWORD", "admin")
        .status()
        .expect("a shell can be started");
    assert!(status.success(), "{status}");
}

fn env_path() -> String {
    std::env::var_os("PATH").unwrap_or_default().to_string_lossy().into_owned()
}

#[test]
fn the_commands_of_the_readme_run() {
    let printed = run("README.md", |site| {
        // The first of its blocks starts the emulator, by make.
        let readme = text("README.md");
        assert!(readme.contains("make run") && site.exists());
    });
    assert!(!printed.contains("\"error\""), "{printed}");
    assert!(printed.contains("\"status\":\"closed\""), "nothing was committed: {printed}");
}

#[test]
fn the_commands_of_the_operations_page_run() {
    let printed = run("docs/OPERATIONS.md", with_certificate);
    assert!(printed.contains("boxwood-configuration/1"), "nothing was exported: {printed}");
    assert!(printed.contains("lamp (Lamp)"), "no catalog was checked: {printed}");
}

#[test]
fn the_commands_of_the_catalog_page_run() {
    let printed = run("docs/CATALOG.md", |site| {
        let lamp = site.join("lamp");
        fs::create_dir(&lamp).expect("a folder can be made");
        for block in blocks(&text("docs/CATALOG.md")) {
            let name = block.lines.first().and_then(|line| line.strip_prefix("# "));
            if let Some(name) = name.filter(|name| name.ends_with(".yaml")) {
                let file = block.lines[1..].join("\n") + "\n";
                fs::write(lamp.join(name), file).expect("a file can be written");
            }
        }
    });
    // One of the steps is refused, and the page says with which words.
    let refused: Vec<&str> = printed.matches("\"error\"").collect();
    assert_eq!(refused.len(), 1, "{printed}");
    assert!(printed.contains("`brightness` may not be present when `mode` is off"), "{printed}");
    assert!(printed.contains("\"status\":\"closed\""), "nothing was committed: {printed}");
}
