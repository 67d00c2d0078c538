//! What a store can do, by area: each file implements some of the traits of [`crate::contract`] over [`crate::db`].

mod access;
pub(crate) mod calls;
mod content;
mod credentials;
mod customers;
pub(crate) mod desk;
mod drafts;
pub(crate) mod events;
mod jobs;
mod journal;
mod knowledge;
mod knowledge_work;
mod lines;
mod nodes;
mod office;
mod people;
mod plans;
mod requests;
mod reseal;
mod retention;
mod shares;
mod tenants;
mod training;
mod webhooks;
mod widgets;
