-- Widgets: where on websites visitors talk to an agent. The key stands in the page's source and is no secret.

CREATE TABLE widgets (
    id BLOB PRIMARY KEY NOT NULL,
    business BLOB NOT NULL REFERENCES businesses (id),
    key TEXT NOT NULL UNIQUE,
    -- JSON, of the form of model::widget::WidgetSettings.
    settings TEXT NOT NULL,
    created_at_ms INTEGER NOT NULL,
    updated_at_ms INTEGER NOT NULL,
    version INTEGER NOT NULL,
    UNIQUE (business, id)
) STRICT;
CREATE INDEX widgets_oldest ON widgets (business, created_at_ms, id);
