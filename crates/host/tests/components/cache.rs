//! Compiled components on disk.

use std::{fs, os::unix::fs::MetadataExt, path::Path};

use http::StatusCode;

use crate::support::{RedisServer, join_cached_in, request};

/// The files with compiled code, wherever they lie in the folder, with their inodes. A file that is written again gets a
/// new inode.
fn compiled(folder: &Path) -> Vec<(String, u64)> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        if entry.file_type().unwrap().is_dir() {
            files.extend(compiled(&entry.path()));
        } else if entry.path().extension().is_none() {
            files.push((entry.path().display().to_string(), entry.metadata().unwrap().ino()));
        }
    }
    files
}

async fn join_answers(cache: &Path, redis: &RedisServer) {
    let host = join_cached_in(cache, redis, &[]).await;
    let response = host.handle(request("POST", "/events/join", "{}")).await;
    assert_eq!(response.status(), StatusCode::UNAUTHORIZED);
    host.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_start_compiles_nothing_again() {
    let redis = RedisServer::start().unwrap();
    let folder = tempfile::tempdir().unwrap();
    join_answers(folder.path(), &redis).await;
    let first = compiled(folder.path());
    assert_eq!(first.len(), 1, "{first:?}");
    join_answers(folder.path(), &redis).await;
    assert_eq!(compiled(folder.path()), first);
}

#[tokio::test(flavor = "multi_thread")]
async fn damaged_code_is_compiled_again() {
    let redis = RedisServer::start().unwrap();
    let folder = tempfile::tempdir().unwrap();
    join_answers(folder.path(), &redis).await;
    let first = compiled(folder.path());
    fs::write(&first[0].0, b"damaged").unwrap();
    join_answers(folder.path(), &redis).await;
    assert_ne!(compiled(folder.path()), first);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_that_cannot_be_used_is_no_reason_to_fail() {
    let redis = RedisServer::start().unwrap();
    let file = tempfile::NamedTempFile::new().unwrap();
    join_answers(file.path(), &redis).await;
}
