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
