export const knowledge = {
  title: "Knowledge",
  lead: "The documents that agents answer from.",
  empty_title: "No documents yet",
  empty_text:
    "Give agents prices, opening hours and what people ask: frontdesk knowledge add FILE, or POST /api/v1/knowledge/documents.",
  serves: "In use",
  does_not_serve: "Not in use",
};
