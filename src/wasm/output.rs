//! What a run returns.

use crate::session::Outputs;
use js_sys::Float32Array;
use wasm_bindgen::prelude::*;

/// Logits and taps of one run.
#[wasm_bindgen]
pub struct Output {
    pub(super) outputs: Outputs,
    /// Images and classes.
    pub(super) dims: [usize; 2],
    /// Wall time of the run, without pre-processing.
    pub milliseconds: f64,
}

#[wasm_bindgen]
impl Output {
    /// `[n, classes]`, row-major.
    pub fn logits(&self) -> Float32Array {
        self.outputs.logits.as_slice().into()
    }

    /// `[n, classes]`
    pub fn dims(&self) -> Vec<usize> {
        self.dims.to_vec()
    }

    /// Number of taps.
    #[wasm_bindgen(js_name = tapCount)]
    pub fn tap_count(&self) -> usize {
        self.outputs.taps.len()
    }

    /// Name of a tap.
    #[wasm_bindgen(js_name = tapName)]
    pub fn tap_name(&self, index: usize) -> Option<String> {
        Some(self.outputs.taps.get(index)?.name.clone())
    }

    /// `[n, channels, height, width]` of a tap.
    #[wasm_bindgen(js_name = tapDims)]
    pub fn tap_dims(&self, index: usize) -> Option<Vec<usize>> {
        Some(self.outputs.taps.get(index)?.dims.to_vec())
    }

    /// A tap's numbers, row-major: the one copy out of the module's memory.
    pub fn tap(&self, index: usize) -> Option<Float32Array> {
        Some(self.outputs.taps.get(index)?.data.as_slice().into())
    }
}
