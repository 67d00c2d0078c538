//! How businesses look to their own people.

use crate::args;
use crate::contract::Answer;
use crate::contract::branding::Brandings;
use crate::db::{Db, DbRow, to_json};
use crate::error::StoreError;
use crate::sql;
use crate::sql_store::SqlStore;
use async_trait::async_trait;
use base::BusinessId;
use model::branding::{Branding, KnownBranding, Logo};
use model::business::TenantScope;

fn read(row: &DbRow) -> Answer<KnownBranding> {
    let kind: Option<String> = row.get("logo_type")?;
    let size: u64 = row.get("size")?;
    let branding: Branding = row.json("config")?;
    let proven: Option<String> = row.get("domain")?;
    Ok(KnownBranding {
        is_proven: proven.is_some() && proven == branding.domain,
        branding,
        logo: kind.map(|kind| (kind, size)),
        version: row.get("version")?,
    })
}

#[async_trait]
impl Brandings for SqlStore {
    async fn branding(&self, scope: &TenantScope) -> Answer<KnownBranding> {
        let row = self.db.read_one(scope, sql::BRANDING, args![scope.business.0]).await?;
        row.as_ref().map_or_else(|| Ok(KnownBranding::default()), read)
    }

    async fn put_branding(&self, scope: &TenantScope, branding: &Branding, expected: Option<u32>) -> Answer<u32> {
        if let Some(domain) = &branding.domain
            && self.branding_of_domain(domain).await?.is_some_and(|(holder, _)| holder != *scope)
        {
            return Err(StoreError::Conflict("another business has this domain".into()));
        }
        let mut tx = self.db.begin(scope).await?;
        let row = tx.read_one(sql::BRANDING_TO_CHANGE, args![scope.business.0]).await?;
        let version = row.as_ref().map_or(Ok(0), |row| row.get::<u32>("version"))?;
        // The column holds a domain that was proven, and no wish: nobody keeps others from what is theirs by naming it first.
        let proven: Option<String> = row.as_ref().map_or(Ok(None), |row| row.get("domain"))?;
        let domain = branding.domain.clone().filter(|domain| proven.as_ref() == Some(domain));
        if expected.is_some_and(|expected| expected != version) {
            return Err(StoreError::Conflict(format!("the branding was changed meanwhile: version {version}")));
        }
        let args = args![scope.business.0, to_json(branding)?, domain, version + 1];
        tx.write(sql::PUT_BRANDING, args).await?;
        tx.commit().await?;
        Ok(version + 1)
    }

    async fn prove_domain(&self, scope: &TenantScope, domain: &str) -> Answer<u32> {
        let mut tx = self.db.begin(scope).await?;
        let row = tx.read_one(sql::BRANDING_TO_CHANGE, args![scope.business.0]).await?;
        let row = row.ok_or(crate::db::missing("branding"))?;
        let branding: Branding = row.json("config")?;
        if branding.domain.as_deref() != Some(domain) {
            return Err(StoreError::Conflict("the branding was changed meanwhile: it has another domain".into()));
        }
        let version: u32 = row.get("version")?;
        tx.write(sql::PROVE_DOMAIN, args![scope.business.0, domain, version + 1]).await?;
        tx.commit().await?;
        Ok(version + 1)
    }

    async fn put_logo(&self, scope: &TenantScope, logo: Option<&Logo>) -> Answer<u32> {
        let mut tx = self.db.begin(scope).await?;
        let row = tx.read_one(sql::BRANDING_TO_CHANGE, args![scope.business.0]).await?;
        let version = row.map_or(Ok(0), |row| row.get::<u32>("version"))?;
        let (bytes, kind) = logo.map_or_else(Default::default, |logo| (logo.bytes.clone(), Some(&logo.media_type)));
        tx.write(sql::PUT_LOGO, args![scope.business.0, bytes, kind.cloned(), version + 1]).await?;
        tx.commit().await?;
        Ok(version + 1)
    }

    async fn logo(&self, scope: &TenantScope) -> Answer<Logo> {
        let row = self.need(scope, "logo", sql::LOGO, args![scope.business.0]).await?;
        Ok(Logo { media_type: row.get("logo_type")?, bytes: row.get("logo")? })
    }

    async fn branding_of_domain(&self, domain: &str) -> Answer<Option<(TenantScope, KnownBranding)>> {
        let reach = Db::across("nobody has signed in yet: the domain says whose page it is");
        let Some(row) = self.db.read_one(reach, sql::BRANDING_OF_DOMAIN, args![domain]).await? else { return Ok(None) };
        Ok(Some((TenantScope { business: BusinessId(row.get("business")?) }, read(&row)?)))
    }
}
