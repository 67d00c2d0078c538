import { type FormEvent, useState } from "react";
import { $api, api, ifMatch } from "../../api/client";
import { useCan } from "../../auth/me";
import { t } from "../../i18n";
import { useAction } from "../../ui/kit/action";
import { Button } from "../../ui/kit/button";
import { Check } from "../../ui/kit/check";
import { Confirm } from "../../ui/kit/dialog";
import { TextField } from "../../ui/kit/field";
import { Card, Problem, Skeleton } from "../../ui/kit/page";
import { toast } from "../../ui/kit/toast";
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

const daysOf = (text: string): number | null => (text.trim() === "" ? null : Number(text));

/** How long what is kept, and what is taken out of it. */
export function PrivacySection() {
  const manage = useCan()("business:manage");
  const privacy = $api.useQuery("get", "/api/v1/privacy", {});
  const [changed, setChanged] = useState<Form | null>(null);
  const [asking, setAsking] = useState(false);
  const { busy, run } = useAction();
  const known = privacy.data;
  const form: Form = changed ?? {
    recordings: String(known?.recordings_days ?? ""),
    transcripts: String(known?.transcripts_days ?? ""),
    numbers: String(known?.numbers_days ?? ""),
    redact: known?.redact ?? [],
  };
  const set = (change: Partial<Form>) => setChanged({ ...form, ...change });
  const save = async () => {
    const done = await run(async () => {
      await api.PUT("/api/v1/privacy", {
        headers: ifMatch(known?.version ?? 0),
        body: {
          recordings_days: daysOf(form.recordings),
          transcripts_days: daysOf(form.transcripts),
          numbers_days: daysOf(form.numbers),
          redact: form.redact,
        },
      });
      await privacy.refetch();
      setChanged(null);
      toast(t("kit.saved"));
    });
    if (done) setAsking(false);
  };
  const shorter = TIMES.some((name) => {
    const [before, now] = [known?.[`${name}_days`] ?? null, daysOf(form[name])];
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
      {known !== undefined && (
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
                    value={form[name]}
                    onChange={(event) => set({ [name]: event.target.value })}
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
                    checked={form.redact.includes(name)}
                    disabled={!manage}
                    onChange={(on) =>
                      set({ redact: REDACTIONS.filter((one) => (one === name ? on : form.redact.includes(one))) })
                    }
                  />
                ))}
              </fieldset>
              {manage && (
                <Button type="submit" tone="primary" busy={busy} disabled={changed === null} className="self-start">
                  {t("shell.save")}
                </Button>
              )}
            </fieldset>
          </form>
        </Card>
      )}
      <Confirm
        open={asking}
        title={t("privacy.shorter_title")}
        action={t("shell.save")}
        busy={busy}
        onConfirm={() => void save()}
        onClose={() => setAsking(false)}
      >
        {t("privacy.shorter_text")}
      </Confirm>
    </>
  );
}
