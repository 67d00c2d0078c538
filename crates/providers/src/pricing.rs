//! What use costs: list prices from `prices.toml`, each with its date and source.
//!
//! List prices are what a business is told before it has its own contract; they are not an invoice.

use crate::realtime::RealtimeUsage;
use base::Money;
use model::generation::TokenUsage;
use model::routing::Stage;
use serde::Deserialize;
use std::sync::LazyLock;

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// Milliseconds of audio recognised.
    AudioMs,
    /// Characters spoken.
    Chars,
    /// Milliseconds of audio that were synthesised.
    SpokenMs,
    /// Tokens read.
    TokensIn,
    /// Tokens read from the provider's cache.
    TokensCached,
    /// Tokens read and written into the provider's cache.
    CacheWrites,
    /// Tokens written.
    TokensOut,
    /// Tokens of audio heard.
    AudioTokensIn,
    /// Tokens of audio spoken.
    AudioTokensOut,
    /// Records of 1,000 characters, each begun one whole.
    Records,
}

/// One line of the list.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Price {
    /// Registry name of the provider.
    pub provider: String,
    /// Model, in the vendor's words.
    pub model: String,
    /// What is counted.
    pub unit: Unit,
    /// US dollars for `per` units.
    pub usd: f64,
    /// How many units cost `usd`.
    pub per: u64,
    /// Day on which the price was read, `YYYY-MM-DD`.
    pub as_of: String,
    /// Where it was read.
    pub source: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct List {
    price: Vec<Price>,
}

static PRICES: LazyLock<Vec<Price>> = LazyLock::new(|| {
    let list: List =
        toml::from_str(include_str!("../prices.toml")).expect("the list is compiled in and parsed in tests");
    list.price
});

/// All prices known.
pub fn prices() -> &'static [Price] {
    &PRICES
}

/// Whether a list price is of this provider: its own, or that of the vendor whose other endpoint it is (`acme_http` has the
/// prices of `acme`).
pub fn is_of(price: &Price, provider: &str) -> bool {
    provider.strip_prefix(price.provider.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('_'))
}

/// The price of a unit. A dated model name (`m-2026-08-28`) that is not listed has the price of the name it begins with.
pub fn price(provider: &str, model: &str, unit: Unit) -> Option<&'static Price> {
    let fits = |price: &&Price| {
        let rest = model.strip_prefix(price.model.as_str());
        is_of(price, provider)
            && price.unit == unit
            && rest.is_some_and(|rest| {
                let is_date = |rest: &str| rest.len() >= 4 && rest.bytes().take(4).all(|b| b.is_ascii_digit());
                rest.is_empty() || rest.strip_prefix('-').is_some_and(is_date)
            })
    };
    PRICES.iter().filter(fits).max_by_key(|price| (price.provider.len(), price.model.len()))
}

/// What a quantity costs, rounded to the nearest millionth of a dollar. `None` when the price is not known.
pub fn cost(provider: &str, model: &str, unit: Unit, quantity: u64) -> Option<Money> {
    let price = price(provider, model, unit)?;
    let usd_nanos = (price.usd * 1e9).round() as i128;
    let micros = (i128::from(quantity) * usd_nanos + i128::from(price.per) * 500) / (i128::from(price.per) * 1_000);
    Some(Money::from_usd_micros(i64::try_from(micros).unwrap_or(i64::MAX)))
}

/// What recognising audio costs.
pub fn stt_cost(provider: &str, model: &str, audio_ms: u64) -> Option<Money> {
    cost(provider, model, Unit::AudioMs, audio_ms)
}

/// What speaking text costs: by its characters, by the length of its audio, or by both, as the vendor has it.
pub fn tts_cost(provider: &str, model: &str, chars: u64, audio_ms: u64) -> Option<Money> {
    let by_text = cost(provider, model, Unit::Chars, chars);
    let by_audio = cost(provider, model, Unit::SpokenMs, audio_ms);
    by_text.into_iter().chain(by_audio).reduce(|sum, part| sum + part)
}

/// What embedding texts costs.
pub fn embed_cost(provider: &str, model: &str, tokens: u64) -> Option<Money> {
    cost(provider, model, Unit::TokensIn, tokens)
}

/// What a generation costs.
pub fn llm_cost(provider: &str, model: &str, usage: TokenUsage) -> Option<Money> {
    // Who charges nothing more for filling the cache has no line for it.
    let written = cost(provider, model, Unit::CacheWrites, u64::from(usage.cache_writes));
    let priced_apart = if written.is_some() { usage.cache_writes } else { 0 };
    let fresh = usage.input.saturating_sub(usage.cached).saturating_sub(priced_apart);
    let fresh = cost(provider, model, Unit::TokensIn, u64::from(fresh))? + written.unwrap_or_default();
    let cached = match cost(provider, model, Unit::TokensCached, u64::from(usage.cached)) {
        Some(cached) => cached,
        None => cost(provider, model, Unit::TokensIn, u64::from(usage.cached))?,
    };
    Some(fresh + cached + cost(provider, model, Unit::TokensOut, u64::from(usage.output))?)
}

/// What a minute of a usual call costs: of audio recognised, of a voice that speaks half of the time, or of a model that is
/// asked four times. For choosing and for estimates; what is charged is metered.
pub fn minute(stage: Stage, provider: &str, model: &str) -> Option<Money> {
    match stage {
        Stage::Stt => stt_cost(provider, model, 60_000),
        Stage::Tts => tts_cost(provider, model, 450, 30_000),
        Stage::Llm => llm_cost(provider, model, TokenUsage { input: 6_000, cached: 0, cache_writes: 0, output: 240 }),
    }
}

/// What an answer of a model that hears and speaks costs. What came from its cache is taken to be audio, which is most of a
/// conversation.
pub fn realtime_cost(provider: &str, model: &str, usage: RealtimeUsage) -> Option<Money> {
    let cached_price = price(provider, model, Unit::TokensCached).is_some();
    let cached = if cached_price { usage.cached } else { 0 };
    let cached_audio = cached.min(usage.audio_in);
    let units = [
        (Unit::AudioTokensIn, usage.audio_in - cached_audio),
        (Unit::TokensIn, usage.text_in.saturating_sub(cached - cached_audio)),
        (Unit::TokensCached, cached),
        (Unit::TokensOut, usage.text_out),
        (Unit::AudioTokensOut, usage.audio_out),
    ];
    let counted = units.into_iter().filter(|(_, tokens)| *tokens > 0);
    counted
        .map(|(unit, tokens)| cost(provider, model, unit, u64::from(tokens)))
        .try_fold(Money::ZERO, |sum, one| Some(sum + one?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_says_when_and_where_it_was_read() {
        assert!(!prices().is_empty());
        for price in prices() {
            let digits = price.as_of.bytes().filter(u8::is_ascii_digit).count();
            assert!(price.usd >= 0.0 && price.per > 0 && digits == 8 && !price.source.is_empty(), "{price:?}");
        }
    }

    #[test]
    fn an_unknown_model_has_no_cost_rather_than_a_wrong_one() {
        assert_eq!(stt_cost("nobody", "nothing", 60_000), None);
        assert_eq!(price("openai", "gpt-5.4-minimal", Unit::TokensIn), None, "not a dated name");
        assert_eq!(price("anthropic", "claude-opus-5-9", Unit::TokensIn), None, "another model, not a date");
    }

    #[test]
    fn a_call_is_priced_to_the_millionth() {
        let usage = TokenUsage { input: 1_000, cached: 400, cache_writes: 0, output: 100 };
        // 600 x 0.10 + 400 x 0.01 + 100 x 0.50 dollars per million.
        assert_eq!(llm_cost("openai", "gpt-6-luna-2026-09-01", usage), Some(Money::from_usd_micros(114)));
        // Another endpoint of the same vendor, and a model that is paid for by text and by audio.
        assert_eq!(
            tts_cost("elevenlabs_http", "eleven_flash_v2_5", 1_000, 60_000),
            Some(Money::from_usd_micros(40_000))
        );
        assert_eq!(tts_cost("openai", "gpt-4o-mini-tts", 1_000, 60_000), Some(Money::from_usd_micros(15_150)));
        // A cache is read for a tenth, and filled for a quarter more.
        let usage = TokenUsage { input: 3_000, cached: 1_000, cache_writes: 1_000, output: 0 };
        let plain = price("anthropic", "claude-haiku-5-5", Unit::TokensIn).expect("a price").usd;
        let expected = Money::from_usd_micros((plain * 1_000.0 * (1.0 + 0.1 + 1.25)).round() as i64);
        assert_eq!(llm_cost("anthropic", "claude-haiku-5-5", usage), Some(expected));
        assert_eq!(stt_cost("deepgram", "nova-3", 60_000), Some(Money::from_usd_micros(4_800)));
        assert_eq!(tts_cost("elevenlabs", "eleven_flash_v2_5", 1_000, 60_000), Some(Money::from_usd_micros(40_000)));
    }

    /// A server on this machine charges nothing and needs no line.
    fn is_here(descriptor: &crate::Descriptor) -> bool {
        ["http://127.0.0.1", "http://localhost"].iter().any(|here| descriptor.base_url.starts_with(here))
    }

    #[test]
    fn every_listed_provider_has_a_price_for_what_it_does_unless_told_otherwise() {
        let stt = crate::stt::PROVIDERS.descriptors().map(|one| (Stage::Stt, one));
        let llm = crate::llm::PROVIDERS.descriptors().map(|one| (Stage::Llm, one));
        let tts = crate::tts::PROVIDERS.descriptors().map(|one| (Stage::Tts, one));
        let unpriced: Vec<String> = stt
            .chain(llm)
            .chain(tts)
            .filter(|(_, descriptor)| !is_here(descriptor))
            .filter(|(stage, one)| minute(*stage, one.name, one.model.unwrap_or_default()).is_none())
            .map(|(stage, one)| format!("{stage} {} {}", one.name, one.model.unwrap_or("without a model")))
            .collect();
        assert!(unpriced.is_empty(), "prices.toml has no line for: {}", unpriced.join(", "));
    }

    #[test]
    fn no_price_is_listed_twice() {
        let mut seen = std::collections::HashSet::new();
        for Price { provider, model, unit, .. } in prices() {
            assert!(seen.insert((provider, model, unit)), "{provider} {model} {unit:?} is listed twice");
        }
    }
}
