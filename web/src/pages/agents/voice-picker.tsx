import { useEffect, useRef, useState } from "react";
import { $api, api } from "../../api/client";
import type { paths } from "../../api/schema.gen";
import { t, wordsOf } from "../../i18n";
import { dollars } from "../../ui/format";
import { PauseIcon, PlayIcon } from "../../ui/icons";
import { Button, IconButton, LinkButton, Spinner } from "../../ui/kit/button";
import { Dialog, DialogActions } from "../../ui/kit/dialog";
import { TextField } from "../../ui/kit/field";
import { Badge, Problem, Skeleton } from "../../ui/kit/page";
import { languageName } from "./languages";

type Voice = paths["/api/v1/voices"]["get"]["responses"]["200"]["content"]["application/json"]["items"][number];
const TEXT_CHARS_MAX = 200;

interface Sample {
  provider: string;
  voice: string;
  text: string;
  language: string;
}

/** One voice is heard at a time. What was paid for once is not asked for again while the dialog is open. */
function usePreview() {
  const [playing, setPlaying] = useState<string | null>(null);
  const [loading, setLoading] = useState<string | null>(null);
  const [cost, setCost] = useState(0);
  const [error, setError] = useState<unknown>(null);
  const audio = useRef<HTMLAudioElement | null>(null);
  const heard = useRef(new Map<string, string>());
  useEffect(() => {
    const urls = heard.current;
    return () => {
      audio.current?.pause();
      for (const url of urls.values()) URL.revokeObjectURL(url);
    };
  }, []);
  const stop = () => {
    audio.current?.pause();
    setPlaying(null);
  };
  const fetched = async ({ provider, voice, text, language }: Sample): Promise<string> => {
    const key = JSON.stringify([provider, voice, text]);
    const known = heard.current.get(key);
    if (known !== undefined) return known;
    const { data, response } = await api.POST("/api/v1/voices/preview", {
      body: { provider, voice: voice === "" ? null : voice, text, language },
      parseAs: "blob",
    });
    setCost((sum) => sum + Number(response.headers.get("frontdesk-cost-usd-micros") ?? 0));
    const url = URL.createObjectURL(data as unknown as Blob);
    heard.current.set(key, url);
    return url;
  };
  const play = async (sample: Sample) => {
    stop();
    setError(null);
    setLoading(sample.voice);
    try {
      const player = new Audio(await fetched(sample));
      audio.current = player;
      player.onended = () => setPlaying(null);
      await player.play();
      setPlaying(sample.voice);
    } catch (why) {
      setError(why);
    }
    setLoading(null);
  };
  return { playing, loading, cost, error, play, stop };
}

/** The voices of a provider, heard with the agent's own words before one is chosen. */
export function VoicePicker({
  provider,
  title,
  missing,
  value,
  text,
  language,
  onChange,
  onClose,
}: {
  provider: string;
  title: string;
  /** Why the provider cannot be used, in one line; null when it can. */
  missing: string | null;
  value: string;
  text: string;
  language: string;
  onChange: (voice: string) => void;
  onClose: () => void;
}) {
  const voices = $api.useQuery(
    "get",
    "/api/v1/voices",
    { params: { query: { provider } } },
    { enabled: missing === null, retry: false, staleTime: 300_000 },
  );
  const [said, setSaid] = useState(text.slice(0, TEXT_CHARS_MAX));
  const [typed, setTyped] = useState("");
  const preview = usePreview();
  const needle = typed.trim().toLocaleLowerCase();
  const items = (voices.data?.items ?? []).filter(({ id, name, language: spoken }) =>
    `${id} ${name} ${spoken ?? ""}`.toLocaleLowerCase().includes(needle),
  );
  if (missing !== null) {
    return (
      <Dialog open onClose={onClose} title={t("voices.choose_of", { provider: title })}>
        <p role="alert" className="text-sm leading-relaxed wrap-anywhere">
          {missing}
        </p>
        <DialogActions>
          <LinkButton to="/settings/$section" params={{ section: "providers" }} tone="primary">
            {t("agents.set_up_providers")}
          </LinkButton>
        </DialogActions>
      </Dialog>
    );
  }
  return (
    <Dialog open wide onClose={onClose} title={t("voices.choose_of", { provider: title })}>
      <div className="flex flex-col gap-4">
        <TextField
          label={t("voices.text")}
          lang={language}
          maxLength={TEXT_CHARS_MAX}
          value={said}
          onChange={(event) => setSaid(event.target.value)}
        />
        {(voices.data?.items.length ?? 0) > 8 && (
          <TextField
            bare
            type="search"
            label={t("voices.find")}
            placeholder={t("voices.find")}
            value={typed}
            onChange={(event) => setTyped(event.target.value)}
          />
        )}
        {preview.error !== null && <Problem error={preview.error} />}
        {voices.isPending && <Skeleton rows={3} />}
        {voices.error !== null && <Problem error={voices.error} retry={() => void voices.refetch()} />}
        {voices.data?.items.length === 0 && <p className="text-sm text-soft">{t("voices.none")}</p>}
        <ul className="max-h-[45vh] divide-y divide-line overflow-y-auto">
          {items.map((voice) => (
            <VoiceRow
              key={voice.id}
              voice={voice}
              chosen={voice.id === value}
              playing={preview.playing === voice.id}
              loading={preview.loading === voice.id}
              silent={said.trim() === ""}
              onPlay={() => void preview.play({ provider, voice: voice.id, text: said, language })}
              onStop={preview.stop}
              onTake={() => {
                onChange(voice.id);
                onClose();
              }}
            />
          ))}
        </ul>
        {preview.cost > 0 && (
          <p className="text-xs text-soft" role="status">
            {t("voices.cost", { cost: dollars(preview.cost) })}
          </p>
        )}
      </div>
    </Dialog>
  );
}

function VoiceRow({
  voice,
  chosen,
  playing,
  loading,
  silent,
  onPlay,
  onStop,
  onTake,
}: {
  voice: Voice;
  chosen: boolean;
  playing: boolean;
  loading: boolean;
  /** There is nothing to say. */
  silent: boolean;
  onPlay: () => void;
  onStop: () => void;
  onTake: () => void;
}) {
  const about = [
    voice.language == null ? null : languageName(voice.language),
    voice.gender == null ? null : wordsOf("voices", voice.gender),
  ].filter(Boolean);
  return (
    <li className="flex items-center gap-3 py-2 text-sm" data-voice={voice.id}>
      <IconButton
        label={playing ? t("voices.stop") : t("voices.listen_to", { name: voice.name })}
        onClick={playing ? onStop : onPlay}
        disabled={loading || (silent && !playing)}
        className="bg-accent/12 text-accent-deep"
      >
        {loading ? <Spinner /> : playing ? <PauseIcon className="size-4" /> : <PlayIcon className="size-4" />}
      </IconButton>
      <span className="min-w-0 flex-1">
        <span className="flex flex-wrap items-center gap-2 font-medium">
          {voice.name}
          {voice.cloned && <Badge>{t("voices.cloned")}</Badge>}
        </span>
        {about.length > 0 && <span className="block text-xs text-soft">{about.join(" · ")}</span>}
      </span>
      {chosen ? (
        <Badge tone="good">{t("voices.taken")}</Badge>
      ) : (
        <Button size="sm" onClick={onTake}>
          {t("voices.take")}
          <span className="sr-only">{voice.name}</span>
        </Button>
      )}
    </li>
  );
}
