//! Who chooses the key of a new member.

/// Where the key of a new member of a collection comes from.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum KeyRule {
    /// The appliance makes a UUID.
    #[default]
    Uuid,
    /// The appliance counts: a positive integer that was never the key of a member before.
    Sequence,
    /// The client gives it.
    Given,
    /// The client may give it; otherwise the appliance makes a UUID.
    GivenOrUuid,
}

impl KeyRule {
    pub(crate) const ALL: [Self; 4] = [Self::Uuid, Self::Sequence, Self::Given, Self::GivenOrUuid];

    /// The word that a catalog's file uses.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Uuid => "uuid",
            Self::Sequence => "sequence",
            Self::Given => "given",
            Self::GivenOrUuid => "given-or-uuid",
        }
    }

    pub(crate) fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|rule| rule.name() == name)
    }

    /// Whether a client may choose the key.
    #[must_use]
    pub fn may_be_given(self) -> bool {
        matches!(self, Self::Given | Self::GivenOrUuid)
    }
}
