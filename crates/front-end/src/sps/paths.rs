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
        for path in [groups(), users(), acls(), certificates(), webinterface(), naming(), x509()] {
            assert!(catalog.endpoint(path).is_some(), "{path}");
        }
    }
}
