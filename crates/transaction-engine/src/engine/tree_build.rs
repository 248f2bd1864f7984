//! A whole tree from outside: every body checked, every secret sealed, every fault reported at once.

use catalog::{Checked, Layer, Violation, Violations, rule};
use config_tree::{Body, NodePath, Tree};
use serde_json::Value;

use crate::engine::Engine;
use crate::error::Error;
use crate::secrets::Sealer;
use crate::transaction::{replace_secret, seal};

/// How the secrets of bodies from outside are given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SecretForm {
    /// As their users type them; they are sealed.
    Clear,
    /// Sealed with the key of this engine, each for its place; they are opened to be checked.
    Sealed,
}

impl Engine {
    /// Makes a tree of bodies. Members come in the order in which they are given. Costs O(n).
    ///
    /// # Errors
    /// [`Error::Rejected`] with every violation: those of single bodies, or, where there are none,
    /// those of the whole.
    pub fn tree_build(
        &self,
        nodes: impl IntoIterator<Item = (NodePath, Value)>,
        secrets: SecretForm,
    ) -> Result<Tree, Error> {
        let mut tree = self.catalog().skeleton();
        let mut violations = Violations::default();
        for (path, value) in nodes {
            match self.body_from(&path, value, secrets) {
                Ok(body) => {
                    if let Err(violation) = place(&mut tree, &path, body) {
                        violations.extend(violation);
                    }
                }
                Err(Error::Invalid(found)) => violations.extend(found),
                Err(other) => return Err(other),
            }
        }
        if violations.is_empty() {
            violations = self.catalog().check_tree(&tree, &*self.shared.sealer);
        }
        violations.sort();
        if violations.is_empty() { Ok(tree) } else { Err(Error::Rejected(violations)) }
    }

    fn body_from(
        &self,
        path: &NodePath,
        mut value: Value,
        secrets: SecretForm,
    ) -> Result<Body, Error> {
        let sealer = &self.shared.sealer;
        let given = match secrets {
            SecretForm::Clear => Vec::new(),
            SecretForm::Sealed => {
                let pointers = self.catalog().secrets(path, &value);
                open(sealer, path, &pointers, &mut value)?
            }
        };
        let checked = self.catalog().check_kept_body(path, value).map_err(Error::Invalid)?;
        let Checked { mut value, references, secrets } = checked;
        for pointer in &secrets {
            match given.iter().find(|(place, _)| place == pointer) {
                Some((_, sealed)) => replace_secret(&mut value, pointer, sealed.clone()),
                None => seal(sealer, path, pointer, &mut value)?,
            }
        }
        Ok(Body::new(&value, references))
    }
}

fn place(tree: &mut Tree, path: &NodePath, body: Body) -> Result<(), Violation> {
    tree.object_create(path, body, None).map_err(|error| Violation {
        path: path.clone(),
        pointer: String::new(),
        rule: rule::ENDPOINT,
        layer: Layer::Shape,
        message: error.to_string(),
        also: Vec::new(),
    })
}

// Puts clear texts in the place of sealed ones; gives back what was there.
fn open(
    sealer: &Sealer,
    path: &NodePath,
    pointers: &[String],
    value: &mut Value,
) -> Result<Vec<(String, String)>, Error> {
    let mut given = Vec::new();
    let mut violations = Vec::new();
    for pointer in pointers {
        let Some(Value::String(text)) = value.pointer_mut(pointer) else { continue };
        match sealer.open(path, pointer, text) {
            Some(clear) => {
                let sealed = std::mem::replace(text, String::clone(&clear));
                given.push((pointer.clone(), sealed));
            }
            None => violations.push(Violation {
                path: path.clone(),
                pointer: pointer.clone(),
                rule: rule::SECRET_TEXT,
                layer: Layer::Shape,
                message: "the secret was not sealed for this place with the key in use".to_owned(),
                also: Vec::new(),
            }),
        }
    }
    if violations.is_empty() { Ok(given) } else { Err(Error::Invalid(violations.into())) }
}
