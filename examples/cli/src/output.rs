//! Writing results so that a file is either whole or not there: into a temporary file beside it, then renamed.

use crate::failure::{Failure, Result, fail_at};
use npyz::{AutoSerialize, Serialize, WriterBuilder};
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

/// A file that will be written at the end of the run.
pub struct Output {
    path: PathBuf,
}

/// A file written in full under a temporary name; dropped without [`Staged::commit`] it disappears.
pub struct Staged {
    path: PathBuf,
    temporary: PathBuf,
}

impl Output {
    /// Checks now, before hours of work, that the file can be written and is none of the inputs.
    pub fn new(path: &Path, inputs: &[&Path]) -> Result<Self> {
        if fs::metadata(path).is_ok_and(|metadata| !metadata.is_file()) {
            return fail_at(path, "exists and is not a regular file; choose another output");
        }
        let real = fs::canonicalize(path).ok();
        if real.is_some() && inputs.iter().any(|input| fs::canonicalize(input).ok() == real) {
            return fail_at(path, "is also an input; choose another output");
        }
        let output = Output { path: path.to_owned() };
        let (_, staged) = output.create().map_err(|error| cannot_write(path, &error))?;
        drop(staged);
        Ok(output)
    }

    /// Whether both name one file, however they spell it.
    pub fn is(&self, other: &Output) -> bool {
        let folder = |path: &Path| match path.parent() {
            Some(parent) if parent != Path::new("") => fs::canonicalize(parent).ok(),
            _ => fs::canonicalize(".").ok(),
        };
        self.path.file_name() == other.path.file_name() && folder(&self.path) == folder(&other.path)
    }

    /// Writes a `.npy` array under a temporary name.
    pub fn stage_npy<T: AutoSerialize + Serialize>(&self, shape: &[u64], values: impl Iterator<Item = T>) -> Result<Staged> {
        self.stage(|file| {
            let mut writer = npyz::WriteOptions::new().default_dtype().shape(shape).writer(file).begin_nd()?;
            writer.extend(values)?;
            writer.finish()
        })
    }

    /// Writes a text file under a temporary name.
    pub fn stage_text(&self, text: &str) -> Result<Staged> {
        self.stage(|file| file.write_all(text.as_bytes()))
    }

    /// Writes rows of floats, as many and as long as said, under a temporary name: as .npy or .fbin. `fill` gives them to the function it
    /// gets, any number of whole rows at a time.
    pub fn stage_rows(
        &self,
        rows: usize,
        dim: usize,
        fill: impl FnOnce(&mut dyn FnMut(&[f32]) -> Result<()>) -> Result<()>,
    ) -> Result<Staged> {
        let extension = self.path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
        let failed = |error: io::Error| cannot_write(&self.path, &error);
        let (file, staged) = self.create().map_err(failed)?;
        let mut file = BufWriter::new(file);
        match extension {
            "npy" => {
                let shape = [rows as u64, dim as u64];
                let mut writer =
                    npyz::WriteOptions::<f32>::new().default_dtype().shape(&shape).writer(&mut file).begin_nd().map_err(failed)?;
                fill(&mut |floats| writer.extend(floats.iter().copied()).map_err(failed))?;
                writer.finish().map_err(failed)?;
            }
            "fbin" => {
                for size in [rows, dim] {
                    file.write_all(&u32::try_from(size).unwrap_or(u32::MAX).to_le_bytes()).map_err(failed)?;
                }
                fill(&mut |floats| floats.iter().try_for_each(|x| file.write_all(&x.to_le_bytes())).map_err(failed))?;
            }
            _ => return fail_at(&self.path, "has an unknown format; name a .npy or a .fbin file"),
        }
        file.into_inner().map_err(io::IntoInnerError::into_error).and_then(|file| file.sync_all()).map_err(failed)?;
        Ok(staged)
    }

    /// Writes byte strings, one after the other, under a temporary name.
    pub fn stage_parts(&self, parts: &[&[u8]]) -> Result<Staged> {
        self.stage(|file| parts.iter().try_for_each(|part| file.write_all(part)))
    }

    fn stage(&self, write: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>) -> Result<Staged> {
        let attempt = || {
            let (file, staged) = self.create()?;
            let mut file = BufWriter::new(file);
            write(&mut file)?;
            file.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
            Ok(staged)
        };
        attempt().map_err(|error: io::Error| cannot_write(&self.path, &error))
    }

    fn create(&self) -> io::Result<(File, Staged)> {
        let Some(name) = self.path.file_name() else {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "the path has no file name"));
        };
        let mut hidden = std::ffi::OsString::from(".");
        hidden.push(name);
        hidden.push(format!(".{}.part", std::process::id()));
        let temporary = self.path.with_file_name(hidden);
        let file = File::create_new(&temporary)?;
        Ok((file, Staged { path: self.path.clone(), temporary }))
    }
}

impl Staged {
    /// Gives the file its name, replacing an older one.
    pub fn commit(self) -> Result<()> {
        fs::rename(&self.temporary, &self.path).map_err(|error| cannot_write(&self.path, &error))
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        // After a commit the temporary name is gone already; then this does nothing.
        let _ = fs::remove_file(&self.temporary);
    }
}

fn cannot_write(path: &Path, error: &io::Error) -> Failure {
    Failure::Message(format!("{}: cannot be written: {error}; choose another output", path.display()))
}
