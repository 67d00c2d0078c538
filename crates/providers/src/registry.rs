//! The registry: an explicit list per kind, one word per vendor, which also runs every law against that vendor.

use crate::options::{Descriptor, OptionsError, ProviderOptions, Settings, nearest_name};
use std::fmt;

/// Makes one codec per stream, request or utterance.
pub type Factory<P> = Box<dyn Fn() -> Box<P> + Send + Sync>;

/// A vendor as listed.
pub struct Entry<P: ?Sized + 'static> {
    /// What the vendor file says about itself.
    pub descriptor: &'static Descriptor,
    open: fn(&Settings) -> Result<Factory<P>, OptionsError>,
}

impl<P: ?Sized + 'static> Entry<P> {
    /// Ties a vendor file's descriptor to its constructor.
    pub const fn new(descriptor: &'static Descriptor, open: fn(&Settings) -> Result<Factory<P>, OptionsError>) -> Self {
        Self { descriptor, open }
    }

    /// Checks the options once; the provider then makes codecs without failing.
    pub fn open(&self, options: &ProviderOptions) -> Result<Provider<P>, OptionsError> {
        let settings = Settings::resolve(self.descriptor, options)?;
        let make = (self.open)(&settings)?;
        Ok(Provider { settings, make })
    }
}

/// The vendors of one kind.
pub struct Registry<P: ?Sized + 'static> {
    kind: &'static str,
    entries: &'static [Entry<P>],
}

impl<P: ?Sized + 'static> Registry<P> {
    /// A list of vendors; `kind` is `stt`, `llm`, `tts`, `embed`, `text`, `vectors` or `realtime`.
    pub const fn new(kind: &'static str, entries: &'static [Entry<P>]) -> Self {
        Self { kind, entries }
    }

    /// What the vendors say about themselves, in the order in which they are listed.
    pub fn descriptors(&self) -> impl Iterator<Item = &'static Descriptor> + use<P> {
        self.entries.iter().map(|entry| entry.descriptor)
    }

    /// The vendor of this name; otherwise an error that names the nearest one.
    pub fn find(&self, name: &str) -> Result<&'static Entry<P>, OptionsError> {
        self.entries.iter().find(|entry| entry.descriptor.name == name).ok_or_else(|| {
            let known: Vec<&str> = self.descriptors().map(|descriptor| descriptor.name).collect();
            OptionsError::UnknownProvider {
                kind: self.kind,
                name: name.to_owned(),
                nearest: nearest_name(name, &known),
            }
        })
    }

    /// Finds the vendor and checks its options.
    pub fn open(&self, name: &str, options: &ProviderOptions) -> Result<Provider<P>, OptionsError> {
        self.find(name)?.open(options)
    }
}

/// A vendor with checked settings, ready to make codecs.
pub struct Provider<P: ?Sized + 'static> {
    settings: Settings,
    make: Factory<P>,
}

impl<P: ?Sized + 'static> fmt::Debug for Provider<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Provider").field(&self.settings).finish()
    }
}

impl<P: ?Sized + 'static> Provider<P> {
    /// Registry name.
    pub fn name(&self) -> &'static str {
        self.settings.descriptor().name
    }

    /// What the vendor file says about itself.
    pub fn descriptor(&self) -> &'static Descriptor {
        self.settings.descriptor()
    }

    /// The checked settings: model, voice, address.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// A new codec, for one stream, request or utterance.
    pub fn protocol(&self) -> Box<P> {
        (self.make)()
    }
}

/// Declares the vendor modules of one kind, lists them in `PROVIDERS` and runs the laws against each.
macro_rules! providers {
    ($kind:literal, $protocol:ty, $laws:ident, { $($name:ident),+ $(,)? }) => {
        $(mod $name;)+

        /// Every vendor of this kind.
        pub static PROVIDERS: $crate::registry::Registry<$protocol> = $crate::registry::Registry::new(
            $kind,
            &[$($crate::registry::Entry::new(&$name::DESCRIPTOR, $name::open)),+],
        );

        #[cfg(test)]
        mod conformance {
            $(mod $name {
                $crate::laws::$laws::obeys_the_laws!(stringify!($name));
            })+
        }
    };
}

macro_rules! stt_providers {
    ($($names:tt)+) => { $crate::registry::providers!("stt", dyn SttProtocol, stt, { $($names)+ }); };
}

macro_rules! llm_providers {
    ($($names:tt)+) => { $crate::registry::providers!("llm", dyn LlmProtocol, llm, { $($names)+ }); };
}

macro_rules! tts_providers {
    ($($names:tt)+) => { $crate::registry::providers!("tts", dyn TtsProtocol, tts, { $($names)+ }); };
}

macro_rules! embed_providers {
    ($($names:tt)+) => { $crate::registry::providers!("embed", dyn EmbedProtocol, embed, { $($names)+ }); };
}

macro_rules! text_providers {
    ($($names:tt)+) => { $crate::registry::providers!("text", dyn TextProtocol, text, { $($names)+ }); };
}

macro_rules! vector_providers {
    ($($names:tt)+) => { $crate::registry::providers!("vectors", dyn VectorProtocol, vectors, { $($names)+ }); };
}

macro_rules! realtime_providers {
    ($($names:tt)+) => { $crate::registry::providers!("realtime", dyn RealtimeProtocol, realtime, { $($names)+ }); };
}

pub(crate) use {
    embed_providers, llm_providers, providers, realtime_providers, stt_providers, text_providers, tts_providers,
    vector_providers,
};
