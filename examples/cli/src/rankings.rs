//! Rankings of queries, shared out among threads: exact ranks under many biases, gated corrections, dual softmax; and what is said
//! about ranks.

use crate::answers::Answers;
use crate::failure::Result;
use crate::passes::Hits;
use crate::source::Whole;
use crate::work::{Progress, for_each, lock, part_rows};
use nnn::{Gate, Hit, Interval, Matrix};
use std::ops::Range;
use std::sync::Mutex;

/// Depths of recall.
pub const DEPTHS: [usize; 3] = [1, 5, 10];

/// Most queries of a part.
const PART_QUERIES: usize = 256;

/// The ranks of the answers without a bias and under each of several: run `i` of `queries` ranks each, plain first. `biases`: one
/// after the other.
pub fn ranks(queries: &Whole, gallery: &Whole, biases: &[f32], answers: &Answers, threads: usize) -> Result<Vec<u32>> {
    let (total, rows) = (queries.rows(), gallery.rows());
    let runs = 1 + biases.len() / rows;
    let (matrix, part) = (gallery.matrix()?, part_rows(total, threads, PART_QUERIES));
    let ranks = Mutex::new(vec![0; runs * total]);
    let progress = Progress::new("ranks", total as u64);
    let state = || (vec![0u8; nnn::ranks_scratch(runs - 1)], vec![0u32; runs * part]);
    for_each(threads, total.div_ceil(part), state, |(scratch, own), item| {
        let range = item * part..total.min((item + 1) * part);
        let count = range.len();
        let positives = answers.range(range.clone())?;
        nnn::ranks(&queries.range(range.clone())?, &matrix, biases, &positives, scratch, own)?;
        let mut ranks = lock(&ranks);
        for (run, own) in ranks.chunks_exact_mut(total).zip(own.chunks_exact(count)) {
            run[range.clone()].copy_from_slice(own);
        }
        progress.add(count as u64);
        Ok(())
    })?;
    Ok(ranks.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner))
}

/// The `k` best rows of every query with corrections that open per query; `winners`: the best plain row of each.
pub fn gated(queries: &Whole, gallery: &Whole, gates: &[Gate], winners: &[u32], k: usize, threads: usize) -> Result<Hits> {
    let matrix = gallery.matrix()?;
    by_query("gated search", queries, gallery, k, threads, |part, range, hits, found, k| {
        let mut scratch = vec![0; nnn::search_scratch(range.len(), k, gallery.dim())];
        Ok(nnn::search_gated(part, &matrix, gates, &winners[range], None, k, 0..gallery.rows(), &mut scratch, hits, found)?)
    })
}

/// The `k` best rows of every query by dual softmax over all of them; `bias`: the inverted softmax with the queries as the bank.
pub fn dual_softmax(queries: &Whole, gallery: &Whole, bias: &[f32], beta: f32, k: usize, threads: usize) -> Result<Hits> {
    /// Queries whose scores are held together.
    const GROUP: usize = 16;
    let (matrix, rows) = (gallery.matrix()?, gallery.rows());
    by_query("dual softmax", queries, gallery, k, threads, |_, range, hits, found, k| {
        let mut scores = vec![0.0; GROUP.min(range.len()) * rows];
        let mut candidates = Vec::with_capacity(rows);
        let mut lists = hits.chunks_exact_mut(k).zip(found);
        for first in range.clone().step_by(GROUP) {
            let group = first..range.end.min(first + GROUP);
            let count = group.len();
            nnn::scores(&queries.range(group)?, &matrix, 0..rows, &mut scores, rows)?;
            for (scores, (hits, found)) in scores.chunks_exact(rows).take(count).zip(&mut lists) {
                candidates.clear();
                candidates.extend((0..).zip(scores).filter(|(_, score)| score.is_finite()).map(|(id, &score)| Hit { score, id }));
                nnn::dual_softmax(&candidates, bias, beta, queries.rows(), k, hits, found)?;
            }
        }
        Ok(())
    })
}

fn by_query(
    label: &'static str,
    queries: &Whole,
    gallery: &Whole,
    k: usize,
    threads: usize,
    step: impl Fn(&Matrix<f32>, Range<usize>, &mut [Hit], &mut [u32], usize) -> Result<()> + Sync,
) -> Result<Hits> {
    let (total, k) = (queries.rows(), k.min(gallery.rows()));
    let mut all = Hits::empty(total, k)?;
    let part = part_rows(total, threads, PART_QUERIES);
    let outputs: Vec<_> = all.hits.chunks_mut(part * k).zip(all.found.chunks_mut(part)).map(Mutex::new).collect();
    let progress = Progress::new(label, total as u64);
    for_each(
        threads,
        outputs.len(),
        || (),
        |(), item| {
            let range = item * part..total.min((item + 1) * part);
            let mut output = lock(&outputs[item]);
            let (hits, found) = &mut *output;
            step(&queries.range(range.clone())?, range.clone(), hits, found, k)?;
            progress.add(range.len() as u64);
            Ok(())
        },
    )?;
    drop(outputs);
    Ok(all)
}

/// The first hit of every query; of one without hits, no row.
pub fn winners(hits: &Hits) -> Vec<u32> {
    hits.queries().map(|hits| hits.first().map_or(u32::MAX, |hit| hit.id)).collect()
}

/// Recall at [`DEPTHS`], in percent.
pub fn recalls(ranks: &[u32]) -> Result<[f64; 3]> {
    let mut recalls = [0.0; 3];
    for (recall, depth) in recalls.iter_mut().zip(DEPTHS) {
        *recall = 100.0 * nnn::recall(ranks, depth)?;
    }
    Ok(recalls)
}

/// How sure a gain has to be, and how that is computed.
#[derive(Clone, Copy, clap::Args)]
pub struct Confidence {
    /// Level of the confidence intervals, in percent
    #[arg(long, value_name = "PERCENT", default_value_t = 95.0, value_parser = parse_level)]
    confidence: f64,
    /// Resamples of the bootstrap
    #[arg(long, value_name = "N", default_value = "2000")]
    resamples: std::num::NonZeroU32,
    /// Seed of everything random: the same seed, the same figures
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub seed: u64,
}

impl Confidence {
    pub fn percent(&self) -> f64 {
        self.confidence
    }

    /// The gain in R@1 from `before` to `after`, in points.
    pub fn gain(&self, before: &[u32], after: &[u32]) -> Result<Interval> {
        let mut work = vec![0; self.resamples.get() as usize];
        Ok(points(nnn::bootstrap(before, after, 1, self.confidence / 100.0, self.seed, &mut work)?))
    }

    /// The choice by R@1 among the biases whose ranks follow the plain ones; its gain in points.
    pub fn choose(&self, ranks: &[u32], queries: usize) -> Result<nnn::Choice> {
        let mut work = vec![0; self.resamples.get() as usize];
        let choice = nnn::choose(ranks, queries, 1, self.confidence / 100.0, self.seed, &mut work)?;
        Ok(nnn::Choice { gain: points(choice.gain), ..choice })
    }
}

fn points(Interval { gain, low, high }: Interval) -> Interval {
    Interval { gain: 100.0 * gain, low: 100.0 * low, high: 100.0 * high }
}

/// +2.95 [+1.88, +4.08]
pub fn show_gain(gain: &Interval) -> String {
    format!("{:+.2} [{:+.2}, {:+.2}]", gain.gain, gain.low, gain.high)
}

fn parse_level(text: &str) -> std::result::Result<f64, String> {
    match text.parse::<f64>() {
        Ok(level) if level > 0.0 && level < 100.0 => Ok(level),
        _ => Err("it must lie between 0 and 100, such as 95".to_owned()),
    }
}
