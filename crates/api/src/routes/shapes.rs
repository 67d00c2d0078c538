//! Shapes of domain types for the OpenAPI document alone: the domain knows nothing of it. A test holds each against its type.

use serde::Serialize;
use utoipa::ToSchema;

/// When somebody is there.
#[derive(ToSchema)]
#[schema(as = Hours)]
#[expect(dead_code, reason = "describes model::hours::Hours")]
pub(crate) struct HoursShape {
    /// Every week.
    week: Vec<WeeklySpanShape>,
    /// Days that differ.
    #[schema(required = false)]
    special: Vec<SpecialDayShape>,
}

/// A span on some days of every week.
#[derive(ToSchema)]
#[schema(as = WeeklySpan)]
#[expect(dead_code, reason = "describes model::hours::WeeklySpan")]
pub(crate) struct WeeklySpanShape {
    /// On which days it begins.
    #[schema(min_items = 1)]
    days: Vec<WeekdayShape>,
    /// The first minute.
    #[schema(pattern = "^([01][0-9]|2[0-3]):[0-5][0-9]$", example = "09:00")]
    from: String,
    /// The minute after the last; at or before `from`, it is one of the next day.
    #[schema(pattern = "^(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$", example = "17:30")]
    to: String,
}

/// A day that differs from its weekday.
#[derive(ToSchema)]
#[schema(as = SpecialDay)]
#[expect(dead_code, reason = "describes model::hours::SpecialDay")]
pub(crate) struct SpecialDayShape {
    #[schema(pattern = "^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$", example = "2026-12-25")]
    date: String,
    /// When it is open; empty: closed all day.
    #[schema(required = false)]
    spans: Vec<SpanShape>,
}

/// From when until when.
#[derive(ToSchema)]
#[schema(as = Span)]
#[expect(dead_code, reason = "describes model::hours::Span")]
pub(crate) struct SpanShape {
    #[schema(pattern = "^([01][0-9]|2[0-3]):[0-5][0-9]$", example = "09:00")]
    from: String,
    #[schema(pattern = "^(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$", example = "17:30")]
    to: String,
}

/// A day of the week.
#[derive(ToSchema)]
#[schema(as = Weekday, rename_all = "snake_case")]
#[expect(dead_code, reason = "describes model::hours::Weekday")]
pub(crate) enum WeekdayShape {
    Monday,
    Tuesday,
    Wednesday,
    Thursday,
    Friday,
    Saturday,
    Sunday,
}

/// Where a call goes while nobody is there: to another agent, to a message, or to another number.
#[derive(Serialize, ToSchema)]
#[schema(as = Closed)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[expect(dead_code, reason = "describes model::hours::Closed")]
pub(crate) enum ClosedShape {
    /// Another agent answers.
    Agent { agent: uuid::Uuid },
    /// The caller hears this and is hung up on: in the platform's own voice where it has one, in the agent's elsewhere.
    Message {
        #[schema(min_length = 1, max_length = 1000)]
        text: String,
    },
    /// The platform connects the caller with this number, which sees ours.
    Forward {
        /// E.164 form.
        #[schema(example = "+4940555017", pattern = r"^\+[0-9]{5,15}$")]
        to: String,
    },
}

/// Where a call goes for which no line is free.
#[derive(Serialize, ToSchema)]
#[schema(as = Overflow)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[expect(dead_code, reason = "describes model::hours::Overflow")]
pub(crate) enum OverflowShape {
    /// The platform says this in its own voice and hangs up. One that has no voice gives the busy signal.
    Message {
        #[schema(min_length = 1, max_length = 1000)]
        text: String,
    },
    /// The platform connects the caller with this number, which sees ours.
    Forward {
        /// E.164 form.
        #[schema(example = "+4940555017", pattern = r"^\+[0-9]{5,15}$")]
        to: String,
    },
}

/// A number whose calls go elsewhere while nobody is there.
#[derive(ToSchema)]
#[schema(as = HoursRoute)]
#[expect(dead_code, reason = "describes model::hours::HoursRoute")]
pub(crate) struct HoursRouteShape {
    /// When its own agent answers; absent: the hours of the business.
    hours: Option<HoursShape>,
    /// IANA zone in which they are meant; left out: the zone of the business.
    #[schema(required = false, example = "Europe/Berlin")]
    time_zone: Option<String>,
    /// What happens otherwise.
    closed: ClosedShape,
}

/// When an agent takes calls that come in, and what it does otherwise.
#[derive(ToSchema)]
#[schema(as = AgentHours)]
#[expect(dead_code, reason = "describes model::hours::AgentHours")]
pub(crate) struct AgentHoursShape {
    /// IANA zone in which the times are meant; left out: the zone of the business.
    #[schema(required = false, example = "Europe/Berlin")]
    time_zone: Option<String>,
    /// Every week.
    #[schema(max_items = 100)]
    week: Vec<WeeklySpanShape>,
    /// Days that differ.
    #[schema(required = false, max_items = 100)]
    special: Vec<SpecialDayShape>,
    /// What it does at other times; it talks with the caller when left out.
    #[schema(required = false)]
    outside: OutsideShape,
}

/// What an agent does with a call that comes in outside its hours.
#[derive(Serialize, ToSchema)]
#[schema(as = Outside)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[expect(dead_code, reason = "describes model::hours::Outside")]
pub(crate) enum OutsideShape {
    /// It talks with the caller, and knows that nobody else is there.
    TakeAnyway,
    /// It says this and hangs up.
    Message {
        #[schema(min_length = 1, max_length = 500, pattern = r"\S")]
        text: String,
    },
    /// It says this and hands the caller over.
    Transfer {
        #[schema(min_length = 1, max_length = 500, pattern = r"\S")]
        text: String,
        /// E.164 form.
        #[schema(example = "+4940555017", pattern = r"^\+[0-9]{5,15}$")]
        to: String,
    },
}

/// What an agent must not do, whatever a model makes of its instructions. How long a call may last is `timing.call_ms_max`.
#[derive(ToSchema)]
#[schema(as = Guardrails)]
#[expect(dead_code, reason = "describes model::guard::Guardrails")]
pub(crate) struct GuardrailsShape {
    /// Subjects that it does not talk about, at most 50, each of 1 to 100 characters. A model is told; and a caller who names one of them in these words is
    /// refused without asking any model.
    #[schema(required = false, max_items = 50, example = json!(["legal advice"]))]
    refuse_topics: Vec<RuleShape>,
    /// Phrases that it never says, at most 50, each of 1 to 100 characters. A model is told; and a sentence that holds one is not
    /// spoken.
    #[schema(required = false, max_items = 50, example = json!(["full refund"]))]
    never_say: Vec<RuleShape>,
    /// What it says instead.
    #[schema(required = false, min_length = 1, max_length = 300, pattern = r"\S")]
    instead: String,
    /// When it offers a person.
    #[schema(required = false)]
    offer_person: OfferPersonShape,
}

/// When an agent offers a person.
#[derive(ToSchema)]
#[schema(as = OfferPerson)]
#[expect(dead_code, reason = "describes model::guard::OfferPerson")]
pub(crate) struct OfferPersonShape {
    /// Situations, in words for a model, at most 50.
    #[schema(required = false, max_items = 50, example = json!(["the customer is angry"]))]
    situations: Vec<RuleShape>,
    /// After so many refusals in one call the caller is handed to a person, if the agent has one; 0: never.
    #[schema(required = false, maximum = 10)]
    after_refusals: u32,
    /// After so many turns in a row without an answer the call is handed to a person.
    #[schema(required = false, minimum = 1, maximum = 10)]
    after_failed_turns: u32,
}

/// A subject, a phrase or a situation.
#[derive(ToSchema)]
#[schema(as = RuleText, min_length = 1, max_length = 100)]
#[expect(dead_code, reason = "describes a text of model::guard::Guardrails")]
pub(crate) struct RuleShape(String);

/// How a person comes to a caller.
#[derive(ToSchema)]
#[schema(as = HandoffMode, rename_all = "snake_case")]
#[expect(dead_code, reason = "describes model::agent::HandoffMode")]
pub(crate) enum HandoffModeShape {
    Cold,
    Warm,
    Queue,
}

/// How a caller is handed to a person.
#[derive(ToSchema)]
#[schema(as = Handoff)]
#[expect(dead_code, reason = "describes model::agent::Handoff")]
pub(crate) struct HandoffShape {
    /// Whether the person is asked first. `cold`: the phone platform connects the caller and we leave. `warm`: the person is called,
    /// hears who waits and why, and takes the call or leaves it with the agent; the two talk over us. `queue`: the caller stays on the
    /// line until somebody takes the call at the desk.
    #[schema(required = false)]
    mode: HandoffModeShape,
    /// The key with which a person who is asked takes the call.
    #[schema(required = false, pattern = "^[0-9*#]$", example = "1")]
    accept_key: String,
    /// How long the person's phone rings, in milliseconds.
    #[schema(required = false, minimum = 5000, maximum = 120000, example = 25000)]
    ring_ms_max: u64,
    /// The key with which a caller who waits in the queue asks to be called back instead.
    #[schema(required = false, pattern = "^[0-9*#]$", example = "1")]
    call_back_key: String,
    /// How long a caller waits in the queue, in milliseconds. Then they are sent to `handoff_to` (as `cold`), or promised a call-back
    /// where there is no number.
    #[schema(required = false, minimum = 30000, maximum = 1800000, example = 600000)]
    wait_ms_max: u64,
}
