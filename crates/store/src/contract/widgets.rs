//! Widgets on websites.

use super::Answer;
use async_trait::async_trait;
use base::WidgetId;
use model::business::TenantScope;
use model::widget::{Widget, WidgetSettings};

/// Widgets of a business.
#[async_trait]
pub trait Widgets: Send + Sync {
    /// Creates a widget. `Conflict` when the business has `widgets_max` already, or the key is taken.
    async fn create_widget(&self, scope: &TenantScope, widget: &Widget, widgets_max: u32) -> Answer<()>;
    /// One widget.
    async fn widget(&self, scope: &TenantScope, id: WidgetId) -> Answer<Widget>;
    /// All widgets, oldest first, at most [`base::limits::PAGE_ROWS_MAX`].
    async fn widgets(&self, scope: &TenantScope) -> Answer<Vec<Widget>>;
    /// Whose a key is: for the visitors of websites, who have nothing else. It says the business.
    async fn widget_by_key(&self, key: &str) -> Answer<Widget>;
    /// Changes a widget and answers its version. With `expected`, a `Conflict` unless that is the version now.
    async fn update_widget(
        &self,
        scope: &TenantScope,
        id: WidgetId,
        settings: &WidgetSettings,
        expected: Option<u32>,
        at_ms: i64,
    ) -> Answer<u32>;
    /// Deletes a widget. `false` when there is none.
    async fn delete_widget(&self, scope: &TenantScope, id: WidgetId, expected: Option<u32>) -> Answer<bool>;
}
