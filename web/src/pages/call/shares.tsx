import { useState } from "react";
import { $api } from "../../api/client";
import type { Call } from "../../api/types";
import { useCan } from "../../auth/me";
import { t } from "../../i18n";
import { useDeskNames } from "../../supervise/use-names";
import { shortDate } from "../../ui/format";
import { ShareIcon } from "../../ui/icons";
import { Button } from "../../ui/kit/button";
import { Copyable } from "../../ui/kit/copy";
import { Dialog, DialogActions } from "../../ui/kit/dialog";
import { Select, Switch } from "../../ui/kit/field";
import { Card } from "../../ui/kit/page";
import { toastProblem } from "../../ui/kit/toast";

const DAY_MS = 86_400_000;
const DAYS = [1, 7, 30, 90];

/** Links that show this call to somebody without an account, until they expire or are taken back. */
export function Shares({ call }: { call: Call }) {
  const can = useCan();
  const nameOf = useDeskNames();
  const [making, setMaking] = useState(false);
  const path = { id: call.id };
  const shares = $api.useQuery("get", "/api/v1/calls/{id}/shares", { params: { path } });
  const revoke = $api.useMutation("delete", "/api/v1/calls/{id}/shares/{share}", {
    onError: toastProblem,
    onSettled: () => void shares.refetch(),
  });
  const control = can("calls:control");
  const items = shares.data?.items ?? [];
  if (!control && items.length === 0) return null;
  return (
    <Card title={t("shares.title")}>
      {items.length === 0 && <p className="text-sm leading-relaxed text-soft">{t("shares.none")}</p>}
      <ul className="flex flex-col divide-y divide-line">
        {items.map((one) => (
          <li key={one.id} data-share={one.id} className="flex items-center gap-3 py-2 text-sm first:pt-0">
            <span className="min-w-0 flex-1">
              <span className="block">{t("shares.until", { when: shortDate(one.expires_at_ms) })}</span>
              <span className="block text-xs text-soft">
                {[nameOf(one.created_by ?? null), one.recording ? t("shares.with_recording") : null]
                  .filter(Boolean)
                  .join(" · ")}
              </span>
            </span>
            {control && (
              <Button
                size="sm"
                busy={revoke.isPending}
                onClick={() => revoke.mutate({ params: { path: { ...path, share: one.id } } })}
              >
                {t("shares.revoke")}
              </Button>
            )}
          </li>
        ))}
      </ul>
      {control && (
        <Button size="sm" className="mt-3" icon={<ShareIcon className="size-4" />} onClick={() => setMaking(true)}>
          {t("shares.make")}
        </Button>
      )}
      {making && (
        <MakeShare
          call={call}
          onClose={() => {
            setMaking(false);
            void shares.refetch();
          }}
        />
      )}
    </Card>
  );
}

function MakeShare({ call, onClose }: { call: Call; onClose: () => void }) {
  const can = useCan();
  const [days, setDays] = useState(7);
  const [recording, setRecording] = useState(false);
  const share = $api.useMutation("post", "/api/v1/calls/{id}/shares", { onError: toastProblem });
  if (share.data !== undefined) {
    return (
      <Dialog open onClose={onClose} title={t("shares.made")} description={t("shares.made_text")}>
        <Copyable label={t("shares.link")} value={share.data.url} />
        <DialogActions>
          <Button tone="primary" onClick={onClose}>
            {t("shell.close")}
          </Button>
        </DialogActions>
      </Dialog>
    );
  }
  return (
    <Dialog open onClose={onClose} title={t("shares.make")} description={t("shares.make_text")}>
      <form
        className="flex flex-col gap-4"
        onSubmit={(event) => {
          event.preventDefault();
          const body = { expires_at_ms: Date.now() + days * DAY_MS, recording };
          share.mutate({ params: { path: { id: call.id } }, body });
        }}
      >
        <Select
          label={t("shares.expires")}
          value={String(days)}
          onChange={(event) => setDays(Number(event.target.value))}
          options={DAYS.map((count) => ({ value: String(count), label: t("shares.days", { count }) }))}
        />
        {call.recorded && can("recordings:read") && (
          <Switch
            label={t("shares.recording")}
            hint={t("shares.recording_hint")}
            checked={recording}
            onChange={setRecording}
          />
        )}
        <DialogActions>
          <Button onClick={onClose}>{t("shell.cancel")}</Button>
          <Button type="submit" tone="primary" busy={share.isPending}>
            {t("shares.make")}
          </Button>
        </DialogActions>
      </form>
    </Dialog>
  );
}
