import { $api } from "../../api/client";
import type { components } from "../../api/schema.gen";
import { useCan } from "../../auth/me";
import { t, wordsOf } from "../../i18n";
import { CheckIcon, CloseIcon } from "../../ui/icons";
import { Copyable } from "../../ui/kit/copy";

export type Platform = components["schemas"]["CarrierView"];

/** What a business asks of a phone platform; the rest is between the platform and the server. */
const ASKED_OF = ["answer", "place", "transfer_cold", "keys_in", "record", "machine_detection", "text"] as const;
/** They do not change while the server runs. */
const STALE_MS = 300_000;

export function usePlatforms(): readonly Platform[] {
  const can = useCan();
  const options = { enabled: can("numbers:read"), staleTime: STALE_MS };
  return $api.useQuery("get", "/api/v1/carriers", {}, options).data?.items ?? [];
}

/** Whether a call of this platform can be asked for it. What is not known is tried: the server says no in words. */
export function useCapability(carrier: string, capability: string): boolean {
  const known = usePlatforms().find(({ name }) => name === carrier);
  return known === undefined || known.capabilities.includes(capability);
}

/** Whether it is set up, what it can do, and what its console has to be told. */
export function PlatformFacts({ platform }: { platform: Platform }) {
  return (
    <div className="rounded-xl border border-line bg-sunken/50 p-4 text-sm" data-platform={platform.name}>
      {!platform.ready && (
        <p className="mb-3 leading-relaxed text-warn" role="status">
          {t("platforms.not_ready", { title: platform.title })}
        </p>
      )}
      <ul className="grid gap-x-4 gap-y-1.5 text-[0.8125rem] sm:grid-cols-2" aria-label={t("platforms.can")}>
        {ASKED_OF.map((name) => (
          <Can key={name} name={name} can={platform.capabilities.includes(name)} />
        ))}
      </ul>
      {platform.voice_url != null && platform.status_url != null && (
        <div className="mt-4 flex flex-col gap-3 border-t border-line pt-4">
          <p className="text-[0.8125rem] leading-snug text-soft">
            {t("platforms.addresses", { title: platform.title })}
          </p>
          <Copyable label={t("platforms.voice_url")} value={platform.voice_url} />
          <Copyable label={t("platforms.status_url")} value={platform.status_url} />
        </div>
      )}
    </div>
  );
}

function Can({ name, can }: { name: string; can: boolean }) {
  const Sign = can ? CheckIcon : CloseIcon;
  return (
    <li className={`flex items-center gap-2 ${can ? "" : "text-soft"}`} data-can={can ? name : undefined}>
      <Sign className={`size-3.5 shrink-0 ${can ? "text-good" : "text-faint"}`} />
      <span>
        {wordsOf("capabilities", name) ?? name}
        {!can && <span className="sr-only"> ({t("platforms.cannot")})</span>}
      </span>
    </li>
  );
}
