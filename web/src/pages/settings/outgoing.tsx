import { type FormEvent, useState } from "react";
import { $api, api, ifMatch } from "../../api/client";
import type { components } from "../../api/schema.gen";
import { useCan } from "../../auth/me";
import { t } from "../../i18n";
import { CloseIcon, PlusIcon } from "../../ui/icons";
import { Button, IconButton } from "../../ui/kit/button";
import { Select, TextField } from "../../ui/kit/field";
import { Badge, Card, Problem, Skeleton } from "../../ui/kit/page";
import { toast } from "../../ui/kit/toast";
import { useAction } from "./action";
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

/** Over which phone platform calls go out, and why. */
export function OutgoingCalls() {
  const manage = useCan()("numbers:manage");
  const known = $api.useQuery("get", "/api/v1/outgoing", {});
  const platforms = usePlatforms().filter(({ capabilities }) => capabilities.includes("place"));
  const [changed, setChanged] = useState<Plan | null>(null);
  const { busy, run } = useAction();
  const { rules = [], prices = [] } = known.data?.plan ?? {};
  const plan = changed ?? { rules, prices };
  const save = (event: FormEvent) => {
    event.preventDefault();
    void run(async () => {
      await api.PUT("/api/v1/outgoing", { headers: ifMatch(known.data?.version ?? 0), body: plan });
      await known.refetch();
      setChanged(null);
      toast(t("kit.saved"));
    });
  };
  const names = platforms.map(({ name, title }) => ({ value: name, label: title }));
  return (
    <section className="mt-10" aria-label={t("outgoing.title")} data-outgoing="">
      <SectionHead title={t("outgoing.title")} lead={t("outgoing.lead")} />
      {known.isPending && <Skeleton rows={2} />}
      {known.error !== null && <Problem error={known.error} retry={() => void known.refetch()} />}
      {known.data !== undefined && (
        <Card>
          <form onSubmit={save}>
            <fieldset disabled={!manage} className="flex flex-col gap-6">
              <legend className="sr-only">{t("outgoing.title")}</legend>
              <Rules rules={plan.rules} names={names} set={(rules) => setChanged({ ...plan, rules })} />
              <Prices prices={plan.prices} names={names} set={(prices) => setChanged({ ...plan, prices })} />
              {manage && (
                <Button type="submit" tone="primary" className="self-start" busy={busy} disabled={changed === null}>
                  {t("shell.save")}
                </Button>
              )}
            </fieldset>
          </form>
          <Ways titleOf={(name) => platforms.find((one) => one.name === name)?.title ?? name} />
        </Card>
      )}
    </section>
  );
}

type Names = { value: string; label: string }[];

function Prefix({ value, set }: { value: string; set: (prefix: string) => void }) {
  return (
    <TextField
      label={t("outgoing.prefix")}
      type="tel"
      pattern={PREFIX}
      placeholder="+49"
      value={value}
      onChange={(event) => set(event.target.value)}
      required
    />
  );
}

function Rules({ rules, names, set }: { rules: Rule[]; names: Names; set: (rules: Rule[]) => void }) {
  return (
    <div className="flex flex-col gap-3">
      <p className="text-sm font-medium">{t("outgoing.rules")}</p>
      {rules.map((rule, at) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: a rule is its place; all of it is edited.
        <div key={at} className="grid items-end gap-3 sm:grid-cols-[8rem_minmax(0,1fr)_minmax(0,1fr)_auto]">
          <Prefix value={rule.prefix} set={(prefix) => set(rules.with(at, { ...rule, prefix }))} />
          {[0, 1].map((place) => (
            <Select
              key={place}
              label={t(place === 0 ? "outgoing.first" : "outgoing.second")}
              value={rule.carriers[place] ?? ""}
              onChange={(event) =>
                set(rules.with(at, { ...rule, carriers: placed(rule.carriers, place, event.target.value) }))
              }
              options={place === 0 ? names : [{ value: "", label: t("outgoing.any") }, ...names]}
            />
          ))}
          <IconButton label={t("outgoing.remove")} onClick={() => set(rules.toSpliced(at, 1))}>
            <CloseIcon className="size-4" />
          </IconButton>
        </div>
      ))}
      <Button
        size="sm"
        className="self-start"
        icon={<PlusIcon className="size-4" />}
        disabled={names.length === 0}
        onClick={() => set([...rules, { prefix: "+", carriers: [names[0]?.value ?? ""] }])}
      >
        {t("outgoing.add_rule")}
      </Button>
    </div>
  );
}

/** The order with one place given to another platform, or to none. */
function placed(carriers: string[], place: number, name: string): string[] {
  const rest = carriers.filter((one, at) => at !== place && one !== name);
  return name === "" ? rest : rest.toSpliced(place, 0, name);
}

function Prices({ prices, names, set }: { prices: Price[]; names: Names; set: (prices: Price[]) => void }) {
  return (
    <div className="flex flex-col gap-3">
      <p className="text-sm font-medium">{t("outgoing.prices")}</p>
      {prices.map((price, at) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: a price is its place; all of it is edited.
        <div key={at} className="grid items-end gap-3 sm:grid-cols-[8rem_minmax(0,1fr)_minmax(0,1fr)_auto]">
          <Prefix value={price.prefix} set={(prefix) => set(prices.with(at, { ...price, prefix }))} />
          <Select
            label={t("settings.carrier")}
            value={price.carrier}
            onChange={(event) => set(prices.with(at, { ...price, carrier: event.target.value }))}
            options={names}
          />
          <TextField
            label={t("outgoing.minute")}
            type="number"
            min={0}
            step={0.0001}
            value={price.minute_usd_micros / MICROS}
            onChange={(event) =>
              set(prices.with(at, { ...price, minute_usd_micros: Math.round(Number(event.target.value) * MICROS) }))
            }
          />
          <IconButton label={t("outgoing.remove")} onClick={() => set(prices.toSpliced(at, 1))}>
            <CloseIcon className="size-4" />
          </IconButton>
        </div>
      ))}
      <Button
        size="sm"
        className="self-start"
        icon={<PlusIcon className="size-4" />}
        disabled={names.length === 0}
        onClick={() => set([...prices, { carrier: names[0]?.value ?? "", prefix: "+", minute_usd_micros: 10_000 }])}
      >
        {t("outgoing.add_price")}
      </Button>
    </div>
  );
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
      <div className="flex flex-wrap items-end gap-3">
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
        <Button type="submit" busy={ways.isFetching}>
          {t("outgoing.show")}
        </Button>
      </div>
      {ways.error !== null && <Problem error={ways.error} />}
      {ways.data?.items.length === 0 && <p className="text-sm text-soft">{t("outgoing.none")}</p>}
      <ol className="flex flex-col gap-2" aria-label={t("outgoing.ways")}>
        {(ways.data?.items ?? []).map((way) => (
          <li key={way.carrier} data-way={way.carrier} className="flex flex-wrap items-center gap-2 text-sm">
            <span className="font-medium">{titleOf(way.carrier)}</span>
            <span className="text-soft tabular-nums">{way.from}</span>
            <span className="text-soft">
              {t("outgoing.answered", { percent: way.answered_percent, count: way.asked })}
            </span>
            {way.reasons.map((reason) => (
              <Badge key={reason} tone={reason === "unwell" || reason === "poor_sound" ? "warn" : "plain"}>
                {t(`outgoing.why_${reason}`)}
              </Badge>
            ))}
          </li>
        ))}
      </ol>
    </form>
  );
}
