//! Which world a request names: by a header, by the host name, by the port where it arrived.

use hyper::header;
use hyper::http::request::Parts;

use super::WorldRefusal;

/// The header that names a world.
pub(super) const HEADER: &str = "boxwood-world";

/// What follows the name of a world in a host name.
const DOMAIN: &[u8] = b".localhost";

/// The world that a request names; `None`: none, so it means the one of its port. `port` is the
/// world whose own port it arrived at.
pub(super) fn named<'r>(
    head: &'r Parts,
    port: Option<&'r str>,
) -> Result<Option<&'r str>, WorldRefusal> {
    let by_place = match (by_host(head), port) {
        (Some(host), Some(port)) if host != port => {
            return Err(WorldRefusal::Disagreement(host.to_owned(), port.to_owned()));
        }
        (host, port) => host.or(port),
    };
    match (by_header(head)?, by_place) {
        (Some(header), Some(place)) if header != place => {
            Err(WorldRefusal::Disagreement(header.to_owned(), place.to_owned()))
        }
        (header, place) => Ok(header.or(place)),
    }
}

fn by_header(head: &Parts) -> Result<Option<&str>, WorldRefusal> {
    let Some(value) = head.headers.get(HEADER) else { return Ok(None) };
    if head.headers.get_all(HEADER).iter().count() > 1 {
        return Err(WorldRefusal::Repeated);
    }
    value.to_str().map(|text| Some(text.trim())).map_err(|_| WorldRefusal::Unreadable)
}

// HTTP/2 names the host in `:authority`, which hyper puts into the URI.
fn by_host(head: &Parts) -> Option<&str> {
    let host = match head.uri.authority() {
        Some(authority) => authority.host(),
        None => head.headers.get(header::HOST)?.to_str().ok()?,
    };
    label_of(host)
}

/// What stands before `.localhost`.
fn label_of(host: &str) -> Option<&str> {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    let name = name.strip_suffix('.').unwrap_or(name);
    let at = name.len().checked_sub(DOMAIN.len()).filter(|at| *at > 0)?;
    let (label, domain) = (name.get(..at)?, name.get(at..)?);
    domain.as_bytes().eq_ignore_ascii_case(DOMAIN).then_some(label)
}

#[cfg(test)]
mod tests {
    use hyper::http;

    use super::*;

    #[test]
    fn hosts_and_the_worlds_they_name() {
        for (host, expected) in [
            ("w1.localhost", Some("w1")),
            ("w1.localhost:8443", Some("w1")),
            ("w1.LocalHost.:1", Some("w1")),
            ("a.b.localhost", Some("a.b")),
            ("localhost", None),
            ("localhost:8443", None),
            (".localhost", None),
            ("127.0.0.1:8443", None),
            ("[::1]:8443", None),
            ("[::1]", None),
            ("notlocalhost", None),
            ("w1.localhost.example.com", None),
            ("é.localhost", Some("é")),
            ("", None),
        ] {
            assert_eq!(label_of(host), expected, "{host}");
        }
    }

    fn head(uri: &str, fields: &[(&str, &str)]) -> Parts {
        let mut builder = http::Request::get(uri);
        for (name, value) in fields {
            builder = builder.header(*name, *value);
        }
        builder.body(()).unwrap().into_parts().0
    }

    #[test]
    fn ways_that_agree_are_one_and_others_are_refused() {
        let of = |uri: &str, fields: &[(&str, &str)], port: Option<&'static str>| {
            let head = head(uri, fields);
            named(&head, port).map(|name| name.map(str::to_owned))
        };
        let (host, world) = ("host", HEADER);
        assert_eq!(of("/", &[(host, "127.0.0.1")], None), Ok(None));
        assert_eq!(of("/", &[(host, "a.localhost")], None), Ok(Some("a".to_owned())));
        assert_eq!(of("https://a.localhost/", &[], None), Ok(Some("a".to_owned())));
        assert_eq!(of("/", &[(host, "x"), (world, " a ")], None), Ok(Some("a".to_owned())));
        assert_eq!(
            of("/", &[(host, "a.localhost"), (world, "a")], Some("a")).unwrap().unwrap(),
            "a"
        );
        let disagree =
            |one: &str, two: &str| Err(WorldRefusal::Disagreement(one.to_owned(), two.to_owned()));
        assert_eq!(of("/", &[(host, "a.localhost"), (world, "b")], None), disagree("b", "a"));
        assert_eq!(of("/", &[(world, "b")], Some("a")), disagree("b", "a"));
        assert_eq!(of("/", &[(host, "b.localhost")], Some("a")), disagree("b", "a"));
        let twice = &[(host, "x"), (world, "a"), (world, "a")];
        assert_eq!(of("/", twice, None), Err(WorldRefusal::Repeated));
        assert_eq!(of("/", &[(world, "ü")], None), Err(WorldRefusal::Unreadable));
    }
}
