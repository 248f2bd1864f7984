//! From sources to settings, or to everything that is wrong with them.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::PathBuf;

use catalog::Catalog;

use super::appliances::{self, OfAppliances};
use super::model::Settings;
use super::problem::{BadSettings, Problem};
use super::raw::{Given, Origin, Raw};
use super::registry::{self, Setting};
use super::together::Origins;
use super::value::{Mode, Secret};
use super::variables::SECRET_NAMES;
use super::{environment, file, secret_files, together};
use crate::spelling::nearest;

/// What the settings are made from, weakest source first.
#[derive(Debug)]
pub struct Sources {
    /// `dev` or `serve`.
    pub mode: Mode,
    /// `--config FILE`.
    pub config_file: Option<PathBuf>,
    /// The whole environment; variables that do not begin with `BOXWOOD_` are passed over.
    pub environment: Vec<(OsString, OsString)>,
    /// What flags gave, weakest first.
    pub flags: Vec<Given>,
}

impl Settings {
    /// The settings that the sources come to.
    ///
    /// # Errors
    ///
    /// All that is wrong in any of the sources, in the order of the sources.
    pub fn resolve(sources: Sources) -> Result<Settings, BadSettings> {
        let Sources { mode, config_file, environment, flags } = sources;
        let mut problems = Vec::new();
        let mut given = Vec::new();
        if let Some(path) = &config_file {
            file::read_file(path, &mut given, &mut problems);
        }
        let names = appliance_names(given.iter().chain(&flags));
        let credentials = secret_files::credentials_directory(&environment);
        let mut secrets =
            environment::read_environment(environment, &names, &mut given, &mut problems);
        given.extend(flags);

        let mut settings = defaults(mode, &mut problems);
        let of_appliances = OfAppliances::among(&given);
        settings.own_catalogs = of_appliances.with_catalog().map(str::to_owned).collect();
        let origins = apply_all(&mut settings, &given, &mut problems);
        secret_files::add(&mut secrets, &settings, credentials.as_deref(), &origins, &mut problems);
        settings.admin_password = secrets.admin_password.or_else(|| match mode {
            Mode::Dev => Some(Secret::new("admin")),
            Mode::Serve => None,
        });
        settings.secret_key = secrets.secret_key;
        together::catalog_or_appliance(&mut settings, &origins, &mut problems);
        let is_named = origins.contains_key("appliance");
        let listening = of_appliances.apply(&mut settings, is_named, &mut problems);
        together::check(&mut settings, listening, &origins, &mut problems);
        problems.sort_by(|a, b| a.origin.place().cmp(&b.origin.place()));
        match problems.is_empty() {
            true => Ok(settings),
            false => Err(BadSettings { problems }),
        }
    }
}

fn defaults(mode: Mode, problems: &mut Vec<Problem>) -> Settings {
    let mut settings = Settings::unset(mode);
    for setting in registry::REGISTRY {
        let default = Raw::Spelled(setting.default_in(mode).to_owned());
        problems.extend(setting.apply(&mut settings, &default, &Origin::Default));
    }
    settings
}

fn apply_all(settings: &mut Settings, given: &[Given], problems: &mut Vec<Problem>) -> Origins {
    let mut origins = Origins::new();
    for Given { name, raw, origin } in given {
        match registry::find(name) {
            Some(setting) => {
                problems.extend(setting.apply(settings, raw, origin));
                origins.insert(setting.name, origin.clone());
            }
            None if appliances::split(name).is_some() => {}
            None => problems.push(unknown(name, origin.clone())),
        }
    }
    origins
}

/// The appliances that a variable of the environment can mean: those built in, and those that are
/// named in a table or as a value. A variable's own letters do not say where a name has its dots.
fn appliance_names<'g>(given: impl Iterator<Item = &'g Given>) -> BTreeSet<String> {
    let mut names: BTreeSet<String> =
        Catalog::builtin_names().iter().map(|name| (*name).to_owned()).collect();
    for Given { name, raw, .. } in given {
        names.extend(appliances::split(name).map(|(name, _)| name.to_owned()));
        if name == "appliance" {
            names.extend(raw.texts().into_iter().map(str::to_owned));
        }
    }
    names
}

/// A name that is not a setting, with the one that was probably meant.
fn unknown(name: &str, origin: Origin) -> Problem {
    let message = match SECRET_NAMES.iter().find(|(secret, _)| *secret == name) {
        Some((_, variable)) => {
            format!("`{name}` is a secret and is given only as environment variable {variable}")
        }
        None => {
            match nearest(name, registry::REGISTRY.iter().map(|setting: &Setting| setting.name)) {
                Some(near) => format!("there is no setting `{name}`; did you mean `{near}`?"),
                None => {
                    format!(
                        "there is no setting `{name}`; `boxwood serve --help` lists the settings"
                    )
                }
            }
        }
    };
    Problem::new(name, origin, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_recognized_and_other_names_are_not() {
        let check = |name: &str, expect: Option<&str>| {
            let names = registry::REGISTRY.iter().map(|setting| setting.name);
            assert_eq!(nearest(name, names), expect, "{name}");
        };
        check("limits.body_byte", Some("limits.body_bytes"));
        check("limit.headers", Some("limits.headers"));
        check("lsiten", Some("listen"));
        check("tls.privatekey", Some("tls.private_key"));
        check("colour", None);
        check("x", None);
    }
}
