//! File systems that are mounted for a test and gone after it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A mounted file system, until it is dropped.
#[derive(Debug)]
pub(crate) struct Mount {
    path: PathBuf,
}

impl Mount {
    /// Mounts at a place, which is made. The arguments are those of `mount` before the place.
    ///
    /// # Errors
    ///
    /// Where that is not permitted, or the system says something else.
    pub(crate) fn at(path: &Path, arguments: &[&str]) -> Result<Mount, String> {
        fs::create_dir_all(path).expect("a directory can be made");
        let path_text = path.to_str().expect("a path is text");
        run("mount", &[arguments, &[path_text]].concat())?;
        Ok(Mount { path: path.to_owned() })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let path = self.path.to_str().expect("a path is text");
        if run("umount", &[path]).is_err() {
            // The daemon of a failed test may still have it open.
            let _ = run("umount", &["-l", path]);
        }
    }
}

/// Runs a program of the system to its end.
///
/// # Errors
///
/// What it said, when it failed or is not there.
pub(crate) fn run(program: &str, arguments: &[&str]) -> Result<(), String> {
    let output = Command::new(program).args(arguments).output().map_err(|why| why.to_string())?;
    match output.status.success() {
        true => Ok(()),
        false => Err(String::from_utf8_lossy(&output.stderr).trim().to_owned()),
    }
}
