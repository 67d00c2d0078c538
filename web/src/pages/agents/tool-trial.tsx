import { type FormEvent, useState } from "react";
import { $api } from "../../api/client";
import type { components } from "../../api/schema.gen";
import { t } from "../../i18n";
import { Button } from "../../ui/kit/button";
import { Dialog, DialogActions } from "../../ui/kit/dialog";
import { TextField } from "../../ui/kit/field";
import { Badge, Problem } from "../../ui/kit/page";
import type { Tool } from "./draft";

type Trial = components["schemas"]["TrialView"];

/** Asks a tool's service once, as a call would, and shows both sides of it. */
export function ToolTrial({ agent, tool, onClose }: { agent: string; tool: Tool; onClose: () => void }) {
  const [values, setValues] = useState<Record<string, string>>({});
  const trial = $api.useMutation("post", "/api/v1/agents/{agent}/tools/{tool}/test");
  const submit = (event: FormEvent) => {
    event.preventDefault();
    const given = Object.fromEntries(Object.entries(values).filter(([, value]) => value !== ""));
    trial.mutate({
      params: { path: { agent, tool: tool.name } },
      body: { arguments: given as Record<string, never> },
    });
  };
  return (
    <Dialog
      open
      wide
      onClose={onClose}
      title={t("tools.try_title", { name: tool.name })}
      description={tool.changes_state ? t("tools.try_changes") : t("tools.try_lead")}
    >
      <form onSubmit={submit} className="flex flex-col gap-4">
        {tool.parameters?.map(({ name, description, required }) => (
          <TextField
            key={name}
            label={name}
            hint={description}
            value={values[name] ?? ""}
            onChange={(event) => setValues({ ...values, [name]: event.target.value })}
            required={required !== false}
          />
        ))}
        {trial.error !== null && <Problem error={trial.error} />}
        {trial.data !== undefined && <Outcome trial={trial.data} />}
        <DialogActions>
          <Button onClick={onClose}>{t("shell.close")}</Button>
          <Button type="submit" tone="primary" busy={trial.isPending}>
            {t("tools.try")}
          </Button>
        </DialogActions>
      </form>
    </Dialog>
  );
}

function Outcome({ trial }: { trial: Trial }) {
  const parts: [string, string | null | undefined][] = [
    [t("tools.sent"), `${trial.request.method} ${trial.request.url}`],
    [t("tools.sent_body"), trial.request.body],
    [t("tools.answer"), trial.answer],
    [t("tools.result"), trial.result],
  ];
  return (
    <div role="status" className="rounded-xl border border-line p-3 text-sm">
      <p className="flex flex-wrap items-center gap-2">
        <Badge tone={trial.ok ? "good" : "bad"}>{trial.ok ? t("tools.worked") : t("tools.failed")}</Badge>
        {trial.status != null && <span className="font-mono text-xs">{trial.status}</span>}
        <span className="text-xs text-soft">{t("tools.took", { ms: trial.took_ms })}</span>
      </p>
      {trial.problem != null && <p className="mt-2 text-danger">{trial.problem}</p>}
      {parts.map(
        ([label, text]) =>
          text != null &&
          text !== "" && (
            <div key={label} className="mt-2">
              <p className="text-xs text-soft">{label}</p>
              <pre className="max-h-48 overflow-auto rounded-lg bg-sunken px-3 py-2 font-mono text-xs whitespace-pre-wrap wrap-anywhere">
                {text}
              </pre>
            </div>
          ),
      )}
    </div>
  );
}
