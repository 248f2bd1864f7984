//! Rules about more than one setting. Each problem points at the setting that was given last.

use front_end::transport::{ListenUrl, Scheme};

use super::appliances::{self, Listening};
use super::model::{Settings, TlsFiles, TlsGiven};
use super::problem::Problem;
use super::raw::Origin;
use super::value::Mode;

/// Where each setting that was given took its value from.
pub(super) type Origins = std::collections::BTreeMap<&'static str, Origin>;

/// Checks them all, decides on the listeners of each appliance, and pairs the files of `tls.*`.
pub(super) fn check(
    settings: &mut Settings,
    mut listening: Vec<Listening>,
    origins: &Origins,
    problems: &mut Vec<Problem>,
) {
    first_listeners(settings, &mut listening, origins, problems);
    if let Err(name) = appliances::derive_listeners(settings) {
        let setting = format!("{}{name}.listen", appliances::PREFIX);
        let message = format!("no port is left for {name}: say where it listens with `{setting}`");
        problems.push(Problem::new(&setting, origin(origins, "listen"), message));
    }
    listeners(settings, &listening, problems);
    if settings.mode == Mode::Serve && settings.data_dir.is_none() {
        problems.push(Problem::new(
            "data_dir",
            origin(origins, "data_dir"),
            "`data_dir` is empty; `boxwood serve` keeps its state in a directory: name one",
        ));
    }
    tls_files(settings, origins, problems);
}

/// Whether the directory of a catalog and the name of an appliance are both given.
pub(super) fn catalog_or_appliance(
    settings: &mut Settings,
    origins: &Origins,
    problems: &mut Vec<Problem>,
) {
    if settings.catalog.is_some() && origins.contains_key("appliance") {
        settings.catalog = None;
        problems.push(Problem::new(
            "catalog",
            origin(origins, "catalog"),
            "`catalog` and `appliance` are both given; give one of them: a directory, or the name \
             of a built-in catalog. With several appliances, `appliances.NAME.catalog` is the \
             directory of one",
        ));
    }
}

pub(super) fn origin(origins: &Origins, name: &str) -> Origin {
    origins.get(name).cloned().unwrap_or(Origin::Default)
}

/// The first appliance has the listeners of `listen`, unless a source at least as strong states
/// some for it by name.
fn first_listeners(
    settings: &mut Settings,
    listening: &mut Vec<Listening>,
    origins: &Origins,
    problems: &mut Vec<Problem>,
) {
    let common = origin(origins, "listen");
    let urls = std::mem::take(&mut settings.listen);
    let stated = || Listening { setting: "listen".to_owned(), origin: common, derived: false };
    let Some(first) = settings.appliances.first_mut() else { return };
    let Some(named) = listening.first_mut() else {
        // A catalog without a stated name, which has them already.
        listening.push(stated());
        return;
    };
    let common = stated();
    let (ours, theirs) = (common.origin.source(), named.origin.source());
    if !named.derived && ours == theirs {
        let message = format!("`listen` and `{}` are both given; give one of them", named.setting);
        problems.push(Problem::new("listen", common.origin.clone(), message));
    }
    if named.derived || ours > theirs {
        first.listen = urls;
        *named = common;
    }
}

fn listeners(settings: &Settings, listening: &[Listening], problems: &mut Vec<Problem>) {
    let mut before: Vec<&ListenUrl> = Vec::new();
    for (own, Listening { setting, origin, derived }) in settings.appliances.iter().zip(listening) {
        for url in &own.listen {
            let taken = |other: &&ListenUrl| other.port == url.port && other.host == url.host;
            // What follows from another listener is as safe as that one.
            let refusal = match derived {
                true => None,
                false => unsafe_listener(settings, setting, url),
            };
            let refusal = refusal.or_else(|| {
                (url.port != 0 && before.iter().any(taken))
                    .then(|| format!("`{setting}` has {}:{} twice", url.host, url.port))
            });
            problems.extend(refusal.map(|message| Problem::new(setting, origin.clone(), message)));
            before.push(url);
        }
    }
}

fn unsafe_listener(settings: &Settings, setting: &str, url: &ListenUrl) -> Option<String> {
    if url.is_loopback() {
        return None;
    }
    if settings.mode == Mode::Dev && !settings.expose_dev {
        return Some(format!(
            "`{setting}` has {url}, which other machines can reach; `boxwood dev` has a known \
             password and listens on loopback addresses only: use `boxwood serve`, or set \
             `expose_dev` to true (--expose-dev) where only those can reach it who may know it"
        ));
    }
    (url.scheme == Scheme::Http && !settings.insecure_http).then(|| {
        format!(
            "`{setting}` has {url}, where passwords would cross the network in clear; plain http \
             is for loopback addresses: use https, or set `insecure_http` to true"
        )
    })
}

fn tls_files(settings: &mut Settings, origins: &Origins, problems: &mut Vec<Problem>) {
    let TlsGiven { certificate, private_key } = std::mem::take(&mut settings.tls_given);
    let (there, missing) = match (certificate, private_key) {
        (Some(certificate), Some(private_key)) => {
            settings.tls = Some(TlsFiles { certificate, private_key });
            return;
        }
        (Some(_), None) => ("tls.certificate", "tls.private_key"),
        (None, Some(_)) => ("tls.private_key", "tls.certificate"),
        (None, None) => return,
    };
    // When the other half was given and refused, its own problem says more than this one.
    if problems.iter().any(|problem| problem.setting == missing) {
        return;
    }
    problems.push(Problem::new(
        missing,
        origin(origins, there),
        format!("`{there}` is given without `{missing}`; give both, or neither"),
    ));
}
