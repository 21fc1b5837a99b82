//! Tests in the browser, in a worker as on the page: both engines against PyTorch, and the face towards
//! JavaScript. Without the GPU engine they run in Node.
#![cfg(target_arch = "wasm32")]
#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

#[path = "../it/support/reference.rs"]
#[allow(dead_code, reason = "shared with the native tests, which use more of it")]
mod reference;

#[path = "../it/support/integers.rs"]
mod integers;

use g_ghostnet::session::{self, CpuSession};
use g_ghostnet::wasm::{ModelBytes, Net};
#[cfg(feature = "gpu")]
use g_ghostnet::{gpu::Gpu, session::GpuSession};
use reference::{LIMIT, Outputs, Reference};
use wasm_bindgen::prelude::*;
use wasm_bindgen_test::*;

// Node has neither WebGPU nor, in all versions, the instructions of the flavours with threads.
#[cfg(any(feature = "gpu", target_feature = "atomics"))]
wasm_bindgen_test_configure!(run_in_dedicated_worker);

fn hold_against_pytorch(reference: &Reference, outputs: session::Outputs) {
    let taps = outputs.taps.into_iter().map(|tap| tap.data).collect();
    let worst = reference.compare(&Outputs { logits: outputs.logits, taps }).unwrap();
    assert!(worst.error <= LIMIT, "{worst:?}");
}

fn run_on_cpu(text: &str) {
    let reference: Reference = serde_json::from_str(text).unwrap();
    let model = reference.model().unwrap();
    let mut session = CpuSession::new(&model, 1).unwrap();
    let taps = reference.tap_names().unwrap();
    let outputs = session.run(&reference.image(), reference.input, &taps).unwrap();
    hold_against_pytorch(&reference, outputs);
}

#[cfg(feature = "gpu")]
async fn run_on_gpu(text: &str) {
    let reference: Reference = serde_json::from_str(text).unwrap();
    let model = reference.model().unwrap();
    let gpu = Gpu::request().await.unwrap();
    let mut session = GpuSession::new(&model, &gpu, |_| ()).await.unwrap();
    let taps = reference.tap_names().unwrap();
    let outputs = session.run(&reference.image(), reference.input, &taps).await.unwrap();
    hold_against_pytorch(&reference, outputs);
}

/// One test for each named file of `tests/golden/reference` and each engine.
macro_rules! agrees_with_pytorch {
    ($($file:ident)*) => {
        mod cpu {$(
            #[wasm_bindgen_test::wasm_bindgen_test]
            fn $file() {
                super::run_on_cpu(include_str!(concat!("../golden/reference/", stringify!($file), ".json")));
            }
        )*}
        #[cfg(feature = "gpu")]
        mod gpu {$(
            #[wasm_bindgen_test::wasm_bindgen_test]
            async fn $file() {
                let text = include_str!(concat!("../golden/reference/", stringify!($file), ".json"));
                super::run_on_gpu(text).await;
            }
        )*}
    };
}

agrees_with_pytorch! {
    cifar_pool_resnet18_32x48_b2
    form_paper_40x56_b2
    form_paper_bare_5x5_40x56_b2
    form_paper_ratios_3x3_40x56_b2
    form_plain_40x56_b2
    form_released_40x56_b2
    form_released_all_ghost_40x56_b2
    form_released_bare_3x3_40x56_b2
    form_released_ratios_5x5_40x56_b2
    g_ghost_regnetx_002_224x224_b1
    g_ghost_regnetx_008_160x192_b2
    g_ghost_regnetx_008_224x224_b1
    g_ghost_regnetx_032_224x224_b1
    ghostnet_050_47x65_b2
    ghostnet_100_64x64_b1
    ghostnet_130_96x64_b1
    huggingface_regnetx_002_32x48_b2
    huggingface_resnet18_32x48_b2
    huggingface_resnet50_32x48_b2
    kuangliu_resnet18_32x48_b2
    kuangliu_resnet50_32x48_b2
    openmmlab_regnetx_002_32x48_b2
    openmmlab_resnet50_32x48_b2
    pycls_regnetx_002_32x48_b2
    regnet_x_400mf_64x64_b1
    regnet_x_800mf_33x70_b1
    regnetx_004_64x64_b1
    regnetx_008_50x64_b1
    resnet18_64x96_b1
    resnet34_65x47_b2
    resnet50_64x96_b1
    resnet101_65x47_b2
    resnet152_33x70_b1
    resnext50_32x4d_47x65_b2
    resnext101_32x8d_64x64_b1
    resnext101_64x4d_50x64_b1
    timm_wrapper_regnetx_002_32x48_b2
    timm_wrapper_resnet18_32x48_b2
    wide_resnet50_2_33x47_b2
    wide_resnet101_2_64x64_b1
}

#[wasm_bindgen_test]
fn integers_are_the_same_as_everywhere() {
    assert_eq!(integers::hash(&integers::run()), integers::HASH);
}

/// The `code` of what the constructor of `Net` throws.
fn code_of_new(model: &[u8]) -> String {
    let mut bytes = ModelBytes::new(model.len()).unwrap();
    for piece in model.chunks(3) {
        bytes.write(&js_sys::Uint8Array::from(piece));
    }
    let thrown = Net::new(bytes, false, None, None, None).err().unwrap();
    let error: js_sys::Error = thrown.dyn_into().unwrap();
    assert!(!String::from(error.message()).is_empty());
    js_sys::Reflect::get(&error, &"code".into()).unwrap().as_string().unwrap()
}

#[wasm_bindgen_test]
fn errors_are_javascript_errors_with_a_code() {
    assert_eq!(code_of_new(b"no model"), "bad-model");
    assert_eq!(code_of_new(b""), "bad-model");
}
