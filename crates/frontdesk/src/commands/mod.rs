//! One file per command.

pub(crate) mod admin;
pub(crate) mod call;
pub(crate) mod config;
pub(crate) mod demo;
pub(crate) mod doctor;
pub(crate) mod fill;
pub(crate) mod knowledge;
pub(crate) mod models;
pub(crate) mod nodes;
pub(crate) mod people;
pub(crate) mod providers;
pub(crate) mod replay;
pub(crate) mod serve;
pub(crate) mod text;
pub(crate) mod voices;
