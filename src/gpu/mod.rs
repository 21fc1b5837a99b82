//! The WebGPU engine: interprets a plan as compute shaders, one submission and one read-back a run.
//!
//! Values lie in slots, one buffer each, as `[channel][pixel]` with the pixels of a whole batch after
//! each other (see `shaders/shapes.wgsl`). The kernels are chosen for the adapter's kind: those for
//! hardware share tiles in workgroup memory, those for an emulating CPU keep larger ones in registers.
//! It needs no optional feature and stays inside WebGPU's default limits; with `shader-f16` feature maps may lie in f16.

pub mod draw;
pub mod kernels;
mod program;
pub mod shapes;
pub mod weights;

use crate::error::{Error, Result};
use kernels::{Float, Kernel, Target, Winograd};
pub use program::{Profile, Program, Read, batch_limit, kernels_of};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::{Arc, Mutex};

/// A device with its pipelines; clones share both.
#[derive(Clone)]
pub struct Gpu {
    /// Where the device came from: only its own can make a canvas a target.
    #[cfg_attr(not(target_arch = "wasm32"), allow(dead_code, reason = "canvases are the browser's"))]
    instance: Option<wgpu::Instance>,
    /// Whether others use the device too.
    shared: bool,
    device: wgpu::Device,
    queue: wgpu::Queue,
    info: wgpu::AdapterInfo,
    target: Target,
    values: Float,
    winograd: Winograd,
    layout: wgpu::BindGroupLayout,
    pipelines: Rc<RefCell<BTreeMap<Kernel, wgpu::ComputePipeline>>>,
    /// Why the device was lost, once it is.
    lost: Arc<Mutex<Option<String>>>,
}

impl Gpu {
    /// The system's preferred adapter, or an adapter in software where there is no other.
    ///
    /// # Errors
    /// [`Error::Unsupported`] where there is no adapter or it has less than WebGPU's default limits.
    pub async fn request() -> Result<Gpu> {
        Gpu::request_within(u64::MAX).await
    }

    /// As [`Gpu::request`], with no storage buffer larger than `bytes`.
    ///
    /// # Errors
    /// As [`Gpu::request`].
    pub async fn request_within(bytes: u64) -> Result<Gpu> {
        let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle());
        Gpu::request_from(instance, bytes).await
    }

    /// As [`Gpu::request_within`], of an instance that may give a device of the caller's own.
    ///
    /// # Errors
    /// As [`Gpu::request`].
    pub async fn request_from(instance: wgpu::Instance, bytes: u64) -> Result<Gpu> {
        let options = wgpu::RequestAdapterOptions {
            power_preference: wgpu::PowerPreference::HighPerformance,
            ..Default::default()
        };
        let adapter = instance.request_adapter(&options).await.map_err(|error| {
            Error::Unsupported(format!("no WebGPU adapter was found ({error}): use the WASM engine"))
        })?;
        let available = adapter.limits();
        // Larger bindings allow larger pictures and batches; nothing else is asked for.
        let limits = wgpu::Limits {
            max_buffer_size: available.max_buffer_size,
            max_storage_buffer_binding_size: available.max_storage_buffer_binding_size.min(bytes),
            ..wgpu::Limits::default()
        };
        let descriptor = wgpu::DeviceDescriptor {
            label: Some("g-ghostnet"),
            required_features: adapter.features()
                & (wgpu::Features::TIMESTAMP_QUERY | wgpu::Features::SHADER_F16),
            required_limits: limits,
            ..Default::default()
        };
        let (device, queue) = adapter.request_device(&descriptor).await.map_err(|error| {
            Error::Unsupported(format!("the WebGPU adapter gave no device ({error}): use the WASM engine"))
        })?;
        Ok(Gpu { instance: Some(instance), ..Gpu::new(device, queue, adapter.get_info()) })
    }

    /// Wraps a device that the caller made.
    #[must_use]
    pub fn new(device: wgpu::Device, queue: wgpu::Queue, info: wgpu::AdapterInfo) -> Gpu {
        let lost = Arc::new(Mutex::new(None));
        let reason_of = Arc::clone(&lost);
        device.set_device_lost_callback(move |reason, message| {
            let text = if message.is_empty() { format!("{reason:?}") } else { message };
            *reason_of.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(text);
        });
        let target = match info.device_type {
            wgpu::DeviceType::Cpu => Target::Software,
            _ => Target::Hardware,
        };
        let storage = |read_only| wgpu::BufferBindingType::Storage { read_only };
        let types =
            [wgpu::BufferBindingType::Uniform].into_iter().chain([storage(true); 4]).chain([storage(false)]);
        let entries: Vec<_> = (0..)
            .zip(types)
            .map(|(binding, ty)| wgpu::BindGroupLayoutEntry {
                binding,
                visibility: wgpu::ShaderStages::COMPUTE,
                ty: wgpu::BindingType::Buffer { ty, has_dynamic_offset: false, min_binding_size: None },
                count: None,
            })
            .collect();
        let layout = device.create_bind_group_layout(&wgpu::BindGroupLayoutDescriptor {
            label: Some("shapes"),
            entries: &entries,
        });
        Gpu {
            instance: None,
            shared: false,
            device,
            queue,
            info,
            target,
            values: Float::F32,
            winograd: Winograd::Auto,
            layout,
            pipelines: Rc::default(),
            lost,
        }
    }

    /// The same device, which others use too: [`Gpu::end`] leaves it to them.
    #[must_use]
    pub fn shared(self) -> Gpu {
        Gpu { shared: true, ..self }
    }

    /// Frees the device and all its memory at once, unless others use it.
    pub fn end(&self) {
        if !self.shared {
            self.device.destroy();
        }
    }

    /// The same device with the kernels of another kind of adapter: to test them where there is none.
    #[must_use]
    pub fn with_target(self, target: Target) -> Gpu {
        Gpu { target, pipelines: Rc::default(), ..self }
    }

    /// The same device with feature maps that lie in such numbers; in f32 otherwise.
    ///
    /// # Errors
    /// [`Error::Unsupported`] for f16 where the device has not the feature `shader-f16`.
    pub fn with_values(self, values: Float) -> Result<Gpu> {
        if values == Float::F16 && !self.device.features().contains(wgpu::Features::SHADER_F16) {
            return Err(Error::Unsupported(
                "this GPU or browser has no f16 numbers (`shader-f16`): use precision f32".into(),
            ));
        }
        Ok(Gpu { values, pipelines: Rc::default(), ..self })
    }

    /// The same device with another use of Winograd's method: to test and to measure it.
    #[must_use]
    pub fn with_winograd(self, winograd: Winograd) -> Gpu {
        Gpu { winograd, ..self }
    }

    /// How feature maps lie in buffers.
    #[must_use]
    pub fn values(&self) -> Float {
        self.values
    }

    /// Which kind of kernels are used.
    #[must_use]
    pub fn target(&self) -> Target {
        self.target
    }

    /// Name of the adapter, as far as it tells.
    #[must_use]
    pub fn adapter(&self) -> String {
        let kind = match self.target {
            Target::Hardware => "hardware",
            Target::Software => "software",
        };
        match self.info.name.trim() {
            "" => kind.into(),
            name => format!("{name} ({kind})"),
        }
    }

    /// The device, for what is drawn or measured beside the engine.
    #[must_use]
    pub fn device(&self) -> &wgpu::Device {
        &self.device
    }

    /// The device's queue.
    #[must_use]
    pub fn queue(&self) -> &wgpu::Queue {
        &self.queue
    }

    /// A canvas as a target of [`draw::Painter::draw`], of this format. Its texture lives until the task ends.
    ///
    /// # Errors
    /// [`Error::Unsupported`] where the canvas already has another kind of context.
    #[cfg(target_arch = "wasm32")]
    pub fn surface(
        &self,
        canvas: &web_sys::OffscreenCanvas,
        format: wgpu::TextureFormat,
    ) -> Result<wgpu::Surface<'static>> {
        let unsupported = |text: String| Error::Unsupported(format!("the canvas cannot be drawn on: {text}"));
        let instance =
            self.instance.as_ref().ok_or_else(|| unsupported("the device is not this library's".into()))?;
        let target = wgpu::SurfaceTarget::OffscreenCanvas(canvas.clone());
        let surface = instance.create_surface(target).map_err(|error| unsupported(error.to_string()))?;
        surface.configure(
            &self.device,
            &wgpu::SurfaceConfiguration {
                usage: wgpu::TextureUsages::RENDER_ATTACHMENT,
                format,
                width: canvas.width(),
                height: canvas.height(),
                present_mode: wgpu::PresentMode::Fifo,
                desired_maximum_frame_latency: 2,
                alpha_mode: wgpu::CompositeAlphaMode::PreMultiplied,
                color_space: wgpu::SurfaceColorSpace::Srgb,
                view_formats: Vec::new(),
            },
        );
        Ok(surface)
    }

    /// An error where the device is lost.
    ///
    /// # Errors
    /// [`Error::DeviceLost`]
    pub fn check_alive(&self) -> Result<()> {
        match &*self.lost.lock().unwrap_or_else(std::sync::PoisonError::into_inner) {
            Some(reason) => Err(Error::DeviceLost(reason.clone())),
            None => Ok(()),
        }
    }

    /// Does the work and returns what the device has to say about it.
    ///
    /// # Errors
    /// [`Error::DeviceLost`], [`Error::OutOfMemory`], [`Error::Gpu`], or the work's own.
    pub async fn guarded<T>(&self, work: impl FnOnce() -> Result<T>) -> Result<T> {
        use wgpu::ErrorFilter::{Internal, OutOfMemory, Validation};
        self.check_alive()?;
        let [memory, internal, validation] =
            [OutOfMemory, Internal, Validation].map(|filter| self.device.push_error_scope(filter));
        let result = work();
        // Popped at once, the last first, before anything is awaited.
        let answers = (validation.pop(), internal.pop(), memory.pop());
        let errors = [answers.2.await, answers.1.await, answers.0.await];
        // Natively this is when a loss is told; what else went wrong then follows from it.
        let _ = self.device.poll(wgpu::PollType::Poll);
        self.check_alive()?;
        match errors.into_iter().flatten().next() {
            Some(wgpu::Error::OutOfMemory { .. }) => Err(Error::OutOfMemory(
                "the GPU has not enough memory: use a smaller picture, batch or network, or the WASM engine"
                    .into(),
            )),
            Some(error) => Err(Error::Gpu(error.to_string())),
            None => result,
        }
    }

    /// Largest storage buffer.
    fn largest_buffer(&self) -> u64 {
        let limits = self.device.limits();
        limits.max_buffer_size.min(limits.max_storage_buffer_binding_size)
    }

    /// A buffer of at least `bytes`, zero.
    fn buffer(&self, label: &str, bytes: u64, usage: wgpu::BufferUsages) -> Result<wgpu::Buffer> {
        if bytes > self.largest_buffer() {
            return Err(Error::OutOfMemory(format!(
                "`{label}` needs a buffer of {} MB, this GPU allows {} MB: use a smaller picture or network, \
                 or the WASM engine",
                bytes / 1_000_000,
                self.largest_buffer() / 1_000_000
            )));
        }
        let size = bytes.max(16).next_multiple_of(16);
        let descriptor =
            wgpu::BufferDescriptor { label: Some(label), size, usage, mapped_at_creation: false };
        Ok(self.device.create_buffer(&descriptor))
    }

    fn upload(&self, label: &str, bytes: &[u8], usage: wgpu::BufferUsages) -> Result<wgpu::Buffer> {
        let buffer = self.buffer(label, bytes.len() as u64, usage | wgpu::BufferUsages::COPY_DST)?;
        self.queue.write_buffer(&buffer, 0, bytes);
        Ok(buffer)
    }

    /// Makes a kernel's pipeline where it is missing.
    pub(crate) fn compile(&self, kernel: Kernel) {
        if self.pipelines.borrow().contains_key(&kernel) {
            return;
        }
        let label = format!("{kernel:?}");
        let module = self.device.create_shader_module(wgpu::ShaderModuleDescriptor {
            label: Some(&label),
            source: wgpu::ShaderSource::Wgsl(kernel.source(self.values).into()),
        });
        let layout = self.device.create_pipeline_layout(&wgpu::PipelineLayoutDescriptor {
            label: Some("shapes"),
            bind_group_layouts: &[Some(&self.layout)],
            immediate_size: 0,
        });
        let pipeline = self.device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: Some(&label),
            layout: Some(&layout),
            module: &module,
            entry_point: Some("main"),
            compilation_options: wgpu::PipelineCompilationOptions {
                constants: &kernel.constants(self.target),
                ..Default::default()
            },
            cache: None,
        });
        self.pipelines.borrow_mut().insert(kernel, pipeline);
    }

    /// The first bytes of a buffer, once they are there.
    async fn read(&self, buffer: &wgpu::Buffer, bytes: u64) -> Result<Vec<u8>> {
        let (done, result) = futures_channel::oneshot::channel();
        buffer.map_async(wgpu::MapMode::Read, ..bytes, move |mapped| {
            // The receiver is gone only if the caller gave up.
            let _ = done.send(mapped);
        });
        // Blocks natively; a browser goes on by itself.
        let polled = self.device.poll(wgpu::PollType::wait_indefinitely());
        let mapped = result.await;
        self.check_alive()?;
        polled.map_err(|error| Error::Gpu(error.to_string()))?;
        match mapped {
            Ok(Ok(())) => {}
            // A browser may refuse the read before it tells the loss.
            _ => return Err(Error::DeviceLost("its results could not be read".into())),
        }
        let bytes = match buffer.get_mapped_range(..bytes) {
            Ok(view) => view.to_vec(),
            Err(error) => return Err(Error::Gpu(error.to_string())),
        };
        buffer.unmap();
        Ok(bytes)
    }
}
