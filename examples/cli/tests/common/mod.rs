//! What the tests share: running the program, a folder of its own for each test, files in every format.
#![allow(dead_code)] // each test program uses a part

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Runs `nnn` in a folder.
pub fn nnn(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_nnn")).current_dir(folder).args(arguments).output().unwrap()
}

/// Runs `nnn`, which must succeed; returns what it printed.
pub fn run(folder: &Path, arguments: &[&str]) -> String {
    let output = nnn(folder, arguments);
    let errors = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "nnn {arguments:?} failed: {errors}");
    assert_eq!(errors, "", "no progress bar or message without a terminal");
    String::from_utf8(output.stdout).unwrap()
}

/// Runs `nnn`, which must fail with status 1 and one line; returns the line.
pub fn run_failing(folder: &Path, arguments: &[&str]) -> String {
    let output = nnn(folder, arguments);
    let errors = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "nnn {arguments:?}: {errors}");
    assert_eq!(errors.lines().count(), 1, "{errors}");
    errors
}

/// Runs a line of words, which must succeed.
pub fn words(folder: &Folder, line: &str) -> String {
    run(folder.path(), &line.split_whitespace().collect::<Vec<_>>())
}

/// Runs a line of words, which must fail with a message that holds all of `parts`, and must not write anything.
pub fn refused(folder: &Folder, line: &str, parts: &[&str]) {
    let before = folder.names();
    let message = run_failing(folder.path(), &line.split_whitespace().collect::<Vec<_>>());
    for part in parts {
        assert!(message.contains(part), "{line}: {part:?} is not in {message:?}");
    }
    assert_eq!(folder.names(), before, "{message}");
}

/// A folder that is removed with all it holds.
pub struct Folder(PathBuf);

impl Folder {
    /// An empty folder; `name` must be unique among the tests.
    pub fn new(name: &str) -> Self {
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap();
        Folder(path)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    pub fn write(&self, name: &str, bytes: &[u8]) {
        std::fs::write(self.0.join(name), bytes).unwrap();
    }

    pub fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.0.join(name)).unwrap()
    }

    /// Names of all files, hidden ones too, sorted.
    pub fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(&self.0).unwrap();
        let mut names: Vec<String> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Vectors of a test: multiples of 1/64 below 1 in magnitude, which f16 holds exactly.
pub struct Rows {
    pub rows: usize,
    pub dim: usize,
    pub data: Vec<f32>,
}

impl Rows {
    pub fn random(rows: usize, dim: usize, seed: u64) -> Self {
        let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
        let mut next = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 40) as i32 % 64
        };
        Rows { rows, dim, data: (0..rows * dim).map(|_| next() as f32 / 64.0 - 0.3125).collect() }
    }

    pub fn row(&self, i: usize) -> &[f32] {
        &self.data[i * self.dim..(i + 1) * self.dim]
    }

    pub fn npy(&self) -> Vec<u8> {
        npy("<f4", false, &[self.rows, self.dim], &self.f32_bytes())
    }

    pub fn npy_f16(&self) -> Vec<u8> {
        let bytes: Vec<u8> = self.data.iter().flat_map(|x| half::f16::from_f32(*x).to_le_bytes()).collect();
        npy("<f2", false, &[self.rows, self.dim], &bytes)
    }

    pub fn fvecs(&self) -> Vec<u8> {
        let row = |i| [&(self.dim as u32).to_le_bytes()[..], &le_bytes(self.row(i))].concat();
        (0..self.rows).flat_map(row).collect()
    }

    pub fn fbin(&self) -> Vec<u8> {
        [&(self.rows as u32).to_le_bytes()[..], &(self.dim as u32).to_le_bytes(), &self.f32_bytes()].concat()
    }

    fn f32_bytes(&self) -> Vec<u8> {
        le_bytes(&self.data)
    }
}

pub fn le_bytes(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|x| x.to_le_bytes()).collect()
}

/// A `.npy` file, version 1, written by hand so that the tests do not depend on the library under test.
pub fn npy(dtype: &str, fortran: bool, shape: &[usize], data: &[u8]) -> Vec<u8> {
    let shape: String = shape.iter().map(|n| format!("{n}, ")).collect();
    let order = if fortran { "True" } else { "False" };
    let mut header = format!("{{'descr': '{dtype}', 'fortran_order': {order}, 'shape': ({shape}), }}");
    while (10 + header.len() + 1) % 64 != 0 {
        header.push(' ');
    }
    header.push('\n');
    [b"\x93NUMPY\x01\x00", &(header.len() as u16).to_le_bytes()[..], header.as_bytes(), data].concat()
}

/// The header text and the four-byte elements of a `.npy` file.
pub fn parse_npy(file: &[u8]) -> (String, Vec<[u8; 4]>) {
    assert_eq!(&file[..6], b"\x93NUMPY");
    let end = 10 + u16::from_le_bytes([file[8], file[9]]) as usize;
    let (elements, rest) = file[end..].as_chunks::<4>();
    assert!(rest.is_empty());
    (String::from_utf8(file[10..end].to_vec()).unwrap(), elements.to_vec())
}
