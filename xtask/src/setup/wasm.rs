//! The target of components, `wasm32-wasip2`.
//!
//! rustup installs the target. Where rustup cannot reach its server, as behind a registry mirror, this module builds the
//! target from Debian's compiler, library source and libc, which takes half a minute.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail};

use super::debian;
use crate::{cargo, shell};

const TARGET: &str = "wasm32-wasip2";
const DEBIAN_RUSTC: &str = "/usr/bin/rustc";
const DEBIAN_LIBC: &str = "/usr/lib/wasm32-wasi";

/// A compiler that has the target.
#[derive(Clone, Copy)]
pub enum Compiler {
    /// Cargo's default compiler.
    Default,
    /// Debian's compiler.
    Debian,
}

impl Compiler {
    /// Cargo with this compiler. Debian's has no Clippy.
    pub fn cargo(self) -> Command {
        match self {
            Self::Default => cargo::compiling(),
            Self::Debian => {
                let mut cargo = cargo::as_from_a_shell();
                cargo.env("RUSTC", DEBIAN_RUSTC);
                cargo
            }
        }
    }
}

/// Installs the target. Returns a compiler that has it.
pub fn ensure() -> Result<Compiler> {
    if let Some(compiler) = find_compiler() {
        return Ok(compiler);
    }
    shell::doing(&format!("{TARGET} (rustup)"));
    match shell::run_quietly(Command::new("rustup").args(["target", "add", TARGET])) {
        Ok(()) => {}
        Err(error) => {
            println!("           rustup cannot: {}", error.to_string().lines().last().unwrap_or_default());
            build_from_debian()?;
        }
    }
    find_compiler().with_context(|| format!("the target {TARGET} was installed, but no compiler finds it"))
}

fn find_compiler() -> Option<Compiler> {
    if has_target("rustc") {
        shell::present(&format!("{TARGET} (rustup)"));
        return Some(Compiler::Default);
    }
    if has_target(DEBIAN_RUSTC) {
        shell::present(&format!("{TARGET} (Debian's compiler)"));
        return Some(Compiler::Debian);
    }
    None
}

fn has_target(rustc: &str) -> bool {
    let Some(libraries) = find_libraries(rustc) else { return false };
    let Ok(entries) = fs::read_dir(libraries) else { return false };
    entries.flatten().any(|entry| entry.file_name().to_string_lossy().starts_with("libstd-"))
}

fn find_libraries(rustc: &str) -> Option<PathBuf> {
    let sysroot = shell::output_of(Command::new(rustc).args(["--print", "sysroot"]))?;
    Some(Path::new(&sysroot).join("lib/rustlib").join(TARGET).join("lib"))
}

fn build_from_debian() -> Result<()> {
    let elsewhere = format!("install the target with `rustup target add {TARGET}`");
    debian::install(&["rustc-web", "rust-web-src", "rust-web-llvm", "wasi-libc"], &elsewhere)?;
    debian::install(&[&find_linker_package()?], &elsewhere)?;
    let libraries = find_libraries(DEBIAN_RUSTC).context("Debian's compiler does not run")?;
    copy_as_root(Path::new(DEBIAN_LIBC), &libraries.join("self-contained"), &["o", "a"])?;
    shell::doing("the standard library for it (about half a minute)");
    copy_as_root(&build_std()?, &libraries, &["rlib"])?;
    // Cargo does not rebuild what it compiled against the former library.
    let compiled = shell::root().join("target").join(TARGET);
    if compiled.exists() { fs::remove_dir_all(compiled).map_err(Into::into) } else { Ok(()) }
}

/// Finds the package of the linker: `/usr/bin/rust-lld` links to the linker of the compiler's LLVM release.
fn find_linker_package() -> Result<String> {
    let linker = fs::read_link("/usr/bin/rust-lld").context("rust-web-llvm has no /usr/bin/rust-lld")?;
    let name = linker.file_name().context("/usr/bin/rust-lld links to no file")?;
    Ok(name.to_string_lossy().into_owned())
}

/// Builds the standard library as the dependency of an empty crate. Returns its folder.
fn build_std() -> Result<PathBuf> {
    let seed = shell::root().join("target/xtask/std-seed");
    // The folder may hold libraries of an older compiler.
    if seed.exists() {
        fs::remove_dir_all(&seed)?;
    }
    fs::create_dir_all(seed.join("src"))?;
    fs::write(seed.join("Cargo.toml"), "[package]\nname = \"seed\"\nedition = \"2024\"\n[workspace]\n")?;
    fs::write(seed.join("src/lib.rs"), "")?;
    let mut cargo = Command::new("cargo");
    cargo.args(["build", "--release", "--target", TARGET, "-Zbuild-std=std,panic_abort"]);
    cargo.current_dir(&seed).env("RUSTC_BOOTSTRAP", "1").env("RUSTC", DEBIAN_RUSTC);
    // Link-time optimisation of the components needs the library's bitcode.
    cargo.env("CARGO_TARGET_DIR", seed.join("target")).env("RUSTFLAGS", "-Cembed-bitcode=yes");
    shell::run_quietly(&mut cargo)?;
    let built = seed.join("target").join(TARGET).join("release/deps");
    for entry in fs::read_dir(&built)?.flatten() {
        if entry.file_name().to_string_lossy().starts_with("libseed-") {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(built)
}

fn copy_as_root(from: &Path, to: &Path, endings: &[&str]) -> Result<()> {
    let entries = fs::read_dir(from).with_context(|| format!("{} is missing", from.display()))?;
    let has_ending =
        |file: &PathBuf| file.extension().is_some_and(|ending| endings.iter().any(|e| ending == *e));
    let files: Vec<_> = entries.flatten().map(|entry| entry.path()).filter(has_ending).collect();
    if files.is_empty() {
        bail!("{} holds no file to install", from.display());
    }
    shell::run_quietly(debian::as_root("mkdir").arg("-p").arg(to))?;
    shell::run_quietly(debian::as_root("cp").args(files).arg(to))
}
