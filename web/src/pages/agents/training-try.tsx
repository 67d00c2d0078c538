import { type FormEvent, useState } from "react";
import { $api } from "../../api/client";
import { t } from "../../i18n";
import { percent } from "../../ui/format";
import { Button } from "../../ui/kit/button";
import { TextField } from "../../ui/kit/field";
import { Badge, Card, Problem } from "../../ui/kit/page";

/** An utterance as a caller would say it: what they want, how sure that is, and what they named. */
export function TrainingTry({ agent, serving }: { agent: string; serving: number }) {
  const [text, setText] = useState("");
  const classify = $api.useMutation("post", "/api/v1/agents/{agent}/classify");
  const submit = (event: FormEvent) => {
    event.preventDefault();
    classify.mutate({ params: { path: { agent } }, body: { text: text.trim() } });
  };
  const found = classify.data;
  return (
    <Card title={t("training.try")} actions={<Badge>{t("agents.version", { version: serving })}</Badge>}>
      <form onSubmit={submit} className="flex flex-wrap items-end gap-2">
        <div className="min-w-0 flex-1 basis-56">
          <TextField
            bare
            label={t("training.utterance")}
            placeholder={t("training.utterance_placeholder")}
            maxLength={500}
            value={text}
            onChange={(event) => setText(event.target.value)}
            required
          />
        </div>
        <Button type="submit" busy={classify.isPending}>
          {t("training.ask")}
        </Button>
      </form>
      {classify.error !== null && (
        <div className="mt-3">
          <Problem error={classify.error} />
        </div>
      )}
      {found !== undefined && (
        <div className="mt-4 flex flex-col gap-3" data-classified={found.intent ?? ""}>
          <p className="text-sm">
            {found.intent == null ? (
              <Badge tone="warn">{t("training.none_of_them")}</Badge>
            ) : (
              <Badge tone="good">{found.intent}</Badge>
            )}
          </p>
          <ul className="flex max-w-lg flex-col gap-1.5 text-sm">
            {found.guesses.map(({ intent, probability }) => (
              <li key={intent} className="grid grid-cols-[minmax(0,10rem)_minmax(0,1fr)_3rem] items-center gap-3">
                <span className="truncate">{intent}</span>
                <span className="h-1.5 overflow-hidden rounded-full bg-sunken" aria-hidden="true">
                  <span className="block h-full rounded-full bg-accent" style={{ width: `${probability * 100}%` }} />
                </span>
                <span className="text-right text-soft tabular-nums">{percent(probability)}</span>
              </li>
            ))}
          </ul>
          {found.entities.length > 0 && (
            <p className="flex flex-wrap gap-2 text-sm">
              {found.entities.map((one) => (
                <Badge key={`${one.entity} ${one.text}`}>{`${one.entity}: ${one.value}`}</Badge>
              ))}
            </p>
          )}
        </div>
      )}
    </Card>
  );
}
