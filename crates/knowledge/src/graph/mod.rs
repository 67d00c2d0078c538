//! What documents name and say of it: entities and relations, found by patterns; and where they contradict each other. Pure.
//!
//! Patterns know the shape of prices, hours, periods, phone numbers and e-mail addresses, the rows of tables, and a few forms
//! of English sentences; a model, where there is one, adds names of people, addresses and towns. What they do not know is left out rather than guessed: people see and correct what is found, and
//! answers quote sentences of documents, never what was made of them here.

mod amounts;
pub mod conflicts;
mod extract;
mod nouns;

pub use extract::{FoundName, extract};
