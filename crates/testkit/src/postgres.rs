//! A real PostgreSQL of this machine (Debian's package `postgresql`) on a Unix socket. What it has acknowledged survives the end of
//! its process, though not of the machine.
//!
//! [`shared`] is one server for all test processes of this user: the first one starts it, and a watchdog stops it when none has
//! used it for a while. [`Server::own`] belongs to one test, which may stop and start it. As root, the server runs as the user
//! `postgres` or `nobody`, because it refuses to be root.

use std::fs::{self, File, OpenOptions};
use std::hash::{BuildHasher as _, DefaultHasher, Hash as _, Hasher as _, RandomState};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;
use tempfile::TempDir;

/// Owns the tables.
pub const OWNER: &str = "frontdesk_owner";
/// Serves: no superuser, not the owner, bound by row-level security.
pub const SERVING: &str = "frontdesk";

/// Settings for tests, in which a machine does not go down.
const QUICK: &str = "-c fsync=off -c full_page_writes=off -c shared_buffers=64MB -c autovacuum=off";
/// Settings for measurements: the server's defaults but for its memory.
const DURABLE: &str = "-c shared_buffers=512MB -c max_wal_size=2GB";

/// How `openssl` makes a key without a password.
const NEW_KEY: &str = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";

/// Seconds that the shared server stays after the last test process.
const IDLE_SECONDS: u32 = 60;

/// A server.
#[derive(Debug)]
pub struct Server {
    folder: PathBuf,
    /// Goes with the server.
    _folder: Option<TempDir>,
    /// It belongs to whoever made it, and ends with that.
    own: bool,
    /// What it has acknowledged survives the end of the machine, as in production.
    durable: bool,
    /// Held while this process uses the shared server.
    _used: Option<File>,
    /// Where it takes connections that are encrypted, and no others.
    tls: Option<Tls>,
}

/// A server that can be reached over TLS.
#[derive(Clone, Debug)]
pub struct Tls {
    /// Addresses of the loopback network. The server's certificate names the first one.
    pub addresses: [String; 2],
    /// The certificate of the authority that vouches for the server.
    pub authority: PathBuf,
    /// The certificate of another one.
    pub stranger: PathBuf,
}

/// A database of one test. Dropped with it.
#[derive(Debug)]
pub struct Database {
    /// Its name.
    pub name: String,
    folder: PathBuf,
    stays: bool,
}

/// The server that all tests of this machine share.
pub fn shared() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(join)
}

impl Server {
    /// A server of this test alone.
    pub fn own() -> Self {
        Self::in_folder(folder_of_its_own(), false)
    }

    /// The same, as durable as in production: for measurements.
    pub fn durable() -> Self {
        Self::in_folder(folder_of_its_own(), true)
    }

    /// The same in a folder that stays. What an earlier one left there is there.
    pub fn kept(folder: &Path) -> Self {
        fs::create_dir_all(folder).expect("the folder");
        let folder = folder.canonicalize().expect("the folder");
        let known = folder.join("data/PG_VERSION").exists();
        let server = Self { folder, _folder: None, own: true, durable: true, _used: None, tls: None };
        if known {
            server.start();
        } else {
            server.begin();
        }
        server
    }

    fn in_folder(folder: TempDir, durable: bool) -> Self {
        let server = Self::unborn(folder, durable);
        server.begin();
        server
    }

    fn unborn(folder: TempDir, durable: bool) -> Self {
        let path = folder.path().to_owned();
        Self { folder: path, _folder: Some(folder), own: true, durable, _used: None, tls: None }
    }

    /// A server of this test alone with a certificate, which takes encrypted connections on addresses of its own.
    pub fn with_tls() -> (Self, Tls) {
        let mut server = Self::unborn(folder_of_its_own(), false);
        server.create();
        let random = RandomState::new().hash_one("addresses");
        // Nobody else listens on the usual port there.
        let [a, b, ..] = random.to_le_bytes();
        let addresses = [format!("127.77.{a}.{b}"), format!("127.78.{a}.{b}")];
        let folder = &server.folder;
        for name in ["authority", "stranger"] {
            openssl(
                folder,
                &format!("req -x509 {NEW_KEY} -days 3650 -subj /CN={name} -keyout {name}.key -out {name}.pem"),
            );
        }
        let names = format!("-addext subjectAltName=IP:{}", addresses[0]);
        openssl(folder, &format!("req -new {NEW_KEY} -subj /CN=database {names} -keyout server.key -out server.csr"));
        let by = "-CA authority.pem -CAkey authority.key -CAcreateserial -days 3650 -copy_extensions copy";
        openssl(folder, &format!("x509 -req -in server.csr {by} -out server.pem"));
        fs::set_permissions(folder.join("server.key"), PermissionsExt::from_mode(0o600)).expect("a private key");
        if let Some((uid, gid)) = server_user() {
            std::os::unix::fs::chown(folder.join("server.key"), Some(uid), Some(gid)).expect("the server's key");
        }
        let rules = "local all all trust\nhostssl all all 127.0.0.0/8 trust\n";
        fs::write(folder.join("data/pg_hba.conf"), rules).expect("rules");
        let (authority, stranger) = (folder.join("authority.pem"), folder.join("stranger.pem"));
        let tls = Tls { addresses, authority, stranger };
        server.tls = Some(tls.clone());
        server.start();
        server.set_up();
        (server, tls)
    }

    fn begin(&self) {
        self.create();
        self.start();
        self.set_up();
    }

    /// Starts it after [`Server::stop`], with what it holds.
    pub fn start(&self) {
        let folder = self.folder.display();
        let reached = match &self.tls {
            None => "-c listen_addresses=''".to_owned(),
            Some(tls) => format!(
                "-c listen_addresses={} -c port=5432 -c ssl=on -c ssl_cert_file={folder}/server.pem \
                 -c ssl_key_file={folder}/server.key",
                tls.addresses.join(",")
            ),
        };
        let options = format!(
            "-k {folder} {reached} -c max_connections=400 -c jit=off {}",
            if self.durable { DURABLE } else { QUICK }
        );
        let log = self.folder.join("server.log");
        let arguments = ["start", "-w", "-t", "60", "-o", &options, "-l", &log.to_string_lossy()];
        self.control(&arguments);
    }

    /// Stops it at once, as a crash of the machine would; connections are cut.
    pub fn stop(&self) {
        self.control(&["stop", "-w", "-m", "immediate"]);
    }

    /// The database of this name, made when it is missing. It stays.
    pub fn named(&self, name: &str) -> Database {
        if self.ask("postgres", &format!("SELECT 1 FROM pg_database WHERE datname = '{name}'")).is_empty() {
            self.sql("postgres", &format!("CREATE DATABASE {name} OWNER {OWNER}"));
        }
        Database { name: name.to_owned(), folder: self.folder.clone(), stays: true }
    }

    /// An empty database with the two roles.
    pub fn empty(&self) -> Database {
        let database = Database { name: unique_name(), folder: self.folder.clone(), stays: false };
        self.sql("postgres", &format!("CREATE DATABASE {} OWNER {OWNER}", database.name));
        database
    }

    /// A database as `prepare` leaves an empty one. That is done once for each state of the migrations and copied afterwards.
    pub async fn prepared(&self, prepare: impl AsyncFnOnce(&Database)) -> Database {
        let template = format!("template_{:016x}", hash_of_migrations());
        let lock = file(&self.folder.join(format!("{template}.lock")));
        lock.lock().expect("the lock of the template");
        let exists = format!("SELECT 1 FROM pg_database WHERE datname = '{template}'");
        if self.ask("postgres", &exists).is_empty() {
            let mut empty = self.empty();
            empty.stays = true;
            prepare(&empty).await;
            self.sql("postgres", &format!("ALTER DATABASE {} RENAME TO {template}", empty.name));
        }
        lock.unlock().expect("the lock of the template");
        let database = Database { name: unique_name(), folder: self.folder.clone(), stays: false };
        let copy = "TEMPLATE {template} STRATEGY file_copy".replace("{template}", &template);
        self.sql("postgres", &format!("CREATE DATABASE {} OWNER {OWNER} {copy}", database.name));
        database
    }

    /// Runs SQL as the superuser.
    pub fn sql(&self, database: &str, text: &str) {
        self.ask(database, text);
    }

    /// Runs SQL as the superuser and answers its rows, columns apart by `|`.
    pub fn ask(&self, database: &str, text: &str) -> String {
        ask(&self.folder, "postgres", database, text)
    }

    fn create(&self) {
        let data = self.folder.join("data");
        let user = server_user();
        // The server's user has to get there, and may own nothing else.
        fs::set_permissions(&self.folder, PermissionsExt::from_mode(0o755)).expect("permissions of the folder");
        fs::create_dir_all(&data).expect("a folder for the data");
        if let Some((uid, gid)) = user {
            std::os::unix::fs::chown(&data, Some(uid), Some(gid)).expect("a folder of the server's user");
            std::os::unix::fs::chown(&self.folder, Some(uid), Some(gid)).expect("a folder of the server's user");
        }
        let mut command = as_server("initdb");
        command.args(["-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync", "-D"]).arg(&data);
        checked(&mut command);
    }

    fn set_up(&self) {
        let role = "LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOBYPASSRLS";
        self.sql("postgres", &format!("CREATE ROLE {OWNER} {role}; CREATE ROLE {SERVING} {role}"));
    }

    fn control(&self, arguments: &[&str]) {
        let mut command = as_server("pg_ctl");
        checked(command.arg("-D").arg(self.folder.join("data")).args(arguments));
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if self.own {
            let mut command = as_server("pg_ctl");
            command.arg("-D").arg(self.folder.join("data")).args([
                "stop",
                "-m",
                if self.durable { "fast" } else { "immediate" },
            ]);
            let _ = command.output();
        }
    }
}

impl Database {
    /// Its address for the role that serves.
    pub fn url(&self) -> String {
        self.url_of(SERVING)
    }

    /// Its address for the role that owns the tables.
    pub fn owner_url(&self) -> String {
        self.url_of(OWNER)
    }

    /// Its address for a role.
    pub fn url_of(&self, role: &str) -> String {
        let socket = self.folder.to_string_lossy().replace('/', "%2F");
        format!("postgres://{role}@localhost/{}?host={socket}&sslmode=disable", self.name)
    }

    /// Its address for the role that serves, over TLS: checked as `sslmode` says against this authority.
    pub fn tls_url(&self, address: &str, sslmode: &str, authority: &Path) -> String {
        let authority = authority.to_string_lossy().replace('/', "%2F");
        format!("postgres://{SERVING}@{address}:5432/{}?sslmode={sslmode}&sslrootcert={authority}", self.name)
    }

    /// Writes all of it into a file, as a role; in an error, the words of `pg_dump`.
    pub fn dump(&self, role: &str, to: &Path) -> Result<(), String> {
        let mut command = Command::new(binaries().join("pg_dump"));
        command.args(["--format=custom", "-U", role, "-d", &self.name, "-h"]).arg(&self.folder).arg("--file").arg(to);
        spoken(&mut command)
    }

    /// Brings such a file into this database, which is empty, as a role.
    pub fn restore(&self, role: &str, from: &Path) -> Result<(), String> {
        let mut command = Command::new(binaries().join("pg_restore"));
        command.args(["--exit-on-error", "-U", role, "-d", &self.name, "-h"]).arg(&self.folder).arg(from);
        spoken(&mut command)
    }

    /// Runs SQL as a role and answers its rows, columns apart by `|`.
    pub fn ask(&self, role: &str, text: &str) -> String {
        ask(&self.folder, role, &self.name, text)
    }

    /// The same, where it may fail: the server's words.
    pub fn try_ask(&self, role: &str, text: &str) -> Result<String, String> {
        let output = psql(&self.folder, role, &self.name, text);
        let words = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
        if output.status.success() { Ok(words(&output.stdout)) } else { Err(words(&output.stderr)) }
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        if self.stays {
            return;
        }
        // Best effort: the server may be stopped, and the shared one forgets everything when it ends.
        psql(&self.folder, "postgres", "postgres", &format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name));
    }
}

fn folder_of_its_own() -> TempDir {
    tempfile::Builder::new().prefix("fd-pg-").tempdir().expect("a folder")
}

/// Joins the shared server, or starts it.
fn join() -> Server {
    let user = server_user().map_or_else(|| "own".to_owned(), |(uid, _)| uid.to_string());
    let folder = std::env::temp_dir().join(format!("frontdesk-postgres-{user}"));
    fs::create_dir_all(&folder).expect("a folder for the shared server");
    let (lock, used) = (file(&folder.join("lock")), file(&folder.join("used")));
    lock.lock().expect("the lock of the shared server");
    used.lock_shared().expect("the mark of use");
    let server = Server { folder, _folder: None, own: false, durable: false, _used: Some(used), tls: None };
    let answers = || psql(&server.folder, "postgres", "postgres", "SELECT 1").status.success();
    if !answers() {
        // Whatever is there was left by a machine that went down.
        let _ = fs::remove_dir_all(server.folder.join("data"));
        server.create();
        server.start();
        server.set_up();
        server.watch();
    }
    lock.unlock().expect("the lock of the shared server");
    server
}

impl Server {
    /// Leaves a process behind that stops the server when no test process has used it for a while.
    fn watch(&self) {
        let script = format!(
            "while :; do flock -x used true; sleep {IDLE_SECONDS}; \
             exec 8>lock; if flock -n -x 8 && flock -n -x used true; then \
             \"$0\" -D data stop -m immediate; rm -rf data template_*; exit; fi; exec 8>&-; done"
        );
        let mut command = Command::new("setsid");
        command.args(["--fork", "sh", "-c", &script]).arg(binaries().join("pg_ctl")).current_dir(&self.folder);
        if let Some((uid, gid)) = server_user() {
            // The marks belong to the test's user, the server to another.
            for name in ["lock", "used"] {
                fs::set_permissions(self.folder.join(name), PermissionsExt::from_mode(0o666)).expect("permissions");
            }
            command.uid(uid).gid(gid);
        }
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let started = command.status().expect("setsid, from util-linux");
        assert!(started.success(), "the watchdog of the shared server did not start: {started}");
    }
}

fn file(path: &Path) -> File {
    OpenOptions::new().create(true).truncate(false).write(true).open(path).expect("a file of the shared server")
}

fn unique_name() -> String {
    // Process ids come back; what a process left when it was killed does not matter then.
    format!("test_{:016x}", RandomState::new().hash_one(std::process::id()))
}

fn hash_of_migrations() -> u64 {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../store/migrations/postgres");
    let mut files: Vec<PathBuf> =
        fs::read_dir(folder).expect("migrations").map(|entry| entry.expect("a file").path()).collect();
    files.sort();
    let mut hasher = DefaultHasher::new();
    for path in files {
        path.file_name().hash(&mut hasher);
        fs::read(path).expect("a migration").hash(&mut hasher);
    }
    hasher.finish()
}

/// User and group as which the server runs when we are root.
fn server_user() -> Option<(u32, u32)> {
    let own = fs::metadata("/proc/self").expect("this process");
    if std::os::unix::fs::MetadataExt::uid(&own) != 0 {
        return None;
    }
    let users = fs::read_to_string("/etc/passwd").expect("users");
    let find = |name: &str| {
        let line = users.lines().find(|line| line.split(':').next() == Some(name))?;
        let mut parts = line.split(':').skip(2).map(str::parse);
        Some((parts.next()?.ok()?, parts.next()?.ok()?))
    };
    Some(find("postgres").or_else(|| find("nobody")).expect("a user `postgres` or `nobody`: the server refuses root"))
}

/// The folder of the server's programs: the newest of Debian's, or the one in the PATH.
fn binaries() -> PathBuf {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut found: Vec<(u32, PathBuf)> = versions
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin"))))
        .filter(|(_, path)| path.join("initdb").exists())
        .collect();
    found.sort();
    let in_path = || {
        let path = std::env::var_os("PATH")?;
        std::env::split_paths(&path).find(|folder| folder.join("initdb").exists())
    };
    found.pop().map(|(_, path)| path).or_else(in_path).expect("PostgreSQL: `apt-get install postgresql` brings it")
}

fn as_server(program: &str) -> Command {
    let mut command = Command::new(binaries().join(program));
    if let Some((uid, gid)) = server_user() {
        command.uid(uid).gid(gid);
    }
    command.current_dir("/").stdin(Stdio::null());
    command
}

/// `pg_ctl start` leaves a server behind that would hold our pipes open: its output goes to its log.
fn checked(command: &mut Command) {
    let words = tempfile::NamedTempFile::new().expect("a file for words");
    let handle = || Stdio::from(words.reopen().expect("a handle"));
    let status = command.stdout(handle()).stderr(handle()).status().expect("a program of PostgreSQL");
    assert!(status.success(), "{command:?}: {}", fs::read_to_string(words.path()).unwrap_or_default());
}

/// Runs a program; in an error, its words.
fn spoken(command: &mut Command) -> Result<(), String> {
    let output = command.stdin(Stdio::null()).output().expect("a program");
    let words = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    if output.status.success() { Ok(()) } else { Err(words) }
}

/// Makes keys and certificates in a folder.
fn openssl(folder: &Path, arguments: &str) {
    let mut command = Command::new("openssl");
    spoken(command.args(arguments.split(' ')).current_dir(folder)).expect("openssl, which PostgreSQL's package brings");
}

fn psql(folder: &Path, role: &str, database: &str, text: &str) -> Output {
    let mut command = Command::new(binaries().join("psql"));
    command.args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-U", role, "-d", database, "-h"]).arg(folder);
    command.args(["-c", text]).stdin(Stdio::null()).output().expect("psql")
}

fn ask(folder: &Path, role: &str, database: &str, text: &str) -> String {
    let output = psql(folder, role, database, text);
    assert!(output.status.success(), "{text}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}
