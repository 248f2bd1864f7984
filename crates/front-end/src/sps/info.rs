//! What the appliance says about itself, mostly to anybody.

use config_tree::{Body, Tree};
use serde_json::{Value, json};

use super::{Call, beyond, paths, slots};
use crate::answer::Answer;
use crate::transfer::config_hash;

/// The names of an appliance whose configuration does not name it.
const HOST_NAME: &str = "boxwood";
const DOMAIN_NAME: &str = "example.com";

impl Call<'_> {
    /// `/api`: where one begins.
    pub(super) fn root(&self) -> Answer {
        let item = |key: &str| json!({ "key": key, "meta": { "href": format!("/api/{key}") } });
        let mut names = vec!["authentication", "configuration", "info", "setup", "transaction"];
        names.extend(beyond::entries().filter(|name| *name != "starling" || self.has_starling()));
        names.sort_unstable();
        let items: Vec<Value> = names.into_iter().map(item).collect();
        Answer::document(&json!({
            "items": items,
            "meta": {
                "href": "/api",
                "parent": null,
                "remaining_seconds": self.remaining_seconds(),
                "transaction": "/api/transaction",
            },
        }))
    }

    /// `/api/info`: little for everybody, more for those who are logged in.
    pub(super) fn info(&self) -> Answer {
        let running = self.appliance.engine.running();
        // The appliance's names are configuration; until they are set, the service has some.
        let naming = naming(&running.tree);
        let named = |member: &str| naming.get(member).and_then(Value::as_str);
        let domain = named("domainname").unwrap_or(DOMAIN_NAME);
        let mut body = json!({
            "domainname": domain,
            "hostname": named("hostname").unwrap_or(HOST_NAME),
            "nickname": named("nickname"),
            "support_link": format!("mailto:administrator@{domain}"),
        });
        // From 6.9 on (core protocol §8.1).
        if let Some(full) = self.sps.catalog.appliance("plugin_sdk_version") {
            let feature = full.match_indices('.').nth(1).map_or(full, |(at, _)| &full[..at]);
            body["plugin_sdk_version"] = json!({ "feature": feature, "full": full });
        }
        let mut meta = json!({ "href": "/api/info", "parent": "/api" });
        if let Some(login) = &self.login {
            body["analytics_enabled"] = json!(false);
            if let Some(date) = self.sps.catalog.appliance("build_date") {
                body["build_date"] = json!(date);
            }
            body["config_hash"] = json!(config_hash(&running.tree));
            body["firmware_version"] = json!(self.firmware_version());
            body["roles"] = json!(login.standing().groups);
            body["version"] = json!(self.version());
            meta["remaining_seconds"] = json!(self.remaining_seconds());
        }
        Answer::document(&json!({ "body": body, "key": "about_info", "meta": meta }))
    }
}

impl Call<'_> {
    /// The version of the firmware that runs, for programs.
    pub(super) fn firmware_version(&self) -> String {
        let running = self.sps.machine.state().slots.running().map(|image| image.version.clone());
        running.unwrap_or_else(|| self.factory_version())
    }

    // The same for people.
    fn version(&self) -> String {
        let slots = self.sps.machine.state().slots;
        let uploaded = slots.running().map(|image| slots::for_people(&image.version));
        uploaded.unwrap_or_else(|| self.said(&self.sps.settings.version, "version"))
    }

    /// The name of the appliance with its domain.
    pub(super) fn full_name(&self) -> String {
        let naming = naming(&self.appliance.engine.running().tree);
        let named = |member: &str| naming.get(member).and_then(Value::as_str);
        let (host, domain) = (named("hostname"), named("domainname"));
        format!("{}.{}", host.unwrap_or(HOST_NAME), domain.unwrap_or(DOMAIN_NAME))
    }
}

fn naming(tree: &Tree) -> Value {
    tree.body(paths::naming()).map_or(Value::Null, Body::value)
}

/// `/api/setup`: the Welcome Wizard is behind us.
pub(super) fn setup() -> Answer {
    Answer::document(&json!({
        "meta": {
            "eula": "https://www.oneidentity.com/legal/sta.aspx",
            "href": "/api/setup",
            "parent": "/api",
            "remaining_seconds": 0,
        },
        "status": "completed",
    }))
}

/// `/api/authentication/types`: passwords only.
pub(super) fn authentication_types() -> Answer {
    Answer::document(&json!({
        "meta": { "href": "/api/authentication/types", "parent": "/api/authentication" },
        "types": { "basic": {} },
    }))
}

/// `/api/authentication/login_methods`: the same for later clients.
pub(super) fn login_methods() -> Answer {
    Answer::document(&json!({
        "login_methods": [{ "display_name": "Local", "name": "local", "type": "password" }],
        "meta": { "href": "/api/authentication/login_methods", "parent": "/api/authentication" },
    }))
}
