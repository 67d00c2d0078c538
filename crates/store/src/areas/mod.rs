//! What a store can do, by area: each file implements some of the traits of [`crate::contract`] over [`crate::db`].

mod access;
pub(crate) mod calls;
mod content;
mod credentials;
pub(crate) mod events;
mod jobs;
mod journal;
mod knowledge;
mod nodes;
mod people;
mod plans;
mod retention;
mod tenants;
mod webhooks;
