//! What a path of the administration API or of the OAuth server names. Letters of either case are
//! the same, as in the service behind the documentation.

use std::borrow::Cow;

use hyper::Method;

use crate::http_path;
use crate::methods::Methods;

/// What a request path names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Route {
    /// `/admin/securityprofiles`
    Profiles,
    /// `/admin/securityprofiles/{id}`
    Profile(String),
    /// One field of a profile.
    Field(String, Field),
    /// `/admin/users/{username}/password`
    Password(String),
    /// `/oauth/authorize`
    Authorize,
    /// `/oauth/token`
    Token,
    /// Below `/admin`, and nothing.
    UnknownAdmin,
    /// Nothing.
    Unknown,
}

/// A field that has a path of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Field {
    /// `expirydate`
    ExpiryDate,
    /// `allowclientcredentialsgranttype`
    ClientCredentialsGrant,
    /// `clientcredentials/authorizedredirecturis`
    RedirectUris,
}

impl Field {
    /// Where it stands in the body.
    pub(super) fn pointer(self) -> &'static str {
        match self {
            Self::ExpiryDate => "/expiryDate",
            Self::ClientCredentialsGrant => "/allowClientCredentialsGrantType",
            Self::RedirectUris => "/clientCredentials/authorizedRedirectUris",
        }
    }
}

impl Route {
    /// Reads a path below the base path; `None` where it cannot be decoded.
    pub(super) fn parse(path: &str, base_path: &str) -> Option<Self> {
        let Some(path) = below(path, base_path) else { return Some(Self::Unknown) };
        let segments = http_path::segments(path)?;
        let lower: Vec<String> = segments.iter().map(|one| one.to_lowercase()).collect();
        let lower: Vec<&str> = lower.iter().map(String::as_str).collect();
        let given = |at: usize| segments.get(at).cloned().map(Cow::into_owned).unwrap_or_default();
        Some(match lower.as_slice() {
            ["admin", "securityprofiles"] => Self::Profiles,
            ["admin", "securityprofiles", _] => Self::Profile(given(2)),
            ["admin", "securityprofiles", _, "expirydate"] => {
                Self::Field(given(2), Field::ExpiryDate)
            }
            ["admin", "securityprofiles", _, "allowclientcredentialsgranttype"] => {
                Self::Field(given(2), Field::ClientCredentialsGrant)
            }
            ["admin", "securityprofiles", _, "clientcredentials", "authorizedredirecturis"] => {
                Self::Field(given(2), Field::RedirectUris)
            }
            ["admin", "users", _, "password"] => Self::Password(given(2)),
            ["oauth", "authorize"] => Self::Authorize,
            ["oauth", "token"] => Self::Token,
            ["admin", ..] => Self::UnknownAdmin,
            _ => Self::Unknown,
        })
    }

    /// Whether it is for the administrator.
    pub(super) fn is_admin(&self) -> bool {
        !matches!(self, Self::Authorize | Self::Token | Self::Unknown)
    }

    /// Its methods; none where there is nothing.
    pub(super) fn methods(&self) -> Option<Methods> {
        match self {
            Self::Profiles => Some(Methods::GET.and(Methods::POST)),
            Self::Profile(_) => Some(Methods::GET.and(Methods::DELETE)),
            Self::Field(..) => Some(Methods::PATCH),
            Self::Password(_) | Self::Token => Some(Methods::POST),
            Self::Authorize => Some(Methods::GET),
            Self::UnknownAdmin | Self::Unknown => None,
        }
    }

    /// The verb of a method here, for log and metrics.
    pub(super) fn verb(&self, method: &Method) -> &'static str {
        match (self, method.as_str()) {
            (Self::Profiles, "POST") => "security_profile_create",
            (Self::Profiles, _) => "security_profile_list",
            (Self::Profile(_), "DELETE") => "security_profile_delete",
            (Self::Profile(_), _) => "security_profile_get",
            (Self::Field(..), _) => "security_profile_patch",
            (Self::Password(_), _) => "administrator_password_set",
            (Self::Authorize, _) => "oauth_authorize",
            (Self::Token, _) => "oauth_token",
            (Self::UnknownAdmin | Self::Unknown, _) => "unknown",
        }
    }
}

/// Whether a path that cannot be decoded as a whole stands below `/admin`.
pub(super) fn is_below_admin(path: &str, base_path: &str) -> bool {
    let rest = below(path, base_path).unwrap_or_default();
    let first = rest.split('/').find(|segment| !segment.is_empty()).unwrap_or_default();
    let first = http_path::decode_any(first);
    first.is_some_and(|first| first.eq_ignore_ascii_case("admin"))
}

// The rest of a path below the virtual directory in which the service lives.
fn below<'p>(path: &'p str, base_path: &str) -> Option<&'p str> {
    let base = base_path.trim_end_matches('/');
    let (front, rest) = path.split_at_checked(base.len())?;
    (front.eq_ignore_ascii_case(base) && (rest.is_empty() || rest.starts_with('/'))).then_some(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_and_what_they_name() {
        let id = || "7".to_owned();
        for (path, expected) in [
            ("/admin/securityprofiles", Route::Profiles),
            ("/Admin/SecurityProfiles/", Route::Profiles),
            ("/admin/securityprofiles/7", Route::Profile(id())),
            ("/admin/securityprofiles/7/expiryDate", Route::Field(id(), Field::ExpiryDate)),
            (
                "/admin/securityprofiles/7/ClientCredentials/authorizedRedirectUris",
                Route::Field(id(), Field::RedirectUris),
            ),
            ("/admin/users/Bob/password", Route::Password("Bob".to_owned())),
            ("/oauth/TOKEN", Route::Token),
            ("/admin", Route::UnknownAdmin),
            ("/admin/securityprofiles/7/name", Route::UnknownAdmin),
            ("/api/configuration", Route::Unknown),
            ("/", Route::Unknown),
        ] {
            assert_eq!(Route::parse(path, ""), Some(expected), "{path}");
        }
        assert_eq!(Route::parse("/admin/%ff", ""), None);
    }

    #[test]
    fn what_stands_below_admin_is_known_even_where_the_rest_cannot_be_decoded() {
        for (path, base, expected) in [
            ("/admin/%ff", "", true),
            ("//%41dmin/%zz", "", true),
            ("/ds/admin/%ff", "/ds", true),
            ("/admin/%ff", "/ds", false),
            ("/oauth/%ff", "", false),
            ("/%ff/admin", "", false),
        ] {
            assert_eq!(is_below_admin(path, base), expected, "{path} {base}");
        }
    }

    #[test]
    fn the_service_may_live_in_a_virtual_directory() {
        let parse = |path| Route::parse(path, "/documentservices");
        assert_eq!(parse("/DocumentServices/admin/securityprofiles"), Some(Route::Profiles));
        for outside in ["/admin/securityprofiles", "/documentservicesadmin", "/doc"] {
            assert_eq!(parse(outside), Some(Route::Unknown), "{outside}");
        }
    }
}
