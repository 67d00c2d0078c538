//! Nodes tell each other of which businesses there are new events, so that followers and webhooks do not wait for the next
//! look at the table. What gets lost here costs [`limits::EVENTS_POLL_MS`], never an event.

use super::Feed;
use base::{BusinessId, limits};
use std::sync::Arc;
use std::time::Duration;
use store::Store;
use store::shared::{Delivery, Shared};
use tokio::sync::broadcast::error::RecvError;
use uuid::Uuid;

/// On which all nodes say so: the message is the business's id.
const CHANNEL: &str = "events";

/// Tells other nodes what this one has written. Runs until the store is gone.
pub async fn tell(store: Arc<dyn Store>, shared: Arc<dyn Shared>) {
    let mut bell = store.event_bell();
    drop(store);
    loop {
        match bell.recv().await {
            Ok(business) => {
                // A server that is away has said so elsewhere; the others look by themselves.
                let _ = shared.publish(CHANNEL, business.0.as_bytes()).await;
            }
            Err(RecvError::Lagged(_)) => {}
            Err(RecvError::Closed) => return,
        }
    }
}

/// Hears what other nodes have written. Runs for ever.
pub async fn hear(shared: Arc<dyn Shared>, feed: Feed, also: impl Fn(BusinessId) + Send + Sync) {
    loop {
        if let Ok(mut heard) = shared.subscribe(CHANNEL).await {
            while let Some(delivery) = heard.next().await {
                // What was missed is found by looking.
                if let Delivery::Message(message) = delivery
                    && let Ok(business) = Uuid::from_slice(&message)
                {
                    feed.wake(BusinessId(business));
                    also(BusinessId(business));
                }
            }
        }
        tokio::time::sleep(Duration::from_millis(limits::EVENT_HINTS_RETRY_MS)).await;
    }
}
