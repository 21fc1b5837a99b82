//! A model file on its way into a module.

use crate::error::Error;
use wasm_bindgen::prelude::*;

/// A model file in the memory of the module, filled piece by piece: whoever has it need not hold it whole.
#[wasm_bindgen]
pub struct ModelBytes(pub(super) Vec<u8>);

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
