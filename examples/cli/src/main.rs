//! `nnn`: debiased retrieval from the command line. This file holds the arguments; each subcommand's work is in a module.
#![deny(unsafe_op_in_unsafe_fn)]

mod answers;
mod charts;
mod demo;
mod evaluate;
mod export;
mod failure;
mod fairness;
mod family;
mod files;
mod grow;
mod hubs;
mod index;
mod jobs;
mod labels;
mod leaks;
mod methods;
mod output;
mod passes;
mod plot;
mod rankings;
mod set;
mod shipped;
mod source;
mod store;
mod text;
mod tune;
mod work;

use clap::{Args, Parser, Subcommand};
use failure::{Failure, Result, fail};
use nnn::Isa;
use std::io::Write;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::process::ExitCode;

/// Hubness-free retrieval with Nearest Neighbor Normalization: one bias per gallery row, subtracted from its scores.
#[derive(Parser)]
#[command(name = "nnn", version, after_help = FORMATS)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

const FORMATS: &str = "\
Vector files: .npy (two dimensions, f32 or f16), .fvecs, .fbin; one vector per row. They are memory-mapped, so they may be larger \
than memory; do not change them during the run. Results are .npy files, or .nnn \
files that remember from which rows they were made and are refused with others; they are written in full or not at all.

Exit status: 0 done, 1 failed, 2 wrong usage.";

#[derive(Subcommand)]
enum Command {
    /// Show on the shipped embeddings what debiasing does: recall, hubness, speed, examples, a picture
    Demo(DemoArgs),
    /// Compute the biases of a gallery from a bank of reference queries
    ///
    /// `bias[row]` = alpha * mean of the k largest similarities of the row with the bank. The bank must not hold the queries that you
    /// evaluate with, nor the gallery the rows that the bank describes.
    #[command(after_help = FORMATS)]
    Bias(On<jobs::Bias>),
    /// Find the best gallery rows of every query, with or without biases
    ///
    /// Hits are ordered by score (similarity minus bias) descending, then row ascending.
    #[command(after_help = FORMATS)]
    Search(On<jobs::Search>),
    /// Make a coarse index of a bank or a gallery, so that a pass or a search need not visit all of it
    #[command(after_help = FORMATS)]
    Index(On<index::Args>),
    /// Choose how many lists of an index to visit: the fewest that find a share of the exact hits
    ///
    /// With --bank the index is of the bank: the biases that probing gives, their error, and the hits with them.
    #[command(after_help = FORMATS)]
    TuneProbes(On<index::TuneArgs>),
    /// Write gallery and biases as vectors for an engine that knows inner products, distances or cosines only
    #[command(after_help = FORMATS)]
    Export(On<export::Args>),
    /// Take rows that came later into an index, or into a neighbour table, of the bank or of the gallery, without a pass over the others
    ///
    /// `nnn bias --table` makes the table, `nnn bias --from` turns it into biases.
    #[command(after_help = FORMATS)]
    Add(On<grow::Args>),
    /// Measure all methods side by side: does a correction help on these data, and which?
    ///
    /// Plain search, NNN, CSLS, DN, inverted softmax, QBNorm, DualIS, DualDIS, SN, DBSN and dual softmax: recall, the gain in R@1
    /// with its paired bootstrap interval, hubness, time. Without files, on the shipped embeddings.
    Evaluate(On<evaluate::Args>),
    /// Choose k and alpha on held-out queries, or no correction if none is sure to help
    ///
    /// The whole grid of the NNN paper, 11 alphas x 10 ks, costs one pass over the bank and one over the queries. Without files, on
    /// the shipped embeddings.
    Tune(On<tune::Args>),
    /// Show which gallery rows are hubs, before and after a correction
    Hubs(On<hubs::Args>),
    /// Measure whether retrieval prefers one of two attributes, before and after a correction
    Fairness(On<fairness::Args>),
    /// List the instruction sets of this machine, slowest first
    Isa {
        /// Print JSON instead of lines
        #[arg(long)]
        json: bool,
    },
}

/// How the kernels run.
#[derive(Args)]
struct Machine {
    /// Threads [default: all processors]; the results do not depend on it
    #[arg(long, value_name = "N")]
    threads: Option<NonZeroUsize>,
    /// Use this instruction set instead of the best one (see `nnn isa`)
    #[arg(long, value_name = "NAME", value_parser = parse_isa)]
    isa: Option<Isa>,
}

/// The arguments of a command that runs kernels.
#[derive(Args)]
struct On<A: Args> {
    #[command(flatten)]
    args: A,
    #[command(flatten)]
    machine: Machine,
}

#[derive(Args)]
struct DemoArgs {
    /// Neighbours in the bank that a bias averages
    #[arg(short, long, default_value = "16")]
    k: NonZeroUsize,
    /// Strength of the bias; 0 is plain retrieval
    #[arg(long, default_value_t = 0.75, value_parser = parse_alpha, allow_negative_numbers = true)]
    alpha: f32,
    /// Where to write the picture
    #[arg(long, value_name = "FILE", default_value = "nnn-demo.svg")]
    svg: PathBuf,
    /// Folder of the embeddings [default: examples/data/pydoc-minilm of the repository]
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
    #[command(flatten)]
    machine: Machine,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let mut out = std::io::stdout().lock();
    match run(cli.command, &mut out) {
        Ok(()) | Err(Failure::Closed) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("nnn: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command, out: &mut impl Write) -> Result<()> {
    match command {
        Command::Demo(args) => {
            let threads = args.machine.prepare()?;
            let DemoArgs { k, alpha, svg, data, .. } = args;
            demo::run(&demo::Options { data, k: k.get(), alpha, threads, svg }, out)
        }
        Command::Bias(On { args, machine }) => args.run(machine.prepare()?, out),
        Command::Search(On { args, machine }) => args.run(machine.prepare()?, out),
        Command::Add(On { args, machine }) => grow::run(&args, machine.prepare()?, out),
        Command::Index(On { args, machine }) => index::run(&args, machine.prepare()?, out),
        Command::TuneProbes(On { args, machine }) => index::tune(&args, machine.prepare()?, out),
        Command::Export(On { args, machine }) => export::run(&args, machine.prepare()?, out),
        Command::Evaluate(On { args, machine }) => evaluate::run(&args, machine.prepare()?, out),
        Command::Tune(On { args, machine }) => tune::run(&args, machine.prepare()?, out),
        Command::Hubs(On { args, machine }) => hubs::run(&args, machine.prepare()?, out),
        Command::Fairness(On { args, machine }) => fairness::run(&args, machine.prepare()?, out),
        Command::Isa { json: true } => {
            let names: Vec<&str> = Isa::available().map(Isa::name).collect();
            writeln!(out, "{:#}", serde_json::json!({"available": names, "active": Isa::active().name()}))?;
            Ok(())
        }
        Command::Isa { json: false } => {
            for isa in Isa::available() {
                let mark = if isa == Isa::active() { "  (the one in use)" } else { "" };
                writeln!(out, "{}{mark}", isa.name())?;
            }
            Ok(())
        }
    }
}

impl Machine {
    /// Chooses the instruction set; returns the number of threads.
    fn prepare(&self) -> Result<usize> {
        if let Some(isa) = self.isa
            && Isa::select(Some(isa)).is_err()
        {
            let names: Vec<&str> = Isa::available().map(Isa::name).collect();
            return fail(format!("this machine does not have {}; it has {}", isa.name(), names.join(", ")));
        }
        Ok(self.threads.map_or_else(work::default_threads, NonZeroUsize::get))
    }
}

fn parse_isa(name: &str) -> std::result::Result<Isa, String> {
    Isa::ALL.into_iter().find(|isa| isa.name() == name).ok_or_else(|| {
        let names: Vec<&str> = Isa::ALL.iter().map(|isa| isa.name()).collect();
        format!("known are {}", names.join(", "))
    })
}

fn parse_alpha(text: &str) -> std::result::Result<f32, String> {
    match text.parse::<f32>() {
        Ok(alpha) if alpha.is_finite() => Ok(alpha),
        _ => Err("it must be a finite number, such as 0.75".to_owned()),
    }
}
