//! Other models made of one, as JavaScript sees it.

use crate::ablation::{Ablation, ablate};
use crate::model::{Model, Options};
use crate::twin::{Twin, random_twin};
use wasm_bindgen::prelude::*;

/// A model with the edits that are to be made.
#[wasm_bindgen]
pub struct ModelEditor {
    model: Model,
    ablations: Vec<Ablation>,
}

#[wasm_bindgen]
impl ModelEditor {
    /// Reads a model file; variant and labels where the file does not say them.
    ///
    /// # Errors
    /// As [`Model::from_bytes`].
    #[wasm_bindgen(constructor)]
    pub fn new(
        model: Vec<u8>,
        variant: Option<String>,
        labels: Option<Vec<String>>,
    ) -> Result<ModelEditor, JsValue> {
        let model = Model::from_bytes(model, &Options { variant, labels })?;
        Ok(ModelEditor { model, ablations: Vec::new() })
    }

    /// [`Ablation::GhostOff`]
    #[wasm_bindgen(js_name = ghostOff)]
    pub fn ghost_off(&mut self, stage: String) {
        self.ablations.push(Ablation::GhostOff { stage });
    }

    /// [`Ablation::GhostFit`]
    #[wasm_bindgen(js_name = ghostFit)]
    pub fn ghost_fit(&mut self, stage: String, weight: Vec<f32>, bias: Vec<f32>) {
        self.ablations.push(Ablation::GhostFit { stage, weight, bias });
    }

    /// [`Ablation::MergeOff`]
    #[wasm_bindgen(js_name = mergeOff)]
    pub fn merge_off(&mut self, stage: String) {
        self.ablations.push(Ablation::MergeOff { stage });
    }

    /// [`Ablation::ChannelOff`]
    #[wasm_bindgen(js_name = channelOff)]
    pub fn channel_off(&mut self, tap: String, channel: usize) {
        self.ablations.push(Ablation::ChannelOff { tap, channel });
    }

    /// The model with all edits made, as a safetensors file.
    ///
    /// # Errors
    /// As [`ablate`].
    pub fn ablated(&self) -> Result<Vec<u8>, JsValue> {
        Ok(ablate(&self.model, &self.ablations)?.checkpoint.to_safetensors())
    }

    /// A random model, as a safetensors file: of the same network, or of the plain one of its size.
    ///
    /// # Errors
    /// As [`random_twin`].
    pub fn twin(&self, plain: bool, seed: f64) -> Result<Vec<u8>, JsValue> {
        let twin = if plain { Twin::Plain } else { Twin::Same };
        Ok(random_twin(&self.model, twin, seed as u64)?.checkpoint.to_safetensors())
    }
}
