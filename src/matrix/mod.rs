//! Matrices in f64 (and the product in f32), row-major, for what is computed beside a network: comparing feature maps
//! and teaching new classes.

mod cholesky;
mod lanes;
mod product;
#[cfg(feature = "teach")]
mod tridiagonal;
mod vectors;

pub use cholesky::{cholesky, substitute};
pub use product::{Part, add_product};
#[cfg(feature = "teach")]
pub use tridiagonal::Tridiagonal;
#[cfg(feature = "teach")]
pub use vectors::dot;
