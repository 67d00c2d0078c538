import { type FormEvent, useState } from "react";
import { $api, api, ifMatch } from "../../api/client";
import type { components } from "../../api/schema.gen";
import { useCan } from "../../auth/me";
import { t } from "../../i18n";
import { Check } from "../../ui/kit/check";
import { Confirm } from "../../ui/kit/dialog";
import { DraftActions, useDraft } from "../../ui/kit/draft";
import { TextField } from "../../ui/kit/field";
import { Card, Problem, Skeleton } from "../../ui/kit/page";
import { SectionHead } from "./section";

const TIMES = ["recordings", "transcripts", "numbers"] as const;
const REDACTIONS = ["digits", "emails"] as const;
type Redaction = (typeof REDACTIONS)[number];

interface Form {
  recordings: string;
  transcripts: string;
  numbers: string;
  redact: Redaction[];
}

type Known = components["schemas"]["PrivacyView"];

const daysOf = (text: string): number | null => (text.trim() === "" ? null : Number(text));

function formOf({ recordings_days, transcripts_days, numbers_days, redact }: Known): Form {
  const written = (days: number | null | undefined) => String(days ?? "");
  return {
    recordings: written(recordings_days),
    transcripts: written(transcripts_days),
    numbers: written(numbers_days),
    redact: redact ?? [],
  };
}

async function send({ recordings, transcripts, numbers, redact }: Form, { version }: Known) {
  const body = {
    recordings_days: daysOf(recordings),
    transcripts_days: daysOf(transcripts),
    numbers_days: daysOf(numbers),
    redact,
  };
  return (await api.PUT("/api/v1/privacy", { headers: ifMatch(version), body })).data;
}

/** How long what is kept, and what is taken out of it. */
export function PrivacySection() {
  const manage = useCan()("business:manage");
  const privacy = $api.useQuery("get", "/api/v1/privacy", {});
  const known = privacy.data;
  const edit = useDraft(known, { formOf, send, refetch: privacy.refetch });
  const [asking, setAsking] = useState(false);
  const save = async () => {
    if (await edit?.save()) setAsking(false);
  };
  const shorter = TIMES.some((name) => {
    const [before, now] = [known?.[`${name}_days`] ?? null, daysOf(edit?.form[name] ?? "")];
    return now !== null && (before === null || now < before);
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (shorter) setAsking(true);
    else void save();
  };
  return (
    <>
      <SectionHead title={t("privacy.title")} lead={t("privacy.lead")} />
      {privacy.isPending && <Skeleton rows={3} />}
      {privacy.error !== null && <Problem error={privacy.error} retry={() => void privacy.refetch()} />}
      {known !== undefined && edit !== null && (
        <Card>
          <form onSubmit={submit}>
            <fieldset disabled={!manage} className="flex flex-col gap-5">
              <legend className="sr-only">{t("privacy.title")}</legend>
              <div className="grid gap-4 sm:grid-cols-3">
                {TIMES.map((name) => (
                  <TextField
                    key={name}
                    type="number"
                    min={1}
                    max={3650}
                    label={`${t(`privacy.${name}_days`)} (${t("privacy.days")})`}
                    hint={t(`privacy.${name}_hint`)}
                    placeholder={t("privacy.as_long")}
                    value={edit.form[name]}
                    onChange={(event) => edit.set({ ...edit.form, [name]: event.target.value })}
                  />
                ))}
              </div>
              {known.installation_days != null && (
                <p className="text-sm text-soft">{t("privacy.installation", { days: known.installation_days })}</p>
              )}
              <fieldset>
                <legend className="text-sm font-medium">{t("privacy.redact")}</legend>
                <p className="mb-2 text-[0.8125rem] text-soft">{t("privacy.redact_hint")}</p>
                {REDACTIONS.map((name) => (
                  <Check
                    key={name}
                    label={t(`privacy.redact_${name}`)}
                    checked={edit.form.redact.includes(name)}
                    disabled={!manage}
                    onChange={(on) =>
                      edit.set({
                        ...edit.form,
                        redact: REDACTIONS.filter((one) => (one === name ? on : edit.form.redact.includes(one))),
                      })
                    }
                  />
                ))}
              </fieldset>
              {manage && <DraftActions edit={edit} />}
            </fieldset>
          </form>
        </Card>
      )}
      <Confirm
        open={asking}
        title={t("privacy.shorter_title")}
        action={t("shell.save")}
        busy={edit?.busy ?? false}
        onConfirm={() => void save()}
        onClose={() => setAsking(false)}
      >
        {t("privacy.shorter_text")}
      </Confirm>
    </>
  );
}
