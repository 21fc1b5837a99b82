//! PyTorch checkpoints for engines that read safetensors only.

use crate::weights::Checkpoint;
use wasm_bindgen::prelude::*;

/// A PyTorch checkpoint's tensors as a safetensors file, in their own dtypes.
///
/// # Errors
/// As [`Checkpoint::from_bytes`].
#[wasm_bindgen(js_name = safetensorsFromPth)]
pub fn safetensors_from_pth(bytes: Vec<u8>) -> Result<Vec<u8>, JsValue> {
    Ok(Checkpoint::from_bytes(bytes)?.to_safetensors())
}
