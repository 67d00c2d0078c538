//! `frontdesk doctor`: what is missing, and the command that mends it.

use crate::cli::environment;
use crate::config::Config;
use crate::on_device::model_dir;
use crate::wiring;
use local::models::{Manifest, Status, Tier};
use std::process::ExitCode;
use store::seal::is_private;
use store::{DataKey, Keys, Report, SqlStore, Store as _, StoreOptions};

/// One line of the report.
struct Finding {
    what: &'static str,
    /// What is fine, or what is wrong and how to mend it.
    result: Result<String, (String, String)>,
}

pub(crate) async fn doctor(config: &Config) -> anyhow::Result<ExitCode> {
    let findings = [
        data(config),
        data_key(config),
        database(config).await,
        models(config),
        runtime_library(config).await,
        port(config).await,
        providers(config),
        platforms(config),
        reachable(config),
        mail(config).await,
    ];
    let mut wrong = 0;
    for finding in &findings {
        match &finding.result {
            Ok(note) => println!("ok      {:18} {note}", finding.what),
            Err((problem, mend)) => {
                wrong += 1;
                println!("MISSING {:18} {problem}", finding.what);
                println!("        {:18} → {mend}", "");
            }
        }
    }
    if wrong == 0 {
        println!("\nNothing is missing.");
        return Ok(ExitCode::SUCCESS);
    }
    println!("\n{wrong} of {} checks found something.", findings.len());
    Ok(ExitCode::FAILURE)
}

fn data(config: &Config) -> Finding {
    let dir = config.data_dir();
    let probe = dir.join(".doctor");
    let written = std::fs::create_dir_all(&dir).and_then(|()| std::fs::write(&probe, b"ok"));
    let _ = std::fs::remove_file(&probe);
    let result = match written {
        Ok(()) => Ok(format!("{} can be written", dir.display())),
        Err(error) => {
            let mend = "choose a folder with data.dir or --data-dir".to_owned();
            Err((format!("{} cannot be written: {error}", dir.display()), mend))
        }
    };
    Finding { what: "data folder", result }
}

fn data_key(config: &Config) -> Finding {
    let what = "data key";
    let options = match wiring::store_options(config, &environment) {
        Ok(options) => options,
        Err(error) => {
            let mend = "openssl rand -hex 32 prints a key for secrets.data_key".to_owned();
            return Finding { what, result: Err((format!("{error:#}"), mend)) };
        }
    };
    let file = options.key_file();
    let loss = "without it recorded inputs cannot be opened; nothing else is lost";
    let result = match (options.keys(), DataKey::read(&file)) {
        (Keys::Given(keyring), _) => Ok(format!("configured, {}; {loss}", keyring.current())),
        (Keys::Beside, Ok(key)) if is_private(&file) => Ok(format!("{}, {}; {loss}", file.display(), key.id())),
        (Keys::Beside, Ok(_)) => {
            Err((format!("others can read {}", file.display()), format!("chmod 600 {}", file.display())))
        }
        (Keys::Beside, Err(_)) if !file.exists() => {
            Ok(format!("will be made in {} at the first start", file.display()))
        }
        (Keys::Beside, Err(error)) => {
            Err((error.to_string(), "put the key back from a copy, or remove the file".into()))
        }
    };
    Finding { what, result }
}

/// Whether the database answers, and binds the role as which we serve. A file that is not there yet is not made.
async fn database(config: &Config) -> Finding {
    let what = "database";
    let wrong = |problem: String, mend: &str| Finding { what, result: Err((problem, mend.to_owned())) };
    let options = match wiring::store_options(config, &environment) {
        Ok(options) => options,
        Err(error) => return wrong(format!("{error:#}"), "database.url as docs/storage.md says"),
    };
    let place = options.place();
    let (server, alone) = (matches!(options, StoreOptions::Postgres(_)), matches!(options.keys(), Keys::Beside));
    if !server && !std::path::Path::new(&place).exists() {
        return Finding { what, result: Ok(format!("{place} will be made at the first start")) };
    }
    egress::install_crypto();
    let report = match SqlStore::open(options).await {
        Ok(store) => {
            let report = store.report().await;
            store.close().await;
            report
        }
        Err(error) => Err(error),
    };
    match report {
        Err(error) => wrong(format!("{place}: {error}"), "start the server, or mend [database]"),
        Ok(Report { unbound: Some(why), role, .. }) => wrong(
            format!("row-level security does not bind the role {}: {why}", role.unwrap_or_default()),
            "serve as a role of its own and give the owner in database.owner_url",
        ),
        Ok(Report { replica: Some(why), .. }) => {
            wrong(format!("the replica does not answer: {why}"), "mend or remove database.replica_url")
        }
        Ok(_) if server && alone => wrong(
            "several nodes on one server need one data key".into(),
            "give all of them the same secrets.data_key (openssl rand -hex 32)",
        ),
        Ok(report) => Finding { what, result: Ok(format!("{} at {place}", report.engine)) },
    }
}

fn models(config: &Config) -> Finding {
    let what = "models";
    let dir = match model_dir(&config.models.dir) {
        Ok(dir) => dir,
        Err(error) => return Finding { what, result: Err((error.to_string(), "set FRONTDESK_MODELS".into())) },
    };
    let needed: Vec<_> = Manifest::embedded().tier(Tier::Default).filter(|one| one.fits_this_machine()).collect();
    let missing: Vec<&str> =
        needed.iter().filter(|one| dir.status(one) != Status::Present).map(|one| one.id.as_str()).collect();
    let result = if missing.is_empty() {
        Ok(format!("{} in {}", needed.len(), dir.path().display()))
    } else {
        Err((format!("not here: {}", missing.join(", ")), "frontdesk models pull".into()))
    };
    Finding { what, result }
}

async fn runtime_library(config: &Config) -> Finding {
    let what = "model runtime";
    let Ok(dir) = model_dir(&config.models.dir) else {
        return Finding { what, result: Err(("no models folder".into(), "set FRONTDESK_MODELS".into())) };
    };
    let loaded = tokio::task::spawn_blocking(move || local::speech::NeuralVad::load(&dir).map(drop)).await;
    let result = match loaded {
        Ok(Ok(())) => Ok("loads and runs".into()),
        Ok(Err(error)) => Err((error.to_string(), "frontdesk models pull".into())),
        Err(error) => Err((error.to_string(), "frontdesk models verify".into())),
    };
    Finding { what, result }
}

async fn port(config: &Config) -> Finding {
    let address = &config.server.listen;
    let result = match tokio::net::TcpListener::bind(address).await {
        Ok(_) => Ok(format!("{address} is free")),
        Err(error) => {
            Err((format!("{address}: {error}"), "stop what listens there, or use --listen 127.0.0.1:PORT".into()))
        }
    };
    Finding { what: "address", result }
}

fn providers(config: &Config) -> Finding {
    let result = match wiring::check_providers(config, &environment) {
        Ok(stages) => Ok(stages
            .iter()
            .map(|(stage, names)| format!("{stage}: {}", names.join(", then ")))
            .collect::<Vec<_>>()
            .join("; ")),
        Err(error) => Err((format!("{error:#}"), "frontdesk config providers".into())),
    };
    Finding { what: "providers", result }
}

fn platforms(config: &Config) -> Finding {
    let result = match wiring::carrier_controls(config, &environment) {
        Ok(controls) if controls.is_empty() => {
            Ok("no phone platform is configured; the page and `frontdesk call` work".into())
        }
        Ok(controls) => Ok(controls.keys().cloned().collect::<Vec<_>>().join(", ")),
        Err(error) => Err((format!("{error:#}"), "frontdesk config providers".into())),
    };
    Finding { what: "phone platforms", result }
}

/// Whether the mail server greets us, encrypts and lets us in. Nothing is sent.
async fn mail(config: &Config) -> Finding {
    egress::install_crypto();
    let mend = "mend [mail]; docs/configuration.md tells about it".to_owned();
    let result = match wiring::mailer(config, &environment) {
        Ok(None) => Ok("none is sent; links of invitations are shown to whoever invites".into()),
        Ok(Some(mailer)) => match mailer.check().await {
            Ok(()) => Ok(format!("{} takes mails from us", mailer.place())),
            Err(why) => Err((format!("{} does not: {why}", mailer.place()), mend)),
        },
        Err(error) => Err((format!("{error:#}"), mend)),
    };
    Finding { what: "mail", result }
}

fn reachable(config: &Config) -> Finding {
    let configured = wiring::carrier_controls(config, &environment).is_ok_and(|controls| !controls.is_empty());
    let result = match (wiring::public_url(config), configured) {
        (Some(url), _) if url.starts_with("https://") => Ok(url),
        (Some(url), _) => Err((format!("{url} is not https"), "set server.public_url to the https address".into())),
        (None, true) => Err((
            "phone platforms must reach this server from outside".into(),
            "set server.public_url, for example to the address of your tunnel".into(),
        )),
        (None, false) => Ok("not needed without a phone platform".into()),
    };
    Finding { what: "public address", result }
}
