//! Pre-processing against Pillow: `tests/reference/preprocess.py` made the goldens.

use g_ghostnet::Error;
use g_ghostnet::image::{Interpolation, Preprocess, Resize, preprocess};
use serde::Deserialize;

#[derive(Deserialize)]
struct Case {
    width: usize,
    height: usize,
    seed: u64,
    alpha: bool,
    rule: Preprocess,
    indices: Vec<usize>,
    values: Vec<f32>,
    pixels: Option<String>,
    fnv1a64: Option<String>,
}

fn splitmix(state: u64) -> u64 {
    let z = state.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// `[height, width, 4]`, the picture of `synthetic` in `tests/reference/pictures.py`.
fn synthetic(width: usize, height: usize, seed: u64, alpha: bool) -> Vec<u8> {
    let byte = |x: usize, y: usize, c: u64, salt: u64| {
        splitmix((seed << 40) + (y as u64 * 65536 + x as u64) * 4 + c + salt) >> 56
    };
    let mut picture = Vec::with_capacity(4 * width * height);
    for (y, x) in (0..height).flat_map(|y| (0..width).map(move |x| (y, x))) {
        for c in 0..4 {
            let value = if c == 3 && !alpha {
                255
            } else if (x + y) % 3 == 0 {
                match byte(x, y, c, 1 << 36) {
                    even if even % 2 == 0 => even,
                    odd if odd < 128 => 0,
                    _ => 255,
                }
            } else {
                byte(x / 5, y / 5, c, 0)
            };
            picture.push(value as u8);
        }
    }
    picture
}

/// Normalised `[3, side, side]` -> bytes `[side, side, 3]`; fails on a value that is no byte's.
fn bytes_from_normalised(values: &[f32], rule: &Preprocess) -> Vec<u8> {
    let plane = rule.side * rule.side;
    (0..plane)
        .flat_map(|pixel| (0..3).map(move |channel| (pixel, channel)))
        .map(|(pixel, channel)| {
            let byte = (values[channel * plane + pixel] * rule.std[channel] + rule.mean[channel]) * 255.0;
            assert!((byte - byte.round()).abs() < 1e-3, "{byte} is not a whole byte");
            byte.round() as u8
        })
        .collect()
}

fn fnv1a64(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3))
}

#[test]
fn a_rule_at_another_side_sees_the_same_part_of_the_picture() {
    let crop = Preprocess::default();
    assert_eq!(crop.at(448), Preprocess { side: 448, resize: Resize::Crop { resize_side: 512 }, ..crop });
    assert_eq!(crop.at(320).resize, Resize::Crop { resize_side: 366 }); // 365.7
    let squash = Preprocess { resize: Resize::Squash, ..crop };
    assert_eq!(squash.at(64), Preprocess { side: 64, ..squash });
    for rule in [crop, squash, Preprocess::cifar()] {
        assert_eq!(rule.at(rule.side), rule);
        assert!(rule.at(usize::MAX / 4).check().is_err());
        rule.at(640).check().unwrap();
    }
}

#[test]
fn equals_pillow_bit_for_bit() {
    let cases: Vec<Case> = serde_json::from_str(include_str!("../golden/preprocess/cases.json")).unwrap();
    assert!(cases.len() >= 25);
    for case in &cases {
        let Case { width, height, rule, .. } = case;
        let name = format!("{width} x {height}, {rule:?}");
        let picture = synthetic(*width, *height, case.seed, case.alpha);
        let values = preprocess(&picture, *width, *height, rule).unwrap();
        assert_eq!(values.len(), 3 * rule.side * rule.side, "{name}");
        let bytes = bytes_from_normalised(&values, rule);
        match (&case.pixels, &case.fnv1a64) {
            (Some(hex), None) => {
                let got: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
                assert_eq!(got, *hex, "{name}");
            }
            (None, Some(hash)) => assert_eq!(format!("{:016x}", fnv1a64(&bytes)), *hash, "{name}"),
            _ => panic!("{name}: a case has either pixels or their hash"),
        }
        for (&index, want) in case.indices.iter().zip(&case.values) {
            let got = values[index];
            assert!(
                (got - want).abs() <= 2.0 * f32::EPSILON * want.abs(),
                "{name}: [{index}] is {got}, expected {want}"
            );
        }
    }
}

#[test]
fn a_crop_computes_what_lies_in_the_middle() {
    // Rows of one grey each, black edges: the crop of the middle must not see the edges.
    let (width, height) = (40, 400);
    let grey = |y: usize| if (150..250).contains(&y) { 200 } else { 0 };
    let picture: Vec<u8> = (0..height).flat_map(|y| [grey(y), grey(y), grey(y), 255].repeat(width)).collect();
    let rule = Preprocess { side: 32, resize: Resize::Crop { resize_side: 40 }, ..Preprocess::default() };
    let values = preprocess(&picture, width, height, &rule).unwrap();
    assert!(bytes_from_normalised(&values, &rule).iter().all(|&byte| byte == 200));
}

#[test]
fn what_is_transparent_shows_white() {
    let rule = Preprocess { side: 2, resize: Resize::Squash, ..Preprocess::default() };
    let picture = [[10, 20, 30, 0], [10, 20, 30, 255], [0, 0, 0, 128], [255, 255, 255, 77]].concat();
    let values = preprocess(&picture, 2, 2, &rule).unwrap();
    let bytes = bytes_from_normalised(&values, &rule);
    assert_eq!(bytes, [[255, 255, 255], [10, 20, 30], [127, 127, 127], [255, 255, 255]].concat());
}

#[test]
fn unusable_pictures_are_refused_before_anything_is_allocated() {
    let rule = Preprocess::default();
    let refused = |rgba: &[u8], width, height| match preprocess(rgba, width, height, &rule) {
        Err(error @ Error::BadImage(_)) => {
            assert_eq!(error.code(), "bad-image");
            error.to_string()
        }
        other => panic!("{width} x {height} gave {other:?}"),
    };
    assert!(refused(&[], 0, 5).contains("empty"));
    assert!(refused(&[], 5, 0).contains("empty"));
    assert!(refused(&[0; 15], 2, 2).contains("16 bytes of RGBA, found 15"));
    assert!(refused(&[0; 17], 2, 2).contains("found 17"));
    assert!(refused(&[0; 4], 65_536, 1).contains("65536 x 1"));
    assert!(refused(&[0; 4], 16_385, 16_384).contains("reduce it first"));
    assert!(refused(&[0; 4], usize::MAX, usize::MAX).contains("reduce it first"));
}

#[test]
fn rules_that_cannot_be_carried_out_are_refused() {
    let refused = |json: &str| serde_json::from_str::<Preprocess>(json).unwrap_err().to_string();
    let rest = r#""interpolation":"bilinear","mean":[0,0,0],"std":[1,1,1]"#;
    assert!(refused(&format!(r#"{{"side":0,"resize":"squash",{rest}}}"#)).contains("input side is 0"));
    assert!(
        refused(&format!(r#"{{"side":99999,"resize":"squash",{rest}}}"#)).contains("input side is 99999")
    );
    assert!(refused(&format!(r#"{{"side":64,"resize":"crop",{rest}}}"#)).contains("needs resizeSide"));
    assert!(
        refused(&format!(r#"{{"side":64,"resize":"crop","resizeSide":63,{rest}}}"#))
            .contains("resizeSide is 63")
    );
    assert!(refused(&format!(r#"{{"side":64,"resize":"stretch",{rest}}}"#)).contains("stretch"));
    assert!(refused(&format!(r#"{{"side":64,"sides":64,"resize":"squash",{rest}}}"#)).contains("sides"));
    let zero = r#"{"side":64,"resize":"squash","interpolation":"bicubic","mean":[0,0,0],"std":[1,0,1]}"#;
    assert!(refused(zero).contains("std"));
    let rule = Preprocess { side: 64, resize: Resize::Crop { resize_side: 32 }, ..Preprocess::default() };
    assert_eq!(preprocess(&[0; 4], 1, 1, &rule).unwrap_err().code(), "bad-model");
}

#[test]
fn a_rule_reads_back_as_written() {
    let squash = Preprocess {
        side: 160,
        resize: Resize::Squash,
        interpolation: Interpolation::Bicubic,
        mean: [0.5; 3],
        std: [0.25; 3],
    };
    for rule in [squash, Preprocess::default()] {
        let json = serde_json::to_string(&rule).unwrap();
        assert_eq!(serde_json::from_str::<Preprocess>(&json).unwrap(), rule, "{json}");
    }
    let json = serde_json::to_string(&squash).unwrap();
    assert_eq!(
        json,
        r#"{"side":160,"resize":"squash","interpolation":"bicubic","mean":[0.5,0.5,0.5],"std":[0.25,0.25,0.25]}"#
    );
}
