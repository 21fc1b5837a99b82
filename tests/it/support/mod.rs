//! What several test modules use.

pub mod case;
#[cfg(feature = "int8")]
pub mod integers;
pub mod naive;
pub mod reader;
pub mod reference;
