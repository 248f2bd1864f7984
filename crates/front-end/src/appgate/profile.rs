//! Client profiles: what a client sends, made what is kept; and what is kept, made what is shown.

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use catalog::{Layer, Violation, rule};
use config_tree::{Key, NodePath, Tree, node_path};
use serde_json::{Map, Value, json};
use transaction_engine::Edit;
use uuid::Uuid;

use super::access::global_settings;
use super::route::Resource;

/// Where it is kept when profiles were exported.
pub(super) fn exports() -> &'static NodePath {
    node_path!("/client-profile-exports")
}

/// Makes of what a client sent what is kept, and says what the catalog cannot find wrong with it.
/// `path` is that of the profile which is replaced.
pub(super) fn prepare(
    edit: &Edit<'_>,
    path: Option<&NodePath>,
    version: u32,
    members: &mut Map<String, Value>,
) -> Vec<Violation> {
    let stored = path.and_then(|path| edit.tree().body(path)).map(config_tree::Body::value);
    for name in ["spaKeyName", "hostname"] {
        if members.get(name).is_some_and(|value| value == "") {
            members.remove(name);
        }
    }
    let mut wrong = Vec::new();
    let kind = stored.as_ref().map_or(json!("Profile"), |stored| stored["type"].clone());
    let given = members.entry("type").or_insert_with(|| kind.clone());
    if stored.is_some() && given.is_string() && *given != kind {
        wrong.push(violation("/type", rule::READ_ONLY, "cannot be changed"));
    }
    if given == "Group" {
        for name in ["spaKeyName", "identityProviderName", "hostname"] {
            members.remove(name);
        }
        if version < 20
            && let Some(stored) = &stored
        {
            // A client of that version does not know of them.
            members.insert("profileUrls".to_owned(), stored["profileUrls"].clone());
        }
        let stored = stored.as_ref().map_or(&Value::Null, |stored| &stored["profileUrls"]);
        wrong.extend(prepare_urls(edit, path, stored, members));
    } else {
        if members.get("profileUrls").is_some_and(|urls| *urls == json!([])) {
            members.remove("profileUrls");
        }
        if version == 17 && !members.contains_key("spaKeyName") {
            wrong.push(violation("/spaKeyName", rule::REQUIRED, "may not be null"));
        }
    }
    wrong
}

fn violation(pointer: &str, rule: &'static str, message: &str) -> Violation {
    Violation {
        path: Resource::Profiles.collection().clone(),
        pointer: pointer.to_owned(),
        rule,
        layer: Layer::Shape,
        message: message.to_owned(),
        also: Vec::new(),
    }
}

fn prepare_urls(
    edit: &Edit<'_>,
    path: Option<&NodePath>,
    stored: &Value,
    members: &mut Map<String, Value>,
) -> Vec<Violation> {
    let urls = members.entry("profileUrls").or_insert_with(|| json!([]));
    let mut wrong = Vec::new();
    let Some(urls) = urls.as_array_mut() else { return wrong };
    let mut ids: Vec<String> = Vec::new();
    for (place, entry) in urls.iter_mut().enumerate() {
        let at = format!("/profileUrls/{place}");
        let Some(entry) = entry.as_object_mut() else { continue };
        entry.retain(|_, value| !value.is_null());
        let id = entry.entry("id").or_insert_with(|| json!(Uuid::new_v4().to_string()));
        if let Value::String(text) = id {
            text.make_ascii_lowercase();
            if ids.contains(text) {
                wrong.push(violation(&format!("{at}/id"), rule::UNIQUE_ITEMS, "is there twice"));
            }
            ids.push(text.clone());
        }
        let id = id.clone();
        // An entry that is known keeps its URL, also one that was just taken over as it is kept.
        let known = stored.as_array().and_then(|all| all.iter().position(|one| one["id"] == id));
        let is_kept = known.is_some_and(|at| entry.get("url") == Some(&stored[at]["url"]));
        if let (Some(at), Some(path)) = (known, path)
            && (is_kept || !entry.contains_key("url"))
            && let Some(url) = edit.secret_reveal(path, &format!("/profileUrls/{at}/url"))
        {
            entry.insert("url".to_owned(), json!(*url));
        }
        let (host, name) = match entry.get("url") {
            Some(Value::String(url)) => parsed(url).unwrap_or_else(|| {
                let message = "must be appgate://, a host name, a slash and base64 of JSON";
                wrong.push(violation(&format!("{at}/url"), rule::FORMAT, message));
                (String::new(), None)
            }),
            _ => (String::new(), None),
        };
        entry.insert("hostname".to_owned(), json!(host));
        entry.remove("profileName");
        if let Some(name) = name {
            entry.insert("profileName".to_owned(), json!(name));
        }
    }
    wrong
}

// The host name and the profile's name that are in the URL of a profile.
fn parsed(url: &str) -> Option<(String, Option<String>)> {
    let (host, payload) = url.strip_prefix("appgate://")?.split_once('/')?;
    let payload = BASE64_STANDARD.decode(payload).ok()?;
    let payload: Value = serde_json::from_slice(&payload).ok()?;
    let name = payload.as_object()?.get("profileName").and_then(Value::as_str);
    (!host.is_empty()).then(|| (host.to_owned(), name.map(str::to_owned)))
}

/// Adds to what is kept what follows from it and from elsewhere.
pub(super) fn complete(tree: &Tree, id: &Key, members: &mut Map<String, Value>) {
    if members.get("type").is_some_and(|kind| kind == "Group") {
        return;
    }
    if !members.contains_key("spaKeyName") {
        let name = members.get("name").cloned().unwrap_or_default();
        members.insert("spaKeyName".to_owned(), name);
    }
    if let Some(host) = global_host(tree) {
        members.insert("globalHostname".to_owned(), host);
    }
    if let Some(exported) = exported(tree, id) {
        members.insert("exported".to_owned(), exported);
    }
}

/// The host name of the global settings.
pub(super) fn global_host(tree: &Tree) -> Option<Value> {
    tree.body(global_settings())?.value_at("/profileHostname")
}

/// When a profile was exported last.
pub(super) fn exported(tree: &Tree, id: &Key) -> Option<Value> {
    tree.body(&exports().join(id))?.value_at("/exported")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_tells_its_host_and_perhaps_its_profile() {
        let url = |payload: &str| format!("appgate://a.b/{}", BASE64_STANDARD.encode(payload));
        let named = parsed(&url("{\"profileName\":\"x\"}"));
        assert_eq!(named, Some(("a.b".to_owned(), Some("x".to_owned()))));
        assert_eq!(parsed(&url("{}")), Some(("a.b".to_owned(), None)));
        for bad in [&url("[]"), "appgate:///e30=", "appgate://a.b", "https://a.b/e30=", ""] {
            assert_eq!(parsed(bad), None, "{bad}");
        }
    }
}
