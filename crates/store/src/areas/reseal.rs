//! A new data key seals anew what older ones sealed, so that they can go.

use crate::args;
use crate::contract::Answer;
use crate::db::{Db, PAGE};
use crate::seal::RowSeal;
use crate::sql::{self, Sql};
use crate::sql_store::SqlStore;
use base::{BusinessId, UserId};
use model::business::TenantScope;
use uuid::Uuid;

impl SqlStore {
    /// Secrets of second factors, of identity providers and of webhooks; answers how many. One that does not open stays as it
    /// is: its key may come back.
    pub(super) async fn reseal_secrets(&self) -> Answer<u64> {
        let totp = |scope: &TenantScope, id: Uuid| self.totp_seal(scope, UserId(id));
        let provider = |scope: &TenantScope, id: Uuid| self.provider_seal(scope, id);
        let webhook = |scope: &TenantScope, id: Uuid| self.webhook_seal(scope, id);
        let line = super::webhooks::LINE;
        Ok(self.reseal_column(sql::SEALED_TOTPS, sql::RESEAL_TOTP, 0, totp).await?
            + self.reseal_column(sql::SEALED_IDENTITY_SECRETS, sql::RESEAL_IDENTITY_SECRET, 0, provider).await?
            + self.reseal_column(sql::SEALED_WEBHOOK_SECRETS, sql::RESEAL_WEBHOOK_SECRET, line, webhook).await?
            + self
                .reseal_column(sql::SEALED_OLD_WEBHOOK_SECRETS, sql::RESEAL_OLD_WEBHOOK_SECRET, line, webhook)
                .await?)
    }

    /// `list` answers id, business and sealed after an id; `put` replaces a sealed text that is still the one that was read.
    async fn reseal_column(
        &self,
        list: Sql,
        put: Sql,
        line: u64,
        seal: impl Fn(&TenantScope, Uuid) -> RowSeal,
    ) -> Answer<u64> {
        let reach = Db::across("a new data key seals the secrets of all");
        let (mut count, mut after) = (0, Uuid::nil());
        loop {
            let rows = self.db.read(reach, list, args![after, PAGE]).await?;
            let Some(last) = rows.last() else { return Ok(count) };
            after = last.get("id")?;
            for row in &rows {
                let (id, business): (Uuid, Uuid) = (row.get("id")?, row.get("business")?);
                let old: Vec<u8> = row.get("sealed")?;
                let seal = seal(&TenantScope { business: BusinessId(business) }, id);
                match seal.open(line, &old) {
                    Ok(text) => count += self.db.write(reach, put, args![id, old, seal.seal(line, &text)?]).await?,
                    Err(error) => {
                        tracing::warn!(%error, statement = list.name, %id, "a secret does not open and stays")
                    }
                }
            }
        }
    }
}
