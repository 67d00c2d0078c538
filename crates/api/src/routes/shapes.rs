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

/// Where a call goes while nobody is there: to another agent, or to a message.
#[derive(Serialize, ToSchema)]
#[schema(as = Closed)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[expect(dead_code, reason = "describes model::hours::Closed")]
pub(crate) enum ClosedShape {
    /// Another agent answers.
    Agent { agent: uuid::Uuid },
    /// The platform says this in its own voice and hangs up.
    Message {
        #[schema(min_length = 1, max_length = 1000)]
        text: String,
    },
}

/// A number whose calls go elsewhere while nobody is there.
#[derive(ToSchema)]
#[schema(as = HoursRoute)]
#[expect(dead_code, reason = "describes model::hours::HoursRoute")]
pub(crate) struct HoursRouteShape {
    /// When its own agent answers; absent: the hours of the business.
    hours: Option<HoursShape>,
    /// What happens otherwise.
    closed: ClosedShape,
}
