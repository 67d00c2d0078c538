//! Requests with an idempotency key.

use crate::args;
use crate::contract::Answer;
use crate::contract::requests::{Begun, KeptAnswer, RequestName, Requests, hash};
use crate::db::{Db, to_json};
use crate::error::StoreError;
use crate::seal::{Row, RowSeal};
use crate::sql;
use crate::sql_store::SqlStore;
use async_trait::async_trait;
use base::limits;

const TABLE: &str = "requests";

impl SqlStore {
    fn request_seal(&self, name: &RequestName) -> RowSeal {
        let business = name.scope.business;
        self.keys.row(Row { business, table: TABLE, id: business.0 })
    }
}

/// Binds a sealed answer to its request, so that it does not open under another key.
fn line(name: &RequestName) -> u64 {
    let digest = hash(&[name.actor.as_bytes(), name.key.as_bytes()]);
    digest.iter().take(8).fold(0, |line, byte| (line << 8) | u64::from(*byte))
}

#[async_trait]
impl Requests for SqlStore {
    async fn begin_request(&self, name: &RequestName, hash: &[u8], at_ms: i64) -> Answer<Begun> {
        let RequestName { scope, actor, key } = name;
        let mut tx = self.db.begin(scope).await?;
        let args = args![scope.business.0, actor, key, hash, at_ms];
        if tx.write(sql::BEGIN_REQUEST, args.clone()).await? > 0 {
            tx.commit().await?;
            return Ok(Begun::First);
        }
        let Some(row) = tx.read_one(sql::REQUEST, args![scope.business.0, actor, key]).await? else {
            return Ok(Begun::Running); // Released this moment: the client asks again.
        };
        let begun_at_ms: i64 = row.get("begun_at_ms")?;
        let answer: Option<Vec<u8>> = row.get("answer")?;
        let lives_ms = if answer.is_some() { limits::IDEMPOTENCY_MS_MAX } else { limits::IDEMPOTENCY_RUNNING_MS_MAX };
        if begun_at_ms.saturating_add(lives_ms) < at_ms {
            tx.write(sql::TAKE_REQUEST, args).await?;
            tx.commit().await?;
            return Ok(Begun::First);
        }
        if row.get::<Vec<u8>>("hash")? != hash {
            return Ok(Begun::Other);
        }
        match answer {
            None => Ok(Begun::Running),
            Some(sealed) => {
                let text = self.request_seal(name).open(line(name), &sealed)?;
                let unreadable = |_| StoreError::Corrupt("an answer under an idempotency key".into());
                Ok(Begun::Answered(serde_json::from_str(&text).map_err(unreadable)?))
            }
        }
    }

    async fn keep_answer(&self, name: &RequestName, answer: &KeptAnswer) -> Answer<()> {
        let sealed = self.request_seal(name).seal(line(name), &to_json(answer)?)?;
        let args = args![name.scope.business.0, &name.actor, &name.key, sealed];
        self.db.write(&name.scope, sql::KEEP_ANSWER, args).await.map(drop)
    }

    async fn release_request(&self, name: &RequestName) -> Answer<()> {
        let args = args![name.scope.business.0, &name.actor, &name.key];
        self.db.write(&name.scope, sql::RELEASE_REQUEST, args).await.map(drop)
    }

    async fn prune_requests(&self, before_ms: i64) -> Answer<u64> {
        let reach = Db::across("old keys of all businesses are forgotten");
        self.db.write(reach, sql::PRUNE_REQUESTS, args![before_ms]).await
    }
}
