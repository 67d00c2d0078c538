import type { FormEvent, ReactNode } from "react";
import { t } from "../../i18n";
import { useAction } from "./action";
import { Button } from "./button";
import { Dialog, DialogActions } from "./dialog";

interface FormDialogProps {
  title: string;
  description?: ReactNode;
  wide?: boolean;
  /** What is done, as a verb; “Save” unless something else is said. */
  action?: string;
  /** Something is missing that the fields themselves do not ask for. */
  incomplete?: boolean;
  /** A button beside the action that closes the dialog as the cross does. */
  cancel?: boolean;
  /** The dialog stays, with what was typed, when this fails. */
  submit: () => Promise<unknown>;
  onClose: () => void;
  children: ReactNode;
}

/** A few fields that are sent together. */
export function FormDialog({
  title,
  description,
  wide = false,
  action = t("shell.save"),
  incomplete = false,
  cancel = false,
  submit,
  onClose,
  children,
}: FormDialogProps) {
  const { busy, run } = useAction();
  const send = (event: FormEvent) => {
    event.preventDefault();
    void run(submit);
  };
  return (
    <Dialog open wide={wide} onClose={onClose} title={title} {...(description === undefined ? {} : { description })}>
      <form onSubmit={send} className="flex flex-col gap-4">
        {children}
        <DialogActions>
          {cancel && <Button onClick={onClose}>{t("shell.cancel")}</Button>}
          <Button type="submit" tone="primary" busy={busy} disabled={incomplete}>
            {action}
          </Button>
        </DialogActions>
      </form>
    </Dialog>
  );
}
