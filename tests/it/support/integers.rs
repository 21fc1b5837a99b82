//! A network of two convolutions in integers, whose results must be the same to the bit everywhere.

use super::reference::unit;
use g_ghostnet::arch::{Activation, Conv, ConvWeights, Network, Op, Step, Value, View};
use g_ghostnet::checkpoint::{Checkpoint, Dtype, Tensor, contiguous_strides};
use g_ghostnet::config::Config;
use g_ghostnet::cpu::{Pool, Weights, Workspace};
use g_ghostnet::plan::Plan;
use std::collections::BTreeMap;

/// FNV-1a of the bits of what [`run`] returns.
pub const HASH: u64 = 0x5fd6_6422_e1af_74a8;

const SIDE: usize = 23;

/// 5 x 5 of stride 2 in one group on a picture, which has negative numbers, then 3 x 3 in three groups
/// of stride 2, then 1 x 1; no width is a multiple of a tile.
pub fn run() -> Vec<f32> {
    let layers = [("a", [3, 42], 5, 2, 1), ("b", [42, 39], 3, 2, 3), ("c", [39, 35], 1, 1, 1)];
    let mut size = SIDE;
    let mut values = vec![Value { name: "image".into(), channels: 3, height: size, width: size }];
    let mut steps = Vec::new();
    let mut file = File::default();
    for (index, (name, [channels_in, channels_out], kernel, stride, groups)) in layers.into_iter().enumerate()
    {
        let x = View { value: index, first: 0, channels: channels_in, height: size, width: size };
        size = size.div_ceil(stride);
        values.push(Value { name: name.into(), channels: channels_out, height: size, width: size });
        let y = View { value: index + 1, first: 0, channels: channels_out, height: size, width: size };
        let weights = ConvWeights { conv: name.into(), norm: None, bias: true, matrix: false };
        let conv = Conv { weights, kernel, stride, groups, add: None, activation: Activation::Relu };
        steps.push(Step { name: name.into(), op: Op::Conv(conv), x, y });

        let shape = [channels_out, channels_in / groups, kernel, kernel];
        let weight = unit(&format!("{name}.weight"), shape.iter().product());
        let weight = weight.iter().map(|w| (w * 127.0).round() as i8 as u8).collect();
        file.add(&format!("{name}.weight"), Dtype::I8, &shape, weight);
        let scale = unit(&format!("{name}.scale"), channels_out);
        let scale: Vec<f32> = scale.iter().map(|u| 0.01 + 0.005 * u).collect();
        file.add_floats(&format!("{name}.scale"), &scale);
        file.add_floats(&format!("{name}.bias"), &unit(&format!("{name}.bias"), channels_out));
        let input = if index == 0 { [1.0 / 63.0, 64.0] } else { [0.01, 0.0] };
        file.add_floats(&format!("{name}.input"), &input);
    }
    let network =
        Network { name: "case".into(), classes: 1, values, steps, stages: Vec::new(), taps: Vec::new() };
    let checkpoint = Checkpoint::new(file.bytes, file.tensors, Config::default()).unwrap();
    checkpoint.check(&network).unwrap();

    let plan = Plan::new(&network, &[] as &[&str]).unwrap();
    let weights = Weights::new(&network, &checkpoint).unwrap();
    let mut workspace = Workspace::new(&plan, &weights, 1).unwrap();
    workspace.set_image(&plan, &unit("image", 3 * SIDE * SIDE));
    let mut outputs = Vec::new();
    for step in &plan.steps {
        assert!(weights.kernel_name(step).ends_with("int8"));
        workspace.run_step(&plan, &weights, &Pool::default(), step);
        workspace.read(&plan, step.y, &mut outputs);
    }
    outputs
}

pub fn hash(values: &[f32]) -> u64 {
    let bytes = values.iter().flat_map(|value| value.to_bits().to_le_bytes());
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3))
}

#[derive(Default)]
struct File {
    bytes: Vec<u8>,
    tensors: BTreeMap<String, Tensor>,
}

impl File {
    fn add(&mut self, name: &str, dtype: Dtype, shape: &[usize], bytes: Vec<u8>) {
        let (shape, offset) = (shape.to_vec(), self.bytes.len());
        let strides = contiguous_strides(&shape);
        self.tensors.insert(name.into(), Tensor { dtype, shape, strides, offset });
        self.bytes.extend(bytes);
    }

    fn add_floats(&mut self, name: &str, values: &[f32]) {
        let bytes = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.add(name, Dtype::F32, &[values.len()], bytes);
    }
}
