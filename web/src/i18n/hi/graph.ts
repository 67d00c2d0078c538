import type { Messages } from "../en";

export const graph: Messages["graph"] = {
  tab: "ग्राफ़",
  find: "नाम से खोजें",
  kind: "प्रकार",
  all_kinds: "सब प्रकार",
  shown: "{total} में से {shown}",
  add: "चीज़ जोड़ें",
  none: "अभी किसी का नाम नहीं आया",
  none_text:
    "दस्तावेज़ लेते समय उनमें आए उत्पाद, जगहें, क़ीमतें और समय यहाँ जमा होते हैं, और उनके बारे में जो कहा गया है वह भी। आप उन्हें सुधार सकते हैं, और देख सकते हैं कि दस्तावेज़ कहाँ एक-दूसरे से टकराते हैं।",
  picture: "{count, plural, one {# चीज़} other {# चीज़ें}} और उनके संबंध",
  names_hidden: "बड़ा करने पर {count, plural, one {# नाम} other {# नाम}} और दिखेंगे",
  mentions: "{count, plural, one {# अंश} other {# अंश}}",
  conflicts: "आपके दस्तावेज़ों में {count, plural, one {# विरोध} other {# विरोध}}",
  conflicts_text:
    "वे एक ही चीज़ के बारे में अलग-अलग कहते हैं। कॉल करने वाले उनमें से एक सुनते हैं। बताएँ कौन सा ग़लत है, या दस्तावेज़ सुधारकर फिर से अपलोड करें।",
  is_wrong: "यह ग़लत है",
  wrong_title: "क्या “{value}” ग़लत है?",
  wrong_text:
    "यह जानकारी से हटा दिया जाता है और अगले संस्करण के साथ वापस नहीं आता। दस्तावेज़ जैसा है वैसा रहता है: उसे भी सुधारें, क्योंकि एजेंट उसी के शब्द कहते हैं।",
  settled: "सुलझ गया",
  typed: "हाथ से लिखा",
  entity_text: "जो आप यहाँ लिखते हैं, वह रहता है, दस्तावेज़ बाद में कुछ भी कहें।",
  aliases: "और नाम",
  aliases_hint: "हर पंक्ति में एक।",
  also: "और नाम: {names}",
  corrected: "सुधारा गया",
  say: "इसके बारे में कुछ लिखें",
  merge: "यह वही है जो…",
  merge_text: "दूसरा अब {name} का एक और नाम होगा, बाद के संस्करणों में भी।",
  the_same_as: "वही जो",
  merged: "अब वे एक हैं",
  delete_text: "यह दस्तावेज़ के अगले संस्करण के साथ वापस नहीं आता।",
  nothing_said: "दस्तावेज़ इसका नाम लेते हैं, इसके बारे में कुछ नहीं कहते।",
  not: "{predicate} नहीं",
  forget: "हटाएँ: {value}",
  named_in: "यहाँ नाम आया",
  predicate: "क्या कहा गया है",
  predicate_placeholder: "एक दिन का किराया",
  facts: "इसके बारे में ज्ञात",
};

export const entity_kinds: Messages["entity_kinds"] = {
  product: "उत्पाद",
  place: "जगह",
  person: "व्यक्ति",
  policy: "नियम",
  price: "क़ीमत",
  hours: "समय",
  other: "अन्य",
};
