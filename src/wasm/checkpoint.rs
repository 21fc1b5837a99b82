//! PyTorch checkpoints for engines that read safetensors only.

use crate::checkpoint::pth::{Progress, Reader};
use crate::checkpoint::{Tensor, safetensors_layout};
use crate::config::Config;
use crate::error::Error;
use wasm_bindgen::prelude::*;

/// The index of a PyTorch checkpoint, read from few parts of its file, as the beginning of a safetensors
/// file and the places of what follows it: most of the file goes from the one to the other without being
/// read.
#[wasm_bindgen]
pub struct PthReader {
    reader: Reader,
    header: Vec<u8>,
    tensors: Vec<Tensor>,
}

#[wasm_bindgen]
impl PthReader {
    /// A reader of a file of so many bytes; `weights` as for [`crate::model::Options`].
    ///
    /// # Errors
    /// [`Error::BadModel`] for a file beyond the numbers of a 32-bit module.
    #[wasm_bindgen(constructor)]
    pub fn new(length: f64, weights: Option<String>) -> Result<PthReader, JsValue> {
        let limit = f64::from(u32::MAX / 2);
        if !(0.0..=limit).contains(&length) {
            let found = format!("the checkpoint has {length} bytes, expected at most {limit}");
            return Err(Error::BadModel(found).into());
        }
        Ok(PthReader {
            reader: Reader::new(length as usize, weights),
            header: Vec::new(),
            tensors: Vec::new(),
        })
    }

    /// Ranges of the file to add next, `[begin, end, begin, end, ...]`; none once the index is read.
    ///
    /// # Errors
    /// As [`Reader::read`].
    pub fn wanted(&mut self) -> Result<Vec<usize>, JsValue> {
        match self.reader.read()? {
            Progress::Wanted(ranges) => {
                Ok(ranges.iter().flat_map(|range| [range.start, range.end]).collect())
            }
            Progress::Index(index, origin) => {
                let (header, tensors) = safetensors_layout(&index, &Config::default(), &origin);
                self.tensors = tensors.into_iter().cloned().collect();
                self.header = header;
                Ok(Vec::new())
            }
        }
    }

    /// Adds the bytes of a range.
    pub fn add(&mut self, begin: usize, bytes: Vec<u8>) {
        self.reader.add(begin, bytes);
    }

    /// How the safetensors file begins.
    pub fn header(&self) -> Vec<u8> {
        self.header.clone()
    }

    /// What follows, `[begin, end, contiguous, ...]`: places of the checkpoint's file, the bytes of those that
    /// are not contiguous (0) as [`PthReader::row_major`] orders them.
    pub fn tensors(&self) -> Vec<usize> {
        let place = |tensor: &Tensor| {
            let place = tensor.place().unwrap_or_default();
            [place.start, place.end, usize::from(tensor.is_contiguous())]
        };
        self.tensors.iter().flat_map(place).collect()
    }

    /// The elements of the tensor of an index, row-major, from the bytes of its place.
    #[wasm_bindgen(js_name = rowMajor)]
    pub fn row_major(&self, index: usize, place: &[u8]) -> Vec<u8> {
        self.tensors[index].row_major(place)
    }
}
