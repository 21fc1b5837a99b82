//! Weights of eight bits: the file, the integers and what they cost.

use crate::kernels::hold_steps;
use crate::support::integers;
use crate::support::reference::{Reference, recipe_checkpoint, unit};
use g_ghostnet::Error;
use g_ghostnet::arch::{Network, Op};
use g_ghostnet::checkpoint::{Checkpoint, Dtype};
use g_ghostnet::config::{Config, architecture_of_variant};
use g_ghostnet::model::{Model, Options};
use g_ghostnet::quantize::Calibration;
use g_ghostnet::session::CpuSession;

const SIDE: usize = 64;

fn model(name: &str) -> Model {
    let architecture = architecture_of_variant(name).unwrap();
    let network = Network::new(&architecture, 10, SIDE, SIDE).unwrap();
    let checkpoint = recipe_checkpoint(&network, "", str::to_owned, Config::default()).unwrap();
    let mut model = Model::from_checkpoint(checkpoint, &Options::default()).unwrap();
    model.input.side = SIDE;
    model
}

fn image(name: &str) -> Vec<f32> {
    unit(name, 3 * SIDE * SIDE).iter().map(|value| 2.0 * value).collect()
}

fn quantized(model: &Model) -> Vec<u8> {
    let mut calibration = Calibration::new(model, 2).unwrap();
    for name in ["one", "two", "three"] {
        calibration.add(&image(name)).unwrap();
    }
    calibration.finish().unwrap()
}

#[test]
fn integers_agree_with_the_formula_step_by_step_in_every_family() {
    for name in ["g_ghost_regnetx_002", "regnetx_004", "resnet18", "ghostnet_050"] {
        let model = model(name);
        let bytes = quantized(&model);
        let small = Model::from_bytes(bytes, &Options::default()).unwrap();
        assert_eq!((&small.architecture, small.input.side), (&model.architecture, SIDE));
        let network = small.network(SIDE, SIDE).unwrap();
        let integer =
            |op: &Op| matches!(op, Op::Conv(conv) if small.checkpoint.quantized(conv).unwrap().is_some());
        let count = network.steps.iter().filter(|step| integer(&step.op)).count();
        assert!(2 * count > network.steps.len() / 3, "{name}: {count} of {} steps", network.steps.len());
        hold_steps(&network, &small.checkpoint, &image("four"));
    }
}

#[test]
fn a_model_of_eight_bits_is_a_quarter_and_near_the_one_it_was_made_from() {
    let model = model("g_ghost_regnetx_002");
    let bytes = quantized(&model);
    let header = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize + 8;
    let data = bytes.len() - header;
    let small = Model::from_bytes(bytes, &Options::default()).unwrap();
    let network = small.network(SIDE, SIDE).unwrap();
    let (mut size, mut steps, mut integer_steps) = (0, 0, 0);
    for step in &network.steps {
        let Op::Conv(conv) = &step.op else { continue };
        let key = &conv.weights.conv;
        let numbers = |name: String| small.checkpoint.shape(&name).map_or(0, |shape| shape.iter().product());
        if step.x.value == 0 {
            assert!(!small.checkpoint.is_quantized(key), "the first convolution is kept");
            size += 4 * (numbers(format!("{key}.weight")) + 4 * step.y.channels);
            continue;
        }
        // A byte a weight, a scale and a bias a channel, and the step and the zero of an input.
        assert!(small.checkpoint.is_quantized(key), "{key}");
        let input = numbers(format!("{key}.input"));
        size += numbers(format!("{key}.weight")) + 4 * (2 * step.y.channels + input);
        steps += 1;
        integer_steps += input / 2;
    }
    assert_eq!(data, size);
    let mut floats = small.clone();
    floats.checkpoint.compute_in_floats();
    assert!(small.checkpoint.has_integers() && !floats.checkpoint.has_integers());
    let run = |model: &Model, threads| {
        let mut session = CpuSession::new(model, threads).unwrap();
        session.run::<&str>(&image("four"), [1, 3, SIDE, SIDE], &[]).unwrap().logits
    };
    let exact = run(&model, 1);
    let largest = exact.iter().fold(0f32, |largest, logit| largest.max(logit.abs()));
    // A uniform weight of at most a has a deviation of a / sqrt(3), its rounding to a / 127 one of a / 127 / sqrt(12):
    // 1 / 254 of it. An input of at most six deviations, in 127 levels, is off by 6 / 127 / sqrt(12) of one. What the
    // steps add is independent, so it grows as a random walk; three deviations of that are as many as are seen.
    let (of_weights, of_inputs) = (1.0 / 254.0, 6.0 / 127.0 / 12f64.sqrt());
    let walk = |variance: f64| (3.0 * variance.sqrt()) as f32;
    let weights = steps as f64 * of_weights * of_weights;
    let inputs = integer_steps as f64 * of_inputs * of_inputs;
    for (model, limit) in [(&floats, walk(weights)), (&small, walk(weights + inputs))] {
        let off = run(model, 1).iter().zip(&exact).fold(0f32, |off, (a, b)| off.max((a - b).abs()));
        assert!(off > 0.0 && off < limit * largest, "off by {off} of {largest}");
    }
    assert!(run(&small, 3) == run(&small, 1), "threads change bits");
}

#[test]
fn integers_are_the_same_on_every_machine() {
    assert_eq!(integers::hash(&integers::run()), integers::HASH, "{:#x}", integers::hash(&integers::run()));
}

#[test]
fn taking_the_weights_out_of_the_file_changes_nothing() {
    let mut model = model("g_ghost_regnetx_002");
    let run = |session: &mut CpuSession| {
        session.run::<&str>(&image("one"), [1, 3, SIDE, SIDE], &[]).unwrap().logits
    };
    let kept = run(&mut CpuSession::new(&model, 1).unwrap());
    let mut session = CpuSession::take(&mut model, 1).unwrap();
    assert!(run(&mut session) == kept);
    assert_eq!(model.checkpoint.size_bytes(), 0, "the file's bytes are gone");
}

#[test]
fn impossible_integers_are_refused() {
    let bytes = quantized(&model("g_ghost_regnetx_002"));
    let checkpoint = Checkpoint::from_bytes(bytes.clone()).unwrap();
    let key = "layer1.0.conv1";
    assert_eq!(checkpoint.dtype(&format!("{key}.weight")), Some(Dtype::I8));
    let network = model("g_ghost_regnetx_002").network(SIDE, SIDE).unwrap();
    let is_key = |op: &Op| matches!(op, Op::Conv(conv) if conv.weights.conv == key);
    let step = network.steps.iter().find(|step| is_key(&step.op)).unwrap();
    let Op::Conv(conv) = &step.op else { unreachable!("found above") };

    let offset = checkpoint.offset(&format!("{key}.input")).unwrap();
    for [step, zero] in [
        [0.0, 0.0],
        [-1.0, 0.0],
        [f32::INFINITY, 0.0],
        [f32::NAN, 0.0],
        [1.0, 0.5],
        [1.0, -1.0],
        [1.0, 128.0],
    ] {
        let mut bytes = bytes.clone();
        bytes[offset..offset + 4].copy_from_slice(&step.to_le_bytes());
        bytes[offset + 4..offset + 8].copy_from_slice(&f32::to_le_bytes(zero));
        let error = Checkpoint::from_bytes(bytes).unwrap().quantized(conv).unwrap_err();
        assert_eq!(error.code(), "bad-model", "{error}");
    }

    let mut lacking = checkpoint.clone();
    lacking.rename(&|name| (name != "layer1.0.conv1.scale").then(|| name.to_owned()));
    let Error::WrongKeys { missing, .. } = lacking.check(&network).unwrap_err() else {
        panic!("not the keys")
    };
    assert_eq!(missing, ["layer1.0.conv1.scale"]);
}

/// The model and the logits that the tests of the page hold the browser's engines against.
#[test]
fn the_golden_model_is_what_quantizing_makes() {
    let reference = Reference::from_file("tests/golden/reference/form_released_40x56_b2.json").unwrap();
    let mut model = reference.model().unwrap();
    model.input.side = SIDE;
    let bytes = quantized(&model);
    let small = Model::from_bytes(bytes.clone(), &Options::default()).unwrap();
    // Exact in f32, and easily made anywhere.
    let input: Vec<f32> = (0..3 * SIDE * SIDE).map(|i| (i * 7919 % 1024) as f32 / 256.0 - 2.0).collect();
    let run = |model: &Model| {
        let mut session = CpuSession::new(model, 1).unwrap();
        session.run::<&str>(&input, [1, 3, SIDE, SIDE], &[]).unwrap().logits
    };
    let mut floats = small.clone();
    floats.checkpoint.compute_in_floats();
    let logits = serde_json::json!({ "int8": run(&small), "f32": run(&floats) }).to_string();
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/int8");
    for (name, made) in [("model.safetensors", bytes), ("logits.json", logits.into_bytes())] {
        if std::fs::read(folder.join(name)).is_ok_and(|golden| golden == made) {
            continue;
        }
        let other = std::env::temp_dir().join(name);
        std::fs::write(&other, made).unwrap();
        panic!(
            "{name} is another one now: if that is right, copy {} to {}",
            other.display(),
            folder.display()
        );
    }
}

/// A histogram of them would double its range for ever.
#[test]
fn numbers_without_bounds_are_refused_while_calibrating() {
    let model = model("g_ghost_regnetx_002");
    let mut calibration = Calibration::new(&model, 1).unwrap();
    for size in [1e35, f32::INFINITY] {
        let picture: Vec<f32> = image("one").iter().map(|value| value.abs() * size).collect();
        let error = calibration.add(&picture).unwrap_err();
        assert_eq!(error.code(), "bad-model", "{error}");
    }
    calibration.add(&image("one")).unwrap();
    Model::from_bytes(calibration.finish().unwrap(), &Options::default()).unwrap();
}
