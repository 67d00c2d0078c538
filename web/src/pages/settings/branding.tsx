import { type CSSProperties, type FormEvent, useRef, useState } from "react";
import { $api, api, ifMatch } from "../../api/client";
import type { components } from "../../api/schema.gen";
import { useCan } from "../../auth/me";
import { t } from "../../i18n";
import { Logo, palette } from "../../shell/branding";
import { useAction } from "../../ui/kit/action";
import { Button } from "../../ui/kit/button";
import { Check } from "../../ui/kit/check";
import { Copyable } from "../../ui/kit/copy";
import { DraftActions, useDraft } from "../../ui/kit/draft";
import { TextField } from "../../ui/kit/field";
import { Badge, Card, Problem, Skeleton } from "../../ui/kit/page";
import { toast } from "../../ui/kit/toast";
import { SectionHead } from "./section";

const LOGO_BYTES_MAX = 256 * 1024;
const LOGO_TYPES = ["image/png", "image/jpeg", "image/webp"] as const;
const FIRST_COLORS = { primary: "#0f766e", accent: "#c2740c" } as const;

type Known = components["schemas"]["BrandingView"];

interface Form {
  name: string;
  primary: string | null;
  accent: string | null;
  domain: string;
}

const orNull = (text: string) => (text.trim() === "" ? null : text.trim());

function formOf({ name, primary_color, accent_color, domain }: Known): Form {
  return { name: name ?? "", primary: primary_color ?? null, accent: accent_color ?? null, domain: domain ?? "" };
}

async function send({ name, primary, accent, domain }: Form, { version }: Known) {
  const body = {
    name: orNull(name),
    primary_color: primary,
    accent_color: accent,
    domain: orNull(domain.toLowerCase()),
  };
  return (await api.PUT("/api/v1/branding", { headers: ifMatch(version), body })).data;
}

/** Name, logo and colours of the business. */
export function BrandingSection() {
  const manage = useCan()("business:manage");
  const branding = $api.useQuery("get", "/api/v1/branding", {});
  const known = branding.data;
  const edit = useDraft(known, { formOf, send, refetch: branding.refetch });
  const form = edit?.form ?? { name: "", primary: null, accent: null, domain: "" };
  const set = (change: Partial<Form>) => edit?.set({ ...form, ...change });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    void edit?.save();
  };
  const looks = {
    name: orNull(form.name),
    primary: form.primary,
    accent: form.accent,
    logo: known?.logo == null ? null : known.logo.url,
  };
  return (
    <>
      <SectionHead title={t("branding.title")} lead={t("branding.lead")} />
      {branding.isPending && <Skeleton rows={3} />}
      {branding.error !== null && <Problem error={branding.error} retry={() => void branding.refetch()} />}
      {known !== undefined && edit !== null && (
        <div className="flex flex-col gap-5">
          <Card>
            <form onSubmit={submit}>
              <fieldset disabled={!manage} className="flex flex-col gap-5">
                <legend className="sr-only">{t("branding.title")}</legend>
                <div className="grid gap-4 sm:grid-cols-2">
                  <TextField
                    label={t("branding.name")}
                    hint={t("branding.name_hint")}
                    maxLength={60}
                    value={form.name}
                    onChange={(event) => set({ name: event.target.value })}
                  />
                  <TextField
                    label={t("branding.domain")}
                    hint={t("branding.domain_hint")}
                    placeholder="calls.shop.example"
                    maxLength={253}
                    spellCheck={false}
                    value={form.domain}
                    onChange={(event) => set({ domain: event.target.value })}
                  />
                  {(["primary", "accent"] as const).map((name) => (
                    <ColorField
                      key={name}
                      name={name}
                      value={form[name]}
                      manage={manage}
                      set={(value) => set({ [name]: value })}
                    />
                  ))}
                </div>
                {manage && <DraftActions edit={edit} />}
              </fieldset>
            </form>
          </Card>
          {known.domain_proof != null && (
            <DomainCard
              domain={known.domain ?? ""}
              proof={known.domain_proof}
              manage={manage}
              changed={async () => {
                await branding.refetch();
              }}
            />
          )}
          <LogoCard
            present={known.logo != null}
            manage={manage}
            changed={async () => {
              await branding.refetch();
            }}
            picture={<Logo looks={looks} className="size-14" />}
          />
          <Card title={t("branding.preview")}>
            <div className="flex flex-wrap items-center gap-4" style={palette(looks) as CSSProperties}>
              <span className="flex items-center gap-2.5 text-sm font-semibold">
                <Logo looks={looks} className="size-7" />
                {looks.name}
              </span>
              <Button tone="primary">{t("branding.preview_button")}</Button>
              <span className="text-sm text-accent-deep underline underline-offset-4">
                {t("branding.preview_link")}
              </span>
              <Badge tone="live">{t("calls.now")}</Badge>
              <span className="text-sm font-medium text-caller-ink">{t("call.caller")}</span>
            </div>
          </Card>
        </div>
      )}
    </>
  );
}

/** A domain is used once a file on it says whose it is. */
function DomainCard({
  domain,
  proof,
  manage,
  changed,
}: {
  domain: string;
  proof: components["schemas"]["DomainProof"];
  manage: boolean;
  changed: () => Promise<void>;
}) {
  const [error, setError] = useState<unknown>(null);
  const [busy, setBusy] = useState(false);
  const prove = async () => {
    setBusy(true);
    setError(null);
    try {
      await api.POST("/api/v1/branding/domain/prove", {});
      await changed();
      toast(t("branding.domain_proven", { domain }));
    } catch (why) {
      setError(why);
    }
    setBusy(false);
  };
  const sign = proof.proven ? (
    <Badge tone="good">{t("branding.domain_used")}</Badge>
  ) : (
    <Badge tone="warn">{t("branding.domain_unproven")}</Badge>
  );
  return (
    <Card title={domain} actions={sign}>
      {proof.proven ? (
        <p className="text-sm leading-relaxed text-soft">{t("branding.domain_used_text")}</p>
      ) : (
        <div className="flex flex-col gap-4" data-domain-proof="">
          <p className="max-w-prose text-sm leading-relaxed text-soft">{t("branding.domain_unproven_text")}</p>
          <Copyable label={t("branding.domain_file")} value={proof.url} />
          <Copyable label={t("branding.domain_line")} value={proof.content} />
          {error !== null && <Problem error={error} />}
          {manage && (
            <Button busy={busy} onClick={() => void prove()} className="self-start">
              {t("branding.domain_prove")}
            </Button>
          )}
        </div>
      )}
    </Card>
  );
}

function ColorField({
  name,
  value,
  manage,
  set,
}: {
  name: "primary" | "accent";
  value: string | null;
  manage: boolean;
  set: (value: string | null) => void;
}) {
  return (
    <fieldset>
      <legend className="text-sm font-medium">{t(`branding.${name}`)}</legend>
      <p className="mb-2 text-[0.8125rem] leading-snug text-soft">{t(`branding.${name}_hint`)}</p>
      <div className="flex items-center gap-3">
        <Check
          label={t("branding.own_color")}
          checked={value !== null}
          disabled={!manage}
          onChange={(on) => set(on ? FIRST_COLORS[name] : null)}
        />
        {value !== null && (
          <>
            <input
              type="color"
              aria-label={t(`branding.${name}`)}
              value={value}
              onChange={(event) => set(event.target.value)}
              className="h-8 w-12 rounded-md border border-field bg-card p-0.5"
            />
            <code className="font-mono text-[0.8125rem]">{value}</code>
          </>
        )}
      </div>
    </fieldset>
  );
}

function LogoCard({
  present,
  manage,
  changed,
  picture,
}: {
  present: boolean;
  manage: boolean;
  changed: () => Promise<void>;
  picture: React.ReactNode;
}) {
  const input = useRef<HTMLInputElement>(null);
  const [error, setError] = useState<string | null>(null);
  const { busy, run } = useAction();
  const send = (file: File) => {
    setError(null);
    if (file.size > LOGO_BYTES_MAX) {
      setError(t("branding.logo_too_large"));
      return;
    }
    void run(async () => {
      await api.PUT("/api/v1/branding/logo", {
        // The document describes the bytes as numbers; a browser sends the file as it is.
        body: file as unknown as number[],
        bodySerializer: (body) => body as unknown as BodyInit,
        headers: { "content-type": file.type },
      });
      await changed();
      toast(t("branding.logo_saved"));
    });
  };
  const remove = () =>
    run(async () => {
      await api.DELETE("/api/v1/branding/logo", {});
      await changed();
    });
  return (
    <Card title={t("branding.logo")}>
      <div className="flex flex-wrap items-center gap-4">
        {picture}
        <div className="min-w-0 flex-1 basis-48">
          <p className="text-[0.8125rem] text-soft">{t("branding.logo_hint")}</p>
          {error !== null && (
            <p role="alert" className="text-[0.8125rem] text-danger">
              {error}
            </p>
          )}
        </div>
        {manage && (
          <>
            <input
              ref={input}
              type="file"
              hidden
              accept={LOGO_TYPES.join()}
              onChange={(event) => {
                const file = event.target.files?.[0];
                if (file !== undefined) send(file);
                event.target.value = "";
              }}
            />
            <Button busy={busy} onClick={() => input.current?.click()}>
              {t("branding.logo_choose")}
            </Button>
            {present && (
              <Button tone="ghost" disabled={busy} onClick={() => void remove()}>
                {t("branding.logo_remove")}
              </Button>
            )}
          </>
        )}
      </div>
    </Card>
  );
}
