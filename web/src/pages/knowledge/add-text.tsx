import { type FormEvent, useState } from "react";
import { api } from "../../api/client";
import { t } from "../../i18n";
import { slugOf } from "../../lib/slug";
import { useAction } from "../../ui/kit/action";
import { Button } from "../../ui/kit/button";
import { Dialog, DialogActions } from "../../ui/kit/dialog";
import { TextArea, TextField } from "../../ui/kit/field";
import { toast } from "../../ui/kit/toast";
import { jobAccepted } from "./jobs";

const TEXT_CHARS_MAX = 1024 * 1024;

/** Its name in addresses: from the title, or a new one where no letter of the title can stand there. */
export function nameFrom(prefix: string, title: string): string {
  const slug = slugOf(title);
  return `${prefix}${slug === "" ? Date.now().toString(36) : slug}`;
}

export function TextDialog({ onClose }: { onClose: () => void }) {
  const [title, setTitle] = useState("");
  const [text, setText] = useState("");
  const { busy, run } = useAction();
  const submit = async (event: FormEvent) => {
    event.preventDefault();
    const done = await run(async () => {
      const body = { name: nameFrom("", title), title: title.trim(), text };
      const { data } = await api.POST("/api/v1/knowledge/texts", { body });
      if (data !== undefined) jobAccepted(data);
      toast(t("knowledge.accepted"));
    });
    if (done) onClose();
  };
  return (
    <Dialog open wide onClose={onClose} title={t("knowledge.add_text")} description={t("knowledge.add_text_lead")}>
      <form onSubmit={(event) => void submit(event)} className="flex flex-col gap-4">
        <TextField
          label={t("knowledge.doc_title")}
          hint={t("knowledge.doc_title_hint")}
          value={title}
          maxLength={200}
          onChange={(event) => setTitle(event.target.value)}
          required
        />
        <TextArea
          label={t("knowledge.text")}
          hint={t("knowledge.text_hint")}
          rows={10}
          maxLength={TEXT_CHARS_MAX}
          value={text}
          onChange={(event) => setText(event.target.value)}
          required
        />
        <DialogActions>
          <Button onClick={onClose}>{t("shell.cancel")}</Button>
          <Button type="submit" tone="primary" busy={busy}>
            {t("knowledge.take_in")}
          </Button>
        </DialogActions>
      </form>
    </Dialog>
  );
}
