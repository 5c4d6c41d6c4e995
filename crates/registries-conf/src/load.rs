//! Finds and reads the files. All I/O of the crate is here and in [`root`](crate::root).
//!
//! Agrees with `tryUpdatingCache` and `dropInConfigs` of go.podman.io/image 5.38, whose
//! `filepath.WalkDir` follows no symbolic link to a directory, and with `Read` and
//! `readDropInsFromPaths` of go.podman.io/storage/pkg/configfile.

use std::{
    collections::BTreeMap,
    ffi::{OsStr, OsString},
    fs,
    io::{self, ErrorKind, Read},
    os::unix::{ffi::OsStrExt, fs::FileTypeExt},
    path::{Path, PathBuf},
};

use crate::{
    config::{Config, Draft},
    error::Error,
    file::Role,
    root::{resolve_below, unfollowed},
    search::{Denied, Layout, Search, SearchPaths},
    unknown::{UnknownKey, unknown_keys},
};

/// The longest file that is read: 16 MiB. A file with ten thousand registries has two
/// megabytes.
const MAX_FILE: u64 = 16 << 20;

/// The files that exist.
#[derive(Debug, Default)]
struct Found {
    main: Option<PathBuf>,
    drop_ins: Vec<PathBuf>,
    last: Option<PathBuf>,
    /// The default files and directories that were left out.
    denied: Vec<PathBuf>,
}

impl Config {
    /// Finds the files and reads them.
    ///
    /// # Errors
    /// A file or directory that cannot be read, a named file that does not exist, or a
    /// file that containers/image would refuse.
    pub fn load(search: &Search) -> Result<Self, Error> {
        let found = find(search)?;
        let root = &search.root;
        let mut draft = Draft::default();
        if let Some(main) = &found.main {
            draft.add(main, read(root, main)?.into(), Role::Main(search.v1))?;
        }
        for path in &found.drop_ins {
            match read(root, path) {
                Ok(content) => draft.add(path, content.into(), Role::DropIn)?,
                // The file was removed since the directory was listed, or is a link
                // without a target.
                Err(error) if error.is_missing() => {}
                Err(error) => return Err(error),
            }
        }
        if let Some(last) = &found.last {
            draft.add(last, read(root, last)?.into(), Role::DropIn)?;
        }
        Ok(draft.finish(found.denied))
    }
}

impl Search {
    /// The keys of all files that containers/image ignores silently.
    ///
    /// # Errors
    /// A file or directory that cannot be read, or a file that is not TOML.
    pub fn unknown_keys(&self) -> Result<Vec<UnknownKey>, Error> {
        let mut keys = Vec::new();
        for path in self.files()? {
            keys.extend(unknown_keys(&read(&self.root, &path)?, &path)?);
        }
        Ok(keys)
    }

    /// The files that exist, in the order in which they are read, without reading them.
    ///
    /// # Errors
    /// A file or directory that cannot be inspected, or a named file that does not exist.
    pub fn files(&self) -> Result<Vec<PathBuf>, Error> {
        let found = find(self)?;
        let exists = |path: &PathBuf| fs::metadata(resolve_below(&self.root, path)).is_ok();
        let mut files: Vec<PathBuf> = found.main.into_iter().collect();
        files.extend(found.drop_ins.into_iter().filter(exists));
        if let Some(last) = found.last {
            let seen = fs::metadata(resolve_below(&self.root, &last));
            seen.map_err(|source| unreadable(&last, source))?;
            files.push(last);
        }
        Ok(files)
    }
}

fn find(search: &Search) -> Result<Found, Error> {
    let paths = search.paths();
    let mut denied = Vec::new();
    let (main, dirs) = main_file(search, &paths, &mut denied)?;
    let is_left_out = |error: &io::Error| !paths.are_drop_ins_named && is_left_out(search, error);
    let mut by_directory = Vec::new();
    let mut by_name = BTreeMap::new();
    for dir in dirs {
        match list(search, dir) {
            Ok(files) if search.layout == Layout::V5_38 => by_directory.extend(files),
            Ok(files) => by_name.extend(files.into_iter().map(with_name)),
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) if is_left_out(&error) => denied.push(dir.clone()),
            Err(error) => return Err(unreadable(dir, error)),
        }
    }
    by_directory.extend(by_name.into_values());
    Ok(Found {
        main,
        drop_ins: by_directory,
        last: paths.last,
        denied,
    })
}

/// The main file, if there is one, and the directories of drop-ins that belong to it.
fn main_file<'p>(
    search: &Search,
    paths: &'p SearchPaths,
    denied: &mut Vec<PathBuf>,
) -> Result<(Option<PathBuf>, &'p [PathBuf]), Error> {
    let mut dirs: &[PathBuf] = &[];
    let mut candidates = paths.main_files.iter().peekable();
    while let Some(candidate) = candidates.next() {
        let main = &candidate.path;
        dirs = &candidate.drop_in_dirs;
        let Err(error) = fs::metadata(resolve_below(&search.root, main)) else {
            return Ok((Some(main.clone()), dirs));
        };
        // Before 5.41 a file in the home directory is used only if stat(2) finds it.
        let is_probed = search.layout == Layout::V5_38 && candidates.peek().is_some();
        if paths.is_main_named {
            return Err(unreadable(main, error));
        } else if is_left_out(search, &error) {
            denied.push(main.clone());
        } else if error.kind() != ErrorKind::NotFound && !is_probed {
            return Err(unreadable(main, error));
        }
    }
    Ok((None, dirs))
}

fn with_name(file: PathBuf) -> (Option<OsString>, PathBuf) {
    (file.file_name().map(OsStr::to_owned), file)
}

fn is_left_out(search: &Search, error: &io::Error) -> bool {
    search.denied == Denied::LeaveOut && error.kind() == ErrorKind::PermissionDenied
}

/// The drop-in files of a directory, in byte order of their names.
fn list(search: &Search, dir: &Path) -> io::Result<Vec<PathBuf>> {
    let is_drop_in = |name: &OsStr| name.as_bytes().ends_with(b".conf");
    let mut here = resolve_below(&search.root, dir);
    if search.layout == Layout::V5_38 {
        here = unfollowed(&search.root, dir);
        if !fs::symlink_metadata(&here)?.is_dir() {
            // A walk that starts at a file visits only that file.
            let itself = is_drop_in(dir.as_os_str()).then(|| dir.to_owned());
            return Ok(itself.into_iter().collect());
        }
    }
    let mut files = Vec::new();
    for entry in fs::read_dir(here)? {
        let entry = entry?;
        if is_drop_in(&entry.file_name()) && !entry.file_type()?.is_dir() {
            files.push(dir.join(entry.file_name()));
        }
    }
    files.sort_unstable();
    Ok(files)
}

fn read(root: &Path, path: &Path) -> Result<Vec<u8>, Error> {
    let failed = |source| unreadable(path, source);
    let here = resolve_below(root, path);
    // Opening a FIFO waits for a writer, which may never come.
    let metadata = fs::metadata(&here).map_err(failed)?;
    if metadata.file_type().is_fifo() {
        let pipe = io::Error::new(ErrorKind::InvalidInput, "it is a named pipe, not a file");
        return Err(failed(pipe));
    }
    let file = fs::File::open(here).map_err(failed)?;
    // With room for the read that finds the end.
    let expected = metadata.len().min(MAX_FILE).saturating_add(32);
    let mut content = Vec::with_capacity(usize::try_from(expected).unwrap_or_default());
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

fn unreadable(path: &Path, source: io::Error) -> Error {
    Error::Read {
        path: path.to_owned(),
        source,
    }
}
