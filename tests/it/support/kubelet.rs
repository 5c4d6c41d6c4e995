//! kubelet and CRI-O, as far as the auth file is concerned. Each pod start runs the
//! provider, announces its pull, waits in the queue of pulls, and pulls with the file
//! that exists then.

#![expect(clippy::disallowed_methods, reason = "lays out the node")]

use std::fs;
use std::io::ErrorKind;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::thread::sleep;
use std::time::Duration;

use serde_json::{Value, json};

use super::node::{AUTH_DIR, PULL_INTENTS};
use super::{NGINX, Node, Outcome, Provider, Request};

/// The image as a pod has it.
const IMAGE: &str = "nginx:1";
/// The name of its record.
const RECORD: &str = "sha256-ea996a051ac10cd365fd9c754b6fd92220b8a7976eb415e47f2a26560aef5434";

/// One kubelet and its CRI-O.
pub(crate) struct Kubelet<'a> {
    node: &'a Node,
    provider: Provider,
    keeps_records: bool,
    queue: Option<Mutex<()>>,
    pull: Duration,
    lag: Duration,
    announced: Mutex<usize>,
    responses: AtomicU32,
    pulls: AtomicUsize,
}

impl<'a> Kubelet<'a> {
    /// A kubelet that pulls one image after the other, as by default; each pull takes a
    /// moment.
    pub(crate) fn new(node: &'a Node, provider: Provider) -> Self {
        fs::create_dir_all(node.path(PULL_INTENTS)).unwrap();
        Self {
            node,
            provider,
            keeps_records: true,
            queue: Some(Mutex::new(())),
            pull: Duration::from_millis(50),
            lag: Duration::ZERO,
            announced: Mutex::new(0),
            responses: AtomicU32::new(0),
            pulls: AtomicUsize::new(0),
        }
    }

    /// `serializeImagePulls: false`.
    pub(crate) fn parallel(mut self) -> Self {
        self.queue = None;
        self
    }

    /// Sets the duration of every pull.
    pub(crate) fn pulls_for(mut self, pull: Duration) -> Self {
        self.pull = pull;
        self
    }

    /// How long it takes at most from the provider's response to the announcement of a
    /// pull: every pod another part of it.
    pub(crate) fn announces_within(mut self, lag: Duration) -> Self {
        self.lag = lag;
        self
    }

    /// Without the feature `KubeletEnsureSecretPulledImages`.
    pub(crate) fn without_records(mut self) -> Self {
        fs::remove_dir_all(self.node.path(PULL_INTENTS)).unwrap();
        self.keeps_records = false;
        self
    }

    /// A pod start that pulls: the provider's outcome, and the auth file that the pull
    /// found.
    pub(crate) fn pull(&self, request: &Request) -> (Outcome, Option<Value>) {
        let outcome = self.provider.serve(request);
        let number = self.responses.fetch_add(1, Ordering::Relaxed);
        sleep(self.lag * (number * 7 % 11) / 10);
        (outcome, self.pull_image(self.pull))
    }

    /// A pull, with the auth file if there is one.
    pub(crate) fn pull_image(&self, pull: Duration) -> Option<Value> {
        self.announce();
        let file = {
            let _turn = self.queue.as_ref().map(|queue| queue.lock().unwrap());
            let taken = self.take();
            sleep(pull);
            taken.map(|path| {
                let file = fs::read(&path).unwrap();
                fs::remove_file(path).unwrap();
                serde_json::from_slice(&file).unwrap()
            })
        };
        self.pulled();
        file
    }

    /// CRI-O renames the file into `in-use`.
    fn take(&self) -> Option<PathBuf> {
        let number = self.pulls.fetch_add(1, Ordering::Relaxed);
        let file = self.node.auth_path(NGINX);
        let stem = file.file_stem().unwrap().to_str().unwrap();
        let in_use = self.node.path(AUTH_DIR).join("in-use");
        fs::create_dir_all(&in_use).unwrap();
        let taken = in_use.join(format!("{stem}-00000000-0000-4000-8000-{number:012}.json"));
        match fs::rename(&file, &taken) {
            Ok(()) => Some(taken),
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => panic!("{error}"),
        }
    }

    fn announce(&self) {
        let mut announced = self.announced.lock().unwrap();
        *announced += 1;
        if self.keeps_records {
            let record = json!({
                "kind": "ImagePullIntent",
                "apiVersion": "kubelet.config.k8s.io/v1beta1",
                "image": IMAGE,
            });
            let path = self.node.path(PULL_INTENTS).join(RECORD);
            let temporary = path.with_extension("tmp");
            fs::write(&temporary, record.to_string()).unwrap();
            fs::rename(temporary, path).unwrap();
        }
    }

    fn pulled(&self) {
        let mut announced = self.announced.lock().unwrap();
        *announced -= 1;
        if self.keeps_records && *announced == 0 {
            fs::remove_file(self.node.path(PULL_INTENTS).join(RECORD)).unwrap();
        }
    }
}
