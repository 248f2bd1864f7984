//! The types of settings: what each accepts, and the way from a raw value to a field.

use std::fmt::Display;
use std::path::PathBuf;
use std::time::Duration;

use front_end::transport::ListenUrl;

use super::problem::Problem;
use super::raw::{Origin, Raw};

/// Each refused name, and why, as a clause that begins with "it".
pub(super) type RefusedNames = Vec<(String, String)>;

/// The type of a setting, together with the assignment to its field in `T`.
#[derive(Debug)]
pub(super) enum Takes<T> {
    /// Text with rules of its own; the refusal is a clause that begins with "it".
    Text {
        /// The end of "it takes ...".
        accepted: &'static str,
        /// Checks and assigns.
        put: fn(&mut T, &str) -> Result<(), String>,
    },
    /// A list of texts with rules of their own, which may be empty; the refusal is a clause.
    Texts {
        /// The end of "it takes ...".
        accepted: &'static str,
        /// Checks and assigns.
        put: fn(&mut T, &[&str]) -> Result<(), String>,
    },
    /// A word from a list.
    Word {
        /// The list.
        words: fn() -> Vec<&'static str>,
        /// Assigns, and says whether the word is in the list.
        put: fn(&mut T, &str) -> bool,
    },
    /// True or false.
    Switch(fn(&mut T, bool)),
    /// A whole number.
    Count {
        /// The least.
        from: u64,
        /// The greatest.
        to: u64,
        /// Assigns.
        put: fn(&mut T, u64),
    },
    /// A time in seconds, which may have a fraction.
    Seconds {
        /// The least.
        from: f64,
        /// The greatest.
        to: f64,
        /// Assigns.
        put: fn(&mut T, Duration),
    },
    /// A path; an empty one is `None`.
    File(fn(&mut T, Option<PathBuf>)),
    /// Names of appliances, one or several.
    Names(fn(&mut T, &[&str]) -> Result<(), RefusedNames>),
    /// Listeners.
    Listeners(fn(&mut T, Vec<ListenUrl>)),
}

/// Why a value was not assigned.
#[derive(Debug)]
pub(super) enum Refusal {
    /// The setting cannot have this value.
    Value {
        /// The value, as it may be shown.
        shown: String,
        /// A clause that begins with "it", where there is more to say than what is accepted.
        why: Option<String>,
    },
    /// The content of a file stands where its path belongs. It may be a key, and is not shown.
    Content,
}

impl Refusal {
    fn of(value: &dyn Display, why: Option<String>) -> Self {
        Self::Value { shown: value.to_string(), why }
    }
}

/// All refusals of one value.
type Refused = Result<(), Vec<Refusal>>;

impl<T> Takes<T> {
    /// What is accepted, as the end of "it takes ...".
    pub(super) fn accepted(&self) -> String {
        match self {
            Self::Text { accepted, .. } | Self::Texts { accepted, .. } => (*accepted).to_owned(),
            Self::Word { words, .. } => format!("one of {}", words().join(", ")),
            Self::Switch(_) => "true or false".to_owned(),
            Self::Count { from, to, .. } => format!("a whole number from {from} to {to}"),
            Self::Seconds { from, to, .. } => format!("seconds from {from} to {to}"),
            Self::File(_) => "a path".to_owned(),
            Self::Names(_) => "the name of an appliance, such as sps-6.2, or a list".to_owned(),
            Self::Listeners(_) => {
                "a list of https://ADDRESS:PORT or http://ADDRESS:PORT".to_owned()
            }
        }
    }

    /// The spelled value in the syntax of TOML.
    pub(super) fn to_toml(&self, spelled: &str) -> String {
        match self {
            Self::Switch(_) | Self::Count { .. } | Self::Seconds { .. } => spelled.to_owned(),
            Self::Text { .. } | Self::Word { .. } | Self::File(_) | Self::Names(_) => {
                format!("{spelled:?}")
            }
            Self::Listeners(_) | Self::Texts { .. } => {
                let texts = spelled.split(',').filter(|text| !text.is_empty());
                let quoted: Vec<String> = texts.map(|text| format!("{text:?}")).collect();
                format!("[{}]", quoted.join(", "))
            }
        }
    }

    /// Parses the value and assigns it.
    ///
    /// # Errors
    /// Everything that is wrong with the value; nothing was assigned then.
    pub(super) fn assign(&self, target: &mut T, raw: &Raw) -> Refused {
        let wrong = || vec![Refusal::of(raw, None)];
        match self {
            Self::Text { put, .. } => put(target, raw.text().ok_or_else(wrong)?)
                .map_err(|why| vec![Refusal::of(raw, Some(why))]),
            Self::Texts { put, .. } => {
                let mut texts = raw.list().ok_or_else(wrong)?;
                texts.retain(|text| !text.is_empty());
                put(target, &texts).map_err(|why| vec![Refusal::of(raw, Some(why))])
            }
            Self::Word { put, .. } => {
                raw.text().is_some_and(|word| put(target, word)).then_some(()).ok_or_else(wrong)
            }
            Self::Switch(put) => switch(raw).map(|value| put(target, value)).ok_or_else(wrong),
            Self::Count { from, to, put } => {
                let number = count(raw).filter(|number| (*from..=*to).contains(number));
                number.map(|number| put(target, number)).ok_or_else(wrong)
            }
            Self::Seconds { from, to, put } => {
                let number = seconds(raw).filter(|number| (*from..=*to).contains(number));
                let time = number.map(Duration::from_secs_f64);
                time.map(|time| put(target, time)).ok_or_else(wrong)
            }
            Self::File(put) => file(raw).map(|path| put(target, path)),
            Self::Names(put) => {
                let names = raw.texts();
                if names.is_empty() {
                    return Err(wrong());
                }
                let assigned = put(target, &names);
                let refusal = |(name, why)| Refusal::of(&Raw::Text(name), Some(why));
                assigned.map_err(|refused| refused.into_iter().map(refusal).collect())
            }
            Self::Listeners(put) => listeners(raw).map(|urls| put(target, urls)),
        }
    }
}

/// Assigns the value of a setting; what keeps it from that, in sentences.
pub(super) fn problems<T>(
    takes: &Takes<T>,
    name: &str,
    target: &mut T,
    raw: &Raw,
    origin: &Origin,
) -> Vec<Problem> {
    let refusals = takes.assign(target, raw).err().unwrap_or_default();
    let problem = |refusal| {
        let message = match refusal {
            Refusal::Value { shown, why } => {
                let why = why.map(|why| format!(": {why}")).unwrap_or_default();
                format!("`{name}` cannot be {shown}{why}; it takes {}", takes.accepted())
            }
            Refusal::Content => format!("`{name}` is the path of a file, not its content"),
        };
        Problem::new(name, origin.clone(), message)
    };
    refusals.into_iter().map(problem).collect()
}

// ===== from raw values to plain ones =====

fn switch(raw: &Raw) -> Option<bool> {
    match raw {
        Raw::Switch(value) => Some(*value),
        Raw::Spelled(text) => text.parse().ok(),
        _ => None,
    }
}

fn count(raw: &Raw) -> Option<u64> {
    match raw {
        Raw::Integer(digits, radix) => u64::from_str_radix(digits, *radix).ok(),
        Raw::Spelled(text) => text.parse().ok(),
        _ => None,
    }
}

fn seconds(raw: &Raw) -> Option<f64> {
    match raw {
        Raw::Integer(digits, 10) | Raw::Float(digits) | Raw::Spelled(digits) => digits.parse().ok(),
        _ => None,
    }
}

fn file(raw: &Raw) -> Result<Option<PathBuf>, Vec<Refusal>> {
    let text = raw.text().ok_or_else(|| vec![Refusal::of(raw, None)])?;
    // A common slip: the content of the file pasted in the place of its path.
    if text.contains("-----BEGIN") || text.contains(char::is_control) {
        return Err(vec![Refusal::Content]);
    }
    Ok((!text.is_empty()).then(|| PathBuf::from(text)))
}

fn listeners(raw: &Raw) -> Result<Vec<ListenUrl>, Vec<Refusal>> {
    let texts = raw.list().ok_or_else(|| vec![Refusal::of(raw, None)])?;
    if texts.is_empty() {
        return Err(vec![Refusal::of(&"empty", None)]);
    }
    let (mut urls, mut refusals) = (Vec::new(), Vec::new());
    for text in texts {
        match text.parse::<ListenUrl>() {
            Ok(url) => urls.push(url),
            Err(why) => {
                let why = format!("it {}", why.fault());
                refusals.push(Refusal::of(&Raw::Text(text.to_owned()), Some(why)));
            }
        }
    }
    if refusals.is_empty() { Ok(urls) } else { Err(refusals) }
}
