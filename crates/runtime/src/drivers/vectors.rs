//! Vector stores over HTTP: the codec of any vendor as an index of vectors. One thing that is asked is a few requests, each with
//! a deadline; what is written goes in parts that the store takes at once.

use super::Meter;
use super::whole::{body_of, count};
use async_trait::async_trait;
use base::{ErrorClass, Failure, Millis, limits};
use egress::Egress;
use knowledge::index::{Neighbour, Point, VectorIndex};
use model::business::TenantScope;
use providers::vectors::{Step, VectorAnswer, VectorProtocol, VectorRequest};
use std::sync::Arc;
use store::knowledge::VersionId;
use tokio::time::Instant;

/// Makes one codec for each thing that is asked.
pub type MakeVectors = Arc<dyn Fn() -> Box<dyn VectorProtocol> + Send + Sync>;

/// A vector store of any vendor.
pub struct HttpVectors {
    make: MakeVectors,
    egress: Arc<Egress>,
    meter: Meter,
}

impl HttpVectors {
    /// A store of this registry name.
    pub fn new(name: &str, make: MakeVectors, egress: Arc<Egress>) -> Self {
        Self { make, egress, meter: Meter::new(name, "vectors") }
    }

    async fn ask(&self, request: VectorRequest, deadline: Millis) -> Result<VectorAnswer, Failure> {
        let began = Instant::now();
        let outcome = self.exchange(&request, deadline).await;
        count(&self.meter, began, &outcome);
        outcome
    }

    async fn exchange(&self, request: &VectorRequest, deadline: Millis) -> Result<VectorAnswer, Failure> {
        let mut codec = (self.make)();
        let mut next = codec.begin(request);
        for _ in 0..limits::VECTOR_STEPS_MAX {
            let answer = self.egress.http(next, deadline).await?;
            let (status, accepted) = (answer.status, codec.accepts(answer.status, &answer.body));
            let body = if accepted {
                answer.body
            } else {
                body_of(&self.meter.provider, answer, |status, body| codec.classify(status, body))?
            };
            match codec.on_answer(status, &body)? {
                Step::Ask(request) => next = request,
                Step::Answer(answer) => return Ok(answer),
            }
        }
        Err(Failure::new(ErrorClass::Protocol, "the store wanted to be asked for ever"))
    }

    async fn write(&self, request: VectorRequest) -> Result<(), Failure> {
        self.ask(request, Millis(limits::VECTOR_WRITE_MS_MAX)).await.map(drop)
    }
}

#[async_trait]
impl VectorIndex for HttpVectors {
    fn place(&self) -> &str {
        &self.meter.provider
    }

    async fn prepare(&self, scope: &TenantScope, width: usize) -> Result<(), Failure> {
        self.write(VectorRequest::Prepare { business: scope.business, width }).await
    }

    async fn upsert(&self, scope: &TenantScope, mut points: Vec<Point>) -> Result<(), Failure> {
        let most = (self.make)().points_max().max(1);
        while !points.is_empty() {
            let rest = points.split_off(points.len().min(most));
            let part = std::mem::replace(&mut points, rest);
            self.write(VectorRequest::Upsert { business: scope.business, points: part }).await?;
        }
        Ok(())
    }

    async fn delete(&self, scope: &TenantScope, version: VersionId, passages: u32) -> Result<(), Failure> {
        let VersionId { document, version } = version;
        self.write(VectorRequest::Delete { business: scope.business, document, version, passages }).await
    }

    async fn search(&self, scope: &TenantScope, vector: &[f32], count: usize) -> Result<Vec<Neighbour>, Failure> {
        let request = VectorRequest::Search { business: scope.business, vector: vector.to_vec(), count };
        match self.ask(request, Millis(limits::VECTOR_SEARCH_MS_MAX)).await? {
            VectorAnswer::Found(found) => Ok(found),
            _ => Err(Failure::new(ErrorClass::Protocol, "the store was asked for the nearest and said something else")),
        }
    }

    async fn count(&self, scope: &TenantScope) -> Result<u64, Failure> {
        let request = VectorRequest::Count { business: scope.business };
        match self.ask(request, Millis(limits::VECTOR_WRITE_MS_MAX)).await? {
            VectorAnswer::Counted(count) => Ok(count),
            _ => Err(Failure::new(ErrorClass::Protocol, "the store was asked how many and said something else")),
        }
    }
}
