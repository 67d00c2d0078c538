import { useNavigate } from "@tanstack/react-router";
import { useState } from "react";
import { $api } from "../../api/client";
import { useCan } from "../../auth/me";
import { t } from "../../i18n";
import { PhoneIcon } from "../../ui/icons";
import { Button, LinkButton } from "../../ui/kit/button";
import { Dialog, DialogActions } from "../../ui/kit/dialog";
import { Select, TextField } from "../../ui/kit/field";
import { Problem, Skeleton } from "../../ui/kit/page";
import { usePlatforms } from "../settings/platforms";

const PHONE = "\\+[0-9 \\-]{5,20}";
const init = { params: { query: { limit: 100 } } };

/** Has an agent call somebody now. */
export function PlaceCall() {
  const can = useCan();
  const [open, setOpen] = useState(false);
  if (!can("calls:place") || !can("numbers:read")) return null;
  return (
    <>
      <Button icon={<PhoneIcon className="size-4" />} onClick={() => setOpen(true)}>
        {t("place.title")}
      </Button>
      {open && <PlaceDialog onClose={() => setOpen(false)} />}
    </>
  );
}

function PlaceDialog({ onClose }: { onClose: () => void }) {
  const numbers = $api.useQuery("get", "/api/v1/numbers", init);
  const platforms = usePlatforms();
  const able = new Set(
    platforms.filter(({ ready, capabilities }) => ready && capabilities.includes("place")).map(({ name }) => name),
  );
  const ours = (numbers.data?.items ?? []).filter(({ carrier }) => able.has(carrier));
  const waiting = numbers.isPending || platforms.length === 0;
  return (
    <Dialog open onClose={onClose} title={t("place.title")} description={t("place.lead")}>
      {numbers.error !== null && <Problem error={numbers.error} retry={() => void numbers.refetch()} />}
      {waiting && numbers.error === null && <Skeleton rows={2} />}
      {!waiting && ours.length === 0 && (
        <div data-nobody-can-call="">
          <p className="text-sm leading-relaxed">
            {t((numbers.data?.items.length ?? 0) === 0 ? "place.no_number" : "place.no_platform")}
          </p>
          <DialogActions>
            <LinkButton to="/settings/$section" params={{ section: "numbers" }} tone="primary">
              {t("settings.numbers")}
            </LinkButton>
          </DialogActions>
        </div>
      )}
      {ours.length > 0 && <PlaceForm numbers={ours} onClose={onClose} />}
    </Dialog>
  );
}

function PlaceForm({
  numbers,
  onClose,
}: {
  numbers: { number: string; label?: string | null; agent: string }[];
  onClose: () => void;
}) {
  const navigate = useNavigate();
  const agents = ($api.useQuery("get", "/api/v1/agents", init).data?.items ?? []).filter(({ version }) => version > 0);
  const [to, setTo] = useState("");
  const [from, setFrom] = useState(numbers[0]?.number ?? "");
  const [chosen, setChosen] = useState<string | null>(null);
  // Whoever answers the number calls from it, unless somebody else is chosen.
  const own = agents.find(({ id }) => id === numbers.find(({ number }) => number === from)?.agent);
  const agent = chosen ?? own?.slug ?? agents[0]?.slug ?? "";
  const place = $api.useMutation("post", "/api/v1/calls", {
    onSuccess: ({ id }) => {
      onClose();
      void navigate({ to: "/live", search: { call: id } });
    },
  });
  return (
    <form
      className="flex flex-col gap-4"
      onSubmit={(event) => {
        event.preventDefault();
        const number = to.replace(/[^+\d]/g, "");
        place.mutate({ body: { to: number, agent, ...(from === "" ? {} : { from }) } });
      }}
    >
      {place.error !== null && <Problem error={place.error} />}
      <TextField
        label={t("place.to")}
        hint={t("live.transfer_hint")}
        type="tel"
        pattern={PHONE}
        value={to}
        onChange={(event) => setTo(event.target.value)}
        required
      />
      <div className="grid gap-4 sm:grid-cols-2">
        <Select
          label={t("place.from")}
          value={from}
          onChange={(event) => setFrom(event.target.value)}
          options={[
            ...numbers.map(({ number, label }) => ({
              value: number,
              label: label == null ? number : `${label} (${number})`,
            })),
            ...(numbers.length > 1 ? [{ value: "", label: t("place.best") }] : []),
          ]}
        />
        <Select
          label={t("place.agent")}
          value={agent}
          onChange={(event) => setChosen(event.target.value)}
          options={agents.map(({ slug, name }) => ({ value: slug, label: name }))}
        />
      </div>
      <DialogActions>
        <Button onClick={onClose}>{t("shell.cancel")}</Button>
        <Button type="submit" tone="primary" busy={place.isPending} disabled={agent === ""}>
          {t("place.go")}
        </Button>
      </DialogActions>
    </form>
  );
}
