//! The rate limit, which `boxwood dev` does not enforce unless it is asked to.

use serde_json::json;
use support::Server;

use crate::{NAME, PROFILES};

// proves
#[test]
fn a_full_bucket_is_sixteen_requests_too_many() {
    let server =
        Server::builder().appliance(NAME).set("appliances.advalidation.rate_limit", true).start();
    let mut admin = server.admin();
    // A slow machine refills the bucket between two requests, so that more of them may pass.
    let mut passed = 0;
    let refused = loop {
        let answer = admin.get(PROFILES);
        if answer.status == 429 {
            break answer;
        }
        passed += 1;
        assert!(answer.status == 200 && passed < 2000, "{answer}");
    };
    assert!(passed >= 15, "{passed}");
    assert_eq!(refused.at("/error/responseCode"), json!(429));
    assert_eq!(refused.at("/error/issues/0/type"), "rate_limited");
    assert_eq!(refused.header("retry-after"), Some("15"));
    assert_eq!(refused.header("x-ratelimit-ipremaining"), Some("0"));
    // It comes before the key.
    let answer = loop {
        let answer = admin.request("GET", PROFILES).no_credentials().send();
        if answer.status == 429 {
            break answer;
        }
        assert_eq!(answer.status, 401, "{answer}");
    };
    assert_eq!(answer.at("/error/responseCode"), json!(429));
}

#[test]
fn without_enforcement_clients_are_not_slowed_down() {
    let server = Server::dev_of(&[NAME]);
    let mut admin = server.admin();
    for _ in 0..40 {
        let answer = admin.get(PROFILES).expect(200);
        let left: u64 = answer.header("x-ratelimit-ipremaining").unwrap().parse().unwrap();
        assert!(left > 2, "{left}");
    }
}
