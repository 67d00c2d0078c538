//! Who makes a request, for which business, and what they may do.
//!
//! [`crate::access::guard`] finds out who asks, once, before any handler runs, and lets nobody through to an operation that
//! is not on the list of public ones. A handler says in its signature what it needs: [`Allowed`]`<may::AgentsWrite>`. The
//! right to the business ([`Principal::scope`]) comes out of that extractor and from nowhere else.

pub(crate) mod audit;
pub(crate) mod authenticate;
pub(crate) mod forgotten;
pub(crate) mod network;
pub(crate) mod oidc;
pub(crate) mod password;
pub(crate) mod public;
pub mod secret;
pub(crate) mod session;
pub(crate) mod standing;
pub(crate) mod throttle;
pub(crate) mod token;

pub use forgotten::ForgottenPasswords;
pub use network::{Peer, read_network};
pub use password::{Passwords, check_new as check_new_password};

use crate::App;
use crate::problem::Problem;
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use egress::Egress;
use model::business::TenantScope;
pub use model::people::Actor;
use model::people::{Permission, PermissionSet};
use std::marker::PhantomData;
use std::ops::Deref;
use std::sync::Arc;
use store::Keyring;
use store::shared::Shared;

/// How people sign in here.
#[derive(Clone, Debug, Default)]
pub struct AuthSettings {
    /// Who issues tokens: the address of this server.
    pub issuer: String,
    /// Whether anybody may register a business.
    pub registration: bool,
}

/// What signing in needs.
#[derive(Debug)]
pub struct Auth {
    pub(crate) signer: token::Signer,
    pub(crate) passwords: Passwords,
    pub(crate) throttle: throttle::Throttle,
    pub(crate) oidc: oidc::Oidc,
    pub(crate) settings: AuthSettings,
}

impl Auth {
    /// Signs with keys of this ring, counts attempts in what nodes share, and reaches identity providers through this way out.
    pub fn new(settings: AuthSettings, keyring: &Keyring, shared: Arc<dyn Shared>, egress: Arc<Egress>) -> Self {
        Self {
            signer: token::Signer::new(keyring, settings.issuer.clone()),
            passwords: Passwords::default(),
            throttle: throttle::Throttle::new(shared),
            oidc: oidc::Oidc::new(egress),
            settings,
        }
    }
}

/// Whoever makes a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Principal {
    /// The business they act for.
    pub scope: TenantScope,
    /// Who they are.
    pub actor: Actor,
    /// What they may do.
    pub granted: PermissionSet,
}

impl Principal {
    /// Whether they may do this.
    pub const fn may(&self, permission: Permission) -> bool {
        self.granted.contains(permission)
    }

    /// Refuses unless they may do this: for what depends on more than the operation.
    ///
    /// # Errors
    /// The problem `forbidden`, which names the permission.
    pub fn require(&self, permission: Permission) -> Result<(), Problem> {
        if self.may(permission) { Ok(()) } else { Err(Problem::forbidden(permission)) }
    }
}

/// A permission as a type, so that a handler's signature can ask for it.
pub trait Needs {
    /// The permission.
    const PERMISSION: Permission;
}

/// A caller who may do what `P` says. Answers 401 to nobody and 403 to somebody else. Stands first after the state, so that
/// whoever may not do it learns nothing about paths and bodies.
#[derive(Clone, Copy, Debug)]
pub struct Allowed<P>(Principal, PhantomData<fn() -> P>);

impl<P> Deref for Allowed<P> {
    type Target = Principal;
    fn deref(&self) -> &Principal {
        &self.0
    }
}

impl<P: Needs> FromRequestParts<App> for Allowed<P> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _app: &App) -> Result<Self, Problem> {
        let principal = principal(parts)?;
        principal.require(P::PERMISSION)?;
        Ok(Self(principal, PhantomData))
    }
}

/// A caller with any valid credential: for what everybody may do about themselves.
#[derive(Clone, Copy, Debug)]
pub struct SignedIn(pub Principal);

impl Deref for SignedIn {
    type Target = Principal;
    fn deref(&self) -> &Principal {
        &self.0
    }
}

impl FromRequestParts<App> for SignedIn {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _app: &App) -> Result<Self, Problem> {
        principal(parts).map(Self)
    }
}

fn principal(parts: &Parts) -> Result<Principal, Problem> {
    parts.extensions.get::<Principal>().copied().ok_or_else(Problem::unauthorized)
}

/// One type per permission, for [`Allowed`].
pub mod may {
    use super::Needs;
    use model::people::Permission;

    macro_rules! markers {
        ($($variant:ident $name:literal $doc:literal,)*) => {$(
            #[doc = $doc]
            #[derive(Clone, Copy, Debug)]
            pub enum $variant {}

            impl Needs for $variant {
                const PERMISSION: Permission = Permission::$variant;
            }
        )*};
    }
    model::each_permission!(markers);
}
