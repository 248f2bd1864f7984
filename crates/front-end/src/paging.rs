//! Pages of a list, by the number of the page and the number of items on each.

use std::borrow::Cow;

use crate::failure::{Failure, Parameter};
use crate::query::parameters;

/// How a list is asked for in pages.
pub(crate) struct Paging {
    /// The parameter with the number of the page.
    pub(crate) number: &'static str,
    /// The parameters that give the number of items on a page, all meaning the same.
    pub(crate) size: &'static [&'static str],
    /// The number of items on a page where none is given.
    pub(crate) default: u32,
    /// The greatest number of items on a page; a request for more gets this number.
    pub(crate) maximum: u32,
}

/// A page that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Page {
    /// Its number, from 1.
    pub(crate) number: u64,
    /// The number of items on it.
    pub(crate) size: u32,
}

impl Paging {
    /// Reads a query. Parameters of other names mean nothing here.
    ///
    /// # Errors
    /// Every parameter that is not a positive number, or there twice.
    pub(crate) fn read(&self, query: Option<&str>) -> Result<Page, Failure> {
        let (mut number, mut size) = (None, None);
        let mut bad: Vec<Parameter> = Vec::new();
        for (name, value) in parameters(query.unwrap_or_default()) {
            let Some((name, is_number)) = name.and_then(|name| self.known(&name)) else { continue };
            let place = if is_number { &mut number } else { &mut size };
            let read = match (&place, positive(value)) {
                (Some(_), _) => Err(format!("`{name}` stands in the query twice; send it once")),
                (None, None) => Err(format!("`{name}` must be a whole number from 1")),
                (None, Some(value)) => Ok(value),
            };
            match read {
                Ok(value) => *place = Some(value),
                Err(message) => bad.push(Parameter { name, message }),
            }
        }
        if !bad.is_empty() {
            return Err(Failure::Query(bad));
        }
        let size = size.map_or(self.default, |size| u32::try_from(size).unwrap_or(u32::MAX));
        Ok(Page { number: number.unwrap_or(1), size: size.min(self.maximum) })
    }

    // The parameter of a name, and whether it is the number of the page.
    fn known(&self, name: &str) -> Option<(&'static str, bool)> {
        if name == self.number {
            return Some((self.number, true));
        }
        self.size.iter().find(|known| **known == name).map(|known| (*known, false))
    }
}

impl Page {
    /// The number of items before this page.
    pub(crate) fn offset(self) -> usize {
        let before = (self.number - 1).saturating_mul(self.size.into());
        usize::try_from(before).unwrap_or(usize::MAX)
    }

    /// The number of items on this page, as a count.
    pub(crate) fn len(self) -> usize {
        usize::try_from(self.size).unwrap_or(usize::MAX)
    }

    /// The number of pages for a number of items.
    pub(crate) fn pages(self, total: usize) -> usize {
        total.div_ceil(self.len().max(1))
    }
}

// A positive number in plain digits: no sign, no space, no fraction.
fn positive(text: Option<Cow<'_, str>>) -> Option<u64> {
    let text = text.filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()))?;
    text.parse().ok().filter(|number| *number > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGING: Paging =
        Paging { number: "page", size: &["limit", "perPage"], default: 25, maximum: 100 };

    #[test]
    fn a_page_is_read_from_what_the_query_says_and_defaults() {
        for (query, number, size) in [
            (None, 1, 25),
            (Some(""), 1, 25),
            (Some("page=3"), 3, 25),
            (Some("perPage=7&page=2"), 2, 7),
            (Some("limit=100000000000"), 1, 100),
            (Some("other=%ff&%ff=1&limit=%31"), 1, 1),
            (Some("page=18446744073709551615"), u64::MAX, 25),
        ] {
            assert_eq!(PAGING.read(query).unwrap(), Page { number, size }, "{query:?}");
        }
    }

    #[test]
    fn every_bad_parameter_is_named() {
        for (query, names) in [
            ("page=0", vec!["page"]),
            ("page=x&limit=", vec!["page", "limit"]),
            ("page=%ff&perPage=+1", vec!["page", "perPage"]),
            ("limit=1&perPage=1", vec!["perPage"]),
            ("page=1&page=1", vec!["page"]),
            ("limit=-1&page=1.5", vec!["limit", "page"]),
        ] {
            let Err(Failure::Query(bad)) = PAGING.read(Some(query)) else { panic!("{query}") };
            assert_eq!(bad.iter().map(|one| one.name).collect::<Vec<_>>(), names, "{query}");
        }
    }

    #[test]
    fn pages_cover_all_items_and_a_far_one_does_not_overflow() {
        let page = |number| Page { number, size: 25 };
        assert_eq!([0, 1, 25, 26].map(|total| page(1).pages(total)), [0, 1, 1, 2]);
        assert_eq!([page(1).offset(), page(3).offset()], [0, 50]);
        assert_eq!(page(u64::MAX).offset(), usize::MAX);
    }
}
