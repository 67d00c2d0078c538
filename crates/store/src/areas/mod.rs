//! What a store can do, by area: each file implements some of the traits of [`crate::contract`] over [`crate::db`].

mod access;
pub(crate) mod calls;
mod content;
mod credentials;
mod customers;
mod drafts;
mod journal;
mod lines;
mod office;
mod people;
mod requests;
mod retention;
mod tenants;
