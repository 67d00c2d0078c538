//! Where model files come from: pinned, pulled, verified.
