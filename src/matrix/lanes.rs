//! A vector of f32 or f64 for the one product: wasm `simd128`, or an array that the compiler makes vectors of.

use std::ops::AddAssign;

/// f32 or f64, with the vector that holds 16 bytes of them.
pub trait Number: Copy + Default + AddAssign {
    /// 16 bytes of them.
    type Lanes: Lanes<Self>;
}

/// What the product needs of a vector.
pub trait Lanes<T>: Copy {
    /// How many numbers it holds.
    const COUNT: usize;
    /// One number in all lanes.
    fn splat(value: T) -> Self;
    /// The number of each lane.
    fn from_fn(value: impl Fn(usize) -> T) -> Self;
    /// As many numbers as it holds, one after the other.
    fn load(numbers: &[T]) -> Self;
    /// Into as many places.
    fn store(self, numbers: &mut [T]);
    /// `self * other + sum`
    fn mul_add(self, other: Self, sum: Self) -> Self;
    /// Calls with each lane's index and number.
    fn each(self, f: impl FnMut(usize, T));
}

#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
mod vectors {
    use super::{Lanes, Number};
    use bytemuck::{bytes_of, cast_slice, cast_slice_mut, pod_read_unaligned};
    use core::arch::wasm32::{
        f32x4, f32x4_add, f32x4_extract_lane, f32x4_mul, f32x4_splat, f64x2, f64x2_add, f64x2_extract_lane,
        f64x2_mul, f64x2_splat, v128,
    };

    impl Number for f32 {
        type Lanes = v128;
    }

    impl Number for f64 {
        type Lanes = v128;
    }

    impl Lanes<f32> for v128 {
        const COUNT: usize = 4;

        #[inline(always)]
        fn splat(value: f32) -> v128 {
            f32x4_splat(value)
        }

        #[inline(always)]
        fn from_fn(value: impl Fn(usize) -> f32) -> v128 {
            f32x4(value(0), value(1), value(2), value(3))
        }

        #[inline(always)]
        fn load(numbers: &[f32]) -> v128 {
            pod_read_unaligned(cast_slice(&numbers[..4]))
        }

        #[inline(always)]
        fn store(self, numbers: &mut [f32]) {
            cast_slice_mut(&mut numbers[..4]).copy_from_slice(bytes_of(&self));
        }

        #[inline(always)]
        fn mul_add(self, other: v128, sum: v128) -> v128 {
            f32x4_add(f32x4_mul(self, other), sum)
        }

        #[inline(always)]
        fn each(self, mut f: impl FnMut(usize, f32)) {
            f(0, f32x4_extract_lane::<0>(self));
            f(1, f32x4_extract_lane::<1>(self));
            f(2, f32x4_extract_lane::<2>(self));
            f(3, f32x4_extract_lane::<3>(self));
        }
    }

    impl Lanes<f64> for v128 {
        const COUNT: usize = 2;

        #[inline(always)]
        fn splat(value: f64) -> v128 {
            f64x2_splat(value)
        }

        #[inline(always)]
        fn from_fn(value: impl Fn(usize) -> f64) -> v128 {
            f64x2(value(0), value(1))
        }

        #[inline(always)]
        fn load(numbers: &[f64]) -> v128 {
            pod_read_unaligned(cast_slice(&numbers[..2]))
        }

        #[inline(always)]
        fn store(self, numbers: &mut [f64]) {
            cast_slice_mut(&mut numbers[..2]).copy_from_slice(bytes_of(&self));
        }

        #[inline(always)]
        fn mul_add(self, other: v128, sum: v128) -> v128 {
            f64x2_add(f64x2_mul(self, other), sum)
        }

        #[inline(always)]
        fn each(self, mut f: impl FnMut(usize, f64)) {
            f(0, f64x2_extract_lane::<0>(self));
            f(1, f64x2_extract_lane::<1>(self));
        }
    }
}

#[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
mod arrays {
    use super::{Lanes, Number};

    impl Number for f32 {
        type Lanes = [f32; 4];
    }

    impl Number for f64 {
        type Lanes = [f64; 2];
    }

    impl<T: Copy + std::ops::Add<Output = T> + std::ops::Mul<Output = T>, const N: usize> Lanes<T> for [T; N] {
        const COUNT: usize = N;

        #[inline(always)]
        fn splat(value: T) -> [T; N] {
            [value; N]
        }

        #[inline(always)]
        fn from_fn(value: impl Fn(usize) -> T) -> [T; N] {
            std::array::from_fn(value)
        }

        #[inline(always)]
        fn load(numbers: &[T]) -> [T; N] {
            std::array::from_fn(|lane| numbers[lane])
        }

        #[inline(always)]
        fn store(self, numbers: &mut [T]) {
            numbers[..N].copy_from_slice(&self);
        }

        #[inline(always)]
        fn mul_add(self, other: [T; N], sum: [T; N]) -> [T; N] {
            std::array::from_fn(|lane| self[lane] * other[lane] + sum[lane])
        }

        #[inline(always)]
        fn each(self, mut f: impl FnMut(usize, T)) {
            self.iter().enumerate().for_each(|(lane, &value)| f(lane, value));
        }
    }
}
