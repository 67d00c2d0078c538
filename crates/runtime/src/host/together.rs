//! Frames that follow each other, in one message where the carrier takes more than one.

use base::wire::Wire;
use carriers::protocol::{MediaCommand, MediaProtocol};

pub(super) struct Together<'a> {
    protocol: &'a mut dyn MediaProtocol,
    pcm: &'a mut Vec<i16>,
    frames_max: usize,
    frames: usize,
}

impl<'a> Together<'a> {
    /// Messages of this protocol; `room` is emptied.
    pub(super) fn new(protocol: &'a mut dyn MediaProtocol, room: &'a mut Vec<i16>) -> Self {
        room.clear();
        Self { frames_max: protocol.message_frames_max(), protocol, pcm: room, frames: 0 }
    }

    /// One frame, behind what came before.
    pub(super) fn push(&mut self, frame: &[i16], out: &mut Vec<Wire>) {
        self.pcm.extend_from_slice(frame);
        self.frames += 1;
        if self.frames >= self.frames_max {
            self.flush(out);
        }
    }

    /// A command, behind the frames that came before.
    pub(super) fn command(&mut self, command: MediaCommand<'_>, out: &mut Vec<Wire>) {
        self.flush(out);
        self.protocol.on_command(command, out);
    }

    /// Sends what is left.
    pub(super) fn flush(&mut self, out: &mut Vec<Wire>) {
        if self.frames > 0 {
            self.protocol.on_command(MediaCommand::Audio(self.pcm), out);
            self.pcm.clear();
            self.frames = 0;
        }
    }
}
