//! Networks without a part of themselves, against PyTorch with the same parts replaced by hooks; and random
//! twins.

use crate::support::reference::{LIMIT, Outputs, Reference, recipe_checkpoint, unit};
use g_ghostnet::ablation::{Ablation, ablate};
use g_ghostnet::arch::{Architecture, StageKind};
use g_ghostnet::checkpoint::{Checkpoint, Dtype, Tensor, contiguous_strides, safetensors_layout};
use g_ghostnet::config::{Config, architecture_of_variant};
use g_ghostnet::model::{Model, Options};
use g_ghostnet::quantize::Calibration;
use g_ghostnet::session::CpuSession;
use g_ghostnet::twin::{Twin, random_twin};
#[cfg(feature = "gpu")]
use g_ghostnet::{gpu::Gpu, gpu::kernels::Target, session::GpuSession};
use half::f16;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::PathBuf;

#[derive(Deserialize)]
struct Edits {
    ablations: Vec<Edit>,
}

#[derive(Deserialize)]
#[serde(tag = "kind", rename_all = "camelCase", rename_all_fields = "camelCase")]
enum Edit {
    GhostOff { stage: String },
    MergeOff { stage: String },
    GhostFit { stage: String, name: String, channels_in: usize },
    ChannelOff { tap: String, channel: usize },
}

impl Edit {
    fn ablation(self, model: &Model) -> Ablation {
        match self {
            Edit::GhostOff { stage } => Ablation::GhostOff { stage },
            Edit::MergeOff { stage } => Ablation::MergeOff { stage },
            Edit::ChannelOff { tap, channel } => Ablation::ChannelOff { tap, channel },
            Edit::GhostFit { stage, name, channels_in } => {
                let network = model.network(64, 64).unwrap();
                let cheap = network.stages.iter().find(|known| known.name == stage).unwrap().cheap;
                let scale = (3.0 / channels_in as f32).sqrt();
                let numbers = |part: &str, count: usize, scale: f32| -> Vec<f32> {
                    unit(&format!("{name}.{part}"), count).iter().map(|u| u * scale).collect()
                };
                let weight = numbers("weight", cheap * channels_in, scale);
                Ablation::GhostFit { stage, weight, bias: numbers("bias", cheap, 0.1) }
            }
        }
    }
}

fn files() -> Vec<PathBuf> {
    let mut files: Vec<_> =
        std::fs::read_dir("tests/golden/ablation").unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(files.len() >= 11, "the reference files are part of the project");
    files
}

/// The reference with the model that its edits make, which also passed through a file.
fn ablated(file: &PathBuf) -> (Reference, Model) {
    let reference = Reference::from_file(file).unwrap();
    let Edits { ablations } = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    let model = reference.model().unwrap();
    let ablations: Vec<_> = ablations.into_iter().map(|edit| edit.ablation(&model)).collect();
    (reference, reloaded(&ablate(model, &ablations).unwrap()))
}

fn reloaded(model: &Model) -> Model {
    let (mut file, tensors) = safetensors_layout(model.checkpoint.tensors(), &model.checkpoint.config);
    for tensor in tensors {
        file.extend_from_slice(model.checkpoint.bytes(tensor.place().unwrap()));
    }
    let reloaded = Model::from_bytes(file, &Options::default()).unwrap();
    assert_eq!(reloaded.checkpoint.config, model.checkpoint.config);
    reloaded
}

fn hold(file: &std::path::Path, reference: &Reference, outputs: g_ghostnet::session::Outputs) {
    let taps = outputs.taps.into_iter().map(|tap| tap.data).collect();
    let worst = reference.compare(&Outputs { logits: outputs.logits, taps }).unwrap();
    assert!(worst.error <= LIMIT, "{}: {worst:?}", file.display());
}

#[test]
fn ablated_networks_agree_with_pytorch_on_the_cpu() {
    for file in files() {
        let (reference, model) = ablated(&file);
        let taps = reference.tap_names().unwrap();
        let mut session = CpuSession::new(&model, 1).unwrap();
        hold(&file, &reference, session.run(&reference.image(), reference.input, &taps).unwrap());
    }
}

#[cfg(feature = "gpu")]
#[test]
fn ablated_networks_agree_with_pytorch_on_the_gpu() {
    use pollster::block_on;
    for target in [Target::Software, Target::Hardware] {
        let gpu = block_on(Gpu::request())
            .expect("a WebGPU adapter: install mesa-vulkan-drivers")
            .with_target(target);
        for file in files() {
            let (reference, model) = ablated(&file);
            let taps = reference.tap_names().unwrap();
            let mut session = block_on(GpuSession::new(&model, &gpu, |_| ())).unwrap();
            let outputs = block_on(session.run(&reference.image(), reference.input, &taps)).unwrap();
            hold(&file, &reference, outputs);
        }
    }
}

fn model(variant: &str, classes: usize) -> Model {
    let architecture = architecture_of_variant(variant).unwrap();
    let network = g_ghostnet::arch::Network::new(&architecture, classes, 64, 64).unwrap();
    let checkpoint = recipe_checkpoint(&network, "", str::to_owned, Config::default()).unwrap();
    Model::from_checkpoint(checkpoint, &Options::default()).unwrap()
}

fn channel_off(tap: &str, channel: usize) -> Ablation {
    Ablation::ChannelOff { tap: tap.into(), channel }
}

#[test]
fn a_channel_is_zero_and_the_others_of_its_tap_are_as_they_were() {
    let model = model("g_ghost_regnetx_002", 4);
    let image = unit("image", 3 * 64 * 64);
    let taps = ["layer3.layers.0", "layer3.ghost", "layer4.base"];
    let run =
        |model: &Model| CpuSession::new(model, 1).unwrap().run(&image, [1, 3, 64, 64], &taps).unwrap().taps;
    let before = run(&model);
    for (tap, before) in before.iter().enumerate() {
        let [_, channels, height, width] = before.dims;
        let planes = before.data.chunks(height * width);
        let channel = planes.map(|plane| plane.iter().any(|&v| v != 0.0)).position(|alive| alive).unwrap();
        assert!(channels > 1);
        let without = ablate(model.clone(), &[channel_off(taps[tap], channel)]).unwrap();
        let after = &run(&without)[tap];
        for (c, (before, after)) in
            before.data.chunks(height * width).zip(after.data.chunks(height * width)).enumerate()
        {
            match c == channel {
                true => assert!(after.iter().all(|&v| v == 0.0)),
                false => assert_eq!(before, after, "{} {c}", taps[tap]),
            }
        }
    }
}

#[test]
fn weights_of_eight_bits_are_edited_too() {
    let model = model("g_ghost_regnetx_002", 4);
    let mut calibration = Calibration::new(&model, 1).unwrap();
    let side = model.input.side;
    calibration.add(&unit("calibration", 3 * side * side)).unwrap();
    let small = Model::from_bytes(calibration.finish().unwrap(), &Options::default()).unwrap();
    assert!(small.checkpoint.is_quantized("layer3.cheap.0") && small.checkpoint.has_integers());
    let stage = &small.network(64, 64).unwrap().stages[2];
    let (cheap, width) = (stage.cheap, stage.width);
    let fit = Ablation::GhostFit {
        stage: "layer3".into(),
        weight: vec![0.0; cheap * width],
        bias: vec![0.25; cheap],
    };
    let image = unit("image", 3 * 64 * 64);
    let taps = ["layer3.ghost", "layer3.layers.0"];
    let run = |ablation: Ablation| {
        let model = reloaded(&ablate(small.clone(), &[ablation]).unwrap());
        CpuSession::new(&model, 1).unwrap().run(&image, [1, 3, 64, 64], &taps).unwrap().taps
    };
    assert!(run(fit)[0].data.iter().all(|&value| (value - 0.25).abs() < 1e-6));
    assert!(run(Ablation::GhostOff { stage: "layer3".into() })[0].data.iter().all(|&value| value == 0.0));
    let without = &run(channel_off("layer3.layers.0", 2))[1];
    let pixels = without.dims[2] * without.dims[3];
    assert!(without.data[2 * pixels..3 * pixels].iter().all(|&value| value == 0.0));
    assert!(without.data.iter().any(|&value| value != 0.0));
}

#[test]
fn edits_that_cannot_be_are_refused_with_a_reason() {
    let ghost = model("g_ghost_regnetx_002", 4);
    let code = |model: &Model, ablation: Ablation| {
        let error = ablate(model.clone(), &[ablation]).unwrap_err();
        assert!(error.to_string().len() > 20, "{error}");
        error.code()
    };
    let off = |stage: &str| Ablation::GhostOff { stage: stage.into() };
    let fit = |stage: &str, weight: usize, bias: usize, value: f32| Ablation::GhostFit {
        stage: stage.into(),
        weight: vec![value; weight],
        bias: vec![0.0; bias],
    };
    let stage = &ghost.network(64, 64).unwrap().stages[2];
    let (cheap, width) = (stage.cheap, stage.width);
    for (expected, ablation) in [
        ("unsupported", off("layer1")), // plain
        ("unsupported", off("layer9")),
        ("unsupported", Ablation::MergeOff { stage: "layer1".into() }),
        ("wrong-shape", fit("layer3", cheap * width, cheap - 1, 0.0)),
        ("wrong-shape", fit("layer3", cheap * (width - 1), cheap, 0.0)),
        ("wrong-shape", fit("layer3", cheap * width, cheap, f32::NAN)),
        ("wrong-shape", channel_off("layer3.base", width)),
        ("unknown-tap", channel_off("layer3.wing", 0)),
        ("unsupported", channel_off("avgpool", 0)), // a mean
    ] {
        assert_eq!(code(&ghost, ablation.clone()), expected, "{ablation:?}");
    }
    assert_eq!(code(&model("resnet18", 4), off("layer3")), "unsupported");
    // Its blocks end in a sum of their own, with no ReLU after it.
    let last = model("ghostnet_100", 4).network(64, 64).unwrap().stages[1].blocks[0].clone();
    assert_eq!(code(&model("ghostnet_100", 4), channel_off(&last, 0)), "unsupported");
}

/// Taps of every block of a model on noise.
fn see(model: &Model) -> g_ghostnet::session::Outputs {
    let stages = model.network(64, 64).unwrap().stages;
    let taps: Vec<_> = stages.iter().flat_map(|stage| stage.blocks.clone()).collect();
    let image = unit("image", 3 * 64 * 64);
    CpuSession::new(model, 1).unwrap().run(&image, [1, 3, 64, 64], &taps).unwrap()
}

#[test]
fn twins_follow_from_their_seed() {
    let model = model("g_ghost_regnetx_002", 4);
    let [first, again, other] = [1, 1, 2].map(|seed| random_twin(&model, Twin::Same, seed).unwrap());
    assert_eq!((&first.architecture, &first.labels), (&model.architecture, &model.labels));
    let outputs = see(&reloaded(&first));
    assert_eq!(outputs, see(&again));
    assert_ne!(outputs.logits, see(&other).logits);
}

#[test]
fn a_twin_is_as_wide_as_its_model() {
    let wide = model("g_ghost_regnetx_002", 4);
    let (mut bytes, mut tensors) = (Vec::new(), BTreeMap::new());
    for (name, tensor) in wide.checkpoint.tensors() {
        let (offset, values) = (bytes.len(), wide.checkpoint.read(name).unwrap());
        bytes.extend(values.iter().flat_map(|&value| f16::from_f32(value).to_le_bytes()));
        let strides = contiguous_strides(&tensor.shape);
        tensors
            .insert(name.clone(), Tensor { dtype: Dtype::F16, shape: tensor.shape.clone(), strides, offset });
    }
    let checkpoint = Checkpoint::new(bytes, tensors, Config::default()).unwrap();
    let half = Model::from_checkpoint(checkpoint, &Options::default()).unwrap();
    let [wide, half] =
        [wide, half].map(|model| reloaded(&random_twin(&model, Twin::Same, 1).unwrap()).checkpoint);
    for (name, tensor) in half.tensors() {
        let is_filter = tensor.shape.len() == 4;
        assert_eq!(tensor.dtype, if is_filter { Dtype::F16 } else { Dtype::F32 }, "{name}");
        assert_eq!(wide.dtype(name), Some(Dtype::F32), "{name}");
        let stored = |value: f32| if is_filter { f16::from_f32(value).to_f32() } else { value };
        let expected: Vec<f32> = wide.read(name).unwrap().into_iter().map(stored).collect();
        assert_eq!(half.read(name).unwrap(), expected, "{name}");
    }
}

#[test]
fn twins_neither_fade_nor_explode() {
    for variant in ["g_ghost_regnetx_016", "regnetx_004", "resnet18", "ghostnet_100"] {
        for tap in see(&random_twin(&model(variant, 4), Twin::Same, 1).unwrap()).taps {
            let n = tap.data.len() as f64;
            let mean = tap.data.iter().map(|&v| f64::from(v)).sum::<f64>() / n;
            let deviation = (tap.data.iter().map(|&v| (f64::from(v) - mean).powi(2)).sum::<f64>() / n).sqrt();
            assert!((0.1..4.0).contains(&deviation), "{variant} {}: {deviation}", tap.name);
        }
    }
}

#[test]
fn the_plain_twin_is_the_published_regnetx() {
    // torchvision's regnet_x_3_2gf has 15,296,552 parameters with 1,000 classes.
    let twin = random_twin(&model("g_ghost_regnetx_032", 1000), Twin::Plain, 1).unwrap();
    let network = reloaded(&twin).network(224, 224).unwrap();
    assert_eq!((network.name.as_str(), network.params()), ("regnetx_032", 15_296_552));
    assert!(network.stages.iter().all(|stage| stage.kind == StageKind::Plain));
    assert!(matches!(twin.architecture, Architecture::RegNet(ref regnet) if regnet.ghost.is_none()));
    assert_eq!(random_twin(&model("resnet18", 4), Twin::Plain, 1).unwrap_err().code(), "unsupported");
}
