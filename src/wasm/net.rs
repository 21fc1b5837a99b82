//! A model on the CPU engine, and what the module of another engine needs of a model, as JavaScript sees it.
//!
//! Structured answers cross the border as JSON text, tensors as typed arrays.

use super::file::ModelBytes;
use super::now;
use super::output::Output;
use crate::arch::{Network, Op, Stage};
use crate::checkpoint;
use crate::confidence::Known;
#[cfg(feature = "profile")]
use crate::cpu::multiply_add_chains;
use crate::error::Error;
use crate::image::{Preprocess, preprocess};
use crate::model::{Model, Options};
use crate::session::CpuSession;
use serde::Serialize;
use wasm_bindgen::prelude::*;

/// The output of the convolution before the first stage.
#[derive(Serialize)]
struct Stem {
    width: usize,
    size: [usize; 2],
}

/// What [`Net::info`] says.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Info<'a> {
    variant: &'a str,
    classes: usize,
    labels: &'a [String],
    golden: Option<&'a [f32]>,
    temperature: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    known: Option<Known>,
    input: Preprocess,
    stem: Stem,
    stages: &'a [Stage],
    params: u64,
    macs: u64,
    activations: u64,
    taps: Vec<&'a str>,
    backend: &'a str,
    threads: usize,
    integers: bool,
    memory_bytes: usize,
}

/// A model, and the CPU engine with its weights unless another one runs it.
#[wasm_bindgen]
pub struct Net {
    model: Model,
    /// Whether sums are of integers of eight bits.
    integers: bool,
    network: Network,
    session: Option<CpuSession>,
}

#[wasm_bindgen]
impl Net {
    /// Loads a model file of the project's own layout. It may be for another engine, which gets the weights from here;
    /// `precision` is that of sums, `f32`, `f16` or `int8`, else the model's own.
    ///
    /// # Errors
    /// As [`Model::from_bytes`]; [`Error::Unsupported`] for a precision that the model or this module does not have.
    #[wasm_bindgen(constructor)]
    #[allow(clippy::needless_pass_by_value, reason = "JavaScript's text comes as a value")]
    pub fn new(
        model: ModelBytes,
        for_another: bool,
        labels: Option<Vec<String>>,
        threads: Option<usize>,
        precision: Option<String>,
    ) -> Result<Net, JsValue> {
        let mut model = Model::from_bytes(model.0, &Options { labels, ..Options::default() })?;
        let precision = precision.as_deref();
        let floats = precision == Some("f32") || for_another;
        if floats || cfg!(not(feature = "int8")) {
            model.checkpoint.compute_in_floats();
        }
        let integers = model.checkpoint.has_integers();
        if precision == Some("int8") && !integers {
            #[cfg(not(feature = "int8"))]
            let text = "the engine that was asked for computes in floats: leave the option `flavour` out, and \
                        import g-ghostnet itself";
            #[cfg(feature = "int8")]
            let text = "this model has no weights of eight bits with ranges of their inputs: \
                        `cargo run --release --example quantize -- MODEL.safetensors --calibrate PICTURES` makes one";
            return Err(Error::Unsupported(text.into()).into());
        }
        let network = model.network(model.input.side, model.input.side)?;
        let session = match for_another {
            false => {
                let session = CpuSession::take(&mut model, threads.unwrap_or(1))?;
                // The engine has its own copy by now; the caller keeps the file.
                model.checkpoint.forget();
                Some(session)
            }
            true => None,
        };
        Ok(Net { model, integers, network, session })
    }

    /// What is loaded, as JSON: variant, labels, input rule, stages, taps, cost, engine, memory.
    #[must_use]
    pub fn info(&self) -> String {
        let (backend, threads, memory_bytes) = match &self.session {
            Some(session) => ("wasm", session.threads(), session.size_bytes()),
            None => ("webgpu", 1, 0),
        };
        let stem = self.network.steps[0].y;
        let info = Info {
            variant: &self.network.name,
            classes: self.network.classes,
            labels: &self.model.labels,
            golden: self.model.checkpoint.config.golden.as_deref(),
            temperature: self.model.temperature(),
            known: self.model.checkpoint.config.known,
            input: self.model.input,
            stem: Stem { width: stem.channels, size: [stem.height, stem.width] },
            stages: &self.network.stages,
            params: self.network.params(),
            macs: self.network.macs(),
            activations: self.network.activations(),
            taps: self.network.taps.iter().map(|tap| tap.name.as_str()).collect(),
            backend,
            threads,
            integers: self.integers,
            memory_bytes,
        };
        serde_json::to_string(&info).expect("numbers, strings and lists are JSON")
    }

    /// RGBA8 pixels to the network's input, `[3, side, side]`, by the model's rule, at another side than the model's
    /// own if one is given.
    ///
    /// # Errors
    /// [`Error::BadImage`], [`Error::BadModel`] for a side that the rule cannot have.
    pub fn preprocess(
        &self,
        rgba: &[u8],
        width: usize,
        height: usize,
        side: Option<usize>,
    ) -> Result<Vec<f32>, JsValue> {
        let rule = side.map_or(self.model.input, |side| self.model.input.at(side));
        Ok(preprocess(rgba, width, height, &rule)?)
    }

    /// Runs a batch of normalised inputs, `[n, 3, height, width]`.
    ///
    /// # Errors
    /// [`Error::WrongShape`], [`Error::UnknownTap`], [`Error::OutOfMemory`]; the net stays usable.
    #[allow(clippy::needless_pass_by_value, reason = "JavaScript's lists of strings come as values")]
    pub fn forward(
        &mut self,
        data: &[f32],
        n: usize,
        height: usize,
        width: usize,
        taps: Vec<String>,
    ) -> Result<Output, JsValue> {
        let start = now();
        let outputs = self.session()?.run(data, [n, 3, height, width], &taps)?;
        Ok(Output { outputs, dims: [n, self.network.classes], milliseconds: now() - start })
    }

    /// What the GPU engine's module is told of the model.
    #[must_use]
    pub fn outline(&self) -> Vec<u8> {
        postcard::to_allocvec(&self.model.outline()).expect("numbers and lists have a form as bytes")
    }

    /// The weights of a step of the network, as [`crate::fold::Scaled::into_numbers`], for the GPU engine.
    ///
    /// # Errors
    /// As [`crate::checkpoint::Checkpoint::scaled`], [`Error::WrongShape`] for a step that has none.
    pub fn weights(&self, step: usize) -> Result<Vec<f32>, JsValue> {
        let step = self.network.steps.get(step);
        match step.map(|step| (&step.op, step.y.channels)) {
            Some((Op::Conv(conv), channels)) => {
                Ok(self.model.checkpoint.scaled(conv, channels)?.into_numbers())
            }
            _ => Err(Error::WrongShape("this step has no weights".into()).into()),
        }
    }

    /// Drops the model's file, once another engine has its weights.
    pub fn forget(&mut self) {
        self.model.checkpoint.forget();
    }

    fn session(&mut self) -> Result<&mut CpuSession, Error> {
        self.session.as_mut().ok_or_else(|| Error::Unsupported("this net runs on another engine".into()))
    }
}

/// Whether a file is read here as it is, by its beginning, to the end of a safetensors header at least, and its
/// length; what else is a checkpoint goes through the module `reader` first.
#[wasm_bindgen(js_name = isOwnLayout)]
#[must_use]
pub fn is_own_layout(beginning: &[u8], length: usize) -> bool {
    let index = checkpoint::index(beginning, length);
    index.and_then(|index| Model::from_own_layout(index, None)).is_ok()
}

#[cfg(feature = "profile")]
#[wasm_bindgen]
impl Net {
    /// Times each step on one input, `[3, height, width]`: a JSON list of
    /// `{ name, kernel, dims, macs, milliseconds }`.
    ///
    /// # Errors
    /// [`Error::WrongShape`]
    pub fn profile(
        &mut self,
        image: &[f32],
        height: usize,
        width: usize,
        runs: usize,
    ) -> Result<String, JsValue> {
        let profile = self.session()?.profile(image, [height, width], runs, now)?;
        Ok(serde_json::to_string(&profile).expect("numbers and strings are JSON"))
    }
}

/// GFLOP/s of `rounds` rounds of independent multiply-adds on one thread. The best of many calls is the
/// processor's peak: calls, because the engine's optimising compiler takes over from call to call.
#[cfg(feature = "profile")]
#[wasm_bindgen(js_name = multiplyAddRate)]
pub fn multiply_add_rate(rounds: u32) -> f64 {
    let start = now();
    let (operations, alive) = multiply_add_chains(rounds);
    let elapsed = now() - start;
    if alive.is_finite() { operations / elapsed / 1e6 } else { 0.0 }
}
