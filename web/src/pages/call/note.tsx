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
  /** Null while nobody is writing. */
  const [text, setText] = useState<string | null>(null);
  const put = $api.useMutation("put", "/api/v1/calls/{id}/note", {
    onSuccess: async () => {
      await note.refetch();
      setText(null);
    },
    onError: async (error) => {
      toastProblem(error);
      // The words stay; they are put on top of what somebody else wrote when they are saved again.
      if (asApiError(error).status === 412) await note.refetch();
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
          const params = { path: { id }, header: ifMatch(known.version) };
          put.mutate({ params, body: { text: (text ?? known.text).trim() } });
        }}
      >
        <TextArea
          bare
          label={t("shares.note")}
          placeholder={t("shares.note_hint")}
          rows={3}
          maxLength={CHARS_MAX}
          value={text ?? known.text}
          onChange={(event) => setText(event.target.value)}
        />
        {text !== null && text.trim() !== known.text && (
          <div className="mt-2 flex justify-end gap-2">
            <Button size="sm" onClick={() => setText(null)}>
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
