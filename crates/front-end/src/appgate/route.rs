//! What a path of the controller's API names.

use hyper::Method;

use config_tree::{NodePath, node_path};

use crate::http_path;
use crate::methods::Methods;

/// A kind of object that has a list and an address for each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Resource {
    Profiles,
    Policies,
    Roles,
    Users,
    Providers,
}

impl Resource {
    /// Where its objects are kept.
    pub(super) fn collection(self) -> &'static NodePath {
        match self {
            Self::Profiles => node_path!("/client-profiles"),
            Self::Policies => node_path!("/policies"),
            Self::Roles => node_path!("/administrative-roles"),
            Self::Users => node_path!("/local-users"),
            Self::Providers => node_path!("/identity-providers"),
        }
    }

    /// What privileges call it.
    pub(super) fn target(self) -> &'static str {
        match self {
            Self::Profiles => "ClientProfile",
            Self::Policies => "Policy",
            Self::Roles => "AdministrativeRole",
            Self::Users => "LocalUser",
            Self::Providers => "IdentityProvider",
        }
    }

    fn named(segment: &str) -> Option<Self> {
        let all = [Self::Profiles, Self::Policies, Self::Roles, Self::Users, Self::Providers];
        let name = |one: &Self| one.collection().key().map(config_tree::Key::as_str);
        all.into_iter().find(|one| name(one) == Some(segment))
    }
}

/// What a request path names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Route {
    Version,
    Login,
    Logout,
    Authorization,
    ProviderNames,
    GlobalSettings,
    List(Resource),
    One(Resource, String),
    Url(String),
    Barcode(String),
    /// Below `/admin`, and nothing.
    Unknown,
    /// Nothing.
    Outside,
}

impl Route {
    /// Reads a path; `None` where it cannot be decoded.
    pub(super) fn parse(path: &str) -> Option<Self> {
        let segments = http_path::segments(path)?;
        let segments: Vec<&str> = segments.iter().map(|one| &**one).collect();
        Some(match segments.as_slice() {
            ["admin", "version"] => Self::Version,
            ["admin", "login" | "authentication"] => Self::Login,
            ["admin", "logout"] | ["admin", "authentication", "logout"] => Self::Logout,
            ["admin", "authorization"] => Self::Authorization,
            ["admin", "identity-providers", "names"] => Self::ProviderNames,
            ["admin", "global-settings"] => Self::GlobalSettings,
            ["admin", "client-profiles", id, "url"] => Self::Url((*id).to_owned()),
            ["admin", "client-profiles", id, "barcode"] => Self::Barcode((*id).to_owned()),
            ["admin", name] => Resource::named(name).map_or(Self::Unknown, Self::List),
            ["admin", name, id] => Resource::named(name)
                .map_or(Self::Unknown, |resource| Self::One(resource, (*id).to_owned())),
            ["admin", ..] => Self::Unknown,
            _ => Self::Outside,
        })
    }

    /// Its methods; none where there is nothing.
    pub(super) fn methods(&self) -> Option<Methods> {
        let whole = Methods::GET.and(Methods::PUT).and(Methods::DELETE);
        match self {
            Self::Login | Self::Logout => Some(Methods::POST),
            Self::Version | Self::Authorization | Self::ProviderNames => Some(Methods::GET),
            Self::Url(_) | Self::Barcode(_) => Some(Methods::GET),
            Self::List(Resource::Providers) | Self::One(Resource::Providers, _) => {
                Some(Methods::GET)
            }
            Self::List(_) => Some(Methods::GET.and(Methods::POST)),
            Self::One(..) | Self::GlobalSettings => Some(whole),
            Self::Unknown | Self::Outside => None,
        }
    }

    /// The verb of a method here, for log and metrics.
    pub(super) fn verb(&self, method: &Method) -> &'static str {
        match (self, method.as_str()) {
            (Self::Version, _) => "version_get",
            (Self::Login, _) => "login",
            (Self::Logout, _) => "logout",
            (Self::Authorization, _) => "authorization_get",
            (Self::ProviderNames, _) => "identity_provider_names",
            (Self::GlobalSettings, "PUT") => "global_settings_put",
            (Self::GlobalSettings, "DELETE") => "global_settings_reset",
            (Self::GlobalSettings, _) => "global_settings_get",
            (Self::List(_), "POST") => "object_create",
            (Self::List(_), _) => "object_list",
            (Self::One(..), "PUT") => "object_put",
            (Self::One(..), "DELETE") => "object_delete",
            (Self::One(..), _) => "object_get",
            (Self::Url(_), _) => "client_profile_url",
            (Self::Barcode(_), _) => "client_profile_barcode",
            (Self::Unknown | Self::Outside, _) => "unknown",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_and_what_they_name() {
        for (path, expected) in [
            ("/admin/version", Route::Version),
            ("/admin/authentication", Route::Login),
            ("/admin/authentication/logout", Route::Logout),
            ("/admin/identity-providers/names", Route::ProviderNames),
            ("/admin/client-profiles/", Route::List(Resource::Profiles)),
            ("/admin/policies/7", Route::One(Resource::Policies, "7".to_owned())),
            ("/admin/client-profiles/7/url", Route::Url("7".to_owned())),
            ("/admin/policies/7/url", Route::Unknown),
            ("/admin/collective", Route::Unknown),
            ("/admin/client-profile-exports", Route::Unknown),
            ("/client-profiles", Route::Outside),
        ] {
            assert_eq!(Route::parse(path), Some(expected), "{path}");
        }
        assert_eq!(Route::parse("/admin/%ff"), None);
    }
}
