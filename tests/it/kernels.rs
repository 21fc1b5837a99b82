//! The CPU engine's kernels, one step at a time, against the formula in f64: a table of shapes around
//! every edge of the tiles, and every step of whole networks.

use crate::support::case::{Add, Arithmetic, Case, hold_step};
use crate::support::reference::{Reference, recipe_checkpoint, unit};
use g_ghostnet::arch::{Activation, Network, Op, Step, View};
use g_ghostnet::checkpoint::Checkpoint;
use g_ghostnet::config::Config;
use g_ghostnet::cpu::{Pool, Weights, Workspace};
use g_ghostnet::plan::Plan;

/// Runs a plan step by step; each output is held against the formula on the inputs that the engine
/// itself had, so that errors do not add up and the first wrong step is named.
pub fn hold_steps(network: &Network, checkpoint: &Checkpoint, image: &[f32]) {
    let plan = Plan::new(network, &[] as &[&str]).unwrap();
    let weights = Weights::new(network, checkpoint).unwrap();
    let mut workspace = Workspace::new(&plan, &weights, 1).unwrap();
    workspace.set_image(&plan, image);
    let read = |workspace: &Workspace, view: View| {
        let mut values = Vec::new();
        workspace.read(&plan, view, &mut values);
        values
    };
    for step in &plan.steps {
        let x = read(&workspace, step.x);
        let second = step.reads().nth(1).map_or_else(Vec::new, |view| read(&workspace, view));
        workspace.run_step(&plan, &weights, &Pool::default(), step);
        let got = read(&workspace, step.y);
        let (x, zero) = as_integers(step, x, checkpoint);
        let arithmetic = Arithmetic { winograd: is_winograd(step), half: false, zero };
        hold_step(step, &got, &x, &second, checkpoint, arithmetic);
    }
}

#[cfg(not(feature = "int8"))]
fn as_integers(_: &Step, x: Vec<f32>, _: &Checkpoint) -> (Vec<f32>, f32) {
    (x, 0.0)
}

#[cfg(feature = "int8")]
/// What a convolution in integers makes of its input, and what it adds to it.
fn as_integers(step: &Step, x: Vec<f32>, checkpoint: &Checkpoint) -> (Vec<f32>, f32) {
    let Op::Conv(conv) = &step.op else { return (x, 0.0) };
    let Some(quantized) = checkpoint.quantized(conv).unwrap() else { return (x, 0.0) };
    let (step, zero) = (quantized.step, quantized.zero);
    let inverse = (1.0 / f64::from(step)) as f32;
    let level = |x: f32| (x * inverse + zero).clamp(0.0, 127.0).round_ties_even();
    (x.into_iter().map(|x| (level(x) - zero) * step).collect(), zero * step)
}

fn is_winograd(step: &Step) -> bool {
    matches!(&step.op, Op::Conv(conv) if conv.kernel == 3 && conv.stride == 1 && conv.groups < step.x.channels)
}

/// Holds a convolution and the steps that make its operands.
fn hold_conv(
    channels: [usize; 2],
    groups: usize,
    kernel: usize,
    stride: usize,
    [height, width]: [usize; 2],
    add: Add,
    activation: Activation,
) {
    let size = [height, width];
    let network = Case { channels, groups, kernel, stride, size, add, activation }.network();
    let checkpoint = recipe_checkpoint(&network, "kernels", str::to_owned, Config::default()).unwrap();
    hold_steps(&network, &checkpoint, &unit("image", 3 * height * width));
}

#[test]
fn convolutions_agree_with_the_formula_around_every_tile_edge() {
    let relu = Activation::Relu;
    // Rows of a product: one to more than two tiles of four, and the five, three and three that end it.
    for pixels in 1..=14 {
        hold_conv([7, 9], 1, 1, 1, [1, pixels], Add::Residual, relu);
        hold_conv([7, 9], 1, 3, 2, [3, pixels], Add::None, relu);
    }
    // Columns: below, at and above vectors of four and blocks of eight; depths likewise.
    for channels in [1, 2, 3, 4, 5, 7, 8, 9, 11, 12, 13, 15, 16, 17, 20, 24, 25, 31, 33] {
        for add in [Add::None, Add::Channel, Add::Residual] {
            hold_conv([6, channels], 1, 1, 1, [3, 5], add, relu);
        }
        hold_conv([channels, 10], 1, 1, 1, [3, 5], Add::None, Activation::None);
        hold_conv([channels, 10], 1, 1, 2, [5, 4], Add::Channel, Activation::HardSigmoid);
        hold_conv([channels, channels], channels, 3, 1, [5, 4], Add::Residual, relu);
        hold_conv([channels, channels], channels, 5, 2, [5, 4], Add::None, relu);
    }
    // More rows than pass a block of weights at once, and sums longer than the first-level cache.
    hold_conv([16, 9], 1, 1, 1, [40, 41], Add::Residual, relu);
    hold_conv([1100, 20], 1, 1, 1, [3, 3], Add::Residual, relu);
    hold_conv([12, 12], 1, 7, 2, [19, 22], Add::None, relu);
    hold_conv([12, 12], 1, 5, 1, [6, 7], Add::Channel, relu);
}

#[test]
fn winograd_agrees_with_the_formula_for_every_group_width_and_partial_tile() {
    for [width, groups] in
        [[1, 2], [2, 3], [6, 2], [8, 1], [12, 2], [18, 2], [30, 1], [36, 1], [42, 1], [90, 1]]
    {
        for size in [[1, 1], [3, 4], [4, 4], [5, 9], [7, 7], [8, 8], [13, 6]] {
            let channels = width * groups;
            hold_conv([channels, channels], groups, 3, 1, size, Add::Residual, Activation::Relu);
            hold_conv([channels, channels], groups, 3, 2, size, Add::None, Activation::Relu);
        }
    }
    // As many tiles as are transformed in several goes.
    hold_conv([32, 32], 1, 3, 1, [70, 61], Add::Channel, Activation::None);
}

#[test]
fn every_step_of_every_family_agrees_with_the_formula() {
    for file in [
        "form_released_40x56_b2.json",
        "form_paper_40x56_b2.json",
        "ghostnet_050_47x65_b2.json",
        "resnet18_64x96_b1.json",
        "g_ghost_regnetx_002_224x224_b1.json",
    ] {
        let path = std::path::Path::new("tests/golden/reference").join(file);
        let Ok(reference) = Reference::from_file(&path) else { panic!("{} is missing", path.display()) };
        let model = reference.model().unwrap();
        let [_, _, height, width] = [1, 3, 33, 47];
        let network = model.network(height, width).unwrap();
        hold_steps(&network, &model.checkpoint, &unit("image", 3 * height * width));
    }
}
