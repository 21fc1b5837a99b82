//! Other models made of one, as JavaScript sees it.

use super::file::{MadeModel, ModelBytes};
use crate::ablation::{Ablation, ablate};
use crate::arch::Op;
use crate::error::Error;
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
    /// Reads a model file; labels where the file does not say them.
    ///
    /// # Errors
    /// As [`Model::from_bytes`].
    #[wasm_bindgen(constructor)]
    pub fn new(model: ModelBytes, labels: Option<Vec<String>>) -> Result<ModelEditor, JsValue> {
        let length = model.0.len();
        let model = Model::from_bytes(model.0, &Options { labels, ..Options::default() })?;
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

    /// The weights of a convolution as the network uses them.
    ///
    /// # Errors
    /// [`Error::Unsupported`] for a name that no convolution has.
    pub fn folded(&self, step: &str) -> Result<FoldedWeights, JsValue> {
        let network = self.model.network(self.model.input.side, self.model.input.side)?;
        let found = network.steps.iter().find_map(|known| match &known.op {
            Op::Conv(conv) if known.name == step => Some((known, conv)),
            _ => None,
        });
        let Some((found, conv)) = found else {
            let first = &network.steps[0].name;
            let text =
                format!("{} has no such convolution: expected the key of one, such as {first}", network.name);
            return Err(Error::Unsupported(text).into());
        };
        let folded = self.model.checkpoint.folded(conv, found.y.channels)?;
        let dims = vec![found.y.channels, found.x.channels / conv.groups, conv.kernel, conv.kernel];
        Ok(FoldedWeights { weight: folded.weight, bias: folded.bias, dims })
    }

    /// The model with all edits made.
    ///
    /// # Errors
    /// As [`ablate`].
    pub fn ablated(self) -> Result<MadeModel, JsValue> {
        let checkpoint = ablate(self.model, &self.ablations)?.checkpoint;
        Ok(MadeModel::new(checkpoint, self.length))
    }

    /// A random model of the same network, or of the plain one of its size.
    ///
    /// # Errors
    /// As [`random_twin`].
    pub fn twin(self, plain: bool, seed: f64) -> Result<MadeModel, JsValue> {
        let twin = if plain { Twin::Plain } else { Twin::Same };
        Ok(MadeModel::new(random_twin(&self.model, twin, seed as u64)?.checkpoint, 0))
    }
}

/// A convolution's weight and bias, with its batch norm or the scale of eight bits in them.
#[wasm_bindgen]
pub struct FoldedWeights {
    weight: Vec<f32>,
    bias: Vec<f32>,
    dims: Vec<usize>,
}

#[wasm_bindgen]
impl FoldedWeights {
    /// Row-major, in the shape of `dims`; once.
    #[wasm_bindgen(js_name = takeWeight)]
    pub fn take_weight(&mut self) -> Vec<f32> {
        std::mem::take(&mut self.weight)
    }

    /// `[channels_out]`; once.
    #[wasm_bindgen(js_name = takeBias)]
    pub fn take_bias(&mut self) -> Vec<f32> {
        std::mem::take(&mut self.bias)
    }

    /// `[channels_out, channels_in / groups, kernel, kernel]`
    pub fn dims(&self) -> Vec<usize> {
        self.dims.clone()
    }
}
