//! What a vendor file is configured with. Every value comes from the configuration or the usual environment names.

use base::Secret;
use std::collections::BTreeMap;

/// Settings of one provider, the same shape for all.
#[derive(Clone, Debug, Default)]
pub struct ProviderOptions {
    /// Credential.
    pub api_key: Option<Secret<String>>,
    /// Where the service is; `None` for the vendor's own address. Plain `http://` or `ws://` only on loopback.
    pub base_url: Option<String>,
    /// Model, in the vendor's words.
    pub model: Option<String>,
    /// Voice, in the vendor's words.
    pub voice: Option<String>,
    /// Everything else the vendor's descriptor documents.
    pub extra: BTreeMap<String, String>,
}

/// What a vendor file says about itself: configuration schema, documentation and capability check in one.
#[derive(Clone, Copy, Debug)]
pub struct Descriptor {
    /// Registry name, lower case, such as `deepgram`.
    pub name: &'static str,
    /// Name as people write it.
    pub title: &'static str,
    /// The vendor's own address.
    pub base_url: &'static str,
    /// Environment name of the credential.
    pub key_env: &'static str,
    /// Environment name of the address.
    pub base_url_env: &'static str,
    /// Environment name of the model, if it has one.
    pub model_env: Option<&'static str>,
    /// Environment name of the voice, if it has one.
    pub voice_env: Option<&'static str>,
    /// Model used when none is set.
    pub model: Option<&'static str>,
    /// Voice used when none is set.
    pub voice: Option<&'static str>,
    /// Keys accepted in [`ProviderOptions::extra`], each with one line of documentation.
    pub extra: &'static [(&'static str, &'static str)],
    /// Whether it works without a credential (a server on loopback).
    pub key_optional: bool,
}
