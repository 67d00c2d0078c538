/** Elements without markup in strings: nothing that anybody says can become markup, and Trusted Types have nothing to do. */

type Attributes = Readonly<Record<string, string | boolean>>;

function setAll(element: Element, attributes: Attributes): void {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === true) element.setAttribute(name, "");
    else if (value !== false) element.setAttribute(name, value);
  }
}

export function el<Tag extends keyof HTMLElementTagNameMap>(
  tag: Tag,
  attributes: Attributes = {},
  ...children: readonly (Node | string)[]
): HTMLElementTagNameMap[Tag] {
  const element = document.createElement(tag);
  setAll(element, attributes);
  element.append(...children);
  return element;
}

const PATHS = {
  chat: ["M21 12a8 8 0 0 1-8 8H4l2-3a8 8 0 1 1 15-5z"],
  close: ["M6 6l12 12", "M18 6L6 18"],
  send: ["M4 12l16-8-6 16-3-7z"],
  mic: ["M12 3a3 3 0 0 0-3 3v6a3 3 0 0 0 6 0V6a3 3 0 0 0-3-3z", "M5 11a7 7 0 0 0 14 0", "M12 18v3"],
  muted: ["M9 6a3 3 0 0 1 6 0v5", "M5 11a7 7 0 0 0 11 6", "M12 18v3", "M4 4l16 16"],
  stop: ["M7 7h10v10H7z"],
  hand: ["M8 12V6a2 2 0 0 1 4 0v5V4a2 2 0 0 1 4 0v8a6 6 0 0 1-11 3l-2-4a2 2 0 0 1 3-1z"],
} as const;

export type IconName = keyof typeof PATHS;

export function icon(name: IconName): SVGSVGElement {
  const space = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(space, "svg");
  setAll(svg, { viewBox: "0 0 24 24", "aria-hidden": "true" });
  for (const d of PATHS[name]) {
    const path = document.createElementNS(space, "path");
    path.setAttribute("d", d);
    svg.append(path);
  }
  return svg;
}
