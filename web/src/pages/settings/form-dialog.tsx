import type { FormEvent, ReactNode } from "react";
import { t } from "../../i18n";
import { Button } from "../../ui/kit/button";
import { Dialog, DialogActions } from "../../ui/kit/dialog";
import { useAction } from "./action";

interface FormDialogProps {
  title: string;
  description?: ReactNode;
  wide?: boolean;
  /** What is done, as a verb; “Save” unless something else is said. */
  action?: string;
  /** Something is missing that the fields themselves do not ask for. */
  incomplete?: boolean;
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
          <Button type="submit" tone="primary" busy={busy} disabled={incomplete}>
            {action}
          </Button>
        </DialogActions>
      </form>
    </Dialog>
  );
}
