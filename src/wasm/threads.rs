//! Workers that share this module's memory and are the engine's threads.
//!
//! The page starts them, each makes an instance of its own on the shared memory and says so; then
//! `offerThreads` tells the engine how many there are, and each calls `runThread`.

use crate::cpu::workers;
use wasm_bindgen::prelude::*;

/// The memory to share, and whether it can be shared.
#[wasm_bindgen(js_name = sharedMemory)]
#[must_use]
pub fn shared_memory() -> JsValue {
    wasm_bindgen::memory()
}

/// `count` workers are about to call [`run_thread`].
#[wasm_bindgen(js_name = offerThreads)]
pub fn offer_threads(count: usize) {
    workers::offer(count);
}

/// What a worker does for the rest of its life; a trap in it must be reported by [`thread_failed`].
#[wasm_bindgen(js_name = runThread)]
pub fn run_thread() {
    workers::serve();
}

/// A worker trapped: the call that waits for it crashes too, instead of waiting for ever.
#[wasm_bindgen(js_name = threadFailed)]
pub fn thread_failed() {
    workers::fail();
}
