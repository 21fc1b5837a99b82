//! The native tests, in one binary so that they link once.
#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

#[cfg(feature = "edit")]
mod ablation;
mod arch;
mod confidence;
#[cfg(feature = "gpu")]
mod gpu;
mod hostile;
mod image;
mod kernels;
mod network;
mod plan;
mod pool;
mod property;
mod pth;
#[cfg(feature = "int8")]
mod quantize;
#[cfg(feature = "gpu")]
mod shaders;
#[cfg(feature = "similarity")]
mod similarity;
mod support;
#[cfg(feature = "teach")]
mod teach;
mod weights;
mod wrappers;
