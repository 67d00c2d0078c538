//! A recorded session as text, replayed.
//!
//! `set KEY VALUE` configures the provider, `open …` begins a session, `! …` is something we do, `< …` something the
//! service sends. The lines that begin with `>` (what we send) and `=` (events) are what must come of it. With
//! `UPDATE_CASSETTES=1` they are written anew, for a person to read before committing.
//!
//! What is received: `< TEXT` is a text message (over HTTP and gRPC: a line of the body), `< base64 …` a binary message
//! (over HTTP: a piece of the body), `< binary N` N bytes of a pattern, `< close CODE REASON`, and `< end` the end of a
//! body or of a call. What we send: `> TEXT`, `> binary N`, `> base64 …` (a short message over gRPC), `> request METHOD
//! URL` with its `> header` and `> body` lines, `> end`. Carriage return and line feed inside a text message are written as
//! their pictures, `␍` and `␊`.

use crate::options::ProviderOptions;
use base::wire::{Connect, HeaderValue, HttpRequest, Transport, Wire};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::path::PathBuf;

/// One line that makes something happen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// A session begins, with this.
    Open(String),
    /// We do something: a verb and what it takes.
    Act(String, String),
    /// The service sends something.
    Receive(String),
}

/// The credential of every replay. It must show up nowhere.
pub const KEY: &str = "sk-NeverShowThis-0123456789";

/// A credential and nothing else.
pub fn options() -> ProviderOptions {
    ProviderOptions { api_key: Some(KEY.into()), ..ProviderOptions::default() }
}

/// The recorded sessions of one provider.
pub struct Cassette {
    path: PathBuf,
    text: String,
}

impl Cassette {
    /// Of a kind (`stt`) and a provider. Whoever replays has the repository at hand.
    pub fn load(kind: &str, name: &str) -> Self {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fixtures/cassettes");
        let path = PathBuf::from(folder).join(format!("{kind}_{name}.txt"));
        let text = std::fs::read_to_string(&path).unwrap_or_else(|why| panic!("{}: {why}", path.display()));
        Self { path, text }
    }

    /// The options that its `set` lines give.
    pub fn options(&self) -> ProviderOptions {
        let mut options = options();
        for line in self.text.lines() {
            let Some((key, value)) = line.strip_prefix("set ").and_then(|rest| rest.split_once(' ')) else { continue };
            match key {
                "model" => options.model = Some(value.to_owned()),
                "voice" => options.voice = Some(value.to_owned()),
                "base_url" => options.base_url = Some(value.to_owned()),
                _ => drop(options.extra.insert(key.to_owned(), value.to_owned())),
            }
        }
        options
    }

    /// Everything that happens, in order.
    pub fn steps(&self) -> Vec<Step> {
        self.text.lines().filter_map(step).collect()
    }

    /// The steps of each session.
    pub fn sessions(&self) -> Vec<Vec<Step>> {
        let mut sessions: Vec<Vec<Step>> = Vec::new();
        for step in self.steps() {
            match (&step, sessions.last_mut()) {
                (Step::Open(_), _) => sessions.push(vec![step]),
                (_, Some(session)) => session.push(step),
                (_, None) => panic!("{}: a session begins with open", self.path.display()),
            }
        }
        assert!(!sessions.is_empty(), "{} holds no session", self.path.display());
        sessions
    }

    /// Plays every step and compares what comes of it with what is written.
    pub fn replay(&self, mut play: impl FnMut(&Step) -> Vec<String>) {
        let mut actual = String::new();
        for line in self.text.lines().filter(|line| !line.starts_with(['>', '='])) {
            actual.push_str(line);
            actual.push('\n');
            for outcome in step(line).map(|step| play(&step)).unwrap_or_default() {
                actual.push_str(&outcome);
                actual.push('\n');
            }
        }
        if actual == self.text {
            return;
        }
        if std::env::var_os("UPDATE_CASSETTES").is_some() {
            // In one step, because other laws read it at the same time.
            let fresh = self.path.with_extension("new");
            std::fs::write(&fresh, &actual).expect("the cassette can be written");
            std::fs::rename(&fresh, &self.path).expect("the cassette can be replaced");
            return;
        }
        let difference = self.text.lines().zip(actual.lines()).enumerate().find(|(_, (a, b))| a != b);
        match difference {
            Some((at, (written, came))) => {
                panic!("{}:{}\nwritten: {written}\ncame:    {came}", self.path.display(), at + 1)
            }
            None => panic!("{} is shorter or longer than what came of it:\n{actual}", self.path.display()),
        }
    }
}

fn step(line: &str) -> Option<Step> {
    if let Some(rest) = line.strip_prefix("open") {
        return Some(Step::Open(rest.trim().to_owned()));
    }
    if let Some(rest) = line.strip_prefix("! ") {
        let (verb, rest) = rest.split_once(' ').unwrap_or((rest, ""));
        return Some(Step::Act(verb.to_owned(), rest.to_owned()));
    }
    let received = line.strip_prefix('<')?;
    Some(Step::Receive(received.strip_prefix(' ').unwrap_or(received).to_owned()))
}

/// What the service sends, see above.
pub fn received(transport: Transport, text: &str) -> Wire {
    if text == "end" {
        return Wire::End;
    }
    if let Some(bytes) = text.strip_prefix("base64 ") {
        return Wire::Binary(STANDARD.decode(bytes.trim()).expect("base64"));
    }
    if let Some(rest) = text.strip_prefix("close ") {
        let (code, reason) = rest.split_once(' ').unwrap_or((rest, ""));
        return Wire::Close(code.parse().expect("a close code"), reason.to_owned().into());
    }
    match text.strip_prefix("binary ") {
        Some(count) => Wire::Binary((0..count.parse::<usize>().expect("a count")).map(|n| n as u8).collect()),
        None if transport == Transport::WebSocket => Wire::Text(text.replace('␍', "\r").replace('␊', "\n")),
        None => Wire::Binary(format!("{text}\n").into_bytes()),
    }
}

/// Messages over gRPC that are short are shown whole: they are requests, not audio.
const SHOWN_BYTES_MAX: usize = 300;

/// What we send, as lines; equal neighbours are counted.
pub fn sent(transport: Transport, wires: &[Wire]) -> Vec<String> {
    let mut lines: Vec<(String, usize)> = Vec::new();
    for wire in wires {
        let line = match wire {
            Wire::Text(text) => format!("> {}", text.replace('\r', "␍").replace('\n', "␊")),
            Wire::Binary(bytes) if transport == Transport::Grpc && bytes.len() <= SHOWN_BYTES_MAX => {
                format!("> base64 {}", STANDARD.encode(bytes))
            }
            Wire::Binary(bytes) => format!("> binary {}", bytes.len()),
            Wire::Close(code, reason) => format!("> close {code} {reason}").trim_end().to_owned(),
            Wire::Request(request) => {
                lines.extend(request_lines(request).into_iter().map(|line| (line, 1)));
                continue;
            }
            Wire::End => "> end".to_owned(),
        };
        match lines.last_mut() {
            Some((last, count)) if *last == line => *count += 1,
            _ => lines.push((line, 1)),
        }
    }
    lines.into_iter().map(|(line, count)| if count == 1 { line } else { format!("{line} x {count}") }).collect()
}

/// What a codec asks for when it opens, as lines.
pub fn opened(connect: &Connect) -> Vec<String> {
    let mut lines = vec![format!("> connect {}", connect.url)];
    lines.extend(header_lines(&connect.headers));
    lines.extend(sent(connect.transport, &connect.first));
    lines
}

fn request_lines(request: &HttpRequest) -> Vec<String> {
    let mut lines = vec![format!("> request {} {}", request.method.name(), request.url)];
    lines.extend(header_lines(&request.headers));
    match std::str::from_utf8(&request.body) {
        Ok("") => {}
        Ok(text) if !text.contains(char::is_control) => lines.push(format!("> body {text}")),
        _ => lines.push(format!("> body of {} bytes", request.body.len())),
    }
    lines
}

/// Headers, as lines; credentials are not shown.
pub fn header_lines(headers: &[base::wire::Header]) -> Vec<String> {
    let line = |header: &base::wire::Header| match &header.value {
        HeaderValue::Plain(value) => format!("> header {} {value}", header.name),
        HeaderValue::Secret(secret) => format!("> header {} {secret}", header.name),
    };
    headers.iter().map(line).collect()
}
