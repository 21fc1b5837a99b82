//! The native tests, in one binary so that they link once.
#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

mod arch;
mod image;
mod network;
mod plan;
mod pth;
mod support;
mod weights;
