//! A visitor of a business's website: the protocol of [`crate::browser`], behind a token of its own. A name of its own, so
//! that lists and numbers tell such conversations from those of the dashboard.

/// What the registry knows of it.
pub const DESCRIPTOR: crate::registry::Descriptor = crate::registry::Descriptor {
    name: "website",
    title: "Website",
    door: crate::registry::Door::Visitor,
    capabilities: crate::registry::SOCKET,
    modes: &[],
    settings: &[],
    control: crate::registry::no_control,
};

/// The name by which the registry knows it.
pub type Media = crate::browser::BrowserMedia;
