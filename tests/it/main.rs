//! The native tests, in one binary so that they link once.
#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

mod image;
mod network;
mod pth;
mod support;
