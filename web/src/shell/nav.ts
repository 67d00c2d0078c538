import type { ComponentType } from "react";
import type { Can } from "../auth/me";
import type { MessageKey } from "../i18n";
import {
  AgentIcon,
  BookIcon,
  CallsIcon,
  CompassIcon,
  HomeIcon,
  LiveIcon,
  MicIcon,
  NodesIcon,
  SettingsIcon,
} from "../ui/icons";

export interface Place {
  to: "/" | "/live" | "/calls" | "/talk" | "/agents" | "/knowledge" | "/settings" | "/operations" | "/start";
  label: MessageKey;
  icon: ComponentType<{ className?: string }>;
  /** After `g`. */
  key: string;
  needs: (can: Can) => boolean;
  /** In the bar at the bottom of a phone; the others are behind its last button. */
  onPhone?: boolean;
}

/** The pages of the side navigation, the palette and the shortcuts, in their order; a line comes before each new group. */
export const PLACES: Place[][] = [
  [
    { to: "/", label: "shell.home", icon: HomeIcon, key: "h", needs: () => true, onPhone: true },
    { to: "/live", label: "shell.live", icon: LiveIcon, key: "l", needs: (can) => can("events:read"), onPhone: true },
    { to: "/calls", label: "shell.calls", icon: CallsIcon, key: "c", needs: (can) => can("calls:read"), onPhone: true },
    { to: "/talk", label: "shell.talk", icon: MicIcon, key: "t", needs: (can) => can("calls:place"), onPhone: true },
  ],
  [
    { to: "/agents", label: "shell.agents", icon: AgentIcon, key: "a", needs: (can) => can("agents:read") },
    { to: "/knowledge", label: "shell.knowledge", icon: BookIcon, key: "k", needs: (can) => can("knowledge:read") },
  ],
  [
    { to: "/settings", label: "shell.settings", icon: SettingsIcon, key: "s", needs: (can) => can("business:read") },
    {
      to: "/operations",
      label: "operations.title",
      icon: NodesIcon,
      key: "o",
      needs: (can) => can("installation:manage"),
    },
    { to: "/start", label: "shell.start", icon: CompassIcon, key: "b", needs: (can) => can("agents:write") },
  ],
];

export function placesFor(can: Can): Place[][] {
  return PLACES.map((group) => group.filter((place) => place.needs(can))).filter((group) => group.length > 0);
}
