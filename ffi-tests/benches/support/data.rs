//! Seeded random vectors and their codes.

use nnn::{Bound, Encoded, Matrix, Side};

/// Numbers in [-0.5, 0.5), by xorshift.
pub fn uniform(n: usize, seed: u64) -> Vec<f32> {
    let mut state = seed | 1;
    let mut next = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as f32 / (1u64 << 24) as f32 - 0.5
    };
    (0..n).map(|_| next()).collect()
}

/// Rows of unit length, as f32 and as int8 codes.
pub struct Rows {
    pub f32: Vec<f32>,
    pub codes: Vec<i8>,
    pub scale: Vec<f32>,
    pub bounds: Vec<Bound>,
    pub rows: usize,
    pub dim: usize,
}

impl Rows {
    pub fn new(rows: usize, dim: usize, seed: u64) -> Rows {
        let mut f32 = uniform(rows * dim, seed);
        nnn::normalize_in_place(&mut f32, rows, dim, dim).expect("finite rows");
        Rows::encode(f32, dim, None, Side::Gallery)
    }

    /// Rows of unit length as they are, encoded with a rotation.
    pub fn encode(f32: Vec<f32>, dim: usize, mean: Option<&[f32]>, side: Side) -> Rows {
        let rows = f32.len() / dim;
        let (mut codes, mut scale, mut bounds) = (vec![0; rows * dim], vec![0.0; rows], vec![Bound::default(); rows]);
        let view = Matrix::new(&f32, rows, dim).expect("a valid shape");
        nnn::encode(&view, mean, side, 1, &mut vec![0.0; dim], &mut codes, dim, &mut scale, &mut bounds).expect("finite rows");
        Rows { f32, codes, scale, bounds, rows, dim }
    }

    pub fn encoded(&self) -> Encoded<'_> {
        Encoded::new(self.view(), self.view_i8(), &self.bounds).expect("a valid shape")
    }

    pub fn view(&self) -> Matrix<'_, f32> {
        Matrix::new(&self.f32, self.rows, self.dim).expect("a valid shape")
    }

    pub fn view_i8(&self) -> Matrix<'_, i8> {
        Matrix::new(&self.codes, self.rows, self.dim).and_then(|m| m.with_scale(&self.scale)).expect("a valid shape")
    }
}
