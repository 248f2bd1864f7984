//! The types of settings: what each accepts, and the way from a raw value to a field.

use std::fmt::Display;
use std::path::PathBuf;
use std::time::Duration;

use front_end::transport::ListenUrl;

use super::model::Listener;
use super::raw::Raw;

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
    /// A list of names without repetitions; the refusal is a clause that begins with "it".
    Names {
        /// The end of "it takes ...".
        accepted: &'static str,
        /// Whether there is something of this name.
        check: fn(&str) -> Result<(), String>,
        /// Assigns.
        put: fn(&mut T, Vec<String>),
    },
    /// Listeners.
    Listeners(fn(&mut T, Vec<Listener>)),
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
            Self::Text { accepted, .. } | Self::Names { accepted, .. } => (*accepted).to_owned(),
            Self::Word { words, .. } => format!("one of {}", words().join(", ")),
            Self::Switch(_) => "true or false".to_owned(),
            Self::Count { from, to, .. } => format!("a whole number from {from} to {to}"),
            Self::Seconds { from, to, .. } => format!("seconds from {from} to {to}"),
            Self::File(_) => "a path".to_owned(),
            Self::Listeners(_) => {
                "a list of [NAME=]https://ADDRESS:PORT or [NAME=]http://ADDRESS:PORT".to_owned()
            }
        }
    }

    /// The spelled value in the syntax of TOML.
    pub(super) fn to_toml(&self, spelled: &str) -> String {
        match self {
            Self::Switch(_) | Self::Count { .. } | Self::Seconds { .. } => spelled.to_owned(),
            Self::Text { .. } | Self::Word { .. } | Self::File(_) => format!("{spelled:?}"),
            Self::Listeners(_) | Self::Names { .. } => {
                let urls: Vec<String> = spelled.split(',').map(|url| format!("{url:?}")).collect();
                format!("[{}]", urls.join(", "))
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
            Self::Text { put, .. } => put(target, text(raw).ok_or_else(wrong)?)
                .map_err(|why| vec![Refusal::of(raw, Some(why))]),
            Self::Word { put, .. } => {
                text(raw).is_some_and(|word| put(target, word)).then_some(()).ok_or_else(wrong)
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
            Self::Names { check, put, .. } => names(raw, *check).map(|names| put(target, names)),
            Self::Listeners(put) => listeners(raw).map(|urls| put(target, urls)),
        }
    }
}

// ===== from raw values to plain ones =====

fn text(raw: &Raw) -> Option<&str> {
    match raw {
        Raw::Spelled(text) | Raw::Text(text) => Some(text),
        _ => None,
    }
}

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
    let text = text(raw).ok_or_else(|| vec![Refusal::of(raw, None)])?;
    // A common slip: the content of the file pasted in the place of its path.
    if text.contains("-----BEGIN") || text.contains(char::is_control) {
        return Err(vec![Refusal::Content]);
    }
    Ok((!text.is_empty()).then(|| PathBuf::from(text)))
}

/// The items of a list: separated by commas where only text can be given.
fn list(raw: &Raw) -> Option<Vec<&str>> {
    match raw {
        Raw::Spelled(text) => Some(text.split(',').map(str::trim).collect()),
        Raw::List(items) => items.iter().map(text).collect(),
        _ => None,
    }
}

fn names(raw: &Raw, check: fn(&str) -> Result<(), String>) -> Result<Vec<String>, Vec<Refusal>> {
    // One name may stand without the brackets of a list.
    let texts = text(raw).map(|text| text.split(',').map(str::trim).collect());
    let texts = texts.or_else(|| list(raw)).ok_or_else(|| vec![Refusal::of(raw, None)])?;
    if texts.is_empty() {
        return Err(vec![Refusal::of(&"empty", None)]);
    }
    let mut refusals = Vec::new();
    for (at, name) in texts.iter().enumerate() {
        let twice = texts[..at].contains(name).then(|| "it is in the list twice".to_owned());
        if let Some(why) = check(name).err().or(twice) {
            refusals.push(Refusal::of(&Raw::Text((*name).to_owned()), Some(why)));
        }
    }
    if refusals.is_empty() {
        Ok(texts.into_iter().map(str::to_owned).collect())
    } else {
        Err(refusals)
    }
}

fn listeners(raw: &Raw) -> Result<Vec<Listener>, Vec<Refusal>> {
    let texts = list(raw).ok_or_else(|| vec![Refusal::of(raw, None)])?;
    if texts.is_empty() {
        return Err(vec![Refusal::of(&"empty", None)]);
    }
    let (mut urls, mut refusals) = (Vec::new(), Vec::new());
    for text in texts {
        let (appliance, url) = match text.split_once('=') {
            Some((name, url)) => (Some(name.to_owned()), url),
            None => (None, text),
        };
        match url.parse::<ListenUrl>() {
            Ok(url) => urls.push(Listener { appliance, url }),
            Err(why) => {
                let why = format!("it {}", why.fault());
                refusals.push(Refusal::of(&Raw::Text(text.to_owned()), Some(why)));
            }
        }
    }
    if refusals.is_empty() { Ok(urls) } else { Err(refusals) }
}
