//! Laws of widgets on websites.

use super::resources::{absent, conflicts};
use super::tenant;
use crate::contract::Store;
use crate::error::StoreError;
use base::WidgetId;
use model::widget::{Widget, WidgetSettings, WidgetTheme};
use std::sync::Arc;

/// A widget is found by its key, keeps its settings, and is nobody else's to change.
pub async fn a_widget_is_found_by_its_key_and_is_nobody_elses_to_change(store: Arc<dyn Store>) {
    let shop = tenant(&*store, "shop", "+49405550170").await;
    let rival = tenant(&*store, "rival", "+49405550171").await;
    let scope = &shop.scope;
    let settings = WidgetSettings {
        name: "Website".into(),
        agent: shop.agent.slug.clone(),
        enabled: true,
        origins: vec!["https://shop.example".into()],
        voice: true,
        chat: true,
        title: String::new(),
        greeting: "नमस्ते".into(),
        consent: String::new(),
        privacy_url: String::new(),
        languages: vec!["en".into(), "hi".into()],
        theme: WidgetTheme::default(),
        visits_per_minute: 60,
    };
    let widget = Widget {
        id: WidgetId::generate(),
        business: scope.business,
        key: "fdw_1".into(),
        settings,
        created_at_ms: 10,
        updated_at_ms: 10,
        version: 1,
    };
    assert_eq!(store.create_widget(scope, &widget, 2).await, Ok(()));
    let twin = Widget { id: WidgetId::generate(), business: rival.scope.business, ..widget.clone() };
    assert!(conflicts(store.create_widget(&rival.scope, &twin, 2).await), "the key is taken");
    assert_eq!(store.widget_by_key("fdw_1").await, Ok(widget.clone()));
    assert!(absent(store.widget_by_key("fdw_2").await));
    assert_eq!(store.widget(scope, widget.id).await, Ok(widget.clone()));
    assert!(absent(store.widget(&rival.scope, widget.id).await));
    let changed = WidgetSettings { enabled: false, ..widget.settings.clone() };
    assert!(absent(store.update_widget(&rival.scope, widget.id, &changed, None, 20).await));
    assert_eq!(store.update_widget(scope, widget.id, &changed, Some(1), 20).await, Ok(2));
    assert!(conflicts(store.update_widget(scope, widget.id, &changed, Some(1), 30).await));
    let read = store.widget_by_key("fdw_1").await.expect("a widget");
    assert_eq!((read.settings, read.version, read.updated_at_ms), (changed, 2, 20));
    let second = Widget { id: WidgetId::generate(), key: "fdw_2".into(), created_at_ms: 11, ..widget.clone() };
    assert_eq!(store.create_widget(scope, &second, 2).await, Ok(()));
    let third = Widget { id: WidgetId::generate(), key: "fdw_3".into(), ..widget.clone() };
    assert!(conflicts(store.create_widget(scope, &third, 2).await), "as many as it may have");
    let keys = store.widgets(scope).await.map(|all| all.into_iter().map(|one| one.key).collect::<Vec<_>>());
    assert_eq!(keys, Ok(vec!["fdw_1".to_owned(), "fdw_2".to_owned()]));
    assert_eq!(store.delete_widget(&rival.scope, widget.id, None).await, Ok(false));
    assert!(matches!(store.delete_widget(scope, widget.id, Some(99)).await, Err(StoreError::Conflict(_))));
    assert_eq!(store.delete_widget(scope, widget.id, None).await, Ok(true));
    assert!(absent(store.widget_by_key("fdw_1").await));
}
