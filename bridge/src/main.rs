//! The program `rollcall`. What it does is in the library, where benchmarks and fuzz targets reach it, too.

use std::process::ExitCode;

fn main() -> ExitCode {
    rollcall::main()
}
