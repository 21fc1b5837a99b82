//! The SIMD type of the kernels: four f32 lanes, wasm `simd128` or an array that the compiler vectorises.
//!
//! With `relaxed-simd` a multiply-add is one instruction with one or two roundings, as the processor
//! likes; without it, it is a multiplication and an addition, the same to the bit everywhere.

#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
mod lanes {
    #![allow(unsafe_code, reason = "wasm's vector load and store take raw pointers")]
    use core::arch::wasm32::{
        f32x4_add, f32x4_mul, f32x4_pmax, f32x4_splat, f32x4_sub, v128, v128_load, v128_store,
    };

    #[derive(Clone, Copy, Debug)]
    pub struct F32x4(pub(in crate::cpu) v128);

    impl F32x4 {
        #[inline(always)]
        pub fn splat(value: f32) -> F32x4 {
            F32x4(f32x4_splat(value))
        }

        #[inline(always)]
        pub fn load(from: &[f32; 4]) -> F32x4 {
            // SAFETY: the reference is to 16 readable bytes, and v128.load needs no alignment.
            F32x4(unsafe { v128_load(from.as_ptr().cast()) })
        }

        #[inline(always)]
        pub fn store(self, to: &mut [f32; 4]) {
            // SAFETY: the reference is to 16 writable bytes, and v128.store needs no alignment.
            unsafe { v128_store(to.as_mut_ptr().cast(), self.0) }
        }

        #[inline(always)]
        pub fn add(self, other: F32x4) -> F32x4 {
            F32x4(f32x4_add(self.0, other.0))
        }

        #[inline(always)]
        pub fn sub(self, other: F32x4) -> F32x4 {
            F32x4(f32x4_sub(self.0, other.0))
        }

        #[inline(always)]
        pub fn mul(self, other: F32x4) -> F32x4 {
            F32x4(f32x4_mul(self.0, other.0))
        }

        /// `self < other ? other : self`: one instruction, where IEEE's maximum is eight.
        #[inline(always)]
        pub fn max(self, other: F32x4) -> F32x4 {
            F32x4(f32x4_pmax(self.0, other.0))
        }

        /// `self * other + sum`
        #[inline(always)]
        pub fn mul_add(self, other: F32x4, sum: F32x4) -> F32x4 {
            #[cfg(target_feature = "relaxed-simd")]
            return F32x4(core::arch::wasm32::f32x4_relaxed_madd(self.0, other.0, sum.0));
            #[cfg(not(target_feature = "relaxed-simd"))]
            return self.mul(other).add(sum);
        }
    }
}

#[cfg(not(all(target_arch = "wasm32", target_feature = "simd128")))]
mod lanes {
    #[derive(Clone, Copy, Debug)]
    pub struct F32x4(pub(in crate::cpu) [f32; 4]);

    impl F32x4 {
        #[inline(always)]
        pub fn splat(value: f32) -> F32x4 {
            F32x4([value; 4])
        }

        #[inline(always)]
        pub fn load(from: &[f32; 4]) -> F32x4 {
            F32x4(*from)
        }

        #[inline(always)]
        pub fn store(self, to: &mut [f32; 4]) {
            *to = self.0;
        }

        #[inline(always)]
        fn zip(self, other: F32x4, f: impl Fn(f32, f32) -> f32) -> F32x4 {
            F32x4(std::array::from_fn(|lane| f(self.0[lane], other.0[lane])))
        }

        #[inline(always)]
        pub fn add(self, other: F32x4) -> F32x4 {
            self.zip(other, |a, b| a + b)
        }

        #[inline(always)]
        pub fn sub(self, other: F32x4) -> F32x4 {
            self.zip(other, |a, b| a - b)
        }

        #[inline(always)]
        pub fn mul(self, other: F32x4) -> F32x4 {
            self.zip(other, |a, b| a * b)
        }

        /// `self < other ? other : self`
        #[inline(always)]
        pub fn max(self, other: F32x4) -> F32x4 {
            self.zip(other, |a, b| if a < b { b } else { a })
        }

        /// `self * other + sum`
        #[inline(always)]
        pub fn mul_add(self, other: F32x4, sum: F32x4) -> F32x4 {
            self.mul(other).add(sum)
        }
    }
}

pub use lanes::F32x4;

impl F32x4 {
    /// The first `from.len()` lanes, at most four, the others zero.
    #[inline(always)]
    pub fn load_part(from: &[f32]) -> F32x4 {
        let mut lanes = [0.0; 4];
        lanes[..from.len()].copy_from_slice(from);
        F32x4::load(&lanes)
    }

    /// The first `to.len()` lanes, at most four.
    #[inline(always)]
    pub fn store_part(self, to: &mut [f32]) {
        let mut lanes = [0.0; 4];
        self.store(&mut lanes);
        to.copy_from_slice(&lanes[..to.len()]);
    }
}
