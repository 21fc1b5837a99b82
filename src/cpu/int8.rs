//! The matrix product in integers: rows of quantized activations times weights of eight bits.
//!
//! `y = sum(w * (x / step + zero)) * step * scale + bias - zero * step * scale * sum(w)`; the last two
//! terms are one number a column, made once.

use super::f32x4::F32x4;
use super::i32x4::{Element, Elements, GROUP, I32x4, LANES, quantize_one};
use super::operand::Epilogue;
use crate::fold::Quantized;

/// Columns of a block: two vectors of sums.
const COLUMNS: usize = 8;
/// Rows of a tile: with twelve sums, two vectors of weights and one of x, 15 of 16 registers.
const TILE_ROWS: usize = 6;
/// Half of the longest vector.
const HALF: usize = 8;
/// Elements that are quantized at a time, so that they are in the first-level cache when they are read.
const CACHED_ELEMENTS: usize = 16 * 1024;

/// A convolution's weights, one matrix a group, each packed in blocks of eight columns
/// `[depth / GROUP][column][GROUP]`, padded with zeros.
#[derive(Clone, Debug)]
pub struct Int8 {
    groups: Vec<Vec<Element>>,
    /// Length of a sum, a multiple of a vector's elements.
    depth: usize,
    /// Columns of a group.
    columns: usize,
    /// Of each column of all groups: what a sum is multiplied by; eight more than there are.
    scale: Vec<f32>,
    /// `1 / step` and zero of the activations.
    input: (f32, f32),
}

impl Int8 {
    /// Packs weights and makes the bias of their sums; `weight(group, depth index, column)`.
    pub fn new(
        quantized: &Quantized,
        [groups, depth, columns]: [usize; 3],
        weight: impl Fn(usize, usize, usize) -> i8,
    ) -> (Int8, Vec<f32>) {
        let padded = depth.next_multiple_of(LANES);
        let element = |group: usize, k: usize, column: usize| match k < depth && column < columns {
            true => Element::from(weight(group, k, column)),
            false => 0,
        };
        let pack = |group: usize| {
            let mut data = Vec::with_capacity(padded * columns.next_multiple_of(COLUMNS));
            for first in (0..columns).step_by(COLUMNS) {
                for k in (0..padded).step_by(GROUP) {
                    let group_of = |column| (k..k + GROUP).map(move |k| (k, column));
                    let places = (first..first + COLUMNS).flat_map(group_of);
                    data.extend(places.map(|(k, column)| element(group, k, column)));
                }
            }
            data
        };
        let (step, zero) = (f64::from(quantized.step), f64::from(quantized.zero));
        let mut scale: Vec<f32> =
            quantized.scale.iter().map(|&scale| (f64::from(scale) * step) as f32).collect();
        let bias = (quantized.bias.iter().enumerate())
            .map(|(o, &bias)| {
                let sum: i32 = (0..depth).map(|k| i32::from(weight(o / columns, k, o % columns))).sum();
                (f64::from(bias) - zero * f64::from(sum) * step * f64::from(quantized.scale[o])) as f32
            })
            .collect();
        scale.resize(scale.len() + COLUMNS, 0.0);
        let input = ((1.0 / step) as f32, quantized.zero);
        (Int8 { groups: (0..groups).map(pack).collect(), depth: padded, columns, scale, input }, bias)
    }

    /// Bytes of the packed weights.
    pub fn size_bytes(&self) -> usize {
        self.groups.iter().map(|group| size_of_val(group.as_slice())).sum()
    }

    /// Number of groups.
    pub fn groups(&self) -> usize {
        self.groups.len()
    }

    /// Rows that are computed together.
    pub fn rows_at_once(&self) -> usize {
        (CACHED_ELEMENTS / self.depth / TILE_ROWS).clamp(4, 32) * TILE_ROWS
    }

    /// Elements of f32 scratch memory for those rows.
    pub fn scratch_elements(&self) -> usize {
        (self.rows_at_once() * self.depth * size_of::<Element>()).div_ceil(size_of::<f32>())
    }

    /// The place of a row in scratch memory.
    pub fn row<'a>(&self, scratch: &'a mut [f32], row: usize) -> &'a mut [Element] {
        let elements: &mut [Element] = bytemuck::cast_slice_mut(scratch);
        &mut elements[row * self.depth..][..self.depth]
    }

    /// Quantizes activations.
    #[inline(always)]
    pub fn quantize(&self, from: &[f32], to: &mut [Element]) {
        let (scale, zero) = self.input;
        let (from_vectors, from_rest) = from.as_chunks();
        let (to_vectors, to_rest) = to[..from.len()].as_chunks_mut();
        for (from, to) in from_vectors.iter().zip(to_vectors) {
            Elements::quantize(from, scale, zero).store(to);
        }
        // Groups of eight channels are common, and one after the other they take as long as the convolution.
        let (from_halves, from_rest) = from_rest.as_chunks::<HALF>();
        let (to_halves, to_rest) = to_rest.as_chunks_mut::<HALF>();
        for (from, to) in from_halves.iter().zip(to_halves) {
            let (mut whole, mut quantized) = ([0.0; LANES], [0; LANES]);
            whole[..HALF].copy_from_slice(from);
            Elements::quantize(&whole, scale, zero).store(&mut quantized);
            to.copy_from_slice(&quantized[..HALF]);
        }
        for (&from, to) in from_rest.iter().zip(to_rest) {
            *to = quantize_one(from, scale, zero);
        }
    }

    /// What the padding around a picture is.
    pub fn zero(&self) -> Element {
        quantize_one(0.0, 0.0, self.input.1)
    }

    /// Multiplies `rows` quantized rows by a group's weights; row 0 is y's pixel `pixel`, and pixel
    /// `absolute` of the whole value.
    #[inline(never)]
    pub fn product(
        &self,
        scratch: &[f32],
        rows: usize,
        group: usize,
        y: &mut [f32],
        (pixel, absolute): (usize, usize),
        epilogue: &Epilogue,
    ) {
        let x: &[Element] = bytemuck::cast_slice(scratch);
        let mut sums = [[I32x4::zero(); 2]; TILE_ROWS];
        let blocks = self.groups[group].chunks_exact(self.depth * COLUMNS);
        for (block, first) in blocks.zip((0..self.columns).step_by(COLUMNS)) {
            let (channel, left) = (group * self.columns + first, self.columns - first);
            let scale: [F32x4; 2] = std::array::from_fn(|half| {
                let scale = self.scale[channel + 4 * half..].first_chunk();
                F32x4::load(scale.expect("there are eight more scales than columns"))
            });
            for row in (0..rows).step_by(TILE_ROWS) {
                let x = &x[row * self.depth..];
                let count = TILE_ROWS.min(rows - row);
                match count {
                    1 => tile::<1>(x, self.depth, block, &mut sums),
                    2 => tile::<2>(x, self.depth, block, &mut sums),
                    3 => tile::<3>(x, self.depth, block, &mut sums),
                    4 => tile::<4>(x, self.depth, block, &mut sums),
                    5 => tile::<5>(x, self.depth, block, &mut sums),
                    _ => tile::<6>(x, self.depth, block, &mut sums),
                }
                for (m, sums) in sums[..count].iter().enumerate() {
                    let pixels = (pixel + row + m, absolute + row + m);
                    for half in 0..2 {
                        if left > 4 * half {
                            let sum = sums[half].to_f32().mul(scale[half]);
                            epilogue.finish(y, pixels, channel + 4 * half, left - 4 * half, sum);
                        }
                    }
                }
            }
        }
    }
}

/// `to[m] = sum over k of x[m * depth + k] * block[k][..]`; a function of its own as in `gemm`.
#[inline(never)]
fn tile<const M: usize>(x: &[Element], depth: usize, block: &[Element], to: &mut [[I32x4; 2]; TILE_ROWS]) {
    let (weights, _) = block.as_chunks::<LANES>().0.as_chunks::<2>();
    let x: [&[[Element; GROUP]]; M] =
        std::array::from_fn(|m| &x[m * depth..][..depth].as_chunks().0[..weights.len()]);
    let mut sums = [[I32x4::zero(); 2]; M];
    for k in 0..weights.len() {
        let w = weights[k].each_ref().map(Elements::load);
        for m in 0..M {
            let x = Elements::splat(&x[m][k]);
            for n in 0..2 {
                sums[m][n] = sums[m][n].add_products(w[n], x);
            }
        }
    }
    to[..M].copy_from_slice(&sums);
}
