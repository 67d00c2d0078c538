//! A telephone that speaks Opus: baresip (Debian package `baresip-core`), as another independent reading of the standards.
//!
//! It places one call, says a recording in it, keeps what it heard, and is over when the other side hangs up.

use crate::ports;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

/// A call of some seconds, on a machine that runs other tests.
const CALL_MAX: Duration = Duration::from_secs(60);
/// Where Debian has its modules.
const MODULES: &str = "/usr/lib/baresip/modules";

/// One that calls. Dropping it kills the process.
pub struct Baresip {
    child: Child,
    said: Lines<BufReader<ChildStdout>>,
    folder: TempDir,
}

impl Baresip {
    /// Calls `sip:USER@HOST:PORT` as `user`, with `codec` alone (`opus/48000/2`, `G722/16000/1`, …), and says the WAV file, which
    /// must have the rate and the channels of the codec.
    ///
    /// # Panics
    /// When it is not installed.
    pub fn calls(target: &str, user: &str, codec: &str, says: &Path) -> Self {
        let folder = TempDir::new().expect("a folder");
        let port = ports::free(16);
        let path = folder.path().display();
        let mut config = format!(
            "module_path {MODULES}\nsip_listen 127.0.0.1:{port}\nrtp_ports {}-{}\naudio_source aufile,{}\nsnd_path {path}\n",
            port + 2,
            port + 15,
            says.display(),
        );
        for module in ["opus", "g722", "g711", "aufile", "sndfile", "account", "menu"] {
            config.push_str(&format!("module {module}.so\n"));
        }
        std::fs::write(folder.path().join("config"), config).expect("written");
        let account = format!("<sip:{user}@127.0.0.1>;regint=0;audio_codecs={codec}\n");
        std::fs::write(folder.path().join("accounts"), account).expect("written");
        let mut command = Command::new("baresip");
        command.arg("-f").arg(folder.path()).args(["-e", &format!("/dial {target}")]);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).kill_on_drop(true);
        let mut child = command.spawn().expect("baresip is installed: apt-get install baresip-core");
        let said = BufReader::new(child.stdout.take().expect("its output")).lines();
        Self { child, said, folder }
    }

    /// Waits until the other side has hung up. Gives a WAV file with what was heard, which is there as long as this is.
    ///
    /// # Panics
    /// When the call does not end in time, or nothing was heard.
    pub async fn heard(&mut self) -> PathBuf {
        let mut told = Vec::new();
        let over = async {
            while let Ok(Some(line)) = self.said.next_line().await {
                let is_over = line.contains("terminated") || line.contains("session closed");
                told.push(line);
                if is_over {
                    return true;
                }
            }
            false
        };
        let is_over = tokio::time::timeout(CALL_MAX, over).await;
        assert!(is_over == Ok(true), "the call did not end ({is_over:?}): {told:#?}");
        // What it heard is whole on disk when it has ended by itself.
        if let Some(id) = self.child.id() {
            let _ = Command::new("kill").arg(id.to_string()).status().await;
        }
        let ended = tokio::time::timeout(CALL_MAX, self.child.wait()).await;
        assert!(ended.is_ok(), "it does not end: {told:#?}");
        let files = std::fs::read_dir(self.folder.path()).expect("its folder").filter_map(Result::ok);
        let file = files.map(|entry| entry.path()).find(|path| path.to_string_lossy().ends_with("dec.wav"));
        file.unwrap_or_else(|| panic!("nothing was heard: {told:#?}"))
    }
}
