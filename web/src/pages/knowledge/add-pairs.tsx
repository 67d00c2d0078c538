import { type FormEvent, useState } from "react";
import { api } from "../../api/client";
import { t } from "../../i18n";
import { CloseIcon, PlusIcon } from "../../ui/icons";
import { Button, IconButton } from "../../ui/kit/button";
import { Dialog, DialogActions } from "../../ui/kit/dialog";
import { TextArea, TextField } from "../../ui/kit/field";
import { toast } from "../../ui/kit/toast";
import { useAction } from "../settings/action";
import { nameFrom } from "./add-text";
import { jobAccepted } from "./jobs";

interface Pair {
  key: number;
  question: string;
  answer: string;
}

/**
 * Questions with their answers, as one document. With `question`, the answer to one that customers asked; `done` runs once
 * it is taken.
 */
export function PairsDialog({
  onClose,
  question,
  done,
}: {
  onClose: () => void;
  question?: string;
  done?: () => Promise<void>;
}) {
  const [pairs, setPairs] = useState<Pair[]>([{ key: 0, question: question ?? "", answer: "" }]);
  const [title, setTitle] = useState("");
  const { busy, run } = useAction();
  const change = (key: number, next: Partial<Pair>) =>
    setPairs(pairs.map((one) => (one.key === key ? { ...one, ...next } : one)));
  const submit = async (event: FormEvent) => {
    event.preventDefault();
    const called = title.trim() === "" ? (pairs[0]?.question ?? "").trim() : title.trim();
    const ok = await run(async () => {
      const body = {
        name: nameFrom("answers-", called),
        title: called.slice(0, 200),
        pairs: pairs.map((one) => ({ question: one.question.trim(), answer: one.answer.trim() })),
      };
      const { data } = await api.POST("/api/v1/knowledge/pairs", { body });
      if (data !== undefined) jobAccepted(data);
      await done?.();
      toast(t("knowledge.accepted"));
    });
    if (ok) onClose();
  };
  return (
    <Dialog
      open
      wide
      onClose={onClose}
      title={question === undefined ? t("knowledge.add_pairs") : t("knowledge.answer_it")}
      description={t("knowledge.add_pairs_lead")}
    >
      <form onSubmit={(event) => void submit(event)} className="flex flex-col gap-4">
        {question === undefined && (
          <TextField
            label={t("knowledge.doc_title")}
            hint={t("knowledge.pairs_title_hint")}
            value={title}
            maxLength={200}
            onChange={(event) => setTitle(event.target.value)}
          />
        )}
        {pairs.map((pair, index) => (
          <fieldset key={pair.key} className="flex flex-col gap-3 rounded-xl border border-line p-3.5">
            <legend className="sr-only">{t("knowledge.pair", { number: index + 1 })}</legend>
            <div className="flex items-end gap-2">
              <div className="min-w-0 flex-1">
                <TextField
                  label={t("knowledge.question")}
                  value={pair.question}
                  maxLength={500}
                  onChange={(event) => change(pair.key, { question: event.target.value })}
                  required
                />
              </div>
              {pairs.length > 1 && (
                <IconButton
                  label={t("kit.remove")}
                  onClick={() => setPairs(pairs.filter(({ key }) => key !== pair.key))}
                >
                  <CloseIcon className="size-4" />
                </IconButton>
              )}
            </div>
            <TextArea
              label={t("knowledge.answer")}
              rows={3}
              maxLength={5000}
              value={pair.answer}
              onChange={(event) => change(pair.key, { answer: event.target.value })}
              required
            />
          </fieldset>
        ))}
        {question === undefined && (
          <Button
            className="self-start"
            icon={<PlusIcon className="size-4" />}
            onClick={() =>
              setPairs([...pairs, { key: Math.max(...pairs.map(({ key }) => key)) + 1, question: "", answer: "" }])
            }
          >
            {t("knowledge.another_pair")}
          </Button>
        )}
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
