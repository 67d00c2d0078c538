//! Opening hours: weekly spans in the business's time zone, and days that differ. Pure: the shell says which local day and
//! minute it is.

use base::{AgentId, PhoneNumber};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// Minutes of a day.
const DAY_MINUTES: u16 = 24 * 60;
/// Spans of a week, and days that differ.
pub const SPANS_MAX: usize = 100;

/// A day of the week.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Weekday {
    /// Monday.
    Monday,
    /// Tuesday.
    Tuesday,
    /// Wednesday.
    Wednesday,
    /// Thursday.
    Thursday,
    /// Friday.
    Friday,
    /// Saturday.
    Saturday,
    /// Sunday.
    Sunday,
}

impl Weekday {
    /// In the order of ISO 8601.
    pub const ALL: [Self; 7] =
        [Self::Monday, Self::Tuesday, Self::Wednesday, Self::Thursday, Self::Friday, Self::Saturday, Self::Sunday];

    fn before(self) -> Self {
        Self::ALL[(self as usize + 6) % 7]
    }
}

/// A time of day, `09:00`, in minutes since midnight; `24:00` is the end of the day.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TimeOfDay(u16);

impl FromStr for TimeOfDay {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("{text:?} is no time of day; write it as 09:00");
        let (hours, minutes) = text.split_once(':').filter(|_| text.len() == 5).ok_or_else(wrong)?;
        let digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit()).then(|| part.parse::<u16>().ok()).flatten();
        let (hours, minutes) = digits(hours).zip(digits(minutes)).ok_or_else(wrong)?;
        let total = hours * 60 + minutes;
        if minutes < 60 && total <= DAY_MINUTES { Ok(Self(total)) } else { Err(wrong()) }
    }
}

impl TryFrom<String> for TimeOfDay {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<TimeOfDay> for String {
    fn from(time: TimeOfDay) -> String {
        time.to_string()
    }
}

impl fmt::Display for TimeOfDay {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}:{:02}", self.0 / 60, self.0 % 60)
    }
}

/// From when until when. One that ends at or before its beginning goes on past midnight.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Span {
    /// The first minute.
    pub from: TimeOfDay,
    /// The minute after the last.
    pub to: TimeOfDay,
}

impl Span {
    fn is_past_midnight(self) -> bool {
        self.to <= self.from
    }

    /// Whether this minute of the day on which the span begins lies in it.
    fn holds_today(self, minute: u16) -> bool {
        minute >= self.from.0 && (self.is_past_midnight() || minute < self.to.0)
    }

    /// Whether this minute of the following day lies in it.
    fn holds_tomorrow(self, minute: u16) -> bool {
        self.is_past_midnight() && minute < self.to.0
    }
}

/// A span on some days of every week.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WeeklySpan {
    /// On which days it begins.
    pub days: Vec<Weekday>,
    /// The first minute.
    pub from: TimeOfDay,
    /// The minute after the last; at or before `from`, it is one of the next day.
    pub to: TimeOfDay,
}

impl WeeklySpan {
    fn span(&self) -> Span {
        Span { from: self.from, to: self.to }
    }
}

/// A day that differs from its weekday.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SpecialDay {
    /// Which, as `2026-12-25`.
    pub date: String,
    /// When it is open; empty: closed all day.
    #[serde(default)]
    pub spans: Vec<Span>,
}

/// When somebody is there.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hours {
    /// Every week.
    pub week: Vec<WeeklySpan>,
    /// Days that differ.
    #[serde(default)]
    pub special: Vec<SpecialDay>,
}

/// A moment as clocks of the business show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalMoment {
    /// The date, as `2026-12-25`.
    pub date: String,
    /// The date before.
    pub date_before: String,
    /// The day of the week.
    pub weekday: Weekday,
    /// Minutes since midnight.
    pub minute: u16,
}

impl Hours {
    /// Whether it is open at this moment.
    pub fn is_open(&self, at: &LocalMoment) -> bool {
        let today = self.spans_of(&at.date, at.weekday);
        let yesterday = self.spans_of(&at.date_before, at.weekday.before());
        today.iter().any(|span| span.holds_today(at.minute))
            || yesterday.iter().any(|span| span.holds_tomorrow(at.minute))
    }

    fn spans_of(&self, date: &str, weekday: Weekday) -> Vec<Span> {
        match self.special.iter().find(|day| day.date == date) {
            Some(day) => day.spans.clone(),
            None => self.week.iter().filter(|one| one.days.contains(&weekday)).map(WeeklySpan::span).collect(),
        }
    }

    /// What is wrong with them, in words.
    ///
    /// # Errors
    /// The place and what was expected.
    pub fn check(&self) -> Result<(), String> {
        if self.week.len() > SPANS_MAX || self.special.len() > SPANS_MAX {
            return Err(format!("at most {SPANS_MAX} spans and {SPANS_MAX} special days"));
        }
        for (index, span) in self.week.iter().enumerate() {
            if span.days.is_empty() {
                return Err(format!("week[{index}].days: name at least one day"));
            }
        }
        for (index, day) in self.special.iter().enumerate() {
            if !is_date(&day.date) {
                return Err(format!("special[{index}].date: write it as 2026-12-25"));
            }
        }
        Ok(())
    }
}

fn is_date(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let number = |part: &str, digits: usize| {
        (part.len() == digits && part.bytes().all(|b| b.is_ascii_digit())).then(|| part.parse::<u16>().ok()).flatten()
    };
    let [year, month, day] = parts.as_slice() else { return false };
    number(year, 4).is_some()
        && number(month, 2).is_some_and(|month| (1..=12).contains(&month))
        && number(day, 2).is_some_and(|day| (1..=31).contains(&day))
}

/// Where a call goes while nobody is there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Closed {
    /// Another agent answers.
    Agent {
        /// Which.
        agent: AgentId,
    },
    /// The caller hears this and is hung up on: in the platform's own voice where it has one, in the agent's elsewhere.
    Message {
        /// The words.
        text: String,
    },
    /// The platform connects the caller with this number.
    Forward {
        /// Which.
        to: PhoneNumber,
    },
}

/// A number whose calls go elsewhere while nobody is there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HoursRoute {
    /// When its own agent answers; absent: the hours of the business.
    #[serde(default)]
    pub hours: Option<Hours>,
    /// IANA zone in which they are meant; absent: the zone of the business.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<String>,
    /// What happens otherwise.
    pub closed: Closed,
}

/// Where a call goes for which no line is free: a phone platform's busy signal is not the only answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Overflow {
    /// The platform says this in its own voice and hangs up. One that has no voice gives the busy signal.
    Message {
        /// The words.
        text: String,
    },
    /// The platform connects the caller with this number.
    Forward {
        /// Which.
        to: PhoneNumber,
    },
}

/// Where a call to a number goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way<'a> {
    /// This agent answers.
    Agent(AgentId),
    /// Nobody does; the caller hears this.
    Message(&'a str),
    /// The platform connects the caller with this number.
    Forward(&'a PhoneNumber),
}

impl Way<'_> {
    /// The stable name used in metrics.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Agent(_) => "agent",
            Self::Message(_) => "message",
            Self::Forward(_) => "forward",
        }
    }
}

/// Where a call goes now that leads to this agent: by the number's own hours, or by those of the business where it has none.
/// Nobody can say (no hours, no zone): somebody is there. `at` is the moment in [`HoursRoute::time_zone`].
pub fn way<'a>(
    agent: AgentId,
    route: Option<&'a HoursRoute>,
    business: Option<&Hours>,
    at: Option<&LocalMoment>,
) -> Way<'a> {
    let Some(route) = route else { return Way::Agent(agent) };
    let hours = route.hours.as_ref().or(business);
    if hours.zip(at).is_none_or(|(hours, at)| hours.is_open(at)) {
        return Way::Agent(agent);
    }
    match &route.closed {
        Closed::Agent { agent } => Way::Agent(*agent),
        Closed::Message { text } => Way::Message(text),
        Closed::Forward { to } => Way::Forward(to),
    }
}

/// When an agent takes calls that come in, and what it does otherwise.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AgentHours {
    /// IANA zone in which the times are meant; `None`: the zone of the business.
    #[serde(default)]
    pub time_zone: Option<String>,
    /// Every week.
    pub week: Vec<WeeklySpan>,
    /// Days that differ.
    #[serde(default)]
    pub special: Vec<SpecialDay>,
    /// What it does at other times.
    #[serde(default)]
    pub outside: Outside,
}

impl AgentHours {
    /// Whether it takes calls at this moment of its zone.
    pub fn is_open(&self, at: &LocalMoment) -> bool {
        self.open().is_open(at)
    }

    /// When it takes calls.
    pub fn open(&self) -> Hours {
        Hours { week: self.week.clone(), special: self.special.clone() }
    }

    /// What is wrong with them, in words. Whether the zone exists is not known here.
    ///
    /// # Errors
    /// The place and what was expected.
    pub fn check(&self) -> Result<(), String> {
        self.open().check()?;
        let text = match &self.outside {
            Outside::TakeAnyway => return Ok(()),
            Outside::Message { text } | Outside::Transfer { text, .. } => text,
        };
        let count = text.chars().count();
        if text.trim().is_empty() || count > OUTSIDE_CHARS_MAX {
            return Err(format!("outside.text: 1 to {OUTSIDE_CHARS_MAX} characters"));
        }
        Ok(())
    }
}

/// Characters of what is said outside the hours.
pub const OUTSIDE_CHARS_MAX: usize = 500;

/// What an agent does with a call that comes in outside its hours.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum Outside {
    /// It talks with the caller, and knows that nobody else is there.
    #[default]
    TakeAnyway,
    /// It says this and hangs up.
    Message {
        /// The words.
        text: String,
    },
    /// It says this and hands the caller over.
    Transfer {
        /// The words.
        text: String,
        /// Where to.
        to: PhoneNumber,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hours() -> Hours {
        let text = r#"{"week":[{"days":["monday","tuesday"],"from":"09:00","to":"17:30"},
            {"days":["friday"],"from":"20:00","to":"02:00"}],
            "special":[{"date":"2026-11-24"},{"date":"2026-11-22","spans":[{"from":"10:00","to":"24:00"}]}]}"#;
        serde_json::from_str(text).expect("hours")
    }

    fn at(date: &str, before: &str, weekday: Weekday, time: &str) -> LocalMoment {
        let time: TimeOfDay = time.parse().expect("a time");
        LocalMoment { date: date.into(), date_before: before.into(), weekday, minute: time.0 }
    }

    #[test]
    fn a_business_is_open_within_its_hours_and_closed_outside() {
        let monday = |time| at("2026-11-23", "2026-11-22", Weekday::Monday, time);
        let hours = hours();
        assert!(hours.is_open(&monday("09:00")) && hours.is_open(&monday("17:29")));
        assert!(!hours.is_open(&monday("08:59")) && !hours.is_open(&monday("17:30")));
    }

    #[test]
    fn a_special_day_overrules_its_weekday() {
        let hours = hours();
        assert!(!hours.is_open(&at("2026-11-24", "2026-11-23", Weekday::Tuesday, "10:00")), "closed all day");
        assert!(hours.is_open(&at("2026-11-22", "2026-11-21", Weekday::Sunday, "23:59")), "open on a Sunday");
    }

    #[test]
    fn an_evening_goes_on_past_midnight() {
        let hours = hours();
        assert!(hours.is_open(&at("2026-11-27", "2026-11-26", Weekday::Friday, "23:00")));
        assert!(hours.is_open(&at("2026-11-28", "2026-11-27", Weekday::Saturday, "01:59")));
        assert!(!hours.is_open(&at("2026-11-28", "2026-11-27", Weekday::Saturday, "02:00")));
        assert!(!hours.is_open(&at("2026-11-27", "2026-11-26", Weekday::Friday, "01:00")), "Thursday has no evening");
    }

    #[test]
    fn a_call_goes_where_the_hours_send_it() {
        let (own, night) = (AgentId::generate(), AgentId::generate());
        let (open, shut) = (
            at("2026-11-23", "2026-11-22", Weekday::Monday, "10:00"),
            at("2026-11-23", "2026-11-22", Weekday::Monday, "18:00"),
        );
        let to: PhoneNumber = "+4940555017".parse().expect("a number");
        let route = |hours, closed| HoursRoute { hours, time_zone: None, closed };
        let by_night = route(Some(hours()), Closed::Agent { agent: night });
        assert_eq!(way(own, Some(&by_night), None, Some(&open)), Way::Agent(own));
        assert_eq!(way(own, Some(&by_night), None, Some(&shut)), Way::Agent(night));
        let elsewhere = route(None, Closed::Forward { to: to.clone() });
        assert_eq!(
            way(own, Some(&elsewhere), Some(&hours()), Some(&shut)),
            Way::Forward(&to),
            "the business is closed"
        );
        assert_eq!(way(own, Some(&elsewhere), None, Some(&shut)), Way::Agent(own), "nobody has hours");
        let told = route(Some(hours()), Closed::Message { text: "Closed.".into() });
        assert_eq!(way(own, Some(&told), None, Some(&shut)), Way::Message("Closed."));
        assert_eq!(way(own, Some(&told), None, None), Way::Agent(own), "a zone that nobody knows");
        assert_eq!(way(own, None, Some(&hours()), Some(&shut)), Way::Agent(own), "a number without a route");
    }

    #[test]
    fn times_and_dates_that_make_no_sense_are_refused() {
        for wrong in ["9:00", "24:01", "12:60", "noon", "１２:00", "-1:00", "+9:00"] {
            assert!(wrong.parse::<TimeOfDay>().is_err(), "{wrong}");
        }
        assert_eq!("24:00".parse::<TimeOfDay>().map(|time| time.to_string()), Ok("24:00".into()));
        for wrong in ["2026-13-01", "2026-1-1", "yesterday", "2026-01-32", "2026-01-01-01"] {
            let hours = Hours { week: vec![], special: vec![SpecialDay { date: wrong.into(), spans: vec![] }] };
            assert!(hours.check().is_err(), "{wrong}");
        }
        assert_eq!(hours().check(), Ok(()));
    }
}
