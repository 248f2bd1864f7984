//! What the program says of itself: the OpenAPI document, completions of shells, man pages.

use std::path::Path;

use clap::CommandFactory;
use clap_complete::Shell;

use super::{CommandError, say};
use crate::cli::{Cli, CompletionShell};

/// The program's name.
const NAME: &str = "boxwood";

/// Completes words that begin with a slash as paths of nodes.
const BASH: &str = r#"
_boxwood_paths() {
    case "${COMP_WORDS[COMP_CWORD]}" in
        /*)
            mapfile -t COMPREPLY < <(boxwood paths "${COMP_WORDS[COMP_CWORD]}" 2>/dev/null)
            compopt -o nospace
            ;;
        *) _boxwood "$@" ;;
    esac
}
complete -F _boxwood_paths -o bashdefault -o default boxwood
"#;

const ZSH: &str = r#"
_boxwood_paths() {
    if [[ "$words[CURRENT]" == /* ]]; then
        compadd -S '' -- ${(f)"$(boxwood paths "$words[CURRENT]" 2>/dev/null)"}
    else
        _boxwood "$@"
    fi
}
compdef _boxwood_paths boxwood
"#;

const FISH: &str = r#"
complete -c boxwood -f -n 'string match -q -- "/*" (commandline -ct)' -a '(boxwood paths (commandline -ct) 2>/dev/null)'
"#;

/// Prints the OpenAPI document of Boxwood's own API.
///
/// # Errors
/// Standard output took no more.
pub fn openapi() -> Result<(), CommandError> {
    say(format!("{:#}\n", front_end::openapi()))
}

/// Prints the completion script of a shell.
///
/// # Errors
/// Standard output took no more.
pub fn completion(shell: CompletionShell) -> Result<(), CommandError> {
    let (generator, paths) = match shell {
        CompletionShell::Bash => (Shell::Bash, BASH),
        CompletionShell::Zsh => (Shell::Zsh, ZSH),
        CompletionShell::Fish => (Shell::Fish, FISH),
    };
    let mut script = Vec::new();
    clap_complete::generate(generator, &mut Cli::command(), NAME, &mut script);
    script.extend_from_slice(paths.as_bytes());
    say(script)
}

/// Prints the man page, or writes those of all commands into a folder.
///
/// # Errors
/// It cannot be written.
pub fn man(dir: Option<&Path>) -> Result<(), CommandError> {
    let Some(dir) = dir else {
        let mut page = Vec::new();
        let rendered = clap_mangen::Man::new(Cli::command()).render(&mut page);
        rendered.map_err(CommandError::Output)?;
        return say(page);
    };
    let failed = |source| CommandError::Write { path: dir.to_owned(), source };
    std::fs::create_dir_all(dir).map_err(failed)?;
    clap_mangen::generate_to(Cli::command(), dir).map_err(failed)
}
