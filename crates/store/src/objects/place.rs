//! Where objects lie.

use base::{Secret, limits};
use object_store::aws::{AmazonS3Builder, AmazonS3ConfigKey};
use object_store::azure::{AzureConfigKey, MicrosoftAzureBuilder};
use object_store::gcp::{GoogleCloudStorageBuilder, GoogleConfigKey};
use object_store::local::LocalFileSystem;
use object_store::memory::InMemory;
use object_store::path::Path as Key;
use object_store::{BackoffConfig, ObjectStore, ObjectStoreScheme, RetryConfig};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use url::Url;

/// Where objects lie.
#[derive(Clone, Debug)]
pub enum ObjectPlace {
    /// A folder of this machine; made when missing.
    Folder(PathBuf),
    /// The memory of this process, for tests.
    Memory,
    /// A service.
    Service {
        /// `s3://bucket/prefix`, `az://container/prefix` or `gs://bucket/prefix`.
        url: String,
        /// What the service wants to know, in the words of the library `object_store`: for S3 `region`, `endpoint`,
        /// `access_key_id`, `secret_access_key`, `allow_http`; for Azure `account_name`, `account_key`; for Google
        /// `service_account_key`. Without credentials those of the machine are used.
        options: BTreeMap<String, Secret<String>>,
    },
}

impl ObjectPlace {
    pub(super) fn open(&self) -> Result<(Arc<dyn ObjectStore>, Key), String> {
        match self {
            Self::Folder(path) => {
                let failed = |error: String| format!("the folder of objects {}: {error}", path.display());
                std::fs::create_dir_all(path).map_err(|error| failed(error.to_string()))?;
                let storage = LocalFileSystem::new_with_prefix(path).map_err(|error| failed(error.to_string()))?;
                Ok((Arc::new(storage.with_automatic_cleanup(true)), Key::default()))
            }
            Self::Memory => Ok((Arc::new(InMemory::new()), Key::default())),
            Self::Service { url, options } => service(url, options),
        }
    }
}

/// Opens a service. An option that it does not know is a mistake and said to be one.
macro_rules! built {
    ($builder:expr, $key:ty, $options:expr) => {{
        let mut builder = $builder;
        for (name, value) in $options {
            let key: $key = name.parse().map_err(|_| format!("objects.options.{name} is not known to this service"))?;
            builder = builder.with_config(key, value.expose().as_str());
        }
        let built = builder.with_retry(retries()).build().map_err(|error| format!("objects: {error}"))?;
        Arc::new(built) as Arc<dyn ObjectStore>
    }};
}

fn service(url: &str, options: &BTreeMap<String, Secret<String>>) -> Result<(Arc<dyn ObjectStore>, Key), String> {
    let known = "objects.url is s3://bucket/prefix, az://container/prefix or gs://bucket/prefix";
    let parsed = Url::parse(url).map_err(|_| known.to_owned())?;
    let (scheme, prefix) = ObjectStoreScheme::parse(&parsed).map_err(|_| known.to_owned())?;
    let storage = match scheme {
        ObjectStoreScheme::AmazonS3 => built!(AmazonS3Builder::new().with_url(url), AmazonS3ConfigKey, options),
        ObjectStoreScheme::MicrosoftAzure => {
            built!(MicrosoftAzureBuilder::new().with_url(url), AzureConfigKey, options)
        }
        ObjectStoreScheme::GoogleCloudStorage => {
            built!(GoogleCloudStorageBuilder::new().with_url(url), GoogleConfigKey, options)
        }
        _ => return Err(known.to_owned()),
    };
    Ok((storage, prefix))
}

fn retries() -> RetryConfig {
    RetryConfig {
        backoff: BackoffConfig::default(),
        max_retries: 5,
        retry_timeout: Duration::from_millis(limits::OBJECT_RETRY_MS_MAX),
    }
}
