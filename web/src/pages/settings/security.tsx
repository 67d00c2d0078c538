import { useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { renderSVG } from "uqr";
import { $api, api } from "../../api/client";
import type { components } from "../../api/schema.gen";
import { meQuery, useMe } from "../../auth/me";
import { t } from "../../i18n";
import { shortDate } from "../../ui/format";
import { useAction } from "../../ui/kit/action";
import { Button } from "../../ui/kit/button";
import { Copyable } from "../../ui/kit/copy";
import { Dialog, DialogActions } from "../../ui/kit/dialog";
import { TextField } from "../../ui/kit/field";
import { Badge, Card, Problem, Skeleton } from "../../ui/kit/page";
import { toast } from "../../ui/kit/toast";
import { SectionHead } from "./section";

/** What protects one's own account. */
export function SecuritySection() {
  return (
    <>
      <SectionHead title={t("settings.security")} lead={t("settings.security_lead")} />
      <div className="flex flex-col gap-5">
        <SecondFactor />
        <Password />
        <Sessions />
      </div>
    </>
  );
}

function SecondFactor() {
  const me = useMe();
  const client = useQueryClient();
  const { busy, run } = useAction();
  const [begun, setBegun] = useState<components["schemas"]["TotpBegun"] | null>(null);
  const [codes, setCodes] = useState<string[] | null>(null);
  const [asking, setAsking] = useState<"disable" | "recovery" | null>(null);
  const changed = () => client.invalidateQueries({ queryKey: meQuery.queryKey });
  const on = me.user?.mfa === true;
  const begin = () =>
    run(async () => {
      const { data } = await api.POST("/api/v1/auth/mfa");
      setBegun(data ?? null);
    });
  const confirm = (code: string) =>
    run(async () => {
      const { data } = await api.POST("/api/v1/auth/mfa/confirm", { body: { code } });
      setBegun(null);
      setCodes(data?.recovery_codes ?? []);
      await changed();
    });
  const disable = (code: string, password: string) =>
    run(async () => {
      await api.POST("/api/v1/auth/mfa/disable", { body: { code, password } });
      setAsking(null);
      toast(t("settings.mfa_is_off"));
      await changed();
    });
  const renew = (code: string) =>
    run(async () => {
      const { data } = await api.POST("/api/v1/auth/mfa/recovery-codes", { body: { code } });
      setAsking(null);
      setCodes(data?.recovery_codes ?? []);
      await changed();
    });
  return (
    <Card
      title={t("settings.mfa")}
      actions={<Badge tone={on ? "good" : "warn"}>{on ? t("settings.on") : t("settings.off")}</Badge>}
    >
      <p className="text-sm leading-relaxed text-soft">{t("settings.mfa_text")}</p>
      {on && me.recovery_codes_left != null && (
        <p className="mt-1 text-sm text-soft">{t("settings.codes_left", { count: me.recovery_codes_left })}</p>
      )}
      <div className="mt-4 flex flex-wrap gap-2">
        {on ? (
          <>
            <Button onClick={() => setAsking("recovery")}>{t("settings.new_codes")}</Button>
            <Button onClick={() => setAsking("disable")}>{t("settings.mfa_disable")}</Button>
          </>
        ) : (
          <Button tone="primary" busy={busy} onClick={() => void begin()}>
            {t("settings.mfa_enable")}
          </Button>
        )}
      </div>
      {begun !== null && (
        <Dialog
          open
          onClose={() => setBegun(null)}
          title={t("settings.mfa_enable")}
          description={t("settings.mfa_scan")}
        >
          <img
            alt={t("settings.qr")}
            src={`data:image/svg+xml;utf8,${encodeURIComponent(renderSVG(begun.url, { border: 3 }))}`}
            className="mx-auto mb-4 size-52 rounded-xl bg-white"
          />
          <Copyable label={t("settings.mfa_by_hand")} value={begun.secret} />
          <CodeForm busy={busy} action={t("settings.mfa_confirm")} submit={(code) => void confirm(code)} />
        </Dialog>
      )}
      {asking !== null && (
        <Dialog
          open
          onClose={() => setAsking(null)}
          title={asking === "disable" ? t("settings.mfa_disable") : t("settings.new_codes")}
        >
          <CodeForm
            busy={busy}
            password={asking === "disable"}
            action={asking === "disable" ? t("settings.mfa_disable") : t("settings.new_codes")}
            submit={(code, password) => void (asking === "disable" ? disable(code, password) : renew(code))}
          />
        </Dialog>
      )}
      {codes !== null && (
        <Dialog open onClose={() => setCodes(null)} title={t("settings.codes")} description={t("settings.codes_text")}>
          <Copyable label={t("settings.codes")} value={codes.join("\n")} multiline />
          <DialogActions>
            <Button tone="primary" onClick={() => setCodes(null)}>
              {t("settings.secret_kept")}
            </Button>
          </DialogActions>
        </Dialog>
      )}
    </Card>
  );
}

function CodeForm({
  submit,
  busy,
  action,
  password: asksPassword = false,
}: {
  submit: (code: string, password: string) => void;
  busy: boolean;
  action: string;
  password?: boolean;
}) {
  const [code, setCode] = useState("");
  const [password, setPassword] = useState("");
  return (
    <form
      className="mt-4 flex flex-col gap-4"
      onSubmit={(event) => {
        event.preventDefault();
        submit(code.trim(), password);
      }}
    >
      <TextField
        label={t("sign_in.code")}
        autoComplete="one-time-code"
        value={code}
        onChange={(e) => setCode(e.target.value)}
        required
      />
      {asksPassword && (
        <TextField
          label={t("sign_in.password")}
          type="password"
          autoComplete="current-password"
          value={password}
          onChange={(event) => setPassword(event.target.value)}
          required
        />
      )}
      <DialogActions>
        <Button type="submit" tone="primary" busy={busy}>
          {action}
        </Button>
      </DialogActions>
    </form>
  );
}

function Password() {
  const [old_password, setOld] = useState("");
  const [new_password, setNew] = useState("");
  const { busy, run } = useAction();
  const submit = (event: FormEvent) => {
    event.preventDefault();
    void run(async () => {
      await api.POST("/api/v1/auth/password", { body: { old_password, new_password } });
      setOld("");
      setNew("");
      toast(t("settings.password_changed"));
    });
  };
  return (
    <Card title={t("sign_in.password")}>
      <form onSubmit={submit} className="grid max-w-md gap-4">
        <TextField
          label={t("settings.password_old")}
          type="password"
          autoComplete="current-password"
          value={old_password}
          onChange={(event) => setOld(event.target.value)}
          required
        />
        <TextField
          label={t("sign_in.password_new")}
          hint={t("settings.password_hint")}
          type="password"
          autoComplete="new-password"
          minLength={10}
          value={new_password}
          onChange={(event) => setNew(event.target.value)}
          required
        />
        <Button type="submit" busy={busy} className="justify-self-start">
          {t("settings.password_change")}
        </Button>
      </form>
    </Card>
  );
}

function Sessions() {
  const sessions = $api.useQuery("get", "/api/v1/auth/sessions", {});
  const { busy, run } = useAction();
  const end = (id: string) =>
    run(async () => {
      await api.DELETE("/api/v1/auth/sessions/{id}", { params: { path: { id } } });
      await sessions.refetch();
      toast(t("settings.session_ended"));
    });
  return (
    <Card title={t("settings.sessions")}>
      {sessions.isPending && <Skeleton rows={2} />}
      {sessions.error !== null && <Problem error={sessions.error} retry={() => void sessions.refetch()} />}
      <ul className="flex flex-col divide-y divide-line">
        {sessions.data?.items.map((one) => (
          <li key={one.id} className="flex flex-wrap items-center gap-3 py-2.5 text-sm">
            <span className="min-w-0 flex-1 basis-56">
              <span className="wrap-anywhere">{one.user_agent === "" ? one.method : one.user_agent}</span>
              <span className="block text-xs text-soft">
                {one.address} · {t("settings.seen", { time: shortDate(one.seen_at_ms) })}
              </span>
            </span>
            {one.current ? (
              <Badge tone="good">{t("settings.this_session")}</Badge>
            ) : (
              <Button size="sm" disabled={busy} onClick={() => void end(one.id)}>
                {t("settings.end_session")}
              </Button>
            )}
          </li>
        ))}
      </ul>
    </Card>
  );
}
