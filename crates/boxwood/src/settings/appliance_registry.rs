//! The table of the settings that each appliance has for itself: `appliances.NAME.KEY`.
//!
//! A dialect adds a setting with an entry here that assigns to its member of
//! [`front_end::DialectSettings`], where its `plan` reads it. The default in the entry counts, not
//! that of the struct; `Preset::PerMode` has another one for `boxwood dev`. Two dialects may have
//! settings of one key. Parsing, `--help`,
//! `config/boxwood.toml`, `docs/reference/settings.md` and the environment variables follow;
//! `make generated` rewrites the files.

use front_end::CheckReferences;

use super::model::ApplianceSettings;
use super::problem::Problem;
use super::raw::{Origin, Raw};
use super::registry::{Preset, choose, printable, words};
use super::takes::{Takes, problems};

/// Everything about one setting of an appliance.
#[derive(Debug)]
pub struct ApplianceSetting {
    /// The dialect whose appliances have it; `None`: all have it.
    pub dialect: Option<&'static str>,
    /// The key in the table of the appliance.
    pub key: &'static str,
    /// The value where none is given.
    pub default: Preset,
    /// One sentence saying what it is for.
    pub about: &'static str,
    /// What it may be, and where it goes.
    takes: Takes<ApplianceSettings>,
}

/// Every setting of an appliance.
pub static APPLIANCE_REGISTRY: &[ApplianceSetting] = &[
    ApplianceSetting {
        dialect: None,
        key: "listen",
        default: Preset::Elsewhere("the next port after the first appliance's"),
        about: "Addresses that accept connections for this appliance; port 0 is any free port.",
        takes: Takes::Listeners(|own, value| own.listen = value),
    },
    ApplianceSetting {
        dialect: None,
        key: "catalog",
        default: Preset::Same(""),
        about: "The directory of your own catalog of this name, instead of a built-in one.",
        takes: Takes::File(|own, value| own.catalog = value),
    },
    ApplianceSetting {
        dialect: Some("sps"),
        key: "lenient_commit",
        default: Preset::Elsewhere("sps.lenient_commit"),
        about: "Whether PUT /api/transaction without a body commits instead of being refused.",
        takes: Takes::Switch(|own, value| own.dialect.sps.lenient_commit = value),
    },
    ApplianceSetting {
        dialect: Some("sps"),
        key: "firmware_version",
        default: Preset::Elsewhere("sps.firmware_version"),
        about: "The firmware_version in /api/info; empty follows the catalog.",
        takes: Takes::Text {
            accepted: "at most 64 printable characters",
            put: |own, text| printable(text).map(|it| own.dialect.sps.firmware_version = it),
        },
    },
    ApplianceSetting {
        dialect: Some("sps"),
        key: "version",
        default: Preset::Elsewhere("sps.version"),
        about: "The version in /api/info; empty follows the catalog.",
        takes: Takes::Text {
            accepted: "at most 64 printable characters",
            put: |own, text| printable(text).map(|it| own.dialect.sps.version = it),
        },
    },
    ApplianceSetting {
        dialect: Some("sps"),
        key: "x_token",
        default: Preset::Elsewhere("sps.x_token"),
        about: "Whether browsers must send X-Token with what they change, as from SPS 7.5 on.",
        takes: Takes::Switch(|own, value| own.dialect.sps.x_token = value),
    },
    ApplianceSetting {
        dialect: Some("sps"),
        key: "upload_bytes",
        default: Preset::Elsewhere("sps.upload_bytes"),
        about: "Maximum size of an uploaded firmware or plugin, in bytes.",
        takes: Takes::Count {
            from: 1024,
            to: 1 << 40,
            put: |own, n| own.dialect.sps.upload_bytes = usize::try_from(n).unwrap_or(usize::MAX),
        },
    },
    ApplianceSetting {
        dialect: Some("sps"),
        key: "audit",
        default: Preset::Elsewhere("sps.audit"),
        about: "JSON file with the sessions that /api/audit/sessions finds; empty is none.",
        takes: Takes::File(|own, value| own.dialect.sps.audit = value),
    },
    ApplianceSetting {
        dialect: Some("ds-server"),
        key: "base_path",
        default: Preset::Same(""),
        about: "The virtual directory of the service, such as /documentservices; empty is none.",
        takes: Takes::Text {
            accepted: "a path that begins with a slash, or nothing",
            put: |own, text| base_path(text).map(|it| own.dialect.ds_server.base_path = it),
        },
    },
    ApplianceSetting {
        dialect: Some("prisma"),
        key: "live_errors",
        default: Preset::Same("false"),
        about: "Whether errors look as the live service has them, not as it documents them.",
        takes: Takes::Switch(|own, value| own.dialect.prisma.live_errors = value),
    },
    ApplianceSetting {
        dialect: Some("prisma"),
        key: "error_types",
        default: Preset::Same("false"),
        about: "Whether details.errorType of an error names its kind.",
        takes: Takes::Switch(|own, value| own.dialect.prisma.error_types = value),
    },
    ApplianceSetting {
        dialect: Some("prisma"),
        key: "check_references",
        default: Preset::Same("never"),
        about: "When the objects that a name refers to must exist.",
        takes: Takes::Word {
            words: || words(REFERENCE_CHECKS),
            put: |own, word| {
                choose(REFERENCE_CHECKS, word, &mut own.dialect.prisma.check_references)
            },
        },
    },
    ApplianceSetting {
        dialect: Some("prisma"),
        key: "job_polls",
        default: Preset::Same("0"),
        about: "How many times a job is asked for before it is done.",
        takes: Takes::Count {
            from: 0,
            to: 1_000,
            put: |own, n| own.dialect.prisma.job_polls = u32::try_from(n).unwrap_or(u32::MAX),
        },
    },
    ApplianceSetting {
        dialect: Some("prisma"),
        key: "job_seconds",
        default: Preset::Same("0"),
        about: "Time that a job takes.",
        takes: Takes::Seconds {
            from: 0.0,
            to: 86_400.0,
            put: |own, time| own.dialect.prisma.job_time = time,
        },
    },
    ApplianceSetting {
        dialect: Some("advalidation"),
        key: "rate_limit",
        default: Preset::Same("false"),
        about: "Whether an address is limited to 15 requests at once and one more each second.",
        takes: Takes::Switch(|own, value| own.dialect.advalidation.rate_limit = value),
    },
    ApplianceSetting {
        dialect: Some("advalidation"),
        key: "create_status",
        default: Preset::Same("201"),
        about: "The HTTP status of the answer to a successful POST.",
        takes: Takes::Count {
            from: 200,
            to: 202,
            put: |own, n| own.dialect.advalidation.create_status = status(n),
        },
    },
    ApplianceSetting {
        dialect: Some("advalidation"),
        key: "update_status",
        default: Preset::Same("200"),
        about: "The HTTP status of the answer to a successful PATCH.",
        takes: Takes::Count {
            from: 200,
            to: 202,
            put: |own, n| own.dialect.advalidation.update_status = status(n),
        },
    },
    ApplianceSetting {
        dialect: Some("advalidation"),
        key: "delete_status",
        default: Preset::Same("204"),
        about: "The HTTP status of the answer to a successful DELETE; any but 204 has a body.",
        takes: Takes::Count {
            from: 200,
            to: 204,
            put: |own, n| own.dialect.advalidation.delete_status = status(n),
        },
    },
];

/// When names must mean something, by the words of the setting.
const REFERENCE_CHECKS: &[(&str, CheckReferences)] = &[
    ("never", CheckReferences::Never),
    ("write", CheckReferences::Write),
    ("push", CheckReferences::Push),
];

/// The front of request paths; a slash at its end means nothing.
fn base_path(text: &str) -> Result<String, String> {
    let path = text.trim_end_matches('/');
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/-._~".contains(c);
    if path.is_empty() || path.starts_with('/') && path.chars().all(is_plain) {
        return Ok(path.to_owned());
    }
    Err("it is not a plain path".to_owned())
}

// The bounds of the setting keep it in range.
fn status(number: u64) -> u16 {
    u16::try_from(number).unwrap_or(u16::MAX)
}

/// The settings with that key: one, or one of each of several dialects.
pub fn named(key: &str) -> impl Iterator<Item = &'static ApplianceSetting> {
    APPLIANCE_REGISTRY.iter().filter(move |setting| setting.key == key)
}

impl ApplianceSetting {
    /// What it may be, as the end of "it takes ...".
    pub fn accepted(&self) -> String {
        self.takes.accepted()
    }

    /// The default, for a reader.
    pub fn default_shown(&self) -> String {
        self.default.shown("none")
    }

    /// Parses the value and puts it in its field, or says why not.
    pub(super) fn apply(
        &self,
        name: &str,
        own: &mut ApplianceSettings,
        raw: &Raw,
        origin: &Origin,
    ) -> Vec<Problem> {
        problems(&self.takes, name, own, raw, origin)
    }
}
