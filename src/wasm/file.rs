//! A model file on its way into a module, and out of it.

#[cfg(any(feature = "read", feature = "edit", feature = "teach"))]
use crate::checkpoint::{Checkpoint, Tensor, safetensors_layout};
#[cfg(any(feature = "cpu", feature = "edit"))]
use crate::error::Error;
use wasm_bindgen::prelude::*;

/// A model file in the memory of the module, filled piece by piece: whoever has it need not hold it whole.
#[cfg(any(feature = "cpu", feature = "edit"))]
#[wasm_bindgen]
pub struct ModelBytes(pub(super) Vec<u8>);

#[cfg(any(feature = "cpu", feature = "edit"))]
#[wasm_bindgen]
impl ModelBytes {
    /// Room for a file of so many bytes.
    ///
    /// # Errors
    /// [`Error::OutOfMemory`]
    #[wasm_bindgen(constructor)]
    pub fn new(length: usize) -> Result<ModelBytes, JsValue> {
        let mut bytes = Vec::new();
        let failed = |_| Error::OutOfMemory(format!("the model's file has {length} bytes"));
        bytes.try_reserve_exact(length).map_err(failed)?;
        Ok(ModelBytes(bytes))
    }

    /// Appends a piece.
    pub fn write(&mut self, piece: &js_sys::Uint8Array) {
        let filled = self.0.len();
        self.0.resize(filled + piece.length() as usize, 0);
        piece.copy_to(&mut self.0[filled..]);
    }
}

/// A safetensors file that was made of another file, as its beginning and the places of what follows: most of it goes
/// from the one to the other without being read.
#[cfg(any(feature = "read", feature = "edit", feature = "teach"))]
#[wasm_bindgen]
pub struct MadeModel {
    checkpoint: Checkpoint,
    /// Length of the other file.
    of_original: usize,
    header: Vec<u8>,
    tensors: Vec<Tensor>,
}

/// Where the bytes of a tensor are; `www/lib/reader.js` has the same numbers.
#[cfg(any(feature = "read", feature = "edit", feature = "teach"))]
enum Lies {
    /// In the original as they are to be written.
    There = 0,
    /// In the original, to be ordered by [`MadeModel::row_major`].
    Strided = 1,
    /// In [`MadeModel::bytes`].
    Here = 2,
}

#[cfg(any(feature = "read", feature = "edit", feature = "teach"))]
impl MadeModel {
    /// A model whose tensors lie in another file up to its length, and in the checkpoint's bytes from there on.
    pub(super) fn new(checkpoint: Checkpoint, of_original: usize) -> MadeModel {
        let (header, tensors) = safetensors_layout(checkpoint.tensors(), &checkpoint.config);
        let tensors = tensors.into_iter().cloned().collect();
        MadeModel { checkpoint, of_original, header, tensors }
    }
}

#[cfg(any(feature = "read", feature = "edit", feature = "teach"))]
#[wasm_bindgen]
impl MadeModel {
    /// How the file begins; once.
    #[wasm_bindgen(js_name = takeHeader)]
    pub fn take_header(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.header)
    }

    /// What follows, `[begin, end, lies, ...]`: places, and where they are: 0 in the original, 1 there to be ordered
    /// by `rowMajor`, 2 here.
    pub fn places(&self) -> Vec<usize> {
        let place = |tensor: &Tensor| {
            let place = tensor.place().unwrap_or_default();
            let lies = match tensor.is_contiguous() {
                _ if place.start >= self.of_original => Lies::Here,
                true => Lies::There,
                false => Lies::Strided,
            };
            [place.start, place.end, lies as usize]
        };
        self.tensors.iter().flat_map(place).collect()
    }

    /// Where in the original the weights lay and what of it no layer reads, as JSON: `{ weights, leftOut }`.
    #[cfg(feature = "read")]
    pub fn origin(&self) -> String {
        serde_json::to_string(&self.checkpoint.origin).expect("names are JSON")
    }

    /// The bytes of a place that is here.
    pub fn bytes(&self, begin: usize, end: usize) -> Vec<u8> {
        self.checkpoint.bytes(begin..end).to_vec()
    }

    /// The elements of the tensor of an index, row-major, from the bytes of its place.
    #[wasm_bindgen(js_name = rowMajor)]
    pub fn row_major(&self, index: usize, place: &[u8]) -> Vec<u8> {
        self.tensors[index].row_major(place)
    }
}
