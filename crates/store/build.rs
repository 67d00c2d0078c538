//! New migrations are noticed, not only changed ones.

fn main() {
    println!("cargo:rerun-if-changed=migrations");
}
