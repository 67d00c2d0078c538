//! Every carrier, one word each. A word here makes the carrier's media socket available by name and runs the laws on it.

use crate::protocol::{Capability, CarrierControl, MediaProtocol};
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
    /// What it can do, in the order of [`Capability::ALL`].
    pub capabilities: &'static [Capability],
    /// Other ways in which it can be set up, where they change what it can do.
    pub modes: &'static [Mode],
    /// What it is configured with.
    pub settings: &'static [Setting],
    /// Makes its control from the settings.
    pub control: fn(&Settings<'_>) -> Control,
}

impl Descriptor {
    /// Whether it can do this.
    pub fn can(&self, capability: Capability) -> bool {
        self.capabilities.contains(&capability)
    }
}

/// Another way in which a carrier can be set up.
#[derive(Clone, Copy, Debug)]
pub struct Mode {
    /// Name as people write it, with that of the platform.
    pub title: &'static str,
    /// What it can do then, in the order of [`Capability::ALL`].
    pub capabilities: &'static [Capability],
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

/// For platforms that have it.
pub(crate) const MACHINE_DETECTION: Setting = Setting {
    key: "machine_detection",
    env: "",
    doc: "`on` lets the platform tell answering machines from people on calls that we place; it costs extra.",
};

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

    /// Whether a setting is `on`; absent is `off`.
    pub(crate) fn is_on(&self, setting: &Setting) -> Result<bool, String> {
        match self.get(setting).as_ref().map(|value| value.expose().as_str()) {
            None | Some("off" | "false") => Ok(false),
            Some("on" | "true") => Ok(true),
            Some(_) => Err(format!("{} is on or off", setting.key)),
        }
    }
}

/// What a carrier can do that is only a socket.
pub(crate) const SOCKET: &[Capability] = &[
    Capability::Answer,
    Capability::Audio,
    Capability::Marks,
    Capability::Clear,
    Capability::KeysIn,
    Capability::HangUp,
];

/// The control of a carrier that has none.
pub fn no_control(_: &Settings<'_>) -> Control {
    Ok(None)
}

macro_rules! carriers {
    ($($name:ident),*; $($silent:ident),* $(,)?) => {
        /// The names of all carriers.
        pub const NAMES: &[&str] = &[$(stringify!($name),)* $(stringify!($silent)),*];

        /// What all carriers say about themselves.
        pub const DESCRIPTORS: &[Descriptor] = &[$(crate::$name::DESCRIPTOR,)* $(crate::$silent::DESCRIPTOR),*];

        /// A new media socket of the carrier of this name; `None` for platforms whose audio comes by SIP.
        pub fn media(name: &str) -> Option<Box<dyn MediaProtocol>> {
            match name {
                $(stringify!($name) => Some(Box::new(crate::$name::Media::new())),)*
                _ => None,
            }
        }

        #[cfg(test)]
        mod laws_of {
            $(mod $name { crate::laws::media_laws!($name); crate::laws::control_laws!($name); })*
            $(mod $silent { crate::laws::control_laws!($silent); })*
        }
    };
}

// Behind the semicolon: platforms without a media socket.
carriers! { twilio, vonage, telnyx, plivo, exotel, browser, loopback, website, sip; ringcentral, zoom, connect }

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
            assert!(descriptor.capabilities.is_sorted(), "{name}");
            for mode in descriptor.modes {
                assert!(mode.capabilities.is_sorted(), "{}", mode.title);
            }
            let joins = descriptor.can(Capability::Place) && descriptor.can(Capability::Audio);
            assert_eq!(descriptor.can(Capability::TransferWarm), joins, "{name}");
            assert_eq!(descriptor.can(Capability::Audio), media(name).is_some(), "{name}");
            let nothing = Settings { configured: &|_| None, env: &|_| None };
            assert!((descriptor.control)(&nothing).expect("no settings is no error").is_none());
        }
    }
}
