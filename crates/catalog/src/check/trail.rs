//! The way into a body, and how it is written.

use config_tree::pointer;

use crate::suggest;

/// The way from the top of a body to a value in it. It lives on the stack and becomes text only
/// when there is something to say.
#[derive(Clone, Copy)]
pub(crate) struct Trail<'a> {
    parent: Option<&'a Trail<'a>>,
    step: Step<'a>,
}

#[derive(Clone, Copy)]
enum Step<'a> {
    Root,
    Name(&'a str),
    Index(usize),
}

impl<'a> Trail<'a> {
    pub(crate) const ROOT: Trail<'static> = Trail { parent: None, step: Step::Root };

    pub(crate) fn name(&'a self, name: &'a str) -> Self {
        Self { parent: Some(self), step: Step::Name(name) }
    }

    pub(crate) fn index(&'a self, index: usize) -> Self {
        Self { parent: Some(self), step: Step::Index(index) }
    }

    /// As a JSON Pointer.
    pub(crate) fn pointer(&self) -> String {
        let mut text = self.parent.map(Trail::pointer).unwrap_or_default();
        match self.step {
            Step::Root => {}
            Step::Name(name) => pointer::push(&mut text, name),
            Step::Index(index) => {
                text.push('/');
                text.push_str(&index.to_string());
            }
        }
        text
    }

    /// The same for a violation, each name cut: those that a client made up may be as long as its
    /// body, and may hold secrets.
    pub(super) fn pointer_cut(&self) -> String {
        let mut text = self.parent.map(Trail::pointer_cut).unwrap_or_default();
        match self.step {
            Step::Name(name) => pointer::push(&mut text, &suggest::cut(name)),
            Step::Root => {}
            Step::Index(index) => text.push_str(&format!("/{index}")),
        }
        text
    }

    /// As a person writes it: `` `smtp_auth.password` ``.
    pub(super) fn shown(&self) -> String {
        match self.step {
            Step::Root => "the body".into(),
            _ => format!("`{}`", self.dotted()),
        }
    }

    fn dotted(&self) -> String {
        let mut text = self.parent.map(Trail::dotted).unwrap_or_default();
        match self.step {
            Step::Root => {}
            Step::Name(name) => {
                if !text.is_empty() {
                    text.push('.');
                }
                text.push_str(&suggest::shown(name));
            }
            Step::Index(index) => text.push_str(&format!("[{index}]")),
        }
        text
    }
}

/// A JSON Pointer as a person writes it.
pub(crate) fn pointer_shown(pointer: &str) -> String {
    if pointer.is_empty() {
        return "the body".into();
    }
    let mut text = String::new();
    for step in pointer::steps(pointer) {
        if !step.is_empty() && step.bytes().all(|b| b.is_ascii_digit()) {
            text.push_str(&format!("[{step}]"));
        } else {
            if !text.is_empty() {
                text.push('.');
            }
            text.push_str(&suggest::shown(&step));
        }
    }
    format!("`{text}`")
}
