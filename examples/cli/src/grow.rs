//! `nnn add`: results grow with the data. An index takes in rows, a neighbour table takes in bank rows or gallery rows that came later, with the bits that one
//! pass over all of them would give.

use crate::failure::{Result, fail, fail_at};
use crate::files::Vectors;
use crate::index;
use crate::jobs::stored_output;
use crate::output::Output;
use crate::passes;
use crate::source::{FileRows, Source};
use crate::store::{self, Fingerprint, Header, Kind, Stored};
use crate::text::thousands;
use nnn::Element;
use serde_json::json;
use std::io::Write;
use std::path::{Path, PathBuf};

#[derive(clap::Args)]
#[command(group = clap::ArgGroup::new("new").required(true).args(["bank_rows", "gallery_rows", "rows"]))]
#[command(group = clap::ArgGroup::new("old").required(true).args(["table", "index"]))]
pub struct Args {
    /// A neighbour table, from `nnn bias --table` or `nnn add`
    #[arg(long, value_name = "FILE")]
    table: Option<PathBuf>,
    /// An index, from `nnn index` or `nnn add`
    #[arg(long, value_name = "FILE", requires = "rows")]
    index: Option<PathBuf>,
    /// New rows for the index, to stand behind the others
    #[arg(long, value_name = "FILE", requires = "index")]
    rows: Option<PathBuf>,
    /// New rows of the bank; the whole --gallery is compared with them
    #[arg(long, value_name = "FILE", requires_all = ["gallery", "table"])]
    bank_rows: Option<PathBuf>,
    /// New rows of the gallery, to stand behind the others; they are compared with the whole --bank
    #[arg(long, value_name = "FILE", requires_all = ["bank", "table"])]
    gallery_rows: Option<PathBuf>,
    /// The gallery that the table was made from
    #[arg(long, value_name = "FILE", conflicts_with = "gallery_rows")]
    gallery: Option<PathBuf>,
    /// The bank that the table was made from
    #[arg(long, value_name = "FILE", conflicts_with = "bank_rows")]
    bank: Option<PathBuf>,
    /// Where to write what has grown (.nnn); it may be the same file
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Print JSON instead of lines
    #[arg(long)]
    json: bool,
}

pub fn run(args: &Args, threads: usize, out: &mut impl Write) -> Result<()> {
    if let (Some(index), Some(rows)) = (&args.index, &args.rows) {
        return index::add(index, rows, &args.out, threads, out);
    }
    let Some(table) = &args.table else { return fail("give --table or --index") };
    let grow = |new: &Path, old: &Path, output: Output| -> Result<Grow> {
        let (new, old) = (Vectors::open(new)?, Vectors::open(old)?);
        old.same_dim(&new)?;
        Ok(Grow { stored: Stored::open(table, Kind::Neighbors)?, new, old, output, json: args.json, threads })
    };
    match (&args.bank_rows, &args.gallery, &args.gallery_rows, &args.bank) {
        (Some(new), Some(gallery), None, None) => grow(new, gallery, stored_output(&args.out, &[new, gallery])?)?.bank(out),
        (None, None, Some(new), Some(bank)) => grow(new, bank, stored_output(&args.out, &[new, bank])?)?.gallery(out),
        _ => fail("give --bank-rows and --gallery, or --gallery-rows and --bank"),
    }
}

/// A table, new rows of one side, and the rows of the other.
struct Grow {
    stored: Stored,
    new: Vectors,
    old: Vectors,
    output: Output,
    json: bool,
    threads: usize,
}

impl Grow {
    fn bank(self, out: &mut impl Write) -> Result<()> {
        let header = self.stored.header;
        self.stored.check_rows(&self.old, Fingerprint::of(&self.old, 0, self.threads)?)?;
        let more = Fingerprint::of(&self.new, header.bank.rows, self.threads)?;
        let header = Header { bank: self.sum(header.bank, more)?, ..header };
        let mut table = self.stored.floats();
        self.pass(&self.old, &self.new, &mut table)?;
        store::stage(&self.output, &header, store::bits(&table))?.commit()?;
        self.report(&header, "bank", out)
    }

    fn gallery(self, out: &mut impl Write) -> Result<()> {
        let header = self.stored.header;
        self.stored.check_bank(&self.old, Fingerprint::of(&self.old, 0, self.threads)?)?;
        let more = Fingerprint::of(&self.new, header.rows.rows, self.threads)?;
        let header = Header { rows: self.sum(header.rows, more)?, ..header };
        let mut table = self.stored.floats();
        let mut below = passes::empty_table(self.new.rows(), header.k as usize)?;
        self.pass(&self.new, &self.old, &mut below)?;
        table.append(&mut below);
        store::stage(&self.output, &header, store::bits(&table))?.commit()?;
        self.report(&header, "gallery", out)
    }

    fn sum(&self, old: Fingerprint, more: Fingerprint) -> Result<Fingerprint> {
        let sum = old.followed_by(more);
        if sum.rows > u64::from(u32::MAX) {
            return fail_at(self.new.path(), format!("brings the rows to {}, above 2^32 - 1; make a second table", sum.rows));
        }
        Ok(sum)
    }

    fn pass(&self, gallery: &Vectors, bank: &Vectors, table: &mut [f32]) -> Result<()> {
        let preparation = self.stored.header.preparation;
        let rows = |vectors| FileRows { vectors, normalize: preparation.normalize };
        match preparation.int8 {
            true => self.update::<i8>(&rows(gallery), &rows(bank), table),
            false => self.update::<f32>(&rows(gallery), &rows(bank), table),
        }
    }

    fn update<T: Element>(&self, gallery: &impl Source<T>, bank: &impl Source<T>, table: &mut [f32]) -> Result<()> {
        passes::neighbors(gallery, bank, table, self.stored.header.k as usize, self.threads)
    }

    fn report(&self, header: &Header, grown: &str, out: &mut impl Write) -> Result<()> {
        if self.json {
            let report = json!({"grown": grown, "added": self.new.rows(), "rows": header.rows.rows, "bank_rows": header.bank.rows, "k": header.k});
            writeln!(out, "{report:#}")?;
            return Ok(());
        }
        writeln!(out, "{} rows more in the {grown}: {}", thousands(self.new.rows()), self.new.describe())?;
        writeln!(
            out,
            "the table now holds {} rows x {} neighbours of a bank of {}",
            thousands(header.rows.rows as usize),
            header.k,
            thousands(header.bank.rows as usize)
        )?;
        Ok(())
    }
}
