//! Convolutions: which kernel takes which shape, and what all kernels do with a finished sum.

use super::f32x4::F32x4;
use super::gemm::{Packed, ROWS, product};
use super::winograd::Winograd;
use crate::arch::{Activation, Conv};
use crate::weights::Folded;

/// A view of a value for reading: pixel `p`, channel `c` is `data[p * row + first + c]`.
#[derive(Clone, Copy)]
pub struct Operand<'a> {
    /// The whole slot.
    pub data: &'a [f32],
    /// Channels of the whole value.
    pub row: usize,
    /// First channel of the view.
    pub first: usize,
    /// Channels of the view.
    pub channels: usize,
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
}

impl<'a> Operand<'a> {
    /// The view's channels of one pixel.
    #[inline(always)]
    pub fn pixel(&self, pixel: usize) -> &'a [f32] {
        let start = pixel * self.row + self.first;
        &self.data[start..start + self.channels]
    }
}

/// What is added to a sum beside the bias.
#[derive(Clone, Copy)]
pub enum Addend<'a> {
    /// Nothing.
    None,
    /// One number a channel.
    Channel(&'a [f32]),
    /// A residual of y's shape.
    Residual(Operand<'a>),
}

/// `y = activation(sum + bias + addend)`, fused into the kernel that makes the sum.
#[derive(Clone, Copy)]
pub struct Epilogue<'a> {
    /// One number a channel.
    pub bias: &'a [f32],
    /// Residual or channel addend.
    pub addend: Addend<'a>,
    /// Applied last.
    pub activation: Activation,
    /// Channels of the whole value that y is part of.
    pub row: usize,
    /// First channel of y.
    pub first: usize,
}

impl Epilogue<'_> {
    /// Finishes `lanes` channels from `channel` on. `y` starts at the part's first pixel, of which
    /// `pixel` counts; `absolute` counts from the value's first.
    #[inline(always)]
    pub fn finish(
        &self,
        y: &mut [f32],
        pixel: usize,
        absolute: usize,
        channel: usize,
        lanes: usize,
        sum: F32x4,
    ) {
        let at = pixel * self.row + self.first + channel;
        if lanes == 4
            && let Some(to) = y[at..].first_chunk_mut()
            && let Some(bias) = self.bias[channel..].first_chunk()
        {
            let mut value = sum.add(F32x4::load(bias));
            match self.addend {
                Addend::None => {}
                Addend::Channel(add) => value = value.add(load(&add[channel..])),
                Addend::Residual(add) => {
                    value = value.add(load(&add.data[absolute * add.row + add.first + channel..]))
                }
            }
            activate(value, self.activation).store(to);
            return;
        }
        let part = |from: &[f32]| F32x4::load_part(&from[..lanes]);
        let mut value = sum.add(part(&self.bias[channel..]));
        match self.addend {
            Addend::None => {}
            Addend::Channel(add) => value = value.add(part(&add[channel..])),
            Addend::Residual(add) => {
                value = value.add(part(&add.data[absolute * add.row + add.first + channel..]))
            }
        }
        activate(value, self.activation).store_part(&mut y[at..at + lanes]);
    }
}

/// Four lanes from where four lanes are.
#[inline(always)]
fn load(from: &[f32]) -> F32x4 {
    from.first_chunk().map_or_else(|| F32x4::splat(0.0), F32x4::load)
}

#[inline(always)]
fn activate(x: F32x4, activation: Activation) -> F32x4 {
    let zero = F32x4::splat(0.0);
    match activation {
        Activation::None => x,
        Activation::Relu => x.max(zero),
        Activation::HardSigmoid => {
            let (three, six) = (F32x4::splat(3.0), F32x4::splat(6.0));
            x.add(three).max(zero).min(six).mul(F32x4::splat(1.0 / 6.0))
        }
    }
}

/// A convolution's weights in the form its kernel reads.
#[derive(Clone, Debug)]
pub struct PackedConv {
    kernel: Kernel,
    bias: Vec<f32>,
    size: usize,
    stride: usize,
}

#[derive(Clone, Debug)]
enum Kernel {
    /// 1 x 1: a pixel's channels are a row of the product as they lie.
    Pointwise(Packed),
    /// k x k of stride 1 by fewer multiplications.
    Winograd(Winograd),
    /// Any k x k: patches are gathered, a few pixels at a time; one matrix a group.
    Patch(Vec<Packed>),
    /// One filter a channel: `[k * k][channels]`.
    Depthwise(Vec<f32>),
}

impl PackedConv {
    /// Packs folded weights for the kernel that suits their shape.
    pub fn new(conv: &Conv, channels_in: usize, folded: Folded) -> PackedConv {
        let Folded { weight, bias } = folded;
        let (size, groups, channels_out) = (conv.kernel, conv.groups, bias.len());
        let (depth, group_out) = (channels_in / groups, channels_out / groups);
        let taps = size * size;
        let kernel = if size == 1 && groups == 1 {
            Kernel::Pointwise(Packed::new(depth, channels_out, |i, o| weight[o * depth + i]))
        } else if depth == 1 && group_out == 1 {
            let mut planes = vec![0.0; weight.len()];
            for (o, filter) in weight.chunks_exact(taps).enumerate() {
                for (tap, &w) in filter.iter().enumerate() {
                    planes[tap * channels_out + o] = w;
                }
            }
            Kernel::Depthwise(planes)
        } else if size == 3 && conv.stride == 1 {
            Kernel::Winograd(Winograd::new(&weight, channels_out, groups, 4))
        } else {
            let pack = |group: usize| {
                let weight = &weight[group * group_out * depth * taps..];
                Packed::new(taps * depth, group_out, |k, o| {
                    weight[(o * depth + k % depth) * taps + k / depth]
                })
            };
            Kernel::Patch((0..groups).map(pack).collect())
        };
        PackedConv { kernel, bias, size, stride: conv.stride }
    }

    /// Bytes of the packed weights.
    pub fn size_bytes(&self) -> usize {
        size_of_val(self.bias.as_slice())
            + match &self.kernel {
                Kernel::Pointwise(packed) => packed.size_bytes(),
                Kernel::Winograd(winograd) => winograd.size_bytes(),
                Kernel::Patch(packed) => packed.iter().map(Packed::size_bytes).sum(),
                Kernel::Depthwise(planes) => size_of_val(planes.as_slice()),
            }
    }

    /// One number an output channel.
    pub fn bias(&self) -> &[f32] {
        &self.bias
    }

    /// Output rows that belong together: parts of a value handed to different threads start at a
    /// multiple of it.
    pub fn row_step(&self) -> usize {
        match &self.kernel {
            Kernel::Winograd(winograd) => winograd.tile(),
            _ => 1,
        }
    }

    /// Elements of scratch memory for outputs of `width` columns.
    pub fn scratch_elements(&self, width: usize) -> usize {
        match &self.kernel {
            Kernel::Winograd(winograd) => winograd.scratch_elements(width),
            Kernel::Patch(packed) => PATCH_PIXELS * packed.first().map_or(0, |packed| packed.depth),
            Kernel::Pointwise(_) | Kernel::Depthwise(_) => 0,
        }
    }

    /// Computes the output rows `first_row..` that `y` holds, of `width` columns.
    pub fn run(
        &self,
        x: &Operand,
        y: &mut [f32],
        first_row: usize,
        width: usize,
        epilogue: &Epilogue,
        scratch: &mut [f32],
    ) {
        let before = first_row * width;
        match &self.kernel {
            Kernel::Pointwise(packed) if self.stride == 1 => {
                pointwise(packed, |p| x.pixel(before + p), y, before, epilogue);
            }
            Kernel::Pointwise(packed) => {
                let at = |p: usize| {
                    let (row, column) = ((before + p) / width, (before + p) % width);
                    x.pixel(row * self.stride * x.width + column * self.stride)
                };
                pointwise(packed, at, y, before, epilogue);
            }
            Kernel::Winograd(winograd) => winograd.run(x, y, first_row, epilogue, scratch),
            Kernel::Patch(packed) => self.run_patches(packed, x, y, first_row, width, epilogue, scratch),
            Kernel::Depthwise(planes) => self.run_depthwise(planes, x, y, first_row, width, epilogue),
        }
    }

    #[inline(never)]
    fn run_patches(
        &self,
        packed: &[Packed],
        x: &Operand,
        y: &mut [f32],
        first_row: usize,
        width: usize,
        epilogue: &Epilogue,
        scratch: &mut [f32],
    ) {
        let pixels = y.len() / epilogue.row;
        let channels = x.channels / packed.len();
        let group_out = self.bias.len() / packed.len();
        for start in (0..pixels).step_by(PATCH_PIXELS) {
            let rows = PATCH_PIXELS.min(pixels - start);
            for (group, packed) in packed.iter().enumerate() {
                let depth = packed.depth;
                for m in 0..rows {
                    let (row, column) = (first_row + (start + m) / width, (start + m) % width);
                    let patch = &mut scratch[m * depth..(m + 1) * depth];
                    self.gather(x, group * channels, channels, row, column, patch);
                }
                let before = first_row * width + start;
                let y = &mut y[start * epilogue.row..];
                product(
                    packed,
                    rows,
                    |m| &scratch[m * depth..(m + 1) * depth],
                    |m, first, sums| {
                        finish_sums(epilogue, y, m, before + m, group * group_out, first, group_out, sums)
                    },
                );
            }
        }
    }

    /// Copies the patch under one output, `[tap][channel]`, with zeros for the padding.
    #[inline(always)]
    fn gather(
        &self,
        x: &Operand,
        first: usize,
        channels: usize,
        row: usize,
        column: usize,
        patch: &mut [f32],
    ) {
        let (size, stride, padding) = (self.size, self.stride, self.size / 2);
        for (tap, to) in patch.chunks_exact_mut(channels).enumerate() {
            let (r, c) = (
                (row * stride + tap / size).wrapping_sub(padding),
                (column * stride + tap % size).wrapping_sub(padding),
            );
            if r < x.height && c < x.width {
                let at = (r * x.width + c) * x.row + x.first + first;
                to.copy_from_slice(&x.data[at..at + channels]);
            } else {
                to.fill(0.0);
            }
        }
    }

    #[inline(never)]
    fn run_depthwise(
        &self,
        planes: &[f32],
        x: &Operand,
        y: &mut [f32],
        first_row: usize,
        width: usize,
        epilogue: &Epilogue,
    ) {
        let (size, stride, padding, channels) = (self.size, self.stride, self.size / 2, self.bias.len());
        for pixel in 0..y.len() / epilogue.row {
            let (row, column) = (first_row + pixel / width, pixel % width);
            for channel in (0..channels).step_by(4) {
                let lanes = 4.min(channels - channel);
                let load = |from: &[f32]| match from.first_chunk() {
                    Some(chunk) if lanes == 4 => F32x4::load(chunk),
                    _ => F32x4::load_part(&from[..lanes]),
                };
                let mut sum = F32x4::splat(0.0);
                for a in 0..size {
                    let r = (row * stride + a).wrapping_sub(padding);
                    if r >= x.height {
                        continue;
                    }
                    for b in 0..size {
                        let c = (column * stride + b).wrapping_sub(padding);
                        if c >= x.width {
                            continue;
                        }
                        let w = load(&planes[(a * size + b) * channels + channel..]);
                        sum = load(&x.data[(r * x.width + c) * x.row + x.first + channel..]).mul_add(w, sum);
                    }
                }
                epilogue.finish(y, pixel, first_row * width + pixel, channel, lanes, sum);
            }
        }
    }
}

/// Pixels gathered at a time.
const PATCH_PIXELS: usize = 4 * ROWS;

#[inline(never)]
fn pointwise<'x>(
    packed: &Packed,
    x: impl Fn(usize) -> &'x [f32] + Copy,
    y: &mut [f32],
    before: usize,
    epilogue: &Epilogue,
) {
    let columns = packed.columns;
    product(packed, y.len() / epilogue.row, x, |row, first, sums| {
        finish_sums(epilogue, y, row, before + row, 0, first, columns, sums);
    });
}

/// Finishes one row of a block of columns, of which those from `columns` on are padding.
#[inline(always)]
fn finish_sums(
    epilogue: &Epilogue,
    y: &mut [f32],
    pixel: usize,
    absolute: usize,
    group_first: usize,
    first: usize,
    columns: usize,
    sums: &[F32x4],
) {
    for (n, &sum) in sums.iter().enumerate() {
        let column = first + 4 * n;
        if column < columns {
            epilogue.finish(y, pixel, absolute, group_first + column, 4.min(columns - column), sum);
        }
    }
}
