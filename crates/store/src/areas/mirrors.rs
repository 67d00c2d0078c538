//! What lies in a vector store elsewhere.

use crate::args;
use crate::contract::Answer;
use crate::db::{Db, DbRow, PAGE, Reach, missing};
use crate::knowledge::VersionId;
use crate::mirrors::{Mirror, Mirrors};
use crate::sql;
use crate::sql_store::SqlStore;
use async_trait::async_trait;
use base::{BusinessId, DocumentId};
use model::business::TenantScope;
use uuid::Uuid;

/// Whoever keeps the calendar brings the vectors of all businesses to where they should lie.
const CALENDAR: Reach = Db::across("the calendar mirrors the vectors of all businesses");

fn read_mirror(row: &DbRow) -> Answer<Mirror> {
    let version = VersionId { document: DocumentId(row.get("document")?), version: row.get("version")? };
    Ok(Mirror { version, passages: row.get("passages")?, whole: row.get::<u32>("whole")? == 1 })
}

#[async_trait]
impl Mirrors for SqlStore {
    async fn begin_mirror(&self, scope: &TenantScope, place: &str, version: VersionId, passages: u32) -> Answer<()> {
        let mut tx = self.db.begin(scope).await?;
        let args = args![scope.business.0, place, version.document.0, version.version, passages];
        tx.write(sql::BEGIN_KNOWLEDGE_MIRROR, args).await?;
        tx.commit().await
    }

    async fn finish_mirror(&self, scope: &TenantScope, place: &str, version: VersionId) -> Answer<()> {
        let mut tx = self.db.begin(scope).await?;
        let args = args![scope.business.0, place, version.document.0, version.version];
        tx.write(sql::FINISH_KNOWLEDGE_MIRROR, args).await?;
        tx.commit().await
    }

    async fn forget_mirror(&self, scope: &TenantScope, place: &str, version: VersionId) -> Answer<()> {
        let mut tx = self.db.begin(scope).await?;
        let args = args![scope.business.0, place, version.document.0, version.version];
        tx.write(sql::FORGET_KNOWLEDGE_MIRROR, args).await?;
        tx.commit().await
    }

    async fn mirrors(&self, scope: &TenantScope, place: &str, after: Option<VersionId>) -> Answer<Vec<Mirror>> {
        let (document, version) = after.map_or((Uuid::nil(), -1), |after| (after.document.0, i64::from(after.version)));
        let args = args![scope.business.0, place, document, version, PAGE];
        self.db.read(scope, sql::KNOWLEDGE_MIRRORS, args).await?.iter().map(read_mirror).collect()
    }

    async fn is_mirrored(&self, scope: &TenantScope, place: &str) -> Answer<bool> {
        let row = self.db.read_one(scope, sql::COUNT_UNMIRRORED_KNOWLEDGE, args![scope.business.0, place]).await?;
        Ok(row.ok_or(missing("documents"))?.get::<u32>("missing")? == 0)
    }

    async fn unmirrored(&self, place: &str) -> Answer<Vec<TenantScope>> {
        let rows = self.db.read(CALENDAR, sql::UNMIRRORED_KNOWLEDGE, args![place, PAGE]).await?;
        rows.iter().map(|row| Ok(TenantScope { business: BusinessId(row.get("business")?) })).collect()
    }
}
