#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| g_ghostnet_fuzz::calibrate(data));
