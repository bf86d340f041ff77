//! Embeds the built pages. `cargo xtask` builds them before the components. Without them, the component says so.

use std::{
    env,
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};

const DIST: &str = "../../web/dist";

/// The ending of a file that holds another file in compressed form.
const COMPRESSED: &str = "gz";

fn main() -> Result<()> {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed={DIST}");
    let dist = Path::new(DIST);
    let mut code = String::new();
    for (name, file) in [("STUDY_ROOM", "index.html"), ("OPERATOR", "operator.html")] {
        let page = dist.join(file);
        if page.is_file() {
            let page = fs::canonicalize(page)?;
            writeln!(code, "pub(crate) const {name}: Option<&str> = Some(include_str!({page:?}));")?;
        } else {
            println!(
                "cargo:warning={file} is not built, so this component cannot serve it: run `cargo xtask build`"
            );
            writeln!(code, "pub(crate) const {name}: Option<&str> = None;")?;
        }
    }
    writeln!(code, "pub(crate) const ASSETS: &[Asset] = &[")?;
    for asset in assets(&dist.join("assets"))? {
        writeln!(code, "    {},", describe(&asset)?)?;
    }
    writeln!(code, "];")?;
    let out = PathBuf::from(env::var_os("OUT_DIR").context("no OUT_DIR")?);
    fs::write(out.join("assets.rs"), code)?;
    Ok(())
}

/// The files without their compressed forms.
fn assets(folder: &Path) -> Result<Vec<PathBuf>> {
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let path = fs::canonicalize(entry?.path())?;
        if path.extension().is_none_or(|ending| ending != COMPRESSED) {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn describe(file: &Path) -> Result<String> {
    let name = file.file_name().and_then(|name| name.to_str()).context("the name of an asset is no text")?;
    let content_type = match file.extension().and_then(|ending| ending.to_str()) {
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        _ => bail!("{name} has no type: add it here"),
    };
    let compressed = file.with_file_name(format!("{name}.{COMPRESSED}"));
    let digest = Sha256::digest(fs::read(file)?);
    let tag = digest.iter().take(8).fold(String::new(), |tag, byte| format!("{tag}{byte:02x}"));
    Ok(format!(
        "Asset {{ name: {name:?}, content_type: {content_type:?}, tag: {tag:?}, plain: include_bytes!({file:?}), \
         compressed: include_bytes!({compressed:?}) }}"
    ))
}
