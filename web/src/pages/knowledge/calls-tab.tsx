import { useInfiniteQuery } from "@tanstack/react-query";
import { useState } from "react";
import { api } from "../../api/client";
import type { components } from "../../api/schema.gen";
import { t } from "../../i18n";
import { clock, shortDate } from "../../ui/format";
import { CheckIcon } from "../../ui/icons";
import { useAction } from "../../ui/kit/action";
import { Button } from "../../ui/kit/button";
import { CardItem, CardList } from "../../ui/kit/card-list";
import { Confirm } from "../../ui/kit/dialog";
import { FormDialog } from "../../ui/kit/form-dialog";
import { Empty, Problem, Skeleton } from "../../ui/kit/page";
import { useRowFocus } from "../../ui/kit/rows";
import { toast } from "../../ui/kit/toast";
import { PairFields, trimmed } from "./add-pairs";
import { jobAccepted, refreshKnowledge } from "./jobs";

type Proposal = components["schemas"]["KnowledgeProposal"];
type HeardCall = components["schemas"]["HeardCall"];

interface Page<T> {
  items: T[];
  next_cursor?: string | null;
}
interface PageQuery {
  limit: number;
  cursor?: string;
}
const PAGE_SIZE = 50;

function usePages<T>(path: string, read: (query: PageQuery, signal: AbortSignal) => Promise<{ data?: Page<T> }>) {
  const query = useInfiniteQuery({
    queryKey: ["get", path, "pages"],
    queryFn: async ({ pageParam, signal }) =>
      (await read({ limit: PAGE_SIZE, ...(pageParam === "" ? {} : { cursor: pageParam }) }, signal)).data,
    initialPageParam: "",
    getNextPageParam: (page) => page?.next_cursor ?? undefined,
  });
  return { query, items: query.data?.pages.flatMap((page) => page?.items ?? []) ?? [] };
}

/** What recorded calls propose, and which calls were heard. */
export function CallsTab({ editable }: { editable: boolean }) {
  const path = "/api/v1/knowledge/proposals";
  const { query: proposals, items } = usePages<Proposal>(path, (query, signal) =>
    api.GET(path, { params: { query }, signal }),
  );
  const [changing, setChanging] = useState<Proposal | null>(null);
  const { busy, run } = useAction();
  const { list, focusOn } = useRowFocus<HTMLDivElement>(items.length);
  if (proposals.isPending) return <Skeleton />;
  if (proposals.error !== null) return <Problem error={proposals.error} retry={() => void proposals.refetch()} />;
  /** The list is there again, without it, before the next one can be decided on. */
  const decide = (at: number, request: () => Promise<unknown>, done: string) =>
    run(async () => {
      await request();
      toast(done);
      focusOn(at, "action");
      await refreshKnowledge();
    });
  const accept = async (ids: string[]) => {
    const { data } = await api.POST("/api/v1/knowledge/proposals/accept", { body: { ids } });
    // None where somebody else decided meanwhile.
    if (data !== undefined) jobAccepted(data);
  };
  const reject = (ids: string[]) => api.POST("/api/v1/knowledge/proposals/reject", { body: { ids } });
  return (
    <>
      <div ref={list} tabIndex={-1} className="outline-none">
        {items.length === 0 ? (
          <Empty icon={<CheckIcon />} title={t("knowledge.no_proposals")}>
            {t("knowledge.no_proposals_text")}
          </Empty>
        ) : (
          <>
            <p className="mb-3 max-w-prose text-sm leading-relaxed text-soft">{t("knowledge.proposals_lead")}</p>
            <CardList>
              {items.map((one, at) => (
                <CardItem key={one.id} data-proposal={one.question} data-row="">
                  <ProposalWords proposal={one} />
                  {editable && (
                    <Decide
                      question={one.question}
                      busy={busy}
                      accept={() => void decide(at, () => accept([one.id]), t("knowledge.proposal_accepted"))}
                      change={() => setChanging(one)}
                      reject={() => void decide(at, () => reject([one.id]), t("knowledge.proposal_rejected"))}
                    />
                  )}
                </CardItem>
              ))}
            </CardList>
          </>
        )}
      </div>
      <More query={proposals} />
      <HeardCalls editable={editable} />
      {changing !== null && <ChangeDialog proposal={changing} onClose={() => setChanging(null)} />}
    </>
  );
}

function ProposalWords({ proposal }: { proposal: Proposal }) {
  return (
    <span className="min-w-0 flex-1 basis-56">
      <span className="block font-medium wrap-anywhere">{proposal.question}</span>
      <span className="block wrap-anywhere">{proposal.answer}</span>
      <span className="block text-xs text-soft">
        {t("knowledge.proposal_from", { name: proposal.source, time: clock(proposal.from_ms) })}
      </span>
    </span>
  );
}

interface DecideProps {
  question: string;
  busy: boolean;
  accept: () => void;
  change: () => void;
  reject: () => void;
}

function Decide({ question, busy, accept, change, reject }: DecideProps) {
  const about = <span className="sr-only">{question}</span>;
  return (
    <span className="flex flex-wrap items-center gap-2">
      <Button size="sm" disabled={busy} onClick={accept} data-row-action="">
        {t("knowledge.accept")}
        {about}
      </Button>
      <Button size="sm" tone="ghost" disabled={busy} onClick={change}>
        {t("kit.edit")}
        {about}
      </Button>
      <Button size="sm" tone="ghost" disabled={busy} onClick={reject}>
        {t("knowledge.reject")}
        {about}
      </Button>
    </span>
  );
}

function ChangeDialog({ proposal, onClose }: { proposal: Proposal; onClose: () => void }) {
  const [pair, setPair] = useState({ question: proposal.question, answer: proposal.answer });
  const submit = async () => {
    const { id } = proposal;
    await api.PUT("/api/v1/knowledge/proposals/{id}", { params: { path: { id } }, body: trimmed(pair) });
    void refreshKnowledge();
    toast(t("kit.saved"));
    onClose();
  };
  return (
    <FormDialog wide cancel title={t("kit.edit")} submit={submit} onClose={onClose}>
      <PairFields pair={pair} set={setPair} />
    </FormDialog>
  );
}

function HeardCalls({ editable }: { editable: boolean }) {
  const path = "/api/v1/knowledge/recordings";
  const { query: calls, items } = usePages<HeardCall>(path, (query, signal) =>
    api.GET(path, { params: { query }, signal }),
  );
  const [removing, setRemoving] = useState<HeardCall | null>(null);
  const { busy, run } = useAction();
  if (calls.error !== null) return <Problem error={calls.error} retry={() => void calls.refetch()} />;
  if (items.length === 0) return null;
  const remove = () =>
    run(async () => {
      if (removing === null) return;
      await api.DELETE("/api/v1/knowledge/recordings/{id}", { params: { path: { id: removing.id } } });
      await refreshKnowledge(removing.id);
      setRemoving(null);
      toast(t("knowledge.call_forgotten"));
    });
  return (
    <section className="mt-6">
      <h2 className="mb-2 text-sm font-semibold">{t("knowledge.heard_calls")}</h2>
      <CardList>
        {items.map((call) => (
          <CardItem key={call.id} data-heard={call.name}>
            <HeardWords call={call} />
            {editable && (
              <Button size="sm" tone="ghost" onClick={() => setRemoving(call)}>
                {t("knowledge.forget_call")}
                <span className="sr-only">{call.name}</span>
              </Button>
            )}
          </CardItem>
        ))}
      </CardList>
      <More query={calls} />
      <Confirm
        open={removing !== null}
        title={t("knowledge.forget_call_title", { name: removing?.name ?? "" })}
        action={t("knowledge.forget_call")}
        busy={busy}
        onConfirm={() => void remove()}
        onClose={() => setRemoving(null)}
      >
        {t("knowledge.forget_call_text")}
      </Confirm>
    </section>
  );
}

function HeardWords({ call }: { call: HeardCall }) {
  const { known, personal } = call;
  const minutes = Math.round(call.duration_ms / 60_000);
  return (
    <span className="min-w-0 flex-1 basis-56">
      <span className="block font-medium wrap-anywhere">{call.name}</span>
      <span className="block text-xs text-soft">
        {shortDate(call.at_ms)} · {t("knowledge.heard_detail", { minutes, known, personal })}
      </span>
    </span>
  );
}

interface Pages {
  hasNextPage: boolean;
  isFetchingNextPage: boolean;
  fetchNextPage: () => Promise<unknown>;
}

function More({ query }: { query: Pages }) {
  if (!query.hasNextPage) return null;
  return (
    <Button size="sm" className="mt-3" busy={query.isFetchingNextPage} onClick={() => void query.fetchNextPage()}>
      {t("kit.more")}
    </Button>
  );
}
