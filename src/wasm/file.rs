//! A model file on its way into a module.

use crate::error::Error;
use wasm_bindgen::prelude::*;

/// A model file in the memory of the module, filled piece by piece: whoever has it need not hold it whole.
#[wasm_bindgen]
pub struct ModelBytes {
    bytes: Vec<u8>,
    filled: usize,
}

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
        bytes.resize(length, 0);
        Ok(ModelBytes { bytes, filled: 0 })
    }

    /// Appends a piece.
    ///
    /// # Errors
    /// [`Error::BadModel`] for more bytes than there is room for.
    pub fn write(&mut self, piece: &js_sys::Uint8Array) -> Result<(), JsValue> {
        let length = piece.length() as usize;
        let room = self.bytes.get_mut(self.filled..).and_then(|rest| rest.get_mut(..length));
        let room =
            room.ok_or_else(|| Error::BadModel("the model's file became longer while it was read".into()))?;
        piece.copy_to(room);
        self.filled += length;
        Ok(())
    }
}

impl ModelBytes {
    /// The file, once it is filled.
    pub(super) fn whole(self) -> Result<Vec<u8>, Error> {
        if self.filled < self.bytes.len() {
            let (found, expected) = (self.filled, self.bytes.len());
            return Err(Error::BadModel(format!("the model's file ended after {found} of {expected} bytes")));
        }
        Ok(self.bytes)
    }
}
