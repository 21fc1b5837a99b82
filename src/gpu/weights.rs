//! Weights packed for the kernels, in the buffers of a device.
//!
//! Weights stay as the checkpoint has them and the batch norm stays beside them as a scale and a shift
//! of each channel: so weights of f16 are exact in f16. Those of f32 are kept in f32, because rounding
//! them moves a logit by more than the engine's own error, unless the feature maps are rounded too. Winograd's
//! transformed weights are f32.

use super::Gpu;
use super::kernels::{Float, Target, Winograd};
use crate::arch::{Conv, Network, Op, Step};
use crate::error::{Error, Result};
use crate::fold::Scaled;
use crate::winograd::WINOGRAD_G;
use std::collections::HashMap;

/// Which kernels a convolution's weights are packed for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Packing {
    /// Blocks of 4 x 4.
    Blocks(Float),
    /// The same of a 1 x 1 convolution over unfolded patches.
    Patches(Float),
    /// The same of each of Winograd's frequencies.
    Winograd,
}

/// One convolution's buffers.
pub struct ConvBuffers {
    /// What the weights are packed for.
    pub packing: Packing,
    /// Blocks.
    pub weights: wgpu::Buffer,
    /// Scale and shift of each output channel.
    pub norm: wgpu::Buffer,
}

/// The buffers of all convolutions, by checkpoint key.
pub struct Weights {
    convs: HashMap<String, ConvBuffers>,
}

impl Weights {
    /// Packs and uploads one convolution after the other; `read` gives a convolution's weights by the
    /// index of its step, itself, and its output channels.
    ///
    /// # Errors
    /// Those of `read`, and [`Error::BadModel`] for a weight that is not the convolution's.
    pub fn new(
        gpu: &Gpu,
        network: &Network,
        mut read: impl FnMut(usize, &Conv, usize) -> Result<Scaled>,
    ) -> Result<Weights> {
        let mut convs = HashMap::new();
        for (index, step) in network.steps.iter().enumerate() {
            if let Op::Conv(conv) = &step.op {
                let key = &conv.weights.conv;
                let scaled = read(index, conv, step.y.channels)?;
                // Each weight multiplies once for each pixel.
                let expected = step.macs() as usize / step.y.pixels();
                if scaled.weight.len() != expected {
                    return Err(Error::BadModel(format!(
                        "`{key}` has {} weights, expected {expected}",
                        scaled.weight.len()
                    )));
                }
                let half = gpu.values() == Float::F16 || scaled.half;
                let float = if half { Float::F16 } else { Float::F32 };
                let packing = packing(gpu, conv, step, float);
                let bytes = match packing {
                    Packing::Blocks(float) | Packing::Patches(float) => {
                        // Inputs and taps of an unfolded input are its channels.
                        let taps = match packing {
                            Packing::Patches(_) => 1,
                            _ => conv.kernel * conv.kernel,
                        };
                        let blocks = pack(&scaled.weight, step.y.channels, conv.groups, taps);
                        float.encode(&blocks)
                    }
                    Packing::Winograd => {
                        Float::F32.encode(&winograd(&scaled.weight, step.y.channels, conv.groups))
                    }
                };
                let norm: Vec<f32> =
                    scaled.scale.iter().zip(&scaled.shift).flat_map(|(&a, &b)| [a, b]).collect();
                let buffers = ConvBuffers {
                    packing,
                    weights: gpu.upload(key, &bytes, wgpu::BufferUsages::STORAGE)?,
                    norm: gpu.upload(key, &Float::F32.encode(&norm), wgpu::BufferUsages::STORAGE)?,
                };
                convs.insert(key.clone(), buffers);
            }
        }
        Ok(Weights { convs })
    }

    /// Buffers of a convolution of the network.
    pub fn of(&self, conv: &Conv) -> &ConvBuffers {
        &self.convs[&conv.weights.conv]
    }

    /// Bytes of all buffers.
    pub fn size_bytes(&self) -> usize {
        self.convs.values().map(|conv| (conv.weights.size() + conv.norm.size()) as usize).sum()
    }
}

/// Unfolded patches pay on a CPU, where gathers are the limit; on a card memory is.
fn packing(gpu: &Gpu, conv: &Conv, step: &Step, float: Float) -> Packing {
    let software = gpu.target() == Target::Software;
    if uses_winograd(gpu, conv, step, float) {
        return Packing::Winograd;
    }
    if software && conv.groups == 1 && conv.kernel > 1 && step.y.channels >= 16 {
        return Packing::Patches(float);
    }
    Packing::Blocks(float)
}

/// Winograd's method pays on a CPU, where arithmetic is the limit, down to few channels in a group.
fn uses_winograd(gpu: &Gpu, conv: &Conv, step: &Step, float: Float) -> bool {
    let dense = step.x.channels / conv.groups >= 8 && step.y.channels / conv.groups >= 8;
    // The filters of all 36 frequencies are one buffer, four times as large as the filters.
    let blocks = |channels: usize| (channels / conv.groups).div_ceil(4) as u64;
    let bytes = 36 * conv.groups as u64 * blocks(step.x.channels) * blocks(step.y.channels) * 64;
    if conv.kernel != 3 || conv.stride != 1 || !dense || bytes > gpu.largest_buffer() {
        return false;
    }
    match (gpu.winograd, gpu.target()) {
        (Winograd::Always, _) | (Winograd::Auto, Target::Software) => true,
        (Winograd::Auto, Target::Hardware) => saves_more_than_it_moves(conv, step, float),
        (Winograd::Never, _) => false,
    }
}

/// Whether the multiply-adds that Winograd's method saves on a card take longer than the memory that it moves.
///
/// For each output channel, of W inputs, P pixels and T tiles, it saves W (9 P - 36 T) multiply-adds, writes and
/// reads 36 T inputs and as many products, and reads 36 W weights of f32 instead of 9 W. A card does about 20
/// multiply-adds in the time of a byte, and the tiles of `conv_shared` reach about half of that.
/// This is arithmetic, not a measurement: `gpu_bench --kernels direct --kernels winograd` measures.
fn saves_more_than_it_moves(conv: &Conv, step: &Step, float: Float) -> bool {
    const MULTIPLY_ADDS_OF_A_BYTE: usize = 10;
    let inputs = step.x.channels / conv.groups;
    let tiles = step.y.height.div_ceil(4) * step.y.width.div_ceil(4);
    let saved = (9 * inputs * step.y.pixels()).saturating_sub(36 * inputs * tiles);
    let moved = 4 * 4 * 36 * tiles + inputs * (36 * 4 - 9 * float.bytes());
    saved > MULTIPLY_ADDS_OF_A_BYTE * moved
}

/// `[channels_out][channels_in of a group][taps]` to blocks of 4 x 4,
/// `[group][output block][tap][input block][output][input]`, with zeros where channels are missing.
#[must_use]
pub fn pack(weight: &[f32], channels_out: usize, groups: usize, taps: usize) -> Vec<f32> {
    let channels_in = weight.len() / taps / channels_out;
    let group_out = channels_out / groups;
    let (blocks_out, blocks_in) = (group_out.div_ceil(4), channels_in.div_ceil(4));
    let mut packed = vec![0.0; groups * blocks_out * taps * blocks_in * 16];
    for o in 0..channels_out {
        let (group, of_group) = (o / group_out, o % group_out);
        for i in 0..channels_in {
            for tap in 0..taps {
                let block = ((group * blocks_out + of_group / 4) * taps + tap) * blocks_in + i / 4;
                packed[block * 16 + of_group % 4 * 4 + i % 4] = weight[(o * channels_in + i) * taps + tap];
            }
        }
    }
    packed
}

/// G g G^T of F(4x4, 3x3) of every filter, then [`pack`]ed with each frequency's groups as groups.
#[must_use]
pub fn winograd(weight: &[f32], channels_out: usize, groups: usize) -> Vec<f32> {
    let filters = weight.len() / 9;
    let mut frequencies = vec![0.0; 36 * filters];
    for (f, g) in weight.as_chunks::<9>().0.iter().enumerate() {
        for u in 0..6 {
            for v in 0..6 {
                let mut sum = 0.0;
                for a in 0..3 {
                    for b in 0..3 {
                        sum += WINOGRAD_G[u][a] * f64::from(g[3 * a + b]) * WINOGRAD_G[v][b];
                    }
                }
                frequencies[(6 * u + v) * filters + f] = sum as f32;
            }
        }
    }
    pack(&frequencies, 36 * channels_out, 36 * groups, 1)
}
