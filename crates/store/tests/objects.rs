//! Objects in a folder and in memory, behind the same interface: what was written comes back, sealed in between.

use base::{BusinessId, Secret, limits};
use futures_util::TryStreamExt as _;
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;
use store::objects::{ObjectError, ObjectName, ObjectPlace, Objects, RECORDINGS};
use store::{DataKey, Keyring};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use uuid::Uuid;

fn keys(digit: char) -> Keyring {
    Keyring::new(DataKey::parse(&Secret::new(digit.to_string().repeat(64))).expect("a key"), Vec::new())
}

fn name(business: u128, name: &str) -> ObjectName {
    ObjectName { business: BusinessId(Uuid::from_u128(business)), kind: RECORDINGS, name: name.into() }
}

fn noise(bytes: usize) -> Vec<u8> {
    (0..bytes as u64).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect()
}

/// What every storage must do. The sizes go through both ways of writing: in one request and in parts.
async fn obeys(objects: &Objects) {
    objects.check().await.expect("it works");
    let large = limits::OBJECT_PART_BYTES * 2 + 12_345;
    for size in [0, 1, 65_536, 65_537, large] {
        let (id, plain) = (name(1, &format!("{size}.wav")), noise(size));
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), &plain).expect("written");
        assert_eq!(objects.put_file(&id, file.path()).await.expect("put"), size as u64);
        let object = objects.get(&id).await.expect("there");
        assert_eq!(object.length(), size as u64);
        assert!(object.read_all().await.expect("opens") == plain, "{size} bytes come back as they were");
    }
    let (id, plain) = (name(1, &format!("{large}.wav")), noise(large));
    for wanted in [0..10, 65_530..65_540, 1_000_000..3_000_000, large as u64 - 5..large as u64] {
        let parts: Vec<_> =
            objects.get(&id).await.expect("there").read(wanted.clone()).try_collect().await.expect("opens");
        assert!(parts.concat() == plain[wanted.start as usize..wanted.end as usize], "{wanted:?}");
    }
    objects.put(&id, b"another").await.expect("replaced");
    assert_eq!(objects.get(&id).await.expect("there").read_all().await.expect("opens"), b"another");
    assert!(matches!(objects.get(&name(2, &id.name)).await, Err(ObjectError::Missing)), "of another business");
    objects.delete(&id).await.expect("deleted");
    assert!(matches!(objects.get(&id).await, Err(ObjectError::Missing)));
    objects.delete(&id).await.expect("deleting twice is no mistake");
}

#[tokio::test]
async fn a_folder_keeps_what_it_is_given() {
    let folder = tempfile::tempdir().expect("a folder");
    let place = ObjectPlace::Folder(folder.path().join("deep/objects"));
    obeys(&Objects::open(&place, keys('a')).expect("opens")).await;
}

#[tokio::test]
async fn memory_keeps_what_it_is_given() {
    obeys(&Objects::open(&ObjectPlace::Memory, keys('a')).expect("opens")).await;
}

/// A server that speaks S3, with the bucket `frontdesk`, ended with the test.
async fn bucket() -> (Child, String) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let python = root.join(".frontdesk/objects/bin/python");
    assert!(python.exists(), "{} is missing: `cargo xtask test` installs it", python.display());
    let mut child = Command::new(python)
        .arg(root.join("fixtures/objects/bucket.py"))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .expect("it runs");
    let mut lines = BufReader::new(child.stdout.take().expect("its output")).lines();
    let line = tokio::time::timeout(Duration::from_secs(60), lines.next_line()).await.expect("in time");
    (child, line.expect("text").expect("its address"))
}

#[tokio::test]
async fn a_bucket_keeps_what_it_is_given() {
    let (_server, endpoint) = bucket().await;
    let options = [
        ("endpoint", endpoint.as_str()),
        ("region", "us-east-1"),
        ("access_key_id", "test"),
        ("secret_access_key", "test"),
        ("allow_http", "true"),
    ];
    let options: BTreeMap<_, _> = options.map(|(name, value)| (name.to_owned(), Secret::new(value.to_owned()))).into();
    let place = ObjectPlace::Service { url: "s3://frontdesk/some/prefix".into(), options };
    obeys(&Objects::open(&place, keys('a')).expect("opens")).await;
}

#[tokio::test]
async fn a_disk_shows_nothing_and_what_is_moved_there_does_not_open() {
    let folder = tempfile::tempdir().expect("a folder");
    let objects = Objects::open(&ObjectPlace::Folder(folder.path().into()), keys('a')).expect("opens");
    objects.put(&name(1, "a.wav"), b"planted words").await.expect("put");
    let business = BusinessId(Uuid::from_u128(1)).to_string();
    let path = |name: &str| folder.path().join(RECORDINGS).join(&business).join(name);
    let bytes = std::fs::read(path("a.wav")).expect("a file");
    assert!(!bytes.windows(7).any(|part| part == b"planted"));
    std::fs::copy(path("a.wav"), path("b.wav")).expect("copied");
    let moved = objects.get(&name(1, "b.wav")).await.expect("there").read_all().await;
    assert!(matches!(moved, Err(ObjectError::Sealed(_))), "{moved:?}");
    let others = Objects::open(&ObjectPlace::Folder(folder.path().into()), keys('b')).expect("opens");
    let Err(ObjectError::Sealed(why)) = others.get(&name(1, "a.wav")).await.map(drop) else { panic!("another key") };
    assert!(why.to_string().contains("secrets.data_keys_old"), "{why}");
}

#[tokio::test]
async fn names_that_could_lead_elsewhere_are_refused() {
    let objects = Objects::open(&ObjectPlace::Memory, keys('a')).expect("opens");
    for bad in ["", "..", ".hidden", "a/b", "a\\b", "a b", "ü", &"a".repeat(201)] {
        assert!(matches!(objects.put(&name(1, bad), b"").await, Err(ObjectError::Name)), "{bad:?}");
    }
}

#[test]
fn a_place_that_makes_no_sense_is_said() {
    let open = |url: &str, option: Option<&str>| {
        let options = option.map(|name| (name.to_owned(), Secret::new("planted".to_owned()))).into_iter().collect();
        Objects::open(&ObjectPlace::Service { url: url.into(), options }, keys('a')).expect_err("refused")
    };
    assert!(open("ftp://x/y", None).contains("s3://"), "{}", open("ftp://x/y", None));
    assert!(open("nothing", None).contains("s3://"));
    let error = open("s3://bucket", Some("acess_key"));
    assert!(error.contains("acess_key") && !error.contains("planted"), "{error}");
}
