//! Widgets on websites.

use crate::args;
use crate::contract::Answer;
use crate::contract::widgets::Widgets;
use crate::db::{Db, DbRow, PAGE, missing, to_json};
use crate::error::StoreError;
use crate::sql;
use crate::sql_store::SqlStore;
use async_trait::async_trait;
use base::{BusinessId, WidgetId};
use model::business::TenantScope;
use model::widget::{Widget, WidgetSettings};

fn read(row: &DbRow) -> Answer<Widget> {
    Ok(Widget {
        id: WidgetId(row.get("id")?),
        business: BusinessId(row.get("business")?),
        key: row.get("key")?,
        settings: row.json("settings")?,
        created_at_ms: row.get("created_at_ms")?,
        updated_at_ms: row.get("updated_at_ms")?,
        version: row.get("version")?,
    })
}

#[async_trait]
impl Widgets for SqlStore {
    async fn create_widget(&self, scope: &TenantScope, widget: &Widget, widgets_max: u32) -> Answer<()> {
        let mut tx = self.db.begin(scope).await?;
        let count = tx.read_one(sql::COUNT_WIDGETS, args![scope.business.0]).await?;
        let count: u32 = count.map_or(Ok(0), |row| row.get("count"))?;
        if count >= widgets_max {
            return Err(StoreError::Conflict(format!("the business has {count} widgets, as many as it may")));
        }
        let settings = to_json(&widget.settings)?;
        let args = args![widget.id.0, scope.business.0, &widget.key, settings, widget.created_at_ms];
        tx.write(sql::INSERT_WIDGET, args).await?;
        tx.commit().await
    }

    async fn widget(&self, scope: &TenantScope, id: WidgetId) -> Answer<Widget> {
        read(&self.need(scope, "widget", sql::WIDGET, args![scope.business.0, id.0]).await?)
    }

    async fn widgets(&self, scope: &TenantScope) -> Answer<Vec<Widget>> {
        self.db.read(scope, sql::WIDGETS, args![scope.business.0, PAGE]).await?.iter().map(read).collect()
    }

    async fn widget_by_key(&self, key: &str) -> Answer<Widget> {
        read(&self.need(Db::across("whose a widget is"), "widget", sql::WIDGET_BY_KEY, args![key]).await?)
    }

    async fn update_widget(
        &self,
        scope: &TenantScope,
        id: WidgetId,
        settings: &WidgetSettings,
        expected: Option<u32>,
        at_ms: i64,
    ) -> Answer<u32> {
        let mut tx = self.db.begin(scope).await?;
        let row = tx.read_one(sql::WIDGET_TO_CHANGE, args![scope.business.0, id.0]).await?;
        let version: u32 = row.ok_or(missing("widget"))?.get("version")?;
        if expected.is_some_and(|expected| expected != version) {
            return Err(StoreError::Conflict(format!("the widget was changed meanwhile: it is at version {version}")));
        }
        tx.write(sql::UPDATE_WIDGET, args![scope.business.0, id.0, to_json(settings)?, at_ms]).await?;
        tx.commit().await?;
        Ok(version + 1)
    }

    async fn delete_widget(&self, scope: &TenantScope, id: WidgetId, expected: Option<u32>) -> Answer<bool> {
        if self.db.write(scope, sql::DELETE_WIDGET, args![scope.business.0, id.0, expected]).await? > 0 {
            return Ok(true);
        }
        match self.widget(scope, id).await {
            Ok(now) => Err(StoreError::Conflict(format!("it was changed meanwhile: it is at version {}", now.version))),
            Err(StoreError::NotFound(_)) => Ok(false),
            Err(error) => Err(error),
        }
    }
}
