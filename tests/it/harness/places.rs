//! Places in the file system that go away with the guard: directories, and mounts on them.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use nix::mount::{MntFlags, umount2};

use super::cleaner;
use super::user::ORDINARY;

/// For a shell in a mount namespace of its own that is to compare mounts: lets go of those of other tests, which go when
/// their files are removed, at any time.
pub(crate) const WITHOUT_OTHERS: &str = "
        # Again, as one may be moved meanwhile.
        for time in 1 2 3; do
            cut -d ' ' -f 5 /proc/self/mountinfo | grep /nskit-test- | sort -r | while read -r mount; do
                # Blanks and the like are written as octal numbers there.
                umount -l \"$(printf \"$mount\")\" 2>/dev/null || true
            done
        done
";

/// A directory of a test's own, which every user may enter.
pub(crate) struct Place(tempfile::TempDir);

impl Place {
    /// A new one.
    pub(crate) fn new() -> Self {
        let dir = tempfile::Builder::new()
            .prefix("place-")
            .tempdir_in(cleaner::room())
            .expect("a temporary directory");
        let open = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(dir.path(), open).expect("our directory's mode can be set");
        Self(dir)
    }

    /// Gives it to the ordinary user of the tests.
    pub(crate) fn owned_by_ordinary(self) -> Self {
        if super::is_root() {
            std::os::unix::fs::chown(self.path(), Some(ORDINARY), Some(ORDINARY))
                .expect("root can chown");
        }
        self
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    /// A path in it, as text for scripts.
    pub(crate) fn at(&self, name: &str) -> String {
        let path = self.path().join(name);
        path.to_str()
            .expect("temporary directories have plain names")
            .to_owned()
    }

    /// A new file with these contents, and its path.
    pub(crate) fn file(&self, name: &str, contents: impl AsRef<[u8]>) -> String {
        std::fs::write(self.path().join(name), contents).expect("a file can be written");
        self.at(name)
    }

    /// A new executable file with these contents, and its path.
    ///
    /// Written by another process: a descriptor open for writing that another test's child inherits
    /// for a moment would make exec fail with ETXTBSY.
    pub(crate) fn script(&self, name: &str, contents: &str) -> String {
        let path = self.at(name);
        let done = std::process::Command::new("sh")
            .args([
                "-c",
                r#"printf %s "$2" >"$1"; chmod 755 "$1""#,
                "sh",
                &path,
                contents,
            ])
            .status()
            .expect("sh starts");
        assert!(done.success(), "cannot write {path}");
        path
    }

    /// A new directory, and its path.
    pub(crate) fn subdir(&self, name: &str) -> String {
        std::fs::create_dir_all(self.path().join(name)).expect("a directory can be made");
        self.at(name)
    }
}

/// A file or directory on which the tool under test mounts; unmounted at the end.
pub(crate) struct Mounted(PathBuf);

impl Mounted {
    /// Guards this path, whether something is mounted there yet or not.
    pub(crate) fn on(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        while umount2(&self.0, MntFlags::MNT_DETACH).is_ok() {}
    }
}
