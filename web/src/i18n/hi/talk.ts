import type { Messages } from "../en";

export const talk: Messages["talk"] = {
  talk_to: "{name} से बात करें",
  talk: "बात करें",
  waiting: "रुकिए…",
  allow_mic: "ब्राउज़र पूछे तो माइक्रोफ़ोन की अनुमति दें।",
  trying_again: "{problem} फिर कोशिश हो रही है…",
  agent: "एजेंट",
  type_instead: "माइक्रोफ़ोन नहीं है? लिखकर बात करें",
  space_hint: "बात करें, टोकें",
  mute_hint: "आवाज़ बंद",
  end_hint: "समाप्त",
  no_agent: "अभी कोई एजेंट नहीं है",
  no_agent_help: "एक एजेंट बनाएँ, फिर इस पेज पर उससे बात करें।",
  call_with: "{name} के साथ कॉल",
  controls: "कॉल के बटन",
  connecting: "जुड़ रहा है…",
  ending: "समाप्त हो रही है…",
  muted: "आवाज़ बंद",
  you: "आप",
  type_field: "बोलने की जगह लिखें",
  or_type: "या लिखें…",
  send: "भेजें",
  mute: "माइक बंद करें",
  unmute: "माइक चालू करें",
  interrupt: "टोकें",
  end: "समाप्त",
  end_title: "कॉल समाप्त करें (Esc)",
  call_over: "कॉल समाप्त",
  lasted: "{time} तक चली",
  see_call: "यह कॉल देखें",
  again: "फिर बात करें",
  back: "शुरुआत पर लौटें",
  transcript: "बातचीत",
  newest: "सबसे नया",
  you_said: "आप: {text}",
  agent_said: "{name}: {text}",
  interrupted_said: "{name}: {text} (टोका गया)",
  interrupted_here: "यहाँ टोका गया",
  interrupted_before: "एक भी शब्द सुनाई देने से पहले टोका गया",
  fault_goes_on: "{fault}; कॉल जारी है।",
  source: "स्रोत: ",
  response_times: "जवाब का समय",
  time_to_answer: "जवाब में लगा समय",
  time_help: "हर जवाब के बाद यहाँ दिखता है कि समय किसमें लगा, आपके चुप होने से गिनकर।",
  this_call: "यह कॉल",
  median: "माध्यिका {time}",
  answered_after: "जवाब मिला ",
  wait_title: "आपके चुप होने से जवाब की पहली आवाज़ तक",
  no_audio: "यहाँ आवाज़ नहीं चलती; जवाब लिखकर दिखाए जाते हैं।",
  mic_lost: "माइक्रोफ़ोन निकल गया। आप लिख सकते हैं।",
  agents_failed: "एजेंट लोड नहीं हो सके।",
};

export const mic: Messages["mic"] = {
  refused: "इस पेज के लिए माइक्रोफ़ोन रोका गया है। ब्राउज़र के पते वाली पट्टी में अनुमति दें, या लिखकर बात करें।",
  missing: "कोई माइक्रोफ़ोन नहीं मिला। आप लिख सकते हैं और जवाब सुन सकते हैं।",
  in_use: "माइक्रोफ़ोन किसी और प्रोग्राम में चल रहा है। उसे बंद करके फिर कॉल करें, या लिखें।",
  insecure: "ब्राउज़र माइक्रोफ़ोन केवल https या localhost पर देते हैं। आप लिख सकते हैं।",
  unknown: "माइक्रोफ़ोन नहीं खुल सका। आप लिख सकते हैं और जवाब सुन सकते हैं।",
};

export const closed: Messages["closed"] = {
  restarting: "Frontdesk फिर से चालू हो रहा है। कृपया थोड़ी देर में फिर कॉल करें।",
  busy: "सभी लाइनें व्यस्त हैं। कृपया एक मिनट में फिर कोशिश करें।",
  not_accepted: "Frontdesk ने यह कॉल नहीं ली।",
  not_accepted_why: "Frontdesk ने यह कॉल नहीं ली: {reason}।",
  internal: "Frontdesk के भीतर कुछ गड़बड़ हो गई। कारण उसके लॉग में है; कृपया फिर कॉल करें।",
  lost: "कनेक्शन टूट गया। नेटवर्क देखकर फिर कॉल करें।",
  unreachable: "Frontdesk तक पहुँचा नहीं जा सका। क्या वह चल रहा है?",
  code: "कॉल बंद हो गई (कोड {code})।",
  why: "कॉल बंद हो गई: {reason}।",
};

export const ended: Messages["ended"] = {
  brain_failed: "भाषा मॉडल विफल रहा",
  agent: "एजेंट ने विदा ली",
  desk: "डेस्क से किसी ने कॉल समाप्त की",
  drained: "Frontdesk बंद हो रहा था",
  idle: "देर तक कोई नहीं बोला",
  media_lost: "लाइन टूट गई",
  no_answer: "किसी ने नहीं उठाया",
  no_media: "कोई आवाज़ नहीं आई",
  overflow: "इतना आया कि Frontdesk सँभाल नहीं सका",
  time_is_up: "कॉल अपनी सबसे लंबी अवधि तक पहुँच गई",
  transfer_failed: "जिसे कॉल देनी थी, उस तक पहुँचा नहीं जा सका",
  nobody_came: "इंतज़ार करते कॉलर को किसी ने नहीं लिया",
  call_back: "कॉलर वापस कॉल चाहता है",
  abandoned: "कॉलर इंतज़ार नहीं करना चाहता था",
  transferred: "कॉल एक व्यक्ति को सौंपी गई",
  call_ended: "कॉल समाप्त हुई",
  you_ended: "आपने कॉल समाप्त की",
  hung_up: "कॉल करने वाले ने फ़ोन रखा",
  other: "कॉल समाप्त हुई: {reason}",
};

export const stages: Messages["stages"] = {
  stt: "वाक् पहचान",
  brain: "भाषा मॉडल",
  tts: "आवाज़",
  tool: "एक टूल",
  carrier: "लाइन",
  engine: "इंजन",
};

export const classes: Messages["classes"] = {
  auth: "को मना किया गया: कुंजी नहीं है या ग़लत है",
  quota: "का बैलेंस ख़त्म है",
  rate_limited: "पर बहुत ज़्यादा अनुरोध हुए",
  invalid: "ने अनुरोध स्वीकार नहीं किया",
  refused: "ने सामग्री से मना किया",
  unavailable: "तक पहुँचा नहीं जा सका",
  timeout: "ने बहुत देर की",
  protocol: "बीच में टूट गया",
  cancelled: "को रोक दिया गया",
  internal: "विफल रहा",
};

export const tool_status: Messages["tool_status"] = {
  started: "चल रहा है",
  finished: "पूरा",
  failed: "विफल",
  refused: "अनुमति नहीं",
};

export const phases: Messages["phases"] = {
  listening: "सुन रहा है",
  thinking: "सोच रहा है",
  speaking: "बोल रहा है",
  waiting_tool: "देख रहा है",
  paused: "लाइन चली गई; उसका इंतज़ार है",
  consulting: "एक व्यक्ति को फ़ोन किया जा रहा है",
  queued: "व्यक्ति का इंतज़ार है",
  with_human: "कॉल एक व्यक्ति के पास है",
  ending: "विदा ले रहा है",
  connected: "जुड़ गया",
};

export const waits: Messages["waits"] = {
  endpoint: "बोलना समाप्त",
  transcript: "लिखित रूप",
  first_token: "पहले शब्द",
  first_audio: "पहली आवाज़",
  heard: "सुना गया",
};

/** कॉल की आवाज़ किस रास्ते जाती है। */
export const line: Messages["line"] = {
  webrtc: "WebRTC",
  webrtc_text: "आवाज़ सीधे सर्वर तक जाती है।",
  relayed: "WebRTC, रिले से",
  relayed_text: "आवाज़ रिले (TURN) से होकर जाती है, क्योंकि नेटवर्क सीधे कुछ नहीं जाने देता।",
  websocket: "WebSocket",
  websocket_text: "आवाज़ WebSocket से जाती है: WebRTC बंद है, या नेटवर्क उसे नहीं जाने देता।",
  round_trip: "आने-जाने में {ms} ms।",
  lossy: "{share} आवाज़ खो रही है",
  broken: "रुकावट, नेटवर्क का इंतज़ार…",
};
