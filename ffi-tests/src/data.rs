//! Reproducible data, and the turn through the instruction sets.

use nnn::{Element, Isa, Matrix};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

/// Runs `test` once on every instruction set of this machine. The choice is process-wide, so such tests of one binary run one after
/// the other; a test that looks at f32 bits must be inside, lest another one changes the choice under it.
///
/// `NNN_TEST_ISAS` names some of them instead, for runs on several emulated processors that share the work.
pub fn for_each_isa(mut test: impl FnMut(Isa)) {
    static CHOICE: Mutex<()> = Mutex::new(());
    let _one_at_a_time = CHOICE.lock().unwrap_or_else(PoisonError::into_inner);
    let mut isas: Vec<Isa> = Isa::available().collect();
    if let Ok(names) = std::env::var("NNN_TEST_ISAS") {
        isas.retain(|isa| names.split_whitespace().any(|name| name == isa.name()));
        assert_eq!(isas.len(), names.split_whitespace().count(), "NNN_TEST_ISAS names a set that is not there: {names}");
    }
    for isa in isas {
        Isa::select(Some(isa)).unwrap();
        test(isa);
    }
    Isa::select(None).unwrap();
}

/// A reproducible stream of numbers (splitmix64).
pub struct Random(pub u64);

impl Random {
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ self.0 >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ z >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ z >> 31
    }

    pub fn below(&mut self, n: usize) -> usize {
        (self.bits() % n as u64) as usize
    }

    /// Any of the 256 codes.
    pub fn code(&mut self) -> i8 {
        self.bits() as i8
    }

    /// In [-1, 1), a multiple of 2^-23.
    pub fn float(&mut self) -> f32 {
        (self.bits() >> 40) as f32 * 2f32.powi(-23) - 1.0
    }

    /// Like [`float`](Self::float), with a magnitude anywhere between 2^-20 and 2^20.
    pub fn wide_float(&mut self) -> f32 {
        self.float() * 2f32.powi(self.below(41) as i32 - 20)
    }

    /// A small integer in [-8, 8]. Sums of products of a few hundred of them are exact in f32, so every instruction set gives the
    /// same bits, and many scores are tied.
    pub fn small(&mut self) -> f32 {
        self.below(17) as f32 - 8.0
    }

    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for i in (1..items.len()).rev() {
            items.swap(i, self.below(i + 1));
        }
    }

    /// Cuts `0..n` into `parts` ranges, some of them empty.
    pub fn cuts(&mut self, n: usize, parts: usize) -> Vec<std::ops::Range<usize>> {
        let mut at: Vec<usize> = (1..parts).map(|_| self.below(n + 1)).chain([0, n]).collect();
        at.sort_unstable();
        at.windows(2).map(|w| w[0]..w[1]).collect()
    }
}

/// A matrix that owns its memory; what lies between the rows is NaN, so that it shows when it is read.
#[derive(Clone, Debug)]
pub struct Rows {
    pub data: Vec<f32>,
    pub rows: usize,
    pub dim: usize,
    pub stride: usize,
}

impl Rows {
    pub fn new(rows: usize, dim: usize, stride: usize, mut value: impl FnMut(usize, usize) -> f32) -> Rows {
        let mut data = vec![f32::NAN; rows * stride];
        for (i, row) in data.chunks_mut(stride).enumerate() {
            row.iter_mut().take(dim).enumerate().for_each(|(j, x)| *x = value(i, j));
        }
        Rows { data, rows, dim, stride }
    }

    pub fn random(random: &mut Random, rows: usize, dim: usize) -> Rows {
        let gap = random.below(4);
        Rows::new(rows, dim, dim + gap, |_, _| random.float())
    }

    pub fn small(random: &mut Random, rows: usize, dim: usize) -> Rows {
        let gap = random.below(4);
        Rows::new(rows, dim, dim + gap, |_, _| random.small())
    }

    pub fn row(&self, i: usize) -> &[f32] {
        &self.data[i * self.stride..][..self.dim]
    }

    pub fn view(&self) -> Matrix<'_, f32> {
        Matrix::with_stride(&self.data, self.rows, self.dim, self.stride).unwrap()
    }

    /// The rows of a range as a matrix of their own.
    pub fn part(&self, rows: std::ops::Range<usize>) -> Matrix<'_, f32> {
        Matrix::with_stride(&self.data[rows.start * self.stride..], rows.len(), self.dim, self.stride).unwrap()
    }

    /// The rows in another order, or some of them.
    pub fn select(&self, order: &[usize]) -> Rows {
        Rows::new(order.len(), self.dim, self.stride, |i, j| self.row(order[i])[j])
    }

    pub fn map(&self, f: impl Fn(f32) -> f32) -> Rows {
        Rows::new(self.rows, self.dim, self.stride, |i, j| f(self.row(i)[j]))
    }
}

/// A matrix of codes that owns its memory.
#[derive(Clone, Debug)]
pub struct CodeRows {
    pub data: Vec<i8>,
    pub scale: Vec<f32>,
    pub rows: usize,
    pub dim: usize,
    pub stride: usize,
}

impl CodeRows {
    pub fn new(rows: usize, dim: usize, stride: usize, mut value: impl FnMut(usize, usize) -> i8) -> CodeRows {
        let mut data = vec![99i8; rows * stride];
        for (i, row) in data.chunks_mut(stride).enumerate() {
            row.iter_mut().take(dim).enumerate().for_each(|(j, x)| *x = value(i, j));
        }
        CodeRows { data, scale: vec![1.0; rows], rows, dim, stride }
    }

    /// Any codes, and scales in (0, 1].
    pub fn random(random: &mut Random, rows: usize, dim: usize) -> CodeRows {
        let gap = random.below(4);
        let scale = (0..rows).map(|_| 1.0 - random.float().abs()).collect();
        CodeRows { scale, ..CodeRows::new(rows, dim, dim + gap, |_, _| random.code()) }
    }

    pub fn row(&self, i: usize) -> &[i8] {
        &self.data[i * self.stride..][..self.dim]
    }

    pub fn view(&self) -> Matrix<'_, i8> {
        self.part(0..self.rows)
    }

    /// The rows of a range as a matrix of their own.
    pub fn part(&self, rows: std::ops::Range<usize>) -> Matrix<'_, i8> {
        let data = &self.data[rows.start * self.stride..];
        Matrix::with_stride(data, rows.len(), self.dim, self.stride).unwrap().with_scale(&self.scale[rows.start..]).unwrap()
    }
}

/// A matrix that can be cut into row ranges, whatever its element type.
pub trait Parts {
    type Element: Element;
    fn count(&self) -> usize;
    fn of(&self, rows: std::ops::Range<usize>) -> Matrix<'_, Self::Element>;
}

impl Parts for Rows {
    type Element = f32;
    fn count(&self) -> usize {
        self.rows
    }
    fn of(&self, rows: std::ops::Range<usize>) -> Matrix<'_, f32> {
        self.part(rows)
    }
}

impl Parts for CodeRows {
    type Element = i8;
    fn count(&self) -> usize {
        self.rows
    }
    fn of(&self, rows: std::ops::Range<usize>) -> Matrix<'_, i8> {
        self.part(rows)
    }
}

/// The header and the body of a small .npy file.
fn npy(path: &Path) -> (String, Vec<u8>) {
    let bytes = std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let start = 10 + usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
    (String::from_utf8_lossy(&bytes[10..start]).into_owned(), bytes[start..].to_vec())
}

/// An f16 matrix of an .npy file as f32, and its dim.
pub fn npy_halves(path: &Path) -> (Vec<f32>, usize) {
    let (header, body) = npy(path);
    assert!(header.contains("'<f2'"), "{header}");
    let half = |b: &[u8; 2]| {
        let bits = u16::from_le_bytes(*b);
        let (sign, exponent, digits) = (bits >> 15, i32::from(bits >> 10 & 31), f32::from(bits & 1023));
        let value = if exponent == 0 { digits * 2f32.powi(-24) } else { (1024.0 + digits) * 2f32.powi(exponent - 25) };
        if sign == 1 { -value } else { value }
    };
    let dim = header.rsplit(", ").find_map(|part| part.split(')').next()?.trim().parse().ok());
    (body.as_chunks::<2>().0.iter().map(half).collect(), dim.unwrap_or_else(|| panic!("no dim: {header}")))
}

/// Row numbers of an .npy file of int32.
pub fn npy_ids(path: &Path) -> Vec<u32> {
    let (header, body) = npy(path);
    assert!(header.contains("'<i4'"), "{header}");
    body.as_chunks::<4>().0.iter().map(|b| u32::from_le_bytes(*b)).collect()
}
