export const talk = {
  talk_to: "Talk to {name}",
  talk: "Talk",
  waiting: "Waiting…",
  allow_mic: "Allow the microphone when the browser asks.",
  trying_again: "{problem} Trying again…",
  agent: "Agent",
  type_instead: "No microphone? Type instead",
  space_hint: "talk, interrupt",
  mute_hint: "mute",
  end_hint: "end",
  no_agent: "There is no agent yet",
  no_agent_help: "Create one, and this page lets you talk to it.",
  call_with: "Call with {name}",
  controls: "Call controls",
  connecting: "Connecting…",
  ending: "Ending…",
  muted: "Muted",
  you: "You",
  type_field: "Type instead of speaking",
  or_type: "Or type…",
  send: "Send",
  mute: "Mute",
  unmute: "Unmute",
  interrupt: "Interrupt",
  end: "End",
  end_title: "End the call (Esc)",
  call_over: "Call over",
  lasted: "Lasted {time}",
  see_call: "See this call",
  again: "Talk again",
  back: "Back to the start",
  transcript: "Transcript",
  newest: "Newest",
  you_said: "You: {text}",
  agent_said: "{name}: {text}",
  interrupted_said: "{name}: {text} (interrupted)",
  interrupted_here: "Interrupted here",
  interrupted_before: "Interrupted before a word was heard",
  fault_goes_on: "{fault}; the call goes on.",
  source: "Source: ",
  response_times: "Response times",
  time_to_answer: "Time to answer",
  time_help: "After each answer you see here what it waited for, counted from the end of your speech.",
  this_call: "This call",
  median: "median {time}",
  answered_after: "Answered after ",
  wait_title: "From the end of your speech to the first sound of the answer",
  no_audio: "Audio does not work here; the answers are shown.",
  mic_lost: "The microphone was unplugged. You can type instead.",
  agents_failed: "The agents could not be loaded.",
};

export const mic = {
  refused: "The microphone is blocked for this page. Allow it in the browser's address bar, or type instead.",
  missing: "No microphone was found. You can type instead and still hear the answers.",
  in_use: "Another program is using the microphone. Close it and call again, or type instead.",
  insecure: "Browsers share the microphone only over https or on localhost. You can type instead.",
  unknown: "The microphone could not be opened. You can type instead and still hear the answers.",
};

/** Why the media socket closed. */
export const closed = {
  restarting: "Frontdesk is restarting. Please call again in a moment.",
  busy: "All lines are busy. Please try again in a minute.",
  not_accepted: "Frontdesk did not accept this call.",
  not_accepted_why: "Frontdesk did not accept this call: {reason}.",
  internal: "Something went wrong inside Frontdesk. Its log says what; please call again.",
  lost: "The connection was lost. Check the network and call again.",
  unreachable: "Frontdesk cannot be reached. Is it still running?",
  code: "The call was closed (code {code}).",
  why: "The call was closed: {reason}.",
};

/** The one-word reason of a call's end. */
export const ended = {
  brain_failed: "The language model failed",
  agent: "The agent said goodbye",
  desk: "A person at the desk ended the call",
  drained: "Frontdesk was shutting down",
  idle: "Nobody spoke for a while",
  media_lost: "The line was lost",
  no_answer: "Nobody picked up",
  no_media: "No audio ever came",
  overflow: "More came in than Frontdesk could handle",
  time_is_up: "The call reached its longest duration",
  transfer_failed: "The person to hand over to could not be reached",
  nobody_came: "Nobody took the waiting caller",
  call_back: "The caller wants to be called back",
  abandoned: "The caller did not want to wait",
  transferred: "The call was handed to a person",
  call_ended: "Call ended",
  you_ended: "You ended the call",
  hung_up: "The caller hung up",
  other: "Call ended: {reason}",
};

export const stages = {
  stt: "Speech recognition",
  brain: "The language model",
  tts: "The voice",
  tool: "A tool",
  carrier: "The line",
  engine: "The engine",
};

export const classes = {
  auth: "was refused: its key is missing or wrong",
  quota: "is out of credit",
  rate_limited: "had too many requests",
  invalid: "did not accept the request",
  refused: "declined the content",
  unavailable: "could not be reached",
  timeout: "took too long",
  protocol: "broke off",
  cancelled: "was called off",
  internal: "failed",
};

export const tool_status = {
  started: "running",
  finished: "done",
  failed: "failed",
  refused: "not allowed",
};

export const phases = {
  listening: "Listening",
  thinking: "Thinking",
  speaking: "Speaking",
  waiting_tool: "Looking it up",
  paused: "The line is gone; waiting for it",
  consulting: "A person is being called",
  queued: "Waiting for a person",
  with_human: "A person has the call",
  ending: "Saying goodbye",
  connected: "Connected",
};

export const waits = {
  endpoint: "End of turn",
  transcript: "Transcript",
  first_token: "First words",
  first_audio: "First audio",
  heard: "Heard",
};

/** What the audio of a call goes by. */
export const line = {
  webrtc: "WebRTC",
  webrtc_text: "The audio goes straight to the server.",
  relayed: "WebRTC, relayed",
  relayed_text: "The audio goes through a relay (TURN), because the network lets nothing through directly.",
  websocket: "WebSocket",
  websocket_text: "The audio goes by the WebSocket: WebRTC is switched off, or the network does not let it through.",
  round_trip: "{ms} ms there and back.",
  lossy: "{share} of the sound is lost",
  broken: "Interrupted, waiting for the network…",
};
