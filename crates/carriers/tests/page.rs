//! What each phone platform can do and what it is configured with: `docs/carriers.md`, written by this test with
//! `UPDATE_DOCS=1` and checked by it otherwise.

use carriers::protocol::Capability;
use carriers::registry::{DESCRIPTORS, Door};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

const HEAD: &str = "\
# Phone platforms and other ways in

<!-- Written by `UPDATE_DOCS=1 cargo test -p carriers --test page`. -->

Every carrier is one file under `crates/carriers`, keeps the same laws, and says what it can do. What a platform cannot do is
refused with an error that names it; it is never tried and never ignored.

`keys_out` means that keys go beside the audio, by a request of the platform's or as events of their own (RFC 4733): where it is
missing, they are played as tones in the agent's own audio. `transfer_warm` asks a person first ([agents.md](agents.md#a-person)).
`machine_detection` is switched on by the setting of that name. Where `audio` is missing, the platform reports on calls and
acts on them, and the audio comes by SIP, or not at all: in `conversation_relay` the platform recognises and speaks itself, so that
there is nothing here to record, to listen in on or to join with a second call, and words are heard and said
([phone-number.md](guides/phone-number.md#words-instead-of-audio)). How trunks are set up is in [sip.md](sip.md).

";

fn page() -> String {
    let mut page = HEAD.to_owned();
    let platforms: Vec<_> = DESCRIPTORS.iter().filter(|one| one.door == Door::Platform || one.name == "sip").collect();
    let columns: Vec<(&str, &[Capability])> = platforms
        .iter()
        .flat_map(|one| {
            let modes = one.modes.iter().map(|mode| (mode.title, mode.capabilities));
            std::iter::once((one.title, one.capabilities)).chain(modes)
        })
        .collect();
    let titles: Vec<&str> = columns.iter().map(|(title, _)| *title).collect();
    let _ = writeln!(page, "| | {} |\n|---|{}", titles.join(" | "), "---|".repeat(titles.len()));
    for capability in Capability::ALL {
        let cells = columns.iter().map(|(_, can)| if can.contains(&capability) { "yes" } else { "–" });
        let _ = writeln!(page, "| `{}` | {} |", capability.name(), cells.collect::<Vec<_>>().join(" | "));
    }
    for one in DESCRIPTORS.iter().filter(|one| !one.settings.is_empty()) {
        let _ = writeln!(page, "\n## {}\n\nTable `[carriers.{}]` of the configuration.\n", one.title, one.name);
        let _ = writeln!(page, "| key | environment | |\n|---|---|---|");
        for setting in one.settings {
            let env = if setting.env.is_empty() { String::new() } else { format!("`{}`", setting.env) };
            let _ = writeln!(page, "| `{}` | {env} | {} |", setting.key, setting.doc);
        }
    }
    page
}

#[test]
fn the_page_of_carriers_says_what_they_can_do() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/carriers.md");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&path, page()).expect("the page is written");
    }
    let written = fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(written, page(), "write it again: UPDATE_DOCS=1 cargo test -p carriers --test page");
}
