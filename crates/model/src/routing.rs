//! Who serves the stages of a call, as data: primaries, fallbacks, preferences, experiments, budgets.
//!
//! An agent says what it wants ([`AgentProviders`]); the installation says what there is and can overrule while calls run
//! ([`Switches`]). Which provider a call then uses is decided by the router.

use base::Money;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;

/// Choices of one stage of one agent.
pub const CHOICES_MAX: usize = 16;

/// A stage of the pipeline that providers serve.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Speech to text.
    Stt,
    /// The brain.
    Llm,
    /// Text to speech.
    Tts,
}

impl Stage {
    /// In the order in which a turn passes them.
    pub const ALL: [Stage; 3] = [Stage::Stt, Stage::Llm, Stage::Tts];

    /// The stable name used in metrics, journals and the API.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Stt => "stt",
            Self::Llm => "llm",
            Self::Tts => "tts",
        }
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Stage {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let known = Self::ALL.into_iter().find(|stage| stage.name() == text);
        known.or((text == "brain").then_some(Self::Llm)).ok_or_else(|| format!("{text:?} is no stage: stt, llm or tts"))
    }
}

/// What providers charge for: a stage of the pipeline, or what is asked of them beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CostStage {
    /// Speech to text.
    Stt,
    /// The brain.
    Llm,
    /// Text to speech.
    Tts,
    /// Finding out what texts mean.
    Embed,
    /// Reading texts: language, sentiment, entities, translation.
    Text,
}

impl CostStage {
    /// The stable name used in rows, metrics and the API.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Stt => "stt",
            Self::Llm => "llm",
            Self::Tts => "tts",
            Self::Embed => "embed",
            Self::Text => "text",
        }
    }
}

impl From<Stage> for CostStage {
    fn from(stage: Stage) -> Self {
        match stage {
            Stage::Stt => Self::Stt,
            Stage::Llm => Self::Llm,
            Stage::Tts => Self::Tts,
        }
    }
}

/// Where data is processed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Region {
    /// On the machines of the installation: nothing leaves. Satisfies every rule of residency.
    OnSite,
    /// The European Union.
    Eu,
    /// The United Kingdom.
    Uk,
    /// The United States.
    Us,
    /// Canada.
    Canada,
    /// India.
    India,
    /// Asia and the Pacific, other than India.
    AsiaPacific,
    /// South America.
    SouthAmerica,
    /// Several of them, as the vendor likes.
    Global,
}

/// What a provider can do beyond its stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Feature {
    /// A voice takes an emotion or a style.
    Emotion,
    /// A voice can be cloned from a recording.
    Cloning,
    /// Says when each word begins.
    WordTimes,
    /// A recogniser tells words while they are spoken.
    Partials,
    /// A recogniser says when a turn has ended.
    EndOfTurn,
    /// A recogniser takes words that are likely.
    Hints,
    /// A recogniser, or a service that reads texts, finds out which language it is.
    DetectsLanguage,
    /// A model asks for tools.
    Tools,
    /// A model reads what it has read before at a lower price.
    PromptCache,
    /// A service tells how the writer of a text feels.
    Sentiment,
    /// A service finds people, places and the like in a text.
    Entities,
    /// A service finds what says who somebody is, and masks it.
    PersonalData,
    /// A service translates.
    Translation,
}

/// Who serves the stages of an agent's calls.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AgentProviders {
    /// Speech to text: the primary, then its fallbacks. Empty for the installation's choice.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub stt: Vec<ProviderChoice>,
    /// The brain.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub llm: Vec<ProviderChoice>,
    /// Text to speech.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tts: Vec<ProviderChoice>,
    /// What decides about the order. By default the order in which they are written.
    pub prefer: Prefer,
    /// Only these process what is said; empty for anywhere.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub regions: BTreeSet<Region>,
    /// What whoever serves must be able to do. A provider that cannot is asked only when no other is left; a region is
    /// never given up.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub features: BTreeSet<Feature>,
    /// Whether nobody else than the ones above may serve. Otherwise the installation's fallbacks come after them.
    pub strict: bool,
    /// The same voice at several providers.
    #[serde(skip_serializing_if = "VoiceMap::is_empty")]
    pub voices: VoiceMap,
    /// What a call may cost.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub budget_call_usd_micros: Option<i64>,
    /// Whether answers to questions that were asked before are given again.
    pub cache: AnswerCache,
}

impl AgentProviders {
    /// Nothing is said.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// The choices of a stage.
    pub fn stage(&self, stage: Stage) -> &[ProviderChoice] {
        match stage {
            Stage::Stt => &self.stt,
            Stage::Llm => &self.llm,
            Stage::Tts => &self.tts,
        }
    }

    /// What a call may cost.
    pub fn budget_call(&self) -> Option<Money> {
        self.budget_call_usd_micros.map(Money::from_usd_micros)
    }
}

/// One provider that may serve a stage, and how it is set for that. Written as its name alone or as a table.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(from = "ChoiceText", into = "ChoiceText")]
pub struct ProviderChoice {
    /// Registry name, or `local`.
    pub name: String,
    /// Model, in the provider's words; `None` for the configured one.
    pub model: Option<String>,
    /// Voice, in the provider's words; `None` for the agent's voice at this provider, see [`VoiceMap`].
    pub voice: Option<String>,
    /// Language in the provider's words, such as `multi`; `None` for the agent's.
    pub language: Option<String>,
    /// Share of calls that begin with it, against the other weights of the stage. `None`: it only takes over.
    pub weight: Option<u32>,
    /// Name of a flag: it comes first in the share of calls for which the flag is on, and not at all in the others.
    pub flag: Option<String>,
    /// The provider's own options.
    pub options: BTreeMap<String, String>,
}

impl ProviderChoice {
    /// This provider as it is configured.
    pub fn named(name: impl Into<String>) -> Self {
        Self { name: name.into(), ..Self::default() }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum ChoiceText {
    Name(String),
    Table(ChoiceTable),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct ChoiceTable {
    name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    model: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    voice: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    language: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    weight: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    flag: Option<String>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    options: BTreeMap<String, String>,
}

impl From<ChoiceText> for ProviderChoice {
    fn from(text: ChoiceText) -> Self {
        match text {
            ChoiceText::Name(name) => Self::named(name),
            ChoiceText::Table(ChoiceTable { name, model, voice, language, weight, flag, options }) => {
                Self { name, model, voice, language, weight, flag, options }
            }
        }
    }
}

impl From<ProviderChoice> for ChoiceText {
    fn from(choice: ProviderChoice) -> Self {
        if choice == ProviderChoice::named(choice.name.clone()) {
            return Self::Name(choice.name);
        }
        let ProviderChoice { name, model, voice, language, weight, flag, options } = choice;
        Self::Table(ChoiceTable { name, model, voice, language, weight, flag, options })
    }
}

/// What decides in which order equals are asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Prefer {
    /// The order in which they are written.
    #[default]
    Order,
    /// The quickest of late.
    Latency,
    /// The best.
    Quality,
    /// The cheapest.
    Cost,
    /// A little of everything.
    Balanced,
}

/// The same voices at several providers: each table says under which name each provider knows one and the same voice.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct VoiceMap(pub Vec<BTreeMap<String, String>>);

impl VoiceMap {
    /// Nothing is said.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// What a voice is called at a provider, when some table has it. A voice may be given as any provider calls it, or as
    /// one provider calls it: `acme:Rachel`.
    pub fn at(&self, voice: &str, provider: &str) -> Option<&str> {
        let (owner, name) = match voice.split_once(':') {
            Some((owner, name)) if self.0.iter().any(|table| table.contains_key(owner)) => (Some(owner), name),
            _ => (None, voice),
        };
        let is_it = |table: &&BTreeMap<String, String>| match owner {
            Some(owner) => table.get(owner).is_some_and(|known| known == name),
            None => table.values().any(|known| known == name),
        };
        self.0.iter().filter(is_it).find_map(|table| table.get(provider)).map(String::as_str)
    }

    /// Whether some table knows this voice under any name.
    pub fn knows(&self, voice: &str) -> bool {
        let name = voice.split_once(':').map_or(voice, |(_, name)| name);
        self.0.iter().any(|table| table.values().any(|known| known == voice || known == name))
    }
}

/// Whether answers to questions that were asked before are given again.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AnswerCache {
    /// The same words in the same place of a conversation.
    pub exact: bool,
    /// A question that means the same: how alike the two must be, 0 to 1. `None`: off.
    pub alike: Option<f32>,
}

impl Default for AnswerCache {
    fn default() -> Self {
        Self { exact: true, alike: None }
    }
}

/// What an operator has switched while calls run. Takes effect for the next use of a stage, in calls that go on, too.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Switches {
    /// Who comes first in a stage, whatever agents say.
    pub first: BTreeMap<Stage, String>,
    /// Who is not asked.
    pub off: BTreeMap<Stage, BTreeSet<String>>,
    /// Flags: in how many of a hundred calls each is on.
    pub flags: BTreeMap<String, u8>,
}

impl Switches {
    /// Whether this provider is switched off.
    pub fn is_off(&self, stage: Stage, name: &str) -> bool {
        self.off.get(&stage).is_some_and(|names| names.contains(name))
    }

    /// Whether a flag is on for what has this draw, a number from 0 to 99 that belongs to the call and the flag.
    pub fn is_on(&self, flag: &str, draw: u8) -> bool {
        self.flags.get(flag).is_some_and(|share| draw < *share)
    }
}

/// What may be spent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Budget {
    /// On one call.
    Call,
    /// By a business in a calendar month (UTC).
    Month,
}

impl Budget {
    /// The stable name used in metrics and journals.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Call => "call",
            Self::Month => "month",
        }
    }
}

/// How far saving has gone, because a budget is used up. Each step includes the ones before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Saving {
    /// Nothing is saved.
    #[default]
    None,
    /// The cheapest provider is asked first, one on the machine before all.
    Cheaper,
    /// Answers are shorter, too, and nobody gets a second opinion.
    Shorter,
    /// Nothing that costs is asked any more.
    FreeOnly,
}

impl Saving {
    /// The stable name used in metrics and journals.
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Cheaper => "cheaper",
            Self::Shorter => "shorter",
            Self::FreeOnly => "free_only",
        }
    }

    /// How far saving goes when this much of a budget is used: from 70 % cheaper, from 85 % shorter, at 100 % free.
    pub fn at(used: Money, budget: Option<Money>) -> Self {
        let Some(budget) = budget else { return Self::None };
        let (used, budget) = (i128::from(used.usd_micros), i128::from(budget.usd_micros));
        if used >= budget {
            Self::FreeOnly
        } else if used * 100 >= budget * 85 {
            Self::Shorter
        } else if used * 100 >= budget * 70 {
            Self::Cheaper
        } else {
            Self::None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_choice_is_a_name_or_a_table_and_a_misspelt_key_is_an_error() {
        let text = r#"{"tts": ["local", {"name": "acme", "voice": "Ann", "weight": 3}], "regions": ["eu"]}"#;
        let providers: AgentProviders = serde_json::from_str(text).expect("it is read");
        assert_eq!(providers.tts[0], ProviderChoice::named("local"));
        assert_eq!((providers.tts[1].voice.as_deref(), providers.tts[1].weight), (Some("Ann"), Some(3)));
        let again = serde_json::to_string(&providers).expect("it is written");
        assert_eq!(serde_json::from_str::<AgentProviders>(&again).expect("it is read"), providers);
        assert!(again.contains(r#"["local",{"name":"acme""#), "{again}");
        assert!(serde_json::from_str::<AgentProviders>(r#"{"ttss": []}"#).is_err());
        assert!(serde_json::from_str::<AgentProviders>(r#"{"tts": [{"name": "a", "vioce": "b"}]}"#).is_err());
    }

    #[test]
    fn a_voice_is_found_under_its_name_at_another_provider() {
        let map = VoiceMap(vec![
            [("a".into(), "Rachel".into()), ("b".into(), "en-1".into())].into(),
            [("a".into(), "Tom".into()), ("b".into(), "en-2".into())].into(),
        ]);
        assert_eq!(map.at("Rachel", "b"), Some("en-1"));
        assert_eq!(map.at("a:Tom", "b"), Some("en-2"));
        assert_eq!(map.at("b:en-2", "a"), Some("Tom"));
        assert_eq!((map.at("Rachel", "c"), map.at("Nobody", "a")), (None, None));
        assert!(map.knows("Rachel") && !map.knows("Nobody"));
    }

    #[test]
    fn a_budget_degrades_before_it_cuts() {
        let budget = Some(Money::from_usd_micros(1_000));
        let at = |used| Saving::at(Money::from_usd_micros(used), budget);
        assert_eq!([at(0), at(699), at(700), at(850), at(999), at(1_000)], {
            use Saving::{Cheaper, FreeOnly, None, Shorter};
            [None, None, Cheaper, Shorter, Shorter, FreeOnly]
        });
        assert_eq!(Saving::at(Money::from_usd_micros(i64::MAX), None), Saving::None);
    }
}
