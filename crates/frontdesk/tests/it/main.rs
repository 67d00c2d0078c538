//! Whole calls against the parts as they are shipped.

mod on_device_call;
