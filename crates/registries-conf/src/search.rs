//! The search paths, as plain values: this module reads neither files nor the environment
//! of the process.
//!
//! Agrees with `newConfigWrapperWithHomeDir` of go.podman.io/image 5.38, and with
//! `getSearchPaths` of go.podman.io/storage/pkg/configfile, which later versions use.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    sync::Arc,
};

const NAME: &str = "registries.conf";
const DROP_INS: &str = "registries.conf.d";
/// The directory of drop-ins for root only; CRI-O runs as root.
const ROOTFUL_DROP_INS: &str = "registries.rootful.conf.d";
/// The administrator's files, and those of the distribution.
const ETC: &str = "/etc/containers";
const USR: &str = "/usr/share/containers";
/// The home directory if `HOME` is not set.
const ROOT_HOME: &str = "/root";

/// A generation of containers/image, which decides the search paths.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Layout {
    /// go.podman.io/image up to 5.39, and github.com/containers/image.
    ///
    /// A `registries.conf` in the home directory hides `/etc` with its drop-ins. Each
    /// directory of drop-ins is read separately: that of `/etc`, then that of the home
    /// directory.
    V5_38,
    /// go.podman.io/image 5.40 and later.
    ///
    /// The main file is the first of the home directory, `/etc` and `/usr/share`. The
    /// drop-ins of all directories are read in the order of their names; of those with
    /// the same name, the one in the directory with the highest precedence is read.
    V5_41,
}

/// Paths that the caller sets, as CRI-O does with its flags `--registries-conf` and
/// `--registries-conf-dir`. An empty path counts as not set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// The main file: `SystemRegistriesConfPath` of Go's `SystemContext`. It must exist.
    pub main: Option<PathBuf>,
    /// The only directory of drop-ins: `SystemRegistriesConfDirPath`.
    pub drop_in_dir: Option<PathBuf>,
}

/// The relevant environment variables of the process whose files are searched.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Environment {
    /// `CONTAINERS_REGISTRIES_CONF`: read instead of all other files but the override.
    /// It must exist. Ignored by [`Layout::V5_38`].
    pub registries_conf: Option<PathBuf>,
    /// `CONTAINERS_REGISTRIES_CONF_OVERRIDE`: read after all others. It must exist. Not
    /// known to [`Layout::V5_38`].
    pub registries_conf_override: Option<PathBuf>,
    /// `XDG_CONFIG_HOME`: used instead of `~/.config`. An empty one is the working
    /// directory. Ignored by [`Layout::V5_38`].
    pub xdg_config_home: Option<PathBuf>,
    /// `HOME`; if it is not set or empty, root's home `/root`.
    pub home: Option<PathBuf>,
}

/// A search for configuration files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Search {
    /// The generation of containers/image.
    pub layout: Layout,
    /// The paths that the caller sets.
    pub options: Options,
    /// The variables of the environment.
    pub environment: Environment,
    /// The directory that is used as `/`. Every path is looked up below it, the targets
    /// of symbolic links included.
    pub root: PathBuf,
    /// How to treat a main file in the first version of the format.
    pub v1: V1Format,
    /// How to treat a default directory that the process has no permission to read.
    pub denied: Denied,
}

/// How to treat a main file in the first version of the format, which has
/// `[registries.search]`, `[registries.insecure]` and `[registries.block]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum V1Format {
    /// Read it, as containers/image did before 5.40; [`Config::v1`](crate::Config::v1)
    /// returns its place.
    Accept,
    /// Fail, as containers/image does since then.
    Refuse,
}

/// How to treat a default directory that the process has no permission to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Denied {
    /// Fail, as containers/image does.
    Refuse,
    /// Leave it out, for programs that users other than root run;
    /// [`Config::denied`](crate::Config::denied) lists what was left out. Files and
    /// directories that the options or the environment name are never left out.
    LeaveOut,
}

/// All paths that will be searched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SearchPaths {
    /// The possible main files with their drop-in directories. The first that exists is
    /// used; if none exists, the directories of the last one are.
    pub main_files: Vec<MainFile>,
    /// Whether the caller or the environment names the main file, which must then exist.
    pub is_main_named: bool,
    /// Whether the caller names the directories.
    pub are_drop_ins_named: bool,
    /// A file that is read after all others, and must exist.
    pub last: Option<PathBuf>,
}

/// A main file, and its directories of drop-ins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MainFile {
    /// The main file.
    pub path: PathBuf,
    /// The directories, lowest precedence first.
    pub drop_in_dirs: Arc<[PathBuf]>,
}

impl Environment {
    /// The variables in the order of the fields.
    pub const VARIABLES: [&str; 4] = [
        "CONTAINERS_REGISTRIES_CONF",
        "CONTAINERS_REGISTRIES_CONF_OVERRIDE",
        "XDG_CONFIG_HOME",
        "HOME",
    ];

    /// Takes the environment from `value`, which returns the value of a variable.
    pub fn new(value: impl Fn(&str) -> Option<OsString>) -> Self {
        let [main, last, config, home] = Self::VARIABLES.map(|name| value(name).map(PathBuf::from));
        Self {
            registries_conf: main,
            registries_conf_override: last,
            xdg_config_home: config,
            home,
        }
    }

    /// The values, in the order of [`VARIABLES`](Self::VARIABLES).
    pub fn values(&self) -> [Option<&Path>; 4] {
        [
            &self.registries_conf,
            &self.registries_conf_override,
            &self.xdg_config_home,
            &self.home,
        ]
        .map(Option::as_deref)
    }

    /// The home directory.
    fn home(&self) -> &Path {
        named(self.home.as_ref()).unwrap_or(Path::new(ROOT_HOME))
    }
}

impl Search {
    /// A search on this node, below `/`, that refuses what containers/image of this
    /// generation refuses.
    pub fn new(layout: Layout, options: Options, environment: Environment) -> Self {
        Self {
            layout,
            options,
            environment,
            root: PathBuf::from("/"),
            v1: match layout {
                Layout::V5_38 => V1Format::Accept,
                Layout::V5_41 => V1Format::Refuse,
            },
            denied: Denied::Refuse,
        }
    }

    /// The search paths.
    pub fn paths(&self) -> SearchPaths {
        match self.layout {
            Layout::V5_38 => self.paths_5_38(),
            Layout::V5_41 => self.paths_5_41(),
        }
    }

    fn paths_5_38(&self) -> SearchPaths {
        let home = self.environment.home().join(".config/containers");
        let etc = Path::new(ETC);
        let dir = named(self.options.drop_in_dir.as_ref());
        let dirs = |default: &[&Path]| match dir {
            Some(dir) => Arc::from([dir.to_owned()]),
            None => default.iter().map(|of| of.join(DROP_INS)).collect(),
        };
        let all = dirs(&[etc, &home]);
        let main = named(self.options.main.as_ref());
        SearchPaths {
            main_files: match main {
                Some(main) => vec![MainFile::new(main.to_owned(), &all)],
                None => vec![
                    MainFile::new(home.join(NAME), &dirs(&[&home])),
                    MainFile::new(etc.join(NAME), &all),
                ],
            },
            is_main_named: main.is_some(),
            are_drop_ins_named: dir.is_some(),
            last: None,
        }
    }

    fn paths_5_41(&self) -> SearchPaths {
        let environment = &self.environment;
        let home = match &environment.xdg_config_home {
            Some(config) => config.join("containers"),
            None => environment.home().join(".config/containers"),
        };
        let (etc, usr) = (Path::new(ETC), Path::new(USR));
        let dir = named(self.options.drop_in_dir.as_ref());
        let option = named(self.options.main.as_ref());
        let variable = named(environment.registries_conf.as_ref()).filter(|_| option.is_none());
        let dirs = match (variable, dir) {
            (Some(_), _) => Arc::from([]),
            (None, Some(dir)) => Arc::from([dir.to_owned()]),
            (None, None) => Arc::from([
                usr.join(DROP_INS),
                usr.join(ROOTFUL_DROP_INS),
                etc.join(DROP_INS),
                etc.join(ROOTFUL_DROP_INS),
                home.join(DROP_INS),
            ]),
        };
        let main = option.or(variable);
        let of = |main| MainFile::new(main, &dirs);
        SearchPaths {
            main_files: match main {
                Some(main) => vec![of(main.to_owned())],
                None => [&home, etc, usr].map(|dir| of(dir.join(NAME))).into(),
            },
            is_main_named: main.is_some(),
            are_drop_ins_named: dir.is_some(),
            last: named(environment.registries_conf_override.as_ref())
                .filter(|_| dir.is_none())
                .map(Path::to_owned),
        }
    }
}

impl MainFile {
    fn new(path: PathBuf, drop_in_dirs: &Arc<[PathBuf]>) -> Self {
        Self {
            path,
            drop_in_dirs: Arc::clone(drop_in_dirs),
        }
    }
}

fn named(path: Option<&PathBuf>) -> Option<&Path> {
    path.map(PathBuf::as_path)
        .filter(|path| !path.as_os_str().is_empty())
}
