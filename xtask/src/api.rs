//! The API's document and the running server, judged by programs of others: openapi-spec-validator reads the document,
//! schemathesis sends what the document allows and what it forbids, and looks for answers that the document does not name.

use crate::browser::{Scratch, Server, free_address, last_lines};
use crate::setup;
use crate::shell::{Outcome, cmd};
use anyhow::Result;
use std::path::Path;

const CONFIGURATION: &str = "fixtures/api/schemathesis.toml";
/// What the server asks for and the judge brings.
const TOKEN: &str = "for-the-judge-alone";
/// As long as it may look.
const SECS_MAX: &str = "110";
/// The same requests each time.
const SEED: &str = "20261121";

/// Serves from an empty data folder on a free loopback port and has it judged.
pub fn api_test(root: &Path, frontdesk: &Path) -> Result<Outcome> {
    let python = setup::api_python(root);
    cmd(root, &python, &["-m", "openapi_spec_validator", "openapi.json"]).run()?;
    let home = Scratch::new("api")?;
    let address = free_address()?;
    let log = home.path().join("serve.log");
    let server = Server::start(root, frontdesk, address, home.path(), &log, &[("FRONTDESK_SERVER_API_TOKEN", TOKEN)])?;
    let credential = format!("Authorization: Bearer {TOKEN}");
    let document = format!("http://{address}/api/v1/openapi.json");
    let judge = ["-m", "schemathesis.cli", "--config-file", CONFIGURATION, "run", &document, "--seed", SEED];
    let bounds = [
        "--max-time",
        SECS_MAX,
        "--generation-deterministic",
        "--no-shrink",
        "--request-timeout",
        "10",
        "-H",
        &credential,
    ];
    let judged = server.wait_until_ready().and_then(|()| cmd(root, &python, &judge).args(bounds).run());
    drop(server);
    if judged.is_err() {
        last_lines(&log);
    }
    judged.map(|()| Outcome::Done)
}
