//! The other framework: processes of `fixtures/bench/pipecat_bot.py`, one for each call at a time, as its makers deploy it.

use crate::process::{Server, pinned};
use anyhow::{Context as _, bail};
use sim::twins::Twin;
use sim::twins::twilio::TwilioTwin;
use std::path::Path;

const BOT: &str = "fixtures/bench/pipecat_bot.py";
const LOG_DIR: &str = ".frontdesk/bench";

/// What a bot talks to.
pub struct Services<'a> {
    pub stt: &'a Twin,
    pub llm: &'a Twin,
    pub tts: &'a Twin,
    pub phone: &'a TwilioTwin,
}

/// An error that says how to get it where it is missing: better before anything is measured than in the middle.
pub fn is_there(python: &Path) -> anyhow::Result<()> {
    if python.is_file() {
        return Ok(());
    }
    bail!(
        "{} is not there; `sh fixtures/bench/setup-pipecat.sh` makes it, in the folder of the repository",
        python.display()
    )
}

/// Starts this many, all on this core if one is given.
pub async fn start(
    python: &Path,
    twins: Services<'_>,
    count: u32,
    greeting: &str,
    core: Option<u32>,
) -> anyhow::Result<Vec<Server>> {
    is_there(python)?;
    std::fs::create_dir_all(LOG_DIR)?;
    let mut bots = Vec::new();
    for number in 0..count {
        let account = twins.phone.options();
        let mut command = pinned(python, core);
        command
            .arg(BOT)
            .env("STT_URL", &twins.stt.base_url)
            .env("STT_KEY", &twins.stt.key)
            .env("LLM_URL", &twins.llm.base_url)
            .env("LLM_KEY", &twins.llm.key)
            .env("TTS_URL", &twins.tts.base_url)
            .env("TTS_KEY", &twins.tts.key)
            .env("PHONE_URL", twins.phone.api_base())
            .env("PHONE_ACCOUNT", &account.account_sid)
            .env("PHONE_TOKEN", account.auth_token.expose())
            .env("GREETING", greeting)
            .env("NO_PROXY", "127.0.0.1,localhost");
        let log = std::fs::File::create(Path::new(LOG_DIR).join(format!("pipecat-{number}.log")))?;
        bots.push(Server::announced(&mut command, log).await.with_context(|| format!("{BOT}, number {number}"))?);
    }
    Ok(bots)
}
