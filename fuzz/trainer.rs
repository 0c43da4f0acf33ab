//! The readers of the trainer, without its network: Burn would take most of the time of a build.
//!
//! These modules of drsn-train use each other and nothing else of it, so they are compiled here
//! from its source.
#![allow(dead_code, unreachable_pub, unused_imports)]

#[path = "../crates/drsn-train/src/dataset/mod.rs"]
pub mod dataset;
#[path = "../crates/drsn-train/src/hexadecimal.rs"]
mod hexadecimal;
#[path = "../crates/drsn-train/src/random.rs"]
pub mod random;
#[path = "../crates/drsn-train/src/recipe/mod.rs"]
pub mod recipe;

use recipe::Recipe;

/// The table of a data set's files: its labels and numbers are within what they count.
pub fn index(text: &str) {
    dataset::assert_index(text);
}

/// A recipe that training accepts is the same after it was written, as TOML and as JSON: a manifest
/// records it, and a training can be repeated from that.
pub fn recipe(text: &str) {
    let Ok(recipe) = Recipe::from_toml(text) else { return };
    if recipe.check().is_err() {
        return;
    }
    let json = serde_json::to_string(&recipe).expect("a recipe can be written as JSON");
    assert_eq!(serde_json::from_str::<Recipe>(&json).as_ref().ok(), Some(&recipe), "{json}");
    let toml = toml::to_string(&recipe).expect("what came from TOML can be written as TOML");
    assert_eq!(Recipe::from_toml(&toml).as_ref(), Ok(&recipe), "{toml}");
    assert_eq!(recipe.set::<&str>(&[]).as_ref(), Ok(&recipe));
}
