//! Teaching new classes: against NumPy, against refitting without each picture, and what is refused.

use crate::support::reference::unit;
use g_ghostnet::checkpoint::Checkpoint;
use g_ghostnet::confidence::{Known, Score};
use g_ghostnet::model::{Model, Options, self_test_input};
use g_ghostnet::session::CpuSession;
use g_ghostnet::teach::{
    Classifier, Examples, Method, Report, Share, Study, Taught, TaughtExamples, examples_of,
};
use serde::Deserialize;

#[derive(Deserialize)]
struct Golden {
    counts: Vec<usize>,
    width: usize,
    strangers: usize,
    features: Vec<f64>,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    method: String,
    penalty: Option<f64>,
    weight: Vec<f64>,
    bias: Vec<f64>,
    logits: Vec<f64>,
    temperature: Option<f64>,
    confusion: Option<Vec<usize>>,
    own: Option<Vec<f64>>,
    rule: Option<Rule>,
}

#[derive(Deserialize)]
struct Rule {
    known: Known,
    auroc: Option<f64>,
    passed: Option<usize>,
}

fn golden(name: &str) -> Golden {
    let text = std::fs::read_to_string(format!("tests/golden/teach/{name}.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// The numbers of tests/reference/teach.py: features of pictures, class by class, and of strangers.
fn made(name: &str, counts: &[usize], width: usize, strangers: usize) -> (Vec<f32>, Vec<usize>, Vec<f32>) {
    let classes: Vec<usize> =
        counts.iter().enumerate().flat_map(|(class, &count)| std::iter::repeat_n(class, count)).collect();
    let centres = unit(&format!("{name} centres"), counts.len() * width);
    let pictures = unit(&format!("{name} pictures"), classes.len() * width);
    let feature = |(at, x): (usize, &f32)| x + 0.7 * centres[classes[at / width] * width + at % width] + 2.0;
    let features = pictures.iter().enumerate().map(feature).collect();
    let others = unit(&format!("{name} strangers"), strangers * width);
    (features, classes, others.iter().map(|x| x * 0.3 + 2.0).collect())
}

fn given(features: &[f32], classes: &[usize], width: usize) -> Examples {
    let mut examples = Examples::new(width).unwrap();
    for (row, &class) in features.chunks_exact(width).zip(classes) {
        examples.add(row, class).unwrap();
    }
    examples
}

fn report(examples: &Examples, classes: usize, method: Method, penalty: Option<f64>) -> Report {
    Study::new(examples.clone(), &[], classes, method, penalty).unwrap().report().unwrap()
}

/// Largest difference over the largest number.
fn error(got: &[f64], want: &[f64]) -> f64 {
    assert_eq!(got.len(), want.len());
    let largest = want.iter().fold(1e-30, |most: f64, x| most.max(x.abs()));
    got.iter().zip(want).fold(0.0, |worst: f64, (a, b)| worst.max((a - b).abs())) / largest
}

#[test]
fn reports_are_numpys() {
    for name in ["few", "many", "uneven", "alone"] {
        let golden = golden(name);
        let (features, classes, strangers) = made(name, &golden.counts, golden.width, golden.strangers);
        let first: Vec<f64> = features[..golden.width].iter().map(|&x| x.into()).collect();
        assert!(error(&first, &golden.features) < 1e-14, "the numbers of {name} are others");
        let examples = given(&features, &classes, golden.width);
        for case in &golden.cases {
            let method = if case.method == "ridge" { Method::Ridge } else { Method::Means };
            let study = Study::new(examples.clone(), &strangers, golden.counts.len(), method, None).unwrap();
            let report = study.report().unwrap();
            let what = format!("{name}, {method:?}");
            let judged = |logits: &[f64]| -> Vec<f64> {
                let rows = logits.chunks_exact(golden.counts.len()).zip(&classes);
                rows.filter(|(_, class)| golden.counts[**class] > 1)
                    .flat_map(|(row, _)| row)
                    .copied()
                    .collect()
            };
            assert!(error(&report.classifier.weight, &case.weight) < 1e-8, "weights of {what}");
            assert!(error(&report.classifier.bias, &case.bias) < 1e-8, "biases of {what}");
            let (got, want) = (judged(&report.logits), judged(&case.logits));
            assert!(error(&got, &want) < 1e-8, "leave-one-out of {what}");
            match (report.penalty, case.penalty) {
                (Some(got), Some(want)) => assert!((got / want - 1.0).abs() < 1e-12, "penalty of {what}"),
                (got, want) => assert_eq!(got, want, "penalty of {what}"),
            }
            let Some(temperature) = case.temperature else {
                assert_eq!(report.accuracy, Share { part: 0, whole: 0 });
                assert_eq!(report.known, None);
                continue;
            };
            assert!((report.temperature / temperature - 1.0).abs() < 1e-8, "temperature of {what}");
            assert_eq!(Some(&report.confusion), case.confusion.as_ref(), "confusion of {what}");
            let own: Vec<f64> = report.own.iter().copied().filter(|own| !own.is_nan()).collect();
            assert!(error(&own, case.own.as_ref().unwrap()) < 1e-8, "probabilities of {what}");
            check_rule(&report, case.rule.as_ref().unwrap(), &what);
        }
    }
}

fn check_rule(report: &Report, rule: &Rule, what: &str) {
    let (got, want) = (report.known.unwrap(), rule.known);
    assert_eq!(got.score, want.score, "score of {what}");
    // Newton's steps of a fit that is nearly flat end where both agree to about the root of f64's accuracy.
    for (got, want) in
        [(got.location, want.location), (got.scale, want.scale), (got.threshold, want.threshold)]
    {
        assert!((got - want).abs() <= 1e-7 * want.abs().max(1e-3), "{got}, not {want}: rule of {what}");
    }
    assert_eq!(report.rejection.map(|rejection| rejection.passed), rule.passed, "passed of {what}");
    let auroc = report.rejection.map(|rejection| rejection.auroc);
    assert!((auroc.unwrap_or(0.0) - rule.auroc.unwrap_or(0.0)).abs() < 1e-12, "AUROC of {what}");
}

/// Weighted ridge regression as its definition says, by elimination with pivots, in f64.
fn refit(
    features: &[f32],
    classes: &[usize],
    weights: &[f64],
    width: usize,
    k: usize,
    lambda: f64,
) -> Classifier {
    let side = width + 1;
    let columns = side + k;
    let mut system = vec![0.0; side * columns];
    for ((row, &class), &weight) in features.chunks_exact(width).zip(classes).zip(weights) {
        let mut with_one: Vec<f64> = row.iter().map(|&x| x.into()).collect();
        with_one.push(1.0);
        let target = |c: usize| f64::from(u8::from(c == class)) - 1.0 / k as f64;
        let right: Vec<f64> = with_one.iter().copied().chain((0..k).map(target)).collect();
        for (i, x) in with_one.iter().enumerate() {
            for (j, y) in right.iter().enumerate() {
                system[i * columns + j] += weight * x * y;
            }
        }
    }
    (0..width).for_each(|i| system[i * columns + i] += lambda);
    for pivot in 0..side {
        let best = (pivot..side)
            .max_by(|&a, &b| {
                let at = |row: usize| system[row * columns + pivot].abs();
                at(a).total_cmp(&at(b))
            })
            .unwrap();
        (0..columns).for_each(|j| system.swap(pivot * columns + j, best * columns + j));
        for row in (0..side).filter(|&row| row != pivot) {
            let factor = system[row * columns + pivot] / system[pivot * columns + pivot];
            (pivot..columns).for_each(|j| system[row * columns + j] -= factor * system[pivot * columns + j]);
        }
    }
    let solved = |i: usize, c: usize| system[i * columns + side + c] / system[i * columns + i];
    Classifier {
        weight: (0..k).flat_map(|c| (0..width).map(move |i| (i, c))).map(|(i, c)| solved(i, c)).collect(),
        bias: (0..k).map(|c| solved(width, c)).collect(),
    }
}

/// The unit of penalties, by its definition.
fn unit_of(features: &[f32], classes: &[usize], counts: &[usize], width: usize) -> f64 {
    let rows = || features.chunks_exact(width).zip(classes);
    let mean = |j: usize| {
        rows().map(|(row, &class)| f64::from(row[j]) / counts[class] as f64).sum::<f64>()
            / counts.len() as f64
    };
    let mean: Vec<f64> = (0..width).map(mean).collect();
    let square = |row: &[f32]| row.iter().zip(&mean).map(|(&x, m)| (f64::from(x) - m).powi(2)).sum::<f64>();
    let sum: f64 = rows().map(|(row, &class)| square(row) / counts[class] as f64).sum();
    sum / classes.len().min(width) as f64
}

#[test]
fn leave_one_out_is_refitting_without_each_picture() {
    // Fewer pictures than features, as many, and more; balanced and not.
    for (counts, width) in [
        (vec![2, 2], 9),
        (vec![3, 4, 2, 6], 15),
        (vec![5, 5, 5], 15),
        (vec![9, 2, 14, 3], 6),
        (vec![20, 20], 3),
    ] {
        let name = format!("{counts:?} of {width}");
        let (features, classes, _) = made(&name, &counts, width, 0);
        let examples = given(&features, &classes, width);
        let k = counts.len();
        let weights: Vec<f64> = classes.iter().map(|&class| 1.0 / counts[class] as f64).collect();
        for penalty in [1e-3, 0.1, 10.0] {
            let lambda = penalty * unit_of(&features, &classes, &counts, width);
            let got = report(&examples, k, Method::Ridge, Some(penalty));
            let whole = refit(&features, &classes, &weights, width, k, lambda);
            assert!(error(&got.classifier.weight, &whole.weight) < 1e-9, "weights of {name} at {penalty}");
            let anew = examples.clone().fit(k, Method::Ridge, penalty).unwrap();
            assert!(error(&anew.weight, &whole.weight) < 1e-9, "weights anew of {name} at {penalty}");
            assert!(error(&anew.bias, &whole.bias) < 1e-9, "biases anew of {name} at {penalty}");
            for i in 0..classes.len() {
                let mut rest = (features.clone(), classes.clone(), weights.clone());
                rest.0.drain(i * width..(i + 1) * width);
                rest.1.remove(i);
                rest.2.remove(i);
                let without = refit(&rest.0, &rest.1, &rest.2, width, k, lambda);
                let want: Vec<f64> = without.logits(&features[i * width..][..width]).collect();
                assert!(error(&got.logits[i * k..][..k], &want) < 1e-9, "picture {i} of {name} at {penalty}");
            }
        }
        let got = report(&examples, k, Method::Means, None);
        for i in 0..classes.len() {
            let mut rest = examples.clone();
            rest.remove(i).unwrap();
            let without = rest.fit(k, Method::Means, 1.0).unwrap();
            let want: Vec<f64> = without.logits(&features[i * width..][..width]).collect();
            assert!(error(&got.logits[i * k..][..k], &want) < 1e-9, "means: picture {i} of {name}");
        }
    }
}

#[test]
fn changes_leave_what_pictures_added_in_another_way_give() {
    let (counts, width) = (vec![30, 25, 40], 10);
    let (features, classes, _) = made("changes", &counts, width, 0);
    let want = given(&features, &classes, width).fit(3, Method::Ridge, 0.1).unwrap();

    // Fitted in between, with a picture of the wrong class, one too many, and then put right.
    let mut examples = Examples::new(width).unwrap();
    for (i, (row, &class)) in features.chunks_exact(width).zip(&classes).enumerate() {
        examples.add(row, if i == 7 { 2 } else { class }).unwrap();
        if i == 20 {
            examples.add(&features[..width], 1).unwrap();
        }
        if i == 80 {
            examples.fit(3, Method::Ridge, 0.1).unwrap();
        }
    }
    examples.fit(3, Method::Ridge, 0.5).unwrap();
    examples.remove(21).unwrap();
    examples.set_class(7, 0).unwrap();
    assert_eq!(examples.classes(), classes);
    let got = examples.fit(3, Method::Ridge, 0.1).unwrap();
    assert!(error(&got.weight, &want.weight) < 1e-10);
    assert!(error(&got.bias, &want.bias) < 1e-10);
}

#[test]
fn classes_that_are_easy_are_told_apart() {
    let (width, counts) = (12, [6, 6, 6]);
    let noise = unit("easy", 18 * width);
    let feature = |(at, x): (usize, &f32)| x * 0.1 + f32::from(u8::from(at % width == at / width / 6));
    let features: Vec<f32> = noise.iter().enumerate().map(feature).collect();
    let classes: Vec<usize> = (0..18).map(|i| i / 6).collect();
    let examples = given(&features, &classes, width);
    let strangers: Vec<f32> = unit("strange", 20 * width).iter().map(|x| x * 0.1).collect();
    for method in [Method::Means, Method::Ridge] {
        let report = Study::new(examples.clone(), &strangers, 3, method, None).unwrap().report().unwrap();
        assert_eq!(report.accuracy, Share { part: 18, whole: 18 });
        assert_eq!(report.confusion, [6, 0, 0, 0, 6, 0, 0, 0, 6]);
        assert_eq!(report.predicted, classes);
        assert!(report.own.iter().all(|&own| (0.8..1.0).contains(&own)), "never sure for ever");
        let rejection = report.rejection.unwrap();
        assert_eq!((rejection.passed, rejection.strangers), (0, 20));
        assert!(rejection.auroc == 1.0);
        let [low, high] = report.accuracy.interval();
        assert!((low - 0.8241).abs() < 1e-4 && high == 1.0, "Wilson's interval of 18 of 18: {low} to {high}");
        for (class, count) in report.classes.iter().zip(counts) {
            assert_eq!((class.pictures, class.recall.value(), class.precision.value()), (count, 1.0, 1.0));
        }
    }
}

#[test]
fn pictures_that_are_all_the_same_or_zero_give_finite_numbers() {
    for value in [0.0, 3.0] {
        for (count, width) in [(4, 9), (4, 5)] {
            let features = vec![value; 2 * count * width];
            let classes: Vec<usize> = (0..2 * count).map(|i| i / count).collect();
            let examples = given(&features, &classes, width);
            for method in [Method::Means, Method::Ridge] {
                let report = report(&examples, 2, method, None);
                let numbers = [&report.classifier.weight, &report.classifier.bias, &report.logits];
                assert!(numbers.iter().all(|numbers| numbers.iter().all(|x| x.is_finite())), "{method:?}");
                assert!(report.temperature.is_finite() && report.known.unwrap().is_valid());
            }
        }
    }
}

#[test]
fn a_class_of_one_picture_is_taught_and_not_judged() {
    let (features, classes, _) = made("one", &[1, 5, 4], 8, 0);
    let examples = given(&features, &classes, 8);
    for method in [Method::Means, Method::Ridge] {
        let report = report(&examples, 3, method, None);
        assert_eq!(report.accuracy.whole, 9);
        assert_eq!(report.classes[0].recall, Share { part: 0, whole: 0 });
        assert!(report.own[0].is_nan() && report.own[1..].iter().all(|own| own.is_finite()));
        assert!(report.logits.iter().all(|x| x.is_finite()));
        let own: Vec<f64> = report.classifier.logits(&features[..8]).collect();
        assert!(own[0] > own[1] && own[0] > own[2], "it is known by its own picture");
    }
}

#[test]
fn a_known_rule_says_what_it_measured() {
    let (features, classes, strangers) = made("many", &[12, 7, 9, 10], 11, 15);
    let examples = given(&features, &classes, 11);
    let report = Study::new(examples, &strangers, 4, Method::Ridge, None).unwrap().report().unwrap();
    let (known, rejection) = (report.known.unwrap(), report.rejection.unwrap());
    let logits: Vec<f32> = report.logits.iter().map(|&x| x as f32).collect();
    let of = |row: &[f32]| f64::from(known.of(row, report.temperature)) >= known.threshold - 1e-6;
    let kept = logits.chunks_exact(4).filter(|row| of(row)).count();
    assert!(kept as f64 >= 0.95 * 38.0, "95% of the taught pictures are kept");
    let passed = strangers.chunks_exact(11).filter(|row| {
        let logits: Vec<f32> = report.classifier.logits(row).map(|x| x as f32).collect();
        of(&logits)
    });
    assert_eq!(passed.count(), rejection.passed);
    assert!(matches!(known.score, Score::Energy | Score::MaxLogit | Score::MaxProbability));
}

#[test]
fn what_makes_no_classifier_is_refused() {
    let code = |result: g_ghostnet::Result<Classifier>| result.unwrap_err().code();
    let mut examples = Examples::new(3).unwrap();
    examples.add(&[1.0, 2.0, 3.0], 0).unwrap();
    assert_eq!(code(examples.fit(1, Method::Means, 1.0)), "unsupported");
    assert_eq!(code(examples.fit(2, Method::Means, 1.0)), "unsupported", "a class without a picture");
    examples.add(&[3.0, 2.0, 1.0, 0.0, 0.0, 1.0], 1).unwrap();
    for penalty in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        assert_eq!(code(examples.fit(2, Method::Ridge, penalty)), "wrong-shape");
        assert!(Study::new(examples.clone(), &[], 2, Method::Ridge, Some(penalty)).is_err());
    }
    examples.add(&[1.0; 3], 7).unwrap();
    assert_eq!(code(examples.fit(2, Method::Means, 1.0)), "wrong-shape", "a class that does not exist");
    assert!(examples.add(&[1.0, f32::NAN, 1.0], 0).is_err());
    assert!(examples.add(&[1.0, 1.0], 0).is_err());
    assert!(examples.add(&[], 0).is_err());
    assert!(examples.add(&[1.0; 3], usize::MAX).is_err());
    assert!(examples.remove(4).is_err() && examples.set_class(9, 0).is_err());
    assert_eq!(examples.len(), 4, "what is refused leaves all as it was");
    assert!(Examples::new(0).is_err() && Examples::new(1 << 20).is_err());
    let study = Study::new(examples.drawn(1, 1), &[f32::NAN; 3], 2, Method::Means, None);
    assert!(study.is_err());
}

#[test]
fn a_draw_has_so_many_of_each_class() {
    let (features, classes, _) = made("draw", &[9, 2, 5], 4, 0);
    let examples = given(&features, &classes, 4);
    let drawn = examples.drawn(3, 1);
    let of = |class: usize| drawn.classes().iter().filter(|&&other| other == class).count();
    assert_eq!([of(0), of(1), of(2)], [3, 2, 3]);
    assert_eq!(drawn.features(), examples.drawn(3, 1).features());
    assert_ne!(drawn.features(), examples.drawn(3, 2).features());
}

#[test]
fn a_taught_model_answers_by_its_classifier_and_has_its_pictures_beside_it() {
    let bytes = std::fs::read("tests/golden/int8/model.safetensors").unwrap();
    let original = Model::from_bytes(bytes.clone(), &Options::default()).unwrap();
    let side = original.input.side;
    let features = |model: &Model, input: &[f32]| {
        let mut session = CpuSession::new(model, 1).unwrap();
        let outputs = session.run(input, [1, 3, side, side], &["avgpool"]).unwrap();
        (outputs.taps[0].data.clone(), outputs.logits)
    };
    let picture = |name: &str| unit(name, 3 * side * side);
    let (self_test, _) = features(&original, &self_test_input(side));
    let width = self_test.len();
    let mut examples = Examples::new(width).unwrap();
    for (i, class) in [0, 0, 1, 1, 2, 2].into_iter().enumerate() {
        examples.add(&features(&original, &picture(&format!("{i}"))).0, class).unwrap();
    }
    let stranger = features(&original, &picture("stranger")).0;
    let report = Study::new(examples.clone(), &stranger, 3, Method::Ridge, None).unwrap().report().unwrap();
    let taught = Taught {
        classifier: report.classifier.clone(),
        labels: ["one", "two", "three"].map(String::from).to_vec(),
        temperature: report.temperature,
        known: report.known,
        golden: None,
    };
    let mut beside = TaughtExamples {
        features: [examples.features(), &stranger].concat(),
        classes: vec![0, 0, 1, 1, 2, 2, -1],
        self_test,
        thumbnails: b"abcdefg".to_vec(),
        thumbnail_ends: vec![1, 2, 3, 4, 5, 6, 7],
    };
    let mut checkpoint = Checkpoint::from_bytes(bytes).unwrap();
    taught.apply(&mut checkpoint, Some(&beside)).unwrap();
    let (again, strangers) = examples_of(&checkpoint).unwrap();
    assert_eq!((again.features(), again.classes()), (examples.features(), examples.classes()));
    assert_eq!(strangers, stranger);
    assert_eq!(examples_of(&original.checkpoint).unwrap_err().code(), "bad-model");

    let model = Model::from_own_layout(checkpoint.clone(), None).unwrap();
    assert_eq!(model.labels, ["one", "two", "three"]);
    assert_eq!(model.temperature(), report.temperature);
    let (same, logits) = features(&model, &picture("new"));
    assert_eq!(same, features(&original, &picture("new")).0, "the features stay");
    let want: Vec<f64> = report.classifier.logits(&same).collect();
    let got: Vec<f64> = logits.iter().map(|&x| x.into()).collect();
    assert!(error(&got, &want) < 1e-5, "{got:?}, not {want:?}");
    assert_eq!(features(&taught.model(original).unwrap(), &picture("new")).1, logits);

    // Anew, over what was there before; and what does not fit.
    taught.apply(&mut checkpoint, None).unwrap();
    assert!(examples_of(&checkpoint).is_err(), "left out this time");
    beside.thumbnail_ends.pop();
    assert_eq!(taught.apply(&mut checkpoint, Some(&beside)).unwrap_err().code(), "wrong-shape");
    let narrow = Taught { labels: vec!["one".into()], ..taught.clone() };
    assert_eq!(narrow.apply(&mut checkpoint, None).unwrap_err().code(), "wrong-shape");
    let mut endless = taught;
    endless.classifier.weight[3] = 1e300;
    assert_eq!(endless.apply(&mut checkpoint, None).unwrap_err().code(), "bad-model");
}
