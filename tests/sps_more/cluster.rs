//! `/api/cluster`, `/api/health_status` and `/api/starling/join`.

use serde_json::{Value, json};
use support::{Client, Server, opened};

const STATUS: &str = "/api/cluster/status";
const PROMOTE: &str = "/api/cluster/promote";
const SPP: &str = "/api/cluster/spp";
const SERVICE: &str = "/api/configuration/local_services/cluster";
const JOIN: &str = "/api/starling/join";
const STARLING: &str = "/api/configuration/starling";

fn enable(admin: &mut Client) {
    let address = "nic1.interfaces.ff7574025754b3df1647001.addresses.1";
    admin.put(SERVICE, &json!({"enabled": true, "listen_address": address})).expect(200);
}

fn promote(admin: &mut Client) -> support::Response {
    admin.request("POST", PROMOTE).text("", "application/json").send()
}

// proves: SPS-45
#[test]
fn an_appliance_in_no_cluster_says_so() {
    let server = Server::dev();
    let mut admin = server.admin();
    admin.get(STATUS).expect_error(404, "NotFound");
    assert_eq!(admin.get("/api/cluster/nodes").expect(200).at("/items"), json!([]));
    admin.get("/api/cluster/nodes/x").expect_error(404, "NotFound");
    let spp = json!({"spp": "192.0.2.9", "spp_api_token": "x", "spp_cert_chain": "y"});
    admin.post(SPP, &spp).expect_error(400, "SemanticError");
}

// proves: SPS-51
#[test]
fn a_promotion_comes_true_with_its_commit_and_outlasts_a_restart() {
    let data = tempfile::tempdir().unwrap();
    let builder = Server::builder().serve(data.path());
    let mut server = builder.start();
    let mut admin = server.admin();
    promote(&mut admin).expect_error(409, "Conflict");
    admin.open().expect(200);
    promote(&mut admin).expect_error(400, "SemanticError");
    enable(&mut admin);
    let promoted = promote(&mut admin).expect(200).json();
    assert_eq!(promoted.get("key"), None);
    let expected = json!({"address": "192.0.2.10", "roles": ["central-management"]});
    assert_eq!(promoted["body"], expected);
    let href = promoted["meta"]["href"].as_str().unwrap().to_owned();
    admin.get(STATUS).expect_error(404, "NotFound");
    admin.commit().expect(200);

    let check = |admin: &mut Client| {
        assert_eq!(admin.get(&href).expect(200).at("/body"), expected);
        let status = admin.get(STATUS).expect(200).json();
        assert_eq!(status["meta"]["self"], json!(href));
        let node = &status["items"][0];
        assert!(node["health_status"]["load1"].is_number(), "{node}");
        for member in ["key", "fqdn", "last_seen", "sync_status"] {
            assert!(node[member].is_string(), "{member} of {node}");
        }
        assert!(node["configuration_sync"]["downloaded_xml_hash"].is_string());
    };
    check(&mut admin);
    assert!(server.terminate().success());
    let server = builder.start();
    check(&mut server.admin());
}

#[test]
fn a_promotion_that_is_rolled_back_never_was() {
    let (_server, mut admin) = opened();
    enable(&mut admin);
    promote(&mut admin).expect(200);
    admin.rollback().expect(200);
    admin.open().expect(200);
    admin.commit().expect(200);
    admin.get(STATUS).expect_error(404, "NotFound");
}

#[test]
fn the_first_node_joins_the_appliance_for_passwords() {
    let (server, mut admin) = opened();
    enable(&mut admin);
    promote(&mut admin).expect(200);
    admin.commit().expect(200);
    let spp = json!({"spp": "192.0.2.9", "spp_api_token": "topsecret", "spp_cert_chain": "y"});
    let joined = admin.post(SPP, &spp).expect(200);
    assert_eq!(joined.at("/body"), json!({"spp": "192.0.2.9"}));
    assert!(!joined.text().contains("topsecret") && !server.log().contains("topsecret"));
    for bad in [json!({}), json!({"spp": "x"}), json!({"spp": "x", "spp_api_token": "", "a": 1})] {
        admin.post(SPP, &bad).expect_error(400, "SyntacticError");
    }
}

// proves: SPS-53
#[test]
fn the_health_of_the_machine_has_figures() {
    let server = Server::dev();
    let document = server.admin().get("/api/health_status").expect(200).json();
    assert_eq!(document.get("body"), None);
    let health = &document["health_status"];
    for name in ["cpu", "disk", "load1", "load15", "load5", "mem", "swap"] {
        assert!(health[name].as_f64().is_some_and(|figure| figure >= 0.0), "{name}: {health}");
    }
    assert_eq!(health["sessions"]["total"], json!(0));
    server.client().get("/api/health_status").expect_error(401, "Unauthenticated");
}

// proves: SPS-54
#[test]
fn joining_the_cloud_shows_in_the_configuration_until_it_ends() {
    let server = Server::builder().appliance("sps-7.0").start();
    let mut admin = server.admin();
    let mut join = admin.get(JOIN).expect(200).at("/body");
    let again = admin.get(JOIN).expect(200).at("/body");
    assert_eq!(join, again);
    assert!(join["product_instance"].is_string() && join["product_tims"].is_string());
    for (name, value) in [
        ("environment", "prod"),
        ("token_endpoint", "https://example.com/token"),
        ("credential_string", "topsecret"),
    ] {
        join[name] = json!(value);
    }
    admin.post(JOIN, &join).expect(201);
    let joined = admin.get(STARLING).expect(200);
    assert_eq!(joined.at("/body/join_info/environment"), json!("prod"));
    assert!(!joined.text().contains("topsecret"));
    admin.post(JOIN, &join).expect_error(400, "SemanticError");

    let mut body = joined.at("/body");
    body["remote_access"]["enabled"] = json!(true);
    admin.put(STARLING, &body).expect(200);
    admin.commit().expect(200);
    admin.delete(JOIN).expect_error(400, "SemanticError");
    body["remote_access"]["enabled"] = json!(false);
    admin.put(STARLING, &body).expect(200);
    admin.commit().expect(200);
    admin.delete(JOIN).expect(200);
    assert_eq!(admin.get(STARLING).expect(200).at("/body/join_info"), Value::Null);
    admin.delete(JOIN).expect_error(400, "SemanticError");
    admin.post(JOIN, &json!({"environment": "prod"})).expect_error(400, "SyntacticError");
}

#[test]
fn an_appliance_without_the_cloud_cannot_join() {
    let server = Server::dev();
    let mut admin = server.admin();
    admin.get(JOIN).expect_error(404, "NotFound");
    let entries = admin.get("/api").expect(200);
    assert!(!entries.text().contains("starling"), "{entries}");
}
