//! The domain in plain types: businesses, agents, calls, conversations, the journal, live events, and what a brain is
//! asked and answers.
//!
//! **Must not know**: how anything is stored, sent or decided. No I/O, no clock, no behaviour beyond small helpers.
//!
//! Start reading at [`agent`] (what a business configures), then [`journal`] (the journal is the call).

pub mod agent;
pub mod branding;
pub mod business;
pub mod call;
pub mod customer;
pub mod event;
pub mod flags;
pub mod flow;
pub mod generation;
pub mod guard;
pub mod hours;
pub mod journal;
pub mod live;
pub mod node;
pub mod outgoing;
pub mod passage;
pub mod people;
pub mod plan;
pub mod privacy;
pub mod routing;
pub mod seed;
pub mod sentences;
pub mod split;
pub mod statistics;
pub mod ticket;
pub mod tool;
pub mod webhook;
pub mod widget;
