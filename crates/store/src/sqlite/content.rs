//! Documents, tables that tools use, and deliveries of carriers.

use super::{PAGE, SqliteStore, from_json, get, map_error, missing, sql, to_json, within};
use crate::contract::{Answer, Content, Document, ReplayKeys};
use async_trait::async_trait;
use model::business::TenantScope;
use serde_json::Value;
use sqlx::query;
use sqlx::sqlite::SqliteRow;

fn read_document(row: &SqliteRow) -> Answer<Document> {
    Ok(Document { slug: get(row, "slug")?, title: get(row, "title")?, text: get(row, "text")? })
}

impl SqliteStore {
    async fn write_row(
        &self,
        statement: &'static str,
        scope: &TenantScope,
        table: &str,
        key: &str,
        data: &Value,
    ) -> Answer<()> {
        let data = to_json(data)?;
        let put = query(statement).bind(scope.business.0).bind(table).bind(key).bind(data);
        within(async { put.execute(&self.writer).await.map_err(map_error) }).await?;
        Ok(())
    }
}

#[async_trait]
impl Content for SqliteStore {
    async fn put_document(&self, scope: &TenantScope, document: &Document) -> Answer<()> {
        let put = query(sql::PUT_DOCUMENT).bind(scope.business.0).bind(&document.slug).bind(&document.title);
        within(async { put.bind(&document.text).execute(&self.writer).await.map_err(map_error) }).await?;
        Ok(())
    }

    async fn document(&self, scope: &TenantScope, slug: &str) -> Answer<Document> {
        let find = query(sql::DOCUMENT).bind(scope.business.0).bind(slug);
        let row = within(async { find.fetch_optional(&self.readers).await.map_err(map_error) }).await?;
        read_document(&row.ok_or(missing("document"))?)
    }

    async fn documents(&self, scope: &TenantScope, after_slug: Option<&str>) -> Answer<Vec<Document>> {
        let find = query(sql::DOCUMENTS).bind(scope.business.0).bind(after_slug.unwrap_or("")).bind(PAGE);
        let rows = within(async { find.fetch_all(&self.readers).await.map_err(map_error) }).await?;
        rows.iter().map(read_document).collect()
    }

    async fn row(&self, scope: &TenantScope, table: &str, key: &str) -> Answer<Value> {
        let find = query(sql::ROW).bind(scope.business.0).bind(table).bind(key);
        let row = within(async { find.fetch_optional(&self.readers).await.map_err(map_error) }).await?;
        from_json("row", get(&row.ok_or(missing("row"))?, "data")?)
    }

    async fn put_row(&self, scope: &TenantScope, table: &str, key: &str, data: &Value) -> Answer<()> {
        self.write_row(sql::PUT_ROW, scope, table, key, data).await
    }

    async fn insert_row(&self, scope: &TenantScope, table: &str, key: &str, data: &Value) -> Answer<()> {
        self.write_row(sql::INSERT_ROW, scope, table, key, data).await
    }

    async fn rows(&self, scope: &TenantScope, table: &str, after_key: Option<&str>) -> Answer<Vec<(String, Value)>> {
        let find = query(sql::ROWS).bind(scope.business.0).bind(table).bind(after_key.unwrap_or("")).bind(PAGE);
        let rows = within(async { find.fetch_all(&self.readers).await.map_err(map_error) }).await?;
        rows.iter().map(|row| Ok((get(row, "key")?, from_json("row", get(row, "data")?)?))).collect()
    }
}

#[async_trait]
impl ReplayKeys for SqliteStore {
    async fn see_delivery(&self, carrier: &str, key: &str, at_ms: i64) -> Answer<bool> {
        let see = query(sql::SEE_DELIVERY).bind(carrier).bind(key).bind(at_ms);
        let done = within(async { see.execute(&self.writer).await.map_err(map_error) }).await?;
        Ok(done.rows_affected() == 1)
    }

    async fn prune_deliveries(&self, before_ms: i64) -> Answer<u64> {
        let prune = query(sql::PRUNE_DELIVERIES).bind(before_ms);
        Ok(within(async { prune.execute(&self.writer).await.map_err(map_error) }).await?.rows_affected())
    }
}
