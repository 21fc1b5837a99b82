#![doc = include_str!("../README.md")]

pub mod arch;
pub mod config;
pub mod cpu;
mod error;
#[cfg(feature = "gpu")]
pub mod gpu;
pub mod image;
pub mod model;
pub mod plan;
mod pth;
pub mod recognise;
pub mod session;
#[cfg(target_arch = "wasm32")]
pub mod wasm;
pub mod weights;

pub use error::{Error, Result};
