//! Nothing to do: it is here because its dependencies have features to unify, too.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
}
