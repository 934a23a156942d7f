//! The golden vectors of `golden/` (see its README).

use crate::reference::dot_f64;
use nnn::Matrix;

pub const DIM: usize = 128;
pub const GALLERY: usize = 500;
pub const BANK: usize = 2000;
pub const QUERIES: usize = 400;

/// The body of an .npy file of that element type and length.
fn body<const WIDTH: usize>(name: &str, descr: &str, len: usize) -> Vec<[u8; WIDTH]> {
    let path = format!("{}/golden/{name}.npy", env!("CARGO_MANIFEST_DIR"));
    let bytes = std::fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    assert_eq!(&bytes[..8], b"\x93NUMPY\x01\x00", "{path}");
    let (header, body) = bytes[10..].split_at(u16::from_le_bytes([bytes[8], bytes[9]]).into());
    let header = std::str::from_utf8(header).unwrap();
    assert!(header.contains(descr) && header.contains("'fortran_order': False"), "{path}: {header}");
    let (items, rest) = body.as_chunks::<WIDTH>();
    assert_eq!((items.len(), rest.len()), (len, 0), "{path}");
    items.to_vec()
}

pub fn floats(name: &str, len: usize) -> Vec<f32> {
    body(name, "'<f4'", len).into_iter().map(f32::from_le_bytes).collect()
}

pub fn doubles(name: &str, len: usize) -> Vec<f64> {
    body(name, "'<f8'", len).into_iter().map(f64::from_le_bytes).collect()
}

pub fn indices(name: &str, len: usize) -> Vec<usize> {
    body(name, "'<i8'", len).into_iter().map(|x| i64::from_le_bytes(x).try_into().unwrap()).collect()
}

/// Its three matrices, row by row.
pub struct Golden {
    pub gallery: Vec<f32>,
    pub bank: Vec<f32>,
    pub queries: Vec<f32>,
}

impl Golden {
    pub fn load() -> Golden {
        Golden {
            gallery: floats("candidates", GALLERY * DIM),
            bank: floats("reference_queries", BANK * DIM),
            queries: floats("test_queries", QUERIES * DIM),
        }
    }

    pub fn views(&self) -> [Matrix<'_, f32>; 3] {
        let view = |data, rows| Matrix::new(data, rows, DIM).unwrap();
        [view(&self.gallery, GALLERY), view(&self.bank, BANK), view(&self.queries, QUERIES)]
    }

    /// The exact plain score of a query and a gallery row.
    pub fn score(&self, query: usize, row: usize) -> f64 {
        dot_f64(&self.queries[query * DIM..][..DIM], &self.gallery[row * DIM..][..DIM])
    }
}
