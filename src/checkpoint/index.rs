//! An index of a checkpoint's tensors: where each lies in the file, and how its bytes become numbers.

use crate::error::{Error, Result, shortened};
use half::{bf16, f16};
use std::collections::BTreeMap;
use std::ops::Range;

/// How many times a file's bytes its tensors may have together; more than once where they share some.
const MAX_EXPANSION: usize = 4;

/// Longest key and most dimensions of a tensor: far above those of networks, and short enough to be named.
pub const MAX_KEY: usize = 256;
pub const MAX_DIMENSIONS: usize = 8;

/// Element type of a stored tensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dtype {
    /// 16-bit IEEE float.
    F16,
    /// 16-bit brain float.
    Bf16,
    /// 32-bit float.
    F32,
    /// 64-bit float.
    F64,
    /// 64-bit integer: only batch norm's counters, which are not used.
    I64,
    /// 8-bit integer: a weight with a scale for each output channel.
    I8,
}

impl Dtype {
    /// Bytes of an element.
    #[must_use]
    pub fn size(self) -> usize {
        match self {
            Dtype::I8 => 1,
            Dtype::F16 | Dtype::Bf16 => 2,
            Dtype::F32 => 4,
            Dtype::F64 | Dtype::I64 => 8,
        }
    }
}

/// Where a tensor lies in the file.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    /// Element type.
    pub dtype: Dtype,
    /// Extents, outermost first.
    pub shape: Vec<usize>,
    /// Elements between neighbours of each dimension; row-major in safetensors files.
    pub strides: Vec<usize>,
    /// Byte offset of the first element.
    pub offset: usize,
}

impl Tensor {
    /// Elements.
    #[must_use]
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// Whether it has no element.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether its elements lie one after the other, row-major.
    #[must_use]
    pub fn is_contiguous(&self) -> bool {
        self.strides == contiguous_strides(&self.shape)
    }

    /// The bytes of the file from its first to its last element; `None` beyond the numbers of this machine.
    #[must_use]
    pub fn place(&self) -> Option<Range<usize>> {
        let elements = match self.shape.contains(&0) {
            true => 0,
            false => (self.shape.iter().zip(&self.strides))
                .try_fold(0usize, |last, (&extent, &stride)| {
                    (extent - 1).checked_mul(stride)?.checked_add(last)
                })?
                .checked_add(1)?,
        };
        Some(self.offset..elements.checked_mul(self.dtype.size())?.checked_add(self.offset)?)
    }

    /// Its elements' bytes, row-major, from those of its place.
    #[must_use]
    pub fn row_major(&self, place: &[u8]) -> Vec<u8> {
        let size = self.dtype.size();
        let element = |index: usize| &place[index * size..][..size];
        strided_indices(&self.shape, &self.strides, 0..self.len()).flat_map(element).copied().collect()
    }
}

/// Row-major strides of a shape.
#[must_use]
pub fn contiguous_strides(shape: &[usize]) -> Vec<usize> {
    let mut strides = vec![1usize; shape.len()];
    for i in (1..shape.len()).rev() {
        strides[i - 1] = strides[i].saturating_mul(shape[i]);
    }
    strides
}

/// Elements that are decoded by one call: the browser's optimising compiler takes over from call to call.
pub const DECODED_AT_ONCE: usize = 1024;

/// Appends numbers as f32.
#[inline(never)]
pub fn decode(dtype: Dtype, bytes: &[u8], to: &mut Vec<f32>) {
    #[inline(always)]
    fn each<const N: usize>(bytes: &[u8], to: &mut Vec<f32>, number: impl Fn([u8; N]) -> f32) {
        to.extend(bytes.as_chunks().0.iter().map(|&bytes| number(bytes)));
    }
    match dtype {
        Dtype::F16 => each(bytes, to, |bytes| f32_of_f16(u16::from_le_bytes(bytes))),
        Dtype::Bf16 => each(bytes, to, |bytes| bf16::from_le_bytes(bytes).to_f32()),
        Dtype::F32 => each(bytes, to, f32::from_le_bytes),
        Dtype::F64 => each(bytes, to, |bytes| f64::from_le_bytes(bytes) as f32),
        Dtype::I64 => each(bytes, to, |bytes| i64::from_le_bytes(bytes) as f32),
        Dtype::I8 => each(bytes, to, |bytes| f32::from(i8::from_le_bytes(bytes))),
    }
}

#[inline(never)]
pub fn all_finite(values: &[f32]) -> bool {
    values.iter().fold(true, |all, value| all & value.is_finite())
}

/// The number of an f16's bits: a normal one's exponent is only counted from another zero, and takes no
/// arithmetic of floats.
#[inline(always)]
fn f32_of_f16(bits: u16) -> f32 {
    const NORMAL: Range<u32> = 0x0400..0x7c00;
    let (sign, magnitude) = (u32::from(bits & 0x8000) << 16, u32::from(bits & 0x7fff));
    if NORMAL.contains(&magnitude) {
        return f32::from_bits(sign | ((magnitude << 13) + ((127 - 15) << 23)));
    }
    f16::from_bits(bits).to_f32()
}

/// Holds an index against the length of its file.
///
/// # Errors
/// [`Error::BadModel`] for a tensor that does not lie within the file, and for tensors that share its
/// bytes so much that they would not fit the memory.
pub fn check_places(tensors: &BTreeMap<String, Tensor>, length: usize) -> Result<()> {
    for (name, tensor) in tensors {
        if name.len() > MAX_KEY || tensor.shape.len() > MAX_DIMENSIONS {
            return Err(Error::BadModel(format!(
                "tensor `{}` has a name of {} bytes and {} dimensions, expected at most {MAX_KEY} and {MAX_DIMENSIONS}",
                shortened(name),
                name.len(),
                tensor.shape.len()
            )));
        }
        let end = tensor.place().map(|place| place.end);
        if end.is_none_or(|end| end > length) || tensor.shape.len() != tensor.strides.len() {
            return Err(Error::BadModel(format!(
                "tensor `{name}` lies outside the file: the checkpoint is damaged"
            )));
        }
    }
    // A stride of 0 makes a few bytes look like any number of elements, and executors copy them all.
    let total = (tensors.values())
        .try_fold(0usize, |total, tensor| {
            let len = tensor.shape.iter().try_fold(1usize, |len, &extent| len.checked_mul(extent))?;
            total.checked_add(len.checked_mul(tensor.dtype.size())?)
        })
        .unwrap_or(usize::MAX);
    if total > length.saturating_mul(MAX_EXPANSION) {
        return Err(Error::BadModel(format!(
            "the checkpoint's tensors have {total} bytes if each is stored for itself, expected at most \
             {MAX_EXPANSION} times the file's {length}"
        )));
    }
    Ok(())
}

/// Element offsets of a strided tensor in row-major order.
pub fn strided_indices(
    shape: &[usize],
    strides: &[usize],
    range: Range<usize>,
) -> impl Iterator<Item = usize> {
    range.map(move |mut flat: usize| {
        let mut offset = 0;
        for (&extent, &stride) in shape.iter().zip(strides).rev() {
            offset += flat % extent * stride;
            flat /= extent;
        }
        offset
    })
}
