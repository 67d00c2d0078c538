import type { Messages } from "../en";

export const kit: Messages["kit"] = {
  unsaved: "बदलाव सहेजे नहीं गए",
  unsaved_title: "बिना सहेजे छोड़ें?",
  unsaved_text: "आपने यहाँ जो बदला है वह सहेजा नहीं गया है और खो जाएगा।",
  unsaved_leave: "छोड़ें",
  discard: "बदलाव हटाएँ",
  more: "और दिखाएँ",
  find: "इस सूची में खोजें",
  found: "{count} में से {shown}",
  remove: "हटाएँ",
  remove_row: "{name} हटाएँ",
  move_up: "{name} को ऊपर ले जाएँ",
  between: "{min} से {max} तक की संख्या।",
  whole_between: "{min} से {max} तक की पूरी संख्या।",
  delete: "मिटाएँ",
  edit: "बदलें",
  actions: "काम",
  saved: "सहेजा गया",
  notifications: "सूचनाएँ",
  none: "कोई नहीं",
  never: "कभी नहीं",
};
