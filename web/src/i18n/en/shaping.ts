export const knowledge = {
  title: "Knowledge",
  lead: "The documents that agents answer from, and what they could not answer.",
  empty_title: "No documents yet",
  empty_text: "Upload prices, opening hours and questions that people ask. Agents answer from them within seconds.",
};
