//! Signing in and what people may do, over the whole router, on both engines of storage.

mod audit;
mod keys;
mod mail;
mod matrix;
mod oidc;
mod rig;
mod rtc;
mod samples;
mod sign_in;
mod visits;
