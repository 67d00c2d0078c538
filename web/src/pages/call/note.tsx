import { useState } from "react";
import { $api, ifMatch } from "../../api/client";
import { asApiError } from "../../api/problem";
import { useCan } from "../../auth/me";
import { t } from "../../i18n";
import { useDeskNames } from "../../supervise/use-names";
import { shortDate } from "../../ui/format";
import { Button } from "../../ui/kit/button";
import { TextArea } from "../../ui/kit/field";
import { Card, Problem } from "../../ui/kit/page";
import { toastProblem } from "../../ui/kit/toast";

const CHARS_MAX = 4_000;

/** What people at the desk write down about a call. */
export function Note({ id }: { id: string }) {
  const writes = useCan()("conversations:write");
  const nameOf = useDeskNames();
  const note = $api.useQuery("get", "/api/v1/calls/{id}/note", { params: { path: { id } } });
  /** With the version that somebody began to write on; null while nobody is writing. */
  const [draft, setDraft] = useState<{ text: string; version: number } | null>(null);
  const put = $api.useMutation("put", "/api/v1/calls/{id}/note", {
    onSuccess: async ({ version }) => {
      await note.refetch();
      // What was written while it was being saved goes on from what is saved now.
      setDraft((now) => (now === null || now === draft ? null : { ...now, version }));
    },
    onError: async (error) => {
      toastProblem(error);
      // The words stay; they are put on top of what somebody else wrote when they are saved again.
      if (asApiError(error).status !== 412) return;
      const { data } = await note.refetch();
      if (data !== undefined) setDraft((now) => now && { ...now, version: data.version });
    },
  });
  const known = note.data;
  if (known === undefined) return note.error === null ? null : <Problem error={note.error} retry={note.refetch} />;
  const by = known.updated_at_ms != null && (
    <p className="mt-2 text-xs text-soft">
      {t("shares.note_by", { name: nameOf(known.updated_by ?? null), when: shortDate(known.updated_at_ms) })}
    </p>
  );
  if (!writes) {
    if (known.text === "") return null;
    return (
      <Card title={t("shares.note")}>
        <p className="text-sm leading-relaxed whitespace-pre-wrap wrap-anywhere">{known.text}</p>
        {by}
      </Card>
    );
  }
  return (
    <Card title={t("shares.note")}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          if (draft === null) return;
          const params = { path: { id }, header: ifMatch(draft.version) };
          put.mutate({ params, body: { text: draft.text.trim() } });
        }}
      >
        <TextArea
          bare
          label={t("shares.note")}
          placeholder={t("shares.note_hint")}
          rows={3}
          maxLength={CHARS_MAX}
          value={draft?.text ?? known.text}
          onChange={(event) => setDraft({ text: event.target.value, version: draft?.version ?? known.version })}
        />
        {draft !== null && draft.text.trim() !== known.text && (
          <div className="mt-2 flex justify-end gap-2">
            <Button size="sm" onClick={() => setDraft(null)}>
              {t("shell.cancel")}
            </Button>
            <Button size="sm" tone="primary" type="submit" busy={put.isPending}>
              {t("shares.note_save")}
            </Button>
          </div>
        )}
      </form>
      {by}
    </Card>
  );
}
