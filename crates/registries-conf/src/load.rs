//! Reads the files. All I/O of the crate is here.
//!
//! Agrees with `tryUpdatingCache` and `dropInConfigs`, whose `filepath.WalkDir`
//! follows no symbolic link.

use std::{
    fs,
    io::{self, Read},
    os::unix::fs::FileTypeExt,
    path::{Path, PathBuf},
};

use crate::{
    config::{Config, Draft},
    error::Error,
    file::Role,
};

/// The longest file that is read. One of ten thousand registries has two
/// megabytes.
const MAX_FILE: u64 = 16 << 20;

/// Where a configuration is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Files {
    /// `registries.conf`.
    pub main: PathBuf,
    /// The directories with drop-in files. The files of a later directory
    /// count more than those of an earlier one, whatever their names are.
    pub drop_in_dirs: Vec<PathBuf>,
    /// What to do if there is no main file.
    pub missing_main: MissingMainFile,
}

/// What to do if there is no main file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MissingMainFile {
    /// Fail, as containers/image does with a path that it was given.
    Refuse,
    /// Go on with the drop-ins, as containers/image does with its own default.
    Ignore,
}

impl Config {
    /// Reads a configuration: the main file, then every `*.conf` of the drop-in
    /// directories, each directory in byte order of the names.
    ///
    /// Directories that do not exist are none; sub-directories and directories
    /// that are symbolic links are passed over.
    ///
    /// # Errors
    /// A file that cannot be read, or that containers/image would refuse.
    pub fn load(files: &Files) -> Result<Self, Error> {
        let mut draft = Draft::default();
        match read(&files.main) {
            Ok(content) => draft.add(&files.main, &content, Role::Main)?,
            Err(error) if error.is_missing() && files.missing_main == MissingMainFile::Ignore => {}
            Err(error) => return Err(error),
        }
        for dir in &files.drop_in_dirs {
            for path in drop_ins(dir)? {
                match read(&path) {
                    Ok(content) => draft.add(&path, &content, Role::DropIn)?,
                    // Gone since the directory was listed, or a link to nowhere.
                    Err(error) if error.is_missing() => {}
                    Err(error) => return Err(error),
                }
            }
        }
        Ok(draft.finish())
    }
}

fn read(path: &Path) -> Result<Vec<u8>, Error> {
    let failed = |source| Error::Read {
        path: path.to_owned(),
        source,
    };
    // Opening one waits for a writer, who may never come.
    if fs::metadata(path).map_err(failed)?.file_type().is_fifo() {
        let pipe = io::Error::new(
            io::ErrorKind::InvalidInput,
            "it is a named pipe, not a file",
        );
        return Err(failed(pipe));
    }
    let file = fs::File::open(path).map_err(failed)?;
    let mut content = Vec::new();
    let mut bounded = file.take(MAX_FILE + 1);
    bounded.read_to_end(&mut content).map_err(failed)?;
    if bounded.limit() == 0 {
        return Err(Error::TooLarge {
            path: path.to_owned(),
            limit: MAX_FILE,
        });
    }
    Ok(content)
}

/// The drop-in files of a directory, sorted.
fn drop_ins(dir: &Path) -> Result<Vec<PathBuf>, Error> {
    let mut paths = match list(dir) {
        Ok(paths) => paths,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(source) => {
            return Err(Error::Read {
                path: dir.to_owned(),
                source,
            });
        }
    };
    paths.retain(|path| path.as_os_str().as_encoded_bytes().ends_with(b".conf"));
    paths.sort_unstable();
    Ok(paths)
}

fn list(dir: &Path) -> io::Result<Vec<PathBuf>> {
    if !fs::symlink_metadata(dir)?.is_dir() {
        // A walk that starts at something else ends there.
        return Ok(vec![dir.to_owned()]);
    }
    let mut paths = Vec::new();
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        if !entry.file_type()?.is_dir() {
            paths.push(entry.path());
        }
    }
    Ok(paths)
}
