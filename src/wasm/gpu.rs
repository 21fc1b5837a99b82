//! A model on the WebGPU engine, as JavaScript sees it. Its module does not read models: the CPU engine's, which a
//! page has in any case, tells it the network and hands it the weights.

use super::now;
use super::output::Output;
use crate::error::Error;
use crate::fold::Scaled;
use crate::gpu::Gpu;
use crate::gpu::draw::{Painter, Picture};
use crate::gpu::kernels::Float;
use crate::model::Outline;
use crate::session::GpuSession;
use js_sys::{Float32Array, Function};
use std::cell::RefCell;
use std::rc::Rc;
use wasm_bindgen::prelude::*;

/// Where devices come from: `navigator.gpu` as it is at one moment.
#[wasm_bindgen]
pub struct Devices(wgpu::Instance);

#[wasm_bindgen]
impl Devices {
    /// Of what `navigator.gpu` is at this moment: JavaScript may have put something in its place that gives a device
    /// it has made, because wgpu takes one from nowhere else.
    #[wasm_bindgen(constructor)]
    pub fn given() -> Devices {
        Devices(wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle()))
    }
}

/// A model on a device of its own or of the caller's.
#[wasm_bindgen]
pub struct GpuNet {
    session: RefCell<GpuSession>,
    classes: usize,
    /// The palette and what draws with it, from the first picture on.
    painter: RefCell<Option<(Vec<u8>, Rc<Painter>)>>,
}

/// A device of the net's own is free at once.
impl Drop for GpuNet {
    fn drop(&mut self) {
        self.session.get_mut().gpu().end();
    }
}

#[wasm_bindgen]
impl GpuNet {
    /// Loads a model: `outline` is its net's in the CPU engine's module, `weights` the function of the same that gives
    /// a step's weights; feature maps are of `half` precision or f32; `progress` is called with the part of the
    /// loading that is done, 0 to 1; `devices` gives a device that JavaScript has made and goes on using.
    ///
    /// # Errors
    /// What `weights` throws; [`Error::Unsupported`] without a device or f16, and the device's.
    pub async fn create(
        outline: Vec<u8>,
        weights: Function,
        half: bool,
        progress: Option<Function>,
        devices: Option<Devices>,
    ) -> Result<GpuNet, JsValue> {
        let bad_model =
            |text: &str| Error::BadModel(format!("{text}: are both modules of the same version?"));
        let outline: Outline = postcard::from_bytes(&outline)
            .map_err(|_| bad_model("the outline of the model cannot be read"))?;
        let gpu = match devices {
            Some(devices) => Gpu::request_from(devices.0, u64::MAX).await?.shared(),
            None => Gpu::request().await?,
        };
        let gpu = gpu.with_values(if half { Float::F16 } else { Float::F32 })?;
        let classes = outline.classes;
        // What the other module throws is passed on as it is.
        let thrown = RefCell::new(None);
        let read = |step: usize, _: &_, channels_out| {
            let numbers = weights.call1(&JsValue::NULL, &step.into()).map_err(|error| {
                thrown.replace(Some(error));
                bad_model("the weights cannot be read")
            })?;
            let numbers = Float32Array::from(numbers).to_vec();
            Scaled::from_numbers(numbers, channels_out).ok_or_else(|| bad_model("weights are missing"))
        };
        let told = |part: f64| {
            if let Some(progress) = &progress {
                // An error of the caller's own function is not the engine's.
                let _ = progress.call1(&JsValue::NULL, &part.into());
            }
        };
        let session = GpuSession::of(outline, &gpu, read, told).await;
        let session = session.map_err(|error| thrown.take().unwrap_or_else(|| error.into()))?;
        Ok(GpuNet { session: RefCell::new(session), classes, painter: RefCell::default() })
    }

    /// Name and kind of the adapter.
    ///
    /// # Errors
    /// [`Error::Unsupported`] during a run.
    pub fn adapter(&self) -> Result<String, JsValue> {
        Ok(self.session.try_borrow().map_err(|_| busy())?.gpu().adapter())
    }

    /// Bytes of the buffers on the device.
    ///
    /// # Errors
    /// [`Error::Unsupported`] during a run.
    #[wasm_bindgen(js_name = memoryBytes)]
    pub fn memory_bytes(&self) -> Result<usize, JsValue> {
        Ok(self.session.try_borrow().map_err(|_| busy())?.size_bytes())
    }

    /// Runs a batch of normalised inputs, `[n, 3, height, width]`.
    ///
    /// # Errors
    /// [`Error::WrongShape`], [`Error::UnknownTap`], [`Error::OutOfMemory`], [`Error::DeviceLost`], [`Error::Gpu`];
    /// after the first three the net stays usable.
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
        let mut session = self.session.try_borrow_mut().map_err(|_| busy())?;
        let outputs = session.run(&data, [n, 3, height, width], &taps).await?;
        Ok(Output { outputs, dims: [n, self.classes], milliseconds: now() - start })
    }

    /// Runs one normalised input, `[1, 3, height, width]`, whose taps stay on the device for [`GpuNet::draw_tap`].
    ///
    /// # Errors
    /// As [`GpuNet::forward`].
    #[allow(clippy::await_holding_refcell_ref, reason = "a second call is told that the net is busy")]
    pub async fn keep(
        &self,
        data: Vec<f32>,
        height: usize,
        width: usize,
        taps: Vec<String>,
    ) -> Result<Output, JsValue> {
        let start = now();
        let mut session = self.session.try_borrow_mut().map_err(|_| busy())?;
        let outputs = session.keep(&data, [height, width], &taps).await?;
        Ok(Output { outputs, dims: [1, self.classes], milliseconds: now() - start })
    }

    /// Draws these channels of the first image of a tap of the last run, without reading them back, in a grid of
    /// cells (see [`Picture`]); `palette` has 256 colours of 4 bytes.
    ///
    /// # Errors
    /// As [`Painter::draw`]; [`Error::Unsupported`] before a run.
    #[allow(clippy::await_holding_refcell_ref, reason = "a second call is told that the net is busy")]
    #[wasm_bindgen(js_name = drawTap)]
    pub async fn draw_tap(
        &self,
        tap: String,
        channels: Vec<u32>,
        columns: u32,
        cell: u32,
        gap: u32,
        one_scale: bool,
        palette: Vec<u8>,
    ) -> Result<web_sys::ImageBitmap, JsValue> {
        let picture = Picture { image: 0, channels, columns, cell, gap, one_scale };
        let session = self.session.try_borrow().map_err(|_| busy())?;
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

/// What a second call gets while the first awaits the device.
fn busy() -> JsValue {
    Error::Unsupported("the net is busy: wait for the last call".into()).into()
}
