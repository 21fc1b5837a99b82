//! What several test modules use.

pub mod naive;
pub mod reference;
