//! Lines of the audit log that are written in the same transaction as the change that they tell of.
//!
//! Whoever changes something on somebody's behalf lets the work run within [`Trail::follow`]. The first transaction of that work
//! that touches rows of the business takes the line with it when it commits: there is no change without its line and no line
//! of a change that did not happen, and no method of a store has to know of lines. What the work hands to other tasks is not on
//! the trail.

use crate::args;
use crate::contract::Answer;
use crate::db::{Args, Reach, to_json};
use crate::error::StoreError;
use crate::people::Audited;
use model::business::TenantScope;
use model::people::Actor;
use serde_json::Value;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use uuid::Uuid;

tokio::task_local! {
    static TRAIL: Trail;
}

/// A line of the audit log that waits for its change.
#[derive(Clone, Debug, PartialEq)]
pub struct Line {
    /// Of which business; `None`: not known yet, and no change takes the line.
    pub scope: Option<TenantScope>,
    /// Whose credential it was.
    pub actor: Option<Actor>,
    /// What was done: an operation's name.
    pub action: String,
    /// On what.
    pub subject: String,
    /// What exactly, without secrets.
    pub details: Value,
    /// From where.
    pub address: Option<String>,
    /// Unix milliseconds.
    pub at_ms: i64,
}

/// Work on somebody's behalf.
#[derive(Clone, Debug)]
pub struct Trail(Arc<Mutex<(Line, bool)>>);

impl Trail {
    /// A trail whose line is not written yet.
    pub fn new(line: Line) -> Self {
        Self(Arc::new(Mutex::new((line, false))))
    }

    /// Does the work on this trail.
    pub async fn follow<T>(&self, work: impl Future<Output = T>) -> T {
        TRAIL.scope(self.clone(), work).await
    }

    /// The trail of the work that runs here.
    pub fn current() -> Option<Self> {
        TRAIL.try_with(Self::clone).ok()
    }

    /// Says more in the line, as long as it is not written.
    pub fn amend(&self, change: impl FnOnce(&mut Line)) {
        let mut state = self.state();
        if !state.1 {
            change(&mut state.0);
        }
    }

    /// The line as it is.
    pub fn line(&self) -> Line {
        self.state().0.clone()
    }

    /// Whether a change has taken the line with it.
    pub fn is_written(&self) -> bool {
        self.state().1
    }

    fn state(&self) -> MutexGuard<'_, (Line, bool)> {
        // No guarded section can panic half way through a change.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn mark_written(&self) {
        self.state().1 = true;
    }
}

/// Says for whom the line is, where that is found out by the change itself, which must know it before it commits: a token names
/// whose it is. Whoever began the trail may know it already, and is believed.
pub(crate) fn learn(scope: &TenantScope, about: impl FnOnce(&mut Line)) {
    if let Some(trail) = Trail::current() {
        trail.amend(|line| {
            if line.scope.is_none() {
                line.scope = Some(*scope);
                about(line);
            }
        });
    }
}

/// The line that a change of these rows has to take with it.
pub(crate) fn due(reach: Reach) -> Option<Trail> {
    let trail = Trail::current()?;
    let is_due = {
        let state = trail.state();
        let business = state.0.scope.map(|scope| scope.business.0);
        // What reaches across businesses is done by one of them here: a business that registers, an installation's setting.
        let is_theirs = matches!((reach, business), (Reach::Across, Some(_)))
            || matches!((reach, business), (Reach::Business(reached), Some(own)) if reached == own);
        !state.1 && is_theirs
    };
    is_due.then_some(trail)
}

/// A line as a row.
pub(crate) fn row<'a>(scope: &TenantScope, line: &Audited<'a>, at_ms: i64) -> Answer<Args<'a>> {
    Ok(args![
        Uuid::now_v7(),
        scope.business.0,
        at_ms,
        line.actor.map_or("nobody", Actor::kind),
        line.actor.and_then(Actor::id),
        line.action,
        line.subject,
        to_json(line.details)?,
        line.address,
    ])
}

/// Why a change is not made whose line cannot be written.
pub(crate) fn unwritten(error: StoreError) -> StoreError {
    match error {
        StoreError::Contended => StoreError::Contended,
        other => StoreError::Unavailable(format!("the audit log cannot be written: {other}")),
    }
}
