//! Checkpoints of other formats and libraries, for engines that read the project's own layout.

use super::file::MadeModel;
use crate::error::Error;
use crate::model::Options;
use crate::read::{Progress, Reader};
use wasm_bindgen::prelude::*;

/// A checkpoint that is read from few parts of its file.
#[wasm_bindgen]
pub struct CheckpointReader {
    reader: Reader,
    length: usize,
    made: Option<MadeModel>,
}

#[wasm_bindgen]
impl CheckpointReader {
    /// A reader of a file of so many bytes; `variant` and `weights` as for [`Options`].
    ///
    /// # Errors
    /// [`Error::BadModel`] for a file beyond the numbers of a 32-bit module.
    #[wasm_bindgen(constructor)]
    pub fn new(
        length: f64,
        variant: Option<String>,
        weights: Option<String>,
    ) -> Result<CheckpointReader, JsValue> {
        let limit = f64::from(u32::MAX / 2);
        if !(0.0..=limit).contains(&length) {
            let found = format!("the checkpoint has {length} bytes, expected at most {limit}");
            return Err(Error::BadModel(found).into());
        }
        let (length, options) = (length as usize, Options { variant, labels: None, weights });
        Ok(CheckpointReader { reader: Reader::new(length, options), length, made: None })
    }

    /// Ranges of the file to add next, `[begin, end, begin, end, ...]`; none once it is read.
    ///
    /// # Errors
    /// As [`Reader::read`].
    pub fn wanted(&mut self) -> Result<Vec<usize>, JsValue> {
        match self.reader.read()? {
            Progress::Wanted(ranges) => {
                Ok(ranges.iter().flat_map(|range| [range.start, range.end]).collect())
            }
            Progress::Read(checkpoint) => {
                self.made = Some(MadeModel::new(*checkpoint, self.length));
                Ok(Vec::new())
            }
        }
    }

    /// Adds the bytes of a range.
    pub fn add(&mut self, begin: usize, bytes: Vec<u8>) {
        self.reader.add(begin, bytes);
    }

    /// The model in the layout that engines read, once nothing is wanted, and once only.
    #[wasm_bindgen(js_name = takeMade)]
    pub fn take_made(&mut self) -> Option<MadeModel> {
        self.made.take()
    }
}
