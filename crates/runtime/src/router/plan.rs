//! In which order a call asks the providers of a stage: a pure function of what the agent wants, what the operator has
//! switched, what providers say about themselves, and how quick they have been.

use base::{CallId, Money};
use model::routing::{AgentProviders, Feature, Prefer, ProviderChoice, Region, Saving, Stage, Switches};

/// What is known of a provider as a choice would use it.
#[derive(Clone, Debug, PartialEq)]
pub struct Facts {
    /// Where it processes what it is sent.
    pub region: Option<Region>,
    /// What it can do.
    pub features: Vec<Feature>,
    /// Languages it serves, as BCP-47 primary subtags; empty for many or not known.
    pub languages: Vec<String>,
    /// From 0 to 100.
    pub quality: u8,
    /// What a minute of a usual call costs with it. `None` when it has no price; nothing for what runs on this machine.
    pub minute: Option<Money>,
    /// The model it would use, in its own words.
    pub model: String,
    /// The business whose credential it uses; `None` for the installation's.
    pub account: Option<base::BusinessId>,
}

impl Facts {
    /// What runs on this machine: free, and nothing leaves.
    pub fn on_site() -> Self {
        Self { region: Some(Region::OnSite), minute: Some(Money::ZERO), ..Self::unknown() }
    }

    /// Nothing is known.
    pub fn unknown() -> Self {
        Self {
            region: None,
            features: Vec::new(),
            languages: Vec::new(),
            quality: 50,
            minute: None,
            model: String::new(),
            account: None,
        }
    }

    /// Whether it costs nothing.
    pub fn is_free(&self) -> bool {
        self.minute == Some(Money::ZERO)
    }

    fn speaks(&self, language: &str) -> bool {
        let primary = |text: &str| text.split(['-', '_']).next().unwrap_or_default().to_ascii_lowercase();
        self.languages.is_empty() || self.languages.iter().any(|one| primary(one) == primary(language))
    }
}

/// One provider that may serve.
#[derive(Clone, Debug)]
pub(crate) struct Candidate {
    pub(crate) choice: ProviderChoice,
    pub(crate) facts: Facts,
    /// Measured on this node.
    pub(crate) latency_ms: Option<u64>,
}

/// What a call wants of a stage.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wish<'a> {
    pub(crate) stage: Stage,
    pub(crate) call: CallId,
    pub(crate) language: &'a str,
    pub(crate) agent: &'a AgentProviders,
    pub(crate) switches: &'a Switches,
    pub(crate) saving: Saving,
}

/// Why a candidate does not serve at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Out {
    SwitchedOff,
    FlagOff,
    Region,
    NotFree,
}

impl Out {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::SwitchedOff => "switched_off",
            Self::FlagOff => "flag_off",
            Self::Region => "region",
            Self::NotFree => "not_free",
        }
    }
}

/// The places of those who serve, best first, and of those who do not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Plan {
    pub(crate) order: Vec<usize>,
    pub(crate) out: Vec<(usize, Out)>,
}

/// What a provider of this stage is taken to need until it has been measured.
const fn usual_ms(stage: Stage) -> u64 {
    match stage {
        Stage::Stt => 300,
        Stage::Llm => 500,
        Stage::Tts => 250,
    }
}

/// A price that nobody knows is taken for a high one: 10 cents a minute.
const UNKNOWN_MINUTE: i64 = 100_000;

/// A number below `range` that belongs to this call and this purpose.
pub(crate) fn draw(call: CallId, purpose: &str, range: u32) -> u32 {
    model::flags::draw(call.0.as_bytes(), purpose, range)
}

/// Decides. `candidates` come as they are written: the agent's, then the installation's.
pub(crate) fn plan(wish: &Wish<'_>, candidates: &[Candidate]) -> Plan {
    let mut plan = Plan::default();
    for (at, candidate) in candidates.iter().enumerate() {
        match out(wish, candidate) {
            Some(why) => plan.out.push((at, why)),
            None => plan.order.push(at),
        }
    }
    if wish.saving == Saving::FreeOnly && plan.order.iter().any(|at| candidates[*at].facts.is_free()) {
        let costly = |at: &usize| !candidates[*at].facts.is_free();
        plan.out.extend(plan.order.iter().filter(|at| costly(at)).map(|at| (*at, Out::NotFree)));
        plan.order.retain(|at| !costly(at));
    }
    let drawn = drawn(wish, candidates, &plan.order);
    plan.order.sort_by_key(|at| {
        let candidate = &candidates[*at];
        let first = wish.switches.first.get(&wish.stage);
        let is_first = first.is_some_and(|name| *name == candidate.choice.name);
        let language = candidate.choice.language.as_deref().unwrap_or(wish.language);
        let lacks = wish.agent.features.iter().filter(|one| concerns(wish.stage, **one));
        let lacks = lacks.filter(|one| !candidate.facts.features.contains(one)).count();
        let saved = if wish.saving == Saving::None { 0 } else { minute(candidate) };
        (!candidate.facts.speaks(language), lacks, saved, !is_first, drawn != Some(*at), points(wish, candidate), *at)
    });
    plan
}

fn out(wish: &Wish<'_>, candidate: &Candidate) -> Option<Out> {
    let Candidate { choice, facts, .. } = candidate;
    if wish.switches.is_off(wish.stage, &choice.name) {
        return Some(Out::SwitchedOff);
    }
    let is_flag_off = |flag: &String| !is_flag_on(wish, flag);
    if choice.flag.as_ref().is_some_and(is_flag_off) {
        return Some(Out::FlagOff);
    }
    let regions = &wish.agent.regions;
    let stays = facts.region.is_some_and(|region| region == Region::OnSite || regions.contains(&region));
    (!regions.is_empty() && !stays).then_some(Out::Region)
}

fn is_flag_on(wish: &Wish<'_>, flag: &str) -> bool {
    wish.switches.is_on(flag, u8::try_from(draw(wish.call, flag, 100)).unwrap_or(99))
}

/// Who begins because of a flag or of weights, if anybody does.
fn drawn(wish: &Wish<'_>, candidates: &[Candidate], order: &[usize]) -> Option<usize> {
    if let Some(flagged) = order.iter().find(|at| candidates[**at].choice.flag.is_some()) {
        return Some(*flagged);
    }
    let weight = |at: &usize| candidates[*at].choice.weight.unwrap_or(0).min(1_000_000);
    let total: u32 = order.iter().map(weight).fold(0, u32::saturating_add);
    let mut left = draw(wish.call, wish.stage.name(), total);
    order.iter().copied().filter(|at| weight(at) > 0).find(|at| {
        let hit = left < weight(at);
        left = left.saturating_sub(weight(at));
        hit
    })
}

/// Whether a feature is one that this stage can have.
fn concerns(stage: Stage, feature: Feature) -> bool {
    match feature {
        Feature::Emotion | Feature::Cloning | Feature::WordTimes => stage == Stage::Tts,
        Feature::Partials | Feature::EndOfTurn | Feature::Hints | Feature::DetectsLanguage => stage == Stage::Stt,
        Feature::Tools | Feature::PromptCache => stage == Stage::Llm,
        // Of services for texts, which no call asks.
        _ => false,
    }
}

fn minute(candidate: &Candidate) -> i64 {
    candidate.facts.minute.map_or(UNKNOWN_MINUTE, |money| money.usd_micros)
}

/// Fewer are better.
fn points(wish: &Wish<'_>, candidate: &Candidate) -> i64 {
    let latency = i64::try_from(candidate.latency_ms.unwrap_or(usual_ms(wish.stage))).unwrap_or(i64::MAX / 4);
    let quality = i64::from(candidate.facts.quality);
    match wish.agent.prefer {
        Prefer::Order => 0,
        Prefer::Latency => latency,
        Prefer::Quality => -quality,
        Prefer::Cost => minute(candidate),
        // 100 ms, 10 points of quality and a cent a minute are worth the same.
        Prefer::Balanced => latency + (100 - quality) * 10 + minute(candidate) / 100,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    fn call(number: u128) -> CallId {
        CallId(Uuid::from_u128(0x0192_0000_0000_7000_8000_0000_0000_0000 + number))
    }

    fn candidate(name: &str) -> Candidate {
        Candidate { choice: ProviderChoice::named(name), facts: Facts::unknown(), latency_ms: None }
    }

    fn wish<'a>(agent: &'a AgentProviders, switches: &'a Switches, number: u128) -> Wish<'a> {
        Wish { stage: Stage::Tts, call: call(number), language: "en", agent, switches, saving: Saving::None }
    }

    fn names(wish: &Wish<'_>, candidates: &[Candidate]) -> Vec<String> {
        plan(wish, candidates).order.into_iter().map(|at| candidates[at].choice.name.clone()).collect()
    }

    #[test]
    fn without_a_wish_the_written_order_holds() {
        let (agent, switches) = Default::default();
        assert_eq!(names(&wish(&agent, &switches, 1), &[candidate("a"), candidate("b")]), ["a", "b"]);
    }

    #[test]
    fn the_quickest_the_best_and_the_cheapest_come_first_on_demand() {
        let quick = Candidate { latency_ms: Some(90), ..candidate("quick") };
        let good = Candidate { facts: Facts { quality: 95, ..Facts::unknown() }, ..candidate("good") };
        let cheap = Facts { minute: Some(Money::from_usd_micros(1_000)), ..Facts::unknown() };
        let all = [candidate("plain"), quick, good, Candidate { facts: cheap, ..candidate("cheap") }];
        let switches = Switches::default();
        for (prefer, first) in [(Prefer::Latency, "quick"), (Prefer::Quality, "good"), (Prefer::Cost, "cheap")] {
            let agent = AgentProviders { prefer, ..AgentProviders::default() };
            assert_eq!(names(&wish(&agent, &switches, 1), &all)[0], first);
        }
        let agent = AgentProviders { prefer: Prefer::Balanced, ..AgentProviders::default() };
        assert_eq!(names(&wish(&agent, &switches, 1), &all).last().map(String::as_str), Some("plain"));
    }

    #[test]
    fn what_is_said_in_the_union_stays_there_or_on_site_whatever_fails() {
        let at = |name: &str, region| Candidate { facts: Facts { region, ..Facts::unknown() }, ..candidate(name) };
        let all = [at("us", Some(Region::Us)), at("nobody-knows", None), at("eu", Some(Region::Eu))];
        let mut all = all.to_vec();
        all.push(Candidate { facts: Facts::on_site(), ..candidate("local") });
        let agent = AgentProviders { regions: [Region::Eu].into(), ..AgentProviders::default() };
        let switches = Switches::default();
        let decided = plan(&wish(&agent, &switches, 1), &all);
        assert_eq!(decided.order, [2, 3]);
        assert_eq!(decided.out, [(0, Out::Region), (1, Out::Region)]);
    }

    #[test]
    fn a_voice_without_the_wanted_feature_or_language_comes_last_and_not_never() {
        let able = Facts { features: vec![Feature::Emotion], ..Facts::unknown() };
        let foreign = Facts { languages: vec!["de".into()], ..able.clone() };
        let all = [
            Candidate { facts: foreign, ..candidate("foreign") },
            candidate("plain"),
            Candidate { facts: able, ..candidate("able") },
        ];
        let features = [Feature::Emotion, Feature::Tools].into();
        let agent = AgentProviders { features, ..AgentProviders::default() };
        assert_eq!(names(&wish(&agent, &Switches::default(), 1), &all), ["able", "plain", "foreign"]);
    }

    #[test]
    fn weights_split_calls_and_a_call_always_lands_on_the_same_side() {
        let with = |name: &str, weight| {
            let choice = ProviderChoice { weight, ..ProviderChoice::named(name) };
            Candidate { choice, ..candidate(name) }
        };
        let all = [with("a", Some(80)), with("b", Some(20)), with("spare", None)];
        let (agent, switches) = Default::default();
        let mut b = 0;
        for number in 0..2_000 {
            let order = names(&wish(&agent, &switches, number), &all);
            assert_eq!(order, names(&wish(&agent, &switches, number), &all));
            assert_eq!(order[2], "spare", "it only takes over");
            b += usize::from(order[0] == "b");
        }
        assert!((340..460).contains(&b), "{b} of 2000 are a fifth");
    }

    #[test]
    fn a_rollout_grows_with_its_flag_and_nobody_who_had_it_loses_it() {
        let new = ProviderChoice { flag: Some("new-voice".into()), ..ProviderChoice::named("new") };
        let all = [candidate("old"), Candidate { choice: new, ..candidate("new") }];
        let agent = AgentProviders::default();
        let lucky = |share: u8| -> Vec<u128> {
            let switches = Switches { flags: [("new-voice".to_owned(), share)].into(), ..Switches::default() };
            (0..1_000).filter(|number| names(&wish(&agent, &switches, *number), &all)[0] == "new").collect()
        };
        let (none, some, more, all_of_them) = (lucky(0), lucky(10), lucky(50), lucky(100));
        assert_eq!((none.len(), all_of_them.len()), (0, 1_000));
        assert!((60..140).contains(&some.len()) && (430..570).contains(&more.len()));
        assert!(some.iter().all(|number| more.contains(number)));
        let switches = Switches::default();
        assert_eq!(names(&wish(&agent, &switches, 1), &all), ["old"], "an unknown flag is off");
    }

    #[test]
    fn an_operator_overrules_weights_and_wishes_but_not_residency() {
        let at = |name: &str, region| Candidate { facts: Facts { region, ..Facts::unknown() }, ..candidate(name) };
        let all = [at("a", Some(Region::Eu)), at("b", Some(Region::Eu)), at("c", Some(Region::Us))];
        let agent = AgentProviders { regions: [Region::Eu].into(), ..AgentProviders::default() };
        let first = |name: &str| Switches { first: [(Stage::Tts, name.to_owned())].into(), ..Switches::default() };
        assert_eq!(names(&wish(&agent, &first("b"), 1), &all), ["b", "a"]);
        assert_eq!(names(&wish(&agent, &first("c"), 1), &all), ["a", "b"]);
        let off = Switches { off: [(Stage::Tts, ["a".to_owned()].into())].into(), ..Switches::default() };
        assert_eq!(names(&wish(&agent, &off, 1), &all), ["b"]);
    }

    #[test]
    fn saving_begins_with_the_cheapest_and_ends_with_what_is_free() {
        let costs = |name: &str, micros| {
            let minute = Some(Money::from_usd_micros(micros));
            Candidate { facts: Facts { minute, ..Facts::unknown() }, ..candidate(name) }
        };
        let all =
            [costs("dear", 9_000), costs("cheap", 1_000), Candidate { facts: Facts::on_site(), ..candidate("local") }];
        let (agent, switches) = Default::default();
        let saving = |saving| Wish { saving, ..wish(&agent, &switches, 1) };
        assert_eq!(names(&saving(Saving::None), &all), ["dear", "cheap", "local"]);
        assert_eq!(names(&saving(Saving::Cheaper), &all), ["local", "cheap", "dear"]);
        assert_eq!(names(&saving(Saving::FreeOnly), &all), ["local"]);
        assert_eq!(names(&saving(Saving::FreeOnly), &all[..2]), ["cheap", "dear"], "last words are never cut");
    }

    #[test]
    fn a_draw_is_the_same_on_every_node() {
        let known = CallId(Uuid::from_u128(7));
        assert_eq!(
            (draw(known, "tts", 100), draw(known, "llm", 100)),
            (draw(known, "tts", 100), draw(known, "llm", 100))
        );
        assert_eq!(draw(known, "tts", 0), 0);
    }
}
