//! What a fresh machine lacks: programs, the pages, the Python packages of the conformance tests, models.

use crate::shell::{Outcome, cmd, has};
use anyhow::{Context, Result, bail};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// Programs with the Debian package that holds each. Installs only those that are missing.
pub fn programs(root: &Path, wanted: &[(&str, &str)]) -> Result<Outcome> {
    let missing: Vec<_> = wanted.iter().filter(|(program, _)| !has(program)).collect();
    if missing.is_empty() {
        let names: Vec<_> = wanted.iter().map(|(program, _)| *program).collect();
        return Ok(Outcome::Skipped(format!("found {}", names.join(", "))));
    }
    let packages: Vec<&str> = missing.iter().map(|(_, package)| *package).collect();
    println!("    installing Debian packages: {}", packages.join(" "));
    apt_install(root, &packages)?;
    match missing.iter().find(|(program, _)| !has(program)) {
        Some((program, package)) => bail!("the package {package} is installed, but there is still no `{program}`"),
        None => Ok(Outcome::Done),
    }
}

fn apt_install(root: &Path, packages: &[&str]) -> Result<()> {
    if !has("apt-get") {
        bail!("this is no Debian-like system: install {} yourself, then run this again", packages.join(", "));
    }
    let is_root = cmd(root, "id", &["-u"]).read().is_ok_and(|id| id.trim() == "0");
    if !is_root && !has("sudo") {
        bail!("neither root nor sudo: run `apt-get install {}` as root, then run this again", packages.join(" "));
    }
    let apt = |args: &[&str]| {
        let environment = ["DEBIAN_FRONTEND=noninteractive", "apt-get", "-y", "-q", "--no-install-recommends"];
        let base =
            if is_root { cmd(root, "env", &environment) } else { cmd(root, "sudo", &["-n", "env"]).args(environment) };
        base.args(args)
    };
    let mut install = vec!["install"];
    install.extend(packages);
    // Package lists may be old or absent on a fresh machine: they are fetched only when the first try fails.
    if apt(&install).run().is_err() {
        apt(&["update"]).run()?;
        apt(&install).run()?;
    }
    Ok(())
}

/// Builds the pages when they are missing or older than their sources.
pub fn pages(root: &Path) -> Result<Outcome> {
    let web = root.join("web");
    let built = newest(&web.join("dist/index.html"));
    let sources = [
        "src",
        "public",
        "index.html",
        "package.json",
        "package-lock.json",
        "vite.config.ts",
        "tsconfig.json",
        "build-widget.mjs",
        "pack.mjs",
        "../openapi.json",
        "../sdks/js/src",
        "../sdks/js/widget",
    ];
    let changed = sources.iter().filter_map(|name| newest(&web.join(name))).max();
    if built.is_some() && built >= changed {
        return Ok(Outcome::Skipped("web/dist is newer than its sources".into()));
    }
    page_packages(root)?;
    cmd(&web, "npm", &["run", "--silent", "build"]).run()?;
    Ok(Outcome::Done)
}

/// Installs the pages' packages when the lock file changed since the last time.
pub fn page_packages(root: &Path) -> Result<()> {
    let web = root.join("web");
    if !has("npm") {
        bail!("Node.js 20 or newer with npm is needed to build the pages: see https://nodejs.org/en/download");
    }
    let stamp = web.join("node_modules/.frontdesk-lock");
    let lock = fs::read(web.join("package-lock.json")).context("web/package-lock.json")?;
    if fs::read(&stamp).is_ok_and(|installed| installed == lock) {
        return Ok(());
    }
    cmd(&web, "npm", &["ci", "--no-audit", "--no-fund"]).run()?;
    fs::write(&stamp, lock).with_context(|| stamp.display().to_string())
}

/// The newest change of a file or of anything in a folder.
fn newest(path: &Path) -> Option<SystemTime> {
    let meta = fs::metadata(path).ok()?;
    if !meta.is_dir() {
        return meta.modified().ok();
    }
    fs::read_dir(path).ok()?.flatten().filter_map(|entry| newest(&entry.path())).max()
}

/// The vendors' own client packages, against which our codecs and twins are judged.
pub fn conformance(root: &Path) -> Result<Outcome> {
    python_packages(root, "conformance", "fixtures/conformance/requirements.txt")
}

/// Installs the packages of a list into a place of their own when the list changed since the last time.
fn python_packages(root: &Path, place: &str, list: &str) -> Result<Outcome> {
    let wanted = fs::read(root.join(list)).with_context(|| list.to_owned())?;
    let home = root.join(".frontdesk").join(place);
    let stamp = home.join("requirements.installed");
    let python = home.join("bin/python");
    if python.exists() && fs::read(&stamp).is_ok_and(|installed| installed == wanted) {
        return Ok(Outcome::Skipped("the packages of requirements.txt are installed".into()));
    }
    if !python.exists() {
        let folder = home.to_string_lossy().into_owned();
        let venv = cmd(root, "python3", &["-m", "venv", &folder]);
        if venv.run().is_err() {
            // Debian keeps this module in a package of its own.
            apt_install(root, &["python3-venv"])?;
            venv.run()?;
        }
    }
    let pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input", "-r"];
    cmd(root, &python, &pip).args([list]).run()?;
    fs::write(&stamp, wanted).with_context(|| stamp.display().to_string())?;
    Ok(Outcome::Done)
}

/// Where the Python of the programs is that judge the API.
pub fn api_python(root: &Path) -> PathBuf {
    root.join(".frontdesk/api/bin/python")
}

/// The programs that judge the API.
pub fn api(root: &Path) -> Result<Outcome> {
    python_packages(root, "api", "fixtures/api/requirements.txt")
}

/// A server that speaks S3, for the storage of recordings.
pub fn objects(root: &Path) -> Result<Outcome> {
    python_packages(root, "objects", "fixtures/objects/requirements.txt")
}

/// The vendors' own client packages for Node.js, where the one for Python is a native library or cannot be pointed at us.
pub fn conformance_node(root: &Path) -> Result<Outcome> {
    let source = root.join("fixtures/conformance/node");
    let home = root.join(".frontdesk/conformance/node");
    let lock = fs::read(source.join("package-lock.json")).context("package-lock.json")?;
    let stamp = home.join("package-lock.installed");
    if fs::read(&stamp).is_ok_and(|installed| installed == lock) {
        return Ok(Outcome::Skipped("the packages of package.json are installed".into()));
    }
    if !has("npm") {
        bail!("Node.js 20 or newer with npm is needed for the vendors' clients: see https://nodejs.org/en/download");
    }
    fs::create_dir_all(&home).with_context(|| home.display().to_string())?;
    for name in ["package.json", "package-lock.json"] {
        fs::copy(source.join(name), home.join(name)).with_context(|| name.to_owned())?;
    }
    cmd(&home, "npm", &["ci", "--no-audit", "--no-fund", "--ignore-scripts"]).run()?;
    fs::write(&stamp, lock).with_context(|| stamp.display().to_string())?;
    Ok(Outcome::Done)
}

/// The on-device models of the default tier; quick when they are there.
pub fn models(root: &Path, frontdesk: &Path) -> Result<Outcome> {
    cmd(root, frontdesk, &["models", "pull"]).run()?;
    Ok(Outcome::Done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_exists_needs_no_package_manager() {
        let outcome = programs(Path::new("/"), &[("sh", "dash")]).expect("found");
        assert!(matches!(outcome, Outcome::Skipped(reason) if reason == "found sh"));
    }

    #[test]
    fn pages_newer_than_their_sources_are_not_built_again() {
        let root = tempfile::tempdir().expect("folder");
        let web = root.path().join("web");
        fs::create_dir_all(web.join("src/deep")).expect("folders");
        fs::create_dir_all(web.join("dist")).expect("folder");
        fs::write(web.join("src/deep/app.tsx"), "old").expect("source");
        fs::write(web.join("dist/index.html"), "new").expect("page");
        let later = SystemTime::now() + std::time::Duration::from_secs(60);
        let touch =
            |name: &str| fs::File::open(web.join(name)).and_then(|file| file.set_modified(later)).expect("time");
        touch("dist/index.html");
        assert!(matches!(pages(root.path()), Ok(Outcome::Skipped(_))));
        assert_eq!(newest(&web.join("dist")), Some(later));
    }
}
