//! The loader: one test for each thing that can be wrong with a model file.

use crate::hostile;
use crate::support::reader::model_of;
use crate::support::reference::{architecture, recipe_checkpoint};
use g_ghostnet::arch::regnet::{Ghost, RegNet};
use g_ghostnet::arch::{Architecture, Conv, Network, Op};
use g_ghostnet::checkpoint::{self, Checkpoint, contiguous_strides};
use g_ghostnet::config::{Config, METADATA_KEY};
use g_ghostnet::fold::{Scaled, expected_tensors};
use g_ghostnet::model::{Model, Options};
use g_ghostnet::read::recognise;
use g_ghostnet::{Error, cpu};
use half::f16;
use safetensors::Dtype;
use safetensors::tensor::TensorView;
use std::collections::HashMap;

const CLASSES: usize = 5;

/// A tensor as it will be written.
#[derive(Clone)]
struct Tensor {
    name: String,
    shape: Vec<usize>,
    dtype: Dtype,
    data: Vec<u8>,
}

fn tiny() -> Architecture {
    let ghost = Some(Ghost::default());
    Architecture::RegNet(RegNet { depths: [1, 1, 3, 1], widths: [8, 8, 16, 16], group_width: 8, ghost })
}

/// The tensors of a tiny network.
fn tensors() -> Vec<Tensor> {
    let network = Network::new(&tiny(), CLASSES, 32, 32).unwrap();
    let checkpoint = recipe_checkpoint(&network, "", str::to_owned, Config::default()).unwrap();
    (expected_tensors(&network).into_iter())
        .map(|(name, shape)| {
            let data = checkpoint.read(&name).unwrap().iter().flat_map(|value| value.to_le_bytes()).collect();
            Tensor { name, shape, dtype: Dtype::F32, data }
        })
        .collect()
}

fn file(tensors: &[Tensor], config: Option<&str>) -> Vec<u8> {
    let views = tensors.iter().map(|tensor| {
        (&tensor.name, TensorView::new(tensor.dtype, tensor.shape.clone(), &tensor.data).unwrap())
    });
    let metadata = config.map(|config| HashMap::from([(METADATA_KEY.to_owned(), config.to_owned())]));
    safetensors::serialize(views, metadata).unwrap()
}

fn load(bytes: Vec<u8>) -> Result<Model, Error> {
    model_of(bytes, &Options::default())
}

/// The tensors with one of them changed.
fn changed(name: &str, change: impl Fn(&mut Tensor)) -> Vec<Tensor> {
    let mut tensors = tensors();
    change(tensors.iter_mut().find(|tensor| tensor.name == name).unwrap());
    tensors
}

/// Loads and packs all weights, which is when their numbers are seen.
fn load_and_fold(bytes: Vec<u8>) -> Result<(), Error> {
    let model = load(bytes)?;
    let network = model.network(32, 32)?;
    for step in &network.steps {
        if let Op::Conv(conv) = &step.op {
            model.checkpoint.folded(conv, step.y.channels)?;
        }
    }
    Ok(())
}

/// A checkpoint of one tensor, row-major.
fn one(dtype: checkpoint::Dtype, shape: &[usize], bytes: Vec<u8>) -> Result<Checkpoint, Error> {
    let tensor =
        checkpoint::Tensor { dtype, shape: shape.to_vec(), strides: contiguous_strides(shape), offset: 0 };
    Checkpoint::new(bytes, [("one".to_owned(), tensor)].into(), Config::default())
}

/// A model of these tensors, and the convolution of its stem.
fn stem_of(tensors: &[Tensor]) -> (Model, Conv) {
    let model = load(file(tensors, None)).unwrap();
    let network = model.network(32, 32).unwrap();
    let Op::Conv(conv) = network.steps[0].op.clone() else { panic!("the first step is the stem") };
    (model, conv)
}

#[track_caller]
fn bad_model(result: Result<(), Error>, words: &str) {
    let error = result.unwrap_err();
    assert_eq!(error.code(), "bad-model");
    assert!(error.to_string().contains(words), "expected `{words}`, found: {error}");
}

#[track_caller]
fn refused(bytes: Vec<u8>, words: &str) {
    bad_model(load(bytes).map(|_| ()), words);
}

#[test]
fn a_whole_file_loads() {
    let model = load(file(&tensors(), None)).unwrap();
    assert_eq!(model.architecture, tiny());
    assert_eq!(model.labels, ["class 0", "class 1", "class 2", "class 3", "class 4"]);
    load_and_fold(file(&tensors(), None)).unwrap();
}

#[test]
fn batch_norms_are_folded() {
    let (model, conv) = stem_of(&tensors());
    let folded = model.checkpoint.folded(&conv, 32).unwrap();
    let read = |key: &str| model.checkpoint.read(key).unwrap();
    let (weight, gamma, beta) = (read("conv1.weight"), read("bn1.weight"), read("bn1.bias"));
    let (mean, variance) = (read("bn1.running_mean"), read("bn1.running_var"));
    for o in 0..32 {
        let scale = f64::from(gamma[o]) / (f64::from(variance[o]) + 1e-5).sqrt();
        let close = |got: f32, want: f64| (f64::from(got) - want).abs() <= 2e-7 * want.abs().max(1e-3);
        assert!(close(folded.bias[o], f64::from(beta[o]) - f64::from(mean[o]) * scale));
        let filter = 27 * o..27 * (o + 1);
        for (&got, &weight) in folded.weight[filter.clone()].iter().zip(&weight[filter]) {
            assert!(close(got, f64::from(weight) * scale));
        }
    }
}

#[test]
fn half_precision_is_read_exactly() {
    let narrow = |tensor: &Tensor| Tensor {
        dtype: Dtype::F16,
        data: (tensor.data.chunks_exact(4))
            .flat_map(|bytes| f16::from_f32(f32::from_le_bytes(bytes.try_into().unwrap())).to_le_bytes())
            .collect(),
        ..tensor.clone()
    };
    let narrowed: Vec<Tensor> = tensors().iter().map(narrow).collect();
    let model = load(file(&narrowed, None)).unwrap();
    let wide = load(file(&tensors(), None)).unwrap();
    let (got, want) =
        (model.checkpoint.read("fc.weight").unwrap(), wide.checkpoint.read("fc.weight").unwrap());
    assert!(got.iter().zip(&want).all(|(&got, &want)| got == f16::from_f32(want).to_f32()));
}

#[test]
fn every_half_is_read_as_it_is() {
    let halves: Vec<f16> = (0..=u16::MAX).map(f16::from_bits).collect();
    let read = |halves: &[f16]| {
        let bytes = halves.iter().flat_map(|half| half.to_le_bytes()).collect();
        one(checkpoint::Dtype::F16, &[halves.len()], bytes).unwrap().read("one")
    };
    let (finite, others): (Vec<f16>, Vec<f16>) = halves.into_iter().partition(|half| half.is_finite());
    let same = |(half, read): (&f16, &f32)| half.to_f32().to_bits() == read.to_bits();
    assert!(finite.iter().zip(&read(&finite).unwrap()).all(same));
    for half in others {
        assert!(matches!(read(&[half]), Err(Error::NotFinite { index: 0, .. })), "{half}");
    }
}

#[test]
fn every_type_is_read() {
    use g_ghostnet::checkpoint::Dtype;
    fn stored<const N: usize>(numbers: [[u8; N]; 3]) -> (usize, Vec<u8>) {
        (N, numbers.concat())
    }
    let numbers = [-3.0f32, 0.5, 100.0];
    let whole = [-3.0, 0.0, 100.0];
    for (dtype, (size, bytes), expected) in [
        (Dtype::F16, stored(numbers.map(|v| f16::from_f32(v).to_le_bytes())), numbers),
        (Dtype::Bf16, stored(numbers.map(|v| half::bf16::from_f32(v).to_le_bytes())), numbers),
        (Dtype::F32, stored(numbers.map(f32::to_le_bytes)), numbers),
        (Dtype::F64, stored(numbers.map(|v| f64::from(v).to_le_bytes())), numbers),
        (Dtype::I64, stored(whole.map(|v: f32| (v as i64).to_le_bytes())), whole),
        (Dtype::I8, stored(whole.map(|v: f32| (v as i8).to_le_bytes())), whole),
    ] {
        assert_eq!(dtype.size(), size);
        assert_eq!(one(dtype, &[3], bytes.clone()).unwrap().read("one").unwrap(), expected, "{dtype:?}");
        assert_eq!(
            one(dtype, &[4], bytes).unwrap_err().code(),
            "bad-model",
            "{dtype:?}: one element too many"
        );
    }
}

#[test]
fn a_tensor_says_where_it_lies() {
    let tensor = |shape: &[usize], strides: &[usize]| checkpoint::Tensor {
        dtype: checkpoint::Dtype::F16,
        shape: shape.to_vec(),
        strides: strides.to_vec(),
        offset: 10,
    };
    for (shape, strides, len, place, contiguous) in [
        (&[2, 3][..], &[3, 1][..], 6, 10..22, true),
        (&[2, 3], &[1, 2], 6, 10..22, false),
        (&[2, 3], &[0, 5], 6, 10..32, false),
        (&[], &[], 1, 10..12, true),
        (&[2, 0], &[0, 1], 0, 10..10, true),
    ] {
        let tensor = tensor(shape, strides);
        let found = (tensor.len(), tensor.is_empty(), tensor.place().unwrap(), tensor.is_contiguous());
        assert_eq!(found, (len, len == 0, place, contiguous), "{tensor:?}");
    }
    for strides in [[usize::MAX, 1], [usize::MAX / 2, usize::MAX / 2]] {
        assert_eq!(tensor(&[3, 3], &strides).place(), None);
    }
    let bytes: Vec<u8> = (0..12).collect();
    assert_eq!(tensor(&[2, 3], &[1, 2]).row_major(&bytes), [0, 1, 4, 5, 8, 9, 2, 3, 6, 7, 10, 11]);
}

#[test]
fn bytes_may_be_shared_four_times() {
    let shared = |elements: usize| {
        let tensor = checkpoint::Tensor {
            dtype: checkpoint::Dtype::F32,
            shape: vec![elements],
            strides: vec![0],
            offset: 0,
        };
        let tensors = ["a", "b"].map(|name| (name.to_owned(), tensor.clone())).into();
        Checkpoint::new(vec![0; 16], tensors, Config::default()).map(|_| ())
    };
    shared(8).unwrap();
    bad_model(
        shared(9),
        "tensors have 72 bytes if each is stored for itself, expected at most 4 times the file's 16",
    );
}

#[test]
fn a_header_may_have_a_mebibyte() {
    let header = |length: usize| hostile::safetensors(&("{}".to_owned() + &" ".repeat(length - 2)), 0);
    refused(header(1 << 20), "no network this library knows");
    refused(header((1 << 20) + 1), "expected at most 1048576");
}

#[test]
fn weights_pass_from_module_to_module_as_numbers() {
    let (model, conv) = stem_of(&tensors());
    let scaled = model.checkpoint.scaled(&conv, 32).unwrap();
    assert_eq!(
        (scaled.weight.len(), scaled.scale.len(), scaled.shift.len(), scaled.half),
        (864, 32, 32, false)
    );
    assert!(scaled.scale != scaled.shift);
    for half in [false, true] {
        let scaled = Scaled { half, ..scaled.clone() };
        assert_eq!(Scaled::from_numbers(scaled.clone().into_numbers(), 32).unwrap(), scaled);
    }
    assert_eq!(Scaled::from_numbers(vec![], 1), None);
    assert_eq!(Scaled::from_numbers(vec![1.0; 4], 2), None);
    let none = Scaled { weight: vec![], scale: vec![1.0; 2], shift: vec![1.0; 2], half: true };
    assert_eq!(Scaled::from_numbers(vec![1.0; 5], 2), Some(none));
}

#[test]
fn some_filters_are_those_of_the_whole() {
    let (model, conv) = stem_of(&tensors());
    let (folded, folding) =
        (model.checkpoint.folded(&conv, 32).unwrap(), model.checkpoint.folding(&conv, 32).unwrap());
    assert_eq!(folding.filter_len(), 27);
    assert_eq!(folding.bias(), folded.bias);
    for range in [0..32, 0..1, 5..9, 31..32, 7..7] {
        let filters = folding.filters(range.clone()).unwrap();
        assert_eq!(filters, folded.weight[27 * range.start..27 * range.end], "{range:?}");
    }
    // What is wrong in a part is named by its place in the whole.
    let nan =
        changed("conv1.weight", |tensor| tensor.data[400..404].copy_from_slice(&f32::NAN.to_le_bytes()));
    let (model, conv) = stem_of(&nan);
    let folding = model.checkpoint.folding(&conv, 32).unwrap();
    folding.filters(0..3).unwrap();
    bad_model(folding.filters(3..4).map(|_| ()), "`conv1.weight` holds NaN at index 100");
}

/// From its end to its beginning: what lies behind a number that is none has left it by then.
#[test]
fn weights_that_are_taken_leave_the_file() {
    let nan = changed("layer3.base.conv1.weight", |tensor| {
        tensor.data[..4].copy_from_slice(&f32::NAN.to_le_bytes());
    });
    let mut model = load(file(&nan, None)).unwrap();
    let network = model.network(32, 32).unwrap();
    let is_of_step =
        |name: &str| name.starts_with("layer3.base.conv1.") || name.starts_with("layer3.base.bn1.");
    let ends = |wanted: bool| {
        let tensors = model.checkpoint.tensors().iter().filter(move |(name, _)| is_of_step(name) == wanted);
        tensors.map(|(_, tensor)| tensor.place().unwrap().end)
    };
    let end = ends(true).max().unwrap();
    assert!(ends(false).any(|other| other > end) && ends(false).any(|other| other < end));
    assert!(cpu::Weights::take(&network, &mut model.checkpoint).is_err());
    assert_eq!(model.checkpoint.size_bytes(), end);
}

#[test]
fn missing_and_unknown_keys_are_all_named() {
    let mut tensors = tensors();
    tensors.retain(|tensor| tensor.name != "layer3.end.bn2.bias" && tensor.name != "layer4.0.bn3.bias");
    tensors[3].name += ".ema";
    let Err(Error::WrongKeys { network, missing, unknown }) = load(file(&tensors, None)) else {
        panic!("expected wrong keys")
    };
    assert_eq!(network, "g_ghost_regnetx_custom");
    assert_eq!(missing, ["bn1.running_mean", "layer3.end.bn2.bias", "layer4.0.bn3.bias"]);
    assert_eq!(unknown, ["bn1.running_mean.ema"]);
    refused(file(&tensors, None), "3 keys are missing: `bn1.running_mean`");
}

#[test]
fn counters_of_batch_norms_are_no_unknown_keys() {
    let mut tensors = tensors();
    let name = "bn1.num_batches_tracked".to_owned();
    tensors.push(Tensor { name, shape: vec![], dtype: Dtype::I64, data: vec![0; 8] });
    load(file(&tensors, None)).unwrap();
}

#[test]
fn a_wrong_shape_is_named() {
    let tensors = changed("layer3.end.conv1.weight", |tensor| tensor.shape = vec![8, 32, 1, 1]);
    refused(
        file(&tensors, None),
        "`layer3.end.conv1.weight` has shape [8, 32, 1, 1], expected [16, 16, 1, 1]",
    );
}

#[test]
fn integers_and_unknown_types_are_refused() {
    let tensors = changed("bn1.bias", |tensor| (tensor.dtype, tensor.data) = (Dtype::I64, vec![0; 8 * 32]));
    refused(file(&tensors, None), "`bn1.bias` holds integers");
    let tensors = changed("bn1.bias", |tensor| (tensor.dtype, tensor.data) = (Dtype::U8, vec![0; 32]));
    refused(file(&tensors, None), "`bn1.bias` in the checkpoint is a tensor of dtype U8");
}

#[test]
fn numbers_that_are_none_are_named() {
    for (value, printed) in [(f32::NAN, "NaN"), (f32::INFINITY, "inf"), (f32::NEG_INFINITY, "-inf")] {
        let tensors = changed("layer2.0.conv2.weight", |tensor| {
            tensor.data[4 * 7..4 * 8].copy_from_slice(&value.to_le_bytes());
        });
        let words = format!("`layer2.0.conv2.weight` holds {printed} at index 7");
        bad_model(load_and_fold(file(&tensors, None)), &words);
    }
}

#[test]
fn a_negative_variance_is_refused() {
    let tensors = changed("layer3.cheap.1.running_var", |tensor| {
        tensor.data[4..8].copy_from_slice(&(-1f32).to_le_bytes());
    });
    bad_model(load_and_fold(file(&tensors, None)), "`layer3.cheap.1.running_var` holds -1 at index 1");
}

#[test]
fn a_file_that_ends_early_or_late_is_refused() {
    let bytes = file(&tensors(), None);
    for length in [0, 1, 7, 8, 9, 100, bytes.len() / 2, bytes.len() - 1] {
        refused(bytes[..length].to_vec(), "");
    }
    refused(vec![], "the model has 0 bytes");
    refused(bytes[..7].to_vec(), "was it downloaded whole?");
    refused([bytes, vec![0]].concat(), "");
}

#[test]
fn a_web_page_is_told_from_a_model() {
    refused(b"<!DOCTYPE html><html>404</html>".to_vec(), "a web page");
    refused(b"<?xml version='1.0'?><Error/>".to_vec(), "a web page");
}

#[test]
fn other_files_are_no_models() {
    refused(b"\x89PNG\r\n\x1a\n and so on".to_vec(), "not a model");
    refused(b"{\"an\": \"object\"}".to_vec(), "not a model");
}

#[test]
fn a_huge_header_is_refused_before_it_is_read() {
    for length in [(1u64 << 20) + 1, 1 << 40, u64::MAX] {
        refused([&length.to_le_bytes()[..], b"{}"].concat(), "expected at most 1048576");
    }
}

#[test]
fn headers_that_lie_are_refused() {
    for header in [
        r#"{"w":{"dtype":"F32","shape":[4],"data_offsets":[0,99]}}"#,
        r#"{"w":{"dtype":"F32","shape":[4],"data_offsets":[16,0]}}"#,
        r#"{"w":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,16]}}"#,
        r#"{"w":{"dtype":"F32","shape":[4],"data_offsets":[0,16]},"w":{"dtype":"F32","shape":[0],"data_offsets":[16,16]}}"#,
        r#"{"w":{"dtype":"F32","shape":[3],"data_offsets":[0,16]}}"#,
        r#"{"w":{"dtype":"F32","shape":[3],"data_offsets":[4,16]}}"#,
        r#"{"w":{"dtype":"F32","shape":[-1],"data_offsets":[0,16]}}"#,
        r#"{"w":"#,
        "not json",
    ] {
        refused(hostile::safetensors(header, 16), "safetensors");
    }
}

#[test]
fn labels_must_be_as_many_as_classes() {
    let labels = |count: usize| Some((0..count).map(|i| format!("label {i}")).collect::<Vec<_>>());
    let bytes = file(&tensors(), None);
    let options = Options { labels: labels(CLASSES), ..Options::default() };
    assert_eq!(Model::from_bytes(bytes.clone(), &options).unwrap().labels[4], "label 4");
    let options = Options { labels: labels(CLASSES + 1), ..Options::default() };
    bad_model(Model::from_bytes(bytes, &options).map(|_| ()), "6 labels for a classifier of 5 classes");
    refused(file(&tensors(), Some(r#"{"classes":["a","b"]}"#)), "2 labels for a classifier of 5 classes");
}

#[test]
fn configs_that_are_wrong_are_refused() {
    for (config, words) in [
        ("{", "not valid"),
        (r#"{"colour":"red"}"#, "unknown field `colour`"),
        (r#"{"variant":"g_ghost_regnetx_999"}"#, "unknown variant `g_ghost_regnetx_999`"),
        (r#"{"depths":[1,1,3,1]}"#, "expected all three"),
        (r#"{"variant":"g_ghost_regnetx_002"}"#, "does not fit g_ghost_regnetx_002"),
        (r#"{"depths":[1,1,3,0],"widths":[8,8,16,16],"groupWidth":8}"#, "the depth of stage 4 is 0"),
    ] {
        refused(file(&tensors(), Some(config)), words);
    }
}

#[test]
fn a_variant_that_does_not_fit_or_exist_is_refused() {
    let with = |variant: &str| {
        let options = Options { variant: Some(variant.into()), ..Options::default() };
        Model::from_bytes(file(&tensors(), None), &options).map(|_| ())
    };
    bad_model(with("vgg16"), "unknown variant `vgg16`");
    bad_model(with("resnet18"), "does not fit resnet18");
}

#[test]
fn checkpoints_of_other_networks_are_refused() {
    let one = |name: &str, shape: &[usize]| Tensor {
        name: name.into(),
        shape: shape.to_vec(),
        dtype: Dtype::F32,
        data: vec![0; 4 * shape.iter().product::<usize>()],
    };
    refused(file(&[one("features.0.weight", &[8, 3, 3, 3])], None), "no network this library knows");
    refused(file(&[], None), "no network this library knows");
    let mut tensors = tensors();
    tensors.retain(|tensor| !tensor.name.starts_with("fc"));
    refused(file(&tensors, None), "no classifier");
    let depthless = Network::new(&architecture("resnet18"), 2, 32, 32).unwrap();
    let checkpoint = recipe_checkpoint(&depthless, "", str::to_owned, Config::default()).unwrap();
    assert!(recognise::architecture(&checkpoint, None).is_ok());
}

#[test]
fn prefixes_of_wrapped_networks_are_dropped() {
    for prefix in ["module.", "_orig_mod.", "module._orig_mod."] {
        let mut tensors = tensors();
        tensors.iter_mut().for_each(|tensor| tensor.name.insert_str(0, prefix));
        assert_eq!(load(file(&tensors, None)).unwrap().architecture, tiny());
    }
}

/// A tensor that lies outside the file can come from a format's reader only, which checks it too.
#[test]
fn tensors_outside_the_file_are_refused() {
    use g_ghostnet::checkpoint::{Dtype, Tensor};
    let tensor = Tensor { dtype: Dtype::F32, shape: vec![2, 2], strides: vec![2, 1], offset: 0 };
    let checkpoint = |tensor: Tensor, bytes: usize| {
        Checkpoint::new(vec![0; bytes], [("w".to_owned(), tensor)].into(), Config::default()).map(|_| ())
    };
    checkpoint(tensor.clone(), 16).unwrap();
    bad_model(checkpoint(tensor.clone(), 15), "outside the file");
    bad_model(checkpoint(Tensor { offset: 1, ..tensor.clone() }, 16), "outside the file");
    bad_model(checkpoint(Tensor { offset: usize::MAX, ..tensor.clone() }, 16), "outside the file");
    bad_model(checkpoint(Tensor { strides: vec![usize::MAX, 1], ..tensor.clone() }, 16), "outside the file");
    bad_model(checkpoint(Tensor { strides: vec![1], ..tensor.clone() }, 16), "outside the file");
    bad_model(
        checkpoint(Tensor { shape: vec![1 << 20, 4], strides: vec![0, 0], ..tensor }, 16),
        "times the file",
    );
}
