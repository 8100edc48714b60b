//! Passes `--cfg wfhost_sabotage` to the compiler.

fn main() {
    println!("cargo:rustc-cfg=wfhost_sabotage");
    println!("cargo:rerun-if-changed=build.rs");
}
