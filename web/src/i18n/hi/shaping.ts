import type { Messages } from "../en";

export const knowledge: Messages["knowledge"] = {
  title: "जानकारी",
  lead: "वे दस्तावेज़ जिनसे एजेंट जवाब देते हैं।",
  empty_title: "अभी कोई दस्तावेज़ नहीं है",
  empty_text:
    "एजेंटों को क़ीमतें, खुलने का समय और अक्सर पूछे जाने वाले सवाल दें: frontdesk knowledge add FILE, या POST /api/v1/knowledge/documents।",
  serves: "इस्तेमाल में",
  does_not_serve: "इस्तेमाल में नहीं",
};
