//! Several appliances in one process: what belongs to one means nothing in another.

// Tests: a panic with a backtrace is how they fail.
#![allow(clippy::unwrap_used)]

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use catalog::Catalog;
use config_tree::node_path;
use front_end::password::hash_blocking;
use front_end::throttle::ThrottleRules;
use front_end::transport::{
    CertificateSlot, Handler, Limits, Peer, Request, RequestBody, self_signed,
};
use front_end::{
    Administrator, Appliance, DialectSettings, Ground, Member, Metrics, Process, ProcessOptions,
    Router, Sending, Worlds, WorldsOptions, blueprint,
};
use http_body_util::BodyExt;
use hyper::header;
use serde_json::{Value, json};
use transaction_engine::clock::{Clock, SystemClock};
use transaction_engine::secrets::Sealer;
use transaction_engine::store::MemStore;
use transaction_engine::{Engine, HistoryRules, Mode, Options};

const NOW: i64 = 1_795_000_000;

/// One appliance over an engine, with the token of its administrator.
struct One {
    router: Router,
    appliance: Arc<Appliance>,
    token: String,
}

fn process() -> Arc<Process> {
    let options = ProcessOptions {
        limits: Limits::default(),
        import_bytes: 1 << 20,
        throttle: ThrottleRules::default(),
        proxies: front_end::Proxies::default(),
        session_lifetime: None,
        sessions: 100,
    };
    let password_hash = hash_blocking("admin").unwrap();
    let administrator = Administrator { name: "admin".to_owned(), password_hash };
    Arc::new(Process::new(options, administrator).unwrap())
}

fn ground(sealer: &Arc<Sealer>, certificate: &Arc<CertificateSlot>) -> Ground {
    Ground {
        catalog: Arc::new(Catalog::builtin("sps-6.2").unwrap().unwrap()),
        clock: Arc::new(SystemClock),
        secrets: Arc::clone(sealer) as _,
        certificate: Arc::clone(certificate),
        certificate_fixed: false,
        certificate_current: false,
        hosts: vec!["localhost".to_owned()],
        administrator: "admin".to_owned(),
        idle: None,
        data_dir: None,
        incarnation: None,
    }
}

/// Two appliances, each over an engine of its own or both over one.
async fn two(one_engine: bool) -> [One; 2] {
    let (process, sealer) = (process(), Arc::new(Sealer::from_key(&[7; 32])));
    let mut blueprints = Vec::new();
    let mut certificates = Vec::new();
    for _ in 0..2 {
        let certificate = Arc::new(CertificateSlot::default());
        blueprints
            .push(blueprint(ground(&sealer, &certificate), DialectSettings::default()).unwrap());
        certificates.push(certificate);
    }
    let mut engines: Vec<Arc<Engine>> = Vec::new();
    for own in 0..2 {
        if one_engine && own == 1 {
            engines.push(Arc::clone(&engines[0]));
            continue;
        }
        let appliers = match one_engine {
            true => blueprints.iter().flat_map(|blueprint| blueprint.appliers()).collect(),
            false => blueprints[own].appliers(),
        };
        let options = Options {
            catalog: Arc::new(Catalog::builtin("sps-6.2").unwrap().unwrap()),
            store: Box::new(MemStore::new()),
            checkpoints: None,
            checkpoint_every: u64::MAX,
            sealer: Arc::clone(&sealer),
            clock: Arc::new(SystemClock) as Arc<dyn Clock>,
            mode: Mode::Exclusive,
            change_limit: usize::MAX,
            history: HistoryRules::default(),
            appliers,
        };
        let maker = &mut blueprints[own];
        let engine =
            Engine::open(options, &mut |collection, name| maker.generate(collection, name));
        engines.push(Arc::new(engine.unwrap()));
    }
    let mut made = Vec::new();
    for ((blueprint, certificate), engine) in blueprints.into_iter().zip(certificates).zip(engines)
    {
        let process = Arc::clone(&process);
        let (metrics, sending) = (Metrics::new(), Sending::default());
        let appliance = Appliance::new(blueprint, engine, certificate, metrics, process, sending);
        let appliance = Arc::new(appliance);
        let members = vec![Member::new(Arc::clone(&appliance), &[])];
        let options =
            WorldsOptions { most: 10, open_control: true, main_is_temporary: true, clock: None };
        let router = Router::new(Arc::new(Worlds::new(members, options)), 0);
        let mut one = One { router, appliance, token: String::new() };
        one.token = one.login("admin", "admin").await.expect("the administrator can log in");
        made.push(one);
    }
    made.try_into().unwrap_or_else(|_| panic!("two were made"))
}

impl One {
    async fn login(&self, user: &str, password: &str) -> Option<String> {
        use base64::Engine as _;
        let basic = base64::engine::general_purpose::STANDARD.encode(format!("{user}:{password}"));
        let head = hyper::Request::get("/api/authentication")
            .header(header::HOST, "localhost")
            .header(header::AUTHORIZATION, format!("Basic {basic}"));
        let response = self.send(head, "").await;
        let cookie = response.headers().get(header::SET_COOKIE)?.to_str().ok()?;
        Some(cookie.strip_prefix("session_id=")?.split(';').next()?.to_owned())
    }

    async fn send(
        &self,
        head: hyper::http::request::Builder,
        body: &str,
    ) -> hyper::Response<front_end::transport::AnswerBody> {
        let peer = Peer::new(SocketAddr::from(([127, 0, 0, 1], 4711)), false);
        let body = RequestBody::memory(body.to_owned());
        let head = head.body(()).unwrap().into_parts().0;
        let mut request = Request { head, body, peer, client_certificate: None };
        self.router.handle(&mut request).await
    }

    async fn call(&self, token: &str, method: &str, path: &str, body: Value) -> (u16, Value) {
        let text = if body.is_null() { String::new() } else { body.to_string() };
        let head = hyper::Request::builder()
            .method(method)
            .uri(format!("/api{path}"))
            .header(header::HOST, "localhost")
            .header(header::CONTENT_LENGTH, text.len())
            .header(header::COOKIE, format!("session_id={token}"));
        let response = self.send(head, &text).await;
        let status = response.status().as_u16();
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        (status, serde_json::from_slice(&bytes).unwrap_or(Value::Null))
    }

    async fn admin(&self, method: &str, path: &str, body: Value) -> Value {
        let (status, answer) = self.call(&self.token, method, path, body).await;
        assert!(status < 300, "{method} {path}: {status} {answer}");
        answer
    }

    async fn commit(&self) {
        self.admin("PUT", "/transaction", json!({ "status": "commit" })).await;
    }
}

#[tokio::test]
async fn a_deleted_user_is_logged_out_of_every_appliance_over_the_engine() {
    let [first, second] = two(true).await;
    first.admin("POST", "/transaction", Value::Null).await;
    let password =
        first.admin("POST", "/configuration/passwords", json!({ "plain": "sesame" })).await;
    let user = json!({ "name": "operator", "password": password["key"] });
    let user = first.admin("POST", "/configuration/aaa/local_database/users", user).await;
    first.commit().await;
    let tokens = [
        first.login("operator", "sesame").await.unwrap(),
        second.login("operator", "sesame").await.unwrap(),
    ];
    let status = async |one: &One, token: &str| {
        one.call(token, "GET", "/authentication", Value::Null).await.0
    };
    assert_eq!(status(&first, &tokens[0]).await, 200);
    assert_eq!(status(&second, &tokens[1]).await, 200);
    first.admin("POST", "/transaction", Value::Null).await;
    let key = user["key"].as_str().unwrap();
    let path = format!("/configuration/aaa/local_database/users/{key}");
    first.admin("DELETE", &path, Value::Null).await;
    first.commit().await;
    assert_eq!(status(&first, &tokens[0]).await, 401);
    assert_eq!(status(&second, &tokens[1]).await, 401);
}

#[tokio::test]
async fn idle_time_and_certificate_of_one_appliance_leave_the_others_alone() {
    let [first, second] = two(false).await;
    let certificate = async |one: &One| {
        let body = one.admin("GET", "/configuration/management/certificates", Value::Null).await;
        body["body"]["server"]["key"].clone()
    };
    let shown = second.appliance.certificate().certificate();
    let pair = self_signed(&["other.example".to_owned()], NOW).unwrap();
    first.admin("POST", "/transaction", Value::Null).await;
    let interface = json!({ "timeout": 99 });
    first.admin("PUT", "/configuration/management/webinterface", interface).await;
    let identity = json!({
        "certificate": pair.certificate_pem, "private_key": *pair.private_key_pem,
        "issuer_chain": [],
    });
    let identity = first.admin("POST", "/configuration/x509", identity).await;
    let mut named = first.admin("GET", "/configuration/management/certificates", Value::Null).await
        ["body"]
        .take();
    named["server"] = identity["key"].clone();
    first.admin("PUT", "/configuration/management/certificates", named).await;
    first.commit().await;
    assert_eq!(certificate(&first).await, identity["key"]);
    assert_ne!(certificate(&second).await, identity["key"]);
    assert_ne!(first.appliance.certificate().certificate(), shown);
    assert_eq!(second.appliance.certificate().certificate(), shown);
    let left = async |one: &One| {
        let (_, body) = one.call(&one.token, "GET", "/authentication", Value::Null).await;
        Duration::from_secs(body["meta"]["remaining_seconds"].as_u64().unwrap())
    };
    assert_eq!(left(&first).await, Duration::from_secs(99 * 60));
    assert_eq!(left(&second).await, Duration::from_secs(10 * 60));
}

#[tokio::test]
async fn heads_at_one_revision_number_do_not_read_each_others_documents() {
    let [first, second] = two(false).await;
    for (one, timeout) in [(&first, 21), (&second, 22)] {
        one.admin("POST", "/transaction", Value::Null).await;
        let body = json!({ "timeout": timeout });
        one.admin("PUT", "/configuration/management/webinterface", body).await;
        one.commit().await;
    }
    let number = first.appliance.engine().running_number();
    assert_eq!(number, second.appliance.engine().running_number());
    let path = "/configuration/management/webinterface";
    // Often enough for the document to be kept.
    for _ in 0..4 {
        for (one, timeout) in [(&first, 21), (&second, 22)] {
            let body = one.admin("GET", path, Value::Null).await;
            assert_eq!(body["body"]["timeout"], timeout);
        }
    }
    let kept = node_path!("/management/webinterface");
    assert!(first.appliance.engine().running().tree.body(kept).is_some());
}
