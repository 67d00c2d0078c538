//! Speech on this machine: recognition, synthesis, voice activity, end of turn.
