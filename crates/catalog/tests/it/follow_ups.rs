//! What a deletion and a new name do to references, by key and by name.

use catalog::{Catalog, FollowUp};
use config_tree::{Change, NodePath, Tree};
use serde_json::{Value, json};

use crate::support::{Sealed, body, brief, path, put};

const WHOLE: &str = "name: t\ntitle: T\ndialect: other\nunknown_members: drop\nfolders:\n  root: All\n  aliases: {Shared: All}\n  parents: {Access: All, Mobile: Access}\n";

const PROFILES: &str = "
kind: collection
title: Profiles
operations: [list, create, replace, delete]
unique: [[folder, name]]
schema:
  type: object
  required: [name]
  properties:
    name: {type: string}
    folder: {type: string}
";

const USERS: &str = "
kind: collection
title: Users
operations: [list, create, replace, delete]
schema:
  type: object
  properties:
    folder: {type: string}
    strict: {x-reference: {collection: /profiles, by: name, within: folder}}
    loose:
      type: [string, 'null']
      maxLength: 6
      x-reference: {collection: /profiles, by: name, within: folder, must_exist: false, on_delete: null, on_rename: keep}
    stubborn: {x-reference: {collection: /profiles, by: name, within: folder, on_rename: refuse}}
    list:
      type: array
      items: {x-reference: {collection: /profiles, by: name, within: folder, on_delete: drop}}
    owner: {x-reference: {collection: /profiles, on_delete: cascade}}
    keys:
      type: array
      minItems: 1
      items: {x-reference: {collection: /profiles, on_delete: drop}}
    held: {x-reference: /users}
";

fn catalog() -> Catalog {
    let files = [("catalog.yaml", WHOLE), ("profiles.yaml", PROFILES), ("users.yaml", USERS)];
    Catalog::from_files(files.map(|(name, text)| (name.to_owned(), text.to_owned())))
        .unwrap_or_else(|error| panic!("{error}"))
}

// Two profiles of one name in two folders, and one more.
fn tree(catalog: &Catalog) -> Tree {
    let mut tree = catalog.skeleton();
    put(catalog, &mut tree, "/profiles/a", json!({"name": "p", "folder": "All"}));
    put(catalog, &mut tree, "/profiles/m", json!({"name": "p", "folder": "Mobile"}));
    put(catalog, &mut tree, "/profiles/q", json!({"name": "q", "folder": "Access"}));
    tree
}

fn referrers(catalog: &Catalog, tree: &Tree, at: &str) -> Vec<String> {
    let found = catalog.referrers(tree, &path(at));
    found.iter().map(|r| format!("{}{}", r.path, r.pointer)).collect()
}

// As an engine does it: what comes along, then the change itself.
fn apply(tree: &mut Tree, plan: Vec<FollowUp>) -> Vec<Change> {
    let changes: Vec<Change> = plan
        .into_iter()
        .map(|step| match step {
            FollowUp::Replace { path, body } => {
                let before = tree.body(&path).unwrap().clone();
                Change::Replace { path, before, after: body }
            }
            FollowUp::Delete { path } => {
                let before = tree.body(&path).unwrap().clone();
                Change::Delete { rank: tree.rank(&path), path, before }
            }
        })
        .collect();
    changes.iter().for_each(|change| tree.apply(change).unwrap());
    changes
}

fn value(tree: &Tree, at: &str) -> Value {
    tree.body(&path(at)).unwrap().value()
}

fn delete(catalog: &Catalog, tree: &mut Tree, at: &str) -> Result<(), Vec<NodePath>> {
    let path = path(at);
    let plan = catalog.after_delete(tree, &path);
    let plan = plan.map_err(|kept| kept.into_iter().map(|r| r.path).collect::<Vec<_>>())?;
    let mut changes = apply(tree, plan);
    let before = tree.body(&path).unwrap().clone();
    let change = Change::Delete { rank: tree.rank(&path), path, before };
    tree.apply(&change).unwrap();
    changes.push(change);
    assert_eq!(catalog.check_changes(tree, &changes, &Sealed), []);
    assert_eq!(catalog.check_tree(tree, &Sealed), []);
    assert!(tree.is_consistent());
    Ok(())
}

fn rename(catalog: &Catalog, tree: &mut Tree, at: &str, to: Value) -> Result<(), Vec<NodePath>> {
    let path = path(at);
    let new = body(catalog, &path, to).unwrap();
    let plan = catalog.after_replace(tree, &path, &new);
    let plan = plan.map_err(|kept| kept.into_iter().map(|r| r.path).collect::<Vec<_>>())?;
    let mut changes = apply(tree, plan);
    let change = Change::Replace { before: tree.body(&path).unwrap().clone(), after: new, path };
    tree.apply(&change).unwrap();
    changes.push(change);
    assert_eq!(catalog.check_changes(tree, &changes, &Sealed), []);
    assert_eq!(catalog.check_tree(tree, &Sealed), []);
    Ok(())
}

#[test]
fn a_name_means_the_nearest_member() {
    let catalog = catalog();
    let mut tree = tree(&catalog);
    put(&catalog, &mut tree, "/users/1", json!({"folder": "Mobile", "strict": "p"}));
    put(&catalog, &mut tree, "/users/2", json!({"folder": "Access", "strict": "p"}));
    put(&catalog, &mut tree, "/users/3", json!({"folder": "Shared", "strict": "p"}));
    put(&catalog, &mut tree, "/users/4", json!({"strict": "p"}));
    assert_eq!(referrers(&catalog, &tree, "/profiles/m"), ["/users/1/strict"]);
    let rest = ["/users/2/strict", "/users/3/strict", "/users/4/strict"];
    assert_eq!(referrers(&catalog, &tree, "/profiles/a"), rest);
    assert_eq!(catalog.check_tree(&tree, &Sealed), []);
    assert_eq!(delete(&catalog, &mut tree, "/profiles/m"), Err(vec![path("/users/1")]));
}

#[test]
fn a_name_that_means_nothing_is_refused_unless_it_may() {
    let catalog = catalog();
    let mut tree = tree(&catalog);
    let sent = json!({"folder": "All", "strict": "q", "loose": "q", "list": ["none"]});
    put(&catalog, &mut tree, "/users/1", sent);
    // What lies in a folder further inside is not seen.
    let found = catalog.check_tree(&tree, &Sealed);
    assert_eq!(brief(&found), ["/list/0 reference-target", "/strict reference-target"]);
    let after = tree.body(&path("/users/1")).unwrap().clone();
    let change = Change::Create { path: path("/users/1"), rank: None, after };
    assert_eq!(catalog.check_changes(&tree, &[change], &Sealed), found);
    let long = catalog.check_body(&path("/users/1"), json!({"loose": "too long"}));
    assert_eq!(brief(&long.unwrap_err()), ["/loose max-length"]);
    let empty = catalog.check_body(&path("/users/1"), json!({"loose": "", "strict": ""}));
    assert_eq!(brief(&empty.unwrap_err()), ["/strict reference-form"]);
    // It is a referrer as soon as there is such a member.
    put(&catalog, &mut tree, "/users/1", json!({"folder": "All", "loose": "odd/@1"}));
    put(&catalog, &mut tree, "/profiles/x", json!({"name": "odd/@1", "folder": "All"}));
    assert_eq!(referrers(&catalog, &tree, "/profiles/x"), ["/users/1/loose"]);
    assert_eq!(catalog.check_tree(&tree, &Sealed), []);
}

#[test]
fn a_deletion_takes_references_along_as_they_say() {
    let catalog = catalog();
    let mut tree = tree(&catalog);
    let user =
        json!({"folder": "Mobile", "loose": "q", "list": ["q", "p", "q"], "keys": ["q", "a"]});
    put(&catalog, &mut tree, "/users/1", user);
    put(&catalog, &mut tree, "/users/2", json!({"owner": "q"}));
    delete(&catalog, &mut tree, "/profiles/q").unwrap();
    let left = json!({"folder": "Mobile", "loose": null, "list": ["p"], "keys": ["a"]});
    assert_eq!(value(&tree, "/users/1"), left);
    assert!(tree.body(&path("/users/2")).is_none());
    // The list may not be empty, so its last item keeps what it names.
    assert_eq!(delete(&catalog, &mut tree, "/profiles/a"), Err(vec![path("/users/1")]));
}

#[test]
fn what_keeps_one_of_those_that_would_go_keeps_all() {
    let catalog = catalog();
    let mut tree = tree(&catalog);
    put(&catalog, &mut tree, "/users/1", json!({"owner": "q"}));
    put(&catalog, &mut tree, "/users/2", json!({"held": "1"}));
    assert_eq!(delete(&catalog, &mut tree, "/profiles/q"), Err(vec![path("/users/2")]));
    // One that goes itself keeps nothing.
    put(&catalog, &mut tree, "/users/2", json!({"held": "1", "owner": "q"}));
    delete(&catalog, &mut tree, "/profiles/q").unwrap();
    assert_eq!(tree.child_count(&path("/users")), 0);
}

#[test]
fn a_new_name_is_written_kept_or_refused() {
    let catalog = catalog();
    let mut tree = tree(&catalog);
    let user = json!({"folder": "Mobile", "strict": "q", "loose": "q", "list": ["p", "q"]});
    put(&catalog, &mut tree, "/users/1", user);
    rename(&catalog, &mut tree, "/profiles/q", json!({"name": "r", "folder": "Access"})).unwrap();
    let left = json!({"folder": "Mobile", "strict": "r", "loose": "q", "list": ["p", "r"]});
    assert_eq!(value(&tree, "/users/1"), left);
    assert_eq!(referrers(&catalog, &tree, "/profiles/q"), ["/users/1/list/1", "/users/1/strict"]);
    put(&catalog, &mut tree, "/users/1", json!({"folder": "Mobile", "stubborn": "r"}));
    let again =
        rename(&catalog, &mut tree, "/profiles/q", json!({"name": "s", "folder": "Access"}));
    assert_eq!(again, Err(vec![path("/users/1")]));
}
