//! Sums over long lists of f64, in vectors.

use super::lanes::{Lanes, Number};

type Vector = <f64 as Number>::Lanes;

/// A vector of f32 may be of the same type, so these say that theirs is of f64.
#[inline(always)]
fn load(numbers: &[f64]) -> Vector {
    <Vector as Lanes<f64>>::load(numbers)
}

#[inline(always)]
fn splat(value: f64) -> Vector {
    <Vector as Lanes<f64>>::splat(value)
}

/// `a * b + sum`
#[inline(always)]
fn mul_add(a: Vector, b: Vector, sum: Vector) -> Vector {
    <Vector as Lanes<f64>>::mul_add(a, b, sum)
}

#[inline(always)]
fn store(vector: Vector, numbers: &mut [f64]) {
    <Vector as Lanes<f64>>::store(vector, numbers);
}

const LANES: usize = <Vector as Lanes<f64>>::COUNT;
/// Numbers that are taken at once: sums side by side wait for none of the others.
const AT_ONCE: usize = 4 * LANES;

/// `sum of a_i b_i`
pub fn dot(a: &[f64], b: &[f64]) -> f64 {
    let [sum] = dots([a], b);
    sum
}

/// `sum of a_i b_i` for several a.
pub fn dots<const N: usize>(a: [&[f64]; N], b: &[f64]) -> [f64; N] {
    let a = a.map(|a| &a[..b.len()]);
    let (whole, rest) = b.as_chunks::<AT_ONCE>();
    let mut sums = [[splat(0.0); 4]; N];
    for (at, b) in whole.iter().enumerate() {
        for (part, first) in (0..4).map(|part| (part, part * LANES)) {
            let y = load(&b[first..]);
            for (sums, a) in sums.iter_mut().zip(&a) {
                sums[part] = mul_add(load(&a[at * AT_ONCE + first..]), y, sums[part]);
            }
        }
    }
    let begin = b.len() - rest.len();
    let mut totals = [0.0; N];
    for ((total, sums), a) in totals.iter_mut().zip(&sums).zip(&a) {
        sums.iter().for_each(|&sum| Lanes::<f64>::each(sum, |_, value| *total += value));
        *total += a[begin..].iter().zip(rest).map(|(a, b)| a * b).sum::<f64>();
    }
    totals
}

/// `y_i += factor x_i`
pub fn add_scaled(y: &mut [f64], factor: f64, x: &[f64]) {
    let factors = splat(factor);
    let x = &x[..y.len()];
    let (whole, rest) = y.as_chunks_mut::<LANES>();
    let begin = whole.len() * LANES;
    for (at, y) in whole.iter_mut().enumerate() {
        store(mul_add(load(&x[at * LANES..]), factors, load(y)), y);
    }
    rest.iter_mut().zip(&x[begin..]).for_each(|(y, x)| *y += factor * x);
}

/// `y_i += first x_i + second z_i`
#[cfg(feature = "teach")]
pub fn add_both(y: &mut [f64], [first, second]: [f64; 2], [x, z]: [&[f64]; 2]) {
    let (x, z) = (&x[..y.len()], &z[..y.len()]);
    let factors = [splat(first), splat(second)];
    let (whole, rest) = y.as_chunks_mut::<LANES>();
    let begin = whole.len() * LANES;
    for (at, y) in whole.iter_mut().enumerate() {
        let [x, z] = [x, z].map(|numbers| load(&numbers[at * LANES..]));
        store(mul_add(z, factors[1], mul_add(x, factors[0], load(y))), y);
    }
    for (y, (x, z)) in rest.iter_mut().zip(x[begin..].iter().zip(&z[begin..])) {
        *y += first * x + second * z;
    }
}
