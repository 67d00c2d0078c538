//! In whose name a mail is written: the business, how it looks, and the language of whom it is for.

use model::branding::Branding;
use model::business::{Business, TenantScope};
use store::{Store, StoreError};

/// Languages that mails are written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tongue {
    /// English, also for everybody whose language is none of these.
    English,
    /// Hindi.
    Hindi,
}

impl Tongue {
    /// The one for a language (BCP-47).
    pub fn of(language: &str) -> Self {
        match language.split('-').next() {
            Some(first) if first.eq_ignore_ascii_case("hi") => Self::Hindi,
            _ => Self::English,
        }
    }

    /// Its name (BCP-47).
    pub const fn name(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::Hindi => "hi",
        }
    }
}

/// In whose name a mail is written.
#[derive(Clone, Debug)]
pub struct Sender {
    /// The business.
    pub business: Business,
    /// How it looks.
    pub branding: Branding,
    /// What the mail is written in.
    pub tongue: Tongue,
}

impl Sender {
    /// The business of this scope. `language` is that of whom the mail is for, where it is known (BCP-47); else that in which
    /// the business usually speaks.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn of(store: &dyn Store, scope: &TenantScope, language: Option<&str>) -> Result<Self, StoreError> {
        let known = store.profile(scope).await?;
        let language = language.or(known.profile.language.as_deref()).unwrap_or_default();
        let tongue = Tongue::of(language);
        let branding = store.branding(scope).await?.branding;
        Ok(Self { business: known.business, branding, tongue })
    }

    /// The business, and the product under the name that its people know it by.
    pub(super) fn place(&self) -> String {
        let name = &self.business.name;
        match (&self.branding.name, self.tongue) {
            (Some(brand), _) if brand == name => name.clone(),
            (Some(brand), Tongue::English) => format!("{name} on {brand}"),
            (Some(brand), Tongue::Hindi) => format!("{brand} पर {name}"),
            (None, Tongue::English) => format!("{name} on Frontdesk"),
            (None, Tongue::Hindi) => format!("Frontdesk पर {name}"),
        }
    }
}
