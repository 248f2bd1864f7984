//! The two secrets from files: the one that a setting names, or those that systemd hands over.
//!
//! The environment of a process is seen by those who may look at the process, and is passed on to what
//! it starts. A file of mode 0400 is not, and neither is a credential of a systemd unit
//! (`LoadCredential=boxwood.admin-password:FILE`, systemd.exec(5), "Credentials").

use std::ffi::OsString;
use std::io::Read;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::environment::Secrets;
use super::model::Settings;
use super::problem::Problem;
use super::raw::Origin;
use super::together::{self, Origins};
use super::variables::{ADMIN_PASSWORD, SECRET_KEY};

/// The setting that names the file with the administrator's password.
pub(super) const ADMIN_PASSWORD_FILE: &str = "login.admin_password_file";

/// Where systemd puts the credentials of a unit.
const CREDENTIALS_DIRECTORY: &str = "CREDENTIALS_DIRECTORY";

/// The credentials, with the variables in whose place they stand.
pub(super) const CREDENTIALS: [(&str, &str); 2] =
    [("boxwood.admin-password", ADMIN_PASSWORD), ("boxwood.secret-key", SECRET_KEY)];

/// Most bytes of such a file: more are a slip.
const MOST_BYTES: u64 = 4096;

/// The directory with the credentials of the unit, if it has any.
pub(super) fn credentials_directory(environment: &[(OsString, OsString)]) -> Option<PathBuf> {
    let found = environment.iter().find(|(name, _)| name == CREDENTIALS_DIRECTORY);
    found.map(|(_, value)| PathBuf::from(value))
}

/// Adds what the environment did not give. A file that a setting names goes before a credential.
pub(super) fn add(
    secrets: &mut Secrets,
    settings: &Settings,
    credentials: Option<&Path>,
    origins: &Origins,
    problems: &mut Vec<Problem>,
) {
    if let Some(file) = &settings.login.admin_password_file
        && secrets.admin_password.is_none()
    {
        let origin = together::origin(origins, ADMIN_PASSWORD_FILE);
        let outcome = read(file).and_then(|text| secrets.take(ADMIN_PASSWORD, text));
        let problem = |why| Problem::new(ADMIN_PASSWORD_FILE, origin, cannot(file, why));
        problems.extend(outcome.err().map(problem));
    }
    for (name, variable) in CREDENTIALS {
        let file = credentials.map(|directory| directory.join(name)).filter(|file| file.exists());
        let Some(file) = file.filter(|_| !secrets.has(variable)) else { continue };
        let outcome = read(&file).and_then(|text| secrets.take(variable, text));
        let origin = Origin::WholeFile(file.display().to_string());
        problems.extend(outcome.err().map(|why| Problem::new(name, origin, cannot(&file, why))));
    }
}

fn cannot(file: &Path, why: String) -> String {
    format!("the secret in {} cannot be used: {why}", file.display())
}

// The text of a file without the line end that editors add.
fn read(file: &Path) -> Result<String, String> {
    let mut text = Zeroizing::new(String::new());
    let opened = std::fs::File::open(file).map_err(|error| error.to_string())?;
    opened.take(MOST_BYTES + 1).read_to_string(&mut text).map_err(|error| error.to_string())?;
    if text.len() as u64 > MOST_BYTES {
        return Err(format!("it is larger than {MOST_BYTES} bytes"));
    }
    let line = text.strip_suffix('\n').unwrap_or(&text);
    Ok(line.strip_suffix('\r').unwrap_or(line).to_owned())
}
