//! Who may control worlds: the operator; in `dev`, every client that connects over loopback, but not
//! a page of another origin in a browser on this machine.

use std::net::IpAddr;

use hyper::header;
use hyper::http::request::Parts;

use super::Problem;
use crate::appliance::Appliance;
use crate::caller::Rights;
use crate::failure::{Failure, Place};
use crate::transport::Request;
use crate::world::{WorldRefusal, Worlds};

/// Refuses callers that may not control worlds.
pub(super) async fn expect_operator(
    worlds: &Worlds,
    appliance: &Appliance,
    request: &Request,
) -> Result<(), Problem> {
    expect_no_foreign_page(&request.head)?;
    if worlds.options.open_control && is_local(request) {
        return Ok(());
    }
    let caller = super::super::identified(appliance, request).await?;
    match caller.rights {
        Rights::All => Ok(()),
        Rights::Granted { .. } => Err(Failure::Forbidden(Place::Request).into()),
    }
}

// A browser sends these by itself, and a page cannot leave them out or change them.
fn expect_no_foreign_page(head: &Parts) -> Result<(), WorldRefusal> {
    let text = |name: &str| head.headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    if text("sec-fetch-site").is_some_and(|site| !matches!(site, "same-origin" | "none")) {
        return Err(WorldRefusal::ForeignPage("Sec-Fetch-Site"));
    }
    let own = |origin: &str| {
        let host = origin.split_once("://").map(|(_, host)| host);
        host.is_some() && host == host_of(head)
    };
    match text("origin") {
        Some(origin) if !own(origin) => Err(WorldRefusal::ForeignPage("Origin")),
        _ => Ok(()),
    }
}

// The name as well as the address: a page of somebody else whose name was made to mean this machine
// has that name as its host.
fn is_local(request: &Request) -> bool {
    request.peer.address().ip().to_canonical().is_loopback()
        && host_of(&request.head).is_none_or(is_loopback_name)
}

fn host_of(head: &Parts) -> Option<&str> {
    match head.uri.authority() {
        Some(authority) => Some(authority.as_str()),
        None => head.headers.get(header::HOST)?.to_str().ok(),
    }
}

fn is_loopback_name(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
    let bare = name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(&name);
    name == "localhost"
        || name.ends_with(".localhost")
        || bare.parse::<IpAddr>().is_ok_and(|address| address.to_canonical().is_loopback())
}

#[cfg(test)]
mod tests {
    use hyper::http;

    use super::*;

    #[test]
    fn names_of_this_machine() {
        for name in
            ["localhost", "W.localhost:1", "127.0.0.1:8443", "127.1.2.3", "[::1]:80", "[::1]"]
        {
            assert!(is_loopback_name(name), "{name}");
        }
        for name in
            ["example.com", "localhost.example.com", "10.0.0.1:1", "[::2]", "", "xlocalhost"]
        {
            assert!(!is_loopback_name(name), "{name}");
        }
    }

    #[test]
    fn pages_of_others_are_refused() {
        let refused = |fields: &[(&str, &str)]| {
            let mut head = http::Request::get("/").header("host", "localhost:8443");
            for (name, value) in fields {
                head = head.header(*name, *value);
            }
            expect_no_foreign_page(&head.body(()).unwrap().into_parts().0).is_err()
        };
        assert!(!refused(&[]));
        assert!(!refused(&[
            ("origin", "https://localhost:8443"),
            ("sec-fetch-site", "same-origin")
        ]));
        assert!(!refused(&[("sec-fetch-site", "none")]));
        for origin in ["https://evil.example", "null", "https://localhost:1", "", "localhost:8443"]
        {
            assert!(refused(&[("origin", origin)]), "{origin}");
        }
        for site in ["cross-site", "same-site", "x"] {
            assert!(refused(&[("sec-fetch-site", site)]), "{site}");
        }
    }
}
