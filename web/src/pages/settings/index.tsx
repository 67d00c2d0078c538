import { Link, useNavigate, useParams } from "@tanstack/react-router";
import type { ComponentType } from "react";
import { type Can, useCan, useMe } from "../../auth/me";
import { type MessageKey, t } from "../../i18n";
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

interface Section {
  name: string;
  label: MessageKey;
  needs: (can: Can, person: boolean) => boolean;
  Content: ComponentType;
}

interface Group {
  label: MessageKey;
  sections: Section[];
}

const GROUPS: Group[] = [
  {
    label: "settings.group_business",
    sections: [
      { name: "business", label: "settings.business", needs: (can) => can("business:read"), Content: BusinessSection },
      { name: "branding", label: "branding.title", needs: (can) => can("business:read"), Content: BrandingSection },
      { name: "people", label: "settings.people", needs: (can) => can("people:read"), Content: PeopleSection },
      { name: "plan", label: "settings.plan", needs: (can) => can("usage:read"), Content: PlanSection },
    ],
  },
  {
    label: "settings.group_calls",
    sections: [
      { name: "numbers", label: "settings.numbers", needs: (can) => can("numbers:read"), Content: NumbersSection },
      {
        name: "providers",
        label: "settings.providers",
        needs: (can) => can("providers:read"),
        Content: ProvidersSection,
      },
      { name: "widget", label: "widget.title", needs: (can) => can("agents:read"), Content: WidgetSection },
    ],
  },
  {
    label: "settings.group_systems",
    sections: [
      { name: "keys", label: "settings.keys", needs: (can) => can("keys:read"), Content: KeysSection },
      { name: "webhooks", label: "settings.webhooks", needs: (can) => can("webhooks:read"), Content: WebhooksSection },
      { name: "mcp", label: "settings.mcp", needs: (can) => can("providers:read"), Content: McpSection },
      {
        name: "configuration",
        label: "settings.configuration",
        needs: (can) => can("config:read"),
        Content: ConfigurationSection,
      },
    ],
  },
  {
    label: "settings.group_protection",
    sections: [
      { name: "privacy", label: "privacy.title", needs: (can) => can("business:read"), Content: PrivacySection },
      {
        name: "sign-on",
        label: "settings.sign_on",
        needs: (can) => can("business:manage"),
        Content: IdentityProvidersSection,
      },
      { name: "access", label: "settings.access", needs: (can) => can("business:manage"), Content: AccessSection },
      { name: "audit", label: "settings.audit", needs: (can) => can("audit:read"), Content: AuditSection },
      { name: "security", label: "settings.security", needs: (_, person) => person, Content: SecuritySection },
    ],
  },
];

export default function SettingsPage() {
  const can = useCan();
  const { kind } = useMe();
  const { section } = useParams({ strict: false });
  const navigate = useNavigate();
  const groups = GROUPS.map((group) => ({
    ...group,
    sections: group.sections.filter(({ needs }) => needs(can, kind === "user")),
  })).filter(({ sections }) => sections.length > 0);
  const allowed = groups.flatMap(({ sections }) => sections);
  const shown = section === undefined ? allowed[0] : allowed.find(({ name }) => name === section);
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
          {shown === undefined ? (
            <Empty title={t("shell.not_allowed")}>{t("shell.not_allowed_help")}</Empty>
          ) : (
            <shown.Content />
          )}
        </div>
      </div>
    </Page>
  );
}
