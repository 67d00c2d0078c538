//! Documents, tables that tools use, and deliveries of carriers.

use crate::args;
use crate::contract::{Answer, Content, Document, ReplayKeys};
use crate::db::{Db, DbRow, PAGE, Reach, to_json};
use crate::sql::{self, Sql};
use crate::sql_store::SqlStore;
use async_trait::async_trait;
use model::business::TenantScope;
use serde_json::Value;

const DELIVERIES: Reach = Db::across("a delivery is checked before it is known whose it is");

fn read_document(row: &DbRow) -> Answer<Document> {
    Ok(Document { slug: row.get("slug")?, title: row.get("title")?, text: row.get("text")? })
}

impl SqlStore {
    async fn write_row(&self, statement: Sql, scope: &TenantScope, table: &str, key: &str, data: &Value) -> Answer<()> {
        let args = args![scope.business.0, table, key, to_json(data)?];
        self.db.write(scope, statement, args).await.map(drop)
    }
}

#[async_trait]
impl Content for SqlStore {
    async fn put_document(&self, scope: &TenantScope, document: &Document) -> Answer<()> {
        let args = args![scope.business.0, &document.slug, &document.title, &document.text];
        self.db.write(scope, sql::PUT_DOCUMENT, args).await.map(drop)
    }

    async fn document(&self, scope: &TenantScope, slug: &str) -> Answer<Document> {
        read_document(&self.need(scope, "document", sql::DOCUMENT, args![scope.business.0, slug]).await?)
    }

    async fn documents(&self, scope: &TenantScope, after_slug: Option<&str>) -> Answer<Vec<Document>> {
        let args = args![scope.business.0, after_slug.unwrap_or(""), PAGE];
        self.db.read(scope, sql::DOCUMENTS, args).await?.iter().map(read_document).collect()
    }

    async fn row(&self, scope: &TenantScope, table: &str, key: &str) -> Answer<Value> {
        self.need(scope, "row", sql::ROW, args![scope.business.0, table, key]).await?.json("data")
    }

    async fn put_row(&self, scope: &TenantScope, table: &str, key: &str, data: &Value) -> Answer<()> {
        self.write_row(sql::PUT_ROW, scope, table, key, data).await
    }

    async fn insert_row(&self, scope: &TenantScope, table: &str, key: &str, data: &Value) -> Answer<()> {
        self.write_row(sql::INSERT_ROW, scope, table, key, data).await
    }

    async fn rows(&self, scope: &TenantScope, table: &str, after_key: Option<&str>) -> Answer<Vec<(String, Value)>> {
        let args = args![scope.business.0, table, after_key.unwrap_or(""), PAGE];
        let rows = self.db.read(scope, sql::ROWS, args).await?;
        rows.iter().map(|row| Ok((row.get("key")?, row.json("data")?))).collect()
    }
}

#[async_trait]
impl ReplayKeys for SqlStore {
    async fn see_delivery(&self, carrier: &str, key: &str, at_ms: i64) -> Answer<bool> {
        Ok(self.db.write(DELIVERIES, sql::SEE_DELIVERY, args![carrier, key, at_ms]).await? == 1)
    }

    async fn prune_deliveries(&self, before_ms: i64) -> Answer<u64> {
        self.db.write(DELIVERIES, sql::PRUNE_DELIVERIES, args![before_ms]).await
    }
}
