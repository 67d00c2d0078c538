import { type FormEvent, useState } from "react";
import { api } from "../../api/client";
import { t, wordsOf } from "../../i18n";
import { linesOf } from "../../lib/words";
import { useAction } from "../../ui/kit/action";
import { Button } from "../../ui/kit/button";
import { Dialog, DialogActions } from "../../ui/kit/dialog";
import { Select, TextArea, TextField } from "../../ui/kit/field";
import { toast } from "../../ui/kit/toast";
import { type Entity, KINDS } from "./graph";
import { refreshKnowledge } from "./jobs";

/** A thing by its kind, its name, and what else it is called. */
export function EntityDialog({
  known,
  onClose,
  saved,
}: {
  known: Entity | null;
  onClose: () => void;
  saved: (entity: Entity) => void;
}) {
  const [name, setName] = useState(known?.name ?? "");
  const [kind, setKind] = useState(known?.kind ?? "product");
  const [aliases, setAliases] = useState(known?.aliases.join("\n") ?? "");
  const { busy, run } = useAction();
  const submit = async (event: FormEvent) => {
    event.preventDefault();
    const body = {
      kind,
      name: name.trim(),
      aliases: linesOf(aliases),
    };
    const done = await run(async () => {
      const { data } =
        known === null
          ? await api.POST("/api/v1/knowledge/entities", { body })
          : await api.PUT("/api/v1/knowledge/entities/{id}", { params: { path: { id: known.id } }, body });
      refreshKnowledge();
      toast(t("kit.saved"));
      if (data !== undefined) saved(data);
    });
    if (done) onClose();
  };
  return (
    <Dialog
      open
      onClose={onClose}
      title={known === null ? t("graph.add") : t("kit.edit")}
      description={t("graph.entity_text")}
    >
      <form onSubmit={(event) => void submit(event)} className="flex flex-col gap-4">
        <TextField
          label={t("settings.name")}
          maxLength={120}
          value={name}
          onChange={(event) => setName(event.target.value)}
          required
        />
        <Select
          label={t("graph.kind")}
          value={kind}
          onChange={(event) => setKind(event.target.value)}
          options={KINDS.map((value) => ({ value, label: wordsOf("entity_kinds", value) ?? value }))}
        />
        <TextArea
          label={t("graph.aliases")}
          hint={t("graph.aliases_hint")}
          rows={3}
          value={aliases}
          onChange={(event) => setAliases(event.target.value)}
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
