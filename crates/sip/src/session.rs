//! Session timers (RFC 4028): without a refresh in time both ends know that the other one is gone.

use std::time::Duration;

/// What we ask for and offer, in seconds.
pub(crate) const SESSION_SECS: u32 = 1_800;
/// The shortest that we accept (4).
pub(crate) const SESSION_SECS_MIN: u32 = 90;

/// Who refreshes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refresher {
    /// Who sent the request.
    Client,
    /// Who answered it.
    Server,
}

/// The value of a Session-Expires header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Expires {
    pub(crate) seconds: u32,
    pub(crate) refresher: Option<Refresher>,
}

impl Expires {
    pub(crate) fn parse(value: &str) -> Option<Self> {
        let mut parts = value.split(';').map(str::trim);
        let seconds = parts.next()?.parse().ok()?;
        let refresher = parts.find_map(|part| match part.to_ascii_lowercase().as_str() {
            "refresher=uac" => Some(Refresher::Client),
            "refresher=uas" => Some(Refresher::Server),
            _ => None,
        });
        Some(Self { seconds, refresher })
    }

    pub(crate) fn value(self) -> String {
        let refresher = match self.refresher {
            Some(Refresher::Client) => ";refresher=uac",
            Some(Refresher::Server) => ";refresher=uas",
            None => "",
        };
        format!("{}{refresher}", self.seconds)
    }
}

/// Our side of a session's timer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Session {
    seconds: u32,
    refreshes: bool,
}

impl Session {
    /// As the one who answers: what to write into the answer, and the timer. `is_supported` is whether the peer knows timers.
    pub(crate) fn answered(asked: Expires, is_supported: bool) -> (Expires, Self) {
        // Who does not know timers cannot refresh.
        let default = if is_supported { Refresher::Client } else { Refresher::Server };
        let refresher = asked.refresher.filter(|_| is_supported).unwrap_or(default);
        let agreed = Expires { seconds: asked.seconds.max(SESSION_SECS_MIN), refresher: Some(refresher) };
        (agreed, Self { seconds: agreed.seconds, refreshes: refresher == Refresher::Server })
    }

    /// As the one who asked: the timer that the answer agrees to.
    pub(crate) fn asked(answer: Expires) -> Self {
        Self { seconds: answer.seconds.max(SESSION_SECS_MIN), refreshes: answer.refresher != Some(Refresher::Server) }
    }

    /// Whether we refresh.
    pub(crate) fn refreshes(self) -> bool {
        self.refreshes
    }

    /// When to act after the last refresh: refresh at half the time, or give up before the end (10).
    pub(crate) fn due(self) -> Duration {
        let seconds = if self.refreshes { self.seconds / 2 } else { self.seconds - (self.seconds / 3).min(32) };
        Duration::from_secs(u64::from(seconds))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_value_is_read_and_written() {
        let value = Expires::parse(" 1800 ; refresher=UAC").unwrap();
        assert_eq!((value.seconds, value.refresher), (1800, Some(Refresher::Client)));
        assert_eq!(value.value(), "1800;refresher=uac");
        assert_eq!(Expires::parse("90").unwrap().value(), "90");
        assert_eq!(Expires::parse("soon"), None);
    }

    #[test]
    fn who_knows_timers_refreshes_them() {
        let asked = Expires { seconds: 600, refresher: None };
        let (agreed, ours) = Session::answered(asked, true);
        assert_eq!((agreed.refresher, ours.refreshes()), (Some(Refresher::Client), false));
        assert_eq!(ours.due(), Duration::from_secs(600 - 32));
        let (agreed, ours) = Session::answered(asked, false);
        assert_eq!((agreed.refresher, ours.refreshes()), (Some(Refresher::Server), true));
        assert_eq!(ours.due(), Duration::from_secs(300));
        let short = Session::asked(Expires { seconds: 90, refresher: Some(Refresher::Server) });
        assert_eq!(short.due(), Duration::from_secs(60));
    }
}
