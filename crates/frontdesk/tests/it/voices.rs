//! The voices of providers on the command line, against their twins.

use serde_json::Value;
use sim::twins::voice::Behaviour;
use sim::twins::{cartesia_tts, elevenlabs};
use std::path::Path;
use std::process::Output;
use std::time::Duration;
use tokio::process::Command;

async fn frontdesk(dir: &Path, args: &[&str]) -> Output {
    let run = Command::new(env!("CARGO_BIN_EXE_frontdesk"))
        .current_dir(dir)
        .env_clear()
        .args(args)
        .kill_on_drop(true)
        .output();
    tokio::time::timeout(Duration::from_secs(60), run).await.expect("it ends").expect("it runs")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn voices_are_listed_and_one_is_cloned_with_consent_only() {
    let dir = tempfile::tempdir().expect("a folder");
    let one = elevenlabs::start(elevenlabs::Behaviour::default()).await.expect("a free port");
    let two = cartesia_tts::start(Behaviour::default()).await.expect("a free port");
    let table = |name: &str, base_url: &str, key: &str| {
        format!("[providers.{name}]\nbase_url = \"{base_url}\"\napi_key = \"{key}\"\n")
    };
    let config = table("elevenlabs", &one.base_url, &one.key)
        + &table("cartesia", &two.base_url, &two.key)
        + "[data]\ndir = \"data\"\n";
    std::fs::write(dir.path().join("frontdesk.toml"), config).expect("written");
    std::fs::write(dir.path().join("ada.wav"), b"RIFF----WAVE").expect("written");

    for (provider, record) in [("elevenlabs", &one.record), ("cartesia", &two.record)] {
        let listed = frontdesk(dir.path(), &["voices", "list", provider, "--json"]).await;
        assert!(listed.status.success(), "{}", text(&listed.stderr));
        let voices: Vec<Value> = serde_json::from_slice(&listed.stdout).expect("JSON");
        assert_eq!((voices.len(), voices[1]["id"].as_str()), (120, Some("stock-01")));

        let clone = ["voices", "clone", provider, "--name", "Ada", "ada.wav"];
        let refused = frontdesk(dir.path(), &clone).await;
        assert!(!refused.status.success() && text(&refused.stderr).contains("--consent"), "{}", text(&refused.stderr));
        assert_eq!(record.count("request clone"), 0, "nothing was sent");
        let cloned = frontdesk(dir.path(), &[&clone[..], &["--consent"]].concat()).await;
        assert!(cloned.status.success(), "{}", text(&cloned.stderr));
        assert_eq!(text(&cloned.stdout).trim(), "cloned-00");
        let listed = frontdesk(dir.path(), &["voices", "list", provider]).await;
        let lines = text(&listed.stdout);
        let made = lines.lines().find(|line| line.starts_with("cloned-00")).expect("it is listed");
        assert!(made.contains("Ada") && made.ends_with("cloned"), "{made}");
    }

    // The key that calls use is the one that was set while the installation ran.
    let without_key = format!("[providers.elevenlabs]\nbase_url = \"{}\"\n[data]\ndir = \"data\"\n", one.base_url);
    std::fs::write(dir.path().join("frontdesk.toml"), without_key).expect("written");
    let keyless = frontdesk(dir.path(), &["voices", "list", "elevenlabs"]).await;
    assert!(text(&keyless.stderr).contains("ELEVENLABS_API_KEY"), "{}", text(&keyless.stderr));
    let key = format!("api_key={}", one.key);
    let set = ["providers", "credential", "set", "elevenlabs", "--field", &key];
    let set = frontdesk(dir.path(), &set).await;
    assert!(set.status.success(), "{}", text(&set.stderr));
    let listed = frontdesk(dir.path(), &["voices", "list", "elevenlabs"]).await;
    assert!(text(&listed.stdout).contains("stock-01"), "{}", text(&listed.stderr));

    let nobody = frontdesk(dir.path(), &["voices", "list", "elevenlab"]).await;
    assert!(text(&nobody.stderr).contains("did you mean \"elevenlabs"), "{}", text(&nobody.stderr));
}
