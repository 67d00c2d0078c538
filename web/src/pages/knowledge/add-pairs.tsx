import { type ReactNode, useState } from "react";
import { api } from "../../api/client";
import { t } from "../../i18n";
import { TextArea, TextField } from "../../ui/kit/field";
import { FormDialog } from "../../ui/kit/form-dialog";
import { EditRows } from "../../ui/kit/rows";
import { toast } from "../../ui/kit/toast";
import { nameFrom } from "./add-text";
import { jobAccepted } from "./jobs";

interface Pair {
  question: string;
  answer: string;
}

/** As it is sent. */
export function trimmed({ question, answer }: Pair): Pair {
  return { question: question.trim(), answer: answer.trim() };
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
  const [pairs, setPairs] = useState<Pair[]>([{ question: question ?? "", answer: "" }]);
  const [title, setTitle] = useState("");
  const submit = async () => {
    const called = title.trim() === "" ? (pairs[0]?.question ?? "").trim() : title.trim();
    const body = { name: nameFrom("answers-", called), title: called.slice(0, 200), pairs: pairs.map(trimmed) };
    const { data } = await api.POST("/api/v1/knowledge/pairs", { body });
    if (data !== undefined) jobAccepted(data);
    await done?.();
    toast(t("knowledge.accepted"));
    onClose();
  };
  const another = {
    label: t("knowledge.another_pair"),
    fresh: () => ({ question: "", answer: "" }),
    size: "md",
  } as const;
  return (
    <FormDialog
      wide
      cancel
      title={question === undefined ? t("knowledge.add_pairs") : t("knowledge.answer_it")}
      description={t("knowledge.add_pairs_lead")}
      action={t("knowledge.take_in")}
      submit={submit}
      onClose={onClose}
    >
      {question === undefined && (
        <TextField
          label={t("knowledge.doc_title")}
          hint={t("knowledge.pairs_title_hint")}
          value={title}
          maxLength={200}
          onChange={(event) => setTitle(event.target.value)}
        />
      )}
      <EditRows
        items={pairs}
        set={setPairs}
        name={(_, at) => t("knowledge.pair", { number: at + 1 })}
        rowsMin={1}
        look="flex flex-col gap-3 rounded-xl border border-line p-3.5"
        {...(question === undefined ? { add: another } : {})}
        layout={(rows, add) => (
          <>
            {rows}
            {add}
          </>
        )}
      >
        {({ item, set, remove }) => <PairFields pair={item} set={set} aside={remove} />}
      </EditRows>
    </FormDialog>
  );
}

/** A question with its answer. */
export function PairFields({ pair, set, aside }: { pair: Pair; set: (pair: Pair) => void; aside?: ReactNode }) {
  return (
    <>
      <div className="flex items-end gap-2">
        <div className="min-w-0 flex-1">
          <TextField
            label={t("knowledge.question")}
            value={pair.question}
            maxLength={500}
            onChange={(event) => set({ ...pair, question: event.target.value })}
            required
          />
        </div>
        {aside}
      </div>
      <TextArea
        label={t("knowledge.answer")}
        rows={3}
        maxLength={5000}
        value={pair.answer}
        onChange={(event) => set({ ...pair, answer: event.target.value })}
        required
      />
    </>
  );
}
