//! `nnn bias` and `nnn search` on the user's files.

use crate::failure::{Result, fail, fail_at};
use crate::files::{Vectors, read_column};
use crate::output::Output;
use crate::passes;
use crate::source::{FileRows, Source};
use crate::text::{machine, thousands};
use nnn::Element;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How rows are prepared and scored.
pub struct Scoring {
    pub normalize: bool,
    pub int8: bool,
    pub threads: usize,
}

pub struct Bias {
    pub gallery: PathBuf,
    pub bank: PathBuf,
    pub k: usize,
    pub alpha: f32,
    pub out: PathBuf,
    pub scoring: Scoring,
}

pub struct Search {
    pub gallery: PathBuf,
    pub queries: PathBuf,
    pub bias: Option<PathBuf>,
    pub k: usize,
    pub out_ids: PathBuf,
    pub out_scores: PathBuf,
    pub scoring: Scoring,
}

impl Bias {
    pub fn run(&self, out: &mut impl Write) -> Result<()> {
        let (gallery, bank) = (Vectors::open(&self.gallery)?, Vectors::open(&self.bank)?);
        gallery.same_dim(&bank)?;
        if self.k > bank.rows() {
            return fail_at(
                bank.path(),
                format!("has {} rows, fewer than k = {}; lower -k or give a larger bank", bank.rows(), self.k),
            );
        }
        let output = Output::new(&self.out, &[&self.gallery, &self.bank])?;

        let started = Instant::now();
        let normalize = self.scoring.normalize;
        let (gallery_rows, bank_rows) = (FileRows { vectors: &gallery, normalize }, FileRows { vectors: &bank, normalize });
        let bias = match self.scoring.int8 {
            true => self.pass::<i8>(&gallery_rows, &bank_rows),
            false => self.pass::<f32>(&gallery_rows, &bank_rows),
        }?;
        let time = started.elapsed();

        output.stage_npy(&[bias.len() as u64], bias.iter().copied())?.commit()?;
        let (low, high) = bias.iter().fold((f32::INFINITY, f32::NEG_INFINITY), |(low, high), &b| (low.min(b), high.max(b)));
        let mean = bias.iter().map(|&b| f64::from(b)).sum::<f64>() / bias.len() as f64;
        writeln!(out, "gallery {}, bank {}", gallery.describe(), bank.describe())?;
        writeln!(out, "{}: {} biases, mean {mean:.4}, {low:.4} to {high:.4}", self.out.display(), thousands(bias.len()))?;
        writeln!(out, "{}", speed(&self.scoring, [gallery.rows(), bank.rows(), gallery.dim()], time))?;
        Ok(())
    }

    fn pass<T: Element>(&self, gallery: &impl Source<T>, bank: &impl Source<T>) -> Result<Vec<f32>> {
        passes::bias(gallery, bank, self.k, self.alpha, self.scoring.threads)
    }
}

impl Search {
    pub fn run(&self, out: &mut impl Write) -> Result<()> {
        let (gallery, queries) = (Vectors::open(&self.gallery)?, Vectors::open(&self.queries)?);
        gallery.same_dim(&queries)?;
        let bias = self.bias.as_deref().map(|path| read_bias(path, &gallery)).transpose()?;
        let inputs: Vec<&Path> =
            [Some(&self.gallery), Some(&self.queries), self.bias.as_ref()].into_iter().flatten().map(PathBuf::as_path).collect();
        let (ids, scores) = (Output::new(&self.out_ids, &inputs)?, Output::new(&self.out_scores, &inputs)?);
        if ids.is(&scores) {
            return fail("--out-ids and --out-scores name the same file; choose two");
        }

        let started = Instant::now();
        let normalize = self.scoring.normalize;
        let (query_rows, gallery_rows) = (FileRows { vectors: &queries, normalize }, FileRows { vectors: &gallery, normalize });
        let bias = bias.as_deref();
        let hits = match self.scoring.int8 {
            true => passes::search::<i8>(&query_rows, &gallery_rows, bias, self.k, self.scoring.threads),
            false => passes::search::<f32>(&query_rows, &gallery_rows, bias, self.k, self.scoring.threads),
        }?;
        let time = started.elapsed();

        let shape = [queries.rows() as u64, hits.k as u64];
        let ids = ids.stage_npy(&shape, hits.hits.iter().map(|hit| hit.id))?;
        let scores = scores.stage_npy(&shape, hits.hits.iter().map(|hit| hit.score))?;
        ids.commit()?;
        scores.commit()?;
        writeln!(out, "gallery {}, queries {}", gallery.describe(), queries.describe())?;
        if hits.k < self.k {
            writeln!(out, "the gallery has {} rows: {} hits per query instead of {}", gallery.rows(), hits.k, self.k)?;
        }
        writeln!(
            out,
            "{}, {}: {} queries x {} hits",
            self.out_ids.display(),
            self.out_scores.display(),
            thousands(queries.rows()),
            hits.k
        )?;
        writeln!(out, "{}", speed(&self.scoring, [gallery.rows(), queries.rows(), gallery.dim()], time))?;
        Ok(())
    }
}

pub fn read_bias(path: &Path, gallery: &Vectors) -> Result<Vec<f32>> {
    let bias = read_column::<f32>(path, "biases", "<f4")?;
    if bias.len() != gallery.rows() {
        return fail_at(
            path,
            format!(
                "has {} biases, but {} has {} rows; make it from this gallery with `nnn bias`",
                bias.len(),
                gallery.path().display(),
                gallery.rows()
            ),
        );
    }
    match bias.iter().position(|b| !b.is_finite()) {
        Some(row) => fail_at(path, format!("row {row} (counted from 0) is {}; make it again with `nnn bias`", bias[row])),
        None => Ok(bias),
    }
}

/// A line about time and throughput; reading and conversion of the files included.
fn speed(scoring: &Scoring, sizes: [usize; 3], time: Duration) -> String {
    let unit = if scoring.int8 { "GOP/s" } else { "GFLOP/s" };
    let products: f64 = sizes.into_iter().map(|n| n as f64).product();
    let rate = 2.0 * products / time.as_secs_f64() / 1e9;
    format!("{:.2} s, {rate:.1} {unit}, {}", time.as_secs_f64(), machine(scoring.threads))
}
