import { type FormEvent, useState } from "react";
import { $api, api, ifMatch } from "../../api/client";
import type { components } from "../../api/schema.gen";
import { useCan } from "../../auth/me";
import { t } from "../../i18n";
import { useAction } from "../../ui/kit/action";
import { Button } from "../../ui/kit/button";
import { Confirm, Dialog, DialogActions } from "../../ui/kit/dialog";
import { Select, TextArea, TextField } from "../../ui/kit/field";
import { Problem, Skeleton } from "../../ui/kit/page";
import { toast } from "../../ui/kit/toast";
import { SectionHead } from "./section";

type Setting = components["schemas"]["SettingView"];
type Flag = components["schemas"]["FlagView"];
const BY = ["call", "customer", "business"] as const;
const page = { params: { query: { limit: 100 } } };

/** JSON where it is JSON, else the text itself. */
export function parsedValue(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

export function ConfigurationSection() {
  const can = useCan();
  const manage = can("config:manage");
  const settings = $api.useQuery("get", "/api/v1/configuration", page);
  const flags = $api.useQuery("get", "/api/v1/flags", page);
  const [setting, setSetting] = useState<Setting | "new" | null>(null);
  const [flag, setFlag] = useState<Flag | "new" | null>(null);
  const [removing, setRemoving] = useState<{ kind: "configuration" | "flags"; name: string } | null>(null);
  const { busy, run } = useAction();
  const remove = () =>
    run(async () => {
      if (removing === null) return;
      await api.DELETE(`/api/v1/${removing.kind}/{name}` as "/api/v1/flags/{name}", {
        params: { path: { name: removing.name } },
      });
      await Promise.all([settings.refetch(), flags.refetch()]);
      setRemoving(null);
    });
  const row = (name: string, value: string, kind: "configuration" | "flags", edit: () => void) => (
    <li
      key={name}
      className="flex flex-wrap items-center gap-3 rounded-2xl border border-line bg-card px-4 py-2.5 text-sm"
    >
      <code className="min-w-0 basis-40 font-mono font-medium wrap-anywhere">{name}</code>
      <span className="min-w-0 flex-1 text-soft wrap-anywhere">{value}</span>
      {manage && (
        <>
          <Button size="sm" onClick={edit}>
            {t("kit.edit")}
            <span className="sr-only">{name}</span>
          </Button>
          <Button size="sm" tone="ghost" onClick={() => setRemoving({ kind, name })}>
            {t("kit.delete")}
            <span className="sr-only">{name}</span>
          </Button>
        </>
      )}
    </li>
  );
  return (
    <>
      <SectionHead
        title={t("settings.flags")}
        lead={t("settings.flags_lead")}
        actions={manage && <Button onClick={() => setFlag("new")}>{t("settings.new_flag")}</Button>}
      />
      {flags.isPending && <Skeleton rows={2} />}
      {flags.error !== null && <Problem error={flags.error} retry={() => void flags.refetch()} />}
      {flags.data?.items.length === 0 && <p className="text-sm text-soft">{t("settings.flags_none")}</p>}
      <ul className="mb-8 flex flex-col gap-2">
        {flags.data?.items.map((one) =>
          row(
            one.name,
            `${t("settings.flag_share", { percent: one.share_percent })} ${one.description ?? ""}`,
            "flags",
            () => setFlag(one),
          ),
        )}
      </ul>
      <SectionHead
        title={t("settings.values")}
        lead={t("settings.values_lead")}
        actions={manage && <Button onClick={() => setSetting("new")}>{t("settings.new_value")}</Button>}
      />
      {settings.error !== null && <Problem error={settings.error} retry={() => void settings.refetch()} />}
      {settings.data?.items.length === 0 && <p className="text-sm text-soft">{t("settings.values_none")}</p>}
      <ul className="flex flex-col gap-2">
        {settings.data?.items.map((one) =>
          row(one.name, JSON.stringify(one.value), "configuration", () => setSetting(one)),
        )}
      </ul>
      {setting !== null && (
        <SettingDialog
          known={setting === "new" ? null : setting}
          onClose={() => setSetting(null)}
          changed={() => void settings.refetch()}
        />
      )}
      {flag !== null && (
        <FlagDialog
          known={flag === "new" ? null : flag}
          onClose={() => setFlag(null)}
          changed={() => void flags.refetch()}
        />
      )}
      <Confirm
        open={removing !== null}
        title={t("settings.delete_title", { name: removing?.name ?? "" })}
        action={t("kit.delete")}
        busy={busy}
        onConfirm={() => void remove()}
        onClose={() => setRemoving(null)}
      >
        {t("settings.delete_text")}
      </Confirm>
    </>
  );
}

interface DialogProps<Known> {
  known: Known | null;
  onClose: () => void;
  changed: () => void;
}

function SettingDialog({ known, onClose, changed }: DialogProps<Setting>) {
  const [name, setName] = useState(known?.name ?? "");
  const [text, setText] = useState(known === null ? "" : JSON.stringify(known.value, null, 2));
  const { busy, run } = useAction();
  const submit = async (event: FormEvent) => {
    event.preventDefault();
    const done = await run(() =>
      api.PUT("/api/v1/configuration/{name}", {
        params: { path: { name } },
        body: { value: parsedValue(text) },
        ...(known === null ? {} : { headers: ifMatch(known.version) }),
      }),
    );
    if (!done) return;
    changed();
    onClose();
    toast(t("kit.saved"));
  };
  return (
    <Dialog open onClose={onClose} title={known?.name ?? t("settings.new_value")}>
      <form onSubmit={(event) => void submit(event)} className="flex flex-col gap-4">
        {known === null && (
          <TextField
            label={t("settings.name")}
            value={name}
            onChange={(event) => setName(event.target.value)}
            required
          />
        )}
        <TextArea
          label={t("settings.value")}
          hint={t("settings.value_hint")}
          className="font-mono"
          value={text}
          onChange={(event) => setText(event.target.value)}
          required
        />
        <DialogActions>
          <Button type="submit" tone="primary" busy={busy}>
            {t("shell.save")}
          </Button>
        </DialogActions>
      </form>
    </Dialog>
  );
}

function FlagDialog({ known, onClose, changed }: DialogProps<Flag>) {
  const [name, setName] = useState(known?.name ?? "");
  const [share, setShare] = useState(String(known?.share_percent ?? 100));
  const [by, setBy] = useState<(typeof BY)[number]>(known?.by ?? "call");
  const [description, setDescription] = useState(known?.description ?? "");
  const { busy, run } = useAction();
  const submit = async (event: FormEvent) => {
    event.preventDefault();
    const done = await run(() =>
      api.PUT("/api/v1/flags/{name}", {
        params: { path: { name } },
        body: { share_percent: Number(share), by, description },
        ...(known === null ? {} : { headers: ifMatch(known.version) }),
      }),
    );
    if (!done) return;
    changed();
    onClose();
    toast(t("kit.saved"));
  };
  return (
    <Dialog open onClose={onClose} title={known?.name ?? t("settings.new_flag")}>
      <form onSubmit={(event) => void submit(event)} className="flex flex-col gap-4">
        {known === null && (
          <TextField
            label={t("settings.name")}
            value={name}
            onChange={(event) => setName(event.target.value)}
            required
          />
        )}
        <TextField
          label={t("settings.share")}
          type="number"
          min={0}
          max={100}
          value={share}
          onChange={(event) => setShare(event.target.value)}
          required
        />
        <Select
          label={t("settings.by")}
          value={by}
          onChange={(event) => setBy(event.target.value as "call")}
          options={BY.map((value) => ({ value, label: t(`settings.by_${value}`) }))}
        />
        <TextField
          label={t("settings.description")}
          value={description}
          onChange={(e) => setDescription(e.target.value)}
        />
        <DialogActions>
          <Button type="submit" tone="primary" busy={busy}>
            {t("shell.save")}
          </Button>
        </DialogActions>
      </form>
    </Dialog>
  );
}
