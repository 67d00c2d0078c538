//! A twin of twilio.
