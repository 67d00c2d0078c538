//! Every carrier, one word each. A word here makes the carrier's media socket available by name and runs the laws on it.

use crate::protocol::MediaProtocol;

macro_rules! carriers {
    ($($name:ident),* $(,)?) => {
        /// The names of all carriers.
        pub const NAMES: &[&str] = &[$(stringify!($name)),*];

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

carriers! { twilio, browser, loopback }
