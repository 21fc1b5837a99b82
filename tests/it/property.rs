//! Properties that hold of every network and picture, on a few hundred that follow from their seeds: the same ones
//! on every machine, and one that fails is named by its seed.

use crate::hostile::targets::{image_of, plan_of};
use arbitrary::Unstructured;
use g_ghostnet::checkpoint::{Checkpoint, Dtype};
use safetensors::SafeTensors;
use std::cell::Cell;
use std::collections::BTreeMap;

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

/// A safetensors file as the format's own library reads it: the same tensors, or refused by both. What this library
/// keeps aside, a tensor of a type that no weight has, may be of any size here.
#[test]
fn every_safetensors_header_is_read_as_the_format_s_own_library_reads_it() {
    let (read, refused) = (Cell::new(0), Cell::new(0));
    for_seeds(3000, 600, |choices| {
        let (file, entries) = arbitrary_safetensors(choices)?;
        let theirs = SafeTensors::deserialize(&file);
        match (Checkpoint::from_bytes(file.clone()), theirs) {
            (Ok(ours), Ok(theirs)) => {
                let is_read = |name: &str| OF_WEIGHTS.iter().any(|&(_, known)| known == name);
                let theirs = theirs.tensors().into_iter();
                let theirs: BTreeMap<_, _> =
                    theirs.filter(|(_, other)| is_read(&other.dtype().to_string())).collect();
                assert!(ours.tensors().keys().eq(theirs.keys()), "{:?}", ours.tensors().keys());
                for (name, tensor) in ours.tensors() {
                    let other = &theirs[name];
                    let dtype = OF_WEIGHTS.iter().find(|known| known.0 == tensor.dtype).unwrap().1;
                    assert_eq!((dtype, &*tensor.shape), (&*other.dtype().to_string(), other.shape()));
                    assert_eq!(tensor.row_major(&file[tensor.place().unwrap()]), other.data(), "{name}");
                }
                read.set(read.get() + 1);
            }
            (Err(_), Err(_)) => refused.set(refused.get() + 1),
            (Ok(ours), Err(theirs)) => assert!(ours.tensors().len() < entries, "only here: {theirs}"),
            // A name that is there twice is refused here; there the last one counts.
            (Err(ours), Ok(_)) => assert!(ours.to_string().contains("is there twice"), "only there: {ours}"),
        }
        Ok(())
    });
    assert!(
        read.get() > 500 && refused.get() > 500,
        "{read:?} were read by both, {refused:?} refused by both"
    );
}

/// Types of elements that weights have.
const OF_WEIGHTS: [(Dtype, &str); 6] = [
    (Dtype::F16, "F16"),
    (Dtype::Bf16, "BF16"),
    (Dtype::F32, "F32"),
    (Dtype::F64, "F64"),
    (Dtype::I64, "I64"),
    (Dtype::I8, "I8"),
];

/// A file that is mostly right, and how many tensors were written into it.
fn arbitrary_safetensors(choices: &mut Unstructured) -> arbitrary::Result<(Vec<u8>, usize)> {
    let (mut entries, mut end) = (Vec::new(), 0usize);
    let count = choices.int_in_range(0..=5)?;
    for index in 0..count {
        // Seldom a name that is there already, or one that JSON writes with an escape.
        let name = match choices.int_in_range(0..=24)? {
            0 => "layer.0".to_owned(),
            1 => format!("l\\u00e4yer\\n{index}"),
            _ => format!("layer.{index}"),
        };
        let (dtype, size) = *choices.choose(&[
            ("F32", 4),
            ("F32", 4),
            ("F16", 2),
            ("BF16", 2),
            ("F64", 8),
            ("I64", 8),
            ("I8", 1),
            ("U8", 1),
            ("BOOL", 1),
        ])?;
        let dtype = if choices.ratio(1, 60)? { "F31" } else { dtype };
        let shape: Vec<usize> = (0..choices.int_in_range(0..=4)?)
            .map(|_| choices.int_in_range(0..=6))
            .collect::<arbitrary::Result<_>>()?;
        let begin = end + usize::from(choices.ratio(1, 60)?);
        end = begin + shape.iter().product::<usize>() * size + usize::from(choices.ratio(1, 60)?);
        entries.push(format!(
            r#""{name}":{{"dtype":"{dtype}","shape":{shape:?},"data_offsets":[{begin},{end}]}}"#
        ));
    }
    if choices.ratio(1, 4)? {
        let value = choices.choose(&[r#""pt""#, r#""pt""#, r#""pt""#, "1", "null", "{}"])?;
        entries.push(format!(r#""__metadata__":{{"format":{value}}}"#));
    }
    // In any order: places follow each other, entries need not.
    for index in (1..entries.len()).rev() {
        entries.swap(index, choices.int_in_range(0..=index)?);
    }
    let mut json = format!("{{{}}}", entries.join(",")).into_bytes();
    json.resize(json.len().next_multiple_of(8), b' ');
    if choices.ratio(1, 6)? {
        let (at, byte) = (choices.choose_index(json.len())?, choices.int_in_range(b' '..=b'~')?);
        json[at] = byte;
    }
    let length = (json.len() as u64).wrapping_add_signed(*choices.choose(&[0, 0, 0, 0, 0, 0, 0, 0, 8, -8])?);
    let numbers = (0..end + usize::from(choices.ratio(1, 20)?)).map(|at| at as u8);
    Ok((length.to_le_bytes().into_iter().chain(json).chain(numbers).collect(), count))
}
