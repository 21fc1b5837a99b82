//! The float64 oracle: every operation by its formula, one step of a plan at a time.

use g_ghostnet::Result;
use g_ghostnet::arch::{Activation, Conv, Op, Step};
use g_ghostnet::checkpoint::Checkpoint;

/// An exact result with the sum of its terms' magnitudes, of which an f32 engine's rounding errors
/// are a multiple.
#[derive(Clone, Copy, Debug)]
pub struct Exact {
    pub value: f64,
    pub magnitude: f64,
}

impl Exact {
    fn of(value: f64) -> Exact {
        Exact { value, magnitude: value.abs() }
    }
}

/// A step's output, planar, from its planar inputs: x and what is added or multiplied.
pub fn step(step: &Step, x: &[f32], second: &[f32], checkpoint: &Checkpoint) -> Result<Vec<Exact>> {
    let (pixels_in, pixels) = (step.x.pixels(), step.y.pixels());
    let number = |i: usize| f64::from(x[i]);
    Ok(match &step.op {
        Op::Conv(conv) => {
            let mut sums = convolution(step, conv, x, checkpoint)?;
            for (i, sum) in sums.iter_mut().enumerate() {
                if let Some(add) = conv.add {
                    let add = f64::from(second[if add.pixels() == 1 { i / pixels } else { i }]);
                    sum.value += add;
                    sum.magnitude += add.abs();
                }
                sum.value = match conv.activation {
                    Activation::None => sum.value,
                    Activation::Relu => sum.value.max(0.0),
                    Activation::HardSigmoid => (sum.value + 3.0).clamp(0.0, 6.0) / 6.0,
                };
            }
            sums
        }
        Op::Mean => (0..step.y.channels)
            .map(|channel| {
                let plane = &x[channel * pixels_in..(channel + 1) * pixels_in];
                let sum = |f: fn(f64) -> f64| plane.iter().map(|&v| f(f64::from(v))).sum::<f64>();
                Exact { value: sum(|v| v) / pixels_in as f64, magnitude: sum(f64::abs) / pixels_in as f64 }
            })
            .collect(),
        Op::MaxPool => (0..step.y.len())
            .map(|i| {
                let (channel, row, column) =
                    (i / pixels, i % pixels / step.y.width, i % pixels % step.y.width);
                let window =
                    |center: usize, size: usize| (2 * center).saturating_sub(1)..(2 * center + 2).min(size);
                let values = window(row, step.x.height).flat_map(|r| {
                    window(column, step.x.width)
                        .map(move |c| (channel * step.x.height + r) * step.x.width + c)
                });
                Exact::of(values.map(number).fold(f64::NEG_INFINITY, f64::max))
            })
            .collect(),
        Op::Scale { .. } => {
            (0..x.len()).map(|i| Exact::of(number(i) * f64::from(second[i / pixels]))).collect()
        }
        Op::Add { .. } => (0..x.len())
            .map(|i| {
                let add = f64::from(second[i]);
                Exact { value: number(i) + add, magnitude: number(i).abs() + add.abs() }
            })
            .collect(),
        Op::Copy => (0..x.len()).map(|i| Exact::of(number(i))).collect(),
    })
}

/// `b[o] + sum over i, a, b of w[o, i, a, b] * x[i, row * stride + a - k / 2, column * stride + b - k / 2]`
fn convolution(step: &Step, conv: &Conv, x: &[f32], checkpoint: &Checkpoint) -> Result<Vec<Exact>> {
    // Folding is tested by whole networks against PyTorch; here it is part of the given weights.
    let folded = checkpoint.folded(conv, step.y.channels)?;
    let (height, width, kernel) = (step.x.height, step.x.width, conv.kernel);
    let (in_group, out_group) = (step.x.channels / conv.groups, step.y.channels / conv.groups);
    let mut sums = Vec::with_capacity(step.y.len());
    for (o, &bias) in folded.bias.iter().enumerate() {
        for p in 0..step.y.pixels() {
            let (row, column) = (p / step.y.width * conv.stride, p % step.y.width * conv.stride);
            let mut sum = Exact::of(f64::from(bias));
            for i in 0..in_group {
                for a in 0..kernel {
                    for b in 0..kernel {
                        let (r, c) =
                            ((row + a).wrapping_sub(kernel / 2), (column + b).wrapping_sub(kernel / 2));
                        if r < height && c < width {
                            let w = folded.weight[((o * in_group + i) * kernel + a) * kernel + b];
                            let at = ((o / out_group * in_group + i) * height + r) * width + c;
                            let term = f64::from(w) * f64::from(x[at]);
                            sum.value += term;
                            sum.magnitude += term.abs();
                        }
                    }
                }
            }
            sums.push(sum);
        }
    }
    Ok(sums)
}
