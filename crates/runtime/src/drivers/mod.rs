//! One driver per transport: WebSocket for speech, HTTP with server-sent events for language.
