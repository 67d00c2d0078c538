import type { Messages } from "../en";

export const knowledge: Messages["knowledge"] = {
  title: "जानकारी",
  lead: "वे दस्तावेज़ जिनसे एजेंट जवाब देते हैं, और वे सवाल जिनका जवाब नहीं मिला।",
  empty_title: "अभी कोई दस्तावेज़ नहीं है",
  empty_text: "क़ीमतें, खुलने का समय और अक्सर पूछे जाने वाले सवाल अपलोड करें। एजेंट कुछ ही सेकंड में उनसे जवाब देने लगते हैं।",
};

export const settings: Messages["settings"] = {
  title: "सेटिंग",
  lead: "लोग, कुंजियाँ, प्रदाता, नंबर और गोपनीयता।",
  empty_title: "यहाँ अभी कुछ बदलने को नहीं है",
  empty_text: "आपकी भूमिका जो बदल सकती है, वह यहाँ दिखेगा।",
};
