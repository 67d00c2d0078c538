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
    /// Sets it, and answers the version. `Conflict` when another business has proven the domain. A domain that was not proven
    /// is kept and not used.
    async fn put_branding(&self, scope: &TenantScope, branding: &Branding, expected: Option<u32>) -> Answer<u32>;
    /// Notes that the domain that is set was shown to be the business's, and answers the version. `Conflict` when another one is
    /// set meanwhile, or another business has proven it.
    async fn prove_domain(&self, scope: &TenantScope, domain: &str) -> Answer<u32>;
    /// Sets or takes away the logo.
    async fn put_logo(&self, scope: &TenantScope, logo: Option<&Logo>) -> Answer<u32>;
    /// The logo; `NotFound` when there is none.
    async fn logo(&self, scope: &TenantScope) -> Answer<Logo>;
    /// The branding of the business that has proven this domain: for pages that are shown before anybody has signed in.
    async fn branding_of_domain(&self, domain: &str) -> Answer<Option<(TenantScope, KnownBranding)>>;
}
