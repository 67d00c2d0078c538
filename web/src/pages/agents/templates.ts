import type { AgentDraft, Tool } from "./draft";

/** What a new agent begins with, in the language that it speaks: content, not words of the pages. */

export const TEMPLATES = ["reception", "appointments", "support"] as const;
export type Template = (typeof TEMPLATES)[number];

interface Words {
  persona: Record<Template, string>;
  greeting: string;
  goodbye: string;
  lines: Partial<AgentDraft["lines"]>;
}

const ENGLISH: Words = {
  persona: {
    reception: `You are {name}, the automated telephone assistant of {business}. You are friendly and brief: one or two short sentences a turn, as people speak. Find out what the caller wants, answer from the documents of the business, and connect them with a colleague when you cannot help. State facts only from the documents and from your tools. If you do not know, say so. Say that you are an automated assistant when asked.`,
    appointments: `You are {name}, the automated telephone assistant of {business}. You help callers to find a day for an appointment: ask what it is for, which day suits them and by what name, one question at a time, and repeat it before you finish. You are friendly and brief. State facts only from the documents of the business and from your tools. If you do not know, say so and offer a colleague.`,
    support: `You are {name}, the automated support assistant of {business}. Understand the problem first: ask one question at a time. Then explain the solution step by step from the documents of the business, and wait after each step. If the documents do not say, do not guess: offer to connect the caller with a colleague. Read numbers back digit by digit.`,
  },
  greeting: "{business}, this is {name}, the automated assistant. How can I help you?",
  goodbye: "Thank you for calling {business}. Goodbye.",
  lines: {},
};

const HINDI: Words = {
  persona: {
    reception: `आप {business} की स्वचालित फ़ोन सहायक {name} हैं। आप विनम्र हैं और कम शब्दों में बात करती हैं: एक बार में एक या दो छोटे वाक्य, जैसे लोग बोलते हैं। पहले समझें कि कॉल करने वाले को क्या चाहिए, व्यवसाय के दस्तावेज़ों से जवाब दें, और जहाँ मदद न कर सकें वहाँ किसी सहकर्मी से जोड़ें। तथ्य केवल दस्तावेज़ों और अपने टूल से बताएँ। न पता हो तो साफ़ कहें। पूछने पर बताएँ कि आप स्वचालित सहायक हैं।`,
    appointments: `आप {business} की स्वचालित फ़ोन सहायक {name} हैं। आप अपॉइंटमेंट के लिए दिन तय करने में मदद करती हैं: किस काम के लिए, कौन सा दिन, किस नाम से; एक बार में एक ही सवाल पूछें और अंत में दोहराएँ। तथ्य केवल व्यवसाय के दस्तावेज़ों और अपने टूल से बताएँ। न पता हो तो साफ़ कहें और किसी सहकर्मी से बात कराने की पेशकश करें।`,
    support: `आप {business} की स्वचालित सहायता सहायक {name} हैं। पहले समस्या समझें: एक बार में एक सवाल पूछें। फिर व्यवसाय के दस्तावेज़ों से हल एक-एक कदम करके बताएँ और हर कदम के बाद रुकें। दस्तावेज़ों में न हो तो अंदाज़ा न लगाएँ: किसी सहकर्मी से जोड़ने की पेशकश करें। नंबर एक-एक अंक करके दोहराएँ।`,
  },
  greeting: "नमस्ते, {business} में आपका स्वागत है। मैं स्वचालित सहायक {name} हूँ। मैं आपकी क्या मदद कर सकती हूँ?",
  goodbye: "{business} में कॉल करने के लिए धन्यवाद। नमस्ते।",
  lines: {
    are_you_there: "क्या आप लाइन पर हैं?",
    filler: "एक पल, मैं देखती हूँ।",
    still_working: "मैं अभी देख ही रही हूँ, बस एक पल।",
    not_heard: "माफ़ कीजिए, मैं सुन नहीं पाई। क्या आप फिर से कहेंगे?",
    back_channels: ["हाँ।", "जी।", "अच्छा।"],
    apology: "माफ़ कीजिए, मैं समझ नहीं पाई। क्या आप फिर से कहेंगे?",
    lost_thread: "माफ़ कीजिए, बात बीच में रह गई। आप और क्या जानना चाहेंगे?",
    go_on: "क्या मैं आगे बताऊँ?",
    give_up: "माफ़ कीजिए, कोई तकनीकी समस्या है और अभी मैं मदद नहीं कर पा रही हूँ।",
    handoff: "मैं आपको अपने सहकर्मी से जोड़ती हूँ।",
    call_back: "अभी कोई उपलब्ध नहीं है। हमारे सहकर्मी आपको वापस कॉल करेंगे।",
    time_is_up: "क्षमा कीजिए, हमारा समय पूरा हो गया। कॉल करने के लिए धन्यवाद। नमस्ते।",
    resumed: "माफ़ कीजिए, लाइन एक पल के लिए कट गई थी। हम कहाँ थे?",
    confirm: "एक बार पक्का कर लूँ: {tool}, {args}। क्या मैं आगे बढ़ूँ?",
    not_done: "ठीक है, मैंने कुछ नहीं बदला है। और क्या मदद करूँ?",
  },
};

const TOOLS: Tool[] = [
  {
    name: "search_help",
    description: "Finds facts in the documents of the business. Use it for every question about the business.",
    action: { kind: "search_knowledge" },
  },
  {
    name: "talk_to_person",
    description: "Connects the caller with a colleague. Use it when they ask for a person or you cannot help.",
    action: { kind: "handoff" },
  },
  {
    name: "end_call",
    description: "Ends the call after a goodbye. Use it when the caller says goodbye.",
    action: { kind: "end_call" },
  },
];

/** An agent that can be published at once: persona, first and last words, and the tools that every agent needs. */
export function newAgent(
  template: Template,
  { slug, name, business, language }: { slug: string; name: string; business: string; language: string },
): Record<string, unknown> & { slug: string; name: string } {
  const words = language.split("-")[0] === "hi" ? HINDI : ENGLISH;
  const fill = (text: string) => text.replaceAll("{name}", name).replaceAll("{business}", business);
  return {
    slug,
    name,
    business_name: business,
    language,
    persona: fill(words.persona[template]),
    lines: { ...words.lines, greeting: fill(words.greeting), goodbye: fill(words.goodbye) },
    tools: TOOLS,
  };
}
