//! Checkpoints as training scripts leave them: whatever lies around the weights, the weights are those of the
//! plain state dict, and what changes the answer is refused by name.

use crate::pth::{dict, entry, golden, integer, pickle, storage, tensor, text, tuple, zip};
use crate::support::reader::model_of;
use crate::support::reference::{architecture, recipe_checkpoint};
use g_ghostnet::Error;
use g_ghostnet::arch::Network;
use g_ghostnet::arch::regnet::RegNet;
use g_ghostnet::arch::{Architecture, resnet::ResNet};
use g_ghostnet::checkpoint::{Dtype, NewTensor, write_safetensors};
use g_ghostnet::config::Config;
use g_ghostnet::fold::expected_tensors;
use g_ghostnet::model::{Model, Options};
use g_ghostnet::session::CpuSession;

const CLASSES: usize = 3;
const SIDE: usize = 32;

/// A tensor of f32.
type Named = (String, Vec<usize>, Vec<f32>);

fn tiny() -> Architecture {
    Architecture::ResNet(ResNet { depths: [1; 4], width: 1, inner: None, stem: Default::default() })
}

/// The tensors of a network with so many classes.
fn tensors(architecture: &Architecture, classes: usize) -> Vec<Named> {
    let network = Network::new(architecture, classes, SIDE, SIDE).unwrap();
    let checkpoint = recipe_checkpoint(&network, "", str::to_owned, Config::default()).unwrap();
    let read = |(name, shape): (String, Vec<usize>)| {
        let values = checkpoint.read(&name).unwrap();
        (name, shape, values)
    };
    expected_tensors(&network).into_iter().map(read).collect()
}

fn renamed(tensors: &[Named], name_of: impl Fn(&str) -> String) -> Vec<Named> {
    tensors.iter().map(|(name, shape, values)| (name_of(name), shape.clone(), values.clone())).collect()
}

fn with(tensors: &[Named], others: &[(&str, &[usize])]) -> Vec<Named> {
    let others = others
        .iter()
        .map(|(name, shape)| ((*name).to_owned(), shape.to_vec(), vec![0.5; shape.iter().product()]));
    tensors.iter().cloned().chain(others).collect()
}

fn safetensors(tensors: &[Named]) -> Vec<u8> {
    let tensors =
        tensors.iter().map(|(name, shape, values)| NewTensor::floats(name.clone(), shape.clone(), values));
    write_safetensors(tensors.collect(), &Config::default())
}

/// A pickled state dict, whose tensors follow each other in storage `0`, and the storage.
fn state_dict(tensors: &[Named]) -> (Vec<u8>, Vec<u8>) {
    let elements = tensors.iter().map(|(_, _, values)| values.len()).sum::<usize>() as i64;
    let (mut items, mut at) = (Vec::new(), 0);
    for (name, shape, values) in tensors {
        let sizes: Vec<i64> = shape.iter().map(|&size| size as i64).collect();
        let strides: Vec<i64> = (0..sizes.len()).map(|axis| sizes[axis + 1..].iter().product()).collect();
        items.push((name.as_str(), tensor(&storage("FloatStorage", "0", elements), at, &sizes, &strides)));
        at += values.len() as i64;
    }
    let bytes = tensors.iter().flat_map(|(_, _, values)| values).flat_map(|value| value.to_le_bytes());
    (dict(&items), bytes.collect())
}

/// An archive as torch writes it of a value that has `weights` in it.
fn archive(value: &[u8], data: &[u8]) -> Vec<u8> {
    zip(&[entry("a/data.pkl", &pickle(value)), entry("a/data/0", data)])
}

fn load(bytes: Vec<u8>) -> Result<Model, Error> {
    model_of(bytes, &Options::default())
}

fn load_of(bytes: Vec<u8>, weights: &str) -> Result<Model, Error> {
    model_of(bytes, &Options { weights: Some(weights.into()), ..Options::default() })
}

/// Whether a model's weights are these to the bit.
#[track_caller]
fn holds(model: &Model, tensors: &[Named]) {
    let network = model.network(SIDE, SIDE).unwrap();
    for step in &network.steps {
        for (name, shape) in model.checkpoint.expected_of(step) {
            let (_, same, values) = tensors.iter().find(|(other, ..)| *other == name).unwrap();
            assert_eq!((&shape, &model.checkpoint.read(&name).unwrap()), (same, values), "{name}");
        }
    }
}

fn logits(model: &Model) -> Vec<f32> {
    let picture: Vec<f32> = (0..3 * SIDE * SIDE).map(|i| (i * 7919 % 1024) as f32 / 256.0 - 2.0).collect();
    CpuSession::new(model, 1).unwrap().run::<&str>(&picture, [1, 3, SIDE, SIDE], &[]).unwrap().logits
}

#[track_caller]
fn refused(read: Result<Model, Error>, words: &[&str]) {
    let error = read.map(|_| words).unwrap_err();
    assert_eq!(error.code(), "bad-model");
    for word in words {
        assert!(error.to_string().contains(word), "expected `{word}`, found: {error}");
    }
}

// --- A pickle is read for its tensors ---

fn opaque(global: &str, arguments: &[Vec<u8>]) -> Vec<u8> {
    let (module, name) = global.rsplit_once('.').unwrap();
    [format!("c{module}\n{name}\n").as_bytes(), &tuple(arguments), b"R"].concat()
}

/// Values that pickles have beside weights, each as one kind of opcode or object makes them.
fn values_beside() -> Vec<Vec<u8>> {
    let object = |class: &str, state: &[u8]| {
        let (module, name) = class.rsplit_once('.').unwrap();
        [format!("c{module}\n{name}\n").as_bytes(), b")\x81", state, b"b"].concat()
    };
    let numbers = b"K\x01K\x02K\x03";
    vec![
        b"N".to_vec(),
        b"\x88".to_vec(),
        b"G\x3f\xf0\0\0\0\0\0\0".to_vec(),
        integer(-3),
        [&b"\x8a\xff"[..], &[1; 255]].concat(),
        [&b"\x8b\x00\x04\x00\x00"[..], &[1; 1024]].concat(),
        b"U\x02\xff\xfe".to_vec(),
        b"T\x02\0\0\0\xff\xfe".to_vec(),
        b"X\x03\0\0\0\xed\xa0\x80".to_vec(),
        b"\x8f".to_vec(),
        b"]K\x01a".to_vec(),
        b"}K\x01K\x02s".to_vec(),
        opaque("os.system", &[text("touch harm")]),
        opaque("builtins.eval", &[text("1")]),
        object("argparse.Namespace", &dict(&[("lr", b"K\x01".to_vec())])),
        object("somewhere.Config", &tuple(&[b"N".to_vec(), dict(&[("slot", b"K\x01".to_vec())])])),
        // Numpy's scalars, and what a class makes that is the result of a call.
        opaque("numpy._core.multiarray.scalar", &[opaque("numpy.dtype", &[text("f8")]), text("bytes")]),
        [&opaque("numpy._core.multiarray._reconstruct", &[])[..], b"(K\x01tb"].concat(),
        [&opaque("builtins.getattr", &[text("a")])[..], b")R"].concat(),
        // What is appended to, set in and built of opaque values.
        [&opaque("collections.deque", &[])[..], b"(", numbers, b"e"].concat(),
        [&opaque("collections.deque", &[])[..], b"K\x01a"].concat(),
        [&opaque("easydict.EasyDict", &[])[..], b"(K\x01K\x02K\x03K\x04u"].concat(),
        [&opaque("easydict.EasyDict", &[])[..], b"K\x01K\x02s}b"].concat(),
        opaque("collections.defaultdict", &[b"cbuiltins\nlist\n".to_vec()]),
        opaque("collections.Counter", &[dict(&[("a", b"K\x01".to_vec())])]),
        // An old class of Python 2, and a tuple that holds itself.
        b"(c__main__\nOld\nK\x01o".to_vec(),
        b"K\x01K\x020".to_vec(),
        b"K\x01(K\x02K\x031".to_vec(),
        // Tensors of other types.
        tensor(&storage("ComplexFloatStorage", "1", 2), 0, &[2], &[1]),
        tensor(&storage("QInt8Storage", "1", 2), 0, &[2], &[1]),
        tensor(&storage("StorageOfTomorrow", "1", 2), 0, &[2], &[1]),
        opaque("torch._utils._rebuild_sparse_tensor", &[b"N".to_vec()]),
    ]
}

#[test]
fn what_lies_beside_the_weights_is_nobodys_business() {
    let plain = tensors(&tiny(), CLASSES);
    let (weights, data) = state_dict(&plain);
    for value in values_beside() {
        let shown = String::from_utf8_lossy(&value).into_owned();
        for items in
            [[("x", value.clone()), ("model", weights.clone())], [("model", weights.clone()), ("x", value)]]
        {
            let model =
                load(archive(&dict(&items), &data)).unwrap_or_else(|error| panic!("{shown:?}: {error}"));
            holds(&model, &plain);
            assert!(model.checkpoint.origin.left_out.iter().any(|left| left.name == "x"), "{shown}");
        }
    }
    // Among the weights too, where no layer reads it.
    for value in values_beside() {
        let inner = [&weights[..], &text("x"), &value, b"s"].concat();
        let model = load(archive(&inner, &data)).unwrap();
        holds(&model, &plain);
        assert_eq!(model.checkpoint.origin.left_out[0].name, "x");
    }
    assert!(!std::path::Path::new("harm").exists());
}

#[test]
fn what_stands_where_a_weight_should_is_refused_by_name() {
    let plain = tensors(&tiny(), CLASSES);
    let (weights, data) = state_dict(&plain);
    for key in ["fc.weight", "layer1.0.conv1.weight", "bn1.bias", "conv1.weight"] {
        let replaced = |value: &[u8]| load(archive(&[&weights[..], &text(key), value, b"s"].concat(), &data));
        // The key's last value counts, and none of these is a tensor that is read.
        refused(replaced(&opaque("os.system", &[text("touch harm")])), &[&format!("`{key}`"), "`os.system`"]);
        refused(replaced(b"N"), &[&format!("`{key}`"), "None"]);
        let complex = tensor(&storage("ComplexFloatStorage", "1", 2), 0, &[2], &[1]);
        refused(replaced(&complex), &[&format!("`{key}`"), "ComplexFloat"]);
    }
    refused(load(archive(&opaque("os.system", &[text("touch harm")]), &data)), &["`os.system`"]);
    let module = dict(&[("model", opaque("somewhere.Net", &[])), ("epoch", integer(3))]);
    refused(load(archive(&module, &data)), &["`model`", "`somewhere.Net`", "state_dict()"]);
}

/// Files that torch wrote, with all that a training script may keep (tests/reference/checkpoints.py).
#[test]
fn checkpoints_with_everything_beside_the_weights_load() {
    let plain = load(golden("zip")).unwrap();
    for name in ["beside", "beside_legacy", "attributes"] {
        let model = load(golden(name)).unwrap();
        let network = model.network(SIDE, SIDE).unwrap();
        for (key, _) in expected_tensors(&network) {
            assert_eq!(
                model.checkpoint.read(&key).unwrap(),
                plain.checkpoint.read(&key).unwrap(),
                "{name}: {key}"
            );
        }
    }
}

// --- Where the weights are ---

#[test]
fn weights_are_found_under_any_name() {
    let plain = tensors(&tiny(), CLASSES);
    let (weights, data) = state_dict(&plain);
    let epoch = || ("epoch", integer(3));
    for name in [
        "state_dict",
        "model",
        "net",
        "weights",
        "params",
        "model_state",
        "teacher",
        "ema",
        "anything at all",
    ] {
        let model = load(archive(&dict(&[epoch(), (name, weights.clone())]), &data)).unwrap();
        holds(&model, &plain);
        assert_eq!(model.checkpoint.origin.weights, name);
        let nested = dict(&[epoch(), ("checkpoint", dict(&[(name, weights.clone())]))]);
        holds(&load(archive(&nested, &data)).unwrap(), &plain);
    }
    let list = [b"](", &weights[..], &integer(3), b"e"].concat();
    holds(&load(archive(&list, &data)).unwrap(), &plain);
    let optimizer = dict(&[("exp_avg", tensor(&storage("FloatStorage", "0", 1), 0, &[1], &[1]))]);
    let state = [&b"}"[..], &integer(0), &optimizer, b"s"].concat();
    let (weights, data) = (weights, data);
    // An optimizer's state is no state dict, whatever it holds.
    let optimizer = dict(&[("state", state)]);
    let _ = load(archive(&dict(&[("w", weights.clone()), ("optimizer", optimizer)]), &data));
    let two = dict(&[("generator", weights.clone()), ("other", weights)]);
    // One dict twice is one.
    refused(load(archive(&two, &data)), &["`generator`", "`other`", "`weights`"]);
}

#[test]
fn a_moving_average_comes_after_the_plain_weights_and_first_where_it_is_asked_for() {
    let (plain, other) = (tensors(&tiny(), CLASSES), renamed(&tensors(&tiny(), CLASSES), str::to_owned));
    let average: Vec<Named> = other
        .into_iter()
        .map(|(name, shape, values)| (name, shape, values.iter().map(|v| v * 2.0).collect()))
        .collect();
    let both: Vec<Named> = [
        renamed(&plain, |name| format!("model.{name}")),
        renamed(&average, |name| format!("model_ema.module.{name}")),
    ]
    .concat();
    let flat = safetensors(&both);
    holds(&load(flat.clone()).unwrap(), &plain);
    holds(&load_of(flat.clone(), "ema").unwrap(), &average);
    holds(&load_of(flat.clone(), "model").unwrap(), &plain);
    refused(load_of(flat, "teacher"), &["no weights called `teacher`", "`model`"]);
    let count = 2 * plain.iter().map(|(_, _, values)| values.len()).sum::<usize>() as i64;
    for ema in ["state_dict_ema", "model_ema", "ema", "ema_model"] {
        for plain_name in ["state_dict", "model", "whatever"] {
            // Both in one storage.
            let (mut at, mut parts) = (0, Vec::new());
            for tensors in [&average, &plain] {
                let mut items = Vec::new();
                for (name, shape, values) in tensors {
                    let sizes: Vec<i64> = shape.iter().map(|&size| size as i64).collect();
                    let strides: Vec<i64> =
                        (0..sizes.len()).map(|axis| sizes[axis + 1..].iter().product()).collect();
                    items.push((
                        name.as_str(),
                        tensor(&storage("FloatStorage", "0", count), at, &sizes, &strides),
                    ));
                    at += values.len() as i64;
                }
                parts.push(dict(&items));
            }
            let values = average.iter().chain(&plain).flat_map(|(_, _, values)| values);
            let data: Vec<u8> = values.flat_map(|value| value.to_le_bytes()).collect();
            let bytes = archive(&dict(&[(ema, parts[0].clone()), (plain_name, parts[1].clone())]), &data);
            holds(&load(bytes.clone()).unwrap(), &plain);
            holds(&load_of(bytes.clone(), "ema").unwrap(), &average);
            holds(&load_of(bytes, plain_name).unwrap(), &plain);
            // Alone it needs no asking.
            holds(&load(archive(&dict(&[(ema, parts[0].clone())]), &data)).unwrap(), &average);
        }
    }
}

#[test]
fn whatever_leads_to_the_stem_is_a_prefix_in_every_family() {
    let families = ["g_ghost_regnetx_002", "regnetx_002", "resnet18", "ghostnet_050"].map(architecture);
    let small = Architecture::RegNet(RegNet { depths: [1; 4], widths: [8; 4], group_width: 8, ghost: None });
    for architecture in families.into_iter().chain([small, tiny()]) {
        let plain = tensors(&architecture, CLASSES);
        let expected = load(safetensors(&plain)).unwrap();
        for prefix in [
            "module.",
            "model.",
            "net.",
            "backbone.",
            "timm_model.",
            "_orig_mod.module.",
            "a.b.c.",
            "0.",
            "module.model.",
        ] {
            let model = load(safetensors(&renamed(&plain, |name| format!("{prefix}{name}")))).unwrap();
            holds(&model, &plain);
            assert_eq!(model.architecture, expected.architecture, "{prefix}");
        }
        // Strangers beside it do not keep it on the others.
        let wrapped = renamed(&plain, |name| format!("model.{name}"));
        let model = load(safetensors(&with(
            &wrapped,
            &[("n_averaged", &[]), ("criterion.weight", &[3]), ("proj.0.weight", &[2, 2])],
        )))
        .unwrap();
        holds(&model, &plain);
        let names: Vec<_> = model.checkpoint.origin.left_out.iter().map(|left| left.name.as_str()).collect();
        assert_eq!(names, ["criterion.weight", "n_averaged", "proj.0.weight"]);
        // Wrappers between the parts of a name.
        let inside = renamed(&plain, |name| {
            name.replace("layer2.", "layer2._checkpoint_wrapped_module.")
                .replace("blocks.3.", "blocks.3._orig_mod.")
        });
        holds(&load(safetensors(&inside)).unwrap(), &plain);
    }
}

#[test]
fn of_several_networks_one_must_be_named() {
    let plain = tensors(&tiny(), CLASSES);
    let both =
        [renamed(&plain, |name| format!("left.{name}")), renamed(&plain, |name| format!("right.{name}"))]
            .concat();
    refused(load(safetensors(&both)), &["`left`", "`right`", "`weights`"]);
    holds(&load_of(safetensors(&both), "right").unwrap(), &plain);
}

// --- Strangers ---

#[test]
fn counters_and_integers_are_left_out_and_said() {
    let plain = tensors(&tiny(), CLASSES);
    let strange = with(
        &plain,
        &[("total_ops", &[1]), ("layer1.0.conv1.total_params", &[1]), ("criterion.pos_weight", &[1])],
    );
    let mut stored: Vec<_> = strange
        .iter()
        .map(|(name, shape, values)| NewTensor::floats(name.clone(), shape.clone(), values))
        .collect();
    stored.push(NewTensor {
        name: "bn1.num_batches_tracked".into(),
        dtype: Dtype::I64,
        shape: vec![],
        bytes: vec![0; 8].into(),
    });
    stored.push(NewTensor {
        name: "layer1.index".into(),
        dtype: Dtype::I64,
        shape: vec![2],
        bytes: vec![0; 16].into(),
    });
    let model = load(write_safetensors(stored, &Config::default())).unwrap();
    holds(&model, &plain);
    let names: Vec<_> = model.checkpoint.origin.left_out.iter().map(|left| left.name.as_str()).collect();
    assert_eq!(names, ["criterion.pos_weight", "layer1.0.conv1.total_params", "layer1.index", "total_ops"]);
    assert!(model.checkpoint.origin.left_out.iter().all(|left| !left.reason.is_empty()));
}

/// Every type that safetensors files may have and no weight has.
#[test]
fn buffers_of_other_types_are_left_out_unless_a_layer_reads_them() {
    let plain = tensors(&tiny(), CLASSES);
    for (dtype, size) in [
        ("BOOL", 1),
        ("U8", 1),
        ("I16", 2),
        ("U16", 2),
        ("I32", 4),
        ("U32", 4),
        ("U64", 8),
        ("F8_E4M3", 1),
        ("F8_E5M2", 1),
    ] {
        for name in ["mask", "layer3.0.bn1.num_batches_tracked", "bn1.bias"] {
            let mut file =
                safetensors(&plain.iter().filter(|tensor| tensor.0 != name).cloned().collect::<Vec<_>>());
            let header = u64::from_le_bytes(*file.first_chunk().unwrap()) as usize;
            let end = file.len() - 8 - header;
            let json = String::from_utf8(file[8..8 + header].to_vec()).unwrap();
            let json = json.trim_end().strip_suffix('}').unwrap().to_owned()
                + &format!(
                    r#","{name}":{{"dtype":"{dtype}","shape":[1],"data_offsets":[{end},{}]}}}}"#,
                    end + size
                );
            let data = file.split_off(8 + header);
            let bytes =
                [&(json.len() as u64).to_le_bytes()[..], json.as_bytes(), &data, &vec![0; size]].concat();
            match name {
                "bn1.bias" => refused(load(bytes), &["`bn1.bias`", dtype]),
                _ => holds(&load(bytes).unwrap(), &plain),
            }
        }
    }
}

#[test]
fn what_changes_the_answer_is_refused_by_name() {
    let plain = tensors(&tiny(), CLASSES);
    let model = renamed(&plain, |name| format!("1.{name}"));
    for (tensors, name) in [
        (&plain, "mean"),
        (&plain, "std"),
        (&plain, "pixel_mean"),
        (&plain, "temperature"),
        (&plain, "attention.weight"),
        (&plain, "layer1.0.alpha"),
        (&plain, "layer1.0.conv1.lora_A"),
        (&model, "0.mean"),
        (&model, "0.std"),
        (&model, "temperature"),
    ] {
        refused(load(safetensors(&with(tensors, &[(name, &[3])]))), &[&format!("`{name}`")]);
    }
    let pruned = with(
        &renamed(&plain, |name| name.replace("layer1.0.conv1.weight", "layer1.0.conv1.weight_orig")),
        &[("layer1.0.conv1.weight_mask", &[1, 1, 3, 3])],
    );
    refused(load(safetensors(&pruned)), &["pruned", "`layer1.0.conv1.weight_mask`", "prune.remove"]);
    refused(
        load(safetensors(&with(&plain, &[("layer1.0.se.fc1.weight", &[1, 1, 1, 1])]))),
        &["`layer1.0.se.fc1.weight`", "RegNetY"],
    );
    let missing: Vec<_> =
        plain.iter().filter(|(name, ..)| name != "layer1.0.conv1.weight").cloned().collect();
    refused(load(safetensors(&missing)), &["`layer1.0.conv1.weight`"]);
}

/// Each by one key that only it has, alone and behind a prefix; what is outside of the prefix is no matter.
#[test]
fn relatives_of_the_networks_are_called_by_their_names() {
    let resnet = tensors(&tiny(), CLASSES);
    let ghostnet = tensors(&architecture("ghostnet_050"), CLASSES);
    let deep = renamed(&resnet, |name| {
        name.replace("conv1.weight", "conv1.0.weight").replace(".conv1.0.", ".conv1.")
    });
    let relatives: [(Vec<Named>, &str); 5] = [
        (deep, "ResNet-D"),
        (with(&resnet, &[("layer2.0.se.fc1.weight", &[1, 1, 1, 1])]), "SE-ResNet"),
        (with(&resnet, &[("layer2.0.conv1.weight_g", &[1])]), "parametrized"),
        (with(&ghostnet, &[("blocks.2.0.ghost1.short_conv.0.weight", &[1, 1, 1, 1])]), "GhostNetV2"),
        (
            with(
                &ghostnet,
                &[
                    ("blocks.2.0.ghost1.short_conv.0.weight", &[1, 1, 1, 1]),
                    ("blocks.0.0.ghost1.cheap_rpr_conv.0.conv.weight", &[1, 1, 1, 1]),
                ],
            ),
            "GhostNetV3",
        ),
    ];
    for (tensors, name) in relatives {
        refused(load(safetensors(&tensors)), &[name]);
        refused(load(safetensors(&renamed(&tensors, |key| format!("net.{key}")))), &[name]);
    }
    let beside =
        with(&renamed(&resnet, |name| format!("net.{name}")), &[("projector.last.weight_g", &[4, 1])]);
    holds(&load(safetensors(&beside)).unwrap(), &resnet);
}

// --- Heads ---

const HEADS: [&str; 12] = [
    "fc.0",
    "fc.1",
    "fc.linear",
    "head.fc",
    "head",
    "classifier",
    "classifier.1",
    "classifier.0.2",
    "last_linear",
    "linear",
    "heads.head",
    "some.other.layer",
];

#[test]
fn one_matrix_that_fits_is_the_head() {
    for architecture in [tiny(), architecture("regnetx_002"), architecture("ghostnet_050")] {
        let plain = tensors(&architecture, CLASSES);
        let key = plain.last().unwrap().0.strip_suffix(".bias").unwrap().to_owned();
        for head in HEADS {
            let moved = renamed(&plain, |name| name.replace(&format!("{key}."), &format!("{head}.")));
            holds(&load(safetensors(&moved)).unwrap(), &plain);
            // Outside of the backbone's prefix too.
            let outside = renamed(&plain, |name| match name.strip_prefix(&format!("{key}.")) {
                Some(part) => format!("{head}.{part}"),
                None => format!("backbone.{name}"),
            });
            holds(&load(safetensors(&outside)).unwrap(), &plain);
        }
    }
}

#[test]
fn a_head_without_a_bias_has_one_of_zeros() {
    let plain = tensors(&tiny(), CLASSES);
    let without: Vec<_> = plain.iter().filter(|(name, ..)| name != "fc.bias").cloned().collect();
    let zeros: Vec<_> = plain
        .iter()
        .map(|(name, shape, values)| {
            (name.clone(), shape.clone(), if name == "fc.bias" { vec![0.0; CLASSES] } else { values.clone() })
        })
        .collect();
    let expected = logits(&load(safetensors(&zeros)).unwrap());
    assert_eq!(logits(&load(safetensors(&without)).unwrap()), expected);
    let moved = renamed(&without, |name| name.replace("fc.", "head.1."));
    assert_eq!(logits(&load(safetensors(&moved)).unwrap()), expected);
}

#[test]
fn a_head_of_several_layers_is_refused_with_their_names() {
    let plain: Vec<_> =
        tensors(&tiny(), CLASSES).into_iter().filter(|(name, ..)| !name.starts_with("fc.")).collect();
    for (hidden, first, second) in
        [(5, "fc.0", "fc.3"), (8, "fc.0", "fc.2"), (8, "classifier.1", "classifier.4")]
    {
        let heads: [(&str, &[usize]); 4] = [
            (&format!("{first}.weight"), &[hidden, 8]),
            (&format!("{first}.bias"), &[hidden]),
            (&format!("{second}.weight"), &[CLASSES, hidden]),
            (&format!("{second}.bias"), &[CLASSES]),
        ];
        refused(load(safetensors(&with(&plain, &heads))), &[&format!("`{first}`"), &format!("`{second}`")]);
    }
    refused(
        load(safetensors(&with(&plain, &[("fc.weight", &[3, 16]), ("fc.bias", &[3])]))),
        &["`fc.weight`"],
    );
    refused(
        load(safetensors(&with(&plain, &[("fc.1.weight", &[3, 16]), ("fc.1.bias", &[3])]))),
        &["`fc.1`", "8 columns"],
    );
    refused(load(safetensors(&plain)), &["no classifier"]);
    // A norm before the matrix would change every answer.
    let norm = with(
        &plain,
        &[("fc.1.weight", &[3, 8]), ("fc.1.bias", &[3]), ("fc.0.weight", &[8]), ("fc.0.bias", &[8])],
    );
    refused(load(safetensors(&norm)), &["`fc.0.weight`"]);
}

// --- One logit ---

#[test]
fn one_logit_answers_by_the_sigmoid() {
    for architecture in [tiny(), architecture("regnetx_002"), architecture("ghostnet_050")] {
        let one = tensors(&architecture, 1);
        let model = load(safetensors(&one)).unwrap();
        assert_eq!(model.labels, ["class 0", "class 1"]);
        // The same logit as one of two classes whose other row was there.
        let two: Vec<Named> = one
            .iter()
            .map(|(name, shape, values)| {
                match name.ends_with("fc.weight")
                    || name.ends_with("fc.bias")
                    || name.starts_with("classifier")
                {
                    true => (
                        name.clone(),
                        [&[2], &shape[1..]].concat(),
                        [vec![7.0; values.len()], values.clone()].concat(),
                    ),
                    false => (name.clone(), shape.clone(), values.clone()),
                }
            })
            .collect();
        let (got, want) = (logits(&model), logits(&load(safetensors(&two)).unwrap()));
        assert_eq!(got, [0.0, want[1]]);
        let sigmoid = 1.0 / (1.0 + f64::from(-got[1]).exp());
        let probabilities = model.probabilities(&got);
        assert!(
            (f64::from(probabilities[1]) - sigmoid).abs() < 1e-6
                && (f64::from(probabilities[0]) + sigmoid - 1.0).abs() < 1e-6
        );
        let labels = |labels: &[&str]| Options {
            labels: Some(labels.iter().map(|&label| label.into()).collect()),
            ..Options::default()
        };
        assert_eq!(model_of(safetensors(&one), &labels(&["no", "yes"])).unwrap().labels, ["no", "yes"]);
        refused(model_of(safetensors(&one), &labels(&["only"])), &["1 labels", "2 classes"]);
        let without: Vec<_> = one
            .iter()
            .filter(|(name, ..)| !name.ends_with("fc.bias") && name != "classifier.bias")
            .cloned()
            .collect();
        assert_eq!(logits(&load(safetensors(&without)).unwrap())[0], 0.0);
    }
}

// --- Labels ---

#[test]
fn labels_beside_the_weights_are_the_labels() {
    let plain = tensors(&tiny(), CLASSES);
    let (weights, data) = state_dict(&plain);
    let list = || [b"](", &text("cat")[..], &text("dog"), &text("cow"), b"e"].concat();
    let names = || dict(&[("dog", integer(1)), ("cat", integer(0)), ("cow", integer(2))]);
    let numbers = || {
        [&b"}("[..], &integer(1), &text("dog"), &integer(0), &text("cat"), &integer(2), &text("cow"), b"u"]
            .concat()
    };
    let texts = || dict(&[("1", text("dog")), ("0", text("cat")), ("2", text("cow"))]);
    let beside = [
        ("classes", list()),
        ("class_names", tuple(&[text("cat"), text("dog"), text("cow")])),
        ("class_to_idx", names()),
        ("id2label", numbers()),
        ("config", dict(&[("id2label", texts())])),
        ("meta", dict(&[("CLASSES", tuple(&[text("cat"), text("dog"), text("cow")]))])),
        ("meta", dict(&[("dataset_meta", dict(&[("classes", list())]))])),
    ];
    for (name, value) in beside {
        let model = load(archive(&dict(&[(name, value), ("state_dict", weights.clone())]), &data)).unwrap();
        assert_eq!(model.labels, ["cat", "dog", "cow"], "{name}");
    }
    // What is not a name for each class is none.
    for value in [integer(3), b"]".to_vec(), dict(&[("cat", integer(5))]), b"](K\x01K\x02K\x03e".to_vec()] {
        let model =
            load(archive(&dict(&[("classes", value), ("state_dict", weights.clone())]), &data)).unwrap();
        assert_eq!(model.labels, ["class 0", "class 1", "class 2"]);
    }
}

/// What PyTorch's quantization leaves of a classifier, or of all layers, in place of its matrix.
#[test]
fn weights_that_pytorch_quantized_are_called_so() {
    let mut body = tensors(&tiny(), CLASSES);
    body.retain(|(name, ..)| !name.starts_with("fc."));
    let (weights, data) = state_dict(&body);
    let quantized = opaque("torch._utils._rebuild_qtensor", &[text("storage")]);
    // The dict of the other weights, updated by another one.
    let items = |extra: &[(&str, Vec<u8>)]| [&weights[..], &dict(extra)[1..]].concat();
    let packed = tuple(&[quantized.clone(), b"N".to_vec()]);
    for (key, extra) in [
        ("fc._packed_params._packed_params", items(&[("fc._packed_params._packed_params", packed)])),
        ("conv1.weight", items(&[("conv1.weight", quantized)])),
    ] {
        let words =
            [&*format!("are quantized (`{key}`)"), "quantize_dynamic: save the state dict before that"];
        refused(load(archive(&extra, &data)), &words);
    }
}

// --- What is no model ---

#[test]
fn files_of_other_kinds_are_called_by_their_names() {
    let pointer = format!(
        "version https://git-lfs.github.com/spec/v1\noid sha256:{}\nsize 46827520\n",
        "4d".repeat(32)
    );
    let beginnings: [(&[u8], &[&str]); 18] = [
        (pointer.as_bytes(), &["Git LFS", "git lfs pull"]),
        (b"\x08\x07\x12\x07pytorch\x1a\x05", &["ONNX"]),
        (b"\x08\x08\x12\x00:\x80\x01", &["ONNX"]),
        (b"\x89HDF\r\n\x1a\n\0\0\0\0", &["HDF5"]),
        (b"\x1c\0\0\0TFL3", &["TensorFlow Lite"]),
        (b"\x1f\x8b\x08\0\0\0\0\0\0\x03", &["the file is a gzip archive, not a model: unpack it, and load"]),
        (b"\x93NUMPY\x01\0", &["NumPy"]),
        (b"GGUF\x03\0\0\0", &["GGUF"]),
        (b"Entry not found", &["plain text"]),
        (b"\xef\xbb\xbfNot found", &["plain text"]),
        (b"{\"error\": \"not found\"}", &["JSON"]),
        (b"{\"weight_map\": {\"a\": \"b\"}}", &["index", "Hugging Face"]),
        (b"\n<!DOCTYPE html>", &["web page"]),
        (b"\xef\xbb\xbf<html>", &["web page"]),
        (b"\xff\xd8\xff\xe0\0\x10JFIF", &["JPEG"]),
        (b"\x89PNG\r\n\x1a\n", &["PNG"]),
        (b"7z\xbc\xaf\x27\x1c", &["7z"]),
        (b"%PDF-1.7\n%\xe2\xe3", &["PDF"]),
    ];
    for (bytes, words) in beginnings {
        refused(load(bytes.to_vec()), words);
        let padded = [bytes, &vec![b' '; 500]].concat();
        refused(load(padded), words);
    }
    let script = [entry("net/code/__torch__/a.py", b"x"), entry("net/constants.pkl", b")")];
    refused(load(zip(&script)), &["TorchScript"]);
    refused(load(zip(&[entry("config.json", b"{}"), entry("model.weights.h5", b"x")])), &["Keras"]);
}

#[test]
fn one_of_several_files_is_no_network_of_fewer_stages() {
    let whole = tensors(&tiny(), CLASSES);
    let part: Vec<Named> = whole.iter().filter(|(name, ..)| !name.starts_with("layer4.")).cloned().collect();
    refused(load(safetensors(&part)), &["layer4.0.conv1.weight", "several files"]);
    // ResNet-20 and its kin have three stages behind a stem of 3 x 3.
    let stem = vec![0.5; 27];
    let of_cifar = part.into_iter().map(|(name, shape, values)| match &*name {
        "conv1.weight" => (name, vec![1, 3, 3, 3], stem.clone()),
        _ => (name, shape, values),
    });
    refused(load(safetensors(&of_cifar.collect::<Vec<_>>())), &["three stages"]);
}
