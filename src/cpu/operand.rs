//! What every kernel of a convolution reads, and what it does with a finished sum.

use super::f32x4::F32x4;

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

/// `y = max(sum + bias + residual, floor)`, fused into the kernel that makes the sum.
#[derive(Clone, Copy)]
pub struct Epilogue<'a> {
    /// One number a channel, and eight more.
    pub bias: &'a [f32],
    /// Of y's shape.
    pub residual: Option<Operand<'a>>,
    /// 0 for ReLU, else minus infinity.
    pub floor: f32,
    /// Channels of the whole value that y is part of.
    pub row: usize,
    /// First channel of y.
    pub first: usize,
}

impl Epilogue<'_> {
    /// Finishes four channels from `channel` on, of which `left` are real; `pixels` count in y and,
    /// for the residual, in the whole value.
    #[inline(always)]
    pub fn finish(&self, y: &mut [f32], pixels: (usize, usize), channel: usize, left: usize, sum: F32x4) {
        let sum = sum.add(load(&self.bias[channel..]));
        self.finish_biased(y, pixels, channel, left, sum);
    }

    /// As [`Epilogue::finish`], of a sum that has the bias already.
    #[inline(always)]
    pub fn finish_biased(
        &self,
        y: &mut [f32],
        pixels: (usize, usize),
        channel: usize,
        left: usize,
        mut sum: F32x4,
    ) {
        let (pixel, absolute) = pixels;
        if let Some(add) = &self.residual {
            // The slot is padded, so that four lanes are there.
            sum = sum.add(load(&add.data[absolute * add.row + add.first + channel..]));
        }
        let sum = sum.max(F32x4::splat(self.floor));
        let to = &mut y[pixel * self.row + self.first + channel..];
        match to.first_chunk_mut() {
            Some(to) if left >= 4 => sum.store(to),
            _ => sum.store_part(&mut to[..left.min(4)]),
        }
    }
}

/// Four lanes from where four lanes are.
#[inline(always)]
pub fn load(from: &[f32]) -> F32x4 {
    F32x4::load(from.first_chunk().expect("slots and biases are padded to whole vectors"))
}
