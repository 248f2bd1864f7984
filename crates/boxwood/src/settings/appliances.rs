//! The settings of single appliances: `appliances.NAME.KEY`, a table for each in the file.

use std::collections::BTreeMap;

use catalog::Catalog;
use front_end::transport::ListenUrl;

use super::appliance_registry::{self, APPLIANCE_REGISTRY, ApplianceSetting};
use super::model::{ApplianceSettings, Settings};
use super::problem::Problem;
use super::raw::{Given, Origin, Raw};
use crate::spelling::nearest;

/// What the names of these settings begin with.
pub(super) const PREFIX: &str = "appliances.";

/// The name of an appliance and the key, of the name of a setting. A name may hold dots.
pub(super) fn split(setting: &str) -> Option<(&str, &str)> {
    setting.strip_prefix(PREFIX)?.rsplit_once('.')
}

/// Where the listeners of an appliance are stated.
pub(super) struct Listening {
    /// The setting.
    pub(super) setting: String,
    /// Where it was given.
    pub(super) origin: Origin,
    /// Whether they follow from those of the first appliance.
    pub(super) derived: bool,
}

/// The given values that concern single appliances, by the name of the appliance.
#[derive(Default)]
pub(super) struct OfAppliances<'g>(BTreeMap<&'g str, Vec<(&'g str, &'g Given)>>);

impl<'g> OfAppliances<'g> {
    pub(super) fn among(given: &'g [Given]) -> Self {
        let mut all = Self::default();
        for given in given {
            if let Some((name, key)) = split(&given.name) {
                all.0.entry(name).or_default().push((key, given));
            }
        }
        all
    }

    /// Those that bring a catalog of their own, so that they may have any name.
    pub(super) fn with_catalog(&self) -> impl Iterator<Item = &'g str> {
        let has_catalog = |given: &[(&str, &Given)]| given.iter().any(|(key, _)| *key == "catalog");
        self.0.iter().filter(move |(_, given)| has_catalog(given)).map(|(name, _)| *name)
    }

    /// Makes the settings of each appliance that is served; checks those of the others, too.
    pub(super) fn apply(
        &self,
        settings: &mut Settings,
        is_named: bool,
        problems: &mut Vec<Problem>,
    ) -> Vec<Listening> {
        let names = std::mem::take(&mut settings.names);
        for (name, given) in &self.0 {
            if names.iter().any(|served| served == name) && settings.catalog.is_none() {
                continue;
            }
            self.settings_of(name, settings, problems);
            // In a file, a table may wait for the day when its appliance is served.
            let stray = |given: &Given| !is_named || matches!(given.origin, Origin::Flag(_));
            let stray = given.iter().filter(|(_, given)| stray(given));
            problems.extend(stray.map(|(_, given)| not_served(name, given)));
        }
        if settings.catalog.is_some() {
            let mut own = unset(settings);
            own.catalog = settings.catalog.take();
            own.listen = std::mem::take(&mut settings.listen);
            settings.appliances = vec![own];
            return Vec::new();
        }
        let mut listening = Vec::new();
        for name in &names {
            let own = self.settings_of(name, settings, problems);
            let origin = self.origin(name, "listen").cloned().unwrap_or(Origin::Default);
            let setting = format!("{PREFIX}{name}.listen");
            listening.push(Listening { setting, origin, derived: own.listen.is_empty() });
            settings.appliances.push(own);
        }
        listening
    }

    fn origin(&self, name: &str, key: &str) -> Option<&'g Origin> {
        let given = self.0.get(name)?.iter().rev();
        given.filter(|(given, _)| *given == key).map(|(_, given)| &given.origin).next()
    }

    fn settings_of(
        &self,
        name: &str,
        settings: &Settings,
        problems: &mut Vec<Problem>,
    ) -> ApplianceSettings {
        let mut own = unset(settings);
        own.name = Some(name.to_owned());
        let given = self.0.get(name).map(Vec::as_slice).unwrap_or_default();
        // The catalog says the dialect, and the dialect says what else there is to set.
        let (first, rest): (Vec<_>, Vec<_>) = given.iter().partition(|(key, _)| *key == "catalog");
        for (key, given) in first {
            problems.extend(apply(name, key, given, None, &mut own));
        }
        let dialect = if rest.is_empty() { None } else { dialect(name, &own) };
        for (key, given) in rest {
            problems.extend(apply(name, key, given, dialect.as_deref(), &mut own));
        }
        own
    }
}

fn unset(settings: &Settings) -> ApplianceSettings {
    let mut own = ApplianceSettings::default();
    own.dialect.sps = settings.sps.clone();
    for setting in APPLIANCE_REGISTRY {
        if let Some(text) = setting.default.text(settings.mode) {
            let default = Raw::Spelled(text.to_owned());
            setting.apply(setting.key, &mut own, &default, &Origin::Default);
        }
    }
    own
}

/// The dialect; `None` for a catalog that cannot be read, since loading it says why.
fn dialect(name: &str, own: &ApplianceSettings) -> Option<String> {
    match &own.catalog {
        Some(dir) => Catalog::dialect_of_folder(dir),
        None => Catalog::dialect_of_builtin(name),
    }
}

fn apply(
    name: &str,
    key: &str,
    Given { name: full, raw, origin }: &Given,
    dialect: Option<&str>,
    own: &mut ApplianceSettings,
) -> Vec<Problem> {
    let mut candidates = appliance_registry::named(key).peekable();
    let Some(any) = candidates.peek().copied() else {
        return vec![unknown(full, name, key, origin.clone())];
    };
    let fits = |setting: &&ApplianceSetting| match (setting.dialect, dialect) {
        (Some(of), Some(is)) => of == is,
        _ => true,
    };
    match (candidates.find(fits), any.dialect, dialect) {
        (Some(setting), ..) => setting.apply(full, own, raw, origin),
        (None, of, is) => {
            let (of, is) = (of.unwrap_or_default(), is.unwrap_or_default());
            let message = format!(
                "`{full}` is a setting of the dialect {of}, and {name} has the dialect {is}"
            );
            vec![Problem::new(full, origin.clone(), message)]
        }
    }
}

fn unknown(full: &str, name: &str, key: &str, origin: Origin) -> Problem {
    let near =
        nearest(key, APPLIANCE_REGISTRY.iter().map(|setting: &ApplianceSetting| setting.key));
    let end = match near {
        Some(near) => format!("did you mean `{PREFIX}{name}.{near}`?"),
        None => "`boxwood serve --help` lists the settings".to_owned(),
    };
    Problem::new(full, origin, format!("there is no setting `{full}`; {end}"))
}

fn not_served(name: &str, Given { name: full, origin, .. }: &Given) -> Problem {
    let known = Catalog::builtin_names();
    let message = match known.contains(&name) {
        true => format!("`{full}` is given, but {name} is not served; add --appliance {name}"),
        false => format!(
            "`{full}` is given, but {name} is not served; those built in are {}, and one of your \
             own takes `{PREFIX}{name}.catalog` and --appliance {name}",
            known.join(", ")
        ),
    };
    Problem::new(full, origin.clone(), message)
}

/// Gives listeners to the appliances that have none: the first has those of `listen`, and each
/// other one the next port that no other listener has.
///
/// # Errors
/// The name of the appliance for which no port is left.
pub(super) fn derive_listeners(settings: &mut Settings) -> Result<(), String> {
    let Some((first, rest)) = settings.appliances.split_first_mut() else { return Ok(()) };
    let Some(model) = first.listen.first().cloned() else { return Ok(()) };
    let mut taken: Vec<u16> = first.listen.iter().map(|url| url.port).collect();
    taken.extend(rest.iter().flat_map(|own| &own.listen).map(|url| url.port));
    for own in rest.iter_mut().filter(|own| own.listen.is_empty()) {
        let mut port = model.port;
        while port != 0 && taken.contains(&port) {
            port = port.checked_add(1).ok_or_else(|| own.name.clone().unwrap_or_default())?;
        }
        taken.push(port);
        own.listen.push(ListenUrl { port, ..model.clone() });
    }
    Ok(())
}
