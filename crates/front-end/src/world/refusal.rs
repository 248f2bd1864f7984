//! Why something about worlds is refused.

use std::sync::Arc;

use hyper::StatusCode;

use super::Ending;

/// Why something about worlds is refused. Dressed by Boxwood's own API, whichever appliance the
/// request was for: no vendor has worlds.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum WorldRefusal {
    /// There is no world of this name.
    #[error(
        "there is no world named {0:?}; make it with POST /boxwood/v1/worlds and the body \
         {{\"name\": {0:?}}}"
    )]
    Unknown(String),
    /// Another world has the name.
    #[error("there is a world named {0:?} already; drop it with DELETE /boxwood/v1/worlds/{0}")]
    Taken(Arc<str>),
    /// Not a name.
    #[error(
        "the name of a world is 1 to 63 lower-case letters, digits and hyphens, and neither begins \
         nor ends with a hyphen"
    )]
    Name,
    /// The name of the world that is always there.
    #[error("the name main belongs to the world that is always there")]
    Reserved,
    /// There are as many worlds as there may be.
    #[error("there are {0} worlds, as many as there may be; drop one, or raise worlds.most")]
    Full(usize),
    /// The header is there more than once.
    #[error("the request has more than one Boxwood-World header; send it once")]
    Repeated,
    /// The header is not the name of a world.
    #[error("the Boxwood-World header must be the name of a world in ASCII")]
    Unreadable,
    /// Two ways of choosing a world disagree.
    #[error(
        "the request names two worlds, {0:?} in its Boxwood-World header and {1:?} by where it was \
         sent; send one of them"
    )]
    Disagreement(String, String),
    /// The world went away while the request ran in it.
    #[error("the world {0:?} was {how} while this request ran in it", how = ended(*.1))]
    Gone(Arc<str>, Ending),
    /// `main` cannot be dropped.
    #[error("the world main cannot be dropped")]
    Main,
    /// `main` keeps what is committed.
    #[error("the world main is durable here, and a reset would discard its configuration")]
    Durable,
    /// The time is the machine's.
    #[error("the time of this world is the machine's; fork a world to have a time of its own")]
    RealTime,
    /// A clock has no room for it.
    #[error("the clock of a world ends with the year 9999")]
    TooLate,
    /// A browser sends it from a page of somebody else.
    #[error(
        "a page of another origin may not control worlds: the request has the header {0} that a \
         browser sends for one"
    )]
    ForeignPage(&'static str),
}

fn ended(ending: Ending) -> &'static str {
    match ending {
        Ending::Dropped => "dropped",
        Ending::Reset => "reset",
    }
}

impl WorldRefusal {
    /// The status and the type of the answer.
    pub(crate) fn standing(&self) -> (StatusCode, &'static str) {
        match self {
            Self::Unknown(_) => (StatusCode::NOT_FOUND, "NoSuchWorld"),
            Self::Taken(_) => (StatusCode::CONFLICT, "Conflict"),
            Self::Reserved | Self::Main | Self::Durable | Self::RealTime => {
                (StatusCode::CONFLICT, "Conflict")
            }
            Self::Gone(..) => (StatusCode::GONE, "WorldGone"),
            Self::Full(_) => (StatusCode::SERVICE_UNAVAILABLE, "TooManyWorlds"),
            Self::TooLate
            | Self::Name
            | Self::Repeated
            | Self::Unreadable
            | Self::Disagreement(..) => (StatusCode::BAD_REQUEST, "InvalidRequest"),
            Self::ForeignPage(_) => (StatusCode::FORBIDDEN, "Unauthorized"),
        }
    }
}
