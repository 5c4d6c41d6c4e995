//! The page of figures, `docs/performance.md`: only the text between markers is replaced.

use std::env::consts::ARCH;
use std::fs;
use std::path::{Path, PathBuf};
use std::thread;

use anyhow::{Context, Result};

/// The page, as it will be written.
pub(crate) struct Page {
    path: PathBuf,
    text: String,
}

impl Page {
    pub(crate) fn open() -> Result<Self> {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/performance.md");
        let text = fs::read_to_string(&path).with_context(|| path.display().to_string())?;
        Ok(Self { path, text })
    }

    /// Puts `content` between `<!-- begin NAME -->` and `<!-- end NAME -->`.
    pub(crate) fn put(&mut self, name: &str, content: &str) -> Result<()> {
        let (begin, end) = (
            format!("<!-- begin {name} -->\n"),
            format!("<!-- end {name} -->"),
        );
        let missing = || format!("the page has no markers for {name:?}");
        let (before, rest) = self.text.split_once(&begin).with_context(missing)?;
        let (_, after) = rest.split_once(&end).with_context(missing)?;
        let content = content.trim_end();
        self.text = format!("{before}{begin}\n{content}\n\n{end}{after}");
        Ok(())
    }

    pub(crate) fn draw(&self, name: &str, svg: &str) -> Result<()> {
        let directory = self.path.with_extension("");
        fs::create_dir_all(&directory)?;
        let path = directory.join(name).with_extension("svg");
        fs::write(&path, svg).with_context(|| path.display().to_string())
    }

    pub(crate) fn write(&self) -> Result<()> {
        fs::write(&self.path, &self.text).with_context(|| self.path.display().to_string())
    }
}

/// The machine in general terms.
pub(crate) fn machine() -> Result<String> {
    let cpus = fs::read_to_string("/proc/cpuinfo")?;
    let field = |name: &str| {
        let line = cpus.lines().find(|line| line.starts_with(name))?;
        line.split_once(':').map(|(_, value)| value.trim())
    };
    let cores = thread::available_parallelism()?;
    let model = field("model name").unwrap_or(ARCH);
    // "AMD EPYC", "Intel(R) Xeon(R)": the family is enough.
    let family: Vec<&str> = model.split_whitespace().take(2).collect();
    let virtual_machine = field("flags").is_some_and(|flags| flags.contains("hypervisor"));
    let release = fs::read_to_string("/proc/sys/kernel/osrelease")?;
    let kernel: Vec<&str> = release.trim().split('.').take(2).collect();
    let kind = if virtual_machine {
        "virtual machine"
    } else {
        "no virtual machine"
    };
    Ok(format!(
        "{cores} cores, {}, {kind}, Linux {}",
        family.join(" "),
        kernel.join(".")
    ))
}
