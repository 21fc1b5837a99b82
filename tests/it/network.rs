//! Whole networks against PyTorch: logits and every tap of the reference files.

use crate::support::reference::{LIMIT, Outputs, Reference};
use g_ghostnet::arch::Op;
use g_ghostnet::fold::Scaled;
use g_ghostnet::model::{Model, Options, Outline, self_test_input};
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

/// Those of networks of up to 30 million parameters under the names of their own library. Larger ones have no step that
/// these do not have, and names are the reader's and no engine's.
pub fn light_files() -> Vec<std::path::PathBuf> {
    let light = |file: &std::path::PathBuf| {
        let reference = Reference::from_file(file).unwrap();
        let renamed = reference.library.is_some() || !reference.body.is_empty();
        !renamed && reference.params.is_none_or(|params| params <= 30_000_000)
    };
    files().into_iter().filter(light).collect()
}

/// Those of the light ones whose input is small: with these, the kernels that an adapter in software is slowest with
/// take seconds.
pub fn small_files() -> Vec<std::path::PathBuf> {
    let pixels =
        |file: &std::path::PathBuf| Reference::from_file(file).unwrap().input.iter().product::<usize>();
    light_files().into_iter().filter(|file| pixels(file) <= 3 * 2 * 64 * 96).collect()
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
        let input = self_test_input(side);
        let mut session = CpuSession::new(&model, 1).unwrap();
        let logits = session.run(&input, [1, 3, side, side], &[] as &[&str]).unwrap().logits;
        assert_eq!(logits.len(), golden.len(), "{}", path.display());
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
    for file in light_files() {
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

/// What goes from the module that reads models to the one that computes on a graphics card.
#[test]
fn outlines_and_weights_cross_the_border_between_modules_unchanged() {
    for file in light_files() {
        let model = Reference::from_file(&file).unwrap().model().unwrap();
        let outline = model.outline();
        let bytes = postcard::to_allocvec(&outline).unwrap();
        let again: Outline = postcard::from_bytes(&bytes).unwrap();
        assert_eq!(again, outline, "{}", file.display());
        let network = again.network(64, 64).unwrap();
        assert_eq!(network, model.network(64, 64).unwrap());
        assert!(postcard::from_bytes::<Outline>(&bytes[..bytes.len() - 1]).is_err());
        for step in &network.steps {
            let Op::Conv(conv) = &step.op else { continue };
            let mut scaled = model.checkpoint.scaled(conv, step.y.channels).unwrap();
            for half in [false, true] {
                scaled.half = half;
                let numbers = scaled.clone().into_numbers();
                assert_eq!(Scaled::from_numbers(numbers, step.y.channels).as_ref(), Some(&scaled));
            }
        }
    }
    assert_eq!(Scaled::from_numbers(vec![], 0), None);
    assert_eq!(Scaled::from_numbers(vec![1.0; 8], 4), None);
}
