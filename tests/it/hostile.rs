//! Files and pictures that strangers may choose: the corpus of the fuzzers, and what they or people found.

#[path = "../../fuzz/targets.rs"]
pub mod targets;

use crate::support::reference::architecture;
use g_ghostnet::arch::regnet::RegNet;
use g_ghostnet::arch::{Architecture, MAX_ELEMENTS, Network};
use g_ghostnet::checkpoint::{Checkpoint, Dtype, Tensor};
use g_ghostnet::config::Config;
use g_ghostnet::image::Preprocess;
use std::collections::BTreeMap;
use targets::TARGETS;

/// Every input that the fuzzers keep passes again, with the same limits of memory and of errors.
#[test]
fn the_corpus_is_replayed() {
    for (name, target) in TARGETS {
        let folder = format!("fuzz/corpus/{name}");
        let files: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        assert!(files.len() > 1, "{folder} holds {} inputs", files.len());
        for file in files {
            println!("{}", file.display()); // shown when it fails
            target(&std::fs::read(file).unwrap());
        }
    }
}

/// The corpus is worth replaying: some of its files are models that are read and run.
#[test]
fn the_corpus_has_models_that_are_read() {
    for file in [
        "safetensors/ghost",
        "safetensors/configured",
        "safetensors/resnet",
        "safetensors/wrapped",
        "safetensors/headed",
        "pickle/plain",
        "pickle/lightning",
    ] {
        let bytes = std::fs::read(format!("fuzz/corpus/{file}")).unwrap();
        let prefix = if file.starts_with("pickle") { targets::LEGACY } else { &[] };
        let read = g_ghostnet::model::Model::from_bytes([prefix, &bytes].concat(), &Default::default());
        assert_eq!(read.unwrap().labels.len(), 2, "{file}");
    }
}

/// A file of this header and so many bytes of zeros.
pub fn safetensors(header: &str, data: usize) -> Vec<u8> {
    [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), &vec![0; data]].concat()
}

/// Names and shapes that fill a file: each was a sentence of its length, and the first took minutes.
#[test]
fn names_of_any_length_are_refused_in_a_sentence() {
    let long = |part: &str| part.repeat(900_000 / part.len());
    let tensor = r#"{"dtype":"F32","shape":[1],"data_offsets":[0,4]}"#;
    let config =
        |json: &str| format!(r#"{{"__metadata__":{{"g-ghostnet":"{}"}}}}"#, json.replace('"', "\\\""));
    for header in [
        format!(r#"{{"{}":{tensor}}}"#, long("module.")),
        format!(r#"{{"a":{{"dtype":"F32","shape":[{}1],"data_offsets":[0,4]}}}}"#, long("1,")),
        format!(r#"{{"a":{{"dtype":"{}","shape":[1],"data_offsets":[0,4]}}}}"#, long("F")),
        config(&format!(r#"{{"{}":1}}"#, long("key"))),
        config(&format!(r#"{{"variant":"{}"}}"#, long("name"))),
        config(&format!(r#"{{"variant":"{}_custom","depths":[1,1,1,1]}}"#, long("name"))),
        config(&format!(r#"{{"form":"{}"}}"#, long("name"))),
    ] {
        targets::safetensors(&safetensors(&header, 4));
    }
    let text = |text: &str| [b"X", &(text.len() as u32).to_le_bytes()[..], text.as_bytes()].concat();
    let name = text(&long("name"));
    let storage =
        [b"(X\x07\0\0\0storagectorch\nFloatStorage\n", &name[..], b"X\x03\0\0\0cpuK\x01tQ"].concat();
    for value in [
        [b"}", &name[..], b"Ns"].concat(),               // a key of the state dict
        [b"}X\x01\0\0\0a", &storage[..], b"s"].concat(), // a key of a storage
        [b"}.\x80\x02](", &name[..], b"e"].concat(),     // a key in the list of storages
        [b"cmodule\n", long("name").as_bytes(), b"\n"].concat(), // a class
        // One name remembered, under which a thousand values are set.
        [b"}", &name[..], b"q\x000NNs".as_slice(), &b"h\0Ns".repeat(1000)].concat(),
    ] {
        targets::pickle(&[b"\x80\x02", &value[..], b"."].concat());
    }
}

/// A deviation near zero is finite and above zero, yet what it divides is not.
#[test]
fn rules_that_make_infinities_are_refused() {
    for (mean, std) in [(0.5, 9e-44), (f32::MAX, 1e-3), (-f32::MAX, 0.5), (f32::NAN, 1.0), (0.5, -1.0)] {
        let rule = Preprocess { mean: [0.5, mean, 0.5], std: [std, 0.5, std], ..Preprocess::default() };
        let rule = Preprocess { std: [0.5, std, 0.5], ..rule };
        let error = rule.check().unwrap_err();
        assert!(error.to_string().contains("finite"), "{mean} {std}: {error}");
    }
    Preprocess { mean: [-3.0, 0.0, 200.0], std: [1e-3, 1e3, 1.0], ..Preprocess::default() }.check().unwrap();
}

/// A number that JSON can hold and f32 cannot is an infinity, which JSON cannot hold.
#[test]
fn golden_logits_beyond_their_type_are_refused() {
    let of = |logit: &str| Config::from_json(&format!(r#"{{"golden": [0.5, {logit}]}}"#));
    for logit in ["1e39", "-1e39", &format!("5{}", "9".repeat(64))] {
        let error = of(logit).unwrap_err();
        assert_eq!(error.code(), "bad-model", "{logit}");
        assert!(error.to_string().contains("golden"), "{logit}: {error}");
    }
    let config = of("3.4e38").unwrap();
    assert_eq!(Config::from_json(&config.to_json()).unwrap(), config);
}

/// Sizes whose product has more than 32 bits, which an address of WebAssembly has: refused everywhere.
#[test]
fn maps_beyond_the_cap_are_refused() {
    let wide = RegNet { depths: [1; 4], widths: [1024; 4], group_width: 1024, ghost: None };
    let wide = Architecture::RegNet(wide);
    // 1024 channels of 512 x 512 pixels are the cap to the last one.
    assert!(Network::new(&wide, 10, 1024, 1024).is_ok());
    let error = Network::new(&wide, 10, 1024, 1026).unwrap_err();
    assert_eq!(error.code(), "out-of-memory");
    assert!(error.to_string().contains(&MAX_ELEMENTS.to_string()), "{error}");
    // Costs are counted beyond 32 bits.
    let large = Network::new(&architecture("regnetx_320"), 10, 1024, 1024).unwrap();
    let step = large.steps.iter().find(|step| step.name == "layer1.0.conv3").unwrap();
    assert_eq!(step.macs(), 336 * 336 * 256 * 256);
    assert!(step.macs() > u64::from(u32::MAX));
}

/// A key or a shape from a caller's own index is held as one from a file is.
#[test]
fn an_index_with_too_long_a_key_is_refused() {
    let index = |key: String, dimensions: usize| {
        let (shape, strides) = (vec![1; dimensions], vec![1; dimensions]);
        let tensor = Tensor { dtype: Dtype::F32, shape, strides, offset: 0 };
        Checkpoint::new(vec![0; 4], BTreeMap::from([(key, tensor)]), Config::default())
    };
    assert!(index("k".repeat(256), 8).is_ok());
    assert_eq!(index("k".repeat(257), 8).unwrap_err().code(), "bad-model");
    assert_eq!(index("k".repeat(256), 9).unwrap_err().code(), "bad-model");
}
