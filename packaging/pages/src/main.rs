//! Writes the man pages and shell completions of `boxwood` into a folder: `pages OUTPUT`.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use boxwood::cli::Cli;
use clap::CommandFactory;
use clap_complete::Shell;

fn main() -> io::Result<()> {
    let output = std::env::args_os().nth(1).map(PathBuf::from);
    let output = output.ok_or_else(|| io::Error::other("usage: pages OUTPUT"))?;
    write_pages(&output.join("man"))?;
    write_completions(&output.join("completions"))
}

fn write_pages(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    clap_mangen::generate_to(Cli::command(), folder)
}

fn write_completions(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    for shell in [Shell::Bash, Shell::Zsh, Shell::Fish] {
        clap_complete::generate_to(shell, &mut Cli::command(), "boxwood", folder)?;
    }
    Ok(())
}
