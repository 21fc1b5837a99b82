//! Similarity of feature maps: against NumPy, on networks and on numbers that follow from names, and on data
//! whose answer is known.

use crate::support::reference::{Reference, unit};
use g_ghostnet::session::CpuSession;
use g_ghostnet::similarity::{
    Accumulator, Best, Caveats, Correlation, Maps, Metric, Summary, correlate, order, quantile,
};
use serde::Deserialize;

/// Limit of a difference from NumPy in float64: the maps are f32, and a network's are off by a few 1e-6.
const LIMIT: f32 = 1e-5;

#[derive(Deserialize)]
struct Golden {
    form: Option<String>,
    config: Option<serde_json::Value>,
    stage: Option<String>,
    side: Option<usize>,
    ridge: f64,
    step: usize,
    held: Vec<usize>,
    first: First,
    pearson: GoldenBest,
    cosine: GoldenBest,
    cka: f64,
    r2: Vec<f32>,
    dead: Vec<i32>,
    mean: f64,
    median: f64,
    weight: Vec<f32>,
    bias: Vec<f32>,
}

#[derive(Deserialize)]
struct First {
    pearson: Vec<f32>,
    cosine: Vec<f32>,
}

#[derive(Deserialize)]
struct GoldenBest {
    channel: Vec<i32>,
    score: Vec<f32>,
}

/// Feature maps that own their numbers.
struct Owned {
    data: Vec<f32>,
    dims: [usize; 3],
}

impl Owned {
    fn new(dims: [usize; 3], value: impl FnMut(usize) -> f32) -> Owned {
        Owned { data: (0..dims.iter().product()).map(value).collect(), dims }
    }

    fn named(name: &str, dims: [usize; 3]) -> Owned {
        Owned { data: unit(name, dims.iter().product()), dims }
    }

    fn maps(&self) -> Maps<'_> {
        Maps::new(&self.data, self.dims).unwrap()
    }
}

fn golden(name: &str) -> Golden {
    let text = std::fs::read_to_string(format!("tests/golden/similarity/{name}.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

fn assert_close(name: &str, found: &[f32], expected: &[f32], limit: f32) {
    assert_eq!(found.len(), expected.len(), "{name}");
    for (i, (found, expected)) in found.iter().zip(expected).enumerate() {
        assert!((found - expected).abs() <= limit, "{name} {i}: {found}, NumPy has {expected}");
    }
}

fn assert_best(name: &str, found: &Best, expected: &GoldenBest) {
    assert_close(name, &found.score, &expected.score, LIMIT);
    assert_eq!(found.channel, expected.channel, "{name}");
}

fn hold_against_numpy(golden: &Golden, pairs: &[[Owned; 2]]) {
    let mut sums = Accumulator::default();
    for (i, [x, y]) in pairs.iter().enumerate() {
        sums.add(x.maps(), y.maps(), golden.held.contains(&i)).unwrap();
    }
    for (metric, expected) in
        [(Metric::Pearson, &golden.first.pearson), (Metric::Cosine, &golden.first.cosine)]
    {
        let Correlation { matrix, .. } = correlate(pairs[0][0].maps(), pairs[0][1].maps(), metric).unwrap();
        let sampled: Vec<f32> = matrix.iter().step_by(golden.step).copied().collect();
        assert_close(&format!("{metric:?}"), &sampled, expected, LIMIT);
    }
    let summary = sums.summary(Some(golden.ridge)).unwrap();
    assert_eq!(summary.images, pairs.len());
    assert_best("pearson", &summary.pearson, &golden.pearson);
    assert_best("cosine", &summary.cosine, &golden.cosine);
    assert!((summary.cka - golden.cka).abs() <= f64::from(LIMIT), "{} {}", summary.cka, golden.cka);
    let held = summary.r2.unwrap();
    assert_close("R2", &held.per_channel, &golden.r2, LIMIT);
    assert_eq!(held.dead, golden.dead);
    assert!((held.mean - golden.mean).abs() <= f64::from(LIMIT));
    assert!((held.median - golden.median).abs() <= f64::from(LIMIT));
    // Weights are numbers of any size.
    let fit = summary.fit.unwrap();
    let largest = golden.weight.iter().fold(1f32, |most, w| most.max(w.abs()));
    let sampled: Vec<f32> = fit.weight.iter().step_by(golden.step).copied().collect();
    assert_close("weight", &sampled, &golden.weight, LIMIT * largest);
    let largest = golden.bias.iter().fold(1f32, |most, b| most.max(b.abs()));
    assert_close("bias", &fit.bias, &golden.bias, LIMIT * largest);
}

/// y is a mixture of x, of noise and of a mean; x has a mean of its own.
fn made_pair(i: usize) -> [Owned; 2] {
    let x = Owned::new([6, 5, 7], {
        let noise = unit(&format!("x{i}"), 6 * 35);
        move |at| noise[at] + 3.0
    });
    let (mix, noise) = (unit("mix", 9 * 6), unit(&format!("y{i}"), 9 * 35));
    let y = Owned::new([9, 5, 7], |at| {
        let (o, p) = (at / 35, at % 35);
        let mixed: f32 = (0..6).map(|c| mix[o * 6 + c] * x.data[c * 35 + p]).sum();
        mixed + 0.5 * noise[at] - 2.0
    });
    [x, y]
}

#[test]
fn made_numbers_agree_with_numpy() {
    let pairs: Vec<_> = (0..4).map(made_pair).collect();
    hold_against_numpy(&golden("made"), &pairs);
}

#[test]
fn the_taps_of_networks_agree_with_numpy_on_pytorchs() {
    for name in ["network_layer2", "network_layer3"] {
        let golden = golden(name);
        let (form, stage, side) =
            (golden.form.clone().unwrap(), golden.stage.clone().unwrap(), golden.side.unwrap());
        let taps = [format!("{stage}.base"), format!("{stage}.end")];
        let pairs: Vec<_> = (0..6)
            .map(|i| {
                let reference = |salt: String| Reference {
                    variant: "g_ghost_regnetx_custom".into(),
                    input: [1, 3, side, side],
                    num_classes: 5,
                    salt,
                    config: golden.config.clone(),
                    ..Reference::default()
                };
                let model = reference(form.clone()).model().unwrap();
                let image = reference(format!("{form}{i}.")).image();
                let outputs =
                    CpuSession::new(&model, 1).unwrap().run(&image, [1, 3, side, side], &taps).unwrap();
                let mut maps = outputs.taps.into_iter();
                [(); 2].map(|()| {
                    let tap = maps.next().unwrap();
                    Owned { data: tap.data, dims: [tap.dims[1], tap.dims[2], tap.dims[3]] }
                })
            })
            .collect();
        hold_against_numpy(&golden, &pairs);
    }
}

/// Over some pictures of 16 x 16, every fourth held out.
fn accumulate(pairs: &[[Owned; 2]]) -> Accumulator {
    let mut sums = Accumulator::default();
    for (i, [x, y]) in pairs.iter().enumerate() {
        sums.add(x.maps(), y.maps(), i % 4 == 3).unwrap();
    }
    sums
}

fn noise_pairs(channels: [usize; 2]) -> Vec<[Owned; 2]> {
    (0..8)
        .map(|i| [0, 1].map(|side| Owned::named(&format!("noise {side} {i}"), [channels[side], 16, 16])))
        .collect()
}

#[test]
fn identical_maps_are_alike_in_every_measure() {
    let pairs: Vec<_> =
        (0..8).map(|i| [(); 2].map(|()| Owned::named(&format!("same {i}"), [12, 16, 16]))).collect();
    let Correlation { matrix, best_of_a, best_of_b, dead_a, .. } =
        correlate(pairs[0][0].maps(), pairs[0][1].maps(), Metric::Pearson).unwrap();
    for i in 0..12 {
        assert!((matrix[i * 12 + i] - 1.0).abs() < 1e-6);
        assert_eq!([best_of_a.channel[i], best_of_b.channel[i]], [i as i32; 2]);
    }
    assert!(dead_a.is_empty());
    let summary = accumulate(&pairs).summary(Some(0.0)).unwrap();
    assert!(summary.pearson.score.iter().all(|score| (score - 1.0).abs() < 1e-6));
    assert!((summary.cka - 1.0).abs() < 1e-9, "{}", summary.cka);
    assert!(summary.r2.unwrap().per_channel.iter().all(|score| (score - 1.0).abs() < 1e-6));
    assert_eq!(summary.caveats, Caveats::default());
}

#[test]
fn independent_noise_is_not_alike() {
    let summary = accumulate(&noise_pairs([12, 20])).summary(Some(1e-3)).unwrap();
    // 2,048 independent positions: the largest of 12 correlations is about `chance`, 5 sigma are 0.11.
    assert!(summary.pearson.score.iter().all(|score| score.abs() < 0.11), "{:?}", summary.pearson);
    assert!((0.04..0.06).contains(&summary.chance), "{}", summary.chance);
    assert!(summary.cka.abs() < 0.01, "{}", summary.cka);
    let held = summary.r2.unwrap();
    assert!(held.median.abs() < 0.05, "{}", held.median);
    assert!(held.per_channel.iter().any(|&score| score < 0.0), "some fits are worse than the mean");
}

/// The biased estimator finds high scores where there are more channels than positions; this one does not.
#[test]
fn more_channels_than_positions_do_not_deceive_cka_and_are_told() {
    let mut sums = Accumulator::default();
    let pair = [0, 1].map(|side| Owned::named(&format!("wide {side}"), [300, 7, 7]));
    sums.add(pair[0].maps(), pair[1].maps(), false).unwrap();
    let summary = sums.summary(Some(1e-3)).unwrap();
    assert!(summary.cka.abs() < 0.2, "{}", summary.cka);
    assert!(summary.r2.is_none());
    for sentence in [summary.caveats.matches, summary.caveats.r2, summary.caveats.cka] {
        assert!(!sentence.unwrap().is_empty());
    }
    assert!(summary.chance > 0.4, "{}", summary.chance);
}

#[test]
fn linear_mixtures_are_explained_whole_whatever_their_scale_and_shift() {
    let pairs: Vec<_> = (0..8)
        .map(|i| {
            let x = Owned::named(&format!("source {i}"), [6, 16, 16]);
            let mix = unit("mixture", 10 * 6);
            let y = Owned::new([10, 16, 16], |at| {
                let (o, p) = (at / 256, at % 256);
                let sum: f32 = (0..6).map(|c| mix[o * 6 + c] * x.data[c * 256 + p]).sum();
                1e3 * sum - 40.0 * o as f32
            });
            [x, y]
        })
        .collect();
    let summary = accumulate(&pairs).summary(Some(0.0)).unwrap();
    let held = summary.r2.unwrap();
    assert!(held.per_channel.iter().all(|score| (score - 1.0).abs() < 1e-5), "{:?}", held.per_channel);
    let mix = unit("mixture", 10 * 6);
    let fit = summary.fit.unwrap();
    for (found, expected) in fit.weight.iter().zip(&mix) {
        assert!((found / 1e3 - expected).abs() < 1e-4, "{found} {expected}");
    }
    for (o, found) in fit.bias.iter().enumerate() {
        assert!((found + 40.0 * o as f32).abs() < 0.01, "{found}");
    }
}

#[test]
fn scale_and_shift_change_no_correlation_and_a_negative_is_a_match() {
    let a = Owned::named("pattern", [3, 9, 5]);
    let b = Owned::new([3, 9, 5], |at| [2.0, -0.01, 1e4][at / 45] * a.data[at] + [7.0, 0.5, -3e4][at / 45]);
    let Correlation { best_of_a, .. } = correlate(a.maps(), b.maps(), Metric::Pearson).unwrap();
    assert_eq!(best_of_a.channel, [0, 1, 2]);
    for (score, expected) in best_of_a.score.iter().zip([1.0, -1.0, 1.0]) {
        assert!((score - expected).abs() < 1e-5, "{score}");
    }
    // Cosine is of the maps as they are: a shift changes it.
    let cosine = correlate(a.maps(), b.maps(), Metric::Cosine).unwrap();
    assert!(cosine.best_of_a.score[0].abs() < 0.9);
}

#[test]
fn dead_channels_are_listed_and_nothing_is_ever_nan() {
    // Zero, constant, constant up to rounding, alive.
    let flat = |at: usize, noise: &[f32]| match at / 64 {
        0 => 0.0,
        1 => -3.5,
        2 => 1e4 * (1.0 + 1e-7 * (at % 2) as f32),
        _ => noise[at],
    };
    let pairs: Vec<_> = (0..4)
        .map(|i| {
            [0, 1].map(|side| {
                let noise = unit(&format!("alive {side} {i}"), 4 * 64);
                Owned::new([4, 8, 8], |at| flat(at, &noise))
            })
        })
        .collect();
    let pearson = correlate(pairs[0][0].maps(), pairs[0][1].maps(), Metric::Pearson).unwrap();
    assert_eq!([&pearson.dead_a, &pearson.dead_b], [&[0, 1, 2]; 2]);
    assert_eq!(pearson.best_of_b.channel, [-1, -1, -1, 3]);
    assert_eq!(pearson.best_of_b.score[..3], [0.0; 3]);
    let cosine = correlate(pairs[0][0].maps(), pairs[0][1].maps(), Metric::Cosine).unwrap();
    assert_eq!(cosine.dead_a, [0]);
    assert_eq!(cosine.best_of_a.channel[0], -1);
    assert!((cosine.matrix[4 + 2].abs() - 1.0).abs() < 1e-6, "constants point the same way");

    for ridge in [0.0, 1e-3] {
        let summary = accumulate(&pairs).summary(Some(ridge)).unwrap();
        assert_eq!([&summary.dead_x, &summary.dead_y], [&[0, 1, 2]; 2]);
        let held = summary.r2.clone().unwrap();
        assert_eq!(held.dead, [0, 1, 2]);
        let numbers = [&pearson.matrix, &summary.pearson.score, &summary.cosine.score, &held.per_channel];
        let fit = summary.fit.clone().unwrap();
        let fits = [&fit.weight, &fit.bias];
        assert!(numbers.into_iter().chain(fits).flatten().all(|value| value.is_finite()));
        assert!([summary.cka, held.mean, held.median].iter().all(|value| value.is_finite()));
        assert_eq!(f64::from(held.per_channel[3]), held.median);
    }

    let mut all_dead = Accumulator::default();
    let zeros = Owned::new([2, 4, 4], |_| 0.0);
    all_dead.add(zeros.maps(), zeros.maps(), false).unwrap();
    all_dead.add(zeros.maps(), zeros.maps(), true).unwrap();
    let summary = all_dead.summary(Some(1e-3)).unwrap();
    assert_eq!(summary.pearson.channel, [-1, -1]);
    assert_eq!(summary.cka, 0.0);
    assert!(summary.caveats.cka.is_some());
    assert_eq!(summary.r2.unwrap().median, 0.0);
}

#[test]
fn the_sums_of_a_set_do_not_depend_on_how_it_is_cut() {
    let whole = Owned::named("long", [5, 40, 30]);
    let other = Owned::named("long too", [7, 40, 30]);
    let (mut once, mut rows) = (Accumulator::default(), Accumulator::default());
    once.add(whole.maps(), other.maps(), false).unwrap();
    for row in 0..40 {
        let cut = |maps: &Owned| {
            Owned::new([maps.dims[0], 1, 30], |at| maps.data[at / 30 * 1200 + row * 30 + at % 30])
        };
        let (x, y) = (cut(&whole), cut(&other));
        rows.add(x.maps(), y.maps(), false).unwrap();
    }
    let (once, rows) = (once.summary(Some(1e-3)).unwrap(), rows.summary(Some(1e-3)).unwrap());
    assert!((once.cka - rows.cka).abs() < 1e-9);
    assert_close("pearson", &rows.pearson.score, &once.pearson.score, 1e-6);
    assert_close("weight", &rows.fit.unwrap().weight, &once.fit.unwrap().weight, 1e-6);
    let correlation = correlate(whole.maps(), other.maps(), Metric::Pearson).unwrap();
    assert_close("one picture", &correlation.best_of_b.score, &once.pearson.score, 2e-6);
    assert_eq!(correlation.best_of_b.channel, once.pearson.channel);
}

#[test]
fn shuffling_keeps_each_map_and_breaks_the_likeness() {
    let maps = Owned::named("to shuffle", [4, 16, 16]);
    let shuffled = Owned { data: maps.maps().shuffled(7), dims: maps.dims };
    assert_eq!(shuffled.data, maps.maps().shuffled(7));
    assert_ne!(shuffled.data, maps.maps().shuffled(8));
    for (row, other) in maps.data.chunks(256).zip(shuffled.data.chunks(256)) {
        let sorted = |row: &[f32]| {
            let mut row = row.to_vec();
            row.sort_by(f32::total_cmp);
            row
        };
        assert_eq!(sorted(row), sorted(other));
    }
    let inside = |maps: &Owned| correlate(maps.maps(), maps.maps(), Metric::Pearson).unwrap().matrix;
    assert_close("between channels", &inside(&shuffled), &inside(&maps), 1e-5);
    let across = correlate(maps.maps(), shuffled.maps(), Metric::Pearson).unwrap();
    assert!(across.matrix.iter().all(|score| score.abs() < 0.35), "5 sigma of 256 positions");
}

#[test]
fn shuffling_finds_every_order_equally_often() {
    let maps = Owned::new([1, 1, 3], |at| at as f32);
    let mut counts = std::collections::BTreeMap::new();
    for seed in 0..600 {
        let order: Vec<u32> = maps.maps().shuffled(seed).iter().map(|&value| value as u32).collect();
        *counts.entry(order).or_insert(0) += 1;
    }
    // 100 expected of each of six, 5 sigma are 46.
    assert!(counts.len() == 6 && counts.values().all(|count| (54..=146).contains(count)), "{counts:?}");
}

#[test]
fn of_equal_matches_the_first_is_taken() {
    let one = unit("twice", 20);
    let twice = Owned::new([3, 4, 5], |at| [one[at % 20], -one[at % 20], 0.0][at / 20]);
    let single = Owned::new([1, 4, 5], |at| one[at]);
    let found = correlate(twice.maps(), single.maps(), Metric::Cosine).unwrap();
    assert_eq!(found.best_of_b.channel, [0]);
    let mut sums = Accumulator::default();
    sums.add(twice.maps(), single.maps(), false).unwrap();
    assert_eq!(sums.summary(None).unwrap().cosine.channel, [0]);
}

#[test]
fn a_matrix_of_too_many_pairs_is_refused() {
    let maps = |channels: usize| Owned::new([channels, 1, 1], |_| 0.0);
    let (largest, other, more) = (maps(1 << 12), maps(1 << 13), maps((1 << 13) + 1));
    let found = correlate(largest.maps(), other.maps(), Metric::Cosine).unwrap();
    assert_eq!(found.dead_b.len(), 1 << 13);
    for (a, b) in [(&largest, &more), (&more, &largest)] {
        assert_eq!(correlate(a.maps(), b.maps(), Metric::Cosine).unwrap_err().code(), "out-of-memory");
    }
    let mut sums = Accumulator::default();
    let one = maps(1);
    for (x, y) in [(&other, &one), (&one, &other)] {
        assert_eq!(sums.add(x.maps(), y.maps(), false).unwrap_err().code(), "out-of-memory");
    }
    assert_eq!(order(&vec![0.0; 1 << 13], [1 << 13, 1]).unwrap_err().code(), "out-of-memory");
}

#[test]
fn what_does_not_fit_is_refused_and_the_sums_stay() {
    let maps = |dims: [usize; 3]| Owned::named("fits", dims);
    let (a, b) = (maps([3, 4, 4]), maps([3, 4, 5]));
    assert_eq!(correlate(a.maps(), b.maps(), Metric::Pearson).unwrap_err().code(), "wrong-shape");
    for (data, dims) in [
        (&a.data[..47], [3, 4, 4]),
        (&[][..], [0, 4, 4]),
        (&a.data[..], [usize::MAX, usize::MAX, 2]),
        (&[f32::NAN; 4][..], [1, 2, 2]),
        (&[f32::INFINITY; 4][..], [1, 2, 2]),
    ] {
        assert_eq!(Maps::new(data, dims).unwrap_err().code(), "wrong-shape", "{dims:?}");
    }
    let mut sums = Accumulator::default();
    assert_eq!(sums.summary(Some(1e-3)).unwrap_err().code(), "wrong-shape");
    sums.add(a.maps(), a.maps(), true).unwrap();
    assert_eq!(sums.summary(Some(1e-3)).unwrap_err().code(), "wrong-shape", "nothing to fit on");
    let compared = sums.summary(None).unwrap();
    assert_eq!((compared.fit, compared.r2, compared.caveats.r2), (None, None, None));
    assert_eq!(compared.pearson.channel, [0, 1, 2]);
    sums.add(a.maps(), a.maps(), false).unwrap();
    let before = sums.summary(Some(1e-3)).unwrap();
    assert_eq!(sums.add(a.maps(), b.maps(), false).unwrap_err().code(), "wrong-shape");
    let wide = maps([5, 4, 4]);
    assert_eq!(sums.add(wide.maps(), a.maps(), false).unwrap_err().code(), "wrong-shape");
    assert_eq!(sums.summary(Some(1e-3)).unwrap(), before);
    for ridge in [-1.0, f64::NAN, f64::INFINITY] {
        let error = sums.summary(Some(ridge)).unwrap_err();
        assert_eq!(error.code(), "unsupported");
        assert_eq!(error.to_string(), format!("the ridge is {ridge}, expected a number from 0"));
    }
    // One channel is another's double: without a ridge there is no one fit.
    let double = Owned::new([2, 4, 4], |at| if at < 16 { a.data[at] } else { 2.0 * a.data[at - 16] });
    let mut sums = Accumulator::default();
    sums.add(double.maps(), a.maps(), false).unwrap();
    assert_eq!(sums.summary(Some(0.0)).unwrap_err().code(), "unsupported");
    assert!(sums.summary(Some(1e-6)).is_ok());
}

#[test]
fn the_order_puts_what_is_alike_together() {
    // Three groups of rows, scattered, each with its own columns; a row and a column of zeros.
    let (rows, columns) = (30, 24);
    let noise = unit("order", rows * columns);
    let matrix: Vec<f32> = (0..rows * columns)
        .map(|at| {
            let (row, column) = (at / columns, at % columns);
            if row == 4 || column == 9 {
                return 0.0;
            }
            let sign = if row % 2 == 0 { -1.0 } else { 1.0 };
            if row % 3 == column % 3 { sign * (0.8 + 0.1 * noise[at]) } else { 0.1 * noise[at] }
        })
        .collect();
    let found = order(&matrix, [rows, columns]).unwrap();
    assert_eq!(found, order(&matrix, [rows, columns]).unwrap());
    for (order, count, empty) in [(&found.rows, rows, 4), (&found.columns, columns, 9)] {
        let mut sorted = order.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, (0..count as u32).collect::<Vec<_>>());
        assert_eq!(*order.last().unwrap(), empty);
        let groups: Vec<u32> = order[..count - 1].iter().map(|channel| channel % 3).collect();
        let changes = groups.windows(2).filter(|pair| pair[0] != pair[1]).count();
        assert_eq!(changes, 2, "three groups, each whole: {groups:?}");
    }
    assert_eq!(found.rows[0] % 3, found.columns[0] % 3, "columns stand beside their rows");

    assert_eq!(order(&[0.0; 6], [2, 3]).unwrap().rows, [0, 1]);
    assert_eq!(order(&[0.5], [1, 1]).unwrap().columns, [0]);
    assert_eq!(order(&[0.5; 5], [2, 3]).unwrap_err().code(), "wrong-shape");
    assert_eq!(order(&[f32::NAN; 6], [2, 3]).unwrap_err().code(), "wrong-shape");
}

/// Rows and columns by the definition of [`order`], in f64: of all pairs of clusters the likest are joined, a cluster's
/// likeness being the mean over pairs of rows.
fn order_by_definition(matrix: &[f32], columns: usize) -> [Vec<u32>; 2] {
    let rows: Vec<Vec<f64>> =
        matrix.chunks(columns).map(|row| row.iter().map(|&v| f64::from(v.abs())).collect()).collect();
    let product = |i: usize, j: usize| rows[i].iter().zip(&rows[j]).map(|(a, b)| a * b).sum::<f64>();
    let likeness = |i: usize, j: usize| product(i, j) / (product(i, i) * product(j, j)).sqrt();
    let (alive, empty): (Vec<usize>, Vec<usize>) = (0..rows.len()).partition(|&i| product(i, i) > 0.0);
    // In the order of their smallest rows.
    let mut clusters: Vec<Vec<usize>> = alive.into_iter().map(|i| vec![i]).collect();
    while clusters.len() > 1 {
        let mut likest = (f64::MIN, 0, 0);
        for a in 0..clusters.len() {
            for b in a + 1..clusters.len() {
                let pairs = clusters[a].iter().flat_map(|&i| clusters[b].iter().map(move |&j| (i, j)));
                let sum: f64 = pairs.map(|(i, j)| likeness(i, j)).sum();
                let mean = sum / (clusters[a].len() * clusters[b].len()) as f64;
                if mean > likest.0 {
                    likest = (mean, a, b);
                }
            }
        }
        let right = clusters.remove(likest.2);
        let left = &mut clusters[likest.1];
        let turned = |leaves: &[usize], turn: bool| {
            let mut leaves = leaves.to_vec();
            if turn {
                leaves.reverse();
            }
            leaves
        };
        let joined = [[false, false], [false, true], [true, false], [true, true]]
            .map(|[a, b]| (turned(left, a), turned(&right, b)))
            .into_iter()
            .max_by(|a, b| {
                let meeting =
                    |(left, right): &(Vec<usize>, Vec<usize>)| likeness(left[left.len() - 1], right[0]);
                meeting(a).total_cmp(&meeting(b))
            })
            .unwrap();
        *left = [joined.0, joined.1].concat();
    }
    let order = [clusters.concat(), empty].concat();
    let mut places: Vec<(usize, f64, u32)> = (0..columns)
        .map(|column| {
            let value = |place: usize| rows[order[place]][column];
            let likest = (0..order.len()).reduce(|a, b| if value(b) > value(a) { b } else { a }).unwrap();
            (likest, -value(likest), column as u32)
        })
        .collect();
    places.sort_by(|a, b| a.0.cmp(&b.0).then(a.1.total_cmp(&b.1)));
    [order.into_iter().map(|i| i as u32).collect(), places.into_iter().map(|place| place.2).collect()]
}

#[test]
fn the_order_is_that_of_its_definition() {
    for i in 0..60 {
        let (rows, columns) = (2 + i % 19, 3 + i % 8);
        let noise = unit(&format!("order {i}"), rows * columns);
        // Rows of other lengths, some of them empty; never all.
        let scale = |row: usize| if row > 1 && row % 6 == i % 6 { 0.0 } else { (row + 1) as f32 };
        let matrix: Vec<f32> = (0..rows * columns).map(|at| scale(at / columns) * noise[at]).collect();
        let found = order(&matrix, [rows, columns]).unwrap();
        assert_eq!([found.rows, found.columns], order_by_definition(&matrix, columns), "{rows} x {columns}");
    }
}

#[test]
fn among_equals_the_order_stays() {
    assert_eq!(order(&[0.5; 15], [5, 3]).unwrap().rows, [0, 1, 2, 3, 4]);
    // The first row is as like the second as the third, and is joined with the second.
    assert_eq!(order(&[1.0, 1.0, 1.0, 0.0, 0.0, 1.0], [3, 2]).unwrap().rows, [1, 0, 2]);
    // The second column is as like the first row as the second.
    assert_eq!(order(&[0.0, 1.0, 0.7, 0.9, 1.0, 0.0], [2, 3]).unwrap().columns, [1, 2, 0]);
}

/// What a set of so many positions, `[x, y]` channels, says; `held` more are held out.
fn summary_of(name: &str, channels: [usize; 2], positions: usize, held: usize) -> Summary {
    let mut sums = Accumulator::default();
    for (positions, held_out) in [(positions, false), (held, true)].into_iter().filter(|set| set.0 > 0) {
        let [x, y] = [0, 1]
            .map(|side| Owned::named(&format!("{name} {side} {held_out}"), [channels[side], positions, 1]));
        sums.add(x.maps(), y.maps(), held_out).unwrap();
    }
    sums.summary(Some(1e-3)).unwrap()
}

/// As if its parts were two pictures, but for their number.
#[test]
fn a_picture_can_be_held_out_in_part() {
    let [x, y] = [3, 4].map(|channels| Owned::named(&format!("split {channels}"), [channels, 40, 1]));
    let part = |maps: &Owned, range: std::ops::Range<usize>| -> Vec<f32> {
        maps.data.chunks(40).flat_map(|row| row[range.clone()].to_vec()).collect()
    };
    let (mut whole, mut parts) = (Accumulator::default(), Accumulator::default());
    whole.add_split(x.maps(), y.maps(), 30).unwrap();
    for (range, held_out) in [(0..30, false), (30..40, true)] {
        let (a, b) = (part(&x, range.clone()), part(&y, range.clone()));
        let maps = |data, channels| Maps::new(data, [channels, range.len(), 1]).unwrap();
        parts.add(maps(&a, 3), maps(&b, 4), held_out).unwrap();
    }
    let [whole, parts] = [whole, parts].map(|sums| sums.summary(Some(1e-3)).unwrap());
    assert_eq!((whole.images, whole.positions, whole.fitted_positions), (1, 40, 30));
    // The origin is the first picture's mean, which differs, so sums differ in their last bits.
    let near =
        |a: &[f32], b: &[f32]| a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-5) && a.len() == b.len();
    assert!(near(&whole.r2.unwrap().per_channel, &parts.r2.unwrap().per_channel));
    assert!(near(&whole.pearson.score, &parts.pearson.score) && (whole.cka - parts.cka).abs() < 1e-9);
}

#[test]
fn what_is_worth_little_is_told_up_to_the_number_that_suffices() {
    let few = |positions: usize| summary_of("few", [2, 3], positions, 9).caveats;
    let sentence =
        "The fit of 2 channels rests on 19 positions, expected at least 10 for each channel: add pictures.";
    assert_eq!(few(19).r2.unwrap(), sentence);
    assert_eq!(few(20), Caveats::default());
    assert_eq!(
        summary_of("few", [2, 3], 20, 0).caveats.r2.unwrap(),
        "Nothing was held out to score the fit on."
    );

    // sqrt(2 ln 8 / 46) is 0.3007, of 47 positions 0.2975.
    let few = |positions: usize| summary_of("chance", [8, 3], 40, positions - 40).caveats.matches;
    let sentence = "With 46 positions of 2 pictures against 8 channels, chance alone finds matches of 0.30 and more: \
                    add pictures.";
    assert_eq!(few(46).unwrap(), sentence);
    assert_eq!(few(47), None);

    let few = |positions: usize| summary_of("kernel", [8, 8], positions, 0).caveats.cka;
    let sentence = "CKA rests on 7 positions of one picture, fewer than its 8 channels: add pictures.";
    assert_eq!(few(7).unwrap(), sentence);
    assert_eq!(few(8), None);
}

#[test]
fn the_fewest_positions_that_can_be_compared() {
    let sums = |positions: usize, held: usize| {
        let mut sums = Accumulator::default();
        let maps = |positions: usize| Owned::new([2, positions, 1], |at| (at * at % 7) as f32);
        sums.add(maps(positions).maps(), maps(positions).maps(), false).unwrap();
        if held > 0 {
            sums.add(maps(held).maps(), maps(held).maps(), true).unwrap();
        }
        sums
    };
    assert_eq!(sums(1, 0).summary(None).unwrap_err().code(), "wrong-shape");
    assert_eq!(sums(1, 8).summary(Some(1e-3)).unwrap_err().code(), "wrong-shape");
    assert!(sums(2, 0).summary(None).is_ok());
    let two = sums(2, 1).summary(Some(1e-3)).unwrap();
    assert_eq!(two.r2, None, "one position has no variance");
    assert!(sums(2, 2).summary(Some(1e-3)).unwrap().r2.is_some());
    // The unbiased HSIC divides by n - 3.
    let three = sums(3, 0).summary(None).unwrap();
    assert_eq!((three.cka, three.caveats.cka.is_some()), (0.0, true));
    let four = sums(4, 0).summary(None).unwrap();
    assert!((four.cka - 1.0).abs() < 1e-9, "{}", four.cka);
    assert_eq!(four.caveats.cka, None);
}

/// Rounding is relative to the mean, which on the held-out pictures is not that of the first picture.
#[test]
fn what_is_dead_on_held_out_maps_follows_from_their_own_mean() {
    let noise = unit("rounding", 64);
    let dead = |fitted: f32, held: f32, deviation: f32| {
        let x = Owned::named("x", [1, 8, 8]);
        let mut sums = Accumulator::default();
        for (mean, deviation, held_out) in [(fitted, 1.0, false), (held, deviation, true)] {
            let y = Owned::new([1, 8, 8], |at| mean + deviation * noise[at]);
            sums.add(x.maps(), y.maps(), held_out).unwrap();
        }
        sums.summary(Some(1e-3)).unwrap().r2.unwrap().dead == [0]
    };
    assert!(dead(0.0, 1e4, 1e-3));
    assert!(!dead(0.0, 1e4, 1.0));
    assert!(!dead(0.0, 100.0, 1e-3));
    assert!(!dead(1e4, 0.0, 1e-3));
    assert!(dead(1e4, 2e4, 1e-2));
}

#[test]
fn one_dead_side_leaves_no_cka() {
    let (dead, alive) = (Owned::new([2, 4, 4], |_| 0.0), Owned::named("alive", [2, 4, 4]));
    for (x, y) in [(&dead, &alive), (&alive, &dead)] {
        let mut sums = Accumulator::default();
        sums.add(x.maps(), y.maps(), false).unwrap();
        let summary = sums.summary(None).unwrap();
        assert_eq!((summary.cka, summary.caveats.cka.is_some()), (0.0, true));
    }
}

#[test]
fn a_quantile_lies_between_its_neighbours() {
    let sorted = [1.0, 2.0, 4.0, 8.0];
    for (part, expected) in [(0.0, 1.0), (0.5, 3.0), (1.0, 8.0), (0.25, 1.75)] {
        assert_eq!(quantile(&sorted, part), expected);
    }
    assert_eq!(quantile(&[], 0.5), 0.0);
    assert_eq!(quantile(&[3.0], 0.9), 3.0);
}
