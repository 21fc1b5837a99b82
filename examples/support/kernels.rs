//! Which kernels of the GPU engine an example runs, as words on its command line.

use g_ghostnet::gpu::Gpu;
use g_ghostnet::gpu::kernels::{Float, Target, Winograd};
use g_ghostnet::{Error, Result};

/// The words of [`with_kernels`].
pub const KERNELS: &str = "hardware,software,f32,f16,winograd,direct";

/// The device with other kernels than it would choose: words of [`KERNELS`] with commas between them.
pub fn with_kernels(gpu: Gpu, words: &str) -> Result<Gpu> {
    words.split(',').filter(|word| !word.is_empty()).try_fold(gpu, |gpu, word| {
        Ok(match word {
            "hardware" => gpu.with_target(Target::Hardware),
            "software" => gpu.with_target(Target::Software),
            "f32" => gpu.with_values(Float::F32)?,
            "f16" => gpu.with_values(Float::F16)?,
            "winograd" => gpu.with_winograd(Winograd::Always),
            "direct" => gpu.with_winograd(Winograd::Never),
            other => {
                return Err(Error::Unsupported(format!(
                    "unknown kernels `{other}`, expected some of {KERNELS}"
                )));
            }
        })
    })
}
