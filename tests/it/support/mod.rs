//! What several test modules use.

pub mod case;
pub mod integers;
pub mod naive;
pub mod reference;
