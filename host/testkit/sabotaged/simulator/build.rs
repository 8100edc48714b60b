//! Passes `--cfg wfhost_sabotage` to the compiler.

fn main() {
    // A build script speaks on its standard output.
    #[expect(clippy::print_stdout, reason = "this is how cargo is told")]
    {
        println!("cargo:rustc-cfg=wfhost_sabotage");
        println!("cargo:rerun-if-changed=build.rs");
    }
}
