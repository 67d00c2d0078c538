//! Over which phone platform a call goes out, and what follows when it was not placed. A pure function of what is known: the
//! same facts give the same order and the same reasons.

use base::{ErrorClass, PhoneNumber};
use model::outgoing::OutgoingPlan;
use serde::{Deserialize, Serialize};
use std::cmp::Ordering;

/// Calls after which a share is taken for what it is; before, it is drawn towards the half.
const CALLS_ENOUGH: u32 = 4;
/// Calls that a platform must have refused lately, more than it took, to be taken for unwell.
const REFUSED_MIN: u32 = 2;
/// Below this estimate of quality (ITU-T G.107: "many users dissatisfied") a platform comes after those that sound well.
pub const MOS_MIN: f32 = 3.6;

/// A platform that could place the call with this number of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// Registry name.
    pub carrier: String,
    /// The number that is shown.
    pub from: PhoneNumber,
}

/// What was measured of a platform.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Figures {
    /// Calls like this one that it was asked for in the last week.
    pub asked: u32,
    /// How many of them somebody picked up.
    pub answered: u32,
    /// Calls that it was asked for in the last quarter of an hour.
    pub asked_lately: u32,
    /// How many of them it refused.
    pub refused_lately: u32,
    /// Mean estimate of quality, 1 to 4.5, where it was measured.
    pub mos: Option<f32>,
}

/// Why a way out stands where it stands, the weightiest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// It refuses more calls of late than it takes.
    Unwell,
    /// A rule for numbers like this one names it.
    Rule,
    /// It does not sound well.
    PoorSound,
    /// By its price for a minute and the share of calls that somebody picks up.
    Cost,
    /// By the share of calls that somebody picks up: it has no price.
    Answered,
    /// Its number is of the country that is called.
    Local,
}

/// A way out with what speaks for it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WayOut {
    /// Registry name.
    pub carrier: String,
    /// The number that is shown.
    pub from: PhoneNumber,
    /// What a minute costs, in millionths of a US dollar.
    pub minute_usd_micros: Option<i64>,
    /// Of a hundred calls like this one, so many are picked up; drawn towards 50 while few were placed.
    pub answered_percent: u32,
    /// Calls behind that share.
    pub asked: u32,
    /// Mean estimate of quality.
    pub mos: Option<f32>,
    /// Why it stands where it stands.
    pub reasons: Vec<Reason>,
}

/// The ways out for a call to this number, the best first. One for each platform: of its numbers, the one that the rule
/// names, or that has most of its beginning in common with the number that is called.
pub fn rank(
    to: &PhoneNumber,
    choices: &[Choice],
    plan: &OutgoingPlan,
    figures: impl Fn(&str) -> Figures,
) -> Vec<WayOut> {
    let rule = plan.rule(to);
    let mut best: Vec<&Choice> = Vec::new();
    for choice in choices {
        let score = |one: &Choice| {
            let is_named = rule.and_then(|rule| rule.from.as_ref()) == Some(&one.from);
            (is_named, in_common(&one.from, to))
        };
        match best.iter_mut().find(|known| known.carrier == choice.carrier) {
            Some(known) if score(choice) > score(known) => *known = choice,
            Some(_) => {}
            None => best.push(choice),
        }
    }
    let mut ways: Vec<(Key, WayOut)> = best.into_iter().map(|choice| weighed(choice, to, plan, &figures)).collect();
    ways.sort_by(|one, other| one.0.compare(&other.0).then_with(|| one.1.carrier.cmp(&other.1.carrier)));
    ways.into_iter().map(|(_, way)| way).collect()
}

/// Whether a call that a platform did not take may be placed with the next one. Only a refusal is certain; and a number that
/// one platform calls nonsense is nonsense everywhere.
pub fn next_may_try(class: ErrorClass) -> bool {
    matches!(class, ErrorClass::Auth | ErrorClass::Quota | ErrorClass::RateLimited | ErrorClass::Unavailable)
}

/// What the order is made of, the weightiest first.
struct Key {
    is_unwell: bool,
    /// Its place in the rule; behind all when no rule names it.
    place: usize,
    sounds_poor: bool,
    /// What a minute that somebody hears costs; infinite without a price.
    cost: f64,
    answered: f64,
    in_common: usize,
}

impl Key {
    fn compare(&self, other: &Self) -> Ordering {
        let flags = (self.is_unwell, self.place, self.sounds_poor);
        flags
            .cmp(&(other.is_unwell, other.place, other.sounds_poor))
            .then(self.cost.total_cmp(&other.cost))
            .then(other.answered.total_cmp(&self.answered))
            .then(other.in_common.cmp(&self.in_common))
    }
}

fn weighed(
    choice: &Choice,
    to: &PhoneNumber,
    plan: &OutgoingPlan,
    figures: &impl Fn(&str) -> Figures,
) -> (Key, WayOut) {
    let known = figures(&choice.carrier);
    let answered = f64::from(known.answered + CALLS_ENOUGH / 2) / f64::from(known.asked + CALLS_ENOUGH);
    let minute_usd_micros = plan.price(&choice.carrier, to);
    let named = plan.rule(to).and_then(|rule| rule.carriers.iter().position(|name| *name == choice.carrier));
    let key = Key {
        is_unwell: known.refused_lately >= REFUSED_MIN && known.refused_lately * 2 > known.asked_lately,
        place: named.unwrap_or(usize::MAX),
        sounds_poor: known.mos.is_some_and(|mos| mos < MOS_MIN),
        cost: minute_usd_micros.map_or(f64::INFINITY, |price| price as f64 / answered.max(0.01)),
        answered,
        in_common: in_common(&choice.from, to),
    };
    let by_price = if minute_usd_micros.is_some() { Reason::Cost } else { Reason::Answered };
    let reasons = [
        (key.is_unwell, Reason::Unwell),
        (named.is_some(), Reason::Rule),
        (key.sounds_poor, Reason::PoorSound),
        (true, by_price),
        (key.in_common >= 3, Reason::Local),
    ];
    let way = WayOut {
        carrier: choice.carrier.clone(),
        from: choice.from.clone(),
        minute_usd_micros,
        answered_percent: (answered * 100.0).round() as u32,
        asked: known.asked,
        mos: known.mos,
        reasons: reasons.into_iter().filter(|(holds, _)| *holds).map(|(_, reason)| reason).collect(),
    };
    (key, way)
}

/// Signs that two numbers have in common from their beginning.
fn in_common(one: &PhoneNumber, other: &PhoneNumber) -> usize {
    one.expose().bytes().zip(other.expose().bytes()).take_while(|(a, b)| a == b).count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use model::outgoing::{PrefixRule, Price};

    fn choice(carrier: &str, from: &str) -> Choice {
        Choice { carrier: carrier.into(), from: from.parse().expect("a number") }
    }

    fn price(carrier: &str, minute_usd_micros: i64) -> Price {
        Price { carrier: carrier.into(), prefix: "+".into(), minute_usd_micros }
    }

    fn order(plan: &OutgoingPlan, figures: impl Fn(&str) -> Figures) -> Vec<String> {
        let choices = [choice("sip", "+15550100100"), choice("cloud", "+4940555017"), choice("cloud", "+15550100101")];
        let to = "+4915735550123".parse().expect("a number");
        rank(&to, &choices, plan, figures)
            .into_iter()
            .map(|way| format!("{} {}", way.carrier, way.from.expose()))
            .collect()
    }

    const CLOUD: &str = "cloud +4940555017";
    const SIP: &str = "sip +15550100100";

    #[test]
    fn without_any_facts_the_number_of_the_country_comes_first() {
        assert_eq!(order(&OutgoingPlan::default(), |_| Figures::default()), [CLOUD, SIP]);
    }

    #[test]
    fn the_cheaper_one_comes_first_unless_nobody_picks_up() {
        let plan = OutgoingPlan { rules: vec![], prices: vec![price("sip", 4_000), price("cloud", 7_000)] };
        assert_eq!(order(&plan, |_| Figures::default()), [SIP, CLOUD]);
        let seldom = |carrier: &str| match carrier {
            "sip" => Figures { asked: 100, answered: 10, ..Figures::default() },
            _ => Figures { asked: 100, answered: 60, ..Figures::default() },
        };
        assert_eq!(order(&plan, seldom), [CLOUD, SIP], "a minute that somebody hears is dearer there");
        let one = |carrier: &str| Figures { asked: u32::from(carrier == "sip"), ..Figures::default() };
        assert_eq!(order(&plan, one), [SIP, CLOUD], "one call that nobody took says little");
    }

    #[test]
    fn a_rule_comes_before_prices_and_health_before_both() {
        let rule = |prefix: &str| PrefixRule {
            prefix: prefix.into(),
            carriers: vec!["cloud".into()],
            from: "+15550100101".parse().ok(),
        };
        let plan =
            OutgoingPlan { rules: vec![rule("+49"), rule("+1")], prices: vec![price("sip", 1), price("cloud", 9_000)] };
        assert_eq!(order(&plan, |_| Figures::default()), ["cloud +15550100101", SIP], "with the number that it names");
        let unwell = |carrier: &str| match carrier {
            "cloud" => Figures { asked_lately: 3, refused_lately: 2, ..Figures::default() },
            _ => Figures::default(),
        };
        assert_eq!(order(&plan, unwell), [SIP, "cloud +15550100101"]);
        let once = |_: &str| Figures { asked_lately: 1, refused_lately: 1, ..Figures::default() };
        assert_eq!(order(&plan, once)[0], "cloud +15550100101", "one refusal is no illness");
    }

    #[test]
    fn what_sounds_poor_comes_later_and_says_why() {
        let figures = |carrier: &str| Figures { mos: (carrier == "cloud").then_some(3.1), ..Figures::default() };
        assert_eq!(order(&OutgoingPlan::default(), figures), [SIP, CLOUD]);
        let to = "+4915735550123".parse().expect("a number");
        let ways = rank(&to, &[choice("cloud", "+4940555017")], &OutgoingPlan::default(), figures);
        assert_eq!(ways[0].reasons, [Reason::PoorSound, Reason::Answered, Reason::Local]);
        assert_eq!((ways[0].answered_percent, ways[0].asked), (50, 0));
    }

    #[test]
    fn only_what_was_certainly_not_placed_is_placed_elsewhere() {
        for certain in [ErrorClass::Auth, ErrorClass::Quota, ErrorClass::RateLimited, ErrorClass::Unavailable] {
            assert!(next_may_try(certain), "{certain:?}");
        }
        for other in [ErrorClass::Timeout, ErrorClass::Protocol, ErrorClass::Invalid, ErrorClass::Internal] {
            assert!(!next_may_try(other), "{other:?}");
        }
    }
}
