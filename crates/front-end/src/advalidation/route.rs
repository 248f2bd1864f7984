//! What a path below `/v2` names.

use config_tree::{Key, number_of};
use hyper::Method;

use crate::http_path;
use crate::methods::Methods;

/// What a request path names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Route {
    /// `/v2/users/me`
    Me,
    /// `/v2/connection-profiles`
    Profiles,
    /// `/v2/connection-profiles/{id}`
    Profile(Key),
    /// `/v2/connection-profiles/{id}/rules`
    Rules(Key),
    /// `/v2/connection-profiles/{id}/rules/{rule}`
    Rule(Key, Key),
    /// Nothing.
    Unknown,
}

impl Route {
    /// Reads a path; `None` where it cannot be decoded. What is not a number is not an id.
    pub(super) fn parse(path: &str) -> Option<Self> {
        let segments = http_path::segments(path)?;
        let segments: Vec<&str> = segments.iter().map(AsRef::as_ref).collect();
        let below = match segments.as_slice() {
            ["v2", "users", "me"] => return Some(Self::Me),
            ["v2", "connection-profiles", below @ ..] => below,
            _ => return Some(Self::Unknown),
        };
        let route = match below {
            [] => Some(Self::Profiles),
            [profile] => id(profile).map(Self::Profile),
            [profile, "rules"] => id(profile).map(Self::Rules),
            [profile, "rules", rule] => id(profile).zip(id(rule)).map(|(p, r)| Self::Rule(p, r)),
            _ => None,
        };
        Some(route.unwrap_or(Self::Unknown))
    }

    /// Its methods; none where there is nothing.
    pub(super) fn methods(&self) -> Option<Methods> {
        match self {
            Self::Me => Some(Methods::GET),
            Self::Profiles | Self::Rules(_) => Some(Methods::GET.and(Methods::POST)),
            Self::Profile(_) | Self::Rule(..) => {
                Some(Methods::GET.and(Methods::PATCH).and(Methods::DELETE))
            }
            Self::Unknown => None,
        }
    }

    /// The verb of a method here, for the log.
    pub(super) fn verb(&self, method: &Method) -> &'static str {
        match (self, method.as_str()) {
            (Self::Me, _) => "user_get",
            (Self::Profiles, "POST") => "profile_create",
            (Self::Profiles, _) => "profile_list",
            (Self::Profile(_), "PATCH") => "profile_patch",
            (Self::Profile(_), "DELETE") => "profile_delete",
            (Self::Profile(_), _) => "profile_get",
            (Self::Rules(_), "POST") => "rule_create",
            (Self::Rules(_), _) => "rule_list",
            (Self::Rule(..), "PATCH") => "rule_patch",
            (Self::Rule(..), "DELETE") => "rule_delete",
            (Self::Rule(..), _) => "rule_get",
            (Self::Unknown, _) => "unknown",
        }
    }
}

fn id(segment: &str) -> Option<Key> {
    Key::parse(segment).ok().filter(|key| number_of(key).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(text: &str) -> Key {
        Key::parse(text).unwrap()
    }

    #[test]
    fn paths_and_what_they_name() {
        for (path, expected) in [
            ("/v2/users/me", Route::Me),
            ("/v2/connection-profiles", Route::Profiles),
            ("//v2/connection-profiles/", Route::Profiles),
            ("/v2/connection-profiles/7", Route::Profile(key("7"))),
            ("/v2/connection-profiles/%37", Route::Profile(key("7"))),
            ("/v2/connection-profiles/7/rules", Route::Rules(key("7"))),
            ("/v2/connection-profiles/7/rules/8", Route::Rule(key("7"), key("8"))),
        ] {
            assert_eq!(Route::parse(path), Some(expected), "{path}");
        }
        for unknown in [
            "/",
            "/v2",
            "/v1/connection-profiles",
            "/connection-profiles",
            "/v2/Connection-Profiles",
            "/v2/connection-profiles/0",
            "/v2/connection-profiles/07",
            "/v2/connection-profiles/+7",
            "/v2/connection-profiles/x/rules",
            "/v2/connection-profiles/7/rules/x",
            "/v2/connection-profiles/7/rules/8/9",
            "/v2/connection-profiles/18446744073709551616",
        ] {
            assert_eq!(Route::parse(unknown), Some(Route::Unknown), "{unknown}");
        }
        assert_eq!(Route::parse("/v2/%ff"), None);
    }
}
