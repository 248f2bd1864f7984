//! Where the appliance shows nodes: between paths of the tree and paths below `/api`.

use config_tree::NodePath;

use crate::http_path::encoded;

/// Where the configuration tree begins.
pub(crate) const CONFIGURATION: &str = "/api/configuration";

/// The path under which a node is shown.
pub(crate) fn href(path: &NodePath) -> String {
    let mut text = String::with_capacity(CONFIGURATION.len() + 24 * path.segments().len());
    text.push_str(CONFIGURATION);
    for key in path.segments() {
        text.push('/');
        text.push_str(&encoded(key.as_str()));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http_path::segments;

    #[test]
    fn a_node_reads_back_from_its_href() {
        for text in ["/a/-301", "/a/x y%z#?", "/nics/nic1", "/ü"] {
            let path = NodePath::parse(text).unwrap();
            let shown = href(&path);
            let decoded = segments(shown.strip_prefix(CONFIGURATION).unwrap()).unwrap();
            let back = NodePath::from_segments(decoded.iter().map(|step| &**step)).unwrap();
            assert_eq!(back, path);
        }
    }
}
