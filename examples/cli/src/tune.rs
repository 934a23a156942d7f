//! `nnn tune`: the whole grid of parameters on held-out queries, from one bank pass and one pass over the queries' scores; proposes
//! nothing that is not sure to help.

use crate::answers::{self, Answers};
use crate::charts::HeatMap;
use crate::evaluate::interval;
use crate::failure::Result;
use crate::family;
use crate::leaks::{self, Leak};
use crate::methods::{parse_positive, show};
use crate::output::Output;
use crate::passes;
use crate::rankings::{self, Confidence, recalls, show_gain};
use crate::set::{Files, Set, leaks_of};
use crate::shipped;
use crate::source::{Loaded, Whole};
use crate::text::{json_recall, machine, parameters_json, parameters_text, thousands};
use nnn::{Choice, Interval};
use serde_json::{Value, json};
use std::io::Write;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// The grid of the NNN paper.
const ALPHAS: [f32; 11] = [0.25, 0.375, 0.5, 0.625, 0.75, 0.875, 1.0, 1.125, 1.25, 1.375, 1.5];
const KS: [usize; 10] = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512];

#[derive(clap::Args)]
#[command(after_help = answers::FORMAT)]
pub struct Args {
    #[command(flatten)]
    files: Files,
    /// Queries that took no part in the choice, to judge it by
    #[arg(long, value_name = "FILE", requires_all = ["test_answers", "gallery"])]
    test_queries: Option<PathBuf>,
    /// Their answers
    #[arg(long, value_name = "FILE", requires = "test_queries")]
    test_answers: Option<PathBuf>,
    /// Compare inverted softmax, QBNorm and DualIS with these betas, too: a bank pass each
    #[arg(long, value_name = "BETA,BETA,...", value_delimiter = ',', value_parser = parse_positive, allow_negative_numbers = true)]
    betas: Vec<f32>,
    /// DualIS: inverse temperature of the gallery bank, here the gallery itself
    #[arg(long, value_name = "BETA", default_value_t = 1.0, value_parser = parse_positive, allow_negative_numbers = true)]
    dual_gallery_beta: f32,
    /// Compare SN with these temperatures, too: 20 bank passes each
    #[arg(long, value_name = "TAU,TAU,...", value_delimiter = ',', value_parser = parse_positive, allow_negative_numbers = true)]
    taus: Vec<f32>,
    /// Where to draw R@1 over alpha and k
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    #[command(flatten)]
    confidence: Confidence,
    /// Print JSON instead of tables
    #[arg(long)]
    json: bool,
}

/// Iterations of SN, and hits of a bank row that QBNorm activates, as their papers have them.
const ITERATIONS: usize = 10;
const ACTIVATED: usize = 1;

/// A correction that could be proposed.
struct Candidate {
    name: &'static str,
    parameters: Vec<(&'static str, f64)>,
    /// Which of the biases it subtracts,
    bias: usize,
    /// and whether only from the scores of queries whose best plain row is activated (QBNorm).
    gated: bool,
}

/// All biases that are compared, one after the other, and the corrections that use them.
struct Grid {
    rows: usize,
    biases: Vec<f32>,
    candidates: Vec<Candidate>,
    /// Gallery rows that QBNorm activates; empty without QBNorm.
    active: Vec<u64>,
}

impl Grid {
    /// The paper's grid for NNN, mildest first, so that of equally good ones it is chosen; then what the arguments add.
    fn new(args: &Args, gallery: &Whole, bank: &Whole, ks: &[usize], threads: usize) -> Result<Self> {
        let biases = family::grid_biases(gallery, bank, ks, &ALPHAS, threads)?;
        let mut grid = Grid { rows: gallery.rows(), biases, candidates: Vec::new(), active: Vec::new() };
        for alpha in ALPHAS {
            for k in ks {
                grid.list("NNN", vec![("k", *k as f64), ("alpha", f64::from(alpha))]);
            }
        }
        let mut gallery_sums = match args.betas.is_empty() {
            true => Vec::new(),
            false => family::log_sums(gallery, gallery, args.dual_gallery_beta, threads)?,
        };
        for &beta in &args.betas {
            let mut sums = family::log_sums(gallery, bank, beta, threads)?;
            grid.biases.extend(family::softmax_bias(&mut sums, beta)?);
            grid.list("inverted softmax", vec![("beta", show(beta))]);
            grid.biases.extend(family::dual_bias((&mut sums, beta), (&mut gallery_sums, args.dual_gallery_beta))?);
            grid.list("DualIS", vec![("beta", show(beta)), ("gallery beta", show(args.dual_gallery_beta))]);
        }
        for &tau in &args.taus {
            grid.biases.extend(family::sinkhorn_bias(gallery, None, bank, tau, ITERATIONS, threads)?);
            grid.list("SN", vec![("tau", show(tau)), ("iterations", ITERATIONS as f64)]);
        }
        if !args.betas.is_empty() {
            grid.active = family::activation_set(gallery, bank, ACTIVATED, threads)?;
        }
        let softmax: Vec<usize> = (0..grid.candidates.len()).filter(|at| grid.candidates[*at].name == "inverted softmax").collect();
        for bias in softmax {
            let parameters = [&grid.candidates[bias].parameters[..], &[("activated", ACTIVATED as f64)]].concat();
            grid.candidates.push(Candidate { name: "QBNorm", parameters, bias, gated: true });
        }
        Ok(grid)
    }

    fn list(&mut self, name: &'static str, parameters: Vec<(&'static str, f64)>) {
        self.candidates.push(Candidate { name, parameters, bias: self.candidates.len(), gated: false });
    }

    /// The ranks of some candidates' answers, plain first.
    fn ranks(
        &self,
        candidates: &[Candidate],
        (queries, answers): (&Whole, &Answers),
        gallery: &Whole,
        threads: usize,
    ) -> Result<Vec<u32>> {
        let mut used: Vec<usize> = candidates.iter().map(|candidate| candidate.bias).collect();
        used.sort_unstable();
        used.dedup();
        let whole = used.len() * self.rows == self.biases.len();
        let of = |bias: &usize| &self.biases[bias * self.rows..][..self.rows];
        let own: Vec<f32> = if whole { Vec::new() } else { used.iter().flat_map(of).copied().collect() };
        let ranks = rankings::ranks(queries, gallery, if whole { &self.biases } else { &own }, answers, threads)?;
        let mut runs = ranks.chunks_exact(queries.rows());
        let plain = runs.next().unwrap_or_default();
        let runs: Vec<&[u32]> = runs.collect();
        let open: Vec<bool> = match candidates.iter().any(|candidate| candidate.gated) {
            true => rankings::winners(&passes::search(queries, gallery, None, 1, threads)?)
                .iter()
                .map(|&winner| self.active.get(winner as usize / 64).is_some_and(|word| word >> (winner % 64) & 1 == 1))
                .collect(),
            false => Vec::new(),
        };
        let mut all = plain.to_vec();
        for Candidate { bias, gated, .. } in candidates {
            let run = runs[used.binary_search(bias).unwrap_or(0)];
            match gated {
                false => all.extend_from_slice(run),
                true => {
                    all.extend(open.iter().zip(run.iter().zip(plain)).map(|(open, (run, plain))| if *open { run } else { plain }))
                }
            }
        }
        Ok(all)
    }
}

/// Judgement on queries that took no part in the choice.
struct Test {
    queries: usize,
    plain: [f64; 3],
    /// With what was proposed: plain search, if nothing was.
    tuned: [f64; 3],
    gain: Interval,
}

pub fn run(args: &Args, threads: usize, out: &mut impl Write) -> Result<()> {
    let inputs = args.files.inputs(&[&args.test_queries, &args.test_answers]);
    let svg = args.svg.as_deref().map(|path| Output::new(path, &inputs)).transpose()?;
    let set = args.files.read([shipped::TUNING_QUERIES, shipped::TUNING_ANSWERS])?;
    let test_files = match (&args.test_queries, &args.test_answers) {
        (Some(queries), Some(answers)) => Some((queries.clone(), answers.clone())),
        _ if args.files.shipped() => {
            let file = |name| shipped::file(args.files.data.as_deref(), name);
            Some((file(shipped::QUERIES)?, file(shipped::ANSWERS)?))
        }
        _ => None,
    };
    let test = test_files.map(|(queries, answers)| args.files.queries(&queries, &answers, &set.gallery)).transpose()?;
    let mut leaks = set.leaks()?;
    if let Some((queries, _)) = &test {
        leaks.extend(leaks_of(&set.bank, queries, leaks::QUERY)?);
    }
    let [gallery, bank, queries] = set.wholes()?;

    // One pass over the bank, whatever the grid; then one over the scores of the queries.
    let ks: Vec<usize> = KS.into_iter().filter(|k| *k <= bank.rows()).collect();
    let started = Instant::now();
    let grid = Grid::new(args, &gallery, &bank, &ks, threads)?;
    let bank_time = started.elapsed();
    let candidates = &grid.candidates[..];
    let started = Instant::now();
    let ranks = grid.ranks(candidates, (&queries, &set.answers), &gallery, threads)?;
    let grid_time = started.elapsed();
    let choice = args.confidence.choose(&ranks, queries.rows())?;
    let results = ranks.chunks_exact(queries.rows()).map(recalls).collect::<Result<Vec<_>>>()?;
    let (plain, results) = (results[0], &results[1..]);

    let proposed = choice.bias.map_or(&[][..], |at| &candidates[at..=at]);
    let test = test.map(|test| judge(args, &grid, proposed, &gallery, &test, threads)).transpose()?;
    if let Some(svg) = svg {
        let cells = ks.len() * ALPHAS.len();
        let recalls: Vec<f64> = results.iter().take(cells).map(|recalls| recalls[0]).collect();
        let best = (0..cells).rev().max_by(|a, b| recalls[*a].total_cmp(&recalls[*b])).unwrap_or(0);
        let map = HeatMap { ks: &ks, alphas: &ALPHAS, recalls: &recalls, plain: plain[0], best, queries: queries.rows() };
        svg.stage_text(&map.svg()?)?.commit()?;
    }
    if args.json {
        let report = report(&set, candidates, plain, results, &choice, args, test.as_ref(), &leaks, [bank_time, grid_time]);
        writeln!(out, "{report:#}")?;
        return Ok(());
    }
    writeln!(out, "{}", set.describe())?;
    let [bank_ms, grid_ms] = [bank_time, grid_time].map(|time| 1e3 * time.as_secs_f64());
    writeln!(out, "bank pass {bank_ms:.0} ms, grid {grid_ms:.0} ms, {}\n", machine(threads))?;
    write_grid(out, &ks, plain, results, candidates)?;
    write_choice(out, candidates, &choice, args, test.as_ref())
}

/// `proposed`: one candidate, or none.
fn judge(
    args: &Args,
    grid: &Grid,
    proposed: &[Candidate],
    gallery: &Whole,
    (queries, answers): &(Loaded, Answers),
    threads: usize,
) -> Result<Test> {
    let queries = queries.whole()?;
    let ranks = grid.ranks(proposed, (&queries, answers), gallery, threads)?;
    let (plain, tuned) = (&ranks[..queries.rows()], &ranks[ranks.len() - queries.rows()..]);
    let gain = args.confidence.gain(plain, tuned)?;
    Ok(Test { queries: queries.rows(), plain: recalls(plain)?, tuned: recalls(tuned)?, gain })
}

fn write_grid(out: &mut impl Write, ks: &[usize], plain: [f64; 3], results: &[[f64; 3]], candidates: &[Candidate]) -> Result<()> {
    writeln!(out, "R@1 in percent; plain search: {:.2}", plain[0])?;
    write!(out, "{:>9}", "alpha")?;
    for k in ks {
        write!(out, "{:>8}", format!("k = {k}"))?;
    }
    writeln!(out)?;
    for (alpha, recalls) in ALPHAS.iter().zip(results.chunks(ks.len())) {
        write!(out, "{alpha:>9.3}")?;
        for [r1, ..] in recalls {
            write!(out, "{r1:>8.2}")?;
        }
        writeln!(out)?;
    }
    for (candidate, [r1, ..]) in candidates.iter().zip(results).skip(ks.len() * ALPHAS.len()) {
        writeln!(out, "{}, {}: {r1:.2}", candidate.name, parameters_text(&candidate.parameters))?;
    }
    writeln!(out)?;
    Ok(())
}

fn write_choice(out: &mut impl Write, candidates: &[Candidate], choice: &Choice, args: &Args, test: Option<&Test>) -> Result<()> {
    let Candidate { name, parameters, .. } = &candidates[choice.best];
    let level = args.confidence.percent();
    let best = format!("{name}, {}", parameters_text(parameters));
    let gain = show_gain(&choice.gain);
    match choice.bias {
        Some(_) => writeln!(out, "Proposal: {best}. Gain in R@1: {gain} points; the {level} % interval excludes 0.")?,
        None if choice.gain.low > 0.0 => writeln!(
            out,
            "Proposal: no correction. The best here is {best}, with a gain of {gain} points ({level} %), but the best of {} corrections \
             gains as much by luck: more queries may settle it.",
            candidates.len()
        )?,
        None => writeln!(
            out,
            "Proposal: no correction. The best here is {best}, but the {level} % interval of its gain, {gain} points, does not exclude \
             0: more queries may settle it."
        )?,
    }
    match test {
        Some(Test { queries, plain, tuned, gain }) => writeln!(
            out,
            "On the {} test queries, which took no part in the choice: R@1 {:.2} plain, {:.2} with the proposal, {} points.",
            thousands(*queries),
            plain[0],
            tuned[0],
            show_gain(gain)
        )?,
        None => writeln!(out, "The best of many looks better than it is: judge it with --test-queries and --test-answers.")?,
    }
    Ok(())
}

#[allow(clippy::too_many_arguments)] // all there is to say
fn report(
    set: &Set,
    candidates: &[Candidate],
    plain: [f64; 3],
    results: &[[f64; 3]],
    choice: &Choice,
    args: &Args,
    test: Option<&Test>,
    leaks: &[Leak],
    [bank_time, grid_time]: [Duration; 2],
) -> Value {
    let candidate = |at: usize| {
        json!({
            "name": candidates[at].name,
            "parameters": parameters_json(&candidates[at].parameters),
            "recall": json_recall(&results[at]),
        })
    };
    json!({
        "set": set.json(),
        "plain": json_recall(&plain),
        "grid": (0..candidates.len()).map(candidate).collect::<Vec<_>>(),
        "confidence": args.confidence.percent(),
        "best": candidate(choice.best),
        "best_gain": interval(&choice.gain),
        "proposal": choice.bias.map(candidate),
        "test": test.map(|test| json!({
            "queries": test.queries, "plain": json_recall(&test.plain), "tuned": json_recall(&test.tuned), "gain": interval(&test.gain),
        })),
        "leaks": leaks.iter().map(Leak::json).collect::<Vec<_>>(),
        "bank_seconds": bank_time.as_secs_f64(),
        "grid_seconds": grid_time.as_secs_f64(),
    })
}
