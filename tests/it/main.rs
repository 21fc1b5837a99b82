//! The native tests, in one binary so that they link once.
#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

mod arch;
#[cfg(feature = "gpu")]
mod gpu;
mod image;
mod kernels;
mod network;
mod plan;
mod pool;
mod pth;
mod quantize;
#[cfg(feature = "gpu")]
mod shaders;
mod support;
mod weights;
