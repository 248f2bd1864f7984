//! Sets of HTTP methods, as `Allow` lists them.

use hyper::Method;
use hyper::header::HeaderValue;

/// A set of methods. HEAD goes with GET, OPTIONS with everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Methods(u8);

impl Methods {
    /// Nothing but OPTIONS.
    pub(crate) const NONE: Self = Self(0);
    pub(crate) const GET: Self = Self(1);
    pub(crate) const POST: Self = Self(2);
    pub(crate) const PUT: Self = Self(4);
    pub(crate) const PATCH: Self = Self(8);
    pub(crate) const DELETE: Self = Self(16);

    /// In the order in which `Allow` lists them.
    const NAMES: [(Self, &'static str); 7] = [
        (Self::GET, "GET"),
        (Self::GET, "HEAD"),
        (Self::NONE, "OPTIONS"),
        (Self::POST, "POST"),
        (Self::PUT, "PUT"),
        (Self::PATCH, "PATCH"),
        (Self::DELETE, "DELETE"),
    ];

    /// Both sets together.
    pub(crate) const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Both sets together, the other one only on a condition.
    pub(crate) const fn and_if(self, condition: bool, other: Self) -> Self {
        if condition { self.and(other) } else { self }
    }

    /// Whether a method may be used; HEAD where GET may, OPTIONS always.
    pub(crate) fn permits(self, method: &Method) -> bool {
        let asked = match *method {
            Method::GET | Method::HEAD => Self::GET,
            Method::POST => Self::POST,
            Method::PUT => Self::PUT,
            Method::PATCH => Self::PATCH,
            Method::DELETE => Self::DELETE,
            Method::OPTIONS => return true,
            _ => return false,
        };
        self.has(asked)
    }

    const fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// The name of a single method.
    pub(crate) fn name(self) -> &'static str {
        let mut names = Self::NAMES.iter().filter(|(method, _)| *method != Self::NONE);
        names.find(|(method, _)| *method == self).map_or("OPTIONS", |(_, name)| name)
    }

    /// The value of `Allow`.
    pub(crate) fn text(self) -> String {
        let listed = Self::NAMES.iter().filter(|(methods, _)| self.has(*methods));
        listed.map(|(_, name)| *name).collect::<Vec<_>>().join(", ")
    }

    /// The value of `Allow` as a header. Common sets are constants, so that an answer allocates
    /// nothing for them.
    pub(crate) fn header(self) -> HeaderValue {
        const REPLACED: Methods = Methods::GET.and(Methods::PUT);
        const MEMBER: Methods = REPLACED.and(Methods::DELETE);
        const COLLECTION: Methods = Methods::GET.and(Methods::POST);
        match self {
            Self::GET => HeaderValue::from_static("GET, HEAD, OPTIONS"),
            COLLECTION => HeaderValue::from_static("GET, HEAD, OPTIONS, POST"),
            REPLACED => HeaderValue::from_static("GET, HEAD, OPTIONS, PUT"),
            MEMBER => HeaderValue::from_static("GET, HEAD, OPTIONS, PUT, DELETE"),
            _ => HeaderValue::from_str(&self.text())
                .unwrap_or(HeaderValue::from_static("GET, HEAD, OPTIONS")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_set_of_methods_reads_back_from_its_header() {
        for bits in 0..32_u8 {
            let methods = Methods(bits);
            assert_eq!(methods.header(), methods.text());
            for method in [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
                let listed = methods.text().split(", ").any(|name| name == method);
                assert_eq!(methods.permits(&method), listed);
            }
            assert!(methods.permits(&Method::OPTIONS) && !methods.permits(&Method::TRACE));
        }
    }
}
