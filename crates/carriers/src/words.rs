//! Lines within this process: audio is binary, text is one word and its argument. From the other end `start …`, `mark N`,
//! `dtmf D`, `text …`, `stop`; to it `mark N`, `clear`, `press KEYS` where it presses them, and `live JSON` where
//! it is shown.

use crate::line::{Broken, Codec, Dialect, Heard, NOT_OF_THE_PROTOCOL, Opening, WITHOUT_CONTENTS};
use crate::protocol::MediaStart;
use base::wire::Wire;
use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

/// What a line can have: that of the telephone, and that of wideband speech.
const RATES_HZ: [u32; 2] = [8_000, 16_000];

/// What one carrier has of its own.
pub(crate) trait Manner: fmt::Debug + Default + Send {
    /// Both ways.
    const CODEC: Codec;
    /// Whether people see what happens at the other end, and type there.
    const HAS_PAGE: bool;
    /// Whether the other end presses keys.
    const TAKES_KEYS: bool = false;
    /// Reads the arguments of `start`; an absent one is written as `-`. What it leaves is the rate, where that is not 8 kHz.
    fn start(arguments: &mut dyn Iterator<Item = Option<String>>) -> MediaStart;
}

/// How such a line is written.
#[derive(Debug, Default)]
pub struct Words<M>(PhantomData<M>);

impl<M: Manner> Dialect for Words<M> {
    const RATE_HZ: u32 = 8_000;
    const IS_BINARY: bool = true;
    const TAKES_KEYS: bool = M::TAKES_KEYS;

    fn read<'a>(&mut self, text: &'a str) -> Result<Heard<'a>, Broken> {
        let (word, argument) = text.split_once(' ').unwrap_or((text, ""));
        match word {
            "start" => {
                let words = argument.split(' ').map(|word| (word != "-" && !word.is_empty()).then(|| word.to_owned()));
                let mut words = words.into_iter();
                let start = M::start(&mut words);
                let (from_platform, to_platform) = (M::CODEC, M::CODEC);
                let rate_hz = match words.next().flatten() {
                    None => Self::RATE_HZ,
                    Some(rate) => {
                        RATES_HZ.into_iter().find(|one| rate.parse() == Ok(*one)).ok_or(NOT_OF_THE_PROTOCOL)?
                    }
                };
                Ok(Heard::Start(Box::new(Opening { start, from_platform, to_platform, rate_hz })))
            }
            "mark" | "dtmf" if argument.is_empty() => Err(WITHOUT_CONTENTS),
            "mark" => Ok(Heard::Mark(Cow::Borrowed(argument))),
            "dtmf" => Ok(Heard::Key(Cow::Borrowed(argument))),
            "text" if M::HAS_PAGE => Ok(Heard::Typed(argument)),
            "stop" => Ok(Heard::Stop),
            _ => Err(NOT_OF_THE_PROTOCOL),
        }
    }

    fn audio(&mut self, bytes: &[u8], out: &mut Vec<Wire>) {
        out.push(Wire::Binary(bytes.to_vec()));
    }

    fn mark(&mut self, name: &str, out: &mut Vec<Wire>) {
        out.push(Wire::Text(format!("mark {name}")));
    }

    fn clear(&mut self, out: &mut Vec<Wire>) {
        out.push(Wire::Text("clear".to_owned()));
    }

    fn keys(&mut self, keys: &str, out: &mut Vec<Wire>) {
        if M::TAKES_KEYS {
            out.push(Wire::Text(format!("press {keys}")));
        }
    }

    fn live(&mut self, event: &str, out: &mut Vec<Wire>) {
        if M::HAS_PAGE {
            out.push(Wire::Text(format!("live {event}")));
        }
    }
}
