//! What the API has next to the configuration: routes, methods, and which handler answers.
//!
//! Each of these resources is there or not, like a node: a firmware slot that does not exist is a
//! 404 before its method is looked at.

mod cluster;
mod health;
mod starling;
mod user;

use hyper::Method;
use serde_json::{Value, json};
use transaction_engine::{Error as EngineError, Mode, Session};

use super::audit::Audit;
use super::{Call, accounts};
use crate::answer::Answer;
use crate::caller::Access;
use crate::failure::{Failure, Place};
use crate::methods::Methods;
use crate::transport::RequestBody;

pub(super) use cluster::Promotions;
pub(super) use health::Health;
pub(super) use user::Tokens;

/// A resource next to the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Beyond {
    /// A list of links to what is below it.
    Folder(Folder),
    /// `/api/user/info`
    UserInfo,
    /// `/api/health_status`
    HealthStatus,
    /// `/api/firmware/slots`
    Slots,
    /// `/api/firmware/slots/N`
    Slot(u8),
    /// `/api/firmware/test`
    FirmwareTest,
    /// `/api/firmware/upgrade`
    FirmwareUpgrade,
    /// `/api/firmware/fetch`
    FirmwareFetch,
    /// `/api/upload/firmware`
    UploadFirmware,
    /// `/api/upload/plugins`
    UploadPlugins,
    /// `/api/cluster/nodes`
    ClusterNodes,
    /// `/api/cluster/nodes/ID`
    ClusterNode(String),
    /// `/api/cluster/status`
    ClusterStatus,
    /// `/api/cluster/promote`
    ClusterPromote,
    /// `/api/cluster/spp`
    ClusterSpp,
    /// `/api/starling/join`
    StarlingJoin,
    /// Below `/api/audit`
    Audit(Audit),
}

/// What only has links.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Folder {
    /// `/api/audit`
    Audit,
    /// `/api/cluster`
    Cluster,
    /// `/api/firmware`
    Firmware,
    /// `/api/starling`
    Starling,
    /// `/api/upload`
    Upload,
    /// `/api/user`
    User,
}

impl Folder {
    const ALL: [Self; 6] =
        [Self::Audit, Self::Cluster, Self::Firmware, Self::Starling, Self::Upload, Self::User];

    /// Its name below `/api`.
    fn name(self) -> &'static str {
        match self {
            Self::Audit => "audit",
            Self::Cluster => "cluster",
            Self::Firmware => "firmware",
            Self::Starling => "starling",
            Self::Upload => "upload",
            Self::User => "user",
        }
    }

    /// What is below it.
    fn children(self) -> &'static [&'static str] {
        match self {
            Self::Audit => &["sessions", "users"],
            Self::Cluster => &["nodes", "promote", "spp", "status"],
            Self::Firmware => &["fetch", "slots", "test", "upgrade"],
            Self::Starling => &["join"],
            Self::Upload => &["firmware", "plugins"],
            Self::User => &["info"],
        }
    }
}

/// What `/api` links to, of these.
pub(super) fn entries() -> impl Iterator<Item = &'static str> {
    Folder::ALL.into_iter().map(Folder::name).chain(["health_status"])
}

impl Beyond {
    /// Reads the segments behind `/api`.
    pub(super) fn parse(segments: &[&str]) -> Option<Self> {
        let named = |name: &str| Folder::ALL.into_iter().find(|folder| folder.name() == name);
        Some(match segments {
            ["user", "info"] => Self::UserInfo,
            ["health_status"] => Self::HealthStatus,
            ["firmware", "slots"] => Self::Slots,
            ["firmware", "slots", number] => Self::Slot(Call::slot_number(number)?),
            ["firmware", "test"] => Self::FirmwareTest,
            ["firmware", "upgrade"] => Self::FirmwareUpgrade,
            ["firmware", "fetch"] => Self::FirmwareFetch,
            ["upload", "firmware"] => Self::UploadFirmware,
            ["upload", "plugins"] => Self::UploadPlugins,
            ["cluster", "nodes"] => Self::ClusterNodes,
            ["cluster", "nodes", name] => Self::ClusterNode((*name).to_owned()),
            ["cluster", "status"] => Self::ClusterStatus,
            ["cluster", "promote"] => Self::ClusterPromote,
            ["cluster", "spp"] => Self::ClusterSpp,
            ["starling", "join"] => Self::StarlingJoin,
            ["audit", rest @ ..] if !rest.is_empty() => Self::Audit(Audit::parse(rest)?),
            [name] => Self::Folder(named(name)?),
            _ => return None,
        })
    }

    /// Its methods.
    pub(super) fn allow(&self) -> Methods {
        match self {
            Self::Slot(_) => Methods::GET.and(Methods::DELETE),
            Self::FirmwareTest
            | Self::FirmwareUpgrade
            | Self::FirmwareFetch
            | Self::UploadFirmware
            | Self::UploadPlugins
            | Self::ClusterPromote => Methods::POST,
            Self::Audit(Audit::Snapshot) | Self::ClusterSpp => Methods::GET.and(Methods::POST),
            Self::StarlingJoin => Methods::GET.and(Methods::POST).and(Methods::DELETE),
            _ => Methods::GET,
        }
    }

    /// Its name in logs and metrics.
    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Folder(folder) => folder.name(),
            Self::UserInfo => "user_info",
            Self::HealthStatus => "health_status",
            Self::Slots => "firmware_slots",
            Self::Slot(_) => "firmware_slot",
            Self::FirmwareTest => "firmware_test",
            Self::FirmwareUpgrade => "firmware_upgrade",
            Self::FirmwareFetch => "firmware_fetch",
            Self::UploadFirmware => "upload_firmware",
            Self::UploadPlugins => "upload_plugins",
            Self::ClusterNodes => "cluster_nodes",
            Self::ClusterNode(_) => "cluster_node",
            Self::ClusterStatus => "cluster_status",
            Self::ClusterPromote => "cluster_promote",
            Self::ClusterSpp => "cluster_spp",
            Self::StarlingJoin => "starling_join",
            Self::Audit(what) => what.name(),
        }
    }

    /// The privilege that its page of the web interface needs; `None`: a login is enough.
    fn privilege(&self) -> Option<&'static str> {
        match self {
            Self::Folder(_) | Self::UserInfo | Self::HealthStatus => None,
            Self::Audit(_) => Some("/special/searchmenu"),
            _ => Some("/special/basic"),
        }
    }
}

impl Call<'_> {
    /// Answers a request for one of these resources.
    pub(super) async fn beyond(&self, what: Beyond, body: RequestBody) -> Result<Answer, Failure> {
        self.expect_privilege(&what)?;
        if !self.is_there(&what) {
            return Err(Failure::NotFound(Place::Request));
        }
        let allow = what.allow();
        self.expect_method(allow)?;
        if self.head.method == Method::OPTIONS {
            return Ok(self.options(allow));
        }
        let answer = match what {
            Beyond::Folder(folder) => self.folder(folder),
            Beyond::UserInfo => self.user_info()?,
            Beyond::HealthStatus => self.health_status().await?,
            Beyond::Slots => self.firmware_slots(),
            Beyond::Slot(number) => self.firmware_slot(number).await?,
            Beyond::FirmwareTest => self.firmware_test(body).await?,
            Beyond::FirmwareUpgrade => self.firmware_upgrade(body).await?,
            Beyond::FirmwareFetch => self.firmware_fetch(body).await?,
            Beyond::UploadFirmware => self.firmware_upload(body).await?,
            Beyond::UploadPlugins => self.plugin_upload(body).await?,
            Beyond::ClusterNodes => self.cluster_nodes(),
            Beyond::ClusterNode(name) => self.cluster_node(&name)?,
            Beyond::ClusterStatus => self.cluster_status().await?,
            Beyond::ClusterPromote => self.cluster_promote(body).await?,
            Beyond::ClusterSpp => self.cluster_spp(body).await?,
            Beyond::StarlingJoin => self.starling_join(body).await?,
            Beyond::Audit(what) => self.audit(&what)?,
        };
        Ok(answer.allow(allow))
    }

    fn expect_privilege(&self, what: &Beyond) -> Result<(), Failure> {
        let Some(privilege) = what.privilege() else { return Ok(()) };
        let standing = self.login()?.standing();
        // A search changes nothing, whatever its method.
        let reads = matches!(what, Beyond::Audit(_))
            || matches!(self.head.method, Method::GET | Method::HEAD | Method::OPTIONS);
        let access = if reads { Access::Read } else { Access::Write };
        let tree = &self.appliance.engine.running().tree;
        if standing.rights.is_all() || accounts::holds(tree, &standing.groups, privilege, access) {
            return Ok(());
        }
        Err(Failure::Forbidden(Place::Request))
    }

    fn is_there(&self, what: &Beyond) -> bool {
        let machine = &self.sps.machine;
        match what {
            Beyond::ClusterNode(name) => machine.state().nodes.contains_key(name),
            // Any error here says that the appliance is in no cluster (core protocol §8.4).
            Beyond::ClusterStatus => !machine.state().nodes.is_empty(),
            Beyond::StarlingJoin | Beyond::Folder(Folder::Starling) => self.has_starling(),
            Beyond::Audit(what) => self.is_recorded(what),
            _ => true,
        }
    }

    fn folder(&self, folder: Folder) -> Answer {
        let base = format!("/api/{}", folder.name());
        let item = |key: &&str| json!({ "key": key, "meta": { "href": format!("{base}/{key}") } });
        let items: Vec<Value> = folder.children().iter().map(item).collect();
        let meta = self.listing_meta(&base, "/api");
        Answer::document(&json!({ "items": items, "meta": meta }))
    }

    /// The `meta` of a single thing.
    pub(super) fn meta(&self, href: &str, parent: &str) -> Value {
        json!({
            "href": href,
            "parent": parent,
            "remaining_seconds": self.remaining_seconds(),
        })
    }

    /// The `meta` of a list.
    pub(super) fn listing_meta(&self, href: &str, parent: &str) -> Value {
        let mut meta = self.meta(href, parent);
        meta["transaction"] = json!("/api/transaction");
        meta
    }

    /// What is changed outside of the configuration's own paths needs an open transaction as well,
    /// or opens one, as the appliance's mode has it.
    pub(super) fn transaction_needed(&self, session: &Session) -> Result<(), Failure> {
        let engine = &self.appliance.engine;
        if engine.transaction_status(session).open {
            return Ok(());
        }
        match engine.mode() {
            Mode::Concurrent | Mode::Autocommit => Ok(engine.transaction_open(session)?),
            Mode::Exclusive => Err(EngineError::NoTransaction.into()),
        }
    }

    /// What a setting says, else the catalog.
    pub(super) fn said(&self, given: &Option<String>, name: &str) -> String {
        let catalog = || self.sps.catalog.appliance(name).map(str::to_owned);
        given.clone().or_else(catalog).unwrap_or_default()
    }
}

/// Adds the members of one object to another.
pub(super) fn extend(object: &mut Value, more: &Value) {
    if let (Some(object), Some(more)) = (object.as_object_mut(), more.as_object()) {
        object.extend(more.iter().map(|(name, value)| (name.clone(), value.clone())));
    }
}

/// The members of a JSON object, of which each has to be one of those that are known. The names are
/// part of a refusal, values are not.
pub(super) fn expect_known(body: &Value, known: &[&str]) -> Result<(), Failure> {
    let Some(members) = body.as_object() else {
        let message = format!("Send an object with {}", known.join(", "));
        return Err(Failure::malformed(message, ""));
    };
    let stranger = members.keys().find(|name| !known.contains(&name.as_str()));
    match stranger {
        Some(name) => {
            let message = format!("`{name}` is unknown here; known are {}", known.join(", "));
            Err(Failure::malformed(message, format!("/{name}")))
        }
        None => Ok(()),
    }
}

/// A member that has to be a text with something in it.
pub(super) fn text<'v>(body: &'v Value, name: &str) -> Result<&'v str, Failure> {
    let text = body.get(name).and_then(Value::as_str).filter(|text| !text.trim().is_empty());
    text.ok_or_else(|| {
        let message = format!("{name} must be a text that is not empty");
        Failure::malformed(message, format!("/{name}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_link_of_a_folder_leads_somewhere() {
        for folder in Folder::ALL {
            assert_eq!(Beyond::parse(&[folder.name()]), Some(Beyond::Folder(folder)));
            for child in folder.children() {
                assert!(Beyond::parse(&[folder.name(), child]).is_some(), "{child}");
            }
        }
        for nothing in
            [&["user"; 2][..], &["firmware", "slots", "0"], &["cluster", "nodes", "a", "b"]]
        {
            assert_eq!(Beyond::parse(nothing), None, "{nothing:?}");
        }
    }
}
