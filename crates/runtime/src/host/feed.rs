//! What is told to whoever listens to a call.

use std::sync::{Arc, OnceLock};
use tokio::sync::broadcast;

/// A bounded channel to any number of listeners; who is slower than the call loses the oldest. Nobody listens to most calls,
/// so its room is made for the first one who comes.
pub(crate) struct Feed<T> {
    room: usize,
    sender: Arc<OnceLock<broadcast::Sender<T>>>,
}

impl<T: Clone> Feed<T> {
    /// For listeners that are so much behind at most.
    pub(super) fn new(room: usize) -> Self {
        Self { room, sender: Arc::default() }
    }

    /// What is told from now on.
    pub(crate) fn subscribe(&self) -> broadcast::Receiver<T> {
        self.sender.get_or_init(|| broadcast::channel(self.room).0).subscribe()
    }

    /// Tells everybody who listens, if anybody does.
    pub(super) fn tell(&self, what: T) {
        if let Some(sender) = self.sender.get() {
            let _ = sender.send(what); // They may just have left.
        }
    }
}

impl<T> Clone for Feed<T> {
    fn clone(&self) -> Self {
        Self { room: self.room, sender: Arc::clone(&self.sender) }
    }
}

#[cfg(test)]
mod tests {
    use super::Feed;
    use tokio::sync::broadcast::error::TryRecvError;

    #[test]
    fn a_listener_hears_what_is_told_while_it_listens_until_the_call_is_over() {
        let feed = Feed::new(2);
        feed.tell("before");
        let door = feed.clone();
        let mut first = door.subscribe();
        feed.tell("one");
        let mut second = feed.subscribe();
        feed.tell("two");
        assert_eq!((first.try_recv(), first.try_recv()), (Ok("one"), Ok("two")));
        assert_eq!((second.try_recv(), second.try_recv()), (Ok("two"), Err(TryRecvError::Empty)));
        drop((feed, door));
        assert_eq!(first.try_recv(), Err(TryRecvError::Closed));
    }
}
