//! The nodes of the appliance's configuration that configure the daemon, by name. A misspelt path
//! does not compile; that it names an endpoint of the appliance is tested.

use config_tree::{NodePath, node_path};

/// Groups of local users.
pub(crate) fn groups() -> &'static NodePath {
    node_path!("/aaa/local_database/groups")
}

/// Local users.
pub(crate) fn users() -> &'static NodePath {
    node_path!("/aaa/local_database/users")
}

/// What groups may see and change.
pub(crate) fn acls() -> &'static NodePath {
    node_path!("/aaa/acls")
}

/// Whether commits need a message. Later appliances have it.
pub(crate) fn accounting() -> &'static NodePath {
    node_path!("/management/accounting")
}

/// Which certificates the appliance shows.
pub(crate) fn certificates() -> &'static NodePath {
    node_path!("/management/certificates")
}

/// How long an idle session lasts.
pub(crate) fn webinterface() -> &'static NodePath {
    node_path!("/management/webinterface")
}

/// The names of the appliance.
pub(crate) fn naming() -> &'static NodePath {
    node_path!("/network/naming")
}

/// How mail is sent.
pub(crate) fn email() -> &'static NodePath {
    node_path!("/management/email")
}

/// How traps are sent.
pub(crate) fn trap() -> &'static NodePath {
    node_path!("/management/snmp/trap")
}

/// Who gets the log.
pub(crate) fn syslog() -> &'static NodePath {
    node_path!("/management/syslog")
}

/// Limits of health.
pub(crate) fn health_monitoring() -> &'static NodePath {
    node_path!("/management/health_monitoring")
}

/// Which alerts are sent.
pub(crate) fn system_alerts() -> &'static NodePath {
    node_path!("/alerting/system_alerts")
}

/// Passwords that others refer to.
pub(crate) fn passwords() -> &'static NodePath {
    node_path!("/passwords")
}

/// Certificates with their private keys.
pub(crate) fn x509() -> &'static NodePath {
    node_path!("/x509")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_path_names_an_endpoint_of_the_appliance() {
        let catalog = catalog::Catalog::builtin("sps-6.2").unwrap().unwrap();
        let own = [groups(), users(), acls(), certificates(), webinterface(), naming(), x509()];
        let acting = [email(), trap(), syslog(), health_monitoring(), system_alerts(), passwords()];
        for path in own.into_iter().chain(acting) {
            assert!(catalog.endpoint(path).is_some(), "{path}");
        }
    }
}
