//! Properties that hold of every network and picture, on a few hundred that follow from their seeds: the same ones
//! on every machine, and one that fails is named by its seed.

use crate::hostile::targets::{image_of, plan_of};
use arbitrary::Unstructured;

/// Bytes that decide what is made: splitmix64 from the seed.
fn choices(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed;
    let next = || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)).to_le_bytes()
    };
    std::iter::repeat_with(next).flatten().take(length).collect()
}

/// Holds a property for each seed; at least a part of them must have had choices enough to come to an end.
fn for_seeds(seeds: u64, length: usize, property: impl Fn(&mut Unstructured) -> arbitrary::Result<()>) {
    let mut ended = 0;
    for seed in 0..seeds {
        println!("seed {seed}"); // shown when it fails
        let bytes = choices(seed, length);
        ended += u64::from(property(&mut Unstructured::new(&bytes)).is_ok());
    }
    assert!(ended * 2 > seeds, "only {ended} of {seeds} came to an end");
}

/// No value is overwritten while it is needed, taps change no logit to the last bit, a batch is its pictures one by
/// one, and a config describes its network.
#[test]
fn every_network_can_be_planned_and_run() {
    for_seeds(150, 400, plan_of);
}

/// A picture and a rule give the right number of finite values, or an error.
#[test]
fn every_picture_is_prepared_or_refused() {
    for_seeds(150, 2000, image_of);
}
