//! Loads certificates, and reloads them while the bridge runs.

use std::{
    io,
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use anyhow::{Context, ensure};
use rustls::{
    ServerConfig,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};
use tokio::time::sleep;
use tokio_rustls::{TlsAcceptor, server::TlsStream};

use super::stream::ClientStream;

/// How often the contents of the files are compared. Tools that renew certificates swap links or write in place, and
/// neither shows reliably in modification times.
const CHECK_INTERVAL: Duration = Duration::from_secs(2);

/// Paths of the certificate and its key, both PEM.
#[derive(Debug, Clone)]
pub(crate) struct CertificateFiles {
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
}

/// Contents of both files. Without `Debug`, because they hold the key.
#[derive(PartialEq, Eq)]
struct Contents {
    certificate: Vec<u8>,
    key: Vec<u8>,
}

/// Accepts TLS connections.
pub(crate) struct Tls {
    acceptor: TlsAcceptor,
}

impl Tls {
    /// Loads the certificate, and reloads it whenever the files change.
    pub(crate) fn start(files: CertificateFiles) -> anyhow::Result<Self> {
        let contents = files.read()?;
        let current = Arc::new(CurrentCertificate(RwLock::new(Arc::new(contents.certified_key()?))));
        let resolver: Arc<dyn ResolvesServerCert> = Arc::<CurrentCertificate>::clone(&current);
        let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_cert_resolver(resolver);
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        tokio::spawn(reload_changes(files, contents, current));
        Ok(Self { acceptor: TlsAcceptor::from(Arc::new(config)) })
    }

    pub(super) async fn accept(&self, stream: ClientStream) -> io::Result<TlsStream<ClientStream>> {
        self.acceptor.accept(stream).await
    }
}

/// The certificate for new connections. Open connections keep the certificate that they started with.
#[derive(Debug)]
struct CurrentCertificate(RwLock<Arc<CertifiedKey>>);

impl ResolvesServerCert for CurrentCertificate {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner)))
    }
}

/// Reloads the certificate whenever the files change, until the process ends. If the new contents cannot be used, the
/// error is logged once and the current certificate stays.
async fn reload_changes(files: CertificateFiles, mut known: Contents, current: Arc<CurrentCertificate>) {
    loop {
        sleep(CHECK_INTERVAL).await;
        // During a renewal a file may be missing for a moment.
        let Ok(contents) = files.read() else { continue };
        if contents == known {
            continue;
        }
        match contents.certified_key() {
            Ok(key) => {
                *current.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(key);
                tracing::info!("tls.renewed");
            }
            Err(error) => tracing::error!(error = format!("{error:#}"), "tls.not_renewed"),
        }
        known = contents;
    }
}

impl CertificateFiles {
    fn read(&self) -> anyhow::Result<Contents> {
        let read =
            |path: &Path| std::fs::read(path).with_context(|| format!("{} cannot be read", path.display()));
        Ok(Contents { certificate: read(&self.certificate)?, key: read(&self.key)? })
    }
}

impl Contents {
    fn certified_key(&self) -> anyhow::Result<CertifiedKey> {
        let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(&self.certificate)
            .collect::<Result<_, _>>()
            .context("the certificate is not PEM")?;
        ensure!(!chain.is_empty(), "there is no certificate in its file");
        // Discards the error, which may contain a part of the key.
        let key =
            PrivateKeyDer::from_pem_slice(&self.key).ok().context("there is no private key in its file")?;
        CertifiedKey::from_der(chain, key, &ring::default_provider())
            .context("certificate and key do not fit")
    }
}
