import { type ReactNode, useState } from "react";
import type { components } from "../../api/schema.gen";
import { useCan, useMe } from "../../auth/me";
import { t } from "../../i18n";
import { shortDate } from "../../ui/format";
import { Button } from "../../ui/kit/button";
import { Check } from "../../ui/kit/check";
import { Copyable } from "../../ui/kit/copy";
import { Dialog, DialogActions } from "../../ui/kit/dialog";
import { Select, TextField } from "../../ui/kit/field";
import { FormDialog } from "../../ui/kit/form-dialog";
import { toast } from "../../ui/kit/toast";
import { Listed } from "./listed";

export type Key = components["schemas"]["KeyView"];
type Wish = components["schemas"]["KeyWish"];
/** Shown once, and never again. */
export interface Made {
  id: string;
  secret: string;
}
const DAY_MS = 86_400_000;

interface CredentialsProps {
  words: { title: string; lead: string; add: string; none: { title: string; text: string } };
  tone: "primary" | "secondary";
  mark: string;
  query: {
    data: { items: Key[] } | undefined;
    isPending: boolean;
    error: unknown;
    refetch: () => Promise<unknown>;
  };
  /** What names it to programs, beside its name for people. */
  sign: (one: Key) => ReactNode;
  create: (wish: Wish) => Promise<Made>;
  rotate: (id: string, overlapSecs: number) => Promise<Made>;
  revoke: (id: string) => Promise<unknown>;
  /** What a program has to be told, with the secret. */
  once: (made: Made) => ReactNode;
}

/** Keys or clients: what each may do, when it was used, and its secret that is shown once. */
export function Credentials({ words, tone, mark, query, sign, create, rotate, revoke, once }: CredentialsProps) {
  const manage = useCan()("keys:manage");
  const [made, setMade] = useState<Made | null>(null);
  const [rotating, setRotating] = useState<Key | null>(null);
  const show = async (work: Promise<Made>) => {
    setMade(await work);
    void query.refetch();
  };
  return (
    <>
      <Listed
        title={words.title}
        lead={words.lead}
        query={query}
        none={words.none}
        idOf={({ id }) => id}
        nameOf={({ name }) => name}
        mark={mark}
        add={manage && { label: words.add, tone }}
        row={(one) => <CredentialRow one={one} sign={sign(one)} />}
        actions={(one) =>
          manage && (
            <Button size="sm" onClick={() => setRotating(one)}>
              {t("settings.rotate")}
              <span className="sr-only">{one.name}</span>
            </Button>
          )
        }
        form={(_, close) => (
          <NewCredential
            title={words.add}
            onClose={close}
            create={async (wish) => {
              await show(create(wish));
              close();
            }}
          />
        )}
        remove={{
          label: t("settings.revoke"),
          title: (name) => t("settings.revoke_title", { name }),
          text: t("settings.revoke_text"),
          run: async ({ id, name }) => {
            await revoke(id);
            toast(t("settings.revoked", { name }));
          },
        }}
      />
      {rotating !== null && (
        <RotateDialog
          name={rotating.name}
          onClose={() => setRotating(null)}
          rotate={async (overlapSecs) => {
            await show(rotate(rotating.id, overlapSecs));
            setRotating(null);
          }}
        />
      )}
      <Once open={made !== null} onClose={() => setMade(null)}>
        {made !== null && once(made)}
      </Once>
    </>
  );
}

function CredentialRow({ one, sign }: { one: Key; sign: ReactNode }) {
  const times = [
    t("settings.used", { time: one.used_at_ms == null ? t("kit.never") : shortDate(one.used_at_ms) }),
    one.expires_at_ms == null ? null : t("settings.expires", { time: shortDate(one.expires_at_ms) }),
    one.previous_until_ms == null ? null : t("settings.old_until", { time: shortDate(one.previous_until_ms) }),
  ];
  return (
    <>
      <span className="font-medium">{one.name}</span> {sign}
      <span className="block text-xs text-soft wrap-anywhere">{one.permissions.join(", ")}</span>
      <span className="block text-xs text-faint">{times.filter((time) => time !== null).join(" · ")}</span>
    </>
  );
}

/** Around a secret that nobody can look up later. */
function Once({ open, onClose, children }: { open: boolean; onClose: () => void; children: ReactNode }) {
  return (
    <Dialog
      open={open}
      wide
      onClose={onClose}
      title={t("settings.secret_once")}
      description={t("settings.secret_once_text")}
    >
      <div className="flex flex-col gap-4">{children}</div>
      <DialogActions>
        <Button tone="primary" onClick={onClose}>
          {t("settings.secret_kept")}
        </Button>
      </DialogActions>
    </Dialog>
  );
}

/** One secret alone. */
export function SecretOnce({ secret, onClose }: { secret: string | null; onClose: () => void }) {
  return (
    <Once open={secret !== null} onClose={onClose}>
      <Copyable label={t("settings.secret")} value={secret ?? ""} />
    </Once>
  );
}

/** A new secret, and how long the one before it goes on. */
function RotateDialog({
  name,
  onClose,
  rotate,
}: {
  name: string;
  onClose: () => void;
  rotate: (overlapSecs: number) => Promise<void>;
}) {
  const [overlap, setOverlap] = useState("86400");
  return (
    <FormDialog
      title={t("settings.rotate_title", { name })}
      action={t("settings.rotate")}
      submit={() => rotate(Number(overlap))}
      onClose={onClose}
    >
      <Select
        label={t("settings.overlap")}
        value={overlap}
        onChange={(event) => setOverlap(event.target.value)}
        options={[
          { value: "0", label: t("settings.overlap_none") },
          { value: "3600", label: t("settings.overlap_hour") },
          { value: "86400", label: t("settings.overlap_day") },
          { value: "604800", label: t("settings.overlap_week") },
        ]}
      />
    </FormDialog>
  );
}

/** A name, what it may do, and until when. */
function NewCredential({
  title,
  onClose,
  create,
}: {
  title: string;
  onClose: () => void;
  create: (wish: Wish) => Promise<void>;
}) {
  const { permissions } = useMe();
  const [name, setName] = useState("");
  const [chosen, setChosen] = useState<string[]>(["calls:read"]);
  const [days, setDays] = useState("");
  const submit = () => {
    const expires_at_ms = days === "" ? null : Date.now() + Number(days) * DAY_MS;
    return create({ name, permissions: chosen, expires_at_ms });
  };
  return (
    <FormDialog wide title={title} action={title} incomplete={chosen.length === 0} submit={submit} onClose={onClose}>
      <TextField
        label={t("settings.key_name")}
        hint={t("settings.key_name_hint")}
        value={name}
        onChange={(event) => setName(event.target.value)}
        maxLength={120}
        required
      />
      <fieldset>
        <legend className="mb-2 text-sm font-medium">{t("settings.permissions")}</legend>
        <div className="grid max-h-64 gap-x-4 overflow-y-auto sm:grid-cols-2">
          {permissions.map((one) => (
            <Check
              key={one}
              label={<code className="font-mono text-[0.8125rem]">{one}</code>}
              checked={chosen.includes(one)}
              onChange={(on) => setChosen(on ? [...chosen, one] : chosen.filter((other) => other !== one))}
            />
          ))}
        </div>
      </fieldset>
      <TextField
        label={t("settings.expiry_days")}
        hint={t("settings.expiry_hint")}
        type="number"
        min={1}
        value={days}
        onChange={(event) => setDays(event.target.value)}
      />
    </FormDialog>
  );
}
