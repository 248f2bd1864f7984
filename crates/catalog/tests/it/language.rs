//! What the language can say beyond JSON Schema: parts of bodies, built-in members, lists that grow,
//! catalogs that build on others.

use std::fs;
use std::path::{Path, PathBuf};

use catalog::{Catalog, EndpointKind, Fidelity};
use config_tree::{Change, NodePath, Tree};
use serde_json::{Value, json};

use crate::support::{Sealed, body, brief, path, put, sps};

const ADDRESS: &str = "nic1.interfaces.ff7574025754b3df1647001.addresses.1";
const INSIDE: &str = "interfaces/ff7574025754b3df1647001/addresses/1";

fn files(files: &[(&str, &str)]) -> Vec<(String, String)> {
    files.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
}

fn faults(given: &[(&str, &str)]) -> Vec<String> {
    match Catalog::from_files(files(given)) {
        Ok(_) => Vec::new(),
        Err(error) => error.faults.iter().map(|fault| fault.to_string()).collect(),
    }
}

fn fresh(catalog: &Catalog) -> Tree {
    let mut tree = catalog.skeleton();
    for (at, value) in catalog.factory(&mut |_, _| None) {
        let body = body(catalog, &at, value).unwrap();
        assert_eq!(catalog.check_references(&tree, &at, body.references(), &Sealed), []);
        tree.object_create(&at, body, None).unwrap();
    }
    tree
}

// ===== Parts of bodies =====

#[test]
fn a_part_of_a_body_is_named_with_dots_and_shown_as_a_fragment() {
    let catalog = sps();
    let cluster = path("/local_services/cluster");
    let bare = json!({"enabled": true, "listen_address": ADDRESS});
    let checked = catalog.check_body(&cluster, bare.clone()).unwrap();
    assert_eq!(checked.value, bare);
    let [reference] = &checked.references[..] else { panic!() };
    assert_eq!(reference.pointer, "/listen_address");
    assert_eq!(reference.target, path("/network/nics/nic1"));
    assert_eq!(reference.fragment.as_deref(), Some(INSIDE));
    // As answers show it, by fragment or by path: only the key counts.
    for href in [
        format!("/api/configuration/network/nics/nic1#{INSIDE}"),
        format!("/api/configuration/network/nics/nic1/{INSIDE}"),
    ] {
        let embedded = json!({"key": ADDRESS, "meta": {"href": href}});
        let shown = json!({"enabled": true, "listen_address": embedded});
        assert_eq!(catalog.check_body(&cluster, shown).unwrap(), checked);
    }
    let wrong = catalog
        .check_body(&cluster, json!({"enabled": true, "listen_address": "nic1.interfaces.a"}))
        .unwrap_err();
    assert_eq!(
        wrong[0].message,
        "`listen_address` must be the key of a part of a member of /network/nics, in the form \
         MEMBER.interfaces.KEY.addresses.KEY"
    );
}

#[test]
fn a_part_must_exist_like_any_target() {
    let catalog = sps();
    let tree = fresh(&catalog);
    let cluster = path("/local_services/cluster");
    let verdict = |key: &str| {
        let value = json!({"enabled": true, "listen_address": key});
        let references = catalog.check_body(&cluster, value).unwrap().references;
        let found = catalog.check_references(&tree, &cluster, &references, &Sealed);
        found.into_iter().map(|v| format!("{}: {}", v.rule, v.message)).collect::<Vec<_>>()
    };
    assert_eq!(verdict(ADDRESS), [""; 0]);
    let interface = "nic1.interfaces.ff7574025754b3df1647001.addresses";
    assert_eq!(
        verdict(&format!("{interface}.2")),
        [
            "reference-target: `listen_address` names a part of a member of /network/nics that does not exist"
        ]
    );
    assert_eq!(
        verdict("nic9.interfaces.a.addresses.1"),
        ["reference-target: `listen_address` names a member of /network/nics that does not exist"]
    );
}

#[test]
fn a_part_that_is_named_cannot_go_away() {
    let catalog = sps();
    let mut tree = fresh(&catalog);
    let named = json!({"enabled": true, "listen_address": ADDRESS});
    put(&catalog, &mut tree, "/local_services/cluster", named);
    assert_eq!(
        catalog.check_tree(&tree, &Sealed).iter().filter(|v| v.rule != "object-missing").count(),
        0
    );
    let nic = path("/network/nics/nic1");
    let before = tree.body(&nic).unwrap().clone();
    let mut moved = before.value();
    let addresses = moved.pointer_mut("/interfaces/ff7574025754b3df1647001/addresses").unwrap();
    *addresses = json!({"@order": ["2"], "2": "192.0.2.11/24"});
    put(&catalog, &mut tree, "/network/nics/nic1", moved);
    let after = tree.body(&nic).unwrap().clone();
    let change = Change::Replace { path: nic.clone(), before, after };
    let found = catalog.check_changes(&tree, &[change], &Sealed);
    let places: Vec<String> =
        found.iter().map(|v| format!("{}#{} {}", v.path, v.pointer, v.rule)).collect();
    assert_eq!(
        places,
        [
            "/local_services/admin_web#/listen/0/address reference-target",
            "/local_services/cluster#/listen_address reference-target",
        ],
        "given to those who name it"
    );
    let referrers: Vec<_> = tree.referrers(&nic).map(|r| r.fragment.unwrap()).collect();
    assert_eq!(referrers, [INSIDE, INSIDE]);
}

#[test]
fn ways_into_bodies_are_checked_when_a_catalog_is_loaded() {
    let boards = "kind: collection\ntitle: B\noperations: [list]\nschema:\n  type: object\n  additionalProperties: false\n  properties:\n    ports: {x-ordered-map: {type: string}}\nmembers:\n  a.b: {ports: {'@order': []}}\n  c: {ports: {'@order': [x], x: y}}\n";
    let with = |reference: &str, default: &str| {
        let it = format!(
            "kind: object\ntitle: It\nschema:\n  type: object\n  additionalProperties: false\n  properties:\n    r: {{x-reference: {reference}}}\ndefault: {default}\n"
        );
        faults(&[
            ("catalog.yaml", "name: t\ntitle: T\n"),
            ("boards.yaml", boards),
            ("it.yaml", &it),
        ])
    };
    let dot = "it.yaml:7: a key of /boards has a dot, so its parts cannot be named; choose keys without dots under its `members`";
    assert_eq!(with("{collection: /boards, fragment: ports/*}", "{}"), [dot]);
    assert_eq!(with("{collection: /boards, fragment: ports/*}", "{r: c.ports.x}"), [dot]);
    for (reference, default, expected) in [
        ("{collection: /boards, fragment: pins/*}", "{}", "members of /boards have no such part"),
        ("{collection: /boards, fragment: ports/x}", "{}", "members of /boards have no such part"),
        (
            "{collection: /boards, fragment: ports/*/x}",
            "{}",
            "members of /boards have no such part",
        ),
        ("{collection: /boards, fragment: ports//x}", "{}", "this is not a path into a body"),
        ("{collection: /boards, fragment: 'a.b'}", "{}", "this is not a path into a body"),
        ("{collection: /boards, fragment: 5}", "{}", "`fragment` is a number"),
        (
            "{collection: /boards, fragment: ports/*, secret: {member: s, text: {type: string}}}",
            "{}",
            "a reference to a part of a body asks nothing of a secret",
        ),
        (
            "{collection: /boards, fragment: ports/*}",
            "{r: c.ports.y}",
            "the default refers to a member that no fresh appliance has",
        ),
        (
            "{collection: /boards, fragmen: x}",
            "{}",
            "unknown keyword `fragmen`; did you mean `fragment`?",
        ),
    ] {
        let found = with(reference, default);
        assert!(found.iter().any(|fault| fault.contains(expected)), "{reference} {found:?}");
    }
}

// ===== Built-in members =====

#[test]
fn built_in_members_come_with_the_factory_and_stay() {
    let catalog = sps();
    let mut tree = fresh(&catalog);
    let policy = path("/policies/time_policies/-100");
    assert_eq!(tree.body(&policy).unwrap().value()["name"], "7x24");
    for (at, builtin) in [
        ("/policies/time_policies/-100", true),
        ("/policies/time_policies/-101", false),
        ("/policies/time_policies", false),
        ("/network/nics/nic3", true),
        ("/network/dns", false),
    ] {
        assert_eq!(catalog.is_builtin(&path(at)), builtin, "{at}");
    }
    let listed = catalog.endpoint(&path("/rdp/settings_policies")).unwrap();
    let keys: Vec<&str> = listed.members().map(|(key, _)| key.as_str()).collect();
    assert_eq!(keys, ["-301", "-303"]);
    // They may be changed.
    let mut body = tree.body(&policy).unwrap().value();
    body["name"] = json!("always");
    put(&catalog, &mut tree, "/policies/time_policies/-100", body);
    // The channel policy that names it is built in, too.
    for at in ["/rdp/channel_policies/-20100", "/policies/time_policies/-100"] {
        let before = tree.object_delete(&path(at)).unwrap();
        let change = Change::Delete { path: path(at), rank: None, before };
        let found = catalog.check_changes(&tree, &[change], &Sealed);
        assert_eq!(brief(&found), [" object-missing"]);
        assert!(catalog.check_tree(&tree, &Sealed).contains(&found[0]));
    }
}

#[test]
fn each_body_of_a_fresh_appliance_comes_after_those_it_refers_to() {
    for name in Catalog::builtin_names().iter().filter(|name| name.starts_with("sps-")) {
        let catalog = Catalog::builtin(name).unwrap().unwrap();
        // `fresh` asks at each step.
        let tree = fresh(&catalog);
        let found = catalog.check_tree(&tree, &Sealed);
        let minted = path("/management/certificates");
        assert!(found.iter().all(|v| v.path == minted && v.rule == "object-missing"), "{found:?}");
        if catalog.dialect() == "sps" {
            let admin_web = tree.body(&path("/local_services/admin_web")).unwrap();
            assert_eq!(admin_web.references()[0].target, path("/network/nics/nic1"));
        }
    }
}

#[test]
fn members_are_checked_when_a_catalog_is_loaded() {
    let with = |members: &str| {
        let text = format!(
            "kind: collection\ntitle: C\noperations: [list]\nschema:\n  type: object\n  additionalProperties: false\n  properties:\n    n: {{type: integer}}\n    s: {{type: string, x-secret: true}}\n    r: {{x-reference: /c}}\nmembers: {members}\n"
        );
        faults(&[("catalog.yaml", "name: t\ntitle: T\n"), ("c.yaml", &text)])
    };
    assert_eq!(with("{a: {n: 1, r: b}, b: {n: 2}}"), [""; 0]);
    for (members, expected) in [
        ("[]", "c.yaml:11: `members` is a list; state keys with bodies"),
        (
            "{a/b: {}}",
            "c.yaml:11: the member's name is not a key: a key may not contain the character '/'; choose another key",
        ),
        (
            "{a: {n: x}}",
            "c.yaml:11: the member a does not satisfy the schema: `n` must be an integer and is a string; correct the one or the other",
        ),
        (
            "{a: {s: x}}",
            "c.yaml:11: the member a holds a secret, which would then be known to everyone; leave it out, or refer to a minted one",
        ),
        (
            "{a: {r: b}}",
            "c.yaml:11: the member a refers to a member that no fresh appliance has; write `{x-mint: name}` in its place, or state it under `members` of its collection",
        ),
        (
            "{a: {r: b}, b: {r: a}}",
            "c.yaml: the built-in members refer to each other in a circle, by /c/b; leave one of the references out",
        ),
        (
            "{a: {r: a}}",
            "c.yaml: the built-in members refer to each other in a circle, by /c/a; leave one of the references out",
        ),
    ] {
        assert_eq!(with(members), [expected]);
    }
    let object = "kind: object\ntitle: O\nfidelity: opaque\ndefault: {}\nmembers: {}\n";
    assert_eq!(
        faults(&[("catalog.yaml", "name: t\ntitle: T\n"), ("o.yaml", object)]),
        ["o.yaml:5: `members` says nothing about an object; remove it"]
    );
}

#[test]
fn what_is_not_minted_takes_those_along_that_refer_to_it() {
    let collection = |schema: &str, members: &str| {
        format!(
            "kind: collection\ntitle: C\noperations: [list]\nschema:\n  type: object\n  additionalProperties: false\n  properties: {schema}\nmembers: {members}\n"
        )
    };
    let keys = collection("{t: {type: string}}", "{}");
    let users = collection("{k: {x-reference: /keys}}", "{u: {k: {x-mint: k}}, v: {}}");
    let groups = collection("{m: {x-reference: /users}}", "{g: {m: u}, h: {m: v}}");
    let catalog = Catalog::from_files(files(&[
        ("catalog.yaml", "name: t\ntitle: T\n"),
        ("keys.yaml", &keys),
        ("users.yaml", &users),
        ("groups.yaml", &groups),
    ]))
    .unwrap();
    let paths = |bodies: Vec<(NodePath, Value)>| {
        bodies.into_iter().map(|(at, _)| at.to_string()).collect::<Vec<_>>()
    };
    assert_eq!(paths(catalog.factory(&mut |_, _| None)), ["/users/v", "/groups/h"]);
    let key = config_tree::Key::parse("k1").unwrap();
    let all = catalog.factory(&mut |_, _| Some((key.clone(), json!({"t": "x"}))));
    assert_eq!(paths(all), ["/keys/k1", "/users/u", "/groups/g", "/users/v", "/groups/h"]);
}

// ===== What may be done =====

#[test]
fn a_list_can_be_appended_to_and_an_object_can_be_read_only() {
    let catalog = sps();
    let words = |at: &str| {
        let operations = catalog.endpoint(&path(at)).unwrap().operations();
        operations.words().collect::<Vec<_>>().join(" ")
    };
    for (at, expected) in [
        ("/network/routing", "replace append"),
        ("/network/ip_forwarding_rule_pairs", "replace"),
        ("/network/dns", "replace"),
        ("/aaa/acls", ""),
        ("/network/nics", "list replace"),
        ("/plugins/aa", "list"),
        ("/policies/time_policies", "list create replace delete"),
        ("/management", "list"),
    ] {
        assert_eq!(words(at), expected, "{at}");
    }
    let routing = path("/network/routing");
    let is_list = |at: &str| catalog.endpoint(&path(at)).unwrap().is_list();
    assert!(is_list("/network/routing") && is_list("/aaa/acls"));
    assert!(!is_list("/network/dns") && !is_list("/datetime/timezone") && !is_list("/passwords"));
    let route = json!({"gateway": "192.0.2.1", "target_network": "198.51.100.0/24"});
    assert_eq!(catalog.check_element(&routing, route.clone()).unwrap().value, route);
    assert!(catalog.element_names_member(&routing, "gateway"));
    assert!(!catalog.names_member(&routing, "gateway"));
    let wrong = catalog.check_element(&routing, json!({"gateway": "x"})).unwrap_err();
    assert_eq!(brief(&wrong), ["/gateway format", "/target_network required"]);
    for at in ["/network/dns", "/network", "/nothing"] {
        assert_eq!(brief(&catalog.check_element(&path(at), json!({})).unwrap_err()), [" endpoint"]);
    }
}

#[test]
fn operations_fit_the_kind() {
    let with = |kind: &str, operations: &str, schema: &str| {
        let text = format!(
            "kind: {kind}\ntitle: X\noperations: {operations}\nschema: {schema}\ndefault: []\n"
        );
        faults(&[("catalog.yaml", "name: t\ntitle: T\n"), ("x.yaml", &text)])
    };
    assert_eq!(with("value", "[append]", "{type: array}"), [""; 0]);
    assert_eq!(with("value", "[]", "{}"), [""; 0]);
    assert_eq!(
        with("value", "[append]", "{}"),
        [
            "x.yaml:3: an element can only be appended to a list; remove `append`, or say `type: array`"
        ]
    );
    assert_eq!(
        with("object", "[append]", "{}"),
        ["x.yaml:3: \"append\" is not an operation of this kind; use some of replace"]
    );
    assert_eq!(
        with("value", "[repalce]", "{}"),
        [
            "x.yaml:3: \"repalce\" is not an operation of this kind; did you mean `replace`?; use some of replace, append"
        ]
    );
}

#[test]
fn a_folder_of_which_nothing_is_known_may_be_empty() {
    let catalog = sps();
    let folder = catalog.endpoint(&path("/troubleshooting")).unwrap();
    assert_eq!((folder.kind(), folder.fidelity()), (EndpointKind::Folder, Fidelity::Opaque));
    let files = |fidelity: &str| {
        let text = format!("kind: folder\ntitle: F\n{fidelity}");
        faults(&[("catalog.yaml", "name: t\ntitle: T\n"), ("f.yaml", &text)]).len()
    };
    assert_eq!((files(""), files("fidelity: partial\n"), files("fidelity: opaque\n")), (1, 1, 0));
}

#[test]
fn unique_values_are_those_of_members() {
    let catalog = sps();
    let user = path("/aaa/local_database/users/u");
    let value = json!({"name": "anna", "password": null});
    let kept = body(&catalog, &user, value).unwrap();
    let expected = vec![("/name".to_owned(), "\"anna\"".to_owned())];
    assert_eq!(catalog.unique_values(&user, &kept), expected);
    assert_eq!(catalog.unique_values(&path("/network/dns"), &kept), []);
    assert_eq!(catalog.unique_values(&path("/passwords/u"), &kept), []);
    let mut tree = catalog.skeleton();
    tree.object_create(&user, kept, None).unwrap();
    let users = path("/aaa/local_database/users");
    assert_eq!(tree.holders(&users, "/name", &json!("anna")).count(), 1, "the skeleton is indexed");
}

// ===== Building on another catalog =====

const BASE: [(&str, &str); 4] = [
    (
        "catalog.yaml",
        "name: base\ntitle: Base\ndescription: It\nappliance: {version: '1', firmware_version: '1.0'}\n$defs:\n  size: {type: integer, maximum: 10}\n",
    ),
    ("a.yaml", "kind: object\ntitle: A\nschema: {$ref: '#/$defs/size'}\ndefault: 5\n"),
    ("f.yaml", "kind: folder\ntitle: F\n"),
    ("f/b.yaml", "kind: object\ntitle: B\nfidelity: opaque\ndefault: {}\n"),
];

fn folder(name: &str) -> PathBuf {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("layers").join(name);
    let _ = fs::remove_dir_all(&dir);
    fs::create_dir_all(&dir).unwrap();
    dir
}

// Writes catalogs next to each other and loads the last one.
fn load(test: &str, catalogs: &[(&str, &[(&str, &str)])]) -> Result<Catalog, catalog::LoadError> {
    let root = folder(test);
    for (name, files) in catalogs {
        for (file, text) in *files {
            let path = root.join(name).join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
    }
    Catalog::load(&root.join(catalogs.last().unwrap().0))
}

fn load_faults(test: &str, catalogs: &[(&str, &[(&str, &str)])]) -> Vec<String> {
    match load(test, catalogs) {
        Ok(_) => Vec::new(),
        Err(error) => error.faults.iter().map(ToString::to_string).collect(),
    }
}

#[test]
fn a_catalog_states_what_differs_from_another() {
    let next: &[(&str, &str)] = &[
        (
            "catalog.yaml",
            "name: next\ntitle: Next\nextends: base\nremoved: [/f]\ntransactions: concurrent\nappliance: {version: '2'}\n$defs:\n  size: {type: integer, maximum: 20}\n  more: {type: boolean}\n",
        ),
        ("c.yaml", "kind: object\ntitle: C\nschema: {$ref: '#/$defs/more'}\ndefault: true\n"),
    ];
    let third: &[(&str, &str)] = &[
        ("catalog.yaml", "name: third\ntitle: Third\nextends: next\n"),
        ("a.yaml", "kind: object\ntitle: Another A\nschema: {$ref: '#/$defs/size'}\ndefault: 20\n"),
    ];
    let catalog = load("differs", &[("base", &BASE), ("next", next)]).unwrap();
    let paths: Vec<String> = catalog.endpoints().map(|endpoint| endpoint.pattern()).collect();
    assert_eq!(paths, ["/", "/a", "/c"]);
    assert_eq!((catalog.name(), catalog.title()), ("next", "Next"));
    assert_eq!((catalog.default_mode(), catalog.description()), ("concurrent", "It"));
    assert_eq!(catalog.appliance("version"), Some("2"));
    assert_eq!(catalog.appliance("firmware_version"), Some("1.0"));
    let verdict = |catalog: &Catalog, n: i64| catalog.check_body(&path("/a"), json!(n)).is_ok();
    assert!(
        verdict(&catalog, 20) && !verdict(&catalog, 21),
        "a shared schema means something else"
    );
    let catalog = load("third", &[("base", &BASE), ("next", next), ("third", third)]).unwrap();
    assert_eq!(catalog.endpoint(&path("/a")).unwrap().title(), "Another A");
    assert_eq!(catalog.default_mode(), "concurrent");
}

#[test]
fn faults_of_both_catalogs_are_told_with_their_files() {
    let next: &[(&str, &str)] = &[
        (
            "catalog.yaml",
            "name: next\ntitle: Next\nextends: base\nremoved: [/fb, 5, /]\n$defs:\n  size: {type: integer, maximum: 4}\n",
        ),
        ("f/b.yaml", "kind: object\ntitel: B\n"),
    ];
    assert_eq!(
        load_faults("faults", &[("base", &BASE), ("next", next)]),
        [
            "base/a.yaml:4: the default does not satisfy the schema: the body must be at most 4; correct the one or the other",
            "catalog.yaml:4: there is nothing to remove at this path; write a list of paths of the catalog that this one extends",
            "catalog.yaml:4: there is nothing to remove at this path; did you mean `/f`?; write a list of paths of the catalog that this one extends",
            "f/b.yaml:1: `schema` is missing; add it, or say `fidelity: opaque` to accept any object",
            "f/b.yaml:1: `title` is missing; add it",
            "f/b.yaml:2: unknown keyword `titel`; did you mean `title`?; use one of kind, title, description, fidelity, source, schema, default, examples, operations, key, key_schema, unique, lifetime, exclusive, members",
        ]
    );
}

#[test]
fn a_catalog_that_builds_on_nothing_or_on_itself_is_refused() {
    let on = |name: &str| format!("name: x\ntitle: X\nextends: {name}\n");
    for name in ["sps-6.3", "../base", ".", "/etc"] {
        let text = on(name);
        let found = load_faults("nothing", &[("base", &BASE), ("x", &[("catalog.yaml", &text)])]);
        assert!(
            found[0].starts_with(&format!("catalog.yaml:3: there is no catalog {name}")),
            "{found:?}"
        );
    }
    assert_eq!(
        load_faults("text", &[("x", &[("catalog.yaml", "name: x\ntitle: X\nextends: [a]\n")])]),
        ["catalog.yaml:3: `extends` is a list; write a text, in quotes if it looks otherwise"]
    );
    let (a, b) = (on("b"), on("a"));
    let circle =
        load_faults("circle", &[("b", &[("catalog.yaml", &b)]), ("a", &[("catalog.yaml", &a)])]);
    assert_eq!(
        circle,
        ["a/catalog.yaml:3: the catalog builds on b, which builds on it; leave one `extends` out"]
    );
    let own = on("own");
    let found = load_faults("own", &[("own", &[("catalog.yaml", &own)])]);
    assert!(found[0].starts_with("catalog.yaml:3: there is no catalog own"), "{found:?}");
}

#[test]
fn a_folder_called_like_a_built_in_catalog_can_build_on_it() {
    let text = "name: mine\ntitle: Mine\nextends: sps-6.2\n";
    let acls = "kind: value\ntitle: Privileges\noperations: [replace]\nschema: {type: array}\ndefault: []\n";
    let mine: &[(&str, &str)] = &[("catalog.yaml", text), ("aaa/acls.yaml", acls)];
    let catalog = load("called", &[("sps-6.2", mine)]).unwrap();
    assert_eq!(catalog.endpoints().count(), sps().endpoints().count());
    assert!(catalog.endpoint(&path("/aaa/acls")).unwrap().operations().replace);
    let from_texts = Catalog::from_files(files(mine)).unwrap();
    assert_eq!(from_texts.default_mode(), "exclusive");
}

#[test]
fn version_7_differs_from_version_6_as_documented() {
    let (six, seven) = (sps(), Catalog::builtin("sps-7.0").unwrap().unwrap());
    let paths = |catalog: &Catalog| -> Vec<String> {
        catalog.endpoints().map(|endpoint| endpoint.pattern()).collect()
    };
    let (old, new) = (paths(&six), paths(&seven));
    let added: Vec<&String> = new.iter().filter(|at| !old.contains(at)).collect();
    let gone: Vec<&String> = old.iter().filter(|at| !new.contains(at)).collect();
    assert_eq!(
        added,
        [
            "/aaa/ldap_servers",
            "/aaa/login_methods",
            "/aaa/saml2",
            "/http/connections",
            "/ica/connections",
            "/management/exported_configuration_encryption",
            "/management/license",
            "/management/root_password",
            "/management/support_info",
            "/mssql",
            "/plugins/configuration_sync",
            "/plugins/signingca",
            "/policies/aa_plugin_instances",
            "/starling",
            "/telnet/authentication_policies",
            "/telnet/connections",
            "/telnet/pattern_sets",
            "/vnc/connections",
        ]
    );
    assert_eq!(gone, ["/management/soap", "/reporting/custom_subchapters"]);
    assert_eq!((seven.name(), seven.default_mode()), ("sps-7.0", "concurrent"));
    let options = path("/vnc/options");
    let later =
        json!({"channel_database_cleanup": {"enabled": false}, "service": {"enabled": false}});
    assert!(seven.check_body(&options, later.clone()).is_ok());
    let refused = six.check_body(&options, later).unwrap_err();
    assert_eq!(brief(&refused), ["/audit required", "/channel_database_cleanup unknown-member"]);
    assert!(seven.endpoint(&path("/plugins/aa")).unwrap().operations().delete);
}
