import { useQuery } from "@tanstack/react-query";
import { type ReactNode, useEffect, useState } from "react";
import { $api, api } from "../../api/client";
import { t } from "../../i18n";
import { linesOf } from "../../lib/words";
import { useAction } from "../../ui/kit/action";
import { Button } from "../../ui/kit/button";
import { useDraft } from "../../ui/kit/draft";
import { TextArea, TextField } from "../../ui/kit/field";
import { Badge, Card, Empty, Problem, Skeleton } from "../../ui/kit/page";
import { EditRows } from "../../ui/kit/rows";
import { toast } from "../../ui/kit/toast";
import { type EntityForm, formOf, type IntentForm, type LessonForm, lessonOf } from "./training";
import { TrainingTry } from "./training-try";
import { TrainingVersions } from "./training-versions";

const POLL_MS = 700;
/** Fewer examples than this teach little. */
const EXAMPLES_FEW = 5;

/** What customers want and what they name, taught by examples. */
export function TrainingTab({ agent, editable }: { agent: string; editable: boolean }) {
  const path = { params: { path: { agent } } };
  const known = $api.useQuery("get", "/api/v1/agents/{agent}/training", path);
  const refetch = async () => void (await known.refetch());
  const edit = useDraft(known.data, {
    formOf,
    send: async (form) => (await api.PUT("/api/v1/agents/{agent}/training", { ...path, body: lessonOf(form) })).data,
    refetch,
  });
  const [job, setJob] = useState<string | null>(null);
  const { busy, run } = useAction();
  const training = useTraining(job, async () => {
    setJob(null);
    await refetch();
  });
  if (known.error !== null) return <Problem error={known.error} retry={refetch} />;
  if (known.data === undefined || edit === null) return <Skeleton />;
  const { serving } = known.data;
  const { form, set } = edit;
  const nameless = [...form.intents, ...form.entities].some(({ name }) => name.trim() === "");
  const unsaid = form.intents.some(({ examples }) => linesOf(examples).length === 0);
  const train = () =>
    run(async () => {
      if (edit.dirty && !(await edit.save())) return;
      const { data } = await api.POST("/api/v1/agents/{agent}/train", path);
      setJob(data?.id ?? null);
    });
  return (
    <div className="flex flex-col gap-5">
      <Intents form={form} set={set} editable={editable} />
      <Entities form={form} set={set} editable={editable} />
      {editable && (
        <div className="flex flex-wrap items-center gap-2">
          <Button
            tone="primary"
            busy={busy || edit.busy || training}
            disabled={form.intents.length < 2 || nameless || unsaid}
            onClick={() => void train()}
          >
            {t("training.train")}
          </Button>
          <Button disabled={!edit.dirty || edit.busy || busy || nameless || unsaid} onClick={() => void edit.save()}>
            {t("shell.save")}
          </Button>
          <span className="text-sm text-soft" role="status">
            {training ? t("training.learning") : form.intents.length < 2 ? t("training.two_needed") : ""}
          </span>
        </div>
      )}
      {serving > 0 && <TrainingTry agent={agent} serving={serving} />}
      <TrainingVersions agent={agent} serving={serving} editable={editable} changed={refetch} />
    </div>
  );
}

/** Whether the job runs; `over` is called once it does not. */
function useTraining(job: string | null, over: () => Promise<void>): boolean {
  const query = useQuery({
    queryKey: ["get", "/api/v1/knowledge/jobs/{id}", job],
    queryFn: async ({ signal }) =>
      (await api.GET("/api/v1/knowledge/jobs/{id}", { params: { path: { id: job ?? "" } }, signal })).data,
    enabled: job !== null,
    refetchInterval: POLL_MS,
  });
  const state = job === null ? undefined : query.data?.state;
  const failure = query.data?.error ?? query.data?.error_code;
  // biome-ignore lint/correctness/useExhaustiveDependencies: `over` is made anew with each drawing; the end comes once.
  useEffect(() => {
    if (state !== "done" && state !== "failed") return;
    toast(
      state === "done" ? t("training.learned") : t("training.failed"),
      state === "done" ? undefined : (failure ?? ""),
    );
    void over();
  }, [state, failure]);
  return job !== null && state !== "done" && state !== "failed";
}

interface PartProps {
  form: LessonForm;
  set: (form: LessonForm) => void;
  editable: boolean;
}

/** Where intents and entities stand: two beside each other where there is room, and what adds one in the head of the card. */
const ROW_LOOK = "flex flex-col gap-3 rounded-xl border border-line p-3.5";
const GRID = "mt-3 grid gap-3 md:grid-cols-2";

function Intents({ form, set, editable }: PartProps) {
  return (
    <EditRows
      items={form.intents}
      set={(intents) => set({ ...form, intents })}
      disabled={!editable}
      name={({ name }) => (name === "" ? t("training.intent") : name)}
      mark={({ name }) => ({ "data-intent": name })}
      look={ROW_LOOK}
      {...(editable ? { add: { label: t("training.add_intent"), fresh: () => ({ name: "", examples: "" }) } } : {})}
      layout={(rows, add) => (
        <Card title={t("training.intents")} actions={add}>
          <p className="max-w-prose text-sm leading-relaxed text-soft">{t("training.intents_text")}</p>
          {form.intents.length === 0 && (
            <div className="mt-3">
              <Empty title={t("training.no_intents")}>{t("training.no_intents_text")}</Empty>
            </div>
          )}
          {form.intents.length > 0 && <div className={GRID}>{rows}</div>}
        </Card>
      )}
    >
      {({ item, set, remove }) => <IntentFields intent={item} set={set} remove={remove} />}
    </EditRows>
  );
}

interface FieldsProps {
  remove: ReactNode;
}

function IntentFields({
  intent,
  set,
  remove,
}: FieldsProps & { intent: IntentForm; set: (intent: IntentForm) => void }) {
  const count = linesOf(intent.examples).length;
  return (
    <>
      <Name
        label={t("training.intent")}
        placeholder="rent_bike"
        value={intent.name}
        set={(name) => set({ ...intent, name })}
        remove={remove}
      />
      <TextArea
        label={t("training.examples")}
        rows={5}
        placeholder={t("training.examples_placeholder")}
        value={intent.examples}
        onChange={(event) => set({ ...intent, examples: event.target.value })}
      />
      <p className="-mt-1">
        <Badge tone={count < EXAMPLES_FEW ? "warn" : "good"}>{t("training.examples_count", { count })}</Badge>
      </p>
    </>
  );
}

function Entities({ form, set, editable }: PartProps) {
  const fresh = () => ({ name: "", pattern: "", values: "" });
  return (
    <EditRows
      items={form.entities}
      set={(entities) => set({ ...form, entities })}
      disabled={!editable}
      name={({ name }) => (name === "" ? t("training.entity") : name)}
      mark={({ name }) => ({ "data-entity": name })}
      look={ROW_LOOK}
      {...(editable ? { add: { label: t("training.add_entity"), fresh } } : {})}
      layout={(rows, add) => (
        <Card title={t("training.entities")} actions={add}>
          <p className="max-w-prose text-sm leading-relaxed text-soft">{t("training.entities_text")}</p>
          {form.entities.length > 0 && <div className={GRID}>{rows}</div>}
        </Card>
      )}
    >
      {({ item, set, remove }) => <EntityFields entity={item} set={set} remove={remove} />}
    </EditRows>
  );
}

function EntityFields({
  entity,
  set,
  remove,
}: FieldsProps & { entity: EntityForm; set: (entity: EntityForm) => void }) {
  return (
    <>
      <Name
        label={t("training.entity")}
        placeholder="bike"
        value={entity.name}
        set={(name) => set({ ...entity, name })}
        remove={remove}
      />
      <TextField
        label={t("training.pattern")}
        hint={t("training.pattern_hint")}
        placeholder="\bBC-[0-9]{4}\b"
        className="font-mono"
        spellCheck={false}
        maxLength={500}
        value={entity.pattern}
        onChange={(event) => set({ ...entity, pattern: event.target.value })}
      />
      <TextArea
        label={t("training.values")}
        hint={t("training.values_hint")}
        rows={3}
        placeholder="e-bike: pedelec, electric bike"
        value={entity.values}
        onChange={(event) => set({ ...entity, values: event.target.value })}
      />
    </>
  );
}

interface NameProps extends FieldsProps {
  label: string;
  placeholder: string;
  value: string;
  set: (name: string) => void;
}

function Name({ label, placeholder, value, set, remove }: NameProps) {
  return (
    <div className="flex items-end gap-2">
      <div className="min-w-0 flex-1">
        <TextField
          label={label}
          placeholder={placeholder}
          pattern="[A-Za-z0-9._\-]+"
          maxLength={100}
          value={value}
          onChange={(event) => set(event.target.value.replaceAll(/\s+/g, "_"))}
        />
      </div>
      {remove}
    </div>
  );
}
