//! Folders by name: which one lies in which, where a catalog's objects inherit from folders.
//!
//! These are values of a member and not nodes of the tree: an object says in which folder it is,
//! and sees what stands there and in the folders around it.

use std::collections::BTreeMap;

/// A tree of folder names. A folder that is not listed lies in the root.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(crate) struct Folders {
    pub(crate) root: String,
    pub(crate) parents: BTreeMap<String, String>,
    /// Other names of folders.
    pub(crate) aliases: BTreeMap<String, String>,
    /// What stands between a realm, such as a tenant, and the name of a folder in it.
    pub(crate) realm: Option<String>,
}

impl Folders {
    /// A folder and those around it, from the innermost to the root, each under all its names. All
    /// are of the folder's realm.
    pub(crate) fn chain(&self, folder: &str) -> Vec<String> {
        let realm = self.realm.as_deref().and_then(|mark| {
            let (realm, _) = folder.split_once(mark)?;
            Some(&folder[..realm.len() + mark.len()])
        });
        let realm = realm.unwrap_or_default();
        let chain = self.chain_of_names(&folder[realm.len()..]).into_iter();
        chain.map(|name| format!("{realm}{name}")).collect()
    }

    fn chain_of_names(&self, folder: &str) -> Vec<&str> {
        let mut chain = Vec::new();
        let mut at = self.canonical(folder);
        // A circle is a fault of the catalog; the bound keeps this from depending on it.
        for _ in 0..=self.parents.len() + 1 {
            let Some(name) = at else { break };
            chain.push(name);
            chain.extend(
                self.aliases.iter().filter(|(_, to)| *to == name).map(|(alias, _)| &**alias),
            );
            at = if name == self.root { None } else { self.parent(name) };
        }
        if self.canonical(folder).is_none() {
            chain.extend(self.chain_of_names(&self.root));
        }
        chain
    }

    // The folder's name here, if it is one that is listed.
    fn canonical(&self, folder: &str) -> Option<&str> {
        let name = self.aliases.get(folder).map_or(folder, String::as_str);
        if name == self.root {
            return Some(&self.root);
        }
        self.parents.get_key_value(name).map(|(name, _)| name.as_str())
    }

    fn parent(&self, name: &str) -> Option<&str> {
        let parent = self.parents.get(name).map_or(self.root.as_str(), String::as_str);
        self.canonical(parent).or(Some(&self.root))
    }

    /// A folder that lies in itself, if there is one.
    pub(crate) fn circle(&self) -> Option<&str> {
        self.parents.keys().map(String::as_str).find(|start| {
            let mut at = self.parents.get(*start);
            let mut steps = 0;
            while let Some(name) = at.filter(|name| *name != start) {
                steps += 1;
                if steps > self.parents.len() {
                    return false;
                }
                at = self.parents.get(name);
            }
            at.is_some()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folders(parents: &[(&str, &str)]) -> Folders {
        let map = |pairs: &[(&str, &str)]| {
            pairs.iter().map(|(a, b)| ((*a).to_owned(), (*b).to_owned())).collect()
        };
        let aliases = map(&[("Shared", "All")]);
        Folders { root: "All".into(), parents: map(parents), aliases, realm: Some(":".into()) }
    }

    #[test]
    fn a_folder_sees_those_around_it() {
        let folders = folders(&[("Access", "All"), ("Mobile", "Access")]);
        assert_eq!(folders.chain("Mobile"), ["Mobile", "Access", "All", "Shared"]);
        assert_eq!(folders.chain("Shared"), ["All", "Shared"]);
        assert_eq!(folders.chain("Elsewhere"), ["All", "Shared"]);
        assert_eq!(folders.circle(), None);
    }

    #[test]
    fn a_folder_of_a_realm_sees_those_of_its_realm_alone() {
        let folders = folders(&[("Mobile", "All")]);
        assert_eq!(folders.chain("7:Mobile"), ["7:Mobile", "7:All", "7:Shared"]);
        assert_eq!(folders.chain("7:x:y"), ["7:All", "7:Shared"]);
    }

    #[test]
    fn a_circle_is_found_and_does_not_hang() {
        let folders = folders(&[("a", "b"), ("b", "a"), ("c", "a")]);
        assert_eq!(folders.circle(), Some("a"));
        assert!(folders.chain("c").len() < 9);
    }
}
