//! A model on an engine, as JavaScript sees it.
//!
//! Structured answers cross the border as JSON text, tensors as typed arrays.

use super::file::ModelBytes;
use super::now;
use crate::arch::{Network, Stage};
#[cfg(feature = "cpu")]
use crate::cpu::multiply_add_chains;
use crate::error::Error;
#[cfg(feature = "gpu")]
use crate::gpu::Gpu;
#[cfg(feature = "gpu")]
use crate::gpu::draw::{Painter, Picture};
#[cfg(feature = "gpu")]
use crate::gpu::kernels::Float;
use crate::image::{Preprocess, preprocess};
use crate::model::{Model, Options, softmax};
#[cfg(feature = "cpu")]
use crate::session::CpuSession;
#[cfg(feature = "gpu")]
use crate::session::GpuSession;
use crate::session::Outputs;
use serde::{Deserialize, Serialize};
use std::cell::RefCell;
#[cfg(feature = "gpu")]
use std::rc::Rc;
use wasm_bindgen::prelude::*;

/// Options of [`Net::create`].
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct CreateOptions {
    backend: Backend,
    #[serde(default)]
    variant: Option<String>,
    #[serde(default)]
    labels: Option<Vec<String>>,
    #[serde(default)]
    #[cfg_attr(not(feature = "cpu"), allow(dead_code, reason = "threads are the CPU engine's"))]
    threads: Option<usize>,
    #[serde(default)]
    precision: Option<Precision>,
}

/// Of feature maps on WebGPU, of sums in WASM; left out, it is f32 there and the model's own here.
#[derive(Clone, Copy, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum Precision {
    F32,
    F16,
    Int8,
}

#[derive(Clone, Copy, Deserialize, Serialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum Backend {
    Wasm,
    Webgpu,
}

enum Engine {
    #[cfg(feature = "cpu")]
    Cpu(CpuSession),
    #[cfg(feature = "gpu")]
    Gpu(Box<GpuSession>),
}

/// A device of the net's own is free at once.
#[cfg(feature = "gpu")]
impl Drop for Engine {
    fn drop(&mut self) {
        #[allow(irrefutable_let_patterns, reason = "a module may have the one engine only")]
        if let Engine::Gpu(session) = self {
            session.gpu().end();
        }
    }
}

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
    input: Preprocess,
    stem: Stem,
    stages: &'a [Stage],
    params: u64,
    macs: u64,
    activations: u64,
    taps: Vec<&'a str>,
    backend: Backend,
    adapter: Option<String>,
    threads: usize,
    integers: bool,
    memory_bytes: usize,
}

/// Where a net's device comes from: of its own, or one that JavaScript has made.
#[derive(Default)]
#[cfg_attr(feature = "gpu", wasm_bindgen)]
pub struct Devices {
    #[cfg(feature = "gpu")]
    given: Option<wgpu::Instance>,
}

#[cfg(feature = "gpu")]
#[wasm_bindgen]
impl Devices {
    /// Of what `navigator.gpu` is at this moment: JavaScript may have put something in its place that gives a device
    /// it has made, because wgpu takes one from nowhere else.
    #[wasm_bindgen(constructor)]
    pub fn given() -> Devices {
        let descriptor = wgpu::InstanceDescriptor::new_without_display_handle();
        Devices { given: Some(wgpu::Instance::new(descriptor)) }
    }
}

#[cfg(feature = "gpu")]
impl Devices {
    async fn request(self) -> crate::error::Result<Gpu> {
        match self.given {
            Some(instance) => Ok(Gpu::request_from(instance, u64::MAX).await?.shared()),
            None => Gpu::request().await,
        }
    }
}

/// A model on an engine.
#[wasm_bindgen]
pub struct Net {
    model: Model,
    /// Whether sums are of integers of eight bits.
    integers: bool,
    network: Network,
    engine: RefCell<Engine>,
    /// The palette and what draws with it, from the first picture on.
    #[cfg(feature = "gpu")]
    painter: RefCell<Option<(Vec<u8>, Rc<Painter>)>>,
}

impl Net {
    #[cfg_attr(not(feature = "gpu"), allow(unused_variables, reason = "the CPU engine loads in one go"))]
    async fn load(
        model: ModelBytes,
        options: &str,
        progress: Option<js_sys::Function>,
        devices: Devices,
    ) -> Result<Net, JsValue> {
        let options: CreateOptions = serde_json::from_str(options)
            .map_err(|error| Error::Unsupported(format!("options of create: {error}")))?;
        let model_options = Options { variant: options.variant, labels: options.labels };
        let mut model = Model::from_bytes(model.0, &model_options)?;
        #[cfg(feature = "int8")]
        if options.precision == Some(Precision::F32) {
            model.checkpoint.compute_in_floats();
        }
        #[cfg(feature = "int8")]
        let integers = model.checkpoint.has_integers();
        #[cfg(not(feature = "int8"))]
        let integers = false;
        if options.precision == Some(Precision::Int8) && !integers {
            #[cfg(not(feature = "int8"))]
            let text = "the engine that was asked for computes in floats: leave the option `flavour` out, and \
                        import g-ghostnet itself";
            #[cfg(feature = "int8")]
            let text = "this model has no weights of eight bits with ranges of their inputs: \
                        `cargo run --release --example quantize -- MODEL.safetensors --calibrate PICTURES` makes one";
            return Err(Error::Unsupported(text.into()).into());
        }
        let network = model.network(model.input.side, model.input.side)?;
        let engine = match options.backend {
            #[cfg(feature = "cpu")]
            Backend::Wasm => Engine::Cpu(CpuSession::take(&mut model, options.threads.unwrap_or(1))?),
            #[cfg(feature = "gpu")]
            Backend::Webgpu => {
                let values = match options.precision {
                    Some(Precision::F16) => Float::F16,
                    _ => Float::F32,
                };
                let gpu = devices.request().await?.with_values(values)?;
                let session = GpuSession::new(&model, &gpu, |part| {
                    if let Some(progress) = &progress {
                        // An error of the caller's own function is not the engine's.
                        let _ = progress.call1(&JsValue::NULL, &part.into());
                    }
                });
                Engine::Gpu(Box::new(session.await?))
            }
            #[cfg(not(all(feature = "cpu", feature = "gpu")))]
            _ => {
                return Err(
                    Error::Unsupported("this module has not the engine that was asked for".into()).into()
                );
            }
        };
        // The engine has its own copy by now; the caller keeps the file.
        model.checkpoint.forget();
        Ok(Net {
            model,
            integers,
            network,
            engine: RefCell::new(engine),
            #[cfg(feature = "gpu")]
            painter: RefCell::default(),
        })
    }
}

#[wasm_bindgen]
impl Net {
    /// Loads a model file onto an engine; `options` is JSON: `{ backend, variant?, labels?, threads? }`;
    /// `progress` is called with the part of the loading that is done, 0 to 1.
    ///
    /// # Errors
    /// As [`Model::from_bytes`]; [`Error::Unsupported`] for an engine that this module does not have.
    pub async fn create(
        model: ModelBytes,
        options: String,
        progress: Option<js_sys::Function>,
    ) -> Result<Net, JsValue> {
        Net::load(model, &options, progress, Devices::default()).await
    }

    /// What is loaded, as JSON: variant, labels, input rule, stages, taps, cost, engine, memory.
    ///
    /// # Errors
    /// [`Error::Unsupported`] during a run.
    pub fn info(&self) -> Result<String, JsValue> {
        let engine = self.engine.try_borrow().map_err(|_| busy())?;
        let (backend, adapter, threads, memory_bytes) = match &*engine {
            #[cfg(feature = "cpu")]
            Engine::Cpu(session) => (Backend::Wasm, None, session.threads(), session.size_bytes()),
            #[cfg(feature = "gpu")]
            Engine::Gpu(session) => (Backend::Webgpu, Some(session.gpu().adapter()), 1, session.size_bytes()),
        };
        let stem = self.network.steps[0].y;
        let info = Info {
            variant: &self.network.name,
            classes: self.network.classes,
            labels: &self.model.labels,
            golden: self.model.checkpoint.config.golden.as_deref(),
            input: self.model.input,
            stem: Stem { width: stem.channels, size: [stem.height, stem.width] },
            stages: &self.network.stages,
            params: self.network.params(),
            macs: self.network.macs(),
            activations: self.network.activations(),
            taps: self.network.taps.iter().map(|tap| tap.name.as_str()).collect(),
            backend,
            adapter,
            threads,
            integers: self.integers,
            memory_bytes,
        };
        Ok(serde_json::to_string(&info).expect("numbers, strings and lists are JSON"))
    }

    /// RGBA8 pixels to the network's input, `[3, side, side]`, by the model's rule.
    ///
    /// # Errors
    /// [`Error::BadImage`]
    pub fn preprocess(&self, rgba: &[u8], width: usize, height: usize) -> Result<Vec<f32>, JsValue> {
        Ok(preprocess(rgba, width, height, &self.model.input)?)
    }

    /// Runs a batch of normalised inputs, `[n, 3, height, width]`.
    ///
    /// # Errors
    /// [`Error::WrongShape`], [`Error::UnknownTap`], [`Error::OutOfMemory`]; the net stays usable.
    #[allow(clippy::await_holding_refcell_ref, reason = "a second call is told that the net is busy")]
    pub async fn forward(
        &self,
        data: Vec<f32>,
        n: usize,
        height: usize,
        width: usize,
        taps: Vec<String>,
    ) -> Result<Output, JsValue> {
        let start = now();
        let mut engine = self.engine.try_borrow_mut().map_err(|_| busy())?;
        let outputs = match &mut *engine {
            #[cfg(feature = "cpu")]
            Engine::Cpu(session) => session.run(&self.model, &data, [n, 3, height, width], &taps)?,
            #[cfg(feature = "gpu")]
            Engine::Gpu(session) => session.run(&self.model, &data, [n, 3, height, width], &taps).await?,
        };
        Ok(Output { outputs, dims: [n, self.model.labels.len()], milliseconds: now() - start })
    }

    #[cfg(feature = "cpu")]
    /// Times each step on one input, `[3, height, width]`: a JSON list of
    /// `{ name, kernel, dims, macs, milliseconds }`.
    ///
    /// # Errors
    /// [`Error::WrongShape`]; [`Error::Unsupported`] on an engine that cannot be timed step by step.
    pub fn profile(
        &self,
        image: &[f32],
        height: usize,
        width: usize,
        runs: usize,
    ) -> Result<String, JsValue> {
        let profile = match &mut *self.engine.try_borrow_mut().map_err(|_| busy())? {
            Engine::Cpu(session) => session.profile(&self.model, image, [height, width], runs, now)?,
            #[cfg(feature = "gpu")]
            Engine::Gpu(_) => {
                return Err(
                    Error::Unsupported("only the WASM engine can be timed step by step".into()).into()
                );
            }
        };
        Ok(serde_json::to_string(&profile).expect("numbers and strings are JSON"))
    }
}

#[cfg(feature = "gpu")]
#[wasm_bindgen]
impl Net {
    /// As [`Net::create`], on a device that JavaScript has made and goes on using.
    ///
    /// # Errors
    /// As [`Net::create`].
    #[wasm_bindgen(js_name = createOn)]
    pub async fn create_on(
        devices: Devices,
        model: ModelBytes,
        options: String,
        progress: Option<js_sys::Function>,
    ) -> Result<Net, JsValue> {
        Net::load(model, &options, progress, devices).await
    }

    /// Runs one normalised input, `[1, 3, height, width]`, whose taps stay on the device for [`Net::draw_tap`].
    ///
    /// # Errors
    /// As [`Net::forward`]; [`Error::Unsupported`] on the WASM engine.
    #[allow(clippy::await_holding_refcell_ref, reason = "a second call is told that the net is busy")]
    pub async fn keep(
        &self,
        data: Vec<f32>,
        height: usize,
        width: usize,
        taps: Vec<String>,
    ) -> Result<Output, JsValue> {
        let start = now();
        let mut engine = self.engine.try_borrow_mut().map_err(|_| busy())?;
        #[allow(irrefutable_let_patterns, reason = "a module may have the one engine only")]
        let Engine::Gpu(session) = &mut *engine else {
            return Err(only_webgpu());
        };
        let outputs = session.keep(&self.model, &data, [height, width], &taps).await?;
        Ok(Output { outputs, dims: [1, self.model.labels.len()], milliseconds: now() - start })
    }

    /// Draws maps of a tap of the last run, without reading them back; `picture` is JSON:
    /// `{ image, channels, columns, cell, gap, oneScale }`, `palette` 256 colours of 4 bytes.
    ///
    /// # Errors
    /// As [`Painter::draw`]; [`Error::Unsupported`] on the WASM engine and before a run.
    #[allow(clippy::await_holding_refcell_ref, reason = "a second call is told that the net is busy")]
    #[wasm_bindgen(js_name = drawTap)]
    pub async fn draw_tap(
        &self,
        tap: String,
        picture: String,
        palette: Vec<u8>,
    ) -> Result<web_sys::ImageBitmap, JsValue> {
        let picture: Picture = serde_json::from_str(&picture)
            .map_err(|error| Error::Unsupported(format!("the picture of drawTap: {error}")))?;
        let engine = self.engine.try_borrow().map_err(|_| busy())?;
        #[allow(irrefutable_let_patterns, reason = "a module may have the one engine only")]
        let Engine::Gpu(session) = &*engine else {
            return Err(only_webgpu());
        };
        let Some(program) = session.program() else {
            return Err(Error::Unsupported("nothing has been computed yet".into()).into());
        };
        let gpu = session.gpu();
        let format = wgpu::TextureFormat::Rgba8Unorm;
        let kept = self.painter.borrow().clone().filter(|(colours, _)| *colours == palette);
        let painter = match kept {
            Some((_, painter)) => painter,
            None => {
                let painter = Rc::new(Painter::new(gpu, format, &palette).await?);
                self.painter.replace(Some((palette, Rc::clone(&painter))));
                painter
            }
        };
        let [width, height] = picture.size(gpu.device().limits().max_texture_dimension_2d)?;
        let no_canvas = |_| Error::Unsupported("this browser has no OffscreenCanvas to draw on".into());
        let canvas = web_sys::OffscreenCanvas::new(width, height).map_err(no_canvas)?;
        // All in one task: between tasks a canvas may give up its texture, and what was drawn with it.
        let bitmap = gpu.guarded(|| {
            let surface = gpu.surface(&canvas, format)?;
            let wgpu::CurrentSurfaceTexture::Success(texture) = surface.get_current_texture() else {
                return Err(Error::Gpu("the canvas gave no texture".into()));
            };
            let view = texture.texture.create_view(&wgpu::TextureViewDescriptor::default());
            painter.draw(gpu, program, &tap, &picture, &view)?;
            gpu.queue().present(texture);
            canvas.transfer_to_image_bitmap().map_err(|_| Error::Gpu("the canvas gave no picture".into()))
        });
        Ok(bitmap.await?)
    }
}

#[cfg(feature = "gpu")]
fn only_webgpu() -> JsValue {
    Error::Unsupported("only WebGPU draws from its own memory".into()).into()
}

/// Logits and taps of one run.
#[wasm_bindgen]
pub struct Output {
    outputs: Outputs,
    dims: [usize; 2],
    /// Wall time of the run, without pre-processing.
    pub milliseconds: f64,
}

#[wasm_bindgen]
impl Output {
    /// `[n, classes]`, row-major.
    pub fn logits(&self) -> Vec<f32> {
        self.outputs.logits.clone()
    }

    /// Soft-max of each image's logits, `[n, classes]`.
    pub fn probabilities(&self) -> Vec<f32> {
        self.outputs.logits.chunks_exact(self.dims[1]).flat_map(softmax).collect()
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

    /// A tap's numbers, row-major.
    pub fn tap(&self, index: usize) -> Option<Vec<f32>> {
        Some(self.outputs.taps.get(index)?.data.clone())
    }
}

/// GFLOP/s of `rounds` rounds of independent multiply-adds on one thread. The best of many calls is the
/// processor's peak: calls, because the engine's optimising compiler takes over from call to call.
#[cfg(feature = "cpu")]
#[wasm_bindgen(js_name = multiplyAddRate)]
pub fn multiply_add_rate(rounds: u32) -> f64 {
    let start = now();
    let (operations, alive) = multiply_add_chains(rounds);
    let elapsed = now() - start;
    if alive.is_finite() { operations / elapsed / 1e6 } else { 0.0 }
}

/// What a second call gets while the first awaits the device.
fn busy() -> JsValue {
    Error::Unsupported("the net is busy: wait for the last call".into()).into()
}
