//! Listeners of one node, by channel.

use super::{SharedAnswer, SharedError};
use base::limits;
use bytes::Bytes;
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::broadcast::{self, error::RecvError};

/// What a listener hears.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// Somebody published this.
    Message(Bytes),
    /// Something may have been published and was not heard: the listener was too slow, or the server was away. Whoever
    /// keeps a picture of something reads it anew.
    Missed,
}

/// Listens to a channel until it is dropped.
#[derive(Debug)]
pub struct Subscription {
    near: broadcast::Receiver<Delivery>,
    far: Option<broadcast::Receiver<Delivery>>,
}

impl Subscription {
    pub(super) fn one(near: broadcast::Receiver<Delivery>) -> Self {
        Self { near, far: None }
    }

    /// Hears what either hears.
    pub(super) fn both(self, other: Self) -> Self {
        Self { near: self.near, far: Some(other.near) }
    }

    /// What comes next. `None` when nothing can come any more, because the process ends.
    pub async fn next(&mut self) -> Option<Delivery> {
        let heard = match &mut self.far {
            None => self.near.recv().await,
            Some(far) => tokio::select! {
                heard = self.near.recv() => heard,
                heard = far.recv() => heard,
            },
        };
        match heard {
            Ok(delivery) => Some(delivery),
            Err(RecvError::Lagged(count)) => {
                metrics::counter!("frontdesk_shared_messages_missed_total").increment(count);
                Some(Delivery::Missed)
            }
            Err(RecvError::Closed) => None,
        }
    }
}

#[derive(Debug, Default)]
pub(super) struct Hub(Mutex<HashMap<String, broadcast::Sender<Delivery>>>);

impl Hub {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, broadcast::Sender<Delivery>>> {
        // No guarded section of this file can panic half way through a change.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn listen(&self, channel: &str) -> SharedAnswer<Subscription> {
        let mut channels = self.lock();
        if let Some(known) = channels.get(channel) {
            return Ok(Subscription::one(known.subscribe()));
        }
        if channels.len() >= limits::SHARED_CHANNELS_MAX {
            channels.retain(|_, sender| sender.receiver_count() > 0);
        }
        if channels.len() >= limits::SHARED_CHANNELS_MAX {
            return Err(SharedError::Full("this node listens to too many channels"));
        }
        let (sender, receiver) = broadcast::channel(limits::SHARED_MESSAGES_MAX);
        channels.insert(channel.to_owned(), sender);
        Ok(Subscription::one(receiver))
    }

    pub(super) fn deliver(&self, channel: &str, message: Bytes) {
        if let Some(sender) = self.lock().get(channel) {
            // Nobody listens any more, which is as good as nobody having listened.
            let _ = sender.send(Delivery::Message(message));
        }
    }

    pub(super) fn missed(&self) {
        for sender in self.lock().values() {
            let _ = sender.send(Delivery::Missed); // As above.
        }
    }

    pub(super) fn channels(&self) -> Vec<String> {
        self.lock().keys().cloned().collect()
    }

    /// Forgets channels to which nobody listens any more and answers their names.
    pub(super) fn prune(&self) -> Vec<String> {
        let mut gone = Vec::new();
        self.lock().retain(|name, sender| {
            let is_used = sender.receiver_count() > 0;
            if !is_used {
                gone.push(name.clone());
            }
            is_used
        });
        gone
    }
}
