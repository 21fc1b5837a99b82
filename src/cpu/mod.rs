//! The CPU engine: interprets a plan on SIMD kernels.
//!
//! Values lie in slots as `[pixel][channel]`. With channels innermost a 1 x 1 convolution reads its
//! rows as they are, Winograd's transforms are sums of whole vectors, a channel range is a strided
//! view like any other, and widths that are no multiple of four cost one padded vector a row instead
//! of a remainder a plane. Taps and the input are planar; they are transposed at the edge.

mod conv;
mod depthwise;
mod f32x4;
mod gemm;
#[cfg(feature = "int8")]
mod i32x4;
#[cfg(feature = "int8")]
mod int8;
mod operand;
mod pool;
mod winograd;

use crate::arch::{Activation, Conv, Network, Op, Step, View};
use crate::checkpoint::Checkpoint;
use crate::error::{Error, Result};
use crate::plan::Plan;
use conv::PackedConv;
use f32x4::F32x4;
use gemm::COLUMNS;
use operand::{Epilogue, Operand};
pub use pool::Pool;
use pool::lock;
#[cfg(all(target_arch = "wasm32", target_feature = "atomics"))]
pub use pool::workers;
use std::sync::Mutex;

/// Weights packed for the CPU's kernels, by checkpoint key; independent of input size and taps.
pub struct Weights {
    /// In the order of the keys: a hash table is more code than a search.
    convs: Vec<(String, PackedConv)>,
}

impl Weights {
    /// Folds and packs one convolution after the other.
    ///
    /// # Errors
    /// As [`Checkpoint::folded`].
    pub fn new(network: &Network, checkpoint: &Checkpoint) -> Result<Weights> {
        let mut weights = Weights { convs: Vec::new() };
        for (step, conv) in convs_of(network) {
            weights.pack(checkpoint, step, conv)?;
        }
        Ok(weights)
    }

    /// As [`Weights::new`], from the file's end to its beginning: what was packed leaves the checkpoint, so that
    /// the file and the packed weights are never whole at the same time.
    ///
    /// # Errors
    /// As [`Checkpoint::folded`]; the checkpoint is not whole then either.
    pub fn take(network: &Network, checkpoint: &mut Checkpoint) -> Result<Weights> {
        let ends = convs_of(network).map(|(step, conv)| (checkpoint.end_of(step), step, conv));
        let (mut left, mut weights): (Vec<_>, _) = (ends.collect(), Weights { convs: Vec::new() });
        while let Some(last) = (0..left.len()).max_by_key(|&index| left[index].0) {
            let (end, step, conv) = left.swap_remove(last);
            checkpoint.truncate(end);
            weights.pack(checkpoint, step, conv)?;
        }
        checkpoint.forget();
        Ok(weights)
    }

    #[inline(never)]
    fn pack(&mut self, checkpoint: &Checkpoint, step: &Step, conv: &Conv) -> Result<()> {
        let packed = pack(checkpoint, step, conv)?;
        self.convs.insert(self.place(conv), (conv.weights.conv.clone(), packed));
        Ok(())
    }

    fn place(&self, conv: &Conv) -> usize {
        self.convs.partition_point(|(key, _)| *key < conv.weights.conv)
    }

    fn of(&self, conv: &Conv) -> &PackedConv {
        &self.convs[self.place(conv)].1
    }

    /// The kernel that computes a step.
    #[must_use]
    pub fn kernel_name(&self, step: &Step) -> &'static str {
        match &step.op {
            Op::Conv(conv) => self.of(conv).kernel_name(),
            Op::Mean => "mean",
            Op::MaxPool => "max pool",
            Op::Scale { .. } => "scale",
            Op::Add { .. } => "add",
            Op::Copy => "copy",
        }
    }

    /// Bytes of all packed weights.
    #[must_use]
    pub fn size_bytes(&self) -> usize {
        self.convs.iter().map(|(_, packed)| packed.size_bytes()).sum()
    }
}

fn convs_of(network: &Network) -> impl Iterator<Item = (&Step, &Conv)> {
    network.steps.iter().filter_map(|step| match &step.op {
        Op::Conv(conv) => Some((step, conv)),
        _ => None,
    })
}

fn pack(checkpoint: &Checkpoint, step: &Step, conv: &Conv) -> Result<PackedConv> {
    #[cfg(feature = "int8")]
    if let Some(quantized) = checkpoint.quantized(conv)? {
        return Ok(PackedConv::quantized(conv, step.x.channels, &quantized));
    }
    PackedConv::new(conv, step.x.channels, &checkpoint.folding(conv, step.y.channels)?)
}

/// The memory of one plan: nothing is allocated while it runs.
pub struct Workspace {
    slots: Vec<Vec<f32>>,
    /// Of each thread, which has it to itself.
    scratch: Vec<Mutex<Vec<f32>>>,
    scratch_elements: usize,
    /// A convolution's bias with the one number a channel that is added.
    bias: Vec<f32>,
}

/// Multiply-accumulates below which a part of a step is not worth a thread's waking up: some 10 us.
const PART_MACS: u64 = 200_000;

/// Elements behind the last of a slot, so that a whole vector can be read from where a part is used.
const PADDING: usize = 8;

impl Workspace {
    /// Allocates the plan's slots and the kernels' scratch memory for `threads` threads.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`] where the allocation fails.
    pub fn new(plan: &Plan, weights: &Weights, threads: usize) -> Result<Workspace> {
        let scratch_elements = (plan.steps.iter())
            .filter_map(|step| match &step.op {
                Op::Conv(conv) => Some(weights.of(conv).scratch_elements(step.y.width)),
                _ => None,
            })
            .max()
            .unwrap_or(0);
        let slots = plan.slots.iter().map(|&elements| allocate(elements + PADDING)).collect::<Result<_>>()?;
        let scratch =
            (0..threads.max(1)).map(|_| allocate(scratch_elements).map(Mutex::new)).collect::<Result<_>>()?;
        let channels = plan.values.iter().map(|value| value.channels).max().unwrap_or(0);
        Ok(Workspace { slots, scratch, scratch_elements, bias: Vec::with_capacity(channels + PADDING) })
    }

    /// Bytes of all slots and scratch memory.
    #[must_use]
    pub fn size_bytes(&self) -> usize {
        let slots: usize = self.slots.iter().map(Vec::len).sum();
        (slots + self.scratch.len() * self.scratch_elements) * size_of::<f32>()
    }

    /// Copies a planar image, `[3, height, width]`, into its slot.
    pub fn set_image(&mut self, plan: &Plan, image: &[f32]) {
        let (channels, pixels) = (plan.image.channels, plan.image.pixels());
        let slot = &mut self.slots[plan.slot(plan.image)];
        for (channel, plane) in image.chunks_exact(pixels).enumerate() {
            for (p, &value) in plane.iter().enumerate() {
                slot[p * channels + channel] = value;
            }
        }
    }

    /// Appends a view's numbers, planar, to `to`.
    pub fn read(&self, plan: &Plan, view: View, to: &mut Vec<f32>) {
        let (slot, row) = (&self.slots[plan.slot(view)], plan.row(view));
        for channel in view.first..view.first + view.channels {
            to.extend((0..view.pixels()).map(|p| slot[p * row + channel]));
        }
    }

    /// Runs every step; `pool` has at most as many threads as the workspace was made for.
    pub fn run(&mut self, plan: &Plan, weights: &Weights, pool: &Pool) {
        for step in &plan.steps {
            self.run_step(plan, weights, pool, step);
        }
    }

    /// Runs one step.
    pub fn run_step(&mut self, plan: &Plan, weights: &Weights, pool: &Pool, step: &Step) {
        // The plan never puts what a step reads into the slot that it writes.
        let mut y = std::mem::take(&mut self.slots[plan.slot(step.y)]);
        let slots = &self.slots;
        let operand = |view: View| Operand {
            data: &slots[plan.slot(view)],
            row: plan.row(view),
            first: view.first,
            channels: view.channels,
            height: view.height,
            width: view.width,
        };
        let x = operand(step.x);
        let (row, first) = (plan.row(step.y), step.y.first);
        let used = &mut y[..step.y.pixels() * row];
        let parts = pool.parts(step.macs().max(step.x.len() as u64), PART_MACS);
        match &step.op {
            Op::Conv(conv) => {
                let packed = weights.of(conv);
                let (mut bias, mut residual) = (packed.bias(), None);
                match conv.add {
                    None => {}
                    // One number a channel is one more bias.
                    Some(add) if add.pixels() == 1 => {
                        self.bias.clear();
                        self.bias.extend_from_slice(bias);
                        self.bias.iter_mut().zip(operand(add).pixel(0)).for_each(|(bias, add)| *bias += add);
                        bias = &self.bias;
                    }
                    Some(add) => residual = Some(operand(add)),
                }
                let floor = if conv.activation == Activation::Relu { 0.0 } else { f32::NEG_INFINITY };
                let epilogue = Epilogue { bias, residual, floor, row, first };
                // One pixel's channels lie side by side, so that they can be shared out.
                if step.y.pixels() == 1 && packed.runs_pixels() {
                    let used = &mut used[first..first + step.y.channels];
                    pool.split(used, COLUMNS, parts, &|_, from, y| packed.run_pixel(&x, y, from, &epilogue));
                } else {
                    pool.split(used, packed.unit(step.y.width) * row, parts, &|thread, from, y| {
                        let scratch = &mut lock(&self.scratch[thread]);
                        packed.run(&x, y, from / row, step.y.width, &epilogue, scratch);
                    });
                }
                if conv.activation == Activation::HardSigmoid {
                    for pixel in used.chunks_exact_mut(row) {
                        for value in &mut pixel[first..first + step.y.channels] {
                            *value = (*value + 3.0).clamp(0.0, 6.0) / 6.0;
                        }
                    }
                }
            }
            Op::Mean => {
                let means = &mut used[first..first + x.channels];
                pool.split(means, 4, parts, &|_, channel, y| mean(&x, channel, y));
            }
            Op::MaxPool => pool.split(used, row, parts, &|_, from, y| {
                for (pixel, to) in y.chunks_exact_mut(row).enumerate() {
                    let pixel = from / row + pixel;
                    let to = &mut to[first..first + x.channels];
                    max_pool(&x, pixel / step.y.width, pixel % step.y.width, to);
                }
            }),
            Op::Scale { by } => {
                let by = operand(*by).pixel(0);
                for_each_pixel(&x, used, row, first, |_, channel, value| value * by[channel]);
            }
            Op::Add { by } => {
                let by = operand(*by);
                for_each_pixel(&x, used, row, first, |pixel, channel, value| {
                    value + by.pixel(pixel)[channel]
                });
            }
            Op::Copy => for_each_pixel(&x, used, row, first, |_, _, value| value),
        }
        self.slots[plan.slot(step.y)] = y;
    }
}

/// Floating-point operations of `rounds` rounds of ten independent chains of multiply-adds: what the
/// processor can do at most, to time beside a network. The second number keeps the work alive.
#[must_use]
pub fn multiply_add_chains(rounds: u32) -> (f64, f32) {
    // Opaque numbers: the compiler must not know what the chains come to.
    let number = |value: f32| F32x4::splat(std::hint::black_box(value));
    let (factor, shift) = (number(0.999_999), number(1e-7));
    let mut chains: [F32x4; 10] = std::array::from_fn(|i| number(i as f32));
    for _ in 0..rounds {
        for chain in &mut chains {
            *chain = chain.mul_add(factor, shift);
        }
    }
    let mut lanes = [0.0; 4];
    chains.iter().fold(F32x4::splat(0.0), |sum, &chain| sum.add(chain)).store(&mut lanes);
    (f64::from(rounds) * 10.0 * 4.0 * 2.0, lanes[0])
}

fn allocate(elements: usize) -> Result<Vec<f32>> {
    let mut memory = Vec::new();
    memory.try_reserve_exact(elements).map_err(|_| {
        Error::OutOfMemory(format!(
            "no {} MB of memory left: use a smaller picture, batch or network",
            elements * size_of::<f32>() / 1_000_000
        ))
    })?;
    memory.resize(elements, 0.0);
    Ok(memory)
}

/// `y[c] = mean of plane first + c`: in rows of pixels first, so that no sum gets longer than two
/// sides.
fn mean(x: &Operand, first: usize, y: &mut [f32]) {
    let scale = F32x4::splat(1.0 / (x.height * x.width) as f32);
    for (channel, y) in (first..).step_by(4).zip(y.chunks_mut(4)) {
        let lanes = y.len();
        let mut total = F32x4::splat(0.0);
        for row in 0..x.height {
            let mut sum = F32x4::splat(0.0);
            for column in 0..x.width {
                let pixel = &x.pixel(row * x.width + column)[channel..];
                sum = sum.add(match pixel.first_chunk() {
                    Some(chunk) => F32x4::load(chunk),
                    None => F32x4::load_part(&pixel[..lanes]),
                });
            }
            total = total.add(sum);
        }
        total.mul(scale).store_part(y);
    }
}

fn max_pool(x: &Operand, row: usize, column: usize, to: &mut [f32]) {
    let window = |center: usize, size: usize| (2 * center).saturating_sub(1)..(2 * center + 2).min(size);
    to.fill(f32::NEG_INFINITY);
    for r in window(row, x.height) {
        for c in window(column, x.width) {
            for (to, &value) in to.iter_mut().zip(x.pixel(r * x.width + c)) {
                *to = to.max(value);
            }
        }
    }
}

fn for_each_pixel(
    x: &Operand,
    y: &mut [f32],
    row: usize,
    first: usize,
    f: impl Fn(usize, usize, f32) -> f32,
) {
    for pixel in 0..x.height * x.width {
        let to = &mut y[pixel * row + first..][..x.channels];
        for (channel, (to, &value)) in to.iter_mut().zip(x.pixel(pixel)).enumerate() {
            *to = f(pixel, channel, value);
        }
    }
}
