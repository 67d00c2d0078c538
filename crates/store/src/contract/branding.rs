//! How businesses look to their own people.

use super::Answer;
use async_trait::async_trait;
use model::branding::{Branding, KnownBranding, Logo};
use model::business::TenantScope;

/// Names, colours, logos and domains. With `expected`, a change is a `Conflict` unless that is the version now (0: nothing set).
#[async_trait]
pub trait Brandings: Send + Sync {
    /// What the business has set; version 0 when that is nothing.
    async fn branding(&self, scope: &TenantScope) -> Answer<KnownBranding>;
    /// Sets it, and answers the version. `Conflict` when another business has the domain.
    async fn put_branding(&self, scope: &TenantScope, branding: &Branding, expected: Option<u32>) -> Answer<u32>;
    /// Sets or takes away the logo.
    async fn put_logo(&self, scope: &TenantScope, logo: Option<&Logo>) -> Answer<u32>;
    /// The logo; `NotFound` when there is none.
    async fn logo(&self, scope: &TenantScope) -> Answer<Logo>;
    /// The branding of the business of this domain: for pages that are shown before anybody has signed in.
    async fn branding_of_domain(&self, domain: &str) -> Answer<Option<(TenantScope, KnownBranding)>>;
}
