import { useState } from "react";
import { $api } from "../../api/client";
import { callerName } from "../../call/names";
import { t } from "../../i18n";
import type { LiveCall } from "../../live/picture";
import { Button } from "../../ui/kit/button";
import { Confirm, Dialog, DialogActions } from "../../ui/kit/dialog";
import { TextField } from "../../ui/kit/field";
import { toast, toastProblem } from "../../ui/kit/toast";

interface DialogProps {
  call: LiveCall;
  open: boolean;
  onClose: () => void;
}

export function EndCall({ call, open, onClose }: DialogProps) {
  const end = $api.useMutation("post", "/api/v1/calls/{id}/end", {
    onSuccess: () => {
      toast(t("live.ended"));
      onClose();
    },
    onError: toastProblem,
  });
  return (
    <Confirm
      open={open}
      onClose={onClose}
      title={t("live.end_title", { name: callerName(call) })}
      action={t("live.end")}
      busy={end.isPending}
      onConfirm={() => end.mutate({ params: { path: { id: call.id } } })}
    >
      {t("live.end_text")}
    </Confirm>
  );
}

const PHONE = "\\+[0-9 \\-]{5,20}";

export function TransferCall({ call, open, onClose }: DialogProps) {
  const [to, setTo] = useState("");
  const transfer = $api.useMutation("post", "/api/v1/calls/{id}/transfer", {
    onSuccess: () => {
      toast(t("live.transferred"));
      onClose();
    },
    onError: toastProblem,
  });
  return (
    <Dialog open={open} onClose={onClose} title={t("live.transfer_title")} description={t("live.transfer_text")}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          transfer.mutate({ params: { path: { id: call.id } }, body: { to: to.replace(/[^+\d]/g, "") } });
        }}
      >
        <TextField
          label={t("live.transfer_to")}
          hint={t("live.transfer_hint")}
          type="tel"
          value={to}
          onChange={(event) => setTo(event.target.value)}
          pattern={PHONE}
          required
        />
        <DialogActions>
          <Button onClick={onClose}>{t("shell.cancel")}</Button>
          <Button type="submit" tone="primary" busy={transfer.isPending}>
            {t("live.transfer")}
          </Button>
        </DialogActions>
      </form>
    </Dialog>
  );
}
