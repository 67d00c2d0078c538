//! A twin of deepgram.
