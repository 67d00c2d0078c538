//! What the API shows of the domain. Names and shapes here are a promise; the domain may change behind them.

use model::call::{Call, CallState, Direction};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

/// Where a call stands.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum CallStateView {
    Initiated,
    Ringing,
    Answered,
    Active,
    Paused,
    Ending,
    Completed,
    Failed,
    Busy,
    NoAnswer,
    Canceled,
}

impl From<CallState> for CallStateView {
    fn from(state: CallState) -> Self {
        match state {
            CallState::Initiated => Self::Initiated,
            CallState::Ringing => Self::Ringing,
            CallState::Answered => Self::Answered,
            CallState::Active => Self::Active,
            CallState::Paused => Self::Paused,
            CallState::Ending => Self::Ending,
            CallState::Completed => Self::Completed,
            CallState::Failed => Self::Failed,
            CallState::Busy => Self::Busy,
            CallState::NoAnswer => Self::NoAnswer,
            CallState::Canceled => Self::Canceled,
        }
    }
}

impl From<CallStateView> for CallState {
    fn from(state: CallStateView) -> Self {
        match state {
            CallStateView::Initiated => Self::Initiated,
            CallStateView::Ringing => Self::Ringing,
            CallStateView::Answered => Self::Answered,
            CallStateView::Active => Self::Active,
            CallStateView::Paused => Self::Paused,
            CallStateView::Ending => Self::Ending,
            CallStateView::Completed => Self::Completed,
            CallStateView::Failed => Self::Failed,
            CallStateView::Busy => Self::Busy,
            CallStateView::NoAnswer => Self::NoAnswer,
            CallStateView::Canceled => Self::Canceled,
        }
    }
}

/// Who began a call.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum DirectionView {
    Inbound,
    Outbound,
}

impl From<Direction> for DirectionView {
    fn from(direction: Direction) -> Self {
        match direction {
            Direction::Inbound => Self::Inbound,
            Direction::Outbound => Self::Outbound,
        }
    }
}

impl From<DirectionView> for Direction {
    fn from(direction: DirectionView) -> Self {
        match direction {
            DirectionView::Inbound => Self::Inbound,
            DirectionView::Outbound => Self::Outbound,
        }
    }
}

/// A call.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CallView {
    id: Uuid,
    agent: Uuid,
    conversation: Uuid,
    direction: DirectionView,
    /// Name of the phone platform.
    carrier: String,
    /// The platform's own id.
    carrier_ref: Option<String>,
    /// The customer's number or address.
    customer: Option<String>,
    /// Our number.
    number: Option<String>,
    state: CallStateView,
    /// Unix milliseconds.
    started_at_ms: i64,
    /// Unix milliseconds.
    answered_at_ms: Option<i64>,
    /// Unix milliseconds.
    ended_at_ms: Option<i64>,
    /// Why it ended, in one word.
    ended_reason: Option<String>,
    /// Whether there is a recording.
    recorded: bool,
    /// What providers charge for it, in millionths of a US dollar.
    cost_usd_micros: i64,
    /// The version of its agent that it began with.
    agent_version: Option<u32>,
}

impl From<Call> for CallView {
    fn from(call: Call) -> Self {
        Self {
            id: call.id.0,
            agent: call.agent.0,
            conversation: call.conversation.0,
            direction: call.direction.into(),
            carrier: call.carrier,
            carrier_ref: call.carrier_ref,
            customer: call.customer.map(base::Pii::into_inner),
            number: call.number,
            state: call.state.into(),
            started_at_ms: call.started_at_ms,
            answered_at_ms: call.answered_at_ms,
            ended_at_ms: call.ended_at_ms,
            ended_reason: call.ended_reason,
            recorded: call.recording.is_some(),
            cost_usd_micros: call.cost.usd_micros,
            agent_version: call.agent_version,
        }
    }
}

/// A call with its journal.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CallDetail {
    pub(crate) call: CallView,
    /// Whether it is going on in this process.
    pub(crate) live: bool,
    /// Whether `GET …/packets` has what went over the wire for it.
    pub(crate) packets: bool,
    /// What each provider charged for it, stage by stage; there when the call is over.
    pub(crate) costs: Vec<super::providers::StageCostView>,
    /// What was found out about it when it was over, of what its customer said: `language`, `sentiment`, `entities` and `by`
    /// whom. Not there when nobody has read it.
    #[schema(value_type = Option<Object>)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reading: Option<runtime::reading::CallReading>,
    /// What the caller wanted, turn by turn, as the agent was taught to tell: `turn`, `intent`, `probability`, `entities` and
    /// which `training` says so.
    #[schema(value_type = Vec<Object>)]
    pub(crate) understood: Vec<model::live::Understood>,
    /// What happened, in order: `seq`, `at` (milliseconds since the call began) and `entry`.
    #[schema(value_type = Vec<Object>)]
    pub(crate) journal: Vec<model::journal::Record>,
}

/// A call to place.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct PlaceCall {
    /// Who to call, in E.164 form.
    #[schema(example = "+4940555017")]
    pub(crate) to: String,
    /// Which of our numbers calls, in E.164 form; left out: the one that fits best, of the best phone platform.
    #[serde(default)]
    #[schema(required = false)]
    pub(crate) from: Option<String>,
    /// Slug of the agent that speaks.
    pub(crate) agent: String,
    /// Name of the phone platform; left out: that of our number.
    #[serde(default)]
    pub(crate) carrier: Option<String>,
}

/// A call that is being placed.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PlacedCall {
    pub(crate) id: Uuid,
}
