//! A convolution with everything around it, and the bound that arithmetic sets to an engine's errors.

use super::naive::{self, Exact};
use g_ghostnet::arch::{Activation, Conv, ConvWeights, Network, Op, Step, Value, View};
use g_ghostnet::checkpoint::Checkpoint;

/// What is added to a convolution's sums.
#[derive(Clone, Copy, Debug)]
pub enum Add {
    None,
    Channel,
    Residual,
}

/// A convolution, its operands' shapes and what ends it.
#[derive(Clone, Copy, Debug)]
pub struct Case {
    pub channels: [usize; 2],
    pub groups: usize,
    pub kernel: usize,
    pub stride: usize,
    pub size: [usize; 2],
    pub add: Add,
    pub activation: Activation,
}

impl Case {
    /// A network of the steps that make a convolution's operands and the convolution.
    pub fn network(self) -> Network {
        let Case { channels, groups, kernel, stride, size, add, activation } = self;
        let conv = |name: &str, kernel, stride, groups, add, activation| {
            let weights = ConvWeights { conv: name.into(), norm: None, bias: true, matrix: false };
            Op::Conv(Conv { weights, kernel, stride, groups, add, activation })
        };
        let value =
            |channels, [height, width]: [usize; 2]| Value { name: String::new(), channels, height, width };
        let small = size.map(|side| side.div_ceil(stride));
        // Operands are ranges inside wider values, as in a ghost stage.
        let (before, after) = (5, 3);
        let wide = |channels| before + channels + after;
        let values = vec![
            value(3, size),
            value(wide(channels[0]), size),
            value(wide(channels[1]), small),
            value(wide(channels[1]), [1, 1]),
            value(wide(channels[1]), small),
        ];
        let all = |index: usize| {
            let Value { channels, height, width, .. } = values[index];
            View { value: index, first: 0, channels, height, width }
        };
        let part = |index: usize, channels| View { first: before, channels, ..all(index) };
        let addend = match add {
            Add::None => None,
            Add::Channel => Some(part(3, channels[1])),
            Add::Residual => Some(part(2, channels[1])),
        };
        let step = |name: &str, op, x, y| Step { name: name.into(), op, x, y };
        let none = Activation::None;
        let steps = vec![
            step("x", conv("x", 1, 1, 1, None, none), all(0), all(1)),
            step("residual", conv("residual", 3, stride, 1, None, none), all(0), all(2)),
            step("mean", Op::Mean, all(2), all(3)),
            step(
                "main",
                conv("main", kernel, stride, groups, addend, activation),
                part(1, channels[0]),
                part(4, channels[1]),
            ),
        ];
        Network { name: "case".into(), classes: 1, values, steps, stages: Vec::new(), taps: Vec::new() }
    }
}

/// How an engine computes a step.
#[derive(Clone, Copy, Debug)]
pub struct Arithmetic {
    /// Whether by Winograd's method.
    pub winograd: bool,
    /// Whether weights and outputs are rounded to f16.
    pub half: bool,
    /// What the inputs of a product in integers have more than their values; 0 for floats.
    pub zero: f32,
}

/// Holds an output, planar, against the formula on the inputs that the engine itself had, so that errors do not
/// add up and the first wrong step is named.
pub fn hold_step(
    step: &Step,
    got: &[f32],
    x: &[f32],
    second: &[f32],
    checkpoint: &Checkpoint,
    arithmetic: Arithmetic,
) {
    let mut want = naive::step(step, x, second, checkpoint).unwrap();
    if arithmetic.zero > 0.0 {
        // The engine's sums are of inputs with their zero, which it subtracts in the end.
        let with_zero: Vec<_> = x.iter().map(|x| x.abs() + arithmetic.zero).collect();
        let sums = naive::step(step, &with_zero, second, checkpoint).unwrap();
        want.iter_mut().zip(&sums).for_each(|(want, sum)| want.magnitude = sum.magnitude);
    }
    assert_eq!(got.len(), want.len(), "{}", step.name);
    // Winograd's transforms mix a tile's pixels and channels, so its error follows the largest sum.
    let largest = want.iter().fold(0f64, |max, exact| max.max(exact.magnitude));
    for (i, (&got, want)) in got.iter().zip(&want).enumerate() {
        let magnitude = if arithmetic.winograd { largest } else { want.magnitude };
        let allowed = rounding(step, arithmetic.winograd) * magnitude
            + if arithmetic.half { of_half(step, want) } else { 0.0 };
        let error = (f64::from(got) - want.value).abs();
        let place = [i / step.y.pixels(), i % step.y.pixels() / step.y.width, i % step.y.width];
        assert!(
            error <= allowed,
            "{} at channel, row, column {place:?}: {got}, expected {} +- {allowed:.1e}; {arithmetic:?}, {step:?}",
            step.name,
            want.value
        );
    }
}

/// Rounding error of f32 relative to the terms' magnitudes. A sum of n terms in any order is off by at most
/// n half units in the last place, and a few operations follow. The three transforms of F(4x4, 3x3)
/// have row sums of magnitudes up to 10, 1 and 19, each applied twice, of which errors of random signs
/// reach a small part: 100 is allowed.
fn rounding(step: &Step, winograd: bool) -> f64 {
    let half_unit = f64::from(f32::EPSILON) / 2.0;
    match &step.op {
        Op::Conv(conv) => {
            let terms = step.x.channels / conv.groups * conv.kernel * conv.kernel + 6;
            terms as f64 * half_unit * if winograd { 100.0 } else { 1.0 }
        }
        Op::Mean => (step.x.pixels() + 2) as f64 * half_unit,
        Op::Scale { .. } | Op::Add { .. } => 2.0 * half_unit,
        Op::MaxPool | Op::Copy => 0.0,
    }
}

/// What f16 adds: half a unit in the last place, 2^-11, of every weight and of the output, or half of the smallest
/// number, 2^-25, where that is more.
fn of_half(step: &Step, want: &Exact) -> f64 {
    let weights = if matches!(step.op, Op::Conv(_)) { want.magnitude } else { 0.0 };
    // A hair more, because the value that is rounded is itself off by f32's errors.
    1.001 * f64::exp2(-11.0) * (weights + want.value.abs()) + f64::exp2(-25.0)
}
