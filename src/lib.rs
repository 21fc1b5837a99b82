#![doc = include_str!("../README.md")]

#[cfg(feature = "edit")]
pub mod ablation;
pub mod arch;
pub mod config;
#[cfg(feature = "cpu")]
pub mod cpu;
mod error;
#[cfg(feature = "gpu")]
pub mod gpu;
pub mod image;
pub mod model;
pub mod plan;
#[cfg(feature = "pth")]
pub mod pth;
#[cfg(feature = "int8")]
pub mod quantize;
#[cfg(any(feature = "similarity", feature = "edit"))]
mod random;
pub mod recognise;
#[cfg(any(feature = "cpu", feature = "gpu"))]
pub mod session;
#[cfg(feature = "similarity")]
pub mod similarity;
#[cfg(feature = "edit")]
pub mod twin;
#[cfg(target_arch = "wasm32")]
pub mod wasm;
pub mod weights;

pub use error::{Error, Result};
