//! tract as a peer: an ONNX file, optimised for one input, and its logits.

use tract_onnx::prelude::*;
use wasm_bindgen::prelude::*;

/// A graph for inputs of one size.
#[wasm_bindgen]
pub struct Graph {
    run: Arc<TypedRunnableModel>,
    side: usize,
}

fn told(error: TractError) -> JsError {
    JsError::new(&format!("{error:#}"))
}

#[wasm_bindgen]
impl Graph {
    /// Reads an ONNX file with one input `[1, 3, side, side]`.
    #[wasm_bindgen(constructor)]
    pub fn new(file: &[u8], side: usize) -> Result<Graph, JsError> {
        let load = || {
            tract_onnx::onnx()
                .model_for_read(&mut &file[..])?
                .with_input_fact(0, f32::fact([1, 3, side, side]).into())?
                .into_optimized()?
                .into_runnable()
        };
        Ok(Graph { run: load().map_err(told)?, side })
    }

    /// `[3, side, side]` to logits.
    pub fn run(&self, data: &[f32]) -> Result<Vec<f32>, JsError> {
        let run = || {
            let input = Tensor::from_shape(&[1, 3, self.side, self.side], data)?;
            let logits = self.run.run(tvec!(input.into()))?.remove(0);
            Ok(logits.view().as_slice::<f32>()?.to_vec())
        };
        run().map_err(told)
    }
}
