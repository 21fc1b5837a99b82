//! Convolutions of one filter a channel, `y[p, c] = sum_tap x[p + tap, c] * w[tap, c]`.
//!
//! Each number takes part in as many multiplications as the filter has taps and no more, so loads bound
//! the speed: a line of taps is loaded once for a few neighbouring pixels, whose own numbers overlap.

use super::f32x4::F32x4;
use super::operand::{Epilogue, Operand};

/// Pixels that share a line of taps.
const TILE: usize = 4;
/// Taps of a line; wider filters have several, the last one filled up with zeros.
const LINE: usize = 3;

/// Filters in the order they are read.
#[derive(Clone, Debug)]
pub struct Depthwise {
    /// `[size][size up to whole lines][channels]`, and a vector's rest.
    weight: Vec<f32>,
    /// A pixel beyond the picture.
    zeros: Vec<f32>,
    channels: usize,
    size: usize,
    stride: usize,
}

impl Depthwise {
    /// From filters as checkpoints have them, `[channels, 1, size, size]`.
    pub fn new(weight: &[f32], channels: usize, size: usize, stride: usize) -> Depthwise {
        let columns = size.next_multiple_of(LINE);
        let mut by_tap = vec![0.0; size * columns * channels + 4];
        for (channel, filter) in weight.chunks_exact(size * size).enumerate() {
            for (tap, &w) in filter.iter().enumerate() {
                by_tap[(tap / size * columns + tap % size) * channels + channel] = w;
            }
        }
        Depthwise { weight: by_tap, zeros: vec![0.0; channels.next_multiple_of(4)], channels, size, stride }
    }

    /// Whether there is a kernel for a stride.
    pub fn fits(stride: usize) -> bool {
        stride == 1 || stride == 2
    }

    /// Bytes of the weights.
    pub fn size_bytes(&self) -> usize {
        size_of_val(self.weight.as_slice())
    }

    /// Elements of scratch memory.
    pub fn scratch_elements(&self) -> usize {
        TILE * 4 * self.blocks()
    }

    /// Vectors of a pixel.
    fn blocks(&self) -> usize {
        self.channels.div_ceil(4)
    }

    /// Computes the output rows `first_row..` that `y` holds, of `width` columns.
    pub fn run(
        &self,
        x: &Operand,
        y: &mut [f32],
        first_row: usize,
        width: usize,
        epilogue: &Epilogue,
        sums: &mut [f32],
    ) {
        let (padding, blocks) = (self.size / 2, self.blocks());
        let sums = &mut sums.as_chunks_mut::<4>().0[..TILE * blocks];
        for row in first_row..first_row + y.len() / epilogue.row / width {
            for column in (0..width).step_by(TILE) {
                sums.fill([0.0; 4]);
                for a in 0..self.size {
                    let from = (row * self.stride + a).wrapping_sub(padding);
                    if from >= x.height {
                        continue;
                    }
                    for b in (0..self.size).step_by(LINE) {
                        let at = [from, (column * self.stride + b).wrapping_sub(padding)];
                        let weight =
                            &self.weight[(a * self.size.next_multiple_of(LINE) + b) * self.channels..];
                        match self.stride {
                            1 => self.add_line::<1, 6>(x, at, weight, sums),
                            _ => self.add_line::<2, 9>(x, at, weight, sums),
                        }
                    }
                }
                for (n, sums) in sums.chunks_exact(blocks).take(width - column).enumerate() {
                    let pixels = ((row - first_row) * width + column + n, row * width + column + n);
                    for (block, sum) in sums.iter().enumerate() {
                        let (sum, left) = (F32x4::load(sum), self.channels - 4 * block);
                        epilogue.finish(y, pixels, 4 * block, left, sum);
                    }
                }
            }
        }
    }

    /// Adds a line of taps, `[LINE][channels]`, to the sums of the tile, `[TILE][channels]`; the first tap of
    /// the first pixel lies on x at `[row, column]`, all of them on `WIDTH` pixels. Slices of one length and one index: the compiler needs no other check.
    #[inline(never)]
    fn add_line<const STRIDE: usize, const WIDTH: usize>(
        &self,
        x: &Operand,
        [row, column]: [usize; 2],
        weight: &[f32],
        sums: &mut [[f32; 4]],
    ) {
        let blocks = self.blocks();
        let x: [&[[f32; 4]]; WIDTH] = std::array::from_fn(|pixel| {
            let column = column.wrapping_add(pixel);
            // Beyond the picture there are zeros.
            let on_picture = column < x.width;
            let from =
                if on_picture { &x.data[(row * x.width + column) * x.row + x.first..] } else { &self.zeros };
            vectors(from, blocks)
        });
        let weight: [&[[f32; 4]]; LINE] =
            std::array::from_fn(|b| vectors(&weight[b * self.channels..], blocks));
        let mut rest = sums;
        let mut sums: [&mut [[f32; 4]]; TILE] = std::array::from_fn(|_| {
            let (one, others) = std::mem::take(&mut rest).split_at_mut(blocks);
            rest = others;
            one
        });
        for block in 0..blocks {
            let x = x.map(|pixel| F32x4::load(&pixel[block]));
            let weight = weight.map(|tap| F32x4::load(&tap[block]));
            for (n, sums) in sums.iter_mut().enumerate() {
                let mut sum = F32x4::load(&sums[block]);
                for (tap, w) in weight.iter().enumerate() {
                    sum = x[n * STRIDE + tap].mul_add(*w, sum);
                }
                sum.store(&mut sums[block]);
            }
        }
    }
}

/// The first vectors of a slice.
#[inline(always)]
fn vectors(from: &[f32], count: usize) -> &[[f32; 4]] {
    &from.as_chunks().0[..count]
}
