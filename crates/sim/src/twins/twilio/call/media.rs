//! One media leg: the platform's part of Media Streams.

use super::{Command, Leg, Line, Next, Task};
use audio_codec_algorithms::{decode_ulaw, encode_ulaw};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use carriers::playout::{BACKGROUND_PEAK, HeardSpan, Playout};
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::{Instant, MissedTickBehavior};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

const FRAME: Duration = Duration::from_millis(20);
const FRAME_SAMPLES: usize = 160;
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long the platform waits for the other side of a close.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

type Socket = WebSocketStream<TcpStream>;

/// The platform's numbering of what it sends.
struct Stream {
    socket: Socket,
    sid: String,
    since: Instant,
    sequence: u64,
    chunk: u64,
    microphone: VecDeque<i16>,
    line: Line,
    /// The last frame held speech.
    speaking: bool,
}

impl Stream {
    fn elapsed_ms(&self) -> u64 {
        u64::try_from(self.since.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    async fn send(&mut self, mut event: Value) -> Result<(), String> {
        self.sequence += 1;
        event["sequenceNumber"] = self.sequence.to_string().into();
        event["streamSid"] = self.sid.clone().into();
        self.socket.send(Message::text(event.to_string())).await.map_err(|error| error.to_string())
    }

    async fn echo(&mut self, names: impl IntoIterator<Item = String>) -> Result<(), String> {
        for name in names {
            self.send(json!({"event": "mark", "mark": {"name": name}})).await?;
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
        let at = (self.chunk as usize).wrapping_mul(FRAME_SAMPLES);
        let background = &self.line.background;
        let behind = |n: usize| background.get((at + n) % background.len().max(1)).copied().unwrap_or(0);
        let gain = self.line.echo.map_or(0.0, |echo| echo.gain);
        let mixed = spoken.enumerate().map(|(n, sample)| {
            let back = f32::from(echo.get(n).copied().unwrap_or(0)) * gain;
            let sum = i32::from(sample) + i32::from(behind(n)) + back as i32;
            sum.clamp(i32::from(i16::MIN), i32::from(i16::MAX)) as i16
        });
        let bytes: Vec<u8> = mixed.map(encode_ulaw).collect();
        self.chunk += 1;
        let timestamp = (self.chunk * 20).to_string();
        let media = json!({
            "track": "inbound", "chunk": self.chunk.to_string(), "timestamp": timestamp, "payload": STANDARD.encode(bytes),
        });
        self.send(json!({"event": "media", "media": media})).await
    }
}

impl Task {
    /// Plays one stream to its end.
    pub(super) async fn stream(&mut self, url: &str, parameters: &[(String, String)]) -> Next {
        let socket = match tokio::time::timeout(CONNECT_TIMEOUT, self.connect(url)).await {
            Ok(Ok(socket)) => socket,
            Ok(Err(error)) => {
                self.change(|record| record.faults.push(format!("31920: {url}: {error}")));
                return Next::GoOn;
            }
            Err(_) => {
                self.change(|record| record.faults.push(format!("31901: {url}: no answer in time")));
                return Next::GoOn;
            }
        };
        let sid = self.world.next_sid("MZ");
        let since = Instant::now();
        let mut stream = Stream {
            socket,
            sid: sid.clone(),
            since,
            sequence: 0,
            chunk: 0,
            microphone: VecDeque::new(),
            line: Line::default(),
            speaking: false,
        };
        self.change(|record| {
            record.legs.push(Leg {
                stream_sid: sid,
                since,
                playout: Playout::new(8000).with_background_below(BACKGROUND_PEAK),
                marks: Vec::new(),
                clears: Vec::new(),
                spoken: Vec::new(),
                frames_received: 0,
                errors: Vec::new(),
                closed: None,
            });
        });
        let next = match self.open_stream(&mut stream, parameters).await {
            Ok(()) => self.exchange(&mut stream).await,
            Err(error) => Err(error),
        };
        let at = stream.elapsed_ms();
        let (next, code) = match next {
            Ok(ended) => ended,
            Err(error) => {
                self.leg(|leg| leg.errors.push(error));
                (Next::GoOn, None)
            }
        };
        self.leg(|leg| {
            leg.playout.advance(at);
            leg.closed = Some(code);
        });
        next
    }

    async fn connect(&self, url: &str) -> Result<Socket, String> {
        let mut request = url.into_client_request().map_err(|error| error.to_string())?;
        for (name, value) in self.world.options.signature_headers(url, &[]) {
            let value = value.parse().map_err(|_| "a signature that is no header".to_owned())?;
            request.headers_mut().insert(name, value);
        }
        let host = request.uri().host().unwrap_or_default().to_owned();
        let port = request.uri().port_u16().ok_or("this twin connects to loopback ports only")?;
        let tcp = TcpStream::connect((host.as_str(), port)).await.map_err(|error| error.to_string())?;
        tcp.set_nodelay(true).map_err(|error| error.to_string())?;
        let opened = tokio_tungstenite::client_async(request, tcp).await;
        opened.map(|(socket, _)| socket).map_err(|error| error.to_string())
    }

    async fn open_stream(&self, stream: &mut Stream, parameters: &[(String, String)]) -> Result<(), String> {
        let connected = json!({"event": "connected", "protocol": "Call", "version": "1.0.0"}).to_string();
        stream.socket.send(Message::text(connected)).await.map_err(|error| error.to_string())?;
        let custom: serde_json::Map<String, Value> =
            parameters.iter().map(|(name, value)| (name.clone(), value.clone().into())).collect();
        let start = json!({
            "accountSid": self.world.options.account_sid, "streamSid": stream.sid, "callSid": self.sid,
            "tracks": ["inbound"],
            "mediaFormat": {"encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1},
            "customParameters": custom,
        });
        stream.send(json!({"event": "start", "start": start})).await
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
                    Some(Ok(Message::Text(text))) => {
                        if let Err(why) = self.heard_from_us(stream, &text).await {
                            self.leg(|leg| leg.errors.push(format!("31951: {why}")));
                            close(stream, CloseCode::Protocol).await;
                            return Ok((Next::GoOn, None));
                        }
                    }
                    Some(Ok(Message::Binary(_))) => {
                        self.leg(|leg| leg.errors.push("31951: a binary message".to_owned()));
                        close(stream, CloseCode::Unsupported).await;
                        return Ok((Next::GoOn, None));
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
        let Some(end) = (stream.chunk * 20).checked_sub(echo.delay_ms) else { return Vec::new() };
        let end = end as usize * FRAME_SAMPLES / 20;
        self.leg(|leg| {
            let from = end.saturating_sub(FRAME_SAMPLES);
            leg.playout.heard().get(from..end).map(<[i16]>::to_vec)
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
        stream.echo(reached.unwrap_or_default().into_iter().map(|mark| mark.name)).await
    }

    /// Takes one message of our side as strictly as the platform does.
    async fn heard_from_us(&mut self, stream: &mut Stream, text: &str) -> Result<(), String> {
        self.play(stream).await?;
        let message: Value = serde_json::from_str(text).map_err(|error| error.to_string())?;
        if message["streamSid"] != stream.sid.as_str() {
            return Err("a message of another stream".to_owned());
        }
        match message["event"].as_str() {
            Some("media") => {
                let payload = message["media"]["payload"].as_str().ok_or("media without a payload")?;
                let bytes = STANDARD.decode(payload).map_err(|error| error.to_string())?;
                let pcm: Vec<i16> = bytes.iter().map(|byte| decode_ulaw(*byte)).collect();
                self.leg(|leg| {
                    leg.frames_received += 1;
                    leg.playout.push_audio(&pcm);
                });
                Ok(())
            }
            Some("mark") => {
                let name = message["mark"]["name"].as_str().ok_or("a mark without a name")?;
                self.leg(|leg| leg.playout.push_mark(name));
                self.play(stream).await
            }
            Some("clear") => {
                let dropped = self.leg(|leg| {
                    leg.clears.push((leg.playout.now_ms(), leg.playout.queued_ms()));
                    leg.playout.clear()
                });
                stream.echo(dropped.unwrap_or_default()).await
            }
            other => Err(format!("event {other:?}")),
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
                let dtmf = json!({"track": "inbound_track", "digit": key.to_string()});
                stream.send(json!({"event": "dtmf", "dtmf": dtmf})).await?;
                return Ok(None);
            }
            Some(Command::Inject(text)) => {
                stream.socket.send(Message::text(text)).await.map_err(|error| error.to_string())?;
                return Ok(None);
            }
            Some(Command::InjectBinary(bytes)) => {
                stream.socket.send(Message::binary(bytes)).await.map_err(|error| error.to_string())?;
                return Ok(None);
            }
            Some(Command::Cut) => return Ok(Some(Next::GoOn)),
            Some(Command::Redirect(url)) => Next::Ask(url),
            // Every handle of the call is gone: the person went away.
            Some(Command::HangUp | Command::Complete) | None => Next::End("completed"),
        };
        let stop = json!({"accountSid": self.world.options.account_sid, "callSid": self.sid});
        stream.send(json!({"event": "stop", "stop": stop})).await?;
        close(stream, CloseCode::Normal).await;
        Ok(Some(ended))
    }
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
