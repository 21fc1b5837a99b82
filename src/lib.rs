#![doc = include_str!("../README.md")]

#[cfg(feature = "edit")]
pub mod ablation;
pub mod arch;
pub mod checkpoint;
pub mod confidence;
pub mod config;
#[cfg(feature = "cpu")]
pub mod cpu;
mod error;
pub mod fold;
#[cfg(feature = "gpu")]
pub mod gpu;
pub mod image;
#[cfg(any(feature = "similarity", feature = "teach"))]
mod matrix;
pub mod model;
pub mod plan;
#[cfg(feature = "int8")]
pub mod quantize;
#[cfg(any(feature = "similarity", feature = "edit", feature = "teach"))]
mod random;
#[cfg(feature = "read")]
pub mod read;
#[cfg(any(feature = "cpu", feature = "gpu"))]
pub mod session;
#[cfg(feature = "similarity")]
pub mod similarity;
#[cfg(feature = "teach")]
pub mod teach;
#[cfg(feature = "edit")]
pub mod twin;
#[cfg(target_arch = "wasm32")]
pub mod wasm;
#[cfg(any(feature = "cpu", feature = "gpu"))]
mod winograd;

pub use error::{Error, Result};
