export const knowledge = {
  title: "Knowledge",
  lead: "The documents that agents answer from, and what they could not answer.",
  empty_title: "No documents yet",
  empty_text: "Upload prices, opening hours and questions that people ask. Agents answer from them within seconds.",
};

export const settings = {
  title: "Settings",
  lead: "People, keys, providers, numbers and privacy.",
  empty_title: "Nothing to set here yet",
  empty_text: "What your role may change appears here.",
};
