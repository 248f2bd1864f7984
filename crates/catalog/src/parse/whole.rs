//! The file that describes a catalog as a whole.

use super::fields::CATALOG_KEYWORDS;
use super::{Parsed, Reader};

const MODES: [&str; 2] = ["exclusive", "concurrent"];

impl Reader<'_> {
    pub(super) fn catalog_file(&mut self, index: usize, parsed: &mut Parsed) {
        let fields = self.fields(index, &CATALOG_KEYWORDS);
        parsed.name = self.required_text(index, &fields, "name");
        parsed.title = self.required_text(index, &fields, "title");
        if let Some(description) = self.text(index, &fields, "description") {
            parsed.description = description;
        }
        self.text(index, &fields, "extends");
        if let Some(mode) = self.choice(index, &fields, "transactions", &MODES) {
            parsed.mode = mode;
        }
        let Some(appliance) = fields.get("appliance") else { return };
        let Some(members) = appliance.node.as_map() else {
            let message = format!("`appliance` is {}", appliance.node.kind());
            return self.fault(index, appliance.line, message, "state names with texts");
        };
        for member in members {
            match member.node.as_text() {
                Some(text) => {
                    parsed.appliance.insert(member.name.clone(), text.to_owned());
                }
                None => {
                    let message = format!("`{}` is {}", member.name, member.node.kind());
                    self.fault(index, member.line, message, "write a text, in quotes");
                }
            }
        }
    }
}
