//! The Redis to use: the one in `REDIS_URL`, else a private one.

use std::{
    fs::{self, File},
    path::Path,
};

use anyhow::{Context, Result, bail};
use rollcall_servers::{candidate_ports, redis_server, start_redis};
use url::Url;

use super::child::Child;
use crate::shell;

/// A Redis, and its process if it is a private one.
pub struct Redis {
    /// Where it is.
    pub url: Url,
    /// The private server.
    pub process: Option<Child>,
}

impl Redis {
    /// Takes the one in `REDIS_URL`, or starts a private one on a free port with its data in the folder.
    pub fn find_or_start(folder: &Path) -> Result<Self> {
        match std::env::var("REDIS_URL") {
            Ok(url) => Ok(Self { url: parse(&url)?, process: None }),
            Err(_) => Self::start(folder),
        }
    }

    fn start(folder: &Path) -> Result<Self> {
        let data = folder.join("redis");
        fs::create_dir_all(&data)?;
        let log = data.join("redis.log");
        let log = File::options().create(true).append(true).read(true).open(&log)?;
        let (process, port) = start_redis(&log, candidate_ports(), |port| {
            let mut command = redis_server(port);
            command.args(["--appendonly", "yes", "--dir"]).arg(&data);
            shell::in_own_group(command)
        })?;
        let process = Child::adopt("redis-server", process);
        Ok(Self { url: Url::parse(&format!("redis://127.0.0.1:{port}"))?, process: Some(process) })
    }

    /// Scheme, credentials as they stand before the host, and host with port.
    pub fn parts(&self) -> (String, String, String) {
        let user = self.url.username();
        let credentials = match self.url.password() {
            Some(password) => format!("{user}:{password}@"),
            None if user.is_empty() => String::new(),
            None => format!("{user}@"),
        };
        let host = self.url.host_str().unwrap_or("127.0.0.1");
        (self.url.scheme().to_owned(), credentials, format!("{host}:{}", self.url.port().unwrap_or(6379)))
    }

    /// The number of the database.
    pub fn database(&self) -> &str {
        match self.url.path().trim_matches('/') {
            "" => "0",
            number => number,
        }
    }
}

fn parse(url: &str) -> Result<Url> {
    // The URL may hold a password, so messages do not repeat it.
    let url = Url::parse(url).context("REDIS_URL is not a URL")?;
    if !matches!(url.scheme(), "redis" | "rediss") || url.host_str().is_none() {
        bail!("REDIS_URL must be redis://host:port or rediss://host:port, perhaps with /database");
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn redis(url: &str) -> Redis {
        Redis { url: parse(url).unwrap(), process: None }
    }

    fn parts(url: &str) -> (String, String, String) {
        redis(url).parts()
    }

    fn owned(scheme: &str, credentials: &str, address: &str) -> (String, String, String) {
        (scheme.to_owned(), credentials.to_owned(), address.to_owned())
    }

    #[test]
    fn a_url_is_taken_apart() {
        assert_eq!(parts("redis://cache"), owned("redis", "", "cache:6379"));
        assert_eq!(parts("rediss://kim:p%40ss@cache:6380"), owned("rediss", "kim:p%40ss@", "cache:6380"));
        assert_eq!(parts("redis://:secret@cache:6379"), owned("redis", ":secret@", "cache:6379"));
        let databases = ["redis://cache", "redis://cache/", "redis://cache:6379/3"];
        assert_eq!(databases.map(|url| redis(url).database().to_owned()), ["0", "0", "3"]);
    }

    #[test]
    fn a_private_server_keeps_its_data_and_its_log_in_the_folder() {
        let folder = std::env::temp_dir().join(format!("rollcall-up-{}", std::process::id()));
        drop(Redis::start(&folder).unwrap());
        let log = fs::read_to_string(folder.join("redis/redis.log")).unwrap();
        let has_data = folder.join("redis/appendonlydir").is_dir();
        fs::remove_dir_all(&folder).unwrap();
        assert!(log.contains("Ready to accept connections") && log.contains("ready to exit"), "{log}");
        assert!(has_data);
    }

    #[test]
    fn other_urls_are_refused_without_being_repeated() {
        let error = parse("http://:secret@cache").unwrap_err();
        assert!(!format!("{error:?}").contains("secret"));
    }
}
