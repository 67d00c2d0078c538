import { useInfiniteQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useState } from "react";
import { $api, api } from "../../api/client";
import type { components } from "../../api/schema.gen";
import { t } from "../../i18n";
import { linesOf } from "../../lib/words";
import { MoreIcon, PlusIcon } from "../../ui/icons";
import { useAction } from "../../ui/kit/action";
import { Button, IconButton } from "../../ui/kit/button";
import { Select, TextArea, TextField } from "../../ui/kit/field";
import { FormDialog } from "../../ui/kit/form-dialog";
import { Menu } from "../../ui/kit/menu";
import { Badge, Card, Problem, Skeleton } from "../../ui/kit/page";
import { toast } from "../../ui/kit/toast";
import { refreshKnowledge } from "./jobs";

type Question = components["schemas"]["KnowledgeQuestion"];
const PAGE_SIZE = 50;
const PASTED_MAX = 500;

/** The evaluation set: questions of which the answer is known, or known to be none. */
export function QuestionSet({ editable }: { editable: boolean }) {
  const [editing, setEditing] = useState<Question | "new" | "many" | null>(null);
  const { busy, run } = useAction();
  const questions = useInfiniteQuery({
    queryKey: ["get", "/api/v1/knowledge/questions", "pages"],
    queryFn: async ({ pageParam, signal }) => {
      const query = { limit: PAGE_SIZE, ...(pageParam === "" ? {} : { cursor: pageParam }) };
      return (await api.GET("/api/v1/knowledge/questions", { params: { query }, signal })).data;
    },
    initialPageParam: "",
    getNextPageParam: (page) => page?.next_cursor ?? undefined,
  });
  const rows = questions.data?.pages.flatMap((page) => page?.items ?? []) ?? [];
  const generate = () =>
    run(async () => {
      const { data } = await api.POST("/api/v1/knowledge/questions/generate", {});
      void refreshKnowledge();
      toast(t("knowledge.generated", { count: data?.items.length ?? 0 }));
    });
  const remove = (id: string) =>
    run(async () => {
      await api.DELETE("/api/v1/knowledge/questions/{id}", { params: { path: { id } } });
      void refreshKnowledge();
    });
  return (
    <Card
      title={t("knowledge.question_set")}
      actions={
        editable && (
          <span className="flex flex-wrap justify-end gap-2">
            <Button size="sm" busy={busy} onClick={() => void generate()}>
              {t("knowledge.generate")}
            </Button>
            <Button size="sm" onClick={() => setEditing("many")}>
              {t("knowledge.paste_many")}
            </Button>
            <Button size="sm" icon={<PlusIcon className="size-4" />} onClick={() => setEditing("new")}>
              {t("knowledge.add_question")}
            </Button>
          </span>
        )
      }
    >
      <p className="mb-3 max-w-prose text-sm leading-relaxed text-soft">{t("knowledge.question_set_text")}</p>
      {questions.isPending && <Skeleton rows={2} />}
      {questions.error !== null && <Problem error={questions.error} retry={() => void questions.refetch()} />}
      <ul className="divide-y divide-line">
        {rows.map((one) => (
          <li key={one.id} data-question={one.question} className="flex items-center gap-3 py-2.5 text-sm">
            <span className="min-w-0 flex-1">
              <Link
                to="/knowledge"
                search={{ tab: "try", question: one.question }}
                className="font-medium wrap-anywhere hover:underline"
              >
                {one.question}
              </Link>
              <span className="block text-xs text-soft wrap-anywhere">
                {one.expected == null ? t("knowledge.expected_decline") : `→ ${one.expected}`}
              </span>
            </span>
            {one.origin === "generated" && <Badge>{t("knowledge.origin_generated")}</Badge>}
            {editable && (
              <Menu
                trigger={
                  <IconButton size="sm" label={t("settings.actions_for", { name: one.question })}>
                    <MoreIcon className="size-4.5" />
                  </IconButton>
                }
                items={[
                  { label: t("kit.edit"), onSelect: () => setEditing(one) },
                  { label: t("kit.delete"), danger: true, onSelect: () => void remove(one.id) },
                ]}
              />
            )}
          </li>
        ))}
      </ul>
      {questions.hasNextPage && (
        <Button
          size="sm"
          className="mt-3"
          busy={questions.isFetchingNextPage}
          onClick={() => void questions.fetchNextPage()}
        >
          {t("kit.more")}
        </Button>
      )}
      {editing === "many" && <ManyDialog onClose={() => setEditing(null)} />}
      {editing !== null && editing !== "many" && (
        <QuestionDialog known={editing === "new" ? null : editing} onClose={() => setEditing(null)} />
      )}
    </Card>
  );
}

function QuestionDialog({ known, onClose }: { known: Question | null; onClose: () => void }) {
  const [question, setQuestion] = useState(known?.question ?? "");
  const [expected, setExpected] = useState(known?.expected ?? "");
  const [declines, setDeclines] = useState(known !== null && known.expected == null);
  const documents =
    $api.useQuery("get", "/api/v1/knowledge/documents", { params: { query: { limit: 100 } } }).data?.items ?? [];
  const submit = async () => {
    const body = { question: question.trim(), expected: declines ? null : expected.trim() };
    if (known === null) await api.POST("/api/v1/knowledge/questions", { body: { questions: [body] } });
    else await api.PUT("/api/v1/knowledge/questions/{id}", { params: { path: { id: known.id } }, body });
    void refreshKnowledge();
    toast(t("kit.saved"));
    onClose();
  };
  return (
    <FormDialog
      cancel
      title={known === null ? t("knowledge.add_question") : t("kit.edit")}
      description={t("knowledge.question_lead")}
      submit={submit}
      onClose={onClose}
    >
      <TextField
        label={t("knowledge.question")}
        value={question}
        maxLength={500}
        onChange={(event) => setQuestion(event.target.value)}
        required
      />
      <Select
        label={t("knowledge.expectation")}
        value={declines ? "decline" : "answer"}
        onChange={(event) => setDeclines(event.target.value === "decline")}
        options={[
          { value: "answer", label: t("knowledge.expect_answer") },
          { value: "decline", label: t("knowledge.expected_decline") },
        ]}
      />
      {!declines && (
        <>
          <TextField
            label={t("knowledge.expected")}
            hint={t("knowledge.expected_hint")}
            list="knowledge-titles"
            value={expected}
            maxLength={500}
            onChange={(event) => setExpected(event.target.value)}
            required
          />
          <datalist id="knowledge-titles">
            {documents.map(({ name, title }) => (
              <option key={name} value={title} />
            ))}
          </datalist>
        </>
      )}
    </FormDialog>
  );
}

/** As `frontdesk knowledge eval` reads them: the heading or `-`, a tab, the question. */
export function questionsOf(text: string): { question: string; expected: string | null }[] {
  return linesOf(text).map((line) => {
    const [first = "", ...rest] = line.split("\t");
    const question = rest.join(" ").trim();
    if (question === "") return { question: first.trim(), expected: null };
    return { question, expected: first.trim() === "-" || first.trim() === "" ? null : first.trim() };
  });
}

function ManyDialog({ onClose }: { onClose: () => void }) {
  const [text, setText] = useState("");
  const questions = questionsOf(text);
  const submit = async () => {
    for (let from = 0; from < questions.length; from += PASTED_MAX) {
      const body = { questions: questions.slice(from, from + PASTED_MAX) };
      await api.POST("/api/v1/knowledge/questions", { body });
    }
    void refreshKnowledge();
    toast(t("knowledge.generated", { count: questions.length }));
    onClose();
  };
  return (
    <FormDialog
      wide
      cancel
      title={t("knowledge.paste_many")}
      description={t("knowledge.paste_many_lead")}
      action={t("knowledge.add_questions", { count: questions.length })}
      incomplete={questions.length === 0}
      submit={submit}
      onClose={onClose}
    >
      <TextArea
        label={t("knowledge.question_set")}
        rows={10}
        className="font-mono text-[0.8125rem]"
        placeholder={"Opening hours\tare you open on Monday\n-\tdo you sell cars"}
        value={text}
        onChange={(event) => setText(event.target.value)}
        required
      />
    </FormDialog>
  );
}
