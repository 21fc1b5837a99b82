//! An order of channels in which a similarity matrix shows its structure.

use super::{Best, check_matrix};
use crate::error::{Error, Result};
use crate::matrix::{Part, add_product};

/// Where the rows and columns of a matrix go: channels in the order they are drawn.
#[derive(Clone, Debug, PartialEq)]
pub struct Order {
    /// A permutation of the rows.
    pub rows: Vec<u32>,
    /// A permutation of the columns.
    pub columns: Vec<u32>,
}

/// Clusters the rows of a matrix, `[rows, columns]`, by average linkage on the cosine of their magnitudes,
/// and puts each column beside the row that it is most like. Rows and columns without a number other than 0
/// come last.
///
/// # Errors
/// [`Error::WrongShape`] where the length does not fit or a number is not finite.
pub fn order(matrix: &[f32], [rows, columns]: [usize; 2]) -> Result<Order> {
    if rows.checked_mul(columns) != Some(matrix.len()) || matrix.is_empty() {
        return Err(Error::WrongShape(format!(
            "the matrix has {} numbers, expected {rows} x {columns}",
            matrix.len()
        )));
    }
    if matrix.iter().any(|value| !value.is_finite()) {
        return Err(Error::WrongShape("the matrix holds a number that is not finite".into()));
    }
    check_matrix(rows, rows)?;
    let mut unit: Vec<f32> = matrix.iter().map(|value| value.abs()).collect();
    let mut alive = Vec::new();
    let mut empty = Vec::new();
    for (i, row) in unit.chunks_exact_mut(columns).enumerate() {
        let length = row.iter().map(|&v| f64::from(v).powi(2)).sum::<f64>().sqrt();
        if length > 0.0 {
            row.iter_mut().for_each(|v| *v = (f64::from(*v) / length) as f32);
            alive.push(i);
        } else {
            empty.push(i as u32);
        }
    }
    let kept: Vec<f32> = alive.iter().flat_map(|&i| &unit[i * columns..][..columns]).copied().collect();
    let mut similarity = vec![0.0; alive.len() * alive.len()];
    if !alive.is_empty() {
        add_product(&kept, &kept, columns, &mut similarity, Part::Whole);
    }
    let mut order: Vec<u32> = leaves(&similarity, alive.len()).iter().map(|&i| alive[i] as u32).collect();
    order.extend(empty);
    Ok(Order { columns: beside(matrix, columns, &order), rows: order })
}

/// Each column at the place of the row with its largest magnitude, the most like first.
fn beside(matrix: &[f32], columns: usize, rows: &[u32]) -> Vec<u32> {
    let mut best = Best { channel: vec![rows.len() as i32; columns], score: vec![0.0; columns] };
    for (place, &row) in rows.iter().enumerate() {
        for (column, &value) in matrix[row as usize * columns..][..columns].iter().enumerate() {
            if value.abs() > best.score[column] {
                best.channel[column] = place as i32;
                best.score[column] = value.abs();
            }
        }
    }
    let mut order: Vec<u32> = (0..columns as u32).collect();
    let key = |column: u32| (best.channel[column as usize], -best.score[column as usize]);
    order.sort_by(|&a, &b| {
        let (a, b) = (key(a), key(b));
        a.0.cmp(&b.0).then(a.1.total_cmp(&b.1))
    });
    order
}

/// The leaves of the cluster tree: where two clusters join, they are turned so that their likest ends meet.
fn leaves(similarity: &[f32], count: usize) -> Vec<usize> {
    let at = |i: usize, j: usize| similarity[i * count + j];
    // Similarity of clusters, each at the index of its first leaf; the mean over pairs of leaves.
    let mut mean = similarity.to_vec();
    let mut members: Vec<Vec<usize>> = (0..count).map(|i| vec![i]).collect();
    let mut chain: Vec<usize> = Vec::new();
    for _ in 1..count {
        // Nearest neighbours are followed until two are each other's; what is left of the chain stays valid.
        let (a, b) = loop {
            if chain.is_empty() {
                // The cluster of leaf 0 has index 0 to the end.
                chain.push(0);
            }
            let (end, before) = (chain[chain.len() - 1], chain.len().checked_sub(2).map(|i| chain[i]));
            // Equals go to the one before, or the chain would never end; else to the first.
            let mut nearest = before;
            for other in (0..count).filter(|&other| other != end && !members[other].is_empty()) {
                if nearest.is_none_or(|nearest| mean[end * count + other] > mean[end * count + nearest]) {
                    nearest = Some(other);
                }
            }
            match nearest {
                Some(nearest) if Some(nearest) != before => chain.push(nearest),
                Some(nearest) => break (end.min(nearest), end.max(nearest)),
                None => return members.concat(),
            }
        };
        chain.pop();
        chain.pop();
        let (size_a, size_b) = (members[a].len() as f32, members[b].len() as f32);
        for other in 0..count {
            let joined =
                (size_a * mean[a * count + other] + size_b * mean[b * count + other]) / (size_a + size_b);
            mean[a * count + other] = joined;
            mean[other * count + a] = joined;
        }
        let (mut left, mut right) = (std::mem::take(&mut members[a]), std::mem::take(&mut members[b]));
        let ends = |leaves: &[usize]| (leaves[0], leaves[leaves.len() - 1]);
        let ((left_first, left_last), (right_first, right_last)) = (ends(&left), ends(&right));
        let meetings = [
            (at(left_last, right_first), false, false),
            (at(left_last, right_last), false, true),
            (at(left_first, right_first), true, false),
            (at(left_first, right_last), true, true),
        ];
        let best = meetings.iter().fold(meetings[0], |best, &next| if next.0 > best.0 { next } else { best });
        if best.1 {
            left.reverse();
        }
        if best.2 {
            right.reverse();
        }
        left.append(&mut right);
        members[a] = left;
    }
    members.concat()
}
