//! The registries.conf files that CRI-O reads: their paths, and their content.

use std::path::PathBuf;

use registries_conf::{
    Config, Denied, Environment, Error, Layout, Options, Search, UnknownKey, V1Format,
};
use tracing::{debug, warn};

use crate::crio;

/// The settings that decide which files CRI-O reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lookup {
    /// The generation of containers/image in CRI-O; `None` to choose it by CRI-O's
    /// version file.
    pub layout: Option<Layout>,
    /// The paths in CRI-O's flags.
    pub options: Options,
    /// CRI-O's environment variables.
    pub environment: Environment,
    /// The directory that is used as `/`.
    pub root: PathBuf,
}

impl Lookup {
    /// The paths at which the CRI-O on this node looks for the files.
    ///
    /// If neither a flag nor a version file gives CRI-O's version, a v1 file is accepted,
    /// as older versions do.
    pub fn search(&self) -> Search {
        let known = self
            .layout
            .or_else(|| Some(crio::layout(crio::running_version(&self.root)?)));
        let layout = known.unwrap_or(Layout::V5_41);
        debug!(
            ?layout,
            is_known = known.is_some(),
            "search for registries.conf"
        );
        let mut search = Search::new(layout, self.options.clone(), self.environment.clone());
        search.root.clone_from(&self.root);
        if known.is_none() {
            search.v1 = V1Format::Accept;
        }
        search
    }

    /// Reads the files as CRI-O does.
    ///
    /// # Errors
    /// A file that cannot be read, or that CRI-O would refuse.
    pub fn load(&self) -> Result<Config, Error> {
        read(&self.search())
    }

    /// Reads the files for a user who need not be root: leaves out, with a warning, the
    /// default directories that only root may read.
    ///
    /// # Errors
    /// As for [`load`](Self::load), for all other files.
    pub fn load_by_hand(&self) -> Result<Config, Error> {
        let mut search = self.search();
        search.denied = Denied::LeaveOut;
        read(&search)
    }

    /// The keys that CRI-O ignores silently, in the files that can be read.
    ///
    /// # Errors
    /// As for [`load_by_hand`](Self::load_by_hand).
    pub fn unknown_keys(&self) -> Result<Vec<UnknownKey>, Error> {
        let mut search = self.search();
        search.denied = Denied::LeaveOut;
        search.unknown_keys()
    }
}

fn read(search: &Search) -> Result<Config, Error> {
    let config = Config::load(search)?;
    for path in config.denied() {
        warn!(
            "leave out {path:?}, which CRI-O reads if it exists: permission denied; run this as root"
        );
    }
    if let Some(origin) = config.v1() {
        warn!(
            "{origin}: the v1 format is refused by CRI-O from 1.38 on: write unqualified-search-registries and [[registry]] instead"
        );
    }
    Ok(config)
}

#[cfg(test)]
mod tests {
    use std::fs::{File, create_dir_all};
    use std::io::Write;

    use super::*;

    /// The layout of a node with these files, and whether a v1 file is accepted.
    fn found(files: &[(&str, &str)]) -> (Layout, V1Format) {
        let node = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = node.path().join(path);
            create_dir_all(path.parent().unwrap()).unwrap();
            let mut file = File::create(path).unwrap();
            file.write_all(text.as_bytes()).unwrap();
        }
        let lookup = Lookup {
            layout: None,
            options: Options::default(),
            environment: Environment::default(),
            root: node.path().to_owned(),
        };
        let search = lookup.search();
        (search.layout, search.v1)
    }

    #[test]
    fn the_layout_is_that_of_the_version_of_cri_o() {
        const OLDER: (Layout, V1Format) = (Layout::V5_38, V1Format::Accept);
        const NEWER: (Layout, V1Format) = (Layout::V5_41, V1Format::Refuse);
        const UNKNOWN: (Layout, V1Format) = (Layout::V5_41, V1Format::Accept);
        const DEFAULT: &str = "var/run/crio/version";
        const CONF: &str = "etc/crio/crio.conf";
        let elsewhere = "[crio]\nversion_file = \"/elsewhere\"\n";
        let commented = "[crio]\n# version_file = \"/elsewhere\"\n";
        for (name, files, expected) in [
            ("no CRI-O", &[][..], UNKNOWN),
            ("1.34", &[(DEFAULT, "\"1.34.3+abcdef\"")], OLDER),
            ("1.37", &[(DEFAULT, "\"1.37.99\"")], OLDER),
            ("1.38", &[(DEFAULT, "\"1.38.0\"")], NEWER),
            ("2.0", &[(DEFAULT, "\"2.0.0\"")], NEWER),
            ("not a version", &[(DEFAULT, "1.34.3")], UNKNOWN),
            (
                "another file",
                &[
                    (CONF, elsewhere),
                    ("elsewhere", "\"1.36.0\""),
                    (DEFAULT, "\"1.38.0\""),
                ],
                OLDER,
            ),
            (
                "another file in a drop-in, which counts more, in another case",
                &[
                    (CONF, elsewhere),
                    ("elsewhere", "\"1.38.0\""),
                    (
                        "etc/crio/crio.conf.d/10.conf",
                        "crio = { Version_File = \"/third\" }",
                    ),
                    ("third", "\"1.36.0\""),
                ],
                OLDER,
            ),
            (
                "no file",
                &[
                    (CONF, "[crio]\nversion_file = \"\"\n"),
                    (DEFAULT, "\"1.36.0\""),
                ],
                UNKNOWN,
            ),
            (
                "a comment",
                &[(CONF, commented), (DEFAULT, "\"1.36.0\"")],
                OLDER,
            ),
            (
                "a broken configuration",
                &[(CONF, "version_file = [\n"), (DEFAULT, "\"1.36.0\"")],
                OLDER,
            ),
        ] {
            assert_eq!(found(files), expected, "{name}");
        }
    }
}
