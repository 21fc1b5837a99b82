//! A model on an engine: inputs in, logits and taps out; the whole Rust API.

#[cfg(feature = "gpu")]
use crate::arch::Conv;
#[cfg(feature = "cpu")]
use crate::arch::Step;
use crate::arch::View;
#[cfg(feature = "cpu")]
use crate::cpu::{self, Pool};
use crate::error::{Error, Result};
#[cfg(feature = "gpu")]
use crate::fold::Scaled;
#[cfg(feature = "gpu")]
use crate::gpu::{self, Gpu};
use crate::model::{Model, Outline};
use crate::plan::Plan;
#[cfg(feature = "cpu")]
use serde::Serialize;

/// What one run returns.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Outputs {
    /// `[batch, classes]`
    pub logits: Vec<f32>,
    /// The taps in the order they were asked for.
    pub taps: Vec<TapOutput>,
}

/// A tapped feature map.
#[derive(Clone, Debug, PartialEq)]
pub struct TapOutput {
    /// The name it was asked for by.
    pub name: String,
    /// Batch, channels, height, width.
    pub dims: [usize; 4],
    /// Row-major.
    pub data: Vec<f32>,
}

#[cfg(feature = "cpu")]
/// How long a step takes.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct StepProfile {
    /// The step's name.
    pub name: String,
    /// Which kernel computes it.
    pub kernel: &'static str,
    /// Channels, height and width of its output.
    pub dims: [usize; 3],
    /// Multiply-accumulate operations of the direct form.
    pub macs: u64,
    /// Best time.
    pub milliseconds: f64,
}

/// Most elements of an input batch: 1 GiB of f32.
const MAX_INPUT: usize = 1 << 28;

/// Checks a batch of normalised inputs, `[n, 3, height, width]`.
///
/// # Errors
/// [`Error::WrongShape`]
pub fn check_input(data: &[f32], [n, channels, height, width]: [usize; 4]) -> Result<()> {
    let elements = n.checked_mul(channels).and_then(|e| e.checked_mul(height)?.checked_mul(width));
    if channels != 3
        || n == 0
        || elements.is_none_or(|elements| elements != data.len() || elements > MAX_INPUT)
    {
        return Err(Error::WrongShape(format!(
            "the input has {} numbers and dims [{n}, {channels}, {height}, {width}], expected [n, 3, height, width] \
             with as many numbers",
            data.len()
        )));
    }
    Ok(())
}

/// Room for a batch of each tap.
fn empty_taps(views: &[(String, View)], n: usize) -> Vec<TapOutput> {
    let empty = |(name, view): &(String, View)| TapOutput {
        name: name.clone(),
        dims: [n, view.channels, view.height, view.width],
        data: Vec::with_capacity(n * view.len()),
    };
    views.iter().map(empty).collect()
}

#[cfg(feature = "cpu")]
/// The CPU engine with a model's weights; it plans anew when the input's size or the taps change.
pub struct CpuSession {
    outline: Outline,
    weights: cpu::Weights,
    pool: Pool,
    planned: Option<Planned<(Plan, cpu::Workspace)>>,
}

/// What was planned last; another size, batch or list of taps is planned anew.
struct Planned<T> {
    size: [usize; 2],
    batch: usize,
    taps: Vec<String>,
    made: T,
}

impl<T> Planned<T> {
    fn new<S: AsRef<str>>(size: [usize; 2], batch: usize, taps: &[S], made: T) -> Planned<T> {
        let taps = taps.iter().map(|tap| tap.as_ref().to_owned()).collect();
        Planned { size, batch, taps, made }
    }

    fn fits<S: AsRef<str>>(&self, size: [usize; 2], batch: usize, taps: &[S]) -> bool {
        let same = |(mine, other): (&String, &S)| mine == other.as_ref();
        self.size == size
            && self.batch == batch
            && self.taps.len() == taps.len()
            && self.taps.iter().zip(taps).all(same)
    }
}

#[cfg(feature = "cpu")]
impl CpuSession {
    /// Packs the model's weights and starts `threads` threads; where they cannot be started, the caller's
    /// own does all. Results are the same to the bit for any number.
    ///
    /// # Errors
    /// As [`cpu::Weights::new`].
    pub fn new(model: &Model, threads: usize) -> Result<CpuSession> {
        let network = model.network(model.input.side, model.input.side)?;
        let weights = cpu::Weights::new(&network, &model.checkpoint)?;
        Ok(CpuSession { outline: model.outline(), weights, pool: Pool::new(threads), planned: None })
    }

    /// As [`CpuSession::new`]; the model's weights leave it as they are packed, so that both are never whole at
    /// the same time.
    ///
    /// # Errors
    /// As [`cpu::Weights::take`].
    pub fn take(model: &mut Model, threads: usize) -> Result<CpuSession> {
        let network = model.network(model.input.side, model.input.side)?;
        let weights = cpu::Weights::take(&network, &mut model.checkpoint)?;
        Ok(CpuSession { outline: model.outline(), weights, pool: Pool::new(threads), planned: None })
    }

    /// Threads that run.
    #[must_use]
    pub fn threads(&self) -> usize {
        self.pool.threads()
    }

    /// Runs a batch of normalised inputs, `[n, 3, height, width]`, one after the other.
    ///
    /// # Errors
    /// [`Error::WrongShape`], [`Error::UnknownTap`], [`Error::OutOfMemory`]; the session stays usable.
    pub fn run<S: AsRef<str>>(&mut self, data: &[f32], dims: [usize; 4], taps: &[S]) -> Result<Outputs> {
        check_input(data, dims)?;
        let [n, _, height, width] = dims;
        let views = self.plan([height, width], taps)?.taps.clone();
        let mut outputs = Outputs { logits: Vec::new(), taps: empty_taps(&views, n) };
        for image in data.chunks_exact(3 * height * width) {
            let Planned { made: (plan, workspace), .. } = self.planned.as_mut().expect("planned above");
            workspace.set_image(plan, image);
            workspace.run(plan, &self.weights, &self.pool);
            workspace.read(plan, plan.logits, &mut outputs.logits);
            for ((_, view), tap) in views.iter().zip(&mut outputs.taps) {
                workspace.read(plan, *view, &mut tap.data);
            }
        }
        Ok(outputs)
    }

    fn plan<S: AsRef<str>>(&mut self, size: [usize; 2], taps: &[S]) -> Result<&Plan> {
        // One image at a time is in memory, whatever the batch.
        if !self.planned.as_ref().is_some_and(|planned| planned.fits(size, 1, taps)) {
            let plan = Plan::new(&self.outline.network(size[0], size[1])?, taps)?;
            // The old memory goes first, so that the peak is that of one plan.
            self.planned = None;
            let workspace = cpu::Workspace::new(&plan, &self.weights, self.pool.threads())?;
            self.planned = Some(Planned::new(size, 1, taps, (plan, workspace)));
        }
        Ok(&self.planned.as_ref().expect("planned above").made.0)
    }

    /// Times each step: the best of `runs` runs of one input, `[3, height, width]`, with a clock in
    /// milliseconds.
    ///
    /// # Errors
    /// As [`CpuSession::run`].
    pub fn profile(
        &mut self,
        image: &[f32],
        [height, width]: [usize; 2],
        runs: usize,
        clock: impl Fn() -> f64,
    ) -> Result<Vec<StepProfile>> {
        check_input(image, [1, 3, height, width])?;
        self.plan::<String>([height, width], &[])?;
        let Planned { made: (plan, workspace), .. } = self.planned.as_mut().expect("planned above");
        let mut times = vec![f64::INFINITY; plan.steps.len()];
        for _ in 0..runs.max(1) {
            workspace.set_image(plan, image);
            for (step, best) in plan.steps.iter().zip(&mut times) {
                let start = clock();
                workspace.run_step(plan, &self.weights, &self.pool, step);
                *best = best.min(clock() - start);
            }
        }
        let profile = |(step, milliseconds): (&Step, f64)| StepProfile {
            name: step.name.clone(),
            kernel: self.weights.kernel_name(step),
            dims: [step.y.channels, step.y.height, step.y.width],
            macs: step.macs(),
            milliseconds,
        };
        Ok(plan.steps.iter().zip(times).map(profile).collect())
    }

    /// Bytes of weights, slots and scratch memory.
    #[must_use]
    pub fn size_bytes(&self) -> usize {
        self.weights.size_bytes() + self.planned.as_ref().map_or(0, |planned| planned.made.1.size_bytes())
    }
}

/// The WebGPU engine with a model's weights; it plans anew when the input's size, the batch or the taps
/// change.
#[cfg(feature = "gpu")]
pub struct GpuSession {
    outline: Outline,
    gpu: Gpu,
    weights: gpu::weights::Weights,
    planned: Option<Planned<gpu::Program>>,
}

#[cfg(feature = "gpu")]
impl GpuSession {
    /// Uploads the model's weights, compiles every kernel it needs and warms them up; `progress` is told
    /// the part that is done, 0 to 1.
    ///
    /// # Errors
    /// [`Error::DeviceLost`], [`Error::OutOfMemory`], [`Error::Gpu`], or those of the checkpoint.
    pub async fn new(model: &Model, gpu: &Gpu, progress: impl FnMut(f64)) -> Result<GpuSession> {
        let read = |_, conv: &Conv, channels_out| model.checkpoint.scaled(conv, channels_out);
        GpuSession::of(model.outline(), gpu, read, progress).await
    }

    /// As [`GpuSession::new`], of a model that somebody else reads: `read` is as for [`gpu::weights::Weights::new`].
    ///
    /// # Errors
    /// As [`GpuSession::new`], and those of `read`.
    pub async fn of(
        outline: Outline,
        gpu: &Gpu,
        read: impl FnMut(usize, &Conv, usize) -> Result<Scaled>,
        mut progress: impl FnMut(f64),
    ) -> Result<GpuSession> {
        let usual = outline.side;
        let network = outline.network(usual, usual)?;
        let weights = gpu.guarded(|| gpu::weights::Weights::new(gpu, &network, read)).await?;
        let plan = Plan::new(&network, &[] as &[&str])?;
        let kernels = gpu::kernels_of(gpu, &plan, &weights);
        for (index, &kernel) in kernels.iter().enumerate() {
            progress((1 + index) as f64 / (2 + kernels.len()) as f64);
            gpu.guarded(|| {
                gpu.compile(kernel);
                Ok(())
            })
            .await?;
        }
        let mut session = GpuSession { outline, gpu: gpu.clone(), weights, planned: None };
        // The smallest picture passes every kernel once; then the memory of the usual one is made ready.
        let side = crate::arch::MIN_SIDE;
        let none: &[&str] = &[];
        session.run(&vec![0.0; 3 * side * side], [1, 3, side, side], none).await?;
        session.plan([usual; 2], 1, none).await?;
        progress(1.0);
        Ok(session)
    }

    /// Runs a batch of normalised inputs, `[n, 3, height, width]`, in as few parts as the device's limits
    /// allow.
    ///
    /// # Errors
    /// [`Error::WrongShape`], [`Error::UnknownTap`], [`Error::OutOfMemory`], [`Error::DeviceLost`],
    /// [`Error::Gpu`]; after the first three the session stays usable.
    pub async fn run<S: AsRef<str>>(
        &mut self,
        data: &[f32],
        dims: [usize; 4],
        taps: &[S],
    ) -> Result<Outputs> {
        self.run_and_read(data, dims, taps, gpu::Read::All).await
    }

    /// Runs one normalised input, `[1, 3, height, width]`, whose taps stay on the device to be drawn: those of the
    /// result have no data.
    ///
    /// # Errors
    /// As [`GpuSession::run`].
    pub async fn keep<S: AsRef<str>>(
        &mut self,
        data: &[f32],
        [height, width]: [usize; 2],
        taps: &[S],
    ) -> Result<Outputs> {
        self.run_and_read(data, [1, 3, height, width], taps, gpu::Read::Logits).await
    }

    async fn run_and_read<S: AsRef<str>>(
        &mut self,
        data: &[f32],
        dims: [usize; 4],
        taps: &[S],
        read: gpu::Read,
    ) -> Result<Outputs> {
        check_input(data, dims)?;
        let [n, _, height, width] = dims;
        let gpu = self.gpu.clone();
        let program = self.plan([height, width], n, taps).await?;
        let room = if read == gpu::Read::All { n } else { 0 };
        let mut outputs = Outputs { logits: Vec::new(), taps: empty_taps(&program.plan().taps, room) };
        let image = 3 * height * width;
        for images in data.chunks(program.batch() * image) {
            gpu.guarded(|| {
                program.submit(&gpu, images, read);
                Ok(())
            })
            .await?;
            let mut values = program.outputs(&gpu, images.len() / image, read).await?.into_iter();
            outputs.logits.extend(values.next().unwrap_or_default());
            for (tap, values) in outputs.taps.iter_mut().zip(values) {
                tap.data.extend(values);
            }
        }
        Ok(outputs)
    }

    async fn plan<S: AsRef<str>>(&mut self, size: [usize; 2], n: usize, taps: &[S]) -> Result<&gpu::Program> {
        if !self.planned.as_ref().is_some_and(|planned| planned.fits(size, n, taps)) {
            let plan = Plan::new(&self.outline.network(size[0], size[1])?, taps)?;
            // The old memory goes first, so that the peak is that of one plan.
            self.planned = None;
            let batch = gpu::batch_limit(&self.gpu, &plan, &self.weights, n);
            let program =
                self.gpu.guarded(|| gpu::Program::new(&self.gpu, plan, &self.weights, batch)).await?;
            self.planned = Some(Planned::new(size, n, taps, program));
        }
        Ok(&self.planned.as_ref().expect("planned above").made)
    }

    /// The device.
    #[must_use]
    pub fn gpu(&self) -> &Gpu {
        &self.gpu
    }

    /// The program of the last run.
    #[must_use]
    pub fn program(&self) -> Option<&gpu::Program> {
        self.planned.as_ref().map(|planned| &planned.made)
    }

    /// Bytes of the buffers on the device.
    #[must_use]
    pub fn size_bytes(&self) -> usize {
        self.weights.size_bytes() + self.planned.as_ref().map_or(0, |planned| planned.made.size_bytes())
    }
}
