//! The files that an evaluation reads: the user's, or the shipped ones.

use crate::answers::Answers;
use crate::failure::{Result, fail, fail_at};
use crate::leaks::{self, Leak};
use crate::shipped;
use crate::source::{Loaded, Whole};
use crate::text::thousands;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

#[derive(clap::Args)]
pub struct Files {
    /// Vectors to retrieve [default: all files are those of the shipped set]
    #[arg(long, value_name = "FILE", requires_all = ["bank", "queries", "answers"])]
    pub gallery: Option<PathBuf>,
    /// Reference queries; neither test queries nor descriptions of gallery rows
    #[arg(long, value_name = "FILE", requires = "gallery")]
    pub bank: Option<PathBuf>,
    /// Queries whose answers are known
    #[arg(long, value_name = "FILE", requires = "gallery")]
    pub queries: Option<PathBuf>,
    /// The gallery row or rows that answer each query
    #[arg(long, value_name = "FILE", requires = "gallery")]
    pub answers: Option<PathBuf>,
    /// Scale every row to unit length first, so that scores are cosines (done with the shipped set)
    #[arg(long)]
    pub normalize: bool,
    /// Folder of the shipped set [default: examples/data/pydoc-minilm of the repository]
    #[arg(long, value_name = "DIR", conflicts_with = "gallery")]
    pub data: Option<PathBuf>,
}

/// A gallery, a bank and queries with answers.
pub struct Set {
    pub gallery: Loaded,
    pub bank: Loaded,
    pub queries: Loaded,
    pub answers: Answers,
}

impl Files {
    /// Whether the shipped set is read.
    pub fn shipped(&self) -> bool {
        self.gallery.is_none()
    }

    /// The files the user named, which no output may replace, and `more` of them.
    pub fn inputs<'a>(&'a self, more: &[&'a Option<PathBuf>]) -> Vec<&'a Path> {
        let own = [&self.gallery, &self.bank, &self.queries, &self.answers];
        own.into_iter().chain(more.iter().copied()).filter_map(|path| path.as_deref()).collect()
    }

    /// Reads all; of the shipped set, the queries and answers of these names.
    pub fn read(&self, shipped_queries: [&str; 2]) -> Result<Set> {
        let paths = match (&self.gallery, &self.bank, &self.queries, &self.answers) {
            (Some(gallery), Some(bank), Some(queries), Some(answers)) => [gallery, bank, queries, answers].map(Clone::clone),
            (None, ..) => {
                let file = |name| shipped::file(self.data.as_deref(), name);
                [file(shipped::GALLERY)?, file(shipped::BANK)?, file(shipped_queries[0])?, file(shipped_queries[1])?]
            }
            _ => return fail("--gallery needs --bank, --queries and --answers"),
        };
        let [gallery, bank, queries, answers] = &paths;
        let gallery = self.open(gallery)?;
        let bank = self.like(bank, &gallery)?;
        let (queries, answers) = self.queries(queries, answers, &gallery)?;
        Ok(Set { gallery, bank, queries, answers })
    }

    /// Other vectors of the same dim.
    pub fn like(&self, path: &Path, gallery: &Loaded) -> Result<Loaded> {
        let vectors = self.open(path)?;
        gallery.vectors().same_dim(vectors.vectors())?;
        Ok(vectors)
    }

    /// Queries and their answers in the gallery.
    pub fn queries(&self, queries: &Path, answers: &Path, gallery: &Loaded) -> Result<(Loaded, Answers)> {
        let queries = self.like(queries, gallery)?;
        let answers = Answers::read(answers, queries.vectors().rows(), gallery.vectors().rows())?;
        Ok((queries, answers))
    }

    fn open(&self, path: &Path) -> Result<Loaded> {
        Loaded::open(path, self.normalize || self.shipped())
    }
}

impl Set {
    /// Gallery, bank and queries.
    pub fn wholes(&self) -> Result<[Whole<'_>; 3]> {
        Ok([self.gallery.whole()?, self.bank.whole()?, self.queries.whole()?])
    }

    /// What must not be in the bank and is; reported on standard error.
    pub fn leaks(&self) -> Result<Vec<Leak>> {
        let found = [leaks_of(&self.bank, &self.queries, leaks::QUERY)?, leaks_of(&self.bank, &self.gallery, leaks::GALLERY)?];
        Ok(found.into_iter().flatten().collect())
    }

    /// Fails if a bias cannot average `k` rows of the bank.
    pub fn check_k(&self, k: usize, option: &str) -> Result<()> {
        let bank = self.bank.vectors();
        if k <= bank.rows() {
            return Ok(());
        }
        fail_at(bank.path(), format!("has {} rows, fewer than {option} {k}; lower {option} or give a larger bank", bank.rows()))
    }

    /// A line for the user.
    pub fn describe(&self) -> String {
        let [gallery, bank, queries] = [&self.gallery, &self.bank, &self.queries].map(|side| thousands(side.vectors().rows()));
        format!("gallery {gallery} rows, bank {bank}, queries {queries}; {} dimensions", self.gallery.vectors().dim())
    }

    pub fn json(&self) -> Value {
        let side = |side: &Loaded| json!({"file": side.name(), "rows": side.vectors().rows()});
        json!({
            "gallery": side(&self.gallery), "bank": side(&self.bank), "queries": side(&self.queries),
            "dim": self.gallery.vectors().dim(),
        })
    }
}

/// Looks for equal rows and reports them.
pub fn leaks_of(bank: &Loaded, other: &Loaded, why: &'static str) -> Result<Option<Leak>> {
    let leak = leaks::find((&bank.whole()?, bank.name()), (&other.whole()?, other.name()), why);
    if let Some(leak) = &leak {
        leak.report();
    }
    Ok(leak)
}
