//! A twin of elevenlabs.
