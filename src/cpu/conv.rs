//! Convolutions: which kernel takes which shape.
//!
//! A convolution of a group with `C` inputs, `K` outputs and `k x k` filters is a product of matrices:
//!
//! ```text
//! rows [pixels of y, k * k * C]  *  weights [k * k * C, K]  =  sums [pixels of y, K]
//!
//! y[pixel, channel] = max(sums[pixel, channel] + bias[channel] + residual[pixel, channel], floor)
//! ```
//!
//! | shape | kernel | where its rows come from |
//! |---|---|---|
//! | 1 x 1, stride 1, one group | `Pointwise` | a pixel of x is a row as it lies |
//! | 3 x 3, stride 1 | `Winograd` | transformed tiles, 36 products (see `winograd.rs`) |
//! | one filter a channel | `Depthwise` | no product: a channel's sums are its own (see `depthwise.rs`) |
//! | any other | `Patch` | the `k * k` pixels below a filter are copied beside each other, a few pixels of y at a time |
//! | of eight bits | `Int8` | as `Pointwise` or `Patch`, quantized on the way (see `int8.rs`) |
//!
//! Channels are innermost everywhere: `x[pixel, channel]` is `data[pixel * row + first + channel]` ([`Operand`]).

use super::depthwise::Depthwise;
use super::f32x4::F32x4;
use super::gemm::{COLUMNS, Packed, Rows, product, product_of_block};
#[cfg(feature = "int8")]
use super::int8::Int8;
use super::operand::{Epilogue, Operand, load};
use super::winograd::Winograd;
use crate::arch::Conv;
use crate::error::Result;
use crate::fold::Folding;
#[cfg(feature = "int8")]
use crate::fold::Quantized;
use std::ops::Range;

/// A convolution's weights in the form its kernel reads.
#[derive(Clone, Debug)]
pub struct PackedConv {
    kernel: Kernel,
    /// With eight more, so that a block can be read from where a part is used.
    bias: Vec<f32>,
    channels_out: usize,
    size: usize,
    stride: usize,
}

#[derive(Clone, Debug)]
enum Kernel {
    /// 1 x 1 of stride 1: a pixel's channels are a row of the product as they lie.
    Pointwise(Packed),
    /// k x k of stride 1 by fewer multiplications.
    Winograd(Winograd),
    /// Any other k x k: patches are gathered, a few pixels at a time; one matrix a group.
    Patch(Vec<Packed>),
    /// One filter a channel.
    Depthwise(Depthwise),
    /// Any k x k in integers: rows of x or gathered patches are quantized, a few pixels at a time.
    #[cfg(feature = "int8")]
    Int8(Int8),
}

impl PackedConv {
    /// Packs weights for the kernel that suits their shape.
    ///
    /// # Errors
    /// As [`Folding::filters`].
    pub fn new(conv: &Conv, channels_in: usize, folding: &Folding) -> Result<PackedConv> {
        let mut bias = folding.bias();
        let (size, groups, channels_out) = (conv.kernel, conv.groups, bias.len());
        let (depth, group_out) = (channels_in / groups, channels_out / groups);
        let kernel = if size == 1 && groups == 1 && conv.stride == 1 {
            Kernel::Pointwise(Packed::new(folding, 0, channels_out, 1)?)
        } else if depth == 1 && group_out == 1 && Depthwise::fits(conv.stride) {
            let weight = folding.filters(0..channels_out)?;
            Kernel::Depthwise(Depthwise::new(&weight, channels_out, size, conv.stride))
        } else if size == 3 && conv.stride == 1 {
            Kernel::Winograd(Winograd::new(folding, channels_out, groups)?)
        } else {
            Kernel::Patch(Packed::of_groups(folding, groups, group_out, size * size)?)
        };
        bias.resize(channels_out + 8, 0.0);
        Ok(PackedConv { kernel, bias, channels_out, size, stride: conv.stride })
    }

    /// Packs weights of eight bits.
    #[cfg(feature = "int8")]
    pub fn quantized(conv: &Conv, channels_in: usize, quantized: &Quantized) -> PackedConv {
        let (size, groups, channels_out) = (conv.kernel, conv.groups, quantized.bias.len());
        let (channels, columns) = (channels_in / groups, channels_out / groups);
        let taps = size * size;
        let weight = |group: usize, k: usize, column: usize| {
            let filter = &quantized.weight[(group * columns + column) * channels * taps..];
            filter[k % channels * taps + k / channels]
        };
        let (packed, mut bias) = Int8::new(quantized, [groups, taps * channels, columns], weight);
        bias.resize(channels_out + 8, 0.0);
        PackedConv { kernel: Kernel::Int8(packed), bias, channels_out, size, stride: conv.stride }
    }

    /// Bytes of the packed weights.
    pub fn size_bytes(&self) -> usize {
        size_of_val(self.bias.as_slice())
            + match &self.kernel {
                Kernel::Pointwise(packed) => packed.size_bytes(),
                Kernel::Winograd(winograd) => winograd.size_bytes(),
                Kernel::Patch(packed) => packed.iter().map(Packed::size_bytes).sum(),
                Kernel::Depthwise(depthwise) => depthwise.size_bytes(),
                #[cfg(feature = "int8")]
                Kernel::Int8(packed) => packed.size_bytes(),
            }
    }

    /// Name of the kernel, for profiles.
    pub fn kernel_name(&self) -> &'static str {
        match &self.kernel {
            Kernel::Pointwise(_) => "1x1",
            Kernel::Winograd(_) => "winograd",
            Kernel::Patch(_) => "patch",
            Kernel::Depthwise(_) => "depthwise",
            #[cfg(feature = "int8")]
            Kernel::Int8(_) if self.size == 1 => "1x1 int8",
            #[cfg(feature = "int8")]
            Kernel::Int8(_) => "patch int8",
        }
    }

    /// One number an output channel.
    pub fn bias(&self) -> &[f32] {
        &self.bias
    }

    /// Elements of scratch memory for outputs of `width` columns.
    pub fn scratch_elements(&self, width: usize) -> usize {
        match &self.kernel {
            Kernel::Winograd(winograd) => winograd.scratch_elements(width),
            Kernel::Patch(packed) => {
                let depth = packed.first().map_or(0, |packed| packed.depth);
                PATCH_PIXELS * depth * groups_at_once(depth).min(packed.len())
            }
            #[cfg(feature = "int8")]
            Kernel::Int8(packed) => packed.scratch_elements(),
            Kernel::Depthwise(depthwise) => depthwise.scratch_elements(),
            Kernel::Pointwise(_) => 0,
        }
    }

    /// Pixels of an output of `width` columns that are best computed together.
    pub fn unit(&self, width: usize) -> usize {
        match &self.kernel {
            Kernel::Winograd(_) => Winograd::rows() * width,
            #[cfg(feature = "int8")]
            Kernel::Int8(_) => UNIT_PIXELS,
            Kernel::Pointwise(_) | Kernel::Patch(_) => UNIT_PIXELS,
            Kernel::Depthwise(_) => width,
        }
    }

    /// Whether [`PackedConv::run_pixel`] is there for an output of one pixel.
    pub fn runs_pixels(&self) -> bool {
        matches!(self.kernel, Kernel::Pointwise(_))
    }

    /// Computes the channels `before..` that `y` holds of an output of one pixel; `before` is a multiple of eight.
    pub fn run_pixel(&self, x: &Operand, y: &mut [f32], before: usize, epilogue: &Epilogue) {
        let Kernel::Pointwise(packed) = &self.kernel else { return };
        let epilogue = Epilogue { bias: &epilogue.bias[before..], row: 0, first: 0, ..*epilogue };
        let rows = Rows { data: x.pixel(0), stride: x.row, count: 1 };
        let mut sums = [[0.0; 4]; 2];
        for channel in (0..y.len()).step_by(COLUMNS) {
            let block = packed.block(before + channel);
            product_of_block(rows, packed.depth, block, sums.as_flattened_mut(), COLUMNS);
            for (sums, channel) in sums.iter().zip((channel..y.len()).step_by(4)) {
                epilogue.finish(y, (0, 0), channel, y.len() - channel, F32x4::load(sums));
            }
        }
    }

    /// Computes the output pixels `before..` that `y` holds, of rows of `width`; `before` is a multiple
    /// of [`PackedConv::unit`].
    pub fn run(
        &self,
        x: &Operand,
        y: &mut [f32],
        before: usize,
        width: usize,
        epilogue: &Epilogue,
        scratch: &mut [f32],
    ) {
        match &self.kernel {
            Kernel::Pointwise(packed) => {
                let data = &x.data[before * x.row + x.first..];
                let rows = Rows { data, stride: x.row, count: y.len() / epilogue.row };
                multiply(rows, packed, y, (0, before), 0, epilogue);
            }
            Kernel::Winograd(winograd) => winograd.run(x, y, before / width, epilogue, scratch),
            Kernel::Patch(packed) => self.run_patches(packed, x, y, before, width, epilogue, scratch),
            Kernel::Depthwise(depthwise) => depthwise.run(x, y, before / width, width, epilogue, scratch),
            #[cfg(feature = "int8")]
            Kernel::Int8(packed) => self.run_int8(packed, x, y, before, width, epilogue, scratch),
        }
    }

    #[inline(never)]
    fn run_patches(
        &self,
        packed: &[Packed],
        x: &Operand,
        y: &mut [f32],
        before: usize,
        width: usize,
        epilogue: &Epilogue,
        scratch: &mut [f32],
    ) {
        let pixels = y.len() / epilogue.row;
        let channels = x.channels / packed.len();
        let group_out = self.channels_out / packed.len();
        let depth = channels * self.size * self.size;
        let at_once = groups_at_once(depth);
        for start in (0..pixels).step_by(PATCH_PIXELS) {
            let rows = PATCH_PIXELS.min(pixels - start);
            for (block, packed) in packed.chunks(at_once).enumerate() {
                let first = block * at_once;
                for m in 0..rows {
                    let pixel = before + start + m;
                    let (row, column) = (pixel / width, pixel % width);
                    let channels = first * channels..(first + packed.len()) * channels;
                    self.gather(x, channels, depth, row, column, &mut scratch[m * depth..]);
                }
                let of_group = scratch.chunks(PATCH_PIXELS * depth);
                for ((packed, data), group) in packed.iter().zip(of_group).zip(first..) {
                    let rows = Rows { data, stride: depth, count: rows };
                    multiply(rows, packed, y, (start, before + start), group * group_out, epilogue);
                }
            }
        }
    }

    /// Copies the patch under one output, `[tap][channel]`, with zeros for the padding, for each group that
    /// has part of the channels; groups are a block of patches of `depth` apart.
    #[inline(always)]
    fn gather(
        &self,
        x: &Operand,
        channels: Range<usize>,
        depth: usize,
        row: usize,
        column: usize,
        patches: &mut [f32],
    ) {
        let (size, padding) = (self.size, self.size / 2);
        let of_group = depth / (size * size);
        let left = (column * self.stride).wrapping_sub(padding);
        // A filter's row of all channels lies in one piece.
        let in_one = of_group == x.row && left < x.width && left + size <= x.width;
        let (taps, of_tap) = if in_one { (1, size * of_group) } else { (size, of_group) };
        for tap_row in 0..size {
            let r = (row * self.stride + tap_row).wrapping_sub(padding);
            for tap in 0..taps {
                let c = left.wrapping_add(tap);
                let to = tap_row * size * of_group + tap * of_tap;
                let patches = patches.chunks_mut(PATCH_PIXELS * depth);
                if r < x.height && c < x.width {
                    let at = (r * x.width + c) * x.row + x.first;
                    let from = if in_one {
                        &x.data[at..at + of_tap]
                    } else {
                        &x.data[at + channels.start..at + channels.end]
                    };
                    for (from, patch) in from.chunks_exact(of_tap).zip(patches) {
                        copy(from, &mut patch[to..to + of_tap]);
                    }
                } else {
                    for patch in patches.take(channels.len() / of_group) {
                        patch[to..to + of_tap].fill(0.0);
                    }
                }
            }
        }
    }

    #[cfg(feature = "int8")]
    #[inline(never)]
    fn run_int8(
        &self,
        packed: &Int8,
        x: &Operand,
        y: &mut [f32],
        before: usize,
        width: usize,
        epilogue: &Epilogue,
        scratch: &mut [f32],
    ) {
        let pixels = y.len() / epilogue.row;
        let channels = x.channels / packed.groups();
        for start in (0..pixels).step_by(packed.rows_at_once()) {
            let rows = packed.rows_at_once().min(pixels - start);
            for group in 0..packed.groups() {
                for m in 0..rows {
                    let pixel = before + start + m;
                    let (row, column) = (pixel / width, pixel % width);
                    let patch = packed.row(scratch, m);
                    for (tap, to) in patch.chunks_exact_mut(channels).take(self.size * self.size).enumerate()
                    {
                        match self.input_pixel(x, row, column, tap) {
                            Some(pixel) => {
                                packed.quantize(&x.pixel(pixel)[group * channels..][..channels], to);
                            }
                            None => to.fill(packed.zero()),
                        }
                    }
                }
                packed.product(scratch, rows, group, y, (start, before + start), epilogue);
            }
        }
    }

    /// The pixel of x under a filter's tap at an output; none in the padding.
    #[cfg(feature = "int8")]
    #[inline(always)]
    fn input_pixel(&self, x: &Operand, row: usize, column: usize, tap: usize) -> Option<usize> {
        let (size, stride, padding) = (self.size, self.stride, self.size / 2);
        let r = (row * stride + tap / size).wrapping_sub(padding);
        let c = (column * stride + tap % size).wrapping_sub(padding);
        (r < x.height && c < x.width).then(|| r * x.width + c)
    }
}

/// Pixels that make whole tiles of a product.
const UNIT_PIXELS: usize = 4;
/// Pixels gathered at a time.
const PATCH_PIXELS: usize = 12;
/// Elements of the patches of some groups that are gathered together, a small part of the second-level cache.
const PATCH_ELEMENTS: usize = 16 * 1024;

/// Groups whose patches are gathered together: where a tap lies is found out once for all of them.
fn groups_at_once(depth: usize) -> usize {
    (PATCH_ELEMENTS / (PATCH_PIXELS * depth)).max(1)
}

/// Multiplies rows by the packed weights, with the epilogue. Row 0 is y's pixel `pixel`, and pixel
/// `absolute` of the whole value; column 0 is y's channel `channel`.
fn multiply(
    rows: Rows,
    packed: &Packed,
    y: &mut [f32],
    pixels: (usize, usize),
    channel: usize,
    epilogue: &Epilogue,
) {
    match epilogue.residual {
        None => multiply_and_add::<false>(rows, packed, y, pixels, channel, epilogue),
        Some(_) => multiply_and_add::<true>(rows, packed, y, pixels, channel, epilogue),
    }
}

#[inline(never)]
fn multiply_and_add<const RESIDUAL: bool>(
    rows: Rows,
    packed: &Packed,
    y: &mut [f32],
    (pixel, absolute): (usize, usize),
    channel: usize,
    epilogue: &Epilogue,
) {
    let Epilogue { bias, row, first: y_first, .. } = *epilogue;
    let floor = F32x4::splat(epilogue.floor);
    let residual = if RESIDUAL { epilogue.residual } else { None };
    product(rows, packed, |m, first, left, [low, high]| {
        let channel = channel + first;
        let bias = &bias[channel..channel + 8];
        let (mut low, mut high) = (low.add(load(bias)), high.add(load(&bias[4..])));
        let at = (pixel + m) * row + y_first + channel;
        if left >= 8 {
            if let Some(add) = &residual {
                let at = (absolute + m) * add.row + add.first + channel;
                let add = &add.data[at..at + 8];
                (low, high) = (low.add(load(add)), high.add(load(&add[4..])));
            }
            let (to, _) = y[at..at + 8].as_chunks_mut::<4>();
            low.max(floor).store(&mut to[0]);
            high.max(floor).store(&mut to[1]);
        } else {
            epilogue.finish_biased(y, (pixel + m, absolute + m), channel, left, low);
            if left > 4 {
                epilogue.finish_biased(y, (pixel + m, absolute + m), channel + 4, left - 4, high);
            }
        }
    });
}

/// Copies without the call that a block copy is: a few vectors are moved faster than it returns.
#[inline(always)]
fn copy(from: &[f32], to: &mut [f32]) {
    let (from4, from1) = from.as_chunks::<4>();
    let (to4, to1) = to.as_chunks_mut::<4>();
    for (from, to) in from4.iter().zip(to4) {
        F32x4::load(from).store(to);
    }
    for (from, to) in from1.iter().zip(to1) {
        *to = *from;
    }
}
