//! Other models made of one, as JavaScript sees it.

use super::file::ModelBytes;
use crate::ablation::{Ablation, ablate};
use crate::checkpoint::{Checkpoint, safetensors_layout};
use crate::model::{Model, Options};
use crate::twin::{Twin, random_twin};
use wasm_bindgen::prelude::*;

/// A model with the edits that are to be made.
#[wasm_bindgen]
pub struct ModelEditor {
    model: Model,
    length: usize,
    ablations: Vec<Ablation>,
}

#[wasm_bindgen]
impl ModelEditor {
    /// Reads a model file; variant, labels and weights where the file does not say them.
    ///
    /// # Errors
    /// As [`Model::from_bytes`].
    #[wasm_bindgen(constructor)]
    pub fn new(
        model: ModelBytes,
        variant: Option<String>,
        labels: Option<Vec<String>>,
        weights: Option<String>,
    ) -> Result<ModelEditor, JsValue> {
        let length = model.0.len();
        let model = Model::from_bytes(model.0, &Options { variant, labels, weights })?;
        Ok(ModelEditor { model, length, ablations: Vec::new() })
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

    /// The model with all edits made.
    ///
    /// # Errors
    /// As [`ablate`].
    pub fn ablated(self) -> Result<EditedModel, JsValue> {
        let checkpoint = ablate(self.model, &self.ablations)?.checkpoint;
        Ok(EditedModel { checkpoint, of_original: self.length })
    }

    /// A random model of the same network, or of the plain one of its size.
    ///
    /// # Errors
    /// As [`random_twin`].
    pub fn twin(self, plain: bool, seed: f64) -> Result<EditedModel, JsValue> {
        let twin = if plain { Twin::Plain } else { Twin::Same };
        Ok(EditedModel {
            checkpoint: random_twin(&self.model, twin, seed as u64)?.checkpoint,
            of_original: 0,
        })
    }
}

/// A model file as a beginning and the places of what follows it, most of them in the original.
#[wasm_bindgen]
pub struct EditedModel {
    checkpoint: Checkpoint,
    of_original: usize,
}

#[wasm_bindgen]
impl EditedModel {
    /// How the safetensors file begins.
    pub fn header(&self) -> Vec<u8> {
        safetensors_layout(self.checkpoint.tensors(), &self.checkpoint.config, &self.checkpoint.origin).0
    }

    /// What follows, `[begin, end, ...]`: places in the original, from `ofOriginal` on in [`EditedModel::bytes`].
    pub fn places(&self) -> Vec<usize> {
        let (_, tensors) =
            safetensors_layout(self.checkpoint.tensors(), &self.checkpoint.config, &self.checkpoint.origin);
        let place = |tensor: &crate::checkpoint::Tensor| tensor.place().unwrap_or_default();
        tensors.into_iter().map(place).flat_map(|place| [place.start, place.end]).collect()
    }

    /// Length of the original.
    #[wasm_bindgen(js_name = ofOriginal)]
    pub fn of_original(&self) -> usize {
        self.of_original
    }

    /// The bytes of a place.
    pub fn bytes(&self, begin: usize, end: usize) -> Vec<u8> {
        self.checkpoint.bytes(begin..end).to_vec()
    }
}
