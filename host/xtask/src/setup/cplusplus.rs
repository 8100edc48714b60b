//! A C++ compiler: libFuzzer is written in it. Nothing else here needs one.

use std::fs;

use super::packages::{self, Manager};
use crate::failure::{Failure, Result};
use crate::{place, process};

const WHY: &str = "fuzzing compiles libFuzzer, which needs a C++ compiler";

/// Makes sure that C++ can be compiled, with its standard library.
pub(crate) fn cplusplus() -> Result<()> {
    if compiles() {
        return Ok(());
    }
    let Some(manager) = Manager::find() else {
        return Err(Failure::new(WHY).hint("install g++ or clang++"));
    };
    let packages: &[&str] = match manager {
        Manager::Apt => &["g++"],
        Manager::Dnf => &["gcc-c++"],
        Manager::Pacman => &["gcc"],
        Manager::Brew => {
            return Err(Failure::new(WHY).hint("run: xcode-select --install"));
        }
    };
    packages::install(manager, packages, WHY)?;
    if compiles() {
        return Ok(());
    }
    Err(Failure::new("g++ was installed and still cannot compile"))
}

/// Tried, since a compiler may be there without its library.
fn compiles() -> bool {
    let Ok(folder) = place::memory() else { return false };
    let source = folder.join("cplusplus-probe.cc");
    if fs::write(
        &source,
        "#include <vector>\nint main() { return int(std::vector<int>().size()); }\n",
    )
    .is_err()
    {
        return false;
    }
    let compiler = std::env::var_os("CXX").unwrap_or_else(|| "c++".into());
    let mut command = process::program(compiler);
    command.arg("-std=c++17").arg("-o").arg(folder.join("cplusplus-probe")).arg(source);
    process::succeeds(&mut command)
}
