//! Words that every other crate speaks: typed ids, call time, limits, secrets, personal data, phone numbers,
//! money, failures and the wire shapes that codecs produce.
//!
//! **Must not know**: anything of the domain (calls, agents), any vendor, any runtime. No I/O, no clock.
//!
//! Start reading at [`time`] (why a call has its own clock), then [`limits`] (every bound of the system).

pub mod failure;
pub mod id;
pub mod limits;
pub mod money;
pub mod phone;
pub mod secret;
pub mod time;
pub mod wire;

pub use failure::{ErrorClass, Failure};
pub use id::{
    AccessKeyId, AgentId, BusinessId, CallId, ConversationId, CustomerId, DocumentId, GapId, GenerationId, JournalSeq,
    MarkId, MessageId, NodeId, NumberId, SessionId, SttStreamId, TicketId, ToolCallId, TurnId, UserId, UtteranceId,
    WidgetId,
};
pub use money::Money;
pub use phone::{PhoneNumber, PhoneNumberError};
pub use secret::{Pii, Secret};
pub use time::{CallTime, Millis};
