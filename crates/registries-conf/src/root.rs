//! Paths below a directory that is used as `/`, as after `chroot`.

use std::{
    borrow::Cow,
    ffi::OsString,
    fs,
    path::{Component, Path},
};

/// The most symbolic links on the way to a file, as in Linux.
const MAX_LINKS: usize = 40;

/// The real path of `path`, for which `root` is `/`.
///
/// Symbolic links are followed and stay below `root`, absolute ones included, and `..`
/// does not leave it. Missing components are appended unresolved, and so is a link after
/// too many others. With `/` as the root the path is returned unchanged.
pub fn resolve_below<'p>(root: &Path, path: &'p Path) -> Cow<'p, Path> {
    if root == Path::new("/") {
        return Cow::Borrowed(path);
    }
    let mut rest = reversed(path);
    let mut resolved = root.to_owned();
    let mut links = 0;
    while let Some(name) = rest.pop() {
        if name == ".." {
            if resolved != root {
                resolved.pop();
            }
            continue;
        }
        let next = resolved.join(&name);
        match fs::read_link(&next) {
            Ok(target) if links < MAX_LINKS => {
                links += 1;
                if target.is_absolute() {
                    root.clone_into(&mut resolved);
                }
                rest.extend(reversed(&target));
            }
            _ => resolved = next,
        }
    }
    Cow::Owned(resolved)
}

/// The same, but a symbolic link at the end of the path is not followed.
pub(crate) fn unfollowed<'p>(root: &Path, path: &'p Path) -> Cow<'p, Path> {
    match (path.parent(), path.file_name()) {
        (Some(parent), Some(name)) if root != Path::new("/") => {
            Cow::Owned(resolve_below(root, parent).join(name))
        }
        _ => resolve_below(root, path),
    }
}

/// The components of a path, the last one first.
fn reversed(path: &Path) -> Vec<OsString> {
    let components = path.components().rev();
    components
        .filter_map(|component| match component {
            Component::Normal(name) => Some(name.to_owned()),
            Component::ParentDir => Some("..".into()),
            Component::Prefix(_) | Component::RootDir | Component::CurDir => None,
        })
        .collect()
}
