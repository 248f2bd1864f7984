//! What is wrong with a catalog is reported at once, with file, line and remedy.

use std::fs;
use std::path::Path;

use catalog::{Catalog, LoadError};

const CATALOG: (&str, &str) = ("catalog.yaml", "name: test\ntitle: Test\n");

fn load(files: &[(&str, &str)]) -> Result<Catalog, LoadError> {
    Catalog::from_files(files.iter().map(|(n, t)| ((*n).to_owned(), (*t).to_owned())))
}

// Loads one object with this schema and a collection of passwords.
fn faults_of_schema(schema: &str) -> Vec<String> {
    let mut file = String::from("kind: object\ntitle: It\ndefault: {}\nschema:\n");
    file.extend(schema.lines().map(|line| format!("  {line}\n")));
    let passwords = "kind: collection\ntitle: Passwords\noperations: [create]\nschema:\n  type: object\n  additionalProperties: false\n  properties:\n    plain: {type: string, x-secret: true}\n";
    faults(&[CATALOG, ("it.yaml", &file), ("passwords.yaml", passwords)])
}

fn faults(files: &[(&str, &str)]) -> Vec<String> {
    match load(files) {
        Ok(_) => Vec::new(),
        Err(error) => {
            assert!(error.faults.is_sorted());
            assert!(error.faults.iter().all(|fault| !fault.remedy.is_empty()));
            error.faults.iter().map(|f| format!("{}:{} {}", f.file, f.line, f.message)).collect()
        }
    }
}

#[test]
fn each_fault_of_a_schema_has_its_line_and_sentence() {
    for (schema, expected) in [
        ("type: object", &[][..]),
        ("type: objekt", &["it.yaml:5 \"objekt\" is not a type; did you mean `object`?"]),
        ("typ: object", &["it.yaml:5 unknown keyword `typ`; did you mean `type`?"]),
        ("minLenght: 1", &["it.yaml:5 unknown keyword `minLenght`; did you mean `minLength`?"]),
        ("x-swich: on", &["it.yaml:5 unknown keyword `x-swich`; did you mean `x-switch`?"]),
        ("type: object\nminLength: 1", &["it.yaml:6 `minLength` says nothing about an object"]),
        (
            "pattern: '['",
            &["it.yaml:5 the pattern cannot be used: error: unclosed character class"],
        ),
        ("pattern: 5", &["it.yaml:5 `pattern` is a number"]),
        ("minLength: -1", &["it.yaml:5 `minLength` is not a count"]),
        ("minimum: low", &["it.yaml:5 `minimum` is a text"]),
        ("format: ipv5", &["it.yaml:5 unknown format \"ipv5\"; did you mean `ipv4`?"]),
        ("enum: []", &["it.yaml:5 `enum` lists no values"]),
        (
            "$ref: '#/$defs/nothing'",
            &["it.yaml:5 `$defs` of this file and of catalog.yaml have no `nothing`"],
        ),
        ("$ref: other.yaml", &["it.yaml:5 \"other.yaml\" cannot be resolved"]),
        (
            "$ref: '#/$defs/x'\ntype: string",
            &[
                "it.yaml:5 `$defs` of this file and of catalog.yaml have no `x`",
                "it.yaml:6 `type` cannot be combined with `$ref`",
            ],
        ),
        (
            "type: object\nproperties: {}",
            &["it.yaml:5 the members are listed, but not whether others may stand there"],
        ),
        (
            "additionalProperties: false\nrequired: [a]\nproperties: {b: {}}",
            &["it.yaml:6 there is no property `a` here; did you mean `b`?"],
        ),
        (
            "x-switch: enabled\nproperties: {enable: {type: boolean}}",
            &["it.yaml:5 there is no property `enabled` here; did you mean `enable`?"],
        ),
        (
            "x-switch: on\nproperties: {on: {type: string}}",
            &["it.yaml:5 the switch `on` is not a boolean"],
        ),
        (
            "x-switch: on\nadditionalProperties: maybe\nproperties: {on: {type: boolean}}",
            &["it.yaml:6 `additionalProperties` is a text"],
        ),
        ("x-union: {branches: {a: {}}}", &["it.yaml:5 the union has no tag"]),
        ("x-union: {tag: t}", &["it.yaml:5 the union has no branches"]),
        (
            "x-union: {tag: t, branch: {}}",
            &[
                "it.yaml:5 the union has no branches",
                "it.yaml:5 unknown keyword `branch`; did you mean `branches`?",
            ],
        ),
        (
            "x-union: {tag: t, branches: {a: {type: string}}}",
            &[
                "it.yaml:5 a branch states the members that accompany the tag, so its type is object",
            ],
        ),
        (
            "x-union:\n  tag: t\n  branches:\n    a: {properties: {t: {}}}",
            &["it.yaml:8 the branch states the tag `t` again"],
        ),
        (
            "x-union:\n  tag: t\n  branches:\n    a: {enum: [1]}",
            &["it.yaml:8 `enum` cannot stand in a branch of a union"],
        ),
        (
            "additionalProperties: false\nx-union: {tag: t, branches: {a: {}}}",
            &["it.yaml:6 `x-union` and other statements about members exclude each other"],
        ),
        (
            "additionalProperties: false\nproperties:\n  a: {x-reference: /pasword}",
            &["it.yaml:7 there is no collection /pasword; did you mean `/passwords`?"],
        ),
        (
            "additionalProperties: false\nproperties:\n  a: {x-reference: passwords}",
            &["it.yaml:7 this is not a path: a path starts with a slash, \"passwords\" does not"],
        ),
        (
            "additionalProperties: false\nproperties:\n  a: {x-reference: /passwords, minLength: 1}",
            &["it.yaml:7 `minLength` cannot be combined with `x-reference`"],
        ),
        (
            "additionalProperties: false\nproperties:\n  a: {x-reference: {collection: /passwords, secret: {member: hash, text: {type: string}}}}",
            &["it.yaml:7 members of /passwords have no secret `hash`"],
        ),
        (
            "additionalProperties: false\nproperties:\n  a: {x-reference: {collection: /passwords, secret: {member: plain}}}",
            &["it.yaml:7 the rule does not say which member of the target it is about, and what"],
        ),
        (
            "additionalProperties: false\nproperties:\n  a: {x-unique: true}",
            &["it.yaml:7 `x-unique` has no meaning here"],
        ),
        (
            "items: {x-null-when: {a: 1}}",
            &["it.yaml:5 `x-null-when` is said of a property, and this is none"],
        ),
        (
            "additionalProperties: false\nproperties:\n  a: {type: string, x-null-when: {b: 1}}\n  b: {}",
            &["it.yaml:7 `a` can never be null"],
        ),
        (
            "additionalProperties: false\nproperties:\n  a: {x-absent-when: {c: 1}}",
            &["it.yaml:7 there is no property `c` here; did you mean `a`?"],
        ),
        (
            "additionalProperties: false\nproperties:\n  a: {x-absent-when: {b: two}}\n  b: {enum: [one]}",
            &["it.yaml:7 `b` never has this value"],
        ),
        (
            "additionalProperties: false\nproperties:\n  a: {x-absent-when: 1}",
            &["it.yaml:7 `x-absent-when` is a number"],
        ),
        (
            "additionalProperties: false\nx-exactly-one-of: [a, b]\nproperties: {a: {type: integer, default: 1}, b: {}}",
            &["it.yaml:7 `a` cannot have a default"],
        ),
        (
            "additionalProperties: false\nproperties:\n  a:\n    type: integer\n    default: one",
            &[
                "it.yaml:9 `default` does not satisfy the schema: the body must be an integer and is a string",
            ],
        ),
        (
            "additionalProperties: false\nproperties:\n  a: {type: integer, examples: [1, x]}",
            &[
                "it.yaml:7 `examples` does not satisfy the schema: the body must be an integer and is a string",
            ],
        ),
        (
            "x-identity: {certificate: a}\nadditionalProperties: false\nproperties: {a: {}}",
            &["it.yaml:5 `x-identity` lacks certificate or key"],
        ),
        ("[type]", &["it.yaml:5 a schema is a mapping, and this is a list"]),
        (
            "type: object\ntype: object",
            &["it.yaml:6 `type` stands here a second time; the first is on line 5"],
        ),
        (
            "type: integer\nminimum: 0\nmaximun: 1\nformat: uid",
            &[
                "it.yaml:7 unknown keyword `maximun`; did you mean `maximum`?",
                "it.yaml:8 `format` says nothing about an integer",
                "it.yaml:8 unknown format \"uid\"; did you mean `uuid`?",
            ],
        ),
    ] {
        assert_eq!(faults_of_schema(schema), expected, "{schema}");
    }
}

#[test]
fn each_fault_of_a_file_has_its_line_and_sentence() {
    let object = "kind: object\ntitle: A\nschema: {type: object}\ndefault: {}\n";
    for (files, expected) in [
        (&[CATALOG, ("a.yaml", object)][..], &[][..]),
        (&[("a.yaml", object)], &["catalog.yaml:0 the catalog has no such file"]),
        (
            &[("catalog.yaml", "title: Test\ntransactions: many\nmode: x\n")],
            &[
                "catalog.yaml:1 `name` is missing",
                "catalog.yaml:2 `transactions` cannot be \"many\"",
                "catalog.yaml:3 unknown keyword `mode`",
            ],
        ),
        (&[CATALOG, ("a.yaml", "")], &["a.yaml:1 the file states nothing"]),
        (&[CATALOG, ("a.yaml", "- 1\n")], &["a.yaml:1 the file states nothing"]),
        (&[CATALOG, ("a.yaml", "title: A\n")], &["a.yaml:1 `kind` is missing"]),
        (
            &[CATALOG, ("a.yaml", "kind: objekt\ntitle: A\n")],
            &["a.yaml:1 `kind` cannot be \"objekt\"; did you mean `object`?"],
        ),
        (
            &[CATALOG, ("a.yaml", "kind: object\n")],
            &["a.yaml:1 `schema` is missing", "a.yaml:1 `title` is missing"],
        ),
        (
            &[CATALOG, ("a.yaml", "kind: object\ntitle: 1\nfidelity: opaque\n")],
            &["a.yaml:1 `default` is missing", "a.yaml:2 `title` is a number"],
        ),
        (
            &[
                CATALOG,
                ("a.yaml", "kind: object\ntitle: A\nfidelity: opaque\nschema: {}\ndefault: {}\n"),
            ],
            &["a.yaml:4 an opaque endpoint accepts any object, so its schema says nothing"],
        ),
        (
            &[CATALOG, ("a.yaml", "kind: object\ntitle: A\nfidelity: opaque\ndefault: []\n")],
            &[
                "a.yaml:4 the default does not satisfy the schema: the body must be an object and is a list",
            ],
        ),
        (
            &[
                CATALOG,
                (
                    "a.yaml",
                    "kind: object\ntitle: A\noperations: [list]\nfidelity: opaque\ndefault: {}\n",
                ),
            ],
            &["a.yaml:3 \"list\" is not an operation of this kind"],
        ),
        (
            &[CATALOG, ("a.yaml", "kind: collection\ntitle: A\nfidelity: opaque\n")],
            &["a.yaml:1 `operations` is missing"],
        ),
        (
            &[
                CATALOG,
                (
                    "a.yaml",
                    "kind: collection\ntitle: A\nfidelity: opaque\noperations:\n  - creat\nkey: number\nexclusive: 1\n",
                ),
            ],
            &[
                "a.yaml:5 \"creat\" is not an operation of this kind; did you mean `create`?",
                "a.yaml:6 `key` cannot be \"number\"",
                "a.yaml:7 `exclusive` is a number",
            ],
        ),
        (
            &[CATALOG, ("a.yaml", "kind: folder\ntitle: A\n")],
            &["a.yaml:1 this is a folder, but `a/` has no files"],
        ),
        (
            &[CATALOG, ("a/b.yaml", object)],
            &["a.yaml:0 the folder `a/` has no such file next to it"],
        ),
        (
            &[CATALOG, ("a.yaml", object), ("a/b.yaml", object)],
            &["a.yaml:1 files stand in the folder `a/`, but this is an object"],
        ),
        (&[CATALOG, ("a.yml", object)], &["a.yml:0 the file is not a `.yaml` file"]),
        (
            &[CATALOG, ("@a.yaml", object)],
            &[
                "@a.yaml:0 the file's name is not a path: \"@a\" is reserved and cannot be used as a key",
            ],
        ),
        (
            &[CATALOG, ("a.yaml", "kind: object\ntitle: A\n  x: [\n")],
            &["a.yaml:3 this is not YAML: mapping values are not allowed in this context"],
        ),
    ] {
        assert_eq!(faults(files), expected, "{files:?}");
    }
}

#[test]
fn each_fault_of_keys_unique_values_and_policies_has_its_line_and_sentence() {
    let of = |lines: &str| {
        let head = "kind: collection\ntitle: C\noperations: [create]\nschema:\n  type: object\n  additionalProperties: drop\n  properties:\n    n: {type: string}\n";
        faults(&[CATALOG, ("c.yaml", &format!("{head}{lines}\n"))])
    };
    for (lines, expected) in [
        ("key: sequence\nunique: [[n]]", &[][..]),
        ("key: given\nkey_schema: {type: string, maxLength: 3}\nmembers: {abc: {}}", &[][..]),
        ("key: seqence", &["c.yaml:9 `key` cannot be \"seqence\"; did you mean `sequence`?"]),
        (
            "key_schema: {type: string}",
            &["c.yaml:9 `key_schema` says nothing where the appliance makes the keys"],
        ),
        ("key: given\nkey_schema: {type: integer}", &["c.yaml:10 a key is a text"]),
        (
            "key: sequence\nmembers: {first: {}}",
            &["c.yaml:10 \"first\" cannot be a key here: must be a positive integer"],
        ),
        (
            "key: given\nkey_schema: {type: string, maxLength: 3}\nmembers: {abcd: {}}",
            &["c.yaml:11 \"abcd\" cannot be a key here: the body must have at most 3 characters"],
        ),
        ("unique: n", &["c.yaml:9 `unique` is a text"]),
        ("unique: [n]", &["c.yaml:9 this is not a list of members"]),
        ("unique: [[m]]", &["c.yaml:9 members of this collection have no `m`"]),
        ("unique: [[n], [n]]", &["c.yaml:9 this is stated twice"]),
    ] {
        assert_eq!(of(lines), expected, "{lines}");
    }
    for (lines, expected) in [
        ("dialect: other\nunknown_members: drop\nread_only_members: refuse", &[][..]),
        ("dialect: My API", &["catalog.yaml:3 `dialect` is not the name of an API"]),
        (
            "unknown_members: dorp",
            &["catalog.yaml:3 `unknown_members` cannot be \"dorp\"; did you mean `drop`?"],
        ),
        ("read_only_members: keep", &["catalog.yaml:3 `read_only_members` cannot be \"keep\""]),
        ("time_format: iso", &["catalog.yaml:3 `time_format` cannot be \"iso\""]),
        ("folders: {parents: {a: b}}", &["catalog.yaml:3 the folders have no root"]),
        (
            "folders: {root: r, parents: {a: b, b: a}}",
            &["catalog.yaml:3 the folder \"a\" lies in itself"],
        ),
        ("folders: {root: r, top: x}", &["catalog.yaml:3 `top` says nothing about folders"]),
    ] {
        let text = format!("{}{lines}\n", CATALOG.1);
        assert_eq!(faults(&[("catalog.yaml", &text)]), expected, "{lines}");
    }
    for (schema, expected) in [
        (
            "additionalProperties: maybe\nproperties: {}",
            &["it.yaml:5 `additionalProperties` is a text"][..],
        ),
        (
            "additionalProperties: false\nproperties:\n  a: {type: string, x-derived: created}",
            &["it.yaml:7 `x-derived` has no meaning here"],
        ),
        ("readOnly: true", &["it.yaml:5 `readOnly` is said of a property, and this is none"]),
    ] {
        assert_eq!(faults_of_schema(schema), expected, "{schema}");
    }
}

#[test]
fn each_fault_of_what_a_reference_does_has_its_line_and_sentence() {
    for (reference, expected) in [
        ("collection: /named, by: n, must_exist: false, on_delete: keep", &[][..]),
        ("collection: /passwords, by: n", &["members of /passwords are not unique by n"]),
        (
            "collection: /named, by: n, within: f",
            &["`within` needs a tree of folders", "members of /named are not unique by f and n"],
        ),
        (
            "collection: /named, by: n, fragment: a",
            &["`fragment` cannot stand next to `by`", "members of /named have no such part"],
        ),
        ("collection: /named, within: f", &["`within` says nothing about a reference by key"]),
        (
            "collection: /named, on_delete: drp",
            &["`on_delete` cannot be \"drp\"; did you mean `drop`?"],
        ),
        ("collection: /named, on_delete: drop", &["the reference is not an item of a list"]),
        ("collection: /named, on_delete: null", &["the reference can never be null"]),
        ("collection: /named, on_delete: keep", &["what a reference must name cannot go"]),
        ("collection: /named, by: n, on_rename: x", &["`on_rename` cannot be \"x\""]),
    ] {
        let it = format!(
            "kind: object\ntitle: It\ndefault: {{}}\nschema:\n  type: object\n  additionalProperties: false\n  properties:\n    r: {{x-reference: {{{reference}}}}}\n"
        );
        let collection = |rest: &str| {
            format!(
                "kind: collection\ntitle: C\noperations: [create]\n{rest}schema:\n  type: object\n  additionalProperties: false\n  properties:\n    n: {{type: string}}\n"
            )
        };
        let (named, passwords) = (collection("unique: [[n]]\n"), collection(""));
        let files =
            [CATALOG, ("it.yaml", &*it), ("named.yaml", &*named), ("passwords.yaml", &*passwords)];
        let expected: Vec<String> =
            expected.iter().map(|text| format!("it.yaml:8 {text}")).collect();
        assert_eq!(faults(&files), expected, "{reference}");
    }
}

#[test]
fn defaults_and_examples_are_held_to_the_schema_line_by_line() {
    let file = "kind: object
title: A
schema:
  type: object
  additionalProperties: false
  required: [a]
  properties:
    a: {type: integer}
    b: {x-reference: /c}
    s: {type: string, x-secret: true}
default:
  a: one
  z: 1
examples:
  - title: first
    body:
      a: 1.5
  - body: {a: 1}
";
    let collection = ("c.yaml", "kind: collection\ntitle: C\nfidelity: opaque\noperations: []\n");
    assert_eq!(
        faults(&[CATALOG, ("a.yaml", file), collection]),
        [
            "a.yaml:12 the default does not satisfy the schema: `a` must be an integer and is a string",
            "a.yaml:13 the default does not satisfy the schema: the body has a member that is not known here; did you mean `a`?",
            "a.yaml:17 the example \"first\" does not satisfy the schema: `a` must be an integer and is a number with a fraction or beyond 64 bits",
            "a.yaml:18 this is not an example",
        ]
    );
    let (head, _) = file.split_once("default:").unwrap();
    let with = |default: &str| {
        faults(&[CATALOG, ("a.yaml", &format!("{head}default: {default}\n")), collection])
    };
    assert_eq!(with("{a: 1, b: {x-mint: some}}"), [""; 0]);
    assert_eq!(
        with("{a: 1, b: key}"),
        ["a.yaml:11 the default refers to a member that no fresh appliance has"]
    );
    assert_eq!(
        with("{a: 1, s: {x-mint: some}}"),
        [
            "a.yaml:11 `x-mint` stands where the schema has no reference",
            "a.yaml:11 the default holds a secret, which would then be known to everyone",
        ]
    );
}

#[test]
fn shared_schemas_are_found_once_and_come_to_an_end() {
    let catalog = (
        "catalog.yaml",
        "name: t\ntitle: T\n$defs:\n  a: {$ref: '#/$defs/b'}\n  b: {items: {$ref: '#/$defs/a'}}\n  c: {type: strin}\n",
    );
    let file = (
        "x.yaml",
        "kind: object\ntitle: X\n$defs:\n  c: {type: string}\nschema:\n  additionalProperties: false\n  properties:\n    a: {$ref: '#/$defs/c'}\ndefault: {}\n",
    );
    assert_eq!(
        faults(&[catalog, file]),
        [
            "catalog.yaml:5 `a` contains itself",
            "catalog.yaml:6 \"strin\" is not a type; did you mean `string`?",
            "x.yaml:8 `c` is defined here and in catalog.yaml",
        ]
    );
}

#[test]
fn the_report_reads_as_a_list() {
    let error = load(&[CATALOG, ("a.yaml", "kind: folder\ntitel: A\n")]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the catalog has 3 faults\n\
         a.yaml:1: `title` is missing; add it\n\
         a.yaml:1: this is a folder, but `a/` has no files; add its children, or remove it\n\
         a.yaml:2: unknown keyword `titel`; did you mean `title`?; use one of kind, title, description, fidelity, source, schema, default, examples, operations, key, key_schema, unique, lifetime, exclusive, members"
    );
}

#[test]
fn a_folder_on_disk_is_read_whole() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../config/catalogs/sps-6.2");
    assert_eq!(Catalog::load(&dir).unwrap().endpoints().count(), 94);
    // What it extends is next to it.
    let seven = Catalog::load(&dir.join("../sps-7.0")).unwrap();
    assert_eq!(seven.endpoints().count(), 110);
    let error = Catalog::load(&dir.join("missing")).unwrap_err();
    assert!(error.to_string().contains("the folder cannot be read"), "{error}");
    let odd = Path::new(env!("CARGO_TARGET_TMPDIR")).join("odd-catalog");
    fs::create_dir_all(odd.join("a")).unwrap();
    fs::write(odd.join("catalog.yaml"), CATALOG.1).unwrap();
    fs::write(odd.join("README.md"), "ignored").unwrap();
    fs::write(odd.join("a/b.yaml"), [0xff, 0xfe]).unwrap();
    let error = Catalog::load(&odd).unwrap_err();
    assert_eq!(error.faults.len(), 1);
    assert_eq!(error.faults[0].file, "a/b.yaml");
}

#[test]
fn the_example_of_the_manual_works_as_it_says() {
    let manual = include_str!("../../../../docs/CATALOG.md");
    let files = manual.split("```yaml\n# ").skip(1).map(|block| {
        let (name, text) = block.split_once('\n').unwrap();
        (name.to_owned(), text.split("```").next().unwrap().to_owned())
    });
    let files: Vec<(String, String)> = files.collect();
    assert_eq!(files, Catalog::example_files(), "what the manual shows is what one begins with");
    let catalog = Catalog::from_files(files.clone()).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!((catalog.endpoints().count(), catalog.default_mode()), (4, "concurrent"));
    let said = |at: &str, body| {
        let violations = catalog.check_body(&crate::support::path(at), body).unwrap_err();
        violations.into_iter().map(|violation| violation.message).collect::<Vec<_>>()
    };
    assert_eq!(
        said("/light", serde_json::json!({"mode": "off", "brightness": 5})),
        ["`brightness` may not be present when `mode` is off"]
    );
    assert_eq!(
        said("/remote", serde_json::json!({"enabled": true})),
        ["`host` is required when `enabled` is true", "`token` is required when `enabled` is true",]
    );
    let misspelt =
        files.into_iter().map(|(name, text)| (name, text.replace("minimum: 1,", "minimun: 1,")));
    let error = Catalog::from_files(misspelt).unwrap_err();
    assert_eq!(error.faults.len(), 1);
    assert!(manual.contains(&error.faults[0].to_string()), "{error}");
}
