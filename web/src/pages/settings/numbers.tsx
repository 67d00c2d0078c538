import { useState } from "react";
import { $api, api, ifMatch } from "../../api/client";
import type { components } from "../../api/schema.gen";
import { useCan } from "../../auth/me";
import { t } from "../../i18n";
import { zoneOptions } from "../../lib/zones";
import { PhoneIcon, PlusIcon } from "../../ui/icons";
import { useAction } from "../../ui/kit/action";
import { Button } from "../../ui/kit/button";
import { Confirm } from "../../ui/kit/dialog";
import { Select, Switch, TextArea, TextField } from "../../ui/kit/field";
import { useFind } from "../../ui/kit/find";
import { FormDialog } from "../../ui/kit/form-dialog";
import { Badge, Empty, Problem, Skeleton } from "../../ui/kit/page";
import { toast } from "../../ui/kit/toast";
import { HoursEditor } from "./hours";
import { OutgoingCalls } from "./outgoing";
import { PlatformFacts, useCapability, usePlatforms } from "./platforms";
import { SectionHead } from "./section";

type Line = components["schemas"]["NumberView"];
type Route = components["schemas"]["HoursRoute"];
type Closed = components["schemas"]["Closed"];
type Overflow = components["schemas"]["Overflow"];
/** The simulated phone platform, which every installation has. */
const SIMULATED = "loopback";
const page = { params: { query: { limit: 100 } } };

export function NumbersSection() {
  const can = useCan();
  const manage = can("numbers:manage");
  const numbers = $api.useQuery("get", "/api/v1/numbers", page);
  const agents = $api.useQuery("get", "/api/v1/agents", page, { enabled: can("agents:read") }).data?.items ?? [];
  const platforms = usePlatforms();
  const titleOf = (carrier: string) => platforms.find(({ name }) => name === carrier)?.title ?? carrier;
  const unready = new Set(platforms.filter(({ ready }) => !ready).map(({ name }) => name));
  const [editing, setEditing] = useState<Line | "new" | null>(null);
  const [removing, setRemoving] = useState<Line | null>(null);
  const { busy, run } = useAction();
  const remove = () =>
    run(async () => {
      if (removing === null) return;
      await api.DELETE("/api/v1/numbers/{id}", { params: { path: { id: removing.id } } });
      await numbers.refetch();
      setRemoving(null);
    });
  const add = manage && (
    <Button tone="primary" icon={<PlusIcon className="size-4" />} onClick={() => setEditing("new")}>
      {t("settings.add_number")}
    </Button>
  );
  const agentName = (id: string) => agents.find((agent) => agent.id === id || agent.slug === id)?.name ?? id;
  const [shown, find] = useFind(numbers.data?.items, ({ number, label, agent }) =>
    [number, label, agentName(agent)].join(" "),
  );
  return (
    <>
      <SectionHead title={t("settings.numbers")} lead={t("settings.numbers_lead")} actions={add} />
      {numbers.isPending && <Skeleton />}
      {numbers.error !== null && <Problem error={numbers.error} retry={() => void numbers.refetch()} />}
      {numbers.data?.items.length === 0 && (
        <Empty icon={<PhoneIcon />} title={t("settings.numbers_none")} action={add}>
          {t("settings.numbers_none_text")}
        </Empty>
      )}
      {find}
      <ul className="flex flex-col gap-2">
        {shown.map((line) => (
          <li
            key={line.id}
            data-number={line.number}
            className="flex flex-wrap items-center gap-3 rounded-2xl border border-line bg-card px-4 py-3 text-sm"
          >
            <span className="min-w-0 flex-1 basis-56">
              <span className="flex flex-wrap items-center gap-2">
                <span className="font-medium tabular-nums">{line.number}</span>
                <Badge>{titleOf(line.carrier)}</Badge>
                {unready.has(line.carrier) && <Badge tone="warn">{t("settings.not_ready")}</Badge>}
                {line.hours != null && <Badge tone="live">{t("settings.by_hours")}</Badge>}
                {line.overflow != null && <Badge>{t("settings.overflows")}</Badge>}
              </span>
              <span className="text-soft">
                {line.label != null && `${line.label} · `}
                {t("settings.leads_to", { agent: agentName(line.agent) })}
              </span>
            </span>
            {manage && (
              <>
                <Button size="sm" onClick={() => setEditing(line)}>
                  {t("kit.edit")}
                  <span className="sr-only">{line.number}</span>
                </Button>
                <Button size="sm" tone="ghost" onClick={() => setRemoving(line)}>
                  {t("kit.delete")}
                  <span className="sr-only">{line.number}</span>
                </Button>
              </>
            )}
          </li>
        ))}
      </ul>
      <OutgoingCalls />
      {editing !== null && (
        <NumberDialog
          known={editing === "new" ? null : editing}
          usual={numbers.data?.items[0]?.carrier ?? SIMULATED}
          agents={agents.map(({ id, name }) => ({ value: id, label: name }))}
          onClose={() => setEditing(null)}
          changed={() => void numbers.refetch()}
        />
      )}
      <Confirm
        open={removing !== null}
        title={t("settings.delete_title", { name: removing?.number ?? "" })}
        action={t("kit.delete")}
        busy={busy}
        onConfirm={() => void remove()}
        onClose={() => setRemoving(null)}
      >
        {t("settings.number_delete_text")}
      </Confirm>
    </>
  );
}

/** Adds a number, or changes where it leads. */
export function NumberDialog({
  known,
  usual = SIMULATED,
  agents,
  onClose,
  changed,
}: {
  known: Line | null;
  /** The phone platform of the numbers that are there. */
  usual?: string;
  agents: { value: string; label: string }[];
  onClose: () => void;
  changed: () => void;
}) {
  const [number, setNumber] = useState(known?.number ?? "");
  const [chosenCarrier, setCarrier] = useState(known?.carrier ?? null);
  const carrier = chosenCarrier ?? usual;
  const platforms = usePlatforms().filter(({ has_numbers }) => has_numbers);
  const platform = platforms.find(({ name }) => name === carrier);
  // The agents may come after the dialog was opened.
  const [chosenAgent, setAgent] = useState(known?.agent ?? null);
  const agent = chosenAgent ?? agents[0]?.value ?? "";
  const [label, setLabel] = useState(known?.label ?? "");
  const [route, setRoute] = useState<Route | null>(known?.hours ?? null);
  const [overflow, setOverflow] = useState<Overflow | null>(known?.overflow ?? null);
  const forwards = useCapability(carrier, "transfer_cold");
  const submit = async () => {
    const fields = { agent, label: label === "" ? null : label, hours: route, overflow };
    if (known === null) await api.POST("/api/v1/numbers", { body: { number, carrier, ...fields } });
    else {
      await api.PATCH("/api/v1/numbers/{id}", {
        params: { path: { id: known.id }, header: ifMatch(known.version) },
        body: fields,
      });
    }
    toast(t("kit.saved"));
    changed();
    onClose();
  };
  return (
    <FormDialog
      wide
      title={known?.number ?? t("settings.add_number")}
      incomplete={agent === ""}
      submit={submit}
      onClose={onClose}
    >
      {known === null && (
        <div className="grid gap-4 sm:grid-cols-2">
          <TextField
            label={t("settings.number")}
            hint={t("settings.number_hint")}
            type="tel"
            pattern="\+[0-9]{5,15}"
            placeholder="+49405550199"
            value={number}
            onChange={(event) => setNumber(event.target.value)}
            required
          />
          <Select
            label={t("settings.carrier")}
            value={carrier}
            onChange={(event) => setCarrier(event.target.value)}
            options={platforms.map(({ name, title, ready }) => ({
              value: name,
              label: ready ? title : t("agents.not_set_up", { title }),
            }))}
          />
        </div>
      )}
      {platform !== undefined && <PlatformFacts platform={platform} />}
      <div className="grid gap-4 sm:grid-cols-2">
        <Select label={t("settings.agent")} value={agent} onChange={(e) => setAgent(e.target.value)} options={agents} />
        <TextField
          label={t("settings.label")}
          value={label}
          onChange={(e) => setLabel(e.target.value)}
          maxLength={200}
        />
      </div>
      <Switch
        label={t("settings.route_by_hours")}
        hint={t("settings.route_by_hours_hint")}
        checked={route !== null}
        onChange={(on) => setRoute(on ? { closed: { kind: "message", text: "" } } : null)}
      />
      {route !== null && <RouteFields route={route} set={setRoute} agents={agents} forwards={forwards} />}
      <OverflowFields overflow={overflow} set={setOverflow} forwards={forwards} />
    </FormDialog>
  );
}

function RouteFields({
  route,
  set,
  agents,
  forwards,
}: {
  route: Route;
  set: (route: Route) => void;
  agents: { value: string; label: string }[];
  forwards: boolean;
}) {
  const { closed } = route;
  const choose = (kind: string): Closed => {
    if (kind === "agent") return { kind, agent: agents[0]?.value ?? "" };
    return kind === "forward" ? { kind, to: "" } : { kind: "message", text: "" };
  };
  return (
    <>
      <Switch
        label={t("settings.own_hours")}
        hint={t("settings.own_hours_hint")}
        checked={route.hours != null}
        onChange={(on) => set({ ...route, hours: on ? { week: [] } : null })}
      />
      {route.hours != null && <HoursEditor hours={route.hours} set={(hours) => set({ ...route, hours })} />}
      <Select
        label={t("conduct.zone")}
        value={route.time_zone ?? ""}
        onChange={(event) => set({ ...route, time_zone: event.target.value === "" ? null : event.target.value })}
        options={[{ value: "", label: t("conduct.zone_of_business") }, ...zoneOptions(route.time_zone)]}
      />
      <Select
        label={t("settings.when_closed")}
        value={closed.kind}
        onChange={(event) => set({ ...route, closed: choose(event.target.value) })}
        options={[
          { value: "message", label: t("settings.closed_message") },
          { value: "agent", label: t("settings.closed_agent") },
          ...forwarding(forwards || closed.kind === "forward"),
        ]}
      />
      {closed.kind === "agent" ? (
        <Select
          label={t("settings.closed_agent")}
          value={closed.agent}
          onChange={(event) => set({ ...route, closed: { kind: "agent", agent: event.target.value } })}
          options={agents}
        />
      ) : (
        <Elsewhere place={closed} set={(closed) => set({ ...route, closed })} />
      )}
    </>
  );
}

/** Where callers go when no line is free. */
function OverflowFields({
  overflow,
  set,
  forwards,
}: {
  overflow: Overflow | null;
  set: (overflow: Overflow | null) => void;
  forwards: boolean;
}) {
  const choose = (kind: string): Overflow | null => {
    if (kind === "forward") return { kind, to: "" };
    return kind === "message" ? { kind, text: "" } : null;
  };
  return (
    <>
      <Select
        label={t("settings.when_full")}
        hint={t("settings.when_full_hint")}
        value={overflow?.kind ?? "busy"}
        onChange={(event) => set(choose(event.target.value))}
        options={[
          { value: "busy", label: t("settings.full_busy") },
          { value: "message", label: t("settings.closed_message") },
          ...forwarding(forwards || overflow?.kind === "forward"),
        ]}
      />
      {overflow !== null && <Elsewhere place={overflow} set={set} />}
    </>
  );
}

/** Offered only where the phone platform can connect callers with another number. */
function forwarding(can: boolean) {
  return can ? [{ value: "forward", label: t("settings.closed_forward") }] : [];
}

/** The words or the number of a place where no agent is. */
function Elsewhere({ place, set }: { place: Overflow; set: (place: Overflow) => void }) {
  return place.kind === "message" ? (
    <TextArea
      label={t("settings.closed_message")}
      rows={2}
      maxLength={1000}
      value={place.text}
      onChange={(event) => set({ kind: "message", text: event.target.value })}
      required
    />
  ) : (
    <TextField
      label={t("settings.forward_to")}
      hint={t("settings.forward_to_hint")}
      type="tel"
      pattern="\+[0-9]{5,15}"
      placeholder="+49405550199"
      value={place.to}
      onChange={(event) => set({ kind: "forward", to: event.target.value })}
      required
    />
  );
}
