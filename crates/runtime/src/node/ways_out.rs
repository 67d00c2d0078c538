//! Which phone platform places a call: the facts for [`engine::outgoing`], its decision carried out, and the reason written down.

use super::outbound::{DialError, DialRequest};
use super::{Node, lock};
use base::{AgentId, CallId, PhoneNumber, limits};
use carriers::protocol::Capability;
use engine::outgoing::{Choice, Figures, WayOut, next_may_try, rank};
use model::business::TenantScope;
use model::outgoing::OutgoingPlan;
use std::collections::BTreeMap;
use store::StoreError;
use store::contract::lines::LineFilter;
use store::contract::office::ValueKind;

/// The only plan of a business has this name.
pub const PLAN: &str = "plan";
const WEEK_MS: i64 = 7 * 24 * 60 * 60 * 1_000;
const LATELY_MS: i64 = 15 * 60 * 1_000;
/// Signs of a number that are "like this one": the plus and two digits, a country or a part of one.
const LIKE_CHARS: usize = 3;
/// How much the newest call counts in the mean of a platform's sound.
const SOUND_WEIGHT: f32 = 0.1;

/// A call to be placed over the best way there is.
#[derive(Clone, Debug)]
pub struct PlaceRequest {
    /// Who speaks.
    pub agent: AgentId,
    /// Who to call.
    pub to: PhoneNumber,
    /// Which of our numbers is shown; `None`: the one that fits best.
    pub from: Option<PhoneNumber>,
    /// Registry name of the platform; `None`: the best.
    pub carrier: Option<String>,
    /// How the platform reaches us.
    pub base_url: String,
}

impl Node {
    /// How the calls of a business go out; nothing is said: the default.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn outgoing_plan(&self, scope: &TenantScope) -> Result<OutgoingPlan, StoreError> {
        match self.store().value(scope, ValueKind::Outgoing, PLAN).await {
            Ok(value) => serde_json::from_str(&value.value).map_err(|_| StoreError::Corrupt("an outgoing plan".into())),
            Err(StoreError::NotFound(_)) => Ok(OutgoingPlan::default()),
            Err(error) => Err(error),
        }
    }

    /// The ways out for a call to this number, the best first, with what speaks for each.
    ///
    /// # Errors
    /// When the database does not answer.
    pub async fn ways_out(
        &self,
        scope: &TenantScope,
        to: &PhoneNumber,
        from: Option<&PhoneNumber>,
        carrier: Option<&str>,
    ) -> Result<Vec<WayOut>, StoreError> {
        let plan = self.outgoing_plan(scope).await?;
        let choices = self.choices(scope, from, carrier).await?;
        let like = to.expose().get(..LIKE_CHARS).unwrap_or("+");
        let now_ms = crate::wall_ms();
        let week = self.store().outgoing_figures(scope, like, now_ms - WEEK_MS).await?;
        let lately = self.store().outgoing_figures(scope, "+", now_ms - LATELY_MS).await?;
        let sound = lock(&self.shared.sound).clone();
        Ok(rank(to, &choices, &plan, |name| {
            let mut figures = Figures { mos: sound.get(name).copied(), ..Figures::default() };
            if let Some(known) = week.iter().find(|one| one.carrier == name) {
                (figures.asked, figures.answered) = (known.asked.saturating_sub(known.refused), known.answered);
            }
            if let Some(known) = lately.iter().find(|one| one.carrier == name) {
                (figures.asked_lately, figures.refused_lately) = (known.asked, known.refused);
            }
            figures
        }))
    }

    /// Places a call over the best way, and over the next one when it was certainly not placed. Why is in the call's log.
    ///
    /// # Errors
    /// What the last platform that was tried said; when there is none, [`DialError::NoCarrier`].
    pub async fn place(&self, scope: TenantScope, request: PlaceRequest) -> Result<CallId, DialError> {
        let PlaceRequest { agent, to, from, carrier, base_url } = request;
        let ways = self.ways_out(&scope, &to, from.as_ref(), carrier.as_deref()).await;
        let ways = ways.map_err(super::RefuseReason::from)?;
        let (mut tried, mut last) = (Vec::new(), DialError::NoCarrier);
        for way in ways {
            let (carrier, from) = (way.carrier.clone(), way.from.clone());
            let dial = DialRequest { carrier, agent, to: to.clone(), from, base_url: base_url.clone() };
            match self.dial(scope, dial).await {
                Ok(call) => {
                    self.log_way(&scope, call, &way, &tried).await;
                    return Ok(call);
                }
                Err(DialError::Carrier(failure)) if next_may_try(failure.class) => {
                    let class = failure.class.name();
                    tracing::warn!(carrier = way.carrier, class, "a call was not placed, and goes out elsewhere");
                    metrics::counter!("frontdesk_ways_out_failed_total", "carrier" => way.carrier.clone(), "class" => class)
                        .increment(1);
                    tried.push(serde_json::json!({ "carrier": way.carrier, "class": class }));
                    last = DialError::Carrier(failure);
                }
                Err(DialError::NoCarrier) => {}
                Err(other) => return Err(other),
            }
        }
        Err(last)
    }

    /// A call over this platform sounded so, as an estimate of opinion from 1 to 4.5.
    pub fn note_sound(&self, carrier: &str, mos: f32) {
        let mut sound = lock(&self.shared.sound);
        let mean = sound.get(carrier).map_or(mos, |known| known + (mos - known) * SOUND_WEIGHT);
        sound.insert(carrier.to_owned(), mean);
    }

    async fn log_way(&self, scope: &TenantScope, call: CallId, way: &WayOut, tried: &[serde_json::Value]) {
        let data = serde_json::json!({ "way": way, "tried": tried });
        if let Err(error) = self.store().log_call(scope, call, "way_out", &data, crate::wall_ms()).await {
            tracing::error!(%call, %error, "why a call goes out where it does was not written");
        }
    }

    /// Platforms that are set up and can place calls, with our numbers there.
    async fn choices(
        &self,
        scope: &TenantScope,
        from: Option<&PhoneNumber>,
        carrier: Option<&str>,
    ) -> Result<Vec<Choice>, StoreError> {
        // Whoever names both knows better than any list: a trunk may show numbers of another platform.
        if let (Some(from), Some(carrier)) = (from, carrier) {
            return Ok(vec![Choice { carrier: carrier.to_owned(), from: from.clone() }]);
        }
        let (mut choices, mut after) = (Vec::new(), None::<String>);
        loop {
            let filter = LineFilter { agent: None, carrier };
            let lines = self.store().lines(scope, filter, after.as_deref(), limits::PAGE_ROWS_MAX).await?;
            let is_last = lines.len() < limits::PAGE_ROWS_MAX as usize;
            after = lines.last().map(|line| line.number.number.expose().to_owned());
            let ours = lines.into_iter().map(|line| line.number);
            let fitting = ours.filter(|number| from.is_none_or(|from| *from == number.number));
            choices.extend(
                fitting
                    .filter(|number| self.can_place(&number.carrier))
                    .map(|number| Choice { carrier: number.carrier, from: number.number }),
            );
            if is_last {
                return Ok(choices);
            }
        }
    }

    fn can_place(&self, carrier: &str) -> bool {
        let is_able = carriers::registry::descriptor(carrier).is_some_and(|known| known.can(Capability::Place));
        is_able && self.shared.control(carrier).is_some()
    }
}

/// How platforms have sounded of late, by their names.
pub(super) type Sound = BTreeMap<String, f32>;
