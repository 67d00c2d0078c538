import { useState } from "react";
import { t } from "../../i18n";
import { useAction } from "./action";
import { Button } from "./button";
import { toast } from "./toast";

interface Ways<Known, Form> {
  /** What is known, as it stands in the fields; without its version. */
  formOf: (known: Known) => Form;
  /** Saves what is in the fields, on top of what they began from; what is known from then on. */
  send: (form: Form, base: Known) => Promise<Known | undefined>;
  refetch: () => Promise<unknown>;
  /** What is said once it is saved. */
  saved?: string;
}

export interface Edit<Form> {
  form: Form;
  set: (form: Form) => void;
  /** There is something to be saved. */
  dirty: boolean;
  busy: boolean;
  /** Resolves to whether it worked. */
  save: () => Promise<boolean>;
  discard: () => void;
}

const same = (a: unknown, b: unknown) => JSON.stringify(a) === JSON.stringify(b);

/**
 * What is known, and the changes to it that are not saved yet. They are kept with what they began from: what others save
 * meanwhile is not overwritten, and nothing that is typed is lost when it arrives.
 *
 * It belongs into the component that asks for what is known. A query tells another component later: there, changes that were
 * saved and are let go would for a moment show what was known before them.
 */
export function useDraft<Known, Form>(
  known: Known | undefined,
  { formOf, send, refetch, saved = t("kit.saved") }: Ways<Known, Form>,
): Edit<Form> | null {
  const [draft, setDraft] = useState<{ base: Known; form: Form } | null>(null);
  const { busy, run } = useAction();
  if (known === undefined) return null;
  const { base, form } = draft ?? { base: known, form: formOf(known) };
  const set = (next: Form) => {
    // While it is being saved, what is known is what was there before.
    const untouched = !busy && same(next, formOf(base));
    setDraft(untouched ? null : { base, form: next });
  };
  const save = () =>
    run(async () => {
      // A version that grew by something beside these fields is no other change of them.
      const now = await send(form, same(formOf(known), formOf(base)) ? known : base);
      await refetch();
      // What was changed while it was being saved goes on from what is saved now.
      setDraft((after) =>
        after === null || after === draft || now === undefined ? null : { base: now, form: after.form },
      );
      toast(saved);
    });
  const discard = () => void refetch().then(() => setDraft(null));
  return { form, set, dirty: draft !== null, busy, save, discard };
}

/** Save, and the way back to what is known. */
export function DraftActions({ edit }: { edit: Pick<Edit<unknown>, "dirty" | "busy" | "discard"> }) {
  return (
    <div className="flex flex-wrap gap-2">
      <Button type="submit" tone="primary" busy={edit.busy} disabled={!edit.dirty}>
        {t("shell.save")}
      </Button>
      {edit.dirty && (
        <Button onClick={edit.discard} disabled={edit.busy}>
          {t("kit.discard")}
        </Button>
      )}
    </div>
  );
}
