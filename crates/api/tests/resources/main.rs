//! The API in process, over a real database, with two businesses that must never see each other.

mod agents;
mod desk;
mod lines_and_customers;
mod live;
mod mcp;
mod mechanics;
mod rig;
mod settings;
mod shares;
mod tools;
