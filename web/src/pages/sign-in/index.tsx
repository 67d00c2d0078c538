import { Link, useLocation, useNavigate, useSearch } from "@tanstack/react-router";
import { type FormEvent, type ReactNode, useDeferredValue, useState } from "react";
import { $api, api } from "../../api/client";
import { ApiError, asApiError } from "../../api/problem";
import type { components } from "../../api/schema.gen";
import { meQuery } from "../../auth/me";
import { keepSession } from "../../auth/session";
import { t } from "../../i18n";
import { slugOf } from "../../lib/slug";
import { queryClient } from "../../shell/query-client";
import { Button } from "../../ui/kit/button";
import { TextField } from "../../ui/kit/field";
import { Problem } from "../../ui/kit/page";
import { toast } from "../../ui/kit/toast";
import { Frame } from "./frame";
import { tokenIn } from "./search";

type Options = components["schemas"]["SignInOptions"];

/** What a form sends and how it went; the first problem stays until the next try. */
function useSubmit(work: () => Promise<void>) {
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<ApiError | null>(null);
  const submit = async (event: FormEvent) => {
    event.preventDefault();
    setBusy(true);
    setProblem(null);
    try {
      await work();
    } catch (error) {
      setProblem(asApiError(error));
    }
    setBusy(false);
  };
  return { busy, problem, submit };
}

/** The session is open: go where the person wanted to go, as whoever they are now. */
function useEnter(): (expiresInSecs: number, to: string) => Promise<void> {
  const navigate = useNavigate();
  return async (expiresInSecs, to) => {
    keepSession(expiresInSecs);
    queryClient.clear();
    await queryClient.fetchQuery(meQuery);
    await navigate({ to });
  };
}

export default function SignInPage() {
  const { to = "/" } = useSearch({ from: "/sign-in" });
  const [email, setEmail] = useState("");
  const [password, setPassword] = useState("");
  const [business, setBusiness] = useState<string | null>(null);
  const [code, setCode] = useState<string | null>(null);
  const options = useOptions(business);
  const enter = useEnter();
  const { busy, problem, submit } = useSubmit(async () => {
    const body = { email, password, cookies: true, ...(business ? { business } : {}), ...(code ? { code } : {}) };
    try {
      const { data } = await api.POST("/api/v1/auth/login", { body });
      if (data !== undefined) await enter(data.expires_in, to);
    } catch (error) {
      if (!(error instanceof ApiError) || error.code !== "second_factor_required") throw error;
      setCode("");
    }
  });
  if (code !== null) {
    return (
      <Frame title={t("sign_in.code_title")} lead={t("sign_in.code_lead", { email })}>
        <Form submit={submit} busy={busy} problem={problem} action={t("sign_in.submit")}>
          <TextField
            label={t("sign_in.code")}
            hint={t("sign_in.code_hint")}
            value={code}
            onChange={(event) => setCode(event.target.value)}
            autoComplete="one-time-code"
            autoFocus
            required
          />
        </Form>
        <Button tone="ghost" className="mt-3 w-full" onClick={() => setCode(null)}>
          {t("sign_in.other_account")}
        </Button>
      </Frame>
    );
  }
  return (
    <Frame title={t("sign_in.title")} lead={t("sign_in.lead")}>
      <Form submit={submit} busy={busy} problem={problem} action={t("sign_in.submit")}>
        <EmailField value={email} onChange={setEmail} />
        <PasswordField value={password} onChange={setPassword} />
        {business === null ? (
          <button
            type="button"
            onClick={() => setBusiness("")}
            className="w-fit text-[0.8125rem] text-soft underline decoration-line underline-offset-4 hover:text-ink"
          >
            {t("sign_in.has_business")}
          </button>
        ) : (
          <TextField
            label={t("sign_in.business")}
            hint={t("sign_in.business_hint")}
            value={business}
            onChange={(event) => setBusiness(event.target.value)}
          />
        )}
      </Form>
      <Directories options={options} to={to} />
      {options?.registration !== false && (
        <p className="mt-6 text-sm text-soft">
          {t("sign_in.no_account")}{" "}
          <Link to="/register" className="font-medium text-accent-deep underline underline-offset-4">
            {t("sign_in.register")}
          </Link>
        </p>
      )}
      <p className="mt-3 text-[0.8125rem] leading-relaxed text-soft">
        <Link to="/forgot" className="font-medium text-accent-deep underline underline-offset-4">
          {t("sign_in.forgot_link")}
        </Link>
      </p>
    </Frame>
  );
}

/** How people get in here, of the business that they named. */
function useOptions(business: string | null): Options | undefined {
  const named = useDeferredValue(business?.trim() ?? "");
  const query = named === "" ? {} : { business: named };
  return $api.useQuery("get", "/api/v1/auth/options", { params: { query } }, { retry: false, staleTime: 60_000 }).data;
}

/** Directories of the business: they know who somebody is. */
function Directories({ options, to }: { options: Options | undefined; to: string }) {
  const providers = options?.identity_providers ?? [];
  if (providers.length === 0) return null;
  return (
    <div className="mt-6">
      <p className="mb-3 flex items-center gap-3 text-xs text-soft before:h-px before:flex-1 before:bg-line after:h-px after:flex-1 after:bg-line">
        {t("sign_in.or")}
      </p>
      <ul className="flex flex-col gap-2">
        {providers.map(({ name, start_url }) => {
          const url = new URL(start_url, window.location.origin);
          url.searchParams.set("return_to", to);
          return (
            <li key={start_url}>
              <a
                href={url.href}
                className="flex h-11 items-center justify-center rounded-xl border border-line bg-card px-5 text-[0.9375rem] font-medium hover:bg-sunken"
              >
                {t("sign_in.with", { name })}
              </a>
            </li>
          );
        })}
      </ul>
    </div>
  );
}

/** Says the same whether or not the account exists, as the server does. */
export function ForgotPage() {
  const [email, setEmail] = useState("");
  const [sent, setSent] = useState(false);
  const { busy, problem, submit } = useSubmit(async () => {
    await api.POST("/api/v1/auth/password/forgot", { body: { email } });
    setSent(true);
  });
  return (
    <Frame title={t("sign_in.forgot_title")} lead={sent ? t("sign_in.forgot_sent") : t("sign_in.forgot_lead")}>
      {problem?.code === "mail_not_configured" ? (
        <p role="alert" className="text-sm leading-relaxed">
          {t("sign_in.forgot")}
        </p>
      ) : (
        !sent && (
          <Form submit={submit} busy={busy} problem={problem} action={t("sign_in.forgot_submit")}>
            <EmailField value={email} onChange={setEmail} />
          </Form>
        )
      )}
      <p className="mt-6 text-sm">
        <Link to="/sign-in" className="font-medium text-accent-deep underline underline-offset-4">
          {t("sign_in.submit")}
        </Link>
      </p>
    </Frame>
  );
}

export function RegisterPage() {
  const [name, setName] = useState("");
  const [slug, setSlug] = useState<string | null>(null);
  const [person, setPerson] = useState("");
  const [email, setEmail] = useState("");
  const [password, setPassword] = useState("");
  const enter = useEnter();
  const shortName = slug ?? slugOf(name);
  const { busy, problem, submit } = useSubmit(async () => {
    const time_zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
    await api.POST("/api/v1/auth/register", {
      body: { business_name: name, slug: shortName, name: person, email, password, time_zone },
    });
    const { data } = await api.POST("/api/v1/auth/login", {
      body: { email, password, business: shortName, cookies: true },
    });
    toast(t("sign_in.registered"));
    if (data !== undefined) await enter(data.expires_in, "/start");
  });
  return (
    <Frame title={t("sign_in.register_title")} lead={t("sign_in.register_lead")}>
      <Form submit={submit} busy={busy} problem={problem} action={t("sign_in.register_submit")}>
        <TextField
          label={t("sign_in.business_name")}
          value={name}
          onChange={(event) => setName(event.target.value)}
          autoComplete="organization"
          required
        />
        <TextField
          label={t("sign_in.slug")}
          hint={t("sign_in.slug_hint")}
          value={shortName}
          onChange={(event) => setSlug(event.target.value)}
          pattern="[a-z0-9][a-z0-9\-]{1,39}"
          required
        />
        <TextField
          label={t("sign_in.your_name")}
          value={person}
          onChange={(event) => setPerson(event.target.value)}
          autoComplete="name"
          required
        />
        <EmailField value={email} onChange={setEmail} />
        <PasswordField value={password} onChange={setPassword} fresh />
      </Form>
      <SignInLink />
    </Frame>
  );
}

export function InvitationPage() {
  const given = tokenIn(useLocation().hash);
  const [typed, setToken] = useState("");
  const token = given ?? typed;
  const [name, setName] = useState("");
  const [password, setPassword] = useState("");
  const enter = useEnter();
  const { busy, problem, submit } = useSubmit(async () => {
    const body = { token, name, password, cookies: true };
    const { data } = await api.POST("/api/v1/auth/invitations/accept", { body });
    if (data !== undefined) await enter(data.expires_in, "/");
  });
  return (
    <Frame title={t("sign_in.invitation_title")} lead={t("sign_in.invitation_lead")}>
      <Form submit={submit} busy={busy} problem={problem} action={t("sign_in.invitation_submit")}>
        {given === null && <TokenField value={typed} onChange={setToken} />}
        <TextField
          label={t("sign_in.your_name")}
          value={name}
          onChange={(event) => setName(event.target.value)}
          autoComplete="name"
          required
        />
        <PasswordField value={password} onChange={setPassword} fresh />
      </Form>
      <SignInLink />
    </Frame>
  );
}

export function ResetPage() {
  const given = tokenIn(useLocation().hash);
  const [typed, setToken] = useState("");
  const token = given ?? typed;
  const [password, setPassword] = useState("");
  const navigate = useNavigate();
  const { busy, problem, submit } = useSubmit(async () => {
    await api.POST("/api/v1/auth/password/reset", { body: { token, password } });
    toast(t("sign_in.reset_done"));
    await navigate({ to: "/sign-in" });
  });
  return (
    <Frame title={t("sign_in.reset_title")} lead={t("sign_in.reset_lead")}>
      <Form submit={submit} busy={busy} problem={problem} action={t("sign_in.reset_submit")}>
        {given === null && <TokenField value={typed} onChange={setToken} />}
        <PasswordField value={password} onChange={setPassword} fresh />
      </Form>
      <SignInLink />
    </Frame>
  );
}

function Form({
  submit,
  busy,
  problem,
  action,
  children,
}: {
  submit: (event: FormEvent) => Promise<void>;
  busy: boolean;
  problem: ApiError | null;
  action: string;
  children: ReactNode;
}) {
  return (
    <form onSubmit={(event) => void submit(event)} className="flex flex-col gap-4">
      {problem !== null && <Problem error={problem} />}
      {children}
      <Button type="submit" tone="primary" size="lg" busy={busy} className="mt-1 w-full">
        {action}
      </Button>
    </form>
  );
}

interface Controlled {
  value: string;
  onChange: (value: string) => void;
}

function EmailField({ value, onChange }: Controlled) {
  return (
    <TextField
      label={t("sign_in.email")}
      type="email"
      value={value}
      onChange={(event) => onChange(event.target.value)}
      autoComplete="username"
      required
    />
  );
}

function PasswordField({ value, onChange, fresh = false }: Controlled & { fresh?: boolean }) {
  return (
    <TextField
      label={fresh ? t("sign_in.password_new") : t("sign_in.password")}
      {...(fresh ? { hint: t("sign_in.password_hint"), minLength: 10 } : {})}
      type="password"
      value={value}
      onChange={(event) => onChange(event.target.value)}
      autoComplete={fresh ? "new-password" : "current-password"}
      required
    />
  );
}

function TokenField({ value, onChange }: Controlled) {
  return (
    <TextField
      label={t("sign_in.token")}
      hint={t("sign_in.token_hint")}
      value={value}
      onChange={(event) => onChange(event.target.value)}
      autoComplete="off"
      required
    />
  );
}

function SignInLink() {
  return (
    <p className="mt-6 text-sm text-soft">
      {t("sign_in.has_account")}{" "}
      <Link to="/sign-in" className="font-medium text-accent-deep underline underline-offset-4">
        {t("sign_in.submit")}
      </Link>
    </p>
  );
}
