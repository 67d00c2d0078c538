//! A twin of openai.
