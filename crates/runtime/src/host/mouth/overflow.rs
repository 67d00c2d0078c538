//! Audio that playout has no room for yet.

use std::collections::VecDeque;
use std::sync::Arc;

/// Audio in its order. What every call says the same is not copied for each: it waits where it is shared.
#[derive(Debug, Default)]
pub(super) struct Overflow {
    /// Comes first, each from this sample on.
    shared: VecDeque<(Arc<[i16]>, usize)>,
    own: Vec<i16>,
}

impl Overflow {
    pub(super) fn is_empty(&self) -> bool {
        self.shared.is_empty() && self.own.is_empty()
    }

    pub(super) fn share(&mut self, pcm: &Arc<[i16]>) {
        if self.own.is_empty() {
            self.shared.extend((!pcm.is_empty()).then(|| (Arc::clone(pcm), 0)));
        } else {
            self.own.extend_from_slice(pcm);
        }
    }

    /// Where more audio is added at the end.
    pub(super) fn end(&mut self) -> &mut Vec<i16> {
        &mut self.own
    }

    /// Gives it to somebody who says how much they took, until they take no more.
    pub(super) fn pour(&mut self, mut take: impl FnMut(&[i16]) -> usize) {
        while let Some((pcm, from)) = self.shared.front_mut() {
            *from += take(&pcm[*from..]);
            if *from < pcm.len() {
                return;
            }
            self.shared.pop_front();
        }
        if !self.own.is_empty() {
            let taken = take(&self.own);
            self.own.drain(..taken);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn audio_comes_out_as_it_went_in_however_little_is_taken_at_once() {
        let mut overflow = Overflow::default();
        overflow.share(&Arc::from([1, 2, 3]));
        overflow.share(&Arc::from([]));
        overflow.share(&Arc::from([4]));
        overflow.end().extend([5, 6]);
        overflow.share(&Arc::from([7, 8]));
        let mut heard = Vec::new();
        let mut rounds = 0;
        while !overflow.is_empty() {
            rounds += 1;
            let mut room = 2;
            overflow.pour(|pcm| {
                let taken = pcm.len().min(room);
                room -= taken;
                heard.extend_from_slice(&pcm[..taken]);
                taken
            });
        }
        assert_eq!((heard, rounds), (vec![1, 2, 3, 4, 5, 6, 7, 8], 4));
    }
}
