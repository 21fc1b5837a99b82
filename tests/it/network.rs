//! Whole networks against PyTorch: logits and every tap of the reference files.

use crate::support::reference::{LIMIT, Outputs, Reference};
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
        let outputs = session
            .run(&model, &reference.image(), reference.input, &reference.tap_names().unwrap())
            .unwrap();
        let taps = outputs.taps.into_iter().map(|tap| tap.data).collect();
        let worst = reference.compare(&Outputs { logits: outputs.logits, taps }).unwrap();
        assert!(worst.error <= LIMIT, "{}: {} is off by {:.2e}", file.display(), worst.tap, worst.error);
    }
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
            session.run(&model, &reference.image(), reference.input, &taps).unwrap()
        };
        let alone = run(1);
        for threads in [2, 7] {
            // Not `assert_eq`, which would print millions of numbers.
            assert!(run(threads) == alone, "{} with {threads} threads", file.display());
        }
    }
}
