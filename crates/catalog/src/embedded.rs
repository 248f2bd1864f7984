//! The catalogs that are part of the program: a daemon and its schema must not be of two versions.
//!
//! A plain list and no build script; a test compares it with the folder.

macro_rules! files {
    ($name:literal: $($file:literal),* $(,)?) => {
        &[$(($file, include_str!(concat!("../../../config/catalogs/", $name, "/", $file)))),*]
    };
}

type Files = &'static [(&'static str, &'static str)];

/// The names of all built-in catalogs.
pub(crate) const NAMES: &[&str] = &["sps-6.2"];

/// Each built-in catalog with its files.
pub(crate) const CATALOGS: &[(&str, Files)] = &[("sps-6.2", SPS_6_2)];

const SPS_6_2: Files = files!["sps-6.2":
    "catalog.yaml",
    "management.yaml",
    "management/certificates.yaml",
    "management/disk_fillup_prevention.yaml",
    "management/email.yaml",
    "management/health_monitoring.yaml",
    "management/snmp.yaml",
    "management/snmp/trap.yaml",
    "management/soap.yaml",
    "management/syslog.yaml",
    "management/webinterface.yaml",
    "passwords.yaml",
    "private_keys.yaml",
    "x509.yaml",
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::{Path, PathBuf};

    use super::*;

    fn files_below(dir: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { files_below(&path, found) } else { found.push(path) }
        }
    }

    #[test]
    fn the_lists_name_each_file_of_the_folders() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../config/catalogs");
        let mut paths = Vec::new();
        files_below(&root, &mut paths);
        let on_disk: BTreeSet<String> =
            paths.iter().map(|p| p.strip_prefix(&root).unwrap().display().to_string()).collect();
        let embedded: BTreeSet<String> = CATALOGS
            .iter()
            .flat_map(|(name, files)| files.iter().map(move |(file, _)| format!("{name}/{file}")))
            .collect();
        assert_eq!(embedded, on_disk);
        assert!(CATALOGS.iter().map(|(name, _)| name).eq(NAMES));
    }
}
