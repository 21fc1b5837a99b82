//! Sums of products of small integers: four i32 lanes, each fed by a group of neighbouring elements.
//!
//! Both factors are -127 to 127, and the second is not negative: seven bits, so that no instruction
//! saturates and all flavours give the same sums. With `relaxed-simd` an element is a byte and four are
//! added at once (one instruction where the processor has dot products); without it it is 16 bits wide
//! and two are.

use super::f32x4::F32x4;

/// Largest element of the second factor.
pub const MAX: f32 = 127.0;

/// Adding it leaves a number from 0 to 127, rounded to even, in the lowest bits.
const ROUNDING: f32 = 8_388_608.0; // 2^23
const LOWEST_BITS: u32 = 127;

/// `x * scale + zero`, rounded and held to 0..=127; 0 for what is no number.
#[inline(always)]
pub fn quantize_one(x: f32, scale: f32, zero: f32) -> Element {
    let value = x * scale + zero;
    let value = if value < 0.0 { 0.0 } else { value };
    let value = if MAX < value { MAX } else { value };
    ((value + ROUNDING).to_bits() & LOWEST_BITS) as Element
}

#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
mod lanes {
    #![allow(unsafe_code, reason = "wasm's vector load and store take raw pointers")]
    use super::{F32x4, MAX, ROUNDING};
    use core::arch::wasm32::*;

    #[cfg(target_feature = "relaxed-simd")]
    pub type Element = i8;
    #[cfg(not(target_feature = "relaxed-simd"))]
    pub type Element = i16;

    /// Elements of a vector, and of those that a lane adds at once.
    pub const LANES: usize = 16 / size_of::<Element>();
    pub const GROUP: usize = LANES / 4;

    #[derive(Clone, Copy)]
    pub struct Elements(v128);

    impl Elements {
        #[inline(always)]
        pub fn load(from: &[Element; LANES]) -> Elements {
            // SAFETY: the reference is to 16 readable bytes, and v128.load needs no alignment.
            Elements(unsafe { v128_load(from.as_ptr().cast()) })
        }

        /// One group for all lanes.
        #[inline(always)]
        pub fn splat(from: &[Element; GROUP]) -> Elements {
            // SAFETY: the reference is to 4 readable bytes, and v128.load32_splat needs no alignment.
            Elements(unsafe { v128_load32_splat(from.as_ptr().cast()) })
        }

        #[inline(always)]
        pub fn store(self, to: &mut [Element; LANES]) {
            // SAFETY: the reference is to 16 writable bytes, and v128.store needs no alignment.
            unsafe { v128_store(to.as_mut_ptr().cast(), self.0) }
        }

        /// As [`super::quantize_one`].
        #[inline(always)]
        pub fn quantize(from: &[f32; LANES], scale: f32, zero: f32) -> Elements {
            let (scale, zero) = (F32x4::splat(scale), F32x4::splat(zero));
            let four = |at: usize| {
                let value = F32x4::load(from[at..].first_chunk().expect("a quarter of the lanes"));
                let value = value.mul(scale).add(zero).0;
                let value = f32x4_pmax(f32x4_splat(0.0), value);
                let value = f32x4_add(f32x4_pmin(value, f32x4_splat(MAX)), f32x4_splat(ROUNDING));
                // A difference, because a mask tells the compiler that narrowing cannot saturate, and it then
                // moves lane by lane.
                u32x4_sub(value, f32x4_splat(ROUNDING))
            };
            #[cfg(target_feature = "relaxed-simd")]
            return Elements(i8x16_narrow_i16x8(
                i16x8_narrow_i32x4(four(0), four(4)),
                i16x8_narrow_i32x4(four(8), four(12)),
            ));
            #[cfg(not(target_feature = "relaxed-simd"))]
            return Elements(i16x8_narrow_i32x4(four(0), four(4)));
        }
    }

    #[derive(Clone, Copy)]
    pub struct I32x4(v128);

    impl I32x4 {
        #[inline(always)]
        pub fn zero() -> I32x4 {
            I32x4(i32x4_splat(0))
        }

        /// `sum[lane] += sum of w * x of the lane's group`
        #[inline(always)]
        pub fn add_products(self, w: Elements, x: Elements) -> I32x4 {
            #[cfg(target_feature = "relaxed-simd")]
            return I32x4(i32x4_relaxed_dot_i8x16_i7x16_add(w.0, x.0, self.0));
            #[cfg(not(target_feature = "relaxed-simd"))]
            return I32x4(i32x4_add(i32x4_dot_i16x8(w.0, x.0), self.0));
        }

        #[inline(always)]
        pub fn to_f32(self) -> F32x4 {
            F32x4(f32x4_convert_i32x4(self.0))
        }
    }
}

#[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
mod lanes {
    use super::{F32x4, quantize_one};

    pub type Element = i16;

    /// Elements of a vector, and of those that a lane adds at once.
    pub const LANES: usize = 8;
    pub const GROUP: usize = 2;

    #[derive(Clone, Copy)]
    pub struct Elements([Element; LANES]);

    impl Elements {
        #[inline(always)]
        pub fn load(from: &[Element; LANES]) -> Elements {
            Elements(*from)
        }

        /// One group for all lanes.
        #[inline(always)]
        pub fn splat(from: &[Element; GROUP]) -> Elements {
            Elements(std::array::from_fn(|i| from[i % GROUP]))
        }

        #[inline(always)]
        pub fn store(self, to: &mut [Element; LANES]) {
            *to = self.0;
        }

        /// As [`super::quantize_one`].
        #[inline(always)]
        pub fn quantize(from: &[f32; LANES], scale: f32, zero: f32) -> Elements {
            Elements(from.map(|x| quantize_one(x, scale, zero)))
        }
    }

    #[derive(Clone, Copy)]
    pub struct I32x4([i32; 4]);

    impl I32x4 {
        #[inline(always)]
        pub fn zero() -> I32x4 {
            I32x4([0; 4])
        }

        /// `sum[lane] += sum of w * x of the lane's group`
        #[inline(always)]
        pub fn add_products(self, w: Elements, x: Elements) -> I32x4 {
            let product = |i: usize| i32::from(w.0[i]) * i32::from(x.0[i]);
            I32x4(std::array::from_fn(|lane| self.0[lane] + product(2 * lane) + product(2 * lane + 1)))
        }

        #[inline(always)]
        pub fn to_f32(self) -> F32x4 {
            F32x4(self.0.map(|sum| sum as f32))
        }
    }
}

pub use lanes::{Element, Elements, GROUP, I32x4, LANES};
