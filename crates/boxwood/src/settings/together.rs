//! Rules about more than one setting. Each problem points at the setting that was given last.

use front_end::transport::{ListenUrl, Scheme};

use super::model::{Listener, Settings, TlsFiles, TlsGiven};
use super::problem::Problem;
use super::raw::Origin;
use super::registry;
use super::resolve::Origins;
use super::value::Mode;

/// Checks them all, and pairs the files of `tls.*`.
pub(super) fn check(settings: &mut Settings, origins: &Origins, problems: &mut Vec<Problem>) {
    listeners(settings, origins, problems);
    state(settings, origins, problems);
    tls_files(settings, origins, problems);
}

fn origin(origins: &Origins, name: &str) -> Origin {
    origins.get(name).cloned().unwrap_or(Origin::Default)
}

fn listeners(settings: &mut Settings, origins: &Origins, problems: &mut Vec<Problem>) {
    let mut refusals: Vec<String> = Vec::new();
    for listener in &settings.listen {
        let name = listener.appliance.as_ref().filter(|name| !settings.appliances.contains(name));
        refusals.extend(name.map(|name| {
            let served = settings.appliances.join(", ");
            format!("`listen` names the appliance {name}, which is not served; served are {served}")
        }));
    }
    complete(settings);
    for (place, Listener { url, .. }) in settings.listen.iter().enumerate() {
        let refusal = unsafe_listener(settings, url).or_else(|| {
            let taken = |other: &Listener| other.url.port == url.port && other.url.host == url.host;
            (url.port != 0 && settings.listen[..place].iter().any(taken))
                .then(|| format!("`listen` has {}:{} twice", url.host, url.port))
        });
        refusals.extend(refusal);
    }
    let problem = |message| Problem::new("listen", origin(origins, "listen"), message);
    problems.extend(refusals.into_iter().map(problem));
}

// Gives every listener its appliance, and every appliance a listener: the first one the usual one,
// each other one the first one's address with the next port.
fn complete(settings: &mut Settings) {
    let Settings { mode, appliances, listen, .. } = settings;
    let Some(first) = appliances.first() else { return };
    for listener in listen.iter_mut() {
        listener.appliance.get_or_insert_with(|| first.clone());
    }
    for name in appliances.iter() {
        if listen.iter().any(|listener| listener.appliance.as_ref() == Some(name)) {
            continue;
        }
        let of_first = listen.iter().find(|listener| listener.appliance.as_ref() == Some(first));
        let usual = || registry::find("listen")?.default_in(*mode).parse().ok();
        let Some(mut url) = of_first.map(|listener| listener.url.clone()).or_else(usual) else {
            return;
        };
        if name == first {
            listen.insert(0, Listener { appliance: Some(name.clone()), url });
            continue;
        }
        let highest = listen.iter().map(|listener| listener.url.port).max().unwrap_or_default();
        if url.port != 0 {
            url.port = highest.saturating_add(1);
        }
        listen.push(Listener { appliance: Some(name.clone()), url });
    }
}

fn unsafe_listener(settings: &Settings, url: &ListenUrl) -> Option<String> {
    if url.is_loopback() {
        return None;
    }
    if settings.mode == Mode::Dev {
        return Some(format!(
            "`listen` has {url}, which other machines can reach; `boxwood dev` has a known \
             password and listens on loopback addresses only: use `boxwood serve` instead"
        ));
    }
    (url.scheme == Scheme::Http && !settings.insecure_http).then(|| {
        format!(
            "`listen` has {url}, where passwords would cross the network in clear; plain http is \
             for loopback addresses: use https, or set `insecure_http` to true"
        )
    })
}

fn state(settings: &Settings, origins: &Origins, problems: &mut Vec<Problem>) {
    if settings.mode == Mode::Serve && settings.data_dir.is_none() {
        problems.push(Problem::new(
            "data_dir",
            origin(origins, "data_dir"),
            "`data_dir` is empty; `boxwood serve` keeps its state in a directory: name one",
        ));
    }
    if settings.catalog.is_some() && origins.contains_key("appliance") {
        problems.push(Problem::new(
            "catalog",
            origin(origins, "catalog"),
            "`catalog` and `appliance` are both given; give one of them: a directory, or the name \
             of a built-in catalog",
        ));
    }
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
