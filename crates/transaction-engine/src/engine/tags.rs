//! The verbs that name revisions.

use crate::commit::Committer;
use crate::engine::Engine;
use crate::error::Error;
use crate::revision::RevisionNumber;
use crate::store::{MetadataChange, Tag};

impl Engine {
    /// The names of revisions, in alphabetical order.
    #[must_use]
    pub fn tags(&self) -> Vec<Tag> {
        self.shared.log.tags()
    }

    /// The revision of a name.
    #[must_use]
    pub fn tag(&self, name: &str) -> Option<Tag> {
        self.shared.log.tag(name)
    }

    /// Names a revision, or gives its name to another. A named revision is kept, with all that came
    /// after it. Waits for the store: do not call it on a runtime's threads.
    ///
    /// # Errors
    /// [`Error::TagName`], [`Error::NoRevision`]; the store failed.
    pub fn tag_set(&self, author: &str, name: &str, number: RevisionNumber) -> Result<Tag, Error> {
        check_name(name)?;
        let (author, name) = (author.to_owned(), name.to_owned());
        self.lane.call(move |work| work.tag_set(author, name, number))
    }

    /// Removes a name. Waits for the store: do not call it on a runtime's threads.
    ///
    /// # Errors
    /// [`Error::NoTag`]; the store failed.
    pub fn tag_delete(&self, name: &str) -> Result<(), Error> {
        let name = name.to_owned();
        self.lane.call(move |work| {
            if work.shared.log.tag(&name).is_none() {
                return Err(Error::NoTag(name));
            }
            work.change_metadata(vec![MetadataChange::TagDelete(name)])
        })
    }
}

impl Committer {
    // On the writer's thread, so that the revision cannot be removed meanwhile.
    fn tag_set(
        &mut self,
        author: String,
        name: String,
        number: RevisionNumber,
    ) -> Result<Tag, Error> {
        let (oldest, newest) = (self.shared.log.oldest_number(), self.shared.running.load().number);
        if number < oldest || number > newest {
            return Err(Error::NoRevision { number, oldest, newest });
        }
        let tag = Tag { name, number, time: self.shared.clock.now(), author };
        self.change_metadata(vec![MetadataChange::TagSet(tag.clone())])?;
        Ok(tag)
    }
}

fn check_name(name: &str) -> Result<(), Error> {
    let fits = (1..=128).contains(&name.len());
    let plain = !name.contains(|c: char| c.is_control() || c == '/');
    if fits && plain { Ok(()) } else { Err(Error::TagName) }
}
