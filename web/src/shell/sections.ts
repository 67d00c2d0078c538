import type { Can } from "../auth/me";
import type { MessageKey } from "../i18n";

/** In the addresses of the settings: `/settings/NAME`. */
export type SectionName =
  | "business"
  | "branding"
  | "people"
  | "plan"
  | "numbers"
  | "providers"
  | "widget"
  | "keys"
  | "webhooks"
  | "mcp"
  | "configuration"
  | "privacy"
  | "sign-on"
  | "access"
  | "audit"
  | "security";

interface Section {
  name: SectionName;
  label: MessageKey;
  needs: (can: Can, person: boolean) => boolean;
}

interface SectionGroup {
  label: MessageKey;
  sections: Section[];
}

const GROUPS: SectionGroup[] = [
  {
    label: "settings.group_business",
    sections: [
      { name: "business", label: "settings.business", needs: (can) => can("business:read") },
      { name: "branding", label: "branding.title", needs: (can) => can("business:read") },
      { name: "people", label: "settings.people", needs: (can) => can("people:read") },
      { name: "plan", label: "settings.plan", needs: (can) => can("usage:read") },
    ],
  },
  {
    label: "settings.group_calls",
    sections: [
      { name: "numbers", label: "settings.numbers", needs: (can) => can("numbers:read") },
      {
        name: "providers",
        label: "settings.providers",
        needs: (can) => can("providers:read"),
      },
      { name: "widget", label: "widget.title", needs: (can) => can("agents:read") },
    ],
  },
  {
    label: "settings.group_systems",
    sections: [
      { name: "keys", label: "settings.keys", needs: (can) => can("keys:read") },
      { name: "webhooks", label: "settings.webhooks", needs: (can) => can("webhooks:read") },
      { name: "mcp", label: "settings.mcp", needs: (can) => can("providers:read") },
      {
        name: "configuration",
        label: "settings.configuration",
        needs: (can) => can("config:read"),
      },
    ],
  },
  {
    label: "settings.group_protection",
    sections: [
      { name: "privacy", label: "privacy.title", needs: (can) => can("business:read") },
      {
        name: "sign-on",
        label: "settings.sign_on",
        needs: (can) => can("business:manage"),
      },
      { name: "access", label: "settings.access", needs: (can) => can("business:manage") },
      { name: "audit", label: "settings.audit", needs: (can) => can("audit:read") },
      { name: "security", label: "settings.security", needs: (_, person) => person },
    ],
  },
];

/** The parts of the settings that somebody may see, in their order. */
export function sectionsFor(can: Can, person: boolean): SectionGroup[] {
  return GROUPS.map((group) => ({
    ...group,
    sections: group.sections.filter(({ needs }) => needs(can, person)),
  })).filter(({ sections }) => sections.length > 0);
}
