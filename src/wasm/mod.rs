//! The face towards JavaScript; the only folder that names a `JsValue`.
//!
//! Each module that `build.sh` makes has one thing: the CPU engine, the WebGPU engine, the reader of
//! checkpoints, the comparison of feature maps, the editor of models, or the teacher of classes, so that a visitor downloads what is
//! used. Errors are JavaScript `Error`s with the `code` of [`Error::code`].

#[cfg(feature = "edit")]
mod editor;
#[cfg(any(feature = "cpu", feature = "edit", feature = "read", feature = "teach"))]
mod file;
#[cfg(feature = "gpu")]
mod gpu;
#[cfg(feature = "cpu")]
mod net;
#[cfg(any(feature = "cpu", feature = "gpu"))]
mod output;
#[cfg(feature = "read")]
mod reader;
#[cfg(feature = "similarity")]
mod similarity;
#[cfg(feature = "teach")]
mod teach;
#[cfg(all(feature = "cpu", target_feature = "atomics"))]
mod threads;

use crate::error::Error;
#[cfg(feature = "cpu")]
pub use file::ModelBytes;
#[cfg(feature = "gpu")]
pub use gpu::{Devices, GpuNet};
#[cfg(feature = "cpu")]
pub use net::Net;
#[cfg(any(feature = "cpu", feature = "gpu"))]
pub use output::Output;
#[cfg(all(feature = "cpu", target_feature = "atomics"))]
pub use threads::{offer_threads, run_thread, shared_memory, thread_failed};
use wasm_bindgen::prelude::*;

impl From<Error> for JsValue {
    fn from(error: Error) -> JsValue {
        let js = js_sys::Error::new(&error.to_string());
        // Setting a property of a fresh object cannot fail.
        let _ = js_sys::Reflect::set(&js, &"code".into(), &error.code().into());
        js.into()
    }
}

/// Milliseconds of the page's or worker's clock.
#[cfg(any(feature = "cpu", feature = "gpu"))]
fn now() -> f64 {
    js_sys::Reflect::get(&js_sys::global(), &"performance".into())
        .ok()
        .and_then(|performance| performance.dyn_into::<web_sys::Performance>().ok())
        .map_or(0.0, |performance| performance.now())
}
