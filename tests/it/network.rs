//! Whole networks against PyTorch: logits and every tap of the reference files.

use crate::support::reference::{LIMIT, Outputs, Reference};
use g_ghostnet::model::{Model, Options};
use g_ghostnet::session::CpuSession;

/// Every reference file of the project.
pub fn files() -> Vec<std::path::PathBuf> {
    let mut files: Vec<_> = std::fs::read_dir("tests/golden/reference")
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .collect();
    files.sort();
    assert!(files.len() >= 4, "the reference files are part of the project");
    files
}

#[test]
fn cpu_engine_agrees_with_pytorch() {
    for file in files() {
        let reference = Reference::from_file(&file).unwrap();
        let model = reference.model().unwrap();
        if let Some(params) = reference.params {
            assert_eq!(model.network(224, 224).unwrap().params(), params, "{}", file.display());
        }
        let mut session = CpuSession::new(&model, 1).unwrap();
        let outputs =
            session.run(&reference.image(), reference.input, &reference.tap_names().unwrap()).unwrap();
        let taps = outputs.taps.into_iter().map(|tap| tap.data).collect();
        let worst = reference.compare(&Outputs { logits: outputs.logits, taps }).unwrap();
        assert!(worst.error <= LIMIT, "{}: {} is off by {:.2e}", file.display(), worst.tap, worst.error);
    }
}

/// The self-test that runs on every device: the logits in a model file, of numbers that all make alike.
#[test]
fn bundled_models_agree_with_their_golden_logits() {
    let mut models = 0;
    for entry in std::fs::read_dir("models").unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "safetensors") {
            continue;
        }
        let model = Model::from_bytes(std::fs::read(&path).unwrap(), &Options::default()).unwrap();
        let golden = model.checkpoint.config.golden.clone().expect("train/export.py writes golden logits");
        let side = model.input.side;
        let mut state = 1u32;
        let input: Vec<f32> = std::iter::repeat_with(|| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (f64::from(state) / f64::from(1 << 30) - 2.0) as f32
        })
        .take(3 * side * side)
        .collect();
        let mut session = CpuSession::new(&model, 1).unwrap();
        let logits = session.run(&input, [1, 3, side, side], &[] as &[&str]).unwrap().logits;
        let largest = golden.iter().fold(0f32, |most, value| most.max(value.abs()));
        for (got, want) in logits.iter().zip(&golden) {
            assert!((got - want).abs() <= LIMIT as f32 * largest, "{}: {got}, not {want}", path.display());
        }
        models += 1;
    }
    assert!(models > 0, "the project has a bundled model");
}

#[test]
fn any_number_of_threads_gives_the_same_bits() {
    for file in files() {
        let reference = Reference::from_file(&file).unwrap();
        let model = reference.model().unwrap();
        let taps = reference.tap_names().unwrap();
        let run = |threads| {
            let mut session = CpuSession::new(&model, threads).unwrap();
            assert_eq!(session.threads(), threads);
            session.run(&reference.image(), reference.input, &taps).unwrap()
        };
        let alone = run(1);
        for threads in [2, 7] {
            // Not `assert_eq`, which would print millions of numbers.
            assert!(run(threads) == alone, "{} with {threads} threads", file.display());
        }
    }
}
