//! What a store can do, by area: each file implements some of the traits of [`crate::contract`] over [`crate::db`].

pub(crate) mod calls;
mod content;
mod credentials;
mod journal;
mod retention;
mod tenants;
