//! One media leg of a call.

use super::call::{Command, Next, Task};
use super::{Broken, Frames, Leg, Line, Moment, Told};
use carriers::playout::{BACKGROUND_PEAK, HeardSpan, Playout};
use futures_util::{SinkExt as _, StreamExt as _};
use std::collections::VecDeque;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::{Instant, MissedTickBehavior};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::http::HeaderValue;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

const FRAME: Duration = Duration::from_millis(20);
/// Samples of a frame at the person's 8 kHz.
const FRAME_SAMPLES: usize = 160;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long the platform waits for the other side of a close.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

pub(super) type Socket = WebSocketStream<TcpStream>;

/// A media socket and the person's end of the line.
struct Stream {
    socket: Socket,
    frames: Box<dyn Frames>,
    since: Instant,
    frames_sent: u64,
    microphone: VecDeque<i16>,
    line: Line,
    /// The last frame held speech.
    speaking: bool,
    /// The last sample of the last frame.
    last: i16,
}

impl Stream {
    fn elapsed_ms(&self) -> u64 {
        u64::try_from(self.since.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Samples of the stream for each of the person's.
    fn fineness(&self) -> usize {
        (self.frames.rate_hz() / 8_000).max(1) as usize
    }

    async fn send(&mut self, messages: impl IntoIterator<Item = Message>) -> Result<(), String> {
        for message in messages {
            self.socket.send(message).await.map_err(|error| error.to_string())?;
        }
        Ok(())
    }

    /// Whether the person speaks, and whether that is new.
    fn speech(&mut self) -> (bool, bool) {
        let before = std::mem::replace(&mut self.speaking, !self.microphone.is_empty());
        (self.speaking, self.speaking && !before)
    }

    /// One frame: the person, the background and the echo together.
    async fn send_frame(&mut self, echo: Vec<i16>) -> Result<(), String> {
        let words = self.microphone.len().min(FRAME_SAMPLES);
        let spoken = self.microphone.drain(..words).chain(std::iter::repeat(0)).take(FRAME_SAMPLES);
        let at = (self.frames_sent as usize).wrapping_mul(FRAME_SAMPLES);
        let background = &self.line.background;
        let behind = |n: usize| background.get((at + n) % background.len().max(1)).copied().unwrap_or(0);
        let gain = self.line.echo.map_or(0.0, |echo| echo.gain);
        let mixed = spoken.enumerate().map(|(n, sample)| {
            let back = f32::from(echo.get(n).copied().unwrap_or(0)) * gain;
            let sum = i32::from(sample) + i32::from(behind(n)) + back as i32;
            sum.clamp(i32::from(i16::MIN), i32::from(i16::MAX)) as i16
        });
        let mixed: Vec<i16> = mixed.collect();
        self.frames_sent += 1;
        let pcm = finer(&mixed, self.last, self.fineness());
        self.last = mixed.last().copied().unwrap_or(0);
        let message = self.frames.audio(&pcm);
        self.send(message).await
    }
}

/// The same sound with `times` as many samples, on straight lines between those that are there.
fn finer(pcm: &[i16], before: i16, times: usize) -> Vec<i16> {
    let starts = std::iter::once(before).chain(pcm.iter().copied());
    let step = |(from, to): (i16, i16), n: usize| {
        let (from, to) = (i32::from(from), i32::from(to));
        (from + (to - from) * (n as i32 + 1) / times as i32) as i16
    };
    starts.zip(pcm.iter().copied()).flat_map(|pair| (0..times).map(move |n| step(pair, n))).collect()
}

impl Task {
    /// Plays one stream to its end.
    pub(super) async fn stream(&mut self, action: Option<&str>, url: &str, parameters: &[(String, String)]) -> Next {
        let frames = self.world.platform.frames(&self.call, super::next_id(), url, parameters);
        let socket = match tokio::time::timeout(CONNECT_TIMEOUT, self.connect(url)).await {
            Ok(socket) => socket.map_err(|error| format!("31920: {url}: {error}")),
            Err(_) => Err(format!("31901: {url}: no answer in time")),
        };
        let (frames, socket) = match (frames, socket) {
            (Ok(frames), Ok(socket)) => (frames, socket),
            (Err(error), _) | (_, Err(error)) => {
                self.fault(error);
                return Next::GoOn;
            }
        };
        let mut stream = self.open_leg(frames, socket);
        let opening = stream.frames.open();
        let next = match stream.send(opening).await {
            Ok(()) => {
                self.report(Moment::StreamBegan(action)).await;
                self.exchange(&mut stream).await
            }
            Err(error) => Err(error),
        };
        let at = stream.elapsed_ms();
        let (next, code) = match next {
            Ok(ended) => ended,
            Err(error) => {
                let goodbye = goodbye(&mut stream).await;
                if goodbye.is_none() {
                    self.leg(|leg| leg.errors.push(error));
                }
                (Next::GoOn, goodbye.flatten())
            }
        };
        self.leg(|leg| {
            leg.playout.advance(at);
            leg.closed = Some(code);
        });
        next
    }

    fn open_leg(&self, frames: Box<dyn Frames>, socket: Socket) -> Stream {
        let since = Instant::now();
        self.change(|record| {
            record.legs.push(Leg {
                stream_sid: frames.id().to_owned(),
                since,
                playout: Playout::new(frames.rate_hz()).with_background_below(BACKGROUND_PEAK),
                marks: Vec::new(),
                clears: Vec::new(),
                spoken: Vec::new(),
                frames_received: 0,
                errors: Vec::new(),
                closed: None,
            });
        });
        Stream {
            socket,
            frames,
            since,
            frames_sent: 0,
            microphone: VecDeque::new(),
            line: Line::default(),
            speaking: false,
            last: 0,
        }
    }

    pub(super) async fn connect(&self, url: &str) -> Result<Socket, String> {
        let mut request = url.into_client_request().map_err(|error| error.to_string())?;
        for (name, value) in self.world.platform.upgrade(url) {
            let value = HeaderValue::from_str(&value).map_err(|_| "a signature that is no header".to_owned())?;
            request.headers_mut().insert(name, value);
        }
        let host = request.uri().host().unwrap_or_default().to_owned();
        let port = request.uri().port_u16().ok_or("this twin connects to loopback ports only")?;
        let tcp = TcpStream::connect((host.as_str(), port)).await.map_err(|error| error.to_string())?;
        tcp.set_nodelay(true).map_err(|error| error.to_string())?;
        let opened = tokio_tungstenite::client_async(request, tcp).await;
        opened.map(|(socket, _)| socket).map_err(|error| error.to_string())
    }

    fn leg<T>(&self, change: impl FnOnce(&mut Leg) -> T) -> Option<T> {
        self.change(|record| record.legs.last_mut().map(change))
    }

    /// Talks until one side ends it. An error is a socket that broke.
    async fn exchange(&mut self, stream: &mut Stream) -> Result<(Next, Option<u16>), String> {
        let mut ticks = tokio::time::interval_at(stream.since + FRAME, FRAME);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
        loop {
            tokio::select! {
                biased;
                _ = ticks.tick() => {
                    self.play(stream).await?;
                    self.note_speech(stream);
                    let returned = self.returned(stream);
                    stream.send_frame(returned).await?;
                }
                message = stream.socket.next() => match message {
                    Some(Ok(message @ (Message::Text(_) | Message::Binary(_)))) => {
                        if let Err((code, why)) = self.heard_from_us(stream, &message).await {
                            self.leg(|leg| leg.errors.push(why));
                            close(stream, code).await;
                            return Ok((Next::GoOn, None));
                        }
                    }
                    Some(Ok(Message::Close(frame))) => {
                        return Ok((Next::GoOn, frame.map(|frame| frame.code.into())));
                    }
                    Some(Ok(_)) => {}
                    Some(Err(error)) => return Err(error.to_string()),
                    None => return Ok((Next::GoOn, None)),
                },
                command = self.commands.recv() => if let Some(next) = self.obey(stream, command).await? {
                    return Ok((next, None));
                },
            }
        }
    }

    /// What the agent said that comes back in the frame that ends now.
    fn returned(&self, stream: &Stream) -> Vec<i16> {
        let Some(echo) = stream.line.echo else { return Vec::new() };
        let Some(end) = (stream.frames_sent * 20).checked_sub(echo.delay_ms) else { return Vec::new() };
        let (end, fineness) = (end as usize * FRAME_SAMPLES / 20, stream.fineness());
        self.leg(|leg| {
            let from = end.saturating_sub(FRAME_SAMPLES);
            let heard = leg.playout.heard().get(from * fineness..end * fineness)?;
            Some(heard.iter().step_by(fineness).copied().collect())
        })
        .flatten()
        .unwrap_or_default()
    }

    fn note_speech(&self, stream: &mut Stream) {
        let (speaking, begins) = stream.speech();
        let now = stream.elapsed_ms();
        if speaking {
            self.leg(|leg| match leg.spoken.last_mut() {
                Some(last) if !begins => last.to_ms = now,
                _ => leg.spoken.push(HeardSpan { from_ms: now.saturating_sub(FRAME_SAMPLES as u64 / 8), to_ms: now }),
            });
        }
    }

    async fn play(&mut self, stream: &mut Stream) -> Result<(), String> {
        let now = stream.elapsed_ms();
        let reached = self.leg(|leg| {
            let reached = leg.playout.advance(now);
            leg.marks.extend(reached.iter().cloned());
            reached
        });
        let echoes: Vec<Message> =
            reached.unwrap_or_default().iter().map(|mark| stream.frames.played(&mark.name)).collect();
        stream.send(echoes).await
    }

    /// Takes one message of our side as strictly as the platform does.
    async fn heard_from_us(&mut self, stream: &mut Stream, message: &Message) -> Result<(), Broken> {
        let gone = |error| (CloseCode::Abnormal, error);
        self.play(stream).await.map_err(gone)?;
        match stream.frames.read(message)? {
            Told::Audio(pcm) => {
                self.leg(|leg| {
                    leg.frames_received += 1;
                    leg.playout.push_audio(&pcm);
                });
                Ok(())
            }
            Told::Mark(name) => {
                self.leg(|leg| leg.playout.push_mark(&name));
                self.play(stream).await.map_err(gone)
            }
            Told::Clear => {
                let dropped = self.leg(|leg| {
                    leg.clears.push((leg.playout.now_ms(), leg.playout.queued_ms()));
                    leg.playout.clear()
                });
                let cleared = stream.frames.cleared(&dropped.unwrap_or_default());
                stream.send(cleared).await.map_err(gone)
            }
        }
    }

    async fn obey(&mut self, stream: &mut Stream, command: Option<Command>) -> Result<Option<Next>, String> {
        let ended = match command {
            Some(Command::Speak(pcm)) => {
                stream.microphone.extend(pcm);
                return Ok(None);
            }
            Some(Command::Line(line)) => {
                stream.line = line;
                return Ok(None);
            }
            Some(Command::Press(key)) => {
                let pressed = stream.frames.key(key);
                stream.send([pressed]).await?;
                return Ok(None);
            }
            Some(Command::Inject(text)) => {
                stream.send([Message::text(text)]).await?;
                return Ok(None);
            }
            Some(Command::InjectBinary(bytes)) => {
                stream.send([Message::binary(bytes)]).await?;
                return Ok(None);
            }
            Some(Command::Cut) => return Ok(Some(Next::GoOn)),
            // Words are for those who recognise them; here there is audio.
            Some(Command::Say(_)) => return Ok(None),
            Some(Command::Do(verbs, note)) => match self.interrupted(verbs, note) {
                Some(next) => next,
                None => return Ok(None),
            },
            // Every handle of the call is gone: the person went away.
            Some(Command::HangUp) | None => Next::End("completed"),
        };
        let stop = stream.frames.stop();
        stream.send(stop).await?;
        close(stream, CloseCode::Normal).await;
        Ok(Some(ended))
    }
}

/// The close of our side that waits behind a write which came too late for it, and its code.
async fn goodbye(stream: &mut Stream) -> Option<Option<u16>> {
    let read = async {
        while let Some(Ok(message)) = stream.socket.next().await {
            if let Message::Close(frame) = message {
                return Some(frame.map(|frame| frame.code.into()));
            }
        }
        None
    };
    tokio::time::timeout(CLOSE_TIMEOUT, read).await.ok().flatten()
}

/// Closes and waits a moment for the other side to agree.
async fn close(stream: &mut Stream, code: CloseCode) {
    let frame = CloseFrame { code, reason: "".into() };
    let closed = async {
        if stream.socket.close(Some(frame)).await.is_ok() {
            while let Some(Ok(_)) = stream.socket.next().await {}
        }
    };
    // Whether the other side agreed changes nothing.
    let _ = tokio::time::timeout(CLOSE_TIMEOUT, closed).await;
}
