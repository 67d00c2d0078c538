//! The tokio shells: the call host, the drivers of providers, the node.
//!
//! **Must not know**: how anything is decided (the engine does), any vendor's protocol (codecs do), routes (the API does).
//!
//! Start reading at [`service`] (what a call host uses), then [`node`] (the doors), then `host` (one task per call).

pub mod answers;
mod bill;
pub mod catalog;
pub mod cluster;
mod consult;
pub mod documents;
pub mod drivers;
pub mod events;
mod host;
pub mod lines;
pub mod mail;
pub mod mcp;
pub mod node;
pub mod on_device;
mod phrases;
mod platform;
pub mod privacy;
mod queue;
pub mod reading;
pub mod recordings;
pub mod replay;
pub mod retention;
pub mod router;
pub mod service;
pub mod socket;
pub mod spaces;
pub mod supervise;
pub mod tools;
pub mod voices;
pub mod webhooks;
pub mod work;

pub use cluster::{ClusterSettings, Follow, JoinError};
pub use node::{
    AttachError, Budgets, DialError, DialRequest, LiveSettings, Load, MaskedCredential, Node, NodeSettings,
    OUTGOING_PLAN, PlaceRequest, Preview, ProviderError, RefuseReason, Services, Visit, VoiceError,
};

/// What the outside follows and is sent: live events and webhooks.
#[derive(Clone)]
pub struct Live {
    /// Events for those who are connected.
    pub feed: events::Feed,
    /// Events for those who are called.
    pub webhooks: webhooks::Webhooks,
}

impl Live {
    /// Over this store; messages go through this way out, whose policy decides where they may go.
    pub fn new(store: &std::sync::Arc<dyn store::Store>, egress: std::sync::Arc<egress::Egress>) -> Self {
        let feed = events::Feed::new(std::sync::Arc::clone(store));
        Self { feed, webhooks: webhooks::Webhooks::new(std::sync::Arc::clone(store), egress) }
    }
}

/// The month of this time in UTC, counted from the year 0.
pub(crate) fn month_number(at_ms: i64) -> i32 {
    let date = utc_date(at_ms);
    i32::from(date.year()) * 12 + i32::from(date.month()) - 1
}

/// When the month of this time began, in UTC.
pub fn month_begins_ms(at_ms: i64) -> i64 {
    let begins = utc_date(at_ms).first_of_month().to_zoned(jiff::tz::TimeZone::UTC);
    begins.map_or(0, |begins| begins.timestamp().as_millisecond())
}

fn utc_date(at_ms: i64) -> jiff::civil::Date {
    let at = jiff::Timestamp::from_millisecond(at_ms).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    at.to_zoned(jiff::tz::TimeZone::UTC).date()
}

/// Unix milliseconds now. Rows and carriers speak it; engines never see it.
pub fn wall_ms() -> i64 {
    jiff::Timestamp::now().as_millisecond()
}
