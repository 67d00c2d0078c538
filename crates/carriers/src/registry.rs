//! Every carrier, one word each. A word here makes the carrier's media socket available by name and runs the laws on it.

use crate::protocol::{CarrierControl, MediaProtocol};
use base::Secret;
use std::sync::Arc;

/// Who may open a carrier's media socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Door {
    /// A phone platform that signs its requests and shows a token.
    Platform,
    /// A page of this server.
    Page,
    /// A visitor of a website, with a token of their own.
    Visitor,
    /// Something in this process.
    InProcess,
}

/// A carrier's control as its settings make it: none when it is not configured or has none, an error in one line when the
/// settings do not fit together.
pub type Control = Result<Option<Arc<dyn CarrierControl>>, String>;

/// What a carrier file says about itself: configuration schema and documentation in one.
#[derive(Clone, Copy, Debug)]
pub struct Descriptor {
    /// Registry name, lower case.
    pub name: &'static str,
    /// Name as people write it.
    pub title: &'static str,
    /// Who may open its media socket.
    pub door: Door,
    /// What it is configured with.
    pub settings: &'static [Setting],
    /// Makes its control from the settings.
    pub control: fn(&Settings<'_>) -> Control,
}

/// One setting of a carrier.
#[derive(Clone, Copy, Debug)]
pub struct Setting {
    /// Key in the configuration.
    pub key: &'static str,
    /// Name in the environment; empty for none.
    pub env: &'static str,
    /// One line of documentation.
    pub doc: &'static str,
}

/// Reads a setting: from the configuration, else from the environment.
pub struct Settings<'a> {
    /// Looks a key up in the configuration.
    pub configured: &'a dyn Fn(&str) -> Option<Secret<String>>,
    /// Looks a name up in the environment.
    pub env: &'a dyn Fn(&str) -> Option<String>,
}

impl Settings<'_> {
    /// The value of a setting; empty text counts as absent.
    pub fn get(&self, setting: &Setting) -> Option<Secret<String>> {
        let from_env = || (!setting.env.is_empty()).then(|| (self.env)(setting.env)).flatten().map(Secret::new);
        (self.configured)(setting.key).or_else(from_env).filter(|value| !value.expose().is_empty())
    }
}

/// The control of a carrier that has none.
pub fn no_control(_: &Settings<'_>) -> Control {
    Ok(None)
}

macro_rules! carriers {
    ($($name:ident),* $(,)?) => {
        /// The names of all carriers.
        pub const NAMES: &[&str] = &[$(stringify!($name)),*];

        /// What all carriers say about themselves.
        pub const DESCRIPTORS: &[Descriptor] = &[$(crate::$name::DESCRIPTOR),*];

        /// A new media socket of the carrier of this name.
        pub fn media(name: &str) -> Option<Box<dyn MediaProtocol>> {
            match name {
                $(stringify!($name) => Some(Box::new(crate::$name::Media::new())),)*
                _ => None,
            }
        }

        #[cfg(test)]
        mod laws_of {
            $(mod $name { crate::laws::media_laws!($name); })*
        }
    };
}

carriers! { twilio, browser, loopback, website }

/// What the carrier of this name says about itself.
pub fn descriptor(name: &str) -> Option<&'static Descriptor> {
    DESCRIPTORS.iter().find(|descriptor| descriptor.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_carrier_documents_its_settings_and_only_platforms_have_control() {
        assert_eq!(NAMES.len(), DESCRIPTORS.len());
        for (name, descriptor) in NAMES.iter().zip(DESCRIPTORS) {
            assert_eq!(*name, descriptor.name);
            assert!(descriptor.settings.iter().all(|setting| !setting.key.is_empty() && !setting.doc.is_empty()));
            let nothing = Settings { configured: &|_| None, env: &|_| None };
            assert!((descriptor.control)(&nothing).expect("no settings is no error").is_none());
        }
    }
}
