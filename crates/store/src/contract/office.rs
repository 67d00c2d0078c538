//! What a business says about itself and its tools: profile, settings, feature flags, credentials of its own services.

use super::{Answer, Versioned};
use async_trait::async_trait;
use base::{BusinessId, Secret};
use model::business::{Business, Profile, TenantScope};
use std::collections::BTreeMap;

/// A business with its profile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BusinessProfile {
    /// The business.
    pub business: Business,
    /// What it tells about itself.
    pub profile: Profile,
    /// From 1; one more with each change.
    pub version: u32,
}

/// What kind of named value a business keeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ValueKind {
    /// A setting.
    Setting,
    /// A feature flag's rule.
    Flag,
    /// Where an MCP server is.
    McpServer,
    /// How long what is kept.
    Privacy,
    /// An agent in two versions, by its id.
    Split,
    /// How calls go out: `plan`.
    Outgoing,
    /// When the documents are an answer.
    Gate,
    /// Which service embeds the documents.
    Embedding,
}

impl ValueKind {
    /// The stable name used in storage.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Setting => "setting",
            Self::Flag => "flag",
            Self::McpServer => "mcp_server",
            Self::Privacy => "privacy",
            Self::Split => "split",
            Self::Outgoing => "outgoing",
            Self::Gate => "gate",
            Self::Embedding => "embedding",
        }
    }
}

/// A credential of a service that a business's tools use. Values do not print.
#[derive(Clone, Debug)]
pub struct ToolCredential {
    /// Its name, as tools refer to it.
    pub name: String,
    /// `kind` and what belongs to it.
    pub fields: BTreeMap<String, Secret<String>>,
    /// Unix milliseconds of the last change.
    pub updated_at_ms: i64,
}

/// Profile, settings, flags and credentials of tools.
#[async_trait]
pub trait Office: Send + Sync {
    /// The business of the scope with its profile.
    async fn profile(&self, scope: &TenantScope) -> Answer<BusinessProfile>;
    /// Changes name, time zone and profile and answers the version. With `expected`, a `Conflict` unless that is it now.
    async fn put_profile(
        &self,
        scope: &TenantScope,
        business: &Business,
        profile: &Profile,
        expected: Option<u32>,
    ) -> Answer<u32>;

    /// A named value of the business.
    async fn value(&self, scope: &TenantScope, kind: ValueKind, name: &str) -> Answer<Versioned>;
    /// Values after this name, in order of names, at most `rows_max`.
    async fn values(
        &self,
        scope: &TenantScope,
        kind: ValueKind,
        after: Option<&str>,
        rows_max: u32,
    ) -> Answer<Vec<(String, Versioned)>>;
    /// Sets a value and answers its version. With `expected`, a `Conflict` unless that is it now (0: not set yet).
    async fn put_value(
        &self,
        scope: &TenantScope,
        kind: ValueKind,
        name: &str,
        value: &str,
        expected: Option<u32>,
    ) -> Answer<u32>;
    /// Values of a kind of which each business has one, of businesses after this one, at most
    /// [`base::limits::PAGE_ROWS_MAX`]: for a worker that does something for all of them.
    async fn values_of_all(&self, kind: ValueKind, after: Option<BusinessId>) -> Answer<Vec<(TenantScope, Versioned)>>;
    /// Deletes a value. `false` when there is none.
    async fn delete_value(&self, scope: &TenantScope, kind: ValueKind, name: &str) -> Answer<bool>;

    /// Creates or replaces a credential of the business's tools; it is sealed.
    async fn put_tool_credential(
        &self,
        scope: &TenantScope,
        name: &str,
        fields: &BTreeMap<String, Secret<String>>,
        at_ms: i64,
    ) -> Answer<()>;
    /// One of them, opened.
    async fn tool_credential(&self, scope: &TenantScope, name: &str) -> Answer<ToolCredential>;
    /// All of them, opened, in order of names; at most [`base::limits::PAGE_ROWS_MAX`].
    async fn tool_credentials(&self, scope: &TenantScope) -> Answer<Vec<ToolCredential>>;
    /// Deletes one. `false` when there is none.
    async fn delete_tool_credential(&self, scope: &TenantScope, name: &str) -> Answer<bool>;
}
