import type { FormEvent } from "react";
import { $api, api, ifMatch } from "../../api/client";
import type { components } from "../../api/schema.gen";
import { useCan } from "../../auth/me";
import { t } from "../../i18n";
import { zoneOptions } from "../../lib/zones";
import { Button } from "../../ui/kit/button";
import { DraftActions, type Edit, useDraft } from "../../ui/kit/draft";
import { Select, TextField } from "../../ui/kit/field";
import { Card, Problem, Skeleton } from "../../ui/kit/page";
import { UnsavedGuard } from "../../ui/kit/unsaved";
import { languageOptions } from "../agents/languages";
import { mergePatch } from "../agents/merge";
import { HoursEditor } from "./hours";
import { SectionHead } from "./section";

type Business = components["schemas"]["BusinessView"];
type Form = Omit<Business, "version">;
const TEXTS = ["phone", "email", "website", "address", "industry"] as const;

export function BusinessSection() {
  const business = $api.useQuery("get", "/api/v1/business", {});
  const edit = useDraft(business.data, { formOf, send, refetch: business.refetch });
  return (
    <>
      <SectionHead title={t("settings.business")} lead={t("settings.business_lead")} />
      {business.isPending && <Skeleton />}
      {business.error !== null && <Problem error={business.error} retry={() => void business.refetch()} />}
      {edit !== null && <Profile edit={edit} />}
    </>
  );
}

function formOf({ version: _, ...form }: Business): Form {
  return form;
}

/** Only what was changed. */
async function send(form: Form, base: Business) {
  const body: components["schemas"]["BusinessPatch"] = mergePatch({ ...formOf(base) }, { ...form });
  return (await api.PATCH("/api/v1/business", { params: { header: ifMatch(base.version) }, body })).data;
}

function Profile({ edit }: { edit: Edit<Form> }) {
  const editable = useCan()("business:manage");
  const { form } = edit;
  const set = (change: Partial<Form>) => edit.set({ ...form, ...change });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    void edit.save();
  };
  return (
    <Card>
      <form onSubmit={submit}>
        <fieldset disabled={!editable} className="grid gap-4 sm:grid-cols-2">
          <legend className="sr-only">{t("settings.business")}</legend>
          <TextField
            label={t("sign_in.business_name")}
            value={form.name}
            onChange={(e) => set({ name: e.target.value })}
            required
          />
          <Select
            label={t("settings.time_zone")}
            value={form.time_zone}
            onChange={(event) => set({ time_zone: event.target.value })}
            options={zoneOptions(form.time_zone)}
          />
          <Select
            label={t("agent_fields.language")}
            value={form.language ?? ""}
            onChange={(event) => set({ language: event.target.value === "" ? null : event.target.value })}
            options={[{ value: "", label: t("settings.not_said") }, ...languageOptions(form.language ?? "en")]}
          />
          {TEXTS.map((name) => (
            <TextField
              key={name}
              label={t(`settings.business_${name}`)}
              type={name === "phone" ? "tel" : name === "email" ? "email" : "text"}
              value={form[name] ?? ""}
              onChange={(event) => set({ [name]: event.target.value === "" ? null : event.target.value })}
            />
          ))}
          <div className="sm:col-span-2">
            {form.hours == null ? (
              <Button size="sm" onClick={() => set({ hours: { week: [] } })}>
                {t("settings.set_hours")}
              </Button>
            ) : (
              <HoursEditor hours={form.hours} set={(hours) => set({ hours })} disabled={!editable} />
            )}
          </div>
        </fieldset>
        {editable && (
          <div className="mt-5">
            <DraftActions edit={edit} />
          </div>
        )}
      </form>
      <UnsavedGuard dirty={edit.dirty} />
    </Card>
  );
}
