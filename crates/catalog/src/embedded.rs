//! The catalogs that are part of the program: a daemon and its schema must not be of two versions.
//!
//! A plain list and no build script; a test compares it with the folder.

macro_rules! files {
    ($name:literal: $($file:literal),* $(,)?) => {
        &[$(($file, include_str!(concat!("../../../config/catalogs/", $name, "/", $file)))),*]
    };
}

/// A small catalog to begin with, which the manual explains.
pub(crate) const EXAMPLE: Files = &[
    ("catalog.yaml", include_str!("../example/catalog.yaml")),
    ("light.yaml", include_str!("../example/light.yaml")),
    ("remote.yaml", include_str!("../example/remote.yaml")),
    ("tokens.yaml", include_str!("../example/tokens.yaml")),
];

type Files = &'static [(&'static str, &'static str)];

/// The names of all built-in catalogs.
pub(crate) const NAMES: &[&str] =
    &["sps-6.2", "sps-7.0", "ds-server", "prisma-access", "advalidation", "appgate-sdp"];

/// Each built-in catalog with its files.
pub(crate) const CATALOGS: &[(&str, Files)] = &[
    ("sps-6.2", SPS_6_2),
    ("sps-7.0", SPS_7_0),
    ("ds-server", DS_SERVER),
    ("prisma-access", PRISMA_ACCESS),
    ("advalidation", ADVALIDATION),
    ("appgate-sdp", APPGATE_SDP),
];

const APPGATE_SDP: Files = files!["appgate-sdp":
    "administrative-roles.yaml",
    "catalog.yaml",
    "client-profile-exports.yaml",
    "client-profiles.yaml",
    "collective.yaml",
    "global-settings.yaml",
    "identity-providers.yaml",
    "local-users.yaml",
    "policies.yaml",
];

const DS_SERVER: Files = files!["ds-server":
    "administrator.yaml",
    "catalog.yaml",
    "security_profiles.yaml",
];

const PRISMA_ACCESS: Files = files!["prisma-access":
    "authentication-portals.yaml",
    "authentication-profiles.yaml",
    "authentication-rules.yaml",
    "authentication-sequences.yaml",
    "catalog.yaml",
    "certificate-profiles.yaml",
    "jobs.yaml",
    "kerberos-server-profiles.yaml",
    "ldap-server-profiles.yaml",
    "local-users.yaml",
    "mfa-servers.yaml",
    "mobile-agent-authentication-settings.yaml",
    "radius-server-profiles.yaml",
    "saml-server-profiles.yaml",
    "service-accounts.yaml",
    "tacacs-server-profiles.yaml",
    "versions.yaml",
];

const ADVALIDATION: Files = files!["advalidation":
    "catalog.yaml",
    "connection-profile-rules.yaml",
    "connection-profiles.yaml",
];

const SPS_6_2: Files = files!["sps-6.2":
    "aaa.yaml",
    "aaa/acls.yaml",
    "aaa/local_database.yaml",
    "aaa/local_database/groups.yaml",
    "aaa/local_database/users.yaml",
    "aaa/settings.yaml",
    "alerting.yaml",
    "alerting/system_alerts.yaml",
    "alerting/traffic_alerts.yaml",
    "catalog.yaml",
    "datetime.yaml",
    "datetime/ntp_servers.yaml",
    "datetime/timezone.yaml",
    "http.yaml",
    "http/channel_policies.yaml",
    "http/options.yaml",
    "http/settings_policies.yaml",
    "ica.yaml",
    "ica/channel_policies.yaml",
    "ica/options.yaml",
    "ica/settings_policies.yaml",
    "local_services.yaml",
    "local_services/admin_web.yaml",
    "local_services/analytics.yaml",
    "local_services/cluster.yaml",
    "local_services/indexer.yaml",
    "local_services/postgresql.yaml",
    "local_services/snmp_agent.yaml",
    "local_services/ssh.yaml",
    "local_services/user_web.yaml",
    "management.yaml",
    "management/certificates.yaml",
    "management/disk_fillup_prevention.yaml",
    "management/email.yaml",
    "management/health_monitoring.yaml",
    "management/snmp.yaml",
    "management/snmp/trap.yaml",
    "management/soap.yaml",
    "management/splunk_forwarder.yaml",
    "management/syslog.yaml",
    "management/universal_siem_forwarder.yaml",
    "management/webinterface.yaml",
    "network.yaml",
    "network/dns.yaml",
    "network/ip_forwarding_rule_pairs.yaml",
    "network/naming.yaml",
    "network/nics.yaml",
    "network/routing.yaml",
    "passwords.yaml",
    "plugins.yaml",
    "plugins/aa.yaml",
    "plugins/credentialstore.yaml",
    "policies.yaml",
    "policies/analytics.yaml",
    "policies/archive_cleanup_policies.yaml",
    "policies/audit_policies.yaml",
    "policies/backup_policies.yaml",
    "policies/content_policies.yaml",
    "policies/credentialstores.yaml",
    "policies/indexing.yaml",
    "policies/ldap_servers.yaml",
    "policies/signing_cas.yaml",
    "policies/time_policies.yaml",
    "policies/trusted_ca_lists.yaml",
    "policies/user_databases.yaml",
    "policies/userlists.yaml",
    "policies/usermapping_policies.yaml",
    "private_keys.yaml",
    "rdp.yaml",
    "rdp/channel_policies.yaml",
    "rdp/connections.yaml",
    "rdp/domain_membership.yaml",
    "rdp/options.yaml",
    "rdp/settings_policies.yaml",
    "reporting.yaml",
    "reporting/content_subchapters.yaml",
    "reporting/custom_subchapters.yaml",
    "reporting/predefined_reports.yaml",
    "reporting/reports.yaml",
    "reporting/statistics_subchapters.yaml",
    "ssh.yaml",
    "ssh/authentication_policies.yaml",
    "ssh/channel_policies.yaml",
    "ssh/connections.yaml",
    "ssh/options.yaml",
    "ssh/settings_policies.yaml",
    "telnet.yaml",
    "telnet/channel_policies.yaml",
    "telnet/options.yaml",
    "troubleshooting.yaml",
    "vnc.yaml",
    "vnc/channel_policies.yaml",
    "vnc/options.yaml",
    "x509.yaml",
];

const SPS_7_0: Files = files!["sps-7.0":
    "aaa/ldap_servers.yaml",
    "aaa/login_methods.yaml",
    "aaa/saml2.yaml",
    "catalog.yaml",
    "http/connections.yaml",
    "http/options.yaml",
    "ica/connections.yaml",
    "ica/options.yaml",
    "local_services/user_web.yaml",
    "management/exported_configuration_encryption.yaml",
    "management/license.yaml",
    "management/root_password.yaml",
    "management/support_info.yaml",
    "mssql.yaml",
    "plugins/aa.yaml",
    "plugins/configuration_sync.yaml",
    "plugins/credentialstore.yaml",
    "plugins/signingca.yaml",
    "policies/aa_plugin_instances.yaml",
    "policies/audit_policies.yaml",
    "rdp/options.yaml",
    "ssh/options.yaml",
    "starling.yaml",
    "telnet/authentication_policies.yaml",
    "telnet/connections.yaml",
    "telnet/options.yaml",
    "telnet/pattern_sets.yaml",
    "vnc/connections.yaml",
    "vnc/options.yaml",
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
