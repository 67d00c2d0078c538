import { type FormEvent, useEffect, useState } from "react";
import { $api, api, ifMatch } from "../../api/client";
import type { components } from "../../api/schema.gen";
import { useCan } from "../../auth/me";
import { t } from "../../i18n";
import { PlusIcon } from "../../ui/icons";
import { useAction } from "../../ui/kit/action";
import { Button } from "../../ui/kit/button";
import { Copyable } from "../../ui/kit/copy";
import { Confirm, Dialog, DialogActions } from "../../ui/kit/dialog";
import { Select, Switch, TextArea, TextField } from "../../ui/kit/field";
import { Badge, Empty, Problem, Skeleton } from "../../ui/kit/page";
import { toast } from "../../ui/kit/toast";
import { SectionHead } from "./section";

type Widget = components["schemas"]["WidgetView"];
type Settings = components["schemas"]["WidgetSettings"];
type Theme = Required<components["schemas"]["WidgetTheme"]>;

/** What the widget's own script leaves on the page. */
interface OnPage {
  FrontdeskWidget?: { open(): void; remove(): void };
}

/** Widgets on websites: make one, try it, take its tag along. */
export function WidgetSection() {
  const can = useCan();
  const mayWrite = can("agents:write");
  const widgets = $api.useQuery("get", "/api/v1/widgets", {});
  const query = { params: { query: { limit: 100 } } };
  const agents = $api.useQuery("get", "/api/v1/agents", query).data?.items ?? [];
  const [editing, setEditing] = useState<Widget | "new" | null>(null);
  const [tagOf, setTagOf] = useState<Widget | null>(null);
  const [removing, setRemoving] = useState<Widget | null>(null);
  const [trying, setTrying] = useState<string | null>(null);
  const { busy, run } = useAction();
  useOnPage(trying);
  const remove = () =>
    run(async () => {
      if (removing === null) return;
      await api.DELETE("/api/v1/widgets/{id}", { params: { path: { id: removing.id } } });
      await widgets.refetch();
      setRemoving(null);
    });
  return (
    <>
      <SectionHead
        title={t("widget.title")}
        lead={t("widget.lead")}
        actions={
          mayWrite && (
            <Button tone="primary" icon={<PlusIcon className="size-4" />} onClick={() => setEditing("new")}>
              {t("widget.add")}
            </Button>
          )
        }
      />
      {widgets.isPending && <Skeleton rows={2} />}
      {widgets.error !== null && <Problem error={widgets.error} retry={() => void widgets.refetch()} />}
      {widgets.data?.items.length === 0 && <Empty title={t("widget.none")}>{t("widget.none_text")}</Empty>}
      <ul className="flex flex-col gap-2">
        {widgets.data?.items.map((one) => (
          <li
            key={one.id}
            data-widget={one.name}
            className="flex flex-wrap items-center gap-2 rounded-2xl border border-line bg-card px-4 py-3 text-sm"
          >
            <span className="min-w-0 flex-1 basis-56">
              <span className="font-medium">{one.name}</span>{" "}
              {one.enabled === false && <Badge>{t("widget.off")}</Badge>}
              <span className="block text-xs text-soft">
                {agents.find(({ id }) => id === one.agent)?.name ?? one.agent}
              </span>
              <span className="block text-xs text-soft wrap-anywhere">
                {(one.origins ?? []).join(", ") || t("widget.no_origins")}
              </span>
            </span>
            <Button size="sm" onClick={() => setTrying(trying === one.key ? null : one.key)}>
              {trying === one.key ? t("widget.preview_end") : t("widget.preview")}
            </Button>
            <Button size="sm" onClick={() => setTagOf(one)}>
              {t("widget.show_tag")}
            </Button>
            {mayWrite && (
              <>
                <Button size="sm" onClick={() => setEditing(one)}>
                  {t("kit.edit")}
                </Button>
                <Button size="sm" tone="ghost" onClick={() => setRemoving(one)}>
                  {t("kit.delete")}
                  <span className="sr-only">{one.name}</span>
                </Button>
              </>
            )}
          </li>
        ))}
      </ul>
      {trying !== null && <p className="mt-3 text-sm text-soft">{t("widget.preview_text")}</p>}
      {editing !== null && (
        <WidgetDialog
          known={editing === "new" ? null : editing}
          agents={agents.map(({ id, name }) => ({ value: id, label: name }))}
          onClose={() => setEditing(null)}
          saved={(widget) => {
            if (editing === "new") setTagOf(widget);
            setTrying(null);
            setEditing(null);
            void widgets.refetch();
          }}
        />
      )}
      {tagOf !== null && (
        <Dialog open wide onClose={() => setTagOf(null)} title={tagOf.name} description={t("widget.tag_text")}>
          <Copyable label={t("widget.tag")} value={tagOf.tag} />
          <DialogActions>
            <Button tone="primary" onClick={() => setTagOf(null)}>
              {t("shell.close")}
            </Button>
          </DialogActions>
        </Dialog>
      )}
      <Confirm
        open={removing !== null}
        title={t("settings.delete_title", { name: removing?.name ?? "" })}
        action={t("kit.delete")}
        busy={busy}
        onConfirm={() => void remove()}
        onClose={() => setRemoving(null)}
      >
        {t("widget.delete_text")}
      </Confirm>
    </>
  );
}

/** Puts a widget on this very page, by the script that websites carry. */
function useOnPage(key: string | null): void {
  useEffect(() => {
    if (key === null) return;
    const script = document.createElement("script");
    script.src = "/widget.js";
    script.async = true;
    script.dataset.key = key;
    const page = window as OnPage;
    const open = () => page.FrontdeskWidget?.open();
    document.addEventListener("frontdesk:ready", open, { once: true });
    document.body.append(script);
    return () => {
      document.removeEventListener("frontdesk:ready", open);
      page.FrontdeskWidget?.remove();
      script.remove();
    };
  }, [key]);
}

const NEW: Required<Settings> & { theme: Theme } = {
  name: "",
  agent: "",
  enabled: true,
  origins: [],
  voice: true,
  chat: true,
  title: "",
  greeting: "",
  consent: "",
  privacy_url: "",
  languages: ["en", "hi"],
  theme: { colour: "#0f5bd7", scheme: "auto", position: "right", logo_url: "" },
  visits_per_minute: 60,
};

function settingsOf(widget: Widget | null, agent: string): typeof NEW {
  if (widget === null) return { ...NEW, agent };
  const {
    id: _id,
    key: _key,
    tag: _tag,
    version: _version,
    created_at_ms: _made,
    updated_at_ms: _changed,
    ...own
  } = widget;
  return { ...NEW, ...own, theme: { ...NEW.theme, ...own.theme } };
}

function WidgetDialog({
  known,
  agents,
  onClose,
  saved,
}: {
  known: Widget | null;
  agents: { value: string; label: string }[];
  onClose: () => void;
  saved: (widget: Widget) => void;
}) {
  const [form, setForm] = useState(() => settingsOf(known, agents[0]?.value ?? ""));
  const [origins, setOrigins] = useState(form.origins.join("\n"));
  const { busy, run } = useAction();
  const set = (change: Partial<typeof NEW>) => setForm((now) => ({ ...now, ...change }));
  const paint = (change: Partial<Theme>) => set({ theme: { ...form.theme, ...change } });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    const body = { ...form, origins: origins.split(/[\s,]+/).filter((origin) => origin !== "") };
    void run(async () => {
      const { data } =
        known === null
          ? await api.POST("/api/v1/widgets", { body })
          : await api.PATCH("/api/v1/widgets/{id}", {
              params: { path: { id: known.id }, header: ifMatch(known.version) },
              body,
            });
      toast(t("kit.saved"));
      if (data !== undefined) saved(data);
    });
  };
  return (
    <Dialog open wide onClose={onClose} title={known === null ? t("widget.add") : t("kit.edit")}>
      <form onSubmit={submit} className="flex flex-col gap-4">
        <div className="grid gap-4 sm:grid-cols-2">
          <TextField
            label={t("widget.name")}
            maxLength={100}
            value={form.name}
            onChange={(event) => set({ name: event.target.value })}
            required
          />
          <Select
            label={t("widget.agent")}
            value={form.agent}
            onChange={(event) => set({ agent: event.target.value })}
            options={agents}
          />
        </div>
        <TextArea
          label={t("widget.origins")}
          hint={t("widget.origins_hint")}
          rows={2}
          spellCheck={false}
          className="font-mono"
          placeholder="https://shop.example"
          value={origins}
          onChange={(event) => setOrigins(event.target.value)}
        />
        <Switch label={t("widget.chat")} checked={form.chat} onChange={(chat) => set({ chat })} />
        <Switch label={t("widget.voice")} checked={form.voice} onChange={(voice) => set({ voice })} />
        <Switch label={t("widget.enabled")} checked={form.enabled} onChange={(enabled) => set({ enabled })} />
        <LooksFields form={form} set={set} paint={paint} />
        <WordsFields form={form} set={set} />
        <DialogActions>
          <Button type="submit" tone="primary" busy={busy}>
            {t("shell.save")}
          </Button>
        </DialogActions>
      </form>
    </Dialog>
  );
}

type Change = (change: Partial<typeof NEW>) => void;

function LooksFields({ form, set, paint }: { form: typeof NEW; set: Change; paint: (change: Partial<Theme>) => void }) {
  return (
    <div className="grid gap-4 sm:grid-cols-2">
      <TextField
        label={t("widget.colour")}
        type="color"
        value={form.theme.colour}
        onChange={(event) => paint({ colour: event.target.value })}
      />
      <Select
        label={t("widget.scheme")}
        value={form.theme.scheme}
        onChange={(event) => paint({ scheme: event.target.value as Theme["scheme"] })}
        options={(["auto", "light", "dark"] as const).map((value) => ({ value, label: t(`widget.scheme_${value}`) }))}
      />
      <Select
        label={t("widget.position")}
        value={form.theme.position}
        onChange={(event) => paint({ position: event.target.value as Theme["position"] })}
        options={(["right", "left"] as const).map((value) => ({ value, label: t(`widget.position_${value}`) }))}
      />
      <Select
        label={t("widget.languages")}
        hint={t("widget.languages_hint")}
        value={form.languages.join()}
        onChange={(event) => set({ languages: event.target.value.split(",") })}
        options={[
          { value: "en,hi", label: t("widget.languages_both") },
          { value: "en", label: t("widget.languages_en") },
          { value: "hi", label: t("widget.languages_hi") },
        ]}
      />
    </div>
  );
}

function WordsFields({ form, set }: { form: typeof NEW; set: Change }) {
  return (
    <details>
      <summary className="text-sm font-medium">{t("settings.more_fields")}</summary>
      <div className="mt-3 flex flex-col gap-4">
        <TextField
          label={t("widget.words")}
          hint={t("widget.words_hint")}
          maxLength={100}
          value={form.title}
          onChange={(event) => set({ title: event.target.value })}
        />
        <TextArea
          label={t("widget.greeting")}
          hint={t("widget.greeting_hint")}
          rows={2}
          maxLength={1000}
          value={form.greeting}
          onChange={(event) => set({ greeting: event.target.value })}
        />
        <TextArea
          label={t("widget.consent")}
          hint={t("widget.consent_hint")}
          rows={2}
          maxLength={1000}
          value={form.consent}
          onChange={(event) => set({ consent: event.target.value })}
        />
        <div className="grid gap-4 sm:grid-cols-2">
          <TextField
            label={t("widget.privacy_url")}
            type="url"
            value={form.privacy_url}
            onChange={(event) => set({ privacy_url: event.target.value })}
          />
          <TextField
            label={t("widget.logo_url")}
            type="url"
            value={form.theme.logo_url}
            onChange={(event) => set({ theme: { ...form.theme, logo_url: event.target.value } })}
          />
          <TextField
            label={t("widget.visits")}
            type="number"
            min={1}
            max={1000}
            value={String(form.visits_per_minute)}
            onChange={(event) => set({ visits_per_minute: Number(event.target.value) })}
          />
        </div>
      </div>
    </details>
  );
}
