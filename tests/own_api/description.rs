//! What the API says of itself.

use serde_json::Value;
use support::Server;

use crate::v1;

#[test]
fn the_document_names_paths_that_answer() {
    let server = Server::dev();
    let mut client = server.client();
    let document = client.get(&v1("openapi.json")).expect(200).json();
    assert_eq!(document["openapi"], "3.1.0");
    let mut asked = 0;
    for (path, methods) in document["paths"].as_object().unwrap() {
        let path = path.replace("{revision}", "1").replace('{', "x").replace('}', "");
        for (method, operation) in methods.as_object().unwrap() {
            if method == "parameters" {
                continue;
            }
            let answer = client.request(&method.to_uppercase(), &path).send();
            let is_open = operation["security"] == Value::Array(Vec::new());
            let is_login = path.ends_with("/sessions") && method == "post";
            let wanted = if is_open && !is_login { 404 } else { 401 };
            let fine = answer.status == wanted || (is_open && answer.status == 200);
            assert!(fine, "{method} {path}: {}", answer.status);
            let described = &operation["responses"][answer.status.to_string()];
            assert!(described.is_object(), "{method} {path} does not describe {}", answer.status);
            asked += 1;
        }
    }
    assert!(asked > 50, "{asked}");
}

#[test]
fn what_answers_and_why_it_refuses_is_explained() {
    let server = Server::dev_of(&["sps-6.2", "ds-server"]);
    let about = server.client_of("ds-server").get("/boxwood/v1").expect(200).json();
    assert!(about["product"] == "boxwood" && about["appliance"]["name"] == "ds-server", "{about}");
    let mut client = server.client();
    let kinds = client.get(&v1("problems")).expect(200).at("/items");
    for kind in kinds.as_array().unwrap() {
        let one = client.get(kind["meta"]["href"].as_str().unwrap()).expect(200).json();
        assert_eq!(&one, kind);
    }
    client.get(&v1("problems/nothing")).expect(404);
}
