import { useState } from "react";
import { $api, api, ifMatch } from "../../api/client";
import type { components } from "../../api/schema.gen";
import { useCan } from "../../auth/me";
import { t } from "../../i18n";
import { dollars } from "../../ui/format";
import { Button } from "../../ui/kit/button";
import { DraftActions, type Edit, useDraft } from "../../ui/kit/draft";
import { type Option, Select, TextField } from "../../ui/kit/field";
import { Badge, Card, Problem, Skeleton } from "../../ui/kit/page";
import { EditRows } from "../../ui/kit/rows";
import { NumberField } from "../../ui/kit/typed";
import { UnsavedGuard } from "../../ui/kit/unsaved";
import { placed } from "./outgoing-order";
import { usePlatforms } from "./platforms";
import { SectionHead } from "./section";

type Rule = components["schemas"]["PrefixRule"];
type Price = components["schemas"]["OutgoingPrice"];
interface Plan {
  rules: Rule[];
  prices: Price[];
}

const PREFIX = "\\+[0-9]{0,15}";
const MICROS = 1_000_000;
const MINUTE_USD_MAX = 1000;
const ROW = "grid items-end gap-3 sm:grid-cols-[8rem_minmax(0,1fr)_minmax(0,1fr)_auto]";

/** Over which phone platform calls go out, and why. */
export function OutgoingCalls() {
  const known = $api.useQuery("get", "/api/v1/outgoing", {});
  const edit = useDraft(known.data, {
    formOf: ({ plan: { rules = [], prices = [] } }) => ({ rules, prices }),
    send: async (body, { version }) => (await api.PUT("/api/v1/outgoing", { headers: ifMatch(version), body })).data,
    refetch: known.refetch,
  });
  const platforms = usePlatforms().filter(({ capabilities }) => capabilities.includes("place"));
  const titleOf = (name: string) => platforms.find((one) => one.name === name)?.title ?? name;
  const options = platforms.map(({ name, title, ready }) => ({
    value: name,
    label: ready ? title : t("agents.not_set_up", { title }),
  }));
  // A new row names one over which calls can go.
  const first = platforms.find(({ ready }) => ready) ?? platforms[0];
  return (
    <section className="mt-10" aria-label={t("outgoing.title")} data-outgoing="">
      <SectionHead title={t("outgoing.title")} lead={t("outgoing.lead")} />
      {known.isPending && <Skeleton rows={2} />}
      {known.error !== null && <Problem error={known.error} retry={() => void known.refetch()} />}
      {edit !== null && (
        <Card>
          <PlanForm edit={edit} platforms={options} first={first?.name} />
          <Ways titleOf={titleOf} />
        </Card>
      )}
    </section>
  );
}

function PlanForm({ edit, platforms, first }: PartProps & { edit: Edit<Plan> }) {
  const { form } = edit;
  const { rules, prices } = form;
  const manage = useCan()("numbers:manage");
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        void edit.save();
      }}
    >
      <fieldset disabled={!manage} className="flex flex-col gap-6">
        <legend className="sr-only">{t("outgoing.title")}</legend>
        <Rules rules={rules} platforms={platforms} first={first} set={(rules) => edit.set({ ...form, rules })} />
        <Prices prices={prices} platforms={platforms} first={first} set={(prices) => edit.set({ ...form, prices })} />
        {manage && <DraftActions edit={edit} />}
      </fieldset>
      <UnsavedGuard dirty={edit.dirty} />
    </form>
  );
}

interface PartProps {
  platforms: Option[];
  first: string | undefined;
}

function Rules({ rules, platforms, first, set }: PartProps & { rules: Rule[]; set: (rules: Rule[]) => void }) {
  return (
    <div className="flex flex-col gap-3">
      <p className="text-sm font-medium">{t("outgoing.rules")}</p>
      <EditRows
        items={rules}
        set={set}
        name={(_, at) => t("outgoing.rule", { number: at + 1 })}
        none={t("outgoing.no_rules")}
        look={ROW}
        add={{
          label: t("outgoing.add_rule"),
          fresh: () => ({ prefix: "+", carriers: [first ?? ""] }),
          disabled: first === undefined,
        }}
      >
        {({ item: rule, set, remove }) => (
          <>
            <Prefix value={rule.prefix} set={(prefix) => set({ ...rule, prefix })} />
            {[0, 1].map((place) => (
              <Select
                key={place}
                label={t(place === 0 ? "outgoing.first" : "outgoing.second")}
                value={rule.carriers[place] ?? ""}
                onChange={(event) => set({ ...rule, carriers: placed(rule.carriers, place, event.target.value) })}
                options={[
                  ...(place === 0 ? [] : [{ value: "", label: t("outgoing.any") }]),
                  ...withChosen(platforms, rule.carriers[place]),
                ]}
              />
            ))}
            {remove}
          </>
        )}
      </EditRows>
    </div>
  );
}

function Prices({ prices, platforms, first, set }: PartProps & { prices: Price[]; set: (prices: Price[]) => void }) {
  return (
    <div className="flex flex-col gap-3">
      <p className="text-sm font-medium">{t("outgoing.prices")}</p>
      <EditRows
        items={prices}
        set={set}
        name={(_, at) => t("outgoing.price", { number: at + 1 })}
        none={t("outgoing.no_prices")}
        look={ROW}
        add={{
          label: t("outgoing.add_price"),
          fresh: () => ({ carrier: first ?? "", prefix: "+", minute_usd_micros: 10_000 }),
          disabled: first === undefined,
        }}
      >
        {({ item: price, set, remove }) => (
          <>
            <Prefix value={price.prefix} set={(prefix) => set({ ...price, prefix })} />
            <Select
              label={t("settings.carrier")}
              value={price.carrier}
              onChange={(event) => set({ ...price, carrier: event.target.value })}
              options={withChosen(platforms, price.carrier)}
            />
            <NumberField
              label={t("outgoing.minute")}
              min={0}
              max={MINUTE_USD_MAX}
              step="any"
              value={price.minute_usd_micros / MICROS}
              set={(dollars) => set({ ...price, minute_usd_micros: Math.round(dollars * MICROS) })}
            />
            {remove}
          </>
        )}
      </EditRows>
    </div>
  );
}

function Prefix({ value, set }: { value: string; set: (prefix: string) => void }) {
  return (
    <TextField
      label={t("outgoing.prefix")}
      type="tel"
      pattern={PREFIX}
      title={t("outgoing.prefix_title")}
      placeholder="+49"
      value={value}
      onChange={(event) => set(event.target.value.trim())}
      required
    />
  );
}

/** Also one that calls can no longer be placed over: what is kept is what is shown. */
function withChosen(platforms: Option[], chosen: string | undefined): Option[] {
  if (chosen === undefined || platforms.some(({ value }) => value === chosen)) return platforms;
  return [...platforms, { value: chosen, label: t("agents.not_set_up", { title: chosen }) }];
}

/** Which way a call to a number would take now. */
function Ways({ titleOf }: { titleOf: (name: string) => string }) {
  const [to, setTo] = useState("");
  const [asked, setAsked] = useState("");
  const ways = $api.useQuery(
    "get",
    "/api/v1/outgoing/ways",
    { params: { query: { to: asked } } },
    { enabled: asked !== "" },
  );
  return (
    <form
      className="mt-6 flex flex-col gap-3 border-t border-line pt-6"
      onSubmit={(event) => {
        event.preventDefault();
        if (asked === to) void ways.refetch();
        setAsked(to);
      }}
    >
      <div className="grid gap-3 sm:grid-cols-[minmax(0,1fr)_auto]">
        <TextField
          label={t("outgoing.try")}
          hint={t("outgoing.try_hint")}
          type="tel"
          pattern="\+[0-9]{5,15}"
          placeholder="+4940555017"
          value={to}
          onChange={(event) => setTo(event.target.value)}
          required
        />
        <Button type="submit" className="justify-self-start sm:mt-6.5" busy={ways.isFetching}>
          {t("outgoing.show")}
        </Button>
      </div>
      {ways.error !== null && <Problem error={ways.error} />}
      <div aria-live="polite">
        {ways.data?.items.length === 0 && <p className="text-sm text-soft">{t("outgoing.none")}</p>}
        {ways.data !== undefined && ways.data.items.length > 0 && (
          <ol className="flex flex-col gap-2" aria-label={t("outgoing.ways")}>
            {ways.data.items.map((way) => (
              <Way key={way.carrier} way={way} title={titleOf(way.carrier)} />
            ))}
          </ol>
        )}
      </div>
    </form>
  );
}

function Way({ way, title }: { way: components["schemas"]["WayOutView"]; title: string }) {
  return (
    <li data-way={way.carrier} className="flex flex-wrap items-center gap-2 text-sm">
      <span className="font-medium">{title}</span>
      <span className="text-soft tabular-nums">{way.from}</span>
      {way.minute_usd_micros != null && (
        <span className="text-soft">{t("agents.minute_costs", { cost: dollars(way.minute_usd_micros) })}</span>
      )}
      <span className="text-soft">{t("outgoing.answered", { percent: way.answered_percent, count: way.asked })}</span>
      {way.reasons.map((reason) => (
        <Badge key={reason} tone={reason === "unwell" || reason === "poor_sound" ? "warn" : "plain"}>
          {t(`outgoing.why_${reason}`)}
        </Badge>
      ))}
    </li>
  );
}
