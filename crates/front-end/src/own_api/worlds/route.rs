//! What a path below `/boxwood/v1/worlds` names.

use hyper::Method;

use crate::http_path;
use crate::methods::Methods;

/// What a path names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Endpoint {
    /// `worlds`
    Worlds,
    /// `worlds/W`
    World(String),
    /// `worlds/W/reset`
    Reset(String),
    /// `worlds/W/clock`
    Clock(String),
}

/// Whether a path is about worlds, whatever it names.
pub(crate) fn is_control(path: &str) -> bool {
    let mut segments = path.split('/').filter(|segment| !segment.is_empty());
    ["boxwood", "v1", "worlds"].into_iter().all(|expected| segments.next() == Some(expected))
}

impl Endpoint {
    /// Reads a path; `None` for another.
    pub(super) fn parse(path: &str) -> Option<Self> {
        let segments = http_path::segments(path)?;
        let segments: Vec<&str> = segments.iter().map(|segment| &**segment).collect();
        let ["boxwood", "v1", "worlds", rest @ ..] = segments.as_slice() else { return None };
        Some(match rest {
            [] => Self::Worlds,
            [name] => Self::World((*name).to_owned()),
            [name, "clock"] => Self::Clock((*name).to_owned()),
            [name, "reset"] => Self::Reset((*name).to_owned()),
            _ => return None,
        })
    }

    /// The verb, for the log.
    pub(super) fn verb(&self, method: &Method) -> &'static str {
        match self {
            Self::Worlds if *method == Method::POST => "world_fork",
            Self::Worlds => "worlds",
            Self::World(_) if *method == Method::DELETE => "world_drop",
            Self::World(_) => "world",
            Self::Reset(_) => "world_reset",
            Self::Clock(_) if *method == Method::PUT => "clock_set",
            Self::Clock(_) => "clock",
        }
    }

    /// Its methods.
    pub(super) fn allow(&self) -> Methods {
        match self {
            Self::Worlds => Methods::GET.and(Methods::POST),
            Self::World(_) => Methods::GET.and(Methods::DELETE),
            Self::Reset(_) => Methods::POST,
            Self::Clock(_) => Methods::GET.and(Methods::PUT),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_manual_has_every_endpoint() {
        let manual = include_str!("../../../../../docs/reference/own-api.md");
        for path in ["worlds", "worlds/W", "worlds/W/reset", "worlds/W/clock"] {
            let path = format!("/boxwood/v1/{path}");
            assert!(Endpoint::parse(&path).is_some() && is_control(&path));
            assert!(manual.contains(&format!("{path}`")), "{path}");
        }
        for other in ["/boxwood/v1/world", "/boxwood/v1/worlds/a/b", "/api", "/boxwood/worlds"] {
            assert_eq!(Endpoint::parse(other), None, "{other}");
        }
        assert!(is_control("//boxwood/v1/worlds/") && !is_control("/boxwood/v1/watch"));
    }
}
