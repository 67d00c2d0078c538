-- Widgets: where on websites visitors talk to an agent. The key stands in the page's source and is no secret.

CREATE TABLE widgets (
    id uuid PRIMARY KEY,
    business uuid NOT NULL REFERENCES businesses (id),
    key text NOT NULL UNIQUE,
    -- JSON, of the form of model::widget::WidgetSettings.
    settings text NOT NULL,
    created_at_ms bigint NOT NULL,
    updated_at_ms bigint NOT NULL,
    version bigint NOT NULL,
    UNIQUE (business, id)
);
CREATE INDEX widgets_oldest ON widgets (business, created_at_ms, id);
SELECT frontdesk_protect('widgets');
