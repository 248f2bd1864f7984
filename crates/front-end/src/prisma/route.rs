//! What a path names: the same resources below two bases, operations below two, tokens below three.

use config_tree::path::{constant, is_path};
use config_tree::{NodePath, node_path};

use super::refusal::Refusal;
use crate::failure::{Failure, Place};
use crate::http_path;

/// Which generation of the API a path belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Base {
    /// `/sse/config/v1`
    Legacy,
    /// `/config/AREA/v1`
    Current,
}

/// A kind of object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Resource {
    /// The last step of its path below both bases, or the last two.
    path: &'static str,
    /// The area of its current base.
    area: &'static str,
    /// Its collection.
    collection: &'static str,
}

impl Resource {
    /// A kind in the path of the API, and in that of the tree. Evaluated while compiling.
    const fn new(path: &'static str, area: &'static str, collection: &'static str) -> Self {
        assert!(is_path(collection), "not a path of a configuration");
        Self { path, area, collection }
    }

    /// Where its objects are.
    pub(super) fn collection(self) -> NodePath {
        constant(self.collection)
    }
}

/// The kinds of objects: what is written to the candidate and pushed.
pub(super) const RESOURCES: [Resource; 13] = [
    Resource::new("authentication-profiles", "identity", "/authentication-profiles"),
    Resource::new("saml-server-profiles", "identity", "/saml-server-profiles"),
    Resource::new("ldap-server-profiles", "identity", "/ldap-server-profiles"),
    Resource::new("radius-server-profiles", "identity", "/radius-server-profiles"),
    Resource::new("tacacs-server-profiles", "identity", "/tacacs-server-profiles"),
    Resource::new("kerberos-server-profiles", "identity", "/kerberos-server-profiles"),
    Resource::new("certificate-profiles", "identity", "/certificate-profiles"),
    Resource::new("mfa-servers", "identity", "/mfa-servers"),
    Resource::new("local-users", "identity", "/local-users"),
    Resource::new("authentication-sequences", "identity", "/authentication-sequences"),
    Resource::new("authentication-portals", "identity", "/authentication-portals"),
    Resource::new("authentication-rules", "identity", "/authentication-rules"),
    Resource::new(
        "authentication-settings",
        "mobile-agent",
        "/mobile-agent-authentication-settings",
    ),
];

/// Whether a node is an object of the configuration, and not a job or a version.
pub(super) fn is_object(path: &NodePath) -> bool {
    let first = path.segments().first();
    let is_of = |kind: &Resource, first: &str| kind.collection.strip_prefix('/') == Some(first);
    first.is_some_and(|first| RESOURCES.iter().any(|kind| is_of(kind, first.as_str())))
}

/// What a path names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Route {
    /// A token is asked for.
    Token,
    /// The key set.
    Keys,
    /// Who asks.
    UserInfo,
    /// The objects of a kind.
    Objects(Resource, Base),
    /// One of them.
    Object(Resource, Base, String),
    /// `config-versions`
    Versions(Base),
    /// `config-versions/running`
    Running,
    /// `config-versions/N`
    Version(String, Base),
    /// `config-versions:load`
    Load,
    /// `config-versions/candidate`
    Candidate,
    /// `config-versions/candidate:push`
    Push,
    /// `jobs`
    Jobs,
    /// `jobs/N`
    Job(String),
}

impl Route {
    /// Reads a path.
    pub(super) fn parse(path: &str) -> Result<Self, Refusal> {
        let segments = http_path::segments(path).ok_or(Failure::PathUndecodable)?;
        let segments: Vec<&str> = segments.iter().map(|segment| &**segment).collect();
        let (version, base, area, rest) = match segments.as_slice() {
            ["oauth2", "access_token"]
            | ["auth", "v1", "oauth2", "access_token"]
            | ["am", "oauth2", "access_token"] => return Ok(Self::Token),
            ["oauth2", "connect", "jwk_uri"]
            | ["auth", "v1", "oauth2", "connect", "jwk_uri"]
            | ["am", "oauth2", "connect", "jwk_uri"] => return Ok(Self::Keys),
            ["auth", "v1", "oauth2", "userinfo"] => return Ok(Self::UserInfo),
            ["sse", "config", version, "mobile-agent", rest @ ..] => {
                (*version, Base::Legacy, "mobile-agent", rest)
            }
            ["sse", "config", version, rest @ ..] => (*version, Base::Legacy, "", rest),
            ["config", area, version, rest @ ..] => (*version, Base::Current, *area, rest),
            _ => return Err(missing()),
        };
        if version != "v1" {
            let is_version = version.strip_prefix('v').is_some_and(|n| n.parse::<u32>().is_ok());
            return Err(if is_version { Refusal::VersionNotSupported } else { missing() });
        }
        if matches!((base, area), (Base::Legacy, "") | (Base::Current, "operations"))
            && let Some(route) = Self::operation(rest, base)?
        {
            return Ok(route);
        }
        Self::object(rest, base, area)
    }

    fn object(rest: &[&str], base: Base, area: &str) -> Result<Self, Refusal> {
        let [path, rest @ ..] = rest else { return Err(missing()) };
        let (path, action) = with_action(path);
        let fits = |kind: &&Resource| {
            let is_mobile = kind.area == "mobile-agent";
            kind.path == path
                && (kind.area == area || base == Base::Legacy && area.is_empty() && !is_mobile)
        };
        let kind = *RESOURCES.iter().find(fits).ok_or_else(missing)?;
        if let Some(action) = action {
            return Err(Refusal::ActionNotSupported(action.to_owned()));
        }
        match rest {
            [] => Ok(Self::Objects(kind, base)),
            [id] => match with_action(id) {
                (_, Some(action)) => Err(Refusal::ActionNotSupported(action.to_owned())),
                (id, None) => Ok(Self::Object(kind, base, id.to_owned())),
            },
            _ => Err(missing()),
        }
    }

    fn operation(rest: &[&str], base: Base) -> Result<Option<Self>, Refusal> {
        let last = rest.last().copied().unwrap_or_default();
        Ok(Some(match (rest, with_action(last)) {
            (["config-versions"], _) => Self::Versions(base),
            (["config-versions:load"], _) => Self::Load,
            (["config-versions", "running"], _) => Self::Running,
            (["config-versions", "candidate"], _) => Self::Candidate,
            (["config-versions", "candidate:push"], _) => Self::Push,
            ([_], ("config-versions" | "jobs", Some(action)))
            | (["config-versions" | "jobs", _], (_, Some(action))) => {
                return Err(Refusal::ActionNotSupported(action.to_owned()));
            }
            (["config-versions", version], _) => Self::Version((*version).to_owned(), base),
            (["jobs"], _) => Self::Jobs,
            (["jobs", id], _) => Self::Job((*id).to_owned()),
            _ => return Ok(None),
        }))
    }

    /// The verb, for the log.
    pub(super) fn verb(&self, method: &hyper::Method) -> &'static str {
        match (self, method.as_str()) {
            (Self::Token, _) => "token_issue",
            (Self::Keys, _) => "keys",
            (Self::UserInfo, _) => "user_info",
            (Self::Objects(..), "POST") => "node_create",
            (Self::Objects(..), _) => "node_list",
            (Self::Object(..), "PUT") => "node_put",
            (Self::Object(..), "DELETE") => "node_delete",
            (Self::Object(..), _) => "node_get",
            (Self::Versions(_), _) => "versions",
            (Self::Running, _) => "versions_running",
            (Self::Version(..), _) => "version",
            (Self::Load, _) => "candidate_load",
            (Self::Candidate, _) => "candidate_revert",
            (Self::Push, _) => "candidate_push",
            (Self::Jobs, _) => "jobs",
            (Self::Job(_), _) => "job",
        }
    }

    /// Whether a method may be used; HEAD where GET may.
    pub(super) fn permits(&self, method: &hyper::Method) -> bool {
        let method = method.as_str();
        match self {
            Self::Token | Self::Load | Self::Push => method == "POST",
            Self::UserInfo => matches!(method, "GET" | "HEAD" | "POST"),
            Self::Objects(..) => matches!(method, "GET" | "HEAD" | "POST"),
            Self::Object(..) => matches!(method, "GET" | "HEAD" | "PUT" | "DELETE"),
            Self::Candidate => method == "DELETE",
            _ => matches!(method, "GET" | "HEAD"),
        }
    }
}

/// A step and the action after its colon. An action is a word.
fn with_action(step: &str) -> (&str, Option<&str>) {
    match step.rsplit_once(':') {
        Some((step, action))
            if !action.is_empty()
                && action.chars().all(|c| c.is_ascii_alphanumeric() || c == '-') =>
        {
            (step, Some(action))
        }
        _ => (step, None),
    }
}

pub(super) fn missing() -> Refusal {
    Failure::NotFound(Place::Request).into()
}

/// The jobs, on the candidate.
pub(super) fn jobs() -> &'static NodePath {
    node_path!("/jobs")
}

/// What was pushed, on the running head.
pub(super) fn versions() -> &'static NodePath {
    node_path!("/versions")
}

/// Further clients, on the running head.
pub(super) fn service_accounts() -> &'static NodePath {
    node_path!("/service-accounts")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_objects_are_below_both_bases() {
        for (path, base) in [
            ("/sse/config/v1/authentication-profiles/1", Base::Legacy),
            ("/config/identity/v1/authentication-profiles/1", Base::Current),
        ] {
            let route = Route::parse(path).unwrap();
            assert_eq!(route, Route::Object(RESOURCES[0], base, "1".to_owned()));
        }
        let settings = RESOURCES[12];
        for (path, base) in [
            ("/sse/config/v1/mobile-agent/authentication-settings", Base::Legacy),
            ("/config/mobile-agent/v1/authentication-settings", Base::Current),
        ] {
            assert_eq!(Route::parse(path).unwrap(), Route::Objects(settings, base));
        }
        for unknown in [
            "/",
            "/sse/config/v1",
            "/sse/config/v1/authentication-settings",
            "/config/identity/v1/jobs",
            "/config/objects/v1/authentication-profiles",
            "/config/identity/v1/authentication-profiles/1/2",
            "/sse/config/latest/jobs",
        ] {
            assert!(matches!(Route::parse(unknown), Err(Refusal::Neutral(_))), "{unknown}");
        }
    }

    #[test]
    fn actions_and_versions_that_are_not_known_are_told_apart() {
        let parsed = Route::parse;
        assert_eq!(parsed("/sse/config/v1/config-versions/candidate:push").unwrap(), Route::Push);
        assert_eq!(parsed("/config/operations/v1/config-versions:load").unwrap(), Route::Load);
        for path in [
            "/sse/config/v1/config-versions/candidate:move",
            "/config/identity/v1/authentication-rules/1:move",
        ] {
            let Err(Refusal::ActionNotSupported(action)) = parsed(path) else { panic!("{path}") };
            assert_eq!(action, "move");
        }
        let later = parsed("/config/identity/v2/authentication-profiles");
        assert!(matches!(later, Err(Refusal::VersionNotSupported)));
    }
}
