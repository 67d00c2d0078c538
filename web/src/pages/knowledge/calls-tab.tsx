import { type FormEvent, useState } from "react";
import { $api, api } from "../../api/client";
import type { components } from "../../api/schema.gen";
import { t } from "../../i18n";
import { shortDate } from "../../ui/format";
import { CheckIcon } from "../../ui/icons";
import { Button } from "../../ui/kit/button";
import { Dialog, DialogActions } from "../../ui/kit/dialog";
import { TextArea, TextField } from "../../ui/kit/field";
import { Empty, Problem, Skeleton } from "../../ui/kit/page";
import { toast } from "../../ui/kit/toast";
import { useAction } from "../settings/action";
import { jobAccepted, refreshKnowledge } from "./jobs";

type Proposal = components["schemas"]["KnowledgeProposal"];

/** What recorded calls propose, and which calls were heard. */
export function CallsTab({ editable }: { editable: boolean }) {
  const proposals = $api.useQuery("get", "/api/v1/knowledge/proposals", {});
  const [changing, setChanging] = useState<Proposal | null>(null);
  const { busy, run } = useAction();
  if (proposals.isPending) return <Skeleton />;
  if (proposals.error !== null) return <Problem error={proposals.error} retry={() => void proposals.refetch()} />;
  const items = proposals.data.items;
  const accept = (one: Proposal) =>
    run(async () => {
      const { data } = await api.POST("/api/v1/knowledge/proposals/accept", { body: { ids: [one.id] } });
      if (data !== undefined) jobAccepted(data);
      refreshKnowledge();
      toast(t("knowledge.proposal_accepted"));
    });
  const reject = (one: Proposal) =>
    run(async () => {
      await api.POST("/api/v1/knowledge/proposals/reject", { body: { ids: [one.id] } });
      refreshKnowledge();
      toast(t("knowledge.proposal_rejected"));
    });
  return (
    <>
      {items.length === 0 ? (
        <Empty icon={<CheckIcon />} title={t("knowledge.no_proposals")}>
          {t("knowledge.no_proposals_text")}
        </Empty>
      ) : (
        <>
          <p className="mb-3 max-w-prose text-sm leading-relaxed text-soft">{t("knowledge.proposals_lead")}</p>
          <ul className="overflow-hidden rounded-2xl border border-line bg-card">
            {items.map((one) => (
              <li
                key={one.id}
                data-proposal={one.question}
                className="flex flex-wrap items-center gap-x-4 gap-y-2 border-b border-line px-4 py-3 text-sm last:border-0"
              >
                <span className="min-w-0 flex-1 basis-56">
                  <span className="block font-medium wrap-anywhere">{one.question}</span>
                  <span className="block wrap-anywhere">{one.answer}</span>
                  <span className="block text-xs text-soft">
                    {t("knowledge.proposal_from", { name: one.source, time: clock(one.from_ms) })}
                  </span>
                </span>
                {editable && (
                  <span className="flex flex-wrap items-center gap-2">
                    <Button size="sm" disabled={busy} onClick={() => void accept(one)}>
                      {t("knowledge.accept")}
                    </Button>
                    <Button size="sm" tone="ghost" disabled={busy} onClick={() => setChanging(one)}>
                      {t("knowledge.change")}
                    </Button>
                    <Button size="sm" tone="ghost" disabled={busy} onClick={() => void reject(one)}>
                      {t("knowledge.reject")}
                    </Button>
                  </span>
                )}
              </li>
            ))}
          </ul>
        </>
      )}
      <HeardCalls editable={editable} />
      {changing !== null && <ChangeDialog proposal={changing} onClose={() => setChanging(null)} />}
    </>
  );
}

function ChangeDialog({ proposal, onClose }: { proposal: Proposal; onClose: () => void }) {
  const [question, setQuestion] = useState(proposal.question);
  const [answer, setAnswer] = useState(proposal.answer);
  const { busy, run } = useAction();
  const submit = async (event: FormEvent) => {
    event.preventDefault();
    const ok = await run(async () => {
      const body = { question: question.trim(), answer: answer.trim() };
      await api.PUT("/api/v1/knowledge/proposals/{id}", { params: { path: { id: proposal.id } }, body });
      refreshKnowledge();
    });
    if (ok) onClose();
  };
  return (
    <Dialog open wide onClose={onClose} title={t("knowledge.change")}>
      <form onSubmit={(event) => void submit(event)} className="flex flex-col gap-4">
        <TextField
          label={t("knowledge.question")}
          value={question}
          maxLength={500}
          onChange={(event) => setQuestion(event.target.value)}
          required
        />
        <TextArea
          label={t("knowledge.answer")}
          rows={4}
          maxLength={5000}
          value={answer}
          onChange={(event) => setAnswer(event.target.value)}
          required
        />
        <DialogActions>
          <Button onClick={onClose}>{t("shell.cancel")}</Button>
          <Button type="submit" tone="primary" busy={busy}>
            {t("shell.save")}
          </Button>
        </DialogActions>
      </form>
    </Dialog>
  );
}

function HeardCalls({ editable }: { editable: boolean }) {
  const calls = $api.useQuery("get", "/api/v1/knowledge/recordings", {});
  const { busy, run } = useAction();
  const items = calls.data?.items ?? [];
  if (items.length === 0) return null;
  const forget = (id: string) =>
    run(async () => {
      await api.DELETE("/api/v1/knowledge/recordings/{id}", { params: { path: { id } } });
      refreshKnowledge(id);
      toast(t("knowledge.call_forgotten"));
    });
  return (
    <section className="mt-6">
      <h2 className="mb-2 text-sm font-semibold">{t("knowledge.heard_calls")}</h2>
      <ul className="overflow-hidden rounded-2xl border border-line bg-card">
        {items.map((call) => (
          <li
            key={call.id}
            className="flex flex-wrap items-center gap-x-4 gap-y-2 border-b border-line px-4 py-3 text-sm last:border-0"
          >
            <span className="min-w-0 flex-1 basis-56">
              <span className="block font-medium wrap-anywhere">{call.name}</span>
              <span className="block text-xs text-soft">
                {shortDate(call.at_ms)} ·{" "}
                {t("knowledge.heard_detail", {
                  minutes: Math.round(call.duration_ms / 60_000),
                  known: call.known,
                  personal: call.personal,
                })}
              </span>
            </span>
            {editable && (
              <Button size="sm" tone="ghost" disabled={busy} onClick={() => void forget(call.id)}>
                {t("knowledge.forget_call")}
              </Button>
            )}
          </li>
        ))}
      </ul>
    </section>
  );
}

function clock(ms: number): string {
  const seconds = Math.floor(ms / 1000);
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
}
