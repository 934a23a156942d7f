//! Rankings that no bias per row expresses: debiasing that is gated per query (QBNorm, DualDIS), and dual softmax over a batch.
//!
//! Sources: dynamic inverted softmax: Bogolin et al., "Cross Modal Retrieval with Querybank Normalisation", CVPR 2022; DualDIS: Wang et
//! al. (DBNorm), EMNLP 2023; dual softmax: Cheng et al. (CAMoE), arXiv 2109.04290.
#![forbid(unsafe_code)]

use crate::bias::is_beta;
use crate::cpu::{self, Supported};
use crate::kernel;
use crate::matrix::{Element, Matrix};
use crate::search::{add_block, check_shape, check_values as check_queries, list_of, scan};
use crate::status::{Result, Status, ensure};
use crate::topk::{Hit, merge_batch};
use core::ops::Range;

/// Adds the gallery rows of hits to an activation set: the rows that are among the `n` best of at least one bank query.
///
/// `hits`, `found`: what [`search`](crate::search()) of bank queries for `k` plain hits gave. `set`: one bit per gallery row (bit `r % 64`
/// of word `r / 64`), zeroed before the first call; sets of bank shards are combined by `|`. Hits of gallery shards have to be merged
/// first. O(queries * n).
///
/// # Errors
/// `K` (k = 0; n = 0 or above k), `Overflow`, `Range` (`found` above k, an id outside of the `rows`), `Capacity` (`hits`, `set`).
pub fn activation_set(hits: &[Hit], found: &[u32], k: usize, n: usize, rows: usize, set: &mut [u64]) -> Result<()> {
    ensure(k > 0, Status::K, "k")?;
    ensure(n > 0 && n <= k, Status::K, "n")?;
    let lists = crate::eval::lists(hits, found, k, n)?;
    ensure(lists.clone().flatten().all(|hit| (hit.id as usize) < rows), Status::Range, "hits")?;
    ensure(set.len() >= rows.div_ceil(64), Status::Capacity, "set")?;
    for hit in lists.flatten() {
        if let Some(word) = set.get_mut(hit.id as usize / 64) {
            *word |= 1 << (hit.id % 64);
        }
    }
    Ok(())
}

/// A correction that applies to a query only if its best plain row is in the activation set.
#[derive(Clone, Copy, Debug)]
pub struct Gate<'a> {
    /// One bias per gallery row: the inverted softmax ([`LogSums::bias`](crate::LogSums::bias)), or any other.
    pub bias: &'a [f32],
    /// The `beta` of the bias: the weight of this factor beside another one. Of a single gate it changes nothing.
    pub beta: f32,
    /// One bit per gallery row: see [`activation_set`].
    pub active: &'a [u64],
}

impl Gate<'_> {
    fn is_open(&self, winner: u32) -> bool {
        winner != u32::MAX && self.active.get(winner as usize / 64).is_some_and(|word| word >> (winner % 64) & 1 == 1)
    }

    fn bias_of(&self, row: usize) -> f32 {
        self.bias.get(row).copied().unwrap_or(0.0)
    }
}

/// What of the gates applies to a query.
#[derive(Clone, Copy)]
enum Ranking<'a> {
    Plain,
    /// `score - bias`.
    Debiased(&'a Gate<'a>),
    /// Both factors of two.
    Both(&'a Gate<'a>, &'a Gate<'a>),
    /// One factor of two; the other is the plain score.
    Half(&'a Gate<'a>),
}

impl<'a> Ranking<'a> {
    fn new(gates: &'a [Gate<'a>], winner: u32) -> Ranking<'a> {
        match gates {
            [gate] if gate.is_open(winner) => Ranking::Debiased(gate),
            [a, b] => match (a.is_open(winner), b.is_open(winner)) {
                (true, true) => Ranking::Both(a, b),
                (true, false) => Ranking::Half(a),
                (false, true) => Ranking::Half(b),
                (false, false) => Ranking::Plain,
            },
            _ => Ranking::Plain,
        }
    }

    fn score(&self, score: f32, row: usize) -> f32 {
        match self {
            Ranking::Plain => score,
            Ranking::Debiased(gate) => score - gate.bias_of(row),
            Ranking::Both(a, b) => {
                let weighted = |gate: &Gate| f64::from(gate.beta) * f64::from(gate.bias_of(row));
                score - ((weighted(a) + weighted(b)) / (f64::from(a.beta) + f64::from(b.beta))) as f32
            }
            Ranking::Half(gate) => {
                let plain = libm::log(f64::from(score.max(f32::MIN_POSITIVE))) / f64::from(gate.beta);
                (f64::from(score) - f64::from(gate.bias_of(row)) + plain) as f32
            }
        }
    }
}

/// Checks of gates for `rows` gallery rows of which `range` is read.
fn check_capacity(gates: &[Gate], rows: usize) -> Result<()> {
    ensure(gates.iter().all(|gate| gate.bias.len() >= rows), Status::Capacity, "bias")?;
    ensure(gates.iter().all(|gate| gate.active.len() >= rows.div_ceil(64)), Status::Capacity, "active")
}

fn check_values(isa: Supported, gates: &[Gate], range: Range<usize>) -> Result<()> {
    let finite = |gate: &Gate| {
        let biases = gate.bias.get(range.clone()).unwrap_or_default();
        kernel::max_abs_bits(isa, biases) < f32::INFINITY.to_bits()
    };
    ensure(gates.iter().all(finite), Status::Value, "bias")?;
    ensure(gates.iter().all(|gate| is_beta(gate.beta)), Status::Value, "beta")
}

/// [`search`](crate::search()) with corrections that open per query: QBNorm's dynamic inverted softmax with one gate, DBNorm's DualDIS
/// with two (of a query bank and a gallery bank).
///
/// `winners[q]` is the best row of query `q` by plain scores over the whole gallery: the first hit of a plain search for k = 1, or
/// `u32::MAX` when it has none. A gate is open for the query if that row is in its activation set.
///
/// * One gate, open: `score - bias`; closed: the plain score.
/// * Two gates, both open: `score - (beta bias + beta' bias') / (beta + beta')`, that is DualIS; both closed: the plain score; one
///   open: `score - bias + ln(max(score, 2^-126)) / beta`, that is the logarithm over `beta` of the authors' product of the plain score
///   and the inverted softmax. The product ranks rows with negative scores by the wrong end; here rows whose score is not positive
///   come after the others, in the order of `score - bias` (to about 87 / beta * 2^-24, which f32 tells apart there).
///
/// Everything else is as in `search`; because winners come from outside, ranges and merges give the same bits as one call. Cost: that
/// of `search`, and with just one of two gates open a logarithm per row. The plain search for the winners is the caller's.
///
/// # Errors
/// As [`search`](crate::search()), and `Range` (not one or two gates, a winner that is no gallery row), `Capacity` (`winners`,
/// `active`), `Value` (`beta` not above 0).
#[allow(clippy::too_many_arguments)] // those of `search`
pub fn search_gated<T: Element>(
    queries: &Matrix<T>,
    gallery: &Matrix<T>,
    gates: &[Gate],
    winners: &[u32],
    allow: Option<&[u64]>,
    k: usize,
    rows: Range<usize>,
    scratch: &mut [u8],
    hits: &mut [Hit],
    found: &mut [u32],
) -> Result<()> {
    let isa = cpu::active();
    let legal = |winner: &u32| *winner == u32::MAX || (*winner as usize) < gallery.rows();
    let span = check_shape(queries, gallery, None, allow, k, &rows, hits, found)?;
    ensure(gates.len() == 1 || gates.len() == 2, Status::Range, "gates")?;
    ensure(winners.iter().take(queries.rows()).all(legal), Status::Range, "winners")?;
    ensure(winners.len() >= queries.rows(), Status::Capacity, "winners")?;
    check_capacity(gates, gallery.rows())?;
    check_queries(isa, queries, None, &rows)?;
    check_values(isa, gates, rows)?;

    found.get_mut(..queries.rows()).unwrap_or_default().fill(0);
    scan(isa, queries, gallery, span, allow, scratch, |q, block, scores| {
        let (Some((best, count)), Some(winner)) = (list_of(hits, found, q, k), winners.get(q)) else { return };
        match Ranking::new(gates, *winner) {
            Ranking::Plain => {}
            Ranking::Debiased(gate) => {
                kernel::debias(isa, scores, gate.bias.get(block.first..), f32::INFINITY);
            }
            ranking => {
                for (row, score) in (block.first..).zip(scores.iter_mut()) {
                    *score = ranking.score(*score, row);
                }
            }
        }
        add_block(isa, best, count, block, scores, allow);
    });
    Ok(())
}

/// [`rerank`](crate::rerank) with corrections that open per query, as in [`search_gated`]; the winner is the best of the candidates.
///
/// `rows`: of the gallery. O(len * k) at worst, O(len) for candidates that mostly do not rank.
///
/// # Errors
/// `K` (k = 0), `Range` (not one or two gates, an id outside of the rows), `Capacity` (`bias`, `active`, `hits` shorter than min(k,
/// candidates)), `Value` (NaN or infinity in a candidate's score or a bias; `beta` not above 0).
pub fn rerank_gated(candidates: &[Hit], gates: &[Gate], rows: usize, k: usize, hits: &mut [Hit], found: &mut u32) -> Result<()> {
    ensure(k > 0, Status::K, "k")?;
    ensure(candidates.iter().all(|hit| (hit.id as usize) < rows), Status::Range, "candidates")?;
    ensure(gates.len() == 1 || gates.len() == 2, Status::Range, "gates")?;
    check_capacity(gates, rows)?;
    ensure(hits.len() >= k.min(candidates.len()), Status::Capacity, "hits")?;
    ensure(candidates.iter().all(|hit| hit.score.is_finite()), Status::Value, "candidates")?;
    check_values(cpu::active(), gates, 0..rows)?;
    let winner = candidates.iter().min_by(|a, b| a.order(b)).map_or(u32::MAX, |hit| hit.id);
    let ranking = Ranking::new(gates, winner);
    *found = rank(candidates, k, hits, |hit| ranking.score(hit.score, hit.id as usize));
    Ok(())
}

/// The k best candidates by another score.
fn rank(candidates: &[Hit], k: usize, hits: &mut [Hit], score: impl Fn(&Hit) -> f32) -> u32 {
    let best = hits.get_mut(..k.min(candidates.len())).unwrap_or_default();
    let mut count = 0;
    for candidate in candidates {
        let hit = Hit { score: score(candidate) + 0.0, id: candidate.id };
        if hit.score.is_finite() {
            count = merge_batch(best, count, &[hit]);
        }
    }
    count as u32
}

/// Dual softmax (DSL) over a batch of live queries: reranks one query's candidates by `score * softmax over the batch * queries`, in
/// the log domain.
///
/// `bias`, `beta`: the inverted softmax of every gallery row with **the live batch itself as the bank**, `beta` the inverse of the
/// temperature: [`LogSums`](crate::LogSums) updated with the queries, then `bias`. `queries`: how many they are. The new score is
/// `score - bias + ln(max(score, 2^-126) * queries) / beta`, that is `1 / beta` times the logarithm of the authors' product
/// `score * e^(beta * (score - bias)) * queries`, which no `beta` underflows. The product ranks negative scores by the wrong end; here
/// a score that is not positive counts as 2^-126, and such rows are in the order of `score - bias`.
///
/// **Transductive**: each query's ranking depends on the other queries of the batch. Figures obtained with it do not compare with
/// those of methods that see one query at a time, a batch of one changes nothing but the scale, and a service that answers queries
/// as they come cannot use it; the inverted softmax over a bank can.
///
/// # Errors
/// `K` (k = 0; `queries` = 0), `Range` (an id outside of `bias`), `Capacity` (`hits`), `Value` (NaN or infinity in a candidate's score
/// or its bias; `beta` not above 0).
pub fn dual_softmax(
    candidates: &[Hit],
    bias: &[f32],
    beta: f32,
    queries: usize,
    k: usize,
    hits: &mut [Hit],
    found: &mut u32,
) -> Result<()> {
    ensure(k > 0, Status::K, "k")?;
    ensure(queries > 0, Status::K, "queries")?;
    ensure(candidates.iter().all(|hit| (hit.id as usize) < bias.len()), Status::Range, "candidates")?;
    ensure(hits.len() >= k.min(candidates.len()), Status::Capacity, "hits")?;
    ensure(candidates.iter().all(|hit| hit.score.is_finite()), Status::Value, "candidates")?;
    let bias_of = |hit: &Hit| bias.get(hit.id as usize).copied().unwrap_or(0.0);
    ensure(candidates.iter().all(|hit| bias_of(hit).is_finite()), Status::Value, "bias")?;
    ensure(is_beta(beta), Status::Value, "beta")?;
    let constant = libm::log(queries as f64);
    *found = rank(candidates, k, hits, |hit| {
        let log = libm::log(f64::from(hit.score.max(f32::MIN_POSITIVE))) + constant;
        (f64::from(hit.score) - f64::from(bias_of(hit)) + log / f64::from(beta)) as f32
    });
    Ok(())
}
