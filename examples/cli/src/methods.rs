//! Every correction of the family on one set, measured the same way.

use crate::answers::Answers;
use crate::failure::Result;
use crate::family::{self, log_sums};
use crate::passes::{self, Hits};
use crate::rankings::{self, DEPTHS};
use crate::source::Whole;
use nnn::{Gate, Hubness};
use std::num::NonZeroUsize;
use std::time::{Duration, Instant};

/// Hits that are counted for the k-occurrence.
pub const DEPTH: usize = DEPTHS[2];

/// The longest lists that are made of methods that are no bias per row; an answer below has no rank.
pub const DEEPEST: usize = 1000;

/// The parameters of the methods; the defaults are those of the papers and of their code.
#[derive(Clone, clap::Args)]
pub struct Parameters {
    /// NNN: neighbours in the bank that a bias averages
    #[arg(short, long, default_value = "16")]
    pub k: NonZeroUsize,
    /// NNN: strength of the bias
    #[arg(long, default_value_t = 0.75, value_parser = crate::parse_alpha, allow_negative_numbers = true)]
    pub alpha: f32,
    /// CSLS: neighbours in the bank
    #[arg(long, value_name = "K", default_value = "10")]
    pub csls_k: NonZeroUsize,
    /// DN: strength of the mean
    #[arg(long, default_value_t = 0.5, value_parser = crate::parse_alpha, allow_negative_numbers = true)]
    pub lambda: f32,
    /// Inverted softmax, QBNorm: inverse temperature
    #[arg(long, default_value_t = 20.0, value_parser = parse_positive, allow_negative_numbers = true)]
    pub beta: f32,
    /// QBNorm, DualDIS: hits of each bank row that are activated
    #[arg(long, value_name = "N", default_value = "1")]
    pub activated: NonZeroUsize,
    /// DualIS, DualDIS: inverse temperature of the query bank
    #[arg(long, value_name = "BETA", default_value_t = 50.0, value_parser = parse_positive, allow_negative_numbers = true)]
    pub dual_query_beta: f32,
    /// DualIS, DualDIS: inverse temperature of the gallery bank
    #[arg(long, value_name = "BETA", default_value_t = 1.0, value_parser = parse_positive, allow_negative_numbers = true)]
    pub dual_gallery_beta: f32,
    /// SN, DBSN: temperature
    #[arg(long, default_value_t = 0.01, value_parser = parse_positive, allow_negative_numbers = true)]
    pub tau: f32,
    /// SN, DBSN: iterations, two bank passes each
    #[arg(long, value_name = "N", default_value = "10")]
    pub iterations: NonZeroUsize,
    /// Dual softmax: inverse temperature
    #[arg(long, value_name = "BETA", default_value_t = 100.0, value_parser = parse_positive, allow_negative_numbers = true)]
    pub dsl_beta: f32,
}

/// A method's result.
pub struct Run {
    pub name: &'static str,
    pub parameters: Vec<(&'static str, f64)>,
    /// The rank of each query's best answer.
    pub ranks: Vec<u32>,
    pub hubness: Hubness,
    /// Time of all that is done once for a gallery and a bank, and of the search.
    pub bank_time: Duration,
    pub search_time: Duration,
    /// Whether a query's ranking depends on the other queries.
    pub transductive: bool,
}

/// What a method needs and what came out, before the ranks.
struct Bias {
    name: &'static str,
    parameters: Vec<(&'static str, f64)>,
    bias: Vec<f32>,
    time: Duration,
}

/// The problem: gallery, banks, queries, answers.
pub struct Problem<'a> {
    pub gallery: Whole<'a>,
    pub bank: Whole<'a>,
    /// For the methods with two banks; without one they use the gallery itself.
    pub gallery_bank: Option<Whole<'a>>,
    pub queries: Whole<'a>,
    pub answers: &'a Answers,
    pub threads: usize,
}

/// Runs all methods, plain search first.
pub fn run_all(problem: &Problem, p: &Parameters) -> Result<Vec<Run>> {
    let Problem { gallery, bank, gallery_bank, queries, answers, threads, .. } = problem;
    let threads = *threads;
    let mut biases = Vec::new();
    let mut add = |name, parameters: &[(&'static str, f64)], make: &dyn Fn() -> Result<Vec<f32>>| -> Result<()> {
        let (bias, time) = timed(make)?;
        biases.push(Bias { name, parameters: parameters.to_vec(), bias, time });
        Ok(())
    };
    let k = |k: NonZeroUsize| ("k", k.get() as f64);
    add("NNN", &[k(p.k), ("alpha", show(p.alpha))], &|| passes::bias(gallery, bank, p.k.get(), p.alpha, threads))?;
    add("CSLS", &[k(p.csls_k)], &|| passes::bias(gallery, bank, p.csls_k.get(), 0.5, threads))?;
    add("DN", &[("lambda", show(p.lambda))], &|| family::mean_bias(gallery, bank, p.lambda))?;
    let sinkhorn = [("tau", show(p.tau)), ("iterations", p.iterations.get() as f64)];
    add("SN", &sinkhorn, &|| family::sinkhorn_bias(gallery, None, bank, p.tau, p.iterations.get(), threads))?;
    // With the gallery as its own bank, each row would just be there twice: SN again.
    if let Some(extra) = gallery_bank {
        add("DBSN", &sinkhorn, &|| family::sinkhorn_bias(gallery, Some(extra), bank, p.tau, p.iterations.get(), threads))?;
    }
    let gallery_bank = gallery_bank.as_ref().unwrap_or(gallery);

    // The softmax family shares its sums and gates.
    let (mut sums, time) = timed(|| log_sums(gallery, bank, p.beta, threads))?;
    let softmax = family::softmax_bias(&mut sums, p.beta)?;
    let (active, active_time) = timed(|| family::activation_set(gallery, bank, p.activated.get(), threads))?;
    let qbnorm_time = time + active_time;
    let beta = ("beta", show(p.beta));
    biases.push(Bias { name: "inverted softmax", parameters: vec![beta], bias: softmax, time });
    let (mut query_sums, query_time) = timed(|| log_sums(gallery, bank, p.dual_query_beta, threads))?;
    let (mut gallery_sums, gallery_time) = timed(|| log_sums(gallery, gallery_bank, p.dual_gallery_beta, threads))?;
    let dual = family::dual_bias((&mut query_sums, p.dual_query_beta), (&mut gallery_sums, p.dual_gallery_beta))?;
    let betas = [("beta", show(p.dual_query_beta)), ("gallery beta", show(p.dual_gallery_beta))];
    let dual_time = query_time + gallery_time;
    biases.push(Bias { name: "DualIS", parameters: betas.to_vec(), bias: dual, time: dual_time });

    let mut runs = biased_runs(problem, &biases)?;
    let (plain_hits, _) = timed(|| passes::search(queries, gallery, None, 1, threads))?;
    let winners = rankings::winners(&plain_hits);

    let activated = ("activated", p.activated.get() as f64);
    let bias = biases.iter().find(|bias| bias.name == "inverted softmax").map_or(&[][..], |bias| &bias.bias);
    let gate = Gate { bias, beta: p.beta, active: &active };
    let mut listed = |name, parameters: &[_], bank_time, transductive, search: &dyn Fn(usize) -> Result<Hits>| -> Result<()> {
        let (hits, search_time) = timed(|| search(DEPTH))?;
        let hubness = nnn::hubness(&hits.occurrences(DEPTH, gallery.rows())?)?;
        let ranks = listed_ranks(hits, answers, gallery.rows(), search)?;
        runs.push(Run { name, parameters: parameters.to_vec(), ranks, hubness, bank_time, search_time, transductive });
        Ok(())
    };
    listed("QBNorm", &[beta, activated], qbnorm_time, false, &|depth| {
        rankings::gated(queries, gallery, &[gate], &winners, depth, threads)
    })?;
    let (gallery_active, gallery_active_time) =
        timed(|| family::activation_set(gallery, gallery_bank, p.activated.get(), threads))?;
    let query_bias = family::softmax_bias(&mut query_sums, p.dual_query_beta)?;
    let gallery_bias = family::softmax_bias(&mut gallery_sums, p.dual_gallery_beta)?;
    let gates = [
        Gate { bias: &query_bias, beta: p.dual_query_beta, active: &active },
        Gate { bias: &gallery_bias, beta: p.dual_gallery_beta, active: &gallery_active },
    ];
    let time = dual_time + active_time + gallery_active_time;
    listed("DualDIS", &[betas[0], betas[1], activated], time, false, &|depth| {
        rankings::gated(queries, gallery, &gates, &winners, depth, threads)
    })?;
    listed("dual softmax", &[("beta", show(p.dsl_beta))], Duration::ZERO, true, &|depth| {
        let bias = family::softmax_bias(&mut log_sums(gallery, queries, p.dsl_beta, threads)?, p.dsl_beta)?;
        rankings::dual_softmax(queries, gallery, &bias, p.dsl_beta, depth, threads)
    })?;
    Ok(runs)
}

/// Plain search and search with each bias: exact ranks from one pass over all scores, hubness and time from one search each.
fn biased_runs(problem: &Problem, biases: &[Bias]) -> Result<Vec<Run>> {
    let Problem { gallery, queries, answers, threads, .. } = problem;
    let all: Vec<f32> = biases.iter().flat_map(|bias| bias.bias.iter().copied()).collect();
    let ranks = rankings::ranks(queries, gallery, &all, answers, *threads)?;
    drop(all);
    let mut runs = Vec::new();
    for (run, ranks) in ranks.chunks_exact(queries.rows()).enumerate() {
        let bias = run.checked_sub(1).map(|at| &biases[at]);
        let (hits, search_time) = timed(|| passes::search(queries, gallery, bias.map(|bias| &bias.bias[..]), DEPTH, *threads))?;
        runs.push(Run {
            name: bias.map_or("plain", |bias| bias.name),
            parameters: bias.map_or_else(Vec::new, |bias| bias.parameters.clone()),
            ranks: ranks.to_vec(),
            hubness: nnn::hubness(&hits.occurrences(DEPTH, gallery.rows())?)?,
            bank_time: bias.map_or(Duration::ZERO, |bias| bias.time),
            search_time,
            transductive: false,
        });
    }
    Ok(runs)
}

/// Ranks from lists of hits: as deep as the median needs, up to [`DEEPEST`].
fn listed_ranks(hits: Hits, answers: &Answers, rows: usize, search: &dyn Fn(usize) -> Result<Hits>) -> Result<Vec<u32>> {
    let positives = answers.positives()?;
    let (mut depth, mut ranks) = (hits.k, hits.ranks(&positives)?);
    while nnn::median_rank(&ranks)?.is_infinite() && depth < rows.min(DEEPEST) {
        depth = rows.min(depth * 10).min(DEEPEST);
        ranks = search(depth)?.ranks(&positives)?;
    }
    Ok(ranks)
}

fn timed<R>(work: impl FnOnce() -> Result<R>) -> Result<(R, Duration)> {
    let started = Instant::now();
    let result = work()?;
    Ok((result, started.elapsed()))
}

/// The number the user wrote: 0.01 rather than the f64 of its f32.
pub fn show(x: f32) -> f64 {
    x.to_string().parse().unwrap_or(f64::from(x))
}

pub fn parse_positive(text: &str) -> std::result::Result<f32, String> {
    match text.parse::<f32>() {
        Ok(x) if (1e-7..=1e7).contains(&x) => Ok(x),
        _ => Err("it must lie between 1e-7 and 1e7, such as 20".to_owned()),
    }
}
