//! What is said of logits: probabilities and `known`, against PyTorch, and what a file may say of them.

use g_ghostnet::confidence::{Known, probabilities};
use g_ghostnet::config::Config;
use serde::Deserialize;

#[derive(Deserialize)]
struct Case {
    logits: Vec<Vec<f32>>,
    temperature: f64,
    probabilities: Vec<Vec<f64>>,
    known: Vec<Expected>,
}

#[derive(Deserialize)]
struct Expected {
    rule: Known,
    of: Vec<f64>,
}

/// Rounding to f32 is off by half a unit in the last place, 2^-24 of the value; f64's own errors, of some units of
/// 2^-53 grown by exp of at most some hundred, are far below it.
fn same(got: f32, want: f64) -> bool {
    (f64::from(got) - want).abs() <= want.abs() * 2f64.powi(-23) + f64::from(f32::MIN_POSITIVE)
}

#[test]
fn probabilities_and_known_are_pytorchs() {
    let text = std::fs::read_to_string("tests/golden/confidence.json").unwrap();
    let cases: Vec<Case> = serde_json::from_str(&text).unwrap();
    let mut compared = 0;
    for case in &cases {
        for (picture, logits) in case.logits.iter().enumerate() {
            let got = probabilities(logits, case.temperature);
            assert_eq!(got.len(), logits.len());
            for (&got, &want) in got.iter().zip(&case.probabilities[picture]) {
                assert!(same(got, want), "a probability is {got}, not {want}");
            }
            for Expected { rule, of } in &case.known {
                let got = rule.of(logits, case.temperature);
                assert!(same(got, of[picture]), "{rule:?}: known is {got}, not {}", of[picture]);
                compared += 1;
            }
        }
    }
    assert_eq!(compared, 24);
}

#[test]
fn what_makes_no_sense_is_refused() {
    let good =
        r#"{"temperature": 0.8, "known": {"score": "energy", "location": 5, "scale": 2, "threshold": 0.3}}"#;
    let config = Config::from_json(good).unwrap();
    assert_eq!(Config::from_json(&config.to_json()).unwrap(), config);
    for (from, to) in [
        ("0.8", "0"),
        ("0.8", "-1"),
        ("0.8", "1e9"),
        ("0.8", "\"warm\""),
        ("energy", "mood"),
        ("\"location\": 5, ", ""),
        ("\"scale\": 2", "\"scale\": 0"),
        ("\"scale\": 2", "\"scale\": -2"),
        ("\"threshold\": 0.3", "\"threshold\": 1.1"),
        ("\"threshold\": 0.3", "\"threshold\": -0.1"),
        ("\"threshold\": 0.3", "\"threshold\": 0.3, \"mood\": 1"),
    ] {
        let bad = good.replace(from, to);
        assert_ne!(bad, good);
        assert_eq!(Config::from_json(&bad).unwrap_err().code(), "bad-model", "{bad}");
    }
}
