import { Link, useNavigate, useParams } from "@tanstack/react-router";
import type { ComponentType } from "react";
import { useCan, useMe } from "../../auth/me";
import { t } from "../../i18n";
import { type SectionName, sectionsFor } from "../../shell/sections";
import { Select } from "../../ui/kit/field";
import { Empty, Page } from "../../ui/kit/page";
import { AccessSection } from "./access";
import { AuditSection } from "./audit";
import { BrandingSection } from "./branding";
import { BusinessSection } from "./business";
import { ConfigurationSection } from "./configuration";
import { IdentityProvidersSection } from "./identity-providers";
import { KeysSection } from "./keys";
import { McpSection } from "./mcp-servers";
import { NumbersSection } from "./numbers";
import { PeopleSection } from "./people";
import { PlanSection } from "./plan";
import { PrivacySection } from "./privacy";
import { ProvidersSection } from "./providers";
import { SecuritySection } from "./security";
import { WebhooksSection } from "./webhooks";
import { WidgetSection } from "./widget";

const CONTENTS: Record<SectionName, ComponentType> = {
  business: BusinessSection,
  branding: BrandingSection,
  people: PeopleSection,
  plan: PlanSection,
  numbers: NumbersSection,
  providers: ProvidersSection,
  widget: WidgetSection,
  keys: KeysSection,
  webhooks: WebhooksSection,
  mcp: McpSection,
  configuration: ConfigurationSection,
  privacy: PrivacySection,
  "sign-on": IdentityProvidersSection,
  access: AccessSection,
  audit: AuditSection,
  security: SecuritySection,
};

export default function SettingsPage() {
  const can = useCan();
  const { kind } = useMe();
  const { section } = useParams({ strict: false });
  const navigate = useNavigate();
  const groups = sectionsFor(can, kind === "user");
  const allowed = groups.flatMap(({ sections }) => sections);
  const shown = section === undefined ? allowed[0] : allowed.find(({ name }) => name === section);
  const Content = shown === undefined ? null : CONTENTS[shown.name];
  return (
    <Page title={t("settings.title")} lead={t("settings.lead")}>
      <div className="grid gap-6 md:grid-cols-[12rem_minmax(0,1fr)]">
        <div className="md:hidden">
          <Select
            label={t("settings.section")}
            bare
            value={shown?.name ?? ""}
            onChange={(event) => void navigate({ to: "/settings/$section", params: { section: event.target.value } })}
            options={allowed.map(({ name, label }) => ({ value: name, label: t(label) }))}
          />
        </div>
        <nav aria-label={t("settings.title")} className="max-md:hidden">
          <div className="sticky top-4 flex flex-col gap-5">
            {groups.map((group) => (
              <section key={group.label} aria-label={t(group.label)}>
                <p className="mb-1 px-2.5 text-xs font-medium text-faint" aria-hidden="true">
                  {t(group.label)}
                </p>
                <ul className="flex flex-col gap-0.5">
                  {group.sections.map(({ name, label }) => (
                    <li key={name}>
                      <Link
                        to="/settings/$section"
                        params={{ section: name }}
                        aria-current={name === shown?.name ? "page" : undefined}
                        className="flex h-8.5 items-center rounded-lg px-2.5 text-sm text-soft hover:bg-sunken hover:text-ink aria-[current=page]:bg-sunken aria-[current=page]:font-medium aria-[current=page]:text-ink"
                      >
                        {t(label)}
                      </Link>
                    </li>
                  ))}
                </ul>
              </section>
            ))}
          </div>
        </nav>
        <div className="min-w-0" data-section={shown?.name}>
          {Content === null ? <Empty title={t("shell.not_allowed")}>{t("shell.not_allowed_help")}</Empty> : <Content />}
        </div>
      </div>
    </Page>
  );
}
