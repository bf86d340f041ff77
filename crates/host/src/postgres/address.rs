//! The address of a database.

use std::path::PathBuf;

use percent_encoding::percent_decode_str;
use tokio_postgres::{Config, config::Host, config::SslMode};

use super::tls::Verification;

/// A parsed address.
#[derive(Debug)]
pub(super) struct Address {
    pub(super) config: Config,
    pub(super) verification: Verification,
    /// File with the certificates of authorities that may sign the server's certificate. Without it, the system's.
    pub(super) root_certificates: Option<PathBuf>,
}

impl Address {
    /// Parses a URL. Its parameters `sslmode` and `sslrootcert` mean what they mean to libpq. The error names neither
    /// the address nor its password.
    pub(super) fn parse(url: &str) -> Result<Self, String> {
        let (base, parameters) = url.split_once('?').unwrap_or((url, ""));
        let mut mode = "prefer".to_owned();
        let mut root_certificates = None;
        // The client's parser knows neither all modes nor the file.
        let mut others = Vec::new();
        for parameter in parameters.split('&').filter(|parameter| !parameter.is_empty()) {
            match parameter.split_once('=') {
                Some(("sslmode", value)) => mode = decode(value)?,
                Some(("sslrootcert", value)) => root_certificates = Some(decode(value)?),
                _ => others.push(parameter),
            }
        }
        let rest = if others.is_empty() { base.to_owned() } else { format!("{base}?{}", others.join("&")) };
        let mut config: Config = rest.parse().map_err(|_| "the address is malformed".to_owned())?;
        let root_certificates = root_certificates.filter(|file| file != "system").map(PathBuf::from);
        let (ssl_mode, verification) = match (mode.as_str(), &root_certificates) {
            ("disable", _) => (SslMode::Disable, Verification::Nothing),
            ("prefer", _) => (SslMode::Prefer, Verification::Nothing),
            ("require", None) => (SslMode::Require, Verification::Nothing),
            ("require", Some(_)) | ("verify-ca", _) => (SslMode::Require, Verification::Authority),
            ("verify-full", _) => (SslMode::Require, Verification::AuthorityAndName),
            _ => return Err("sslmode must be disable, prefer, require, verify-ca or verify-full".to_owned()),
        };
        config.ssl_mode(ssl_mode);
        Ok(Self { config, verification, root_certificates })
    }

    /// Whether all hosts are allowed, because the client tries all hosts in turn.
    pub(super) fn all_hosts(&self, is_allowed: impl Fn(&str, u16) -> bool) -> bool {
        let ports = self.config.get_ports();
        let port_of = |index: usize| ports.get(index).or_else(|| ports.first()).copied().unwrap_or(5432);
        let hosts = self.config.get_hosts();
        // The client would connect to an address beside the name instead of the name.
        !hosts.is_empty()
            && self.config.get_hostaddrs().is_empty()
            && hosts.iter().enumerate().all(|(index, host)| match host {
                Host::Tcp(name) => is_allowed(name, port_of(index)),
                #[cfg(unix)]
                Host::Unix(_) => false,
            })
    }
}

fn decode(value: &str) -> Result<String, String> {
    let decoded = percent_decode_str(value).decode_utf8();
    decoded.map(Into::into).map_err(|_| "the address is malformed".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allows(address: &str) -> bool {
        Address::parse(address).unwrap().all_hosts(|host, port| host == "db" && port == 5432)
    }

    #[test]
    fn every_host_of_an_address_must_be_allowed() {
        assert!(allows("postgres://user:password@db/study"));
        assert!(allows("host=db port=5432 user=x"));
        assert!(allows("postgres://db/study?sslmode=verify-full"));
        assert!(!allows("postgres://db:5433/study"));
        assert!(!allows("postgres://db,elsewhere/study"));
        assert!(!allows("postgres://db/study?host=elsewhere"));
        assert!(!allows("host=db hostaddr=10.0.0.1"));
        assert!(!allows("host=/var/run/postgresql"));
        assert!(!allows("user=x"));
    }

    #[test]
    fn sslmode_means_what_it_means_to_libpq() {
        use Verification::{Authority, AuthorityAndName, Nothing};
        for (parameters, ssl_mode, verification) in [
            ("", SslMode::Prefer, Nothing),
            ("?", SslMode::Prefer, Nothing),
            ("?sslmode=disable", SslMode::Disable, Nothing),
            ("?sslmode=prefer&sslrootcert=/ca.pem", SslMode::Prefer, Nothing),
            ("?sslmode=require", SslMode::Require, Nothing),
            ("?sslmode=require&sslrootcert=/ca.pem", SslMode::Require, Authority),
            ("?sslmode=verify-ca", SslMode::Require, Authority),
            ("?application_name=x&sslmode=verify-full", SslMode::Require, AuthorityAndName),
            ("?sslmode=verify-full&sslrootcert=system", SslMode::Require, AuthorityAndName),
        ] {
            let address = Address::parse(&format!("postgres://db/study{parameters}")).unwrap();
            assert_eq!(address.config.get_ssl_mode(), ssl_mode, "{parameters}");
            assert_eq!(address.verification, verification, "{parameters}");
        }
        let address = Address::parse("postgres://db/study?sslrootcert=%2Fetc%2Fmy%20ca.pem").unwrap();
        assert_eq!(address.root_certificates, Some("/etc/my ca.pem".into()));
        let error = Address::parse("postgres://u:hunter2@db/study?sslmode=verify").unwrap_err();
        assert!(error.contains("verify-full") && !error.contains("hunter2"), "{error}");
    }
}
