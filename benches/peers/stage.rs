//! What the cases play on: the tools under names of their own, a user, a process whose namespaces are
//! entered.
//!
//! The hard thing: nothing of it may stay behind. All mounts, the one over /etc among them, are
//! made in a mount namespace of our own, which ends with us.

use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use nix::mount::{MsFlags, mount};
use tempfile::TempDir;

/// The stage; dropping it takes everything down.
pub(crate) struct Stage {
    /// The process in namespaces of its own.
    pub(crate) holder: Holder,
    /// A file on which its network namespace is bound.
    pub(crate) network: PathBuf,
    /// The ordinary user's ID, and group ID.
    pub(crate) uid: u32,
    /// The first subordinate ID of that user, and how many.
    pub(crate) range: (u32, u32),
    /// Who is compared: the limit program is not among them.
    pub(crate) contenders: Vec<Contender>,
    directory: TempDir,
}

/// Whose tools are measured.
pub(crate) struct Contender {
    /// The name in the table.
    pub(crate) name: String,
    /// The directory with `unshare` and `nsenter` in it.
    pub(crate) directory: PathBuf,
    /// The first line that `unshare --version` prints, if it does.
    pub(crate) version: String,
}

/// The name of our own tools in the table.
pub(crate) const OURS: &str = "nskit";
/// The name of util-linux as installed.
pub(crate) const INSTALLED: &str = "util-linux";
/// More peers: `NAME=DIRECTORY`, with commas between them.
const MORE_PEERS: &str = "NSKIT_BENCH_PEERS";
/// A user and group ID that nobody has, and subordinate IDs that nobody was given.
const UID: u32 = 60_199;
const RANGE: (u32, u32) = (1_700_000_000, 65_536);

impl Stage {
    /// Sets the stage.
    ///
    /// # Errors
    /// When we are not root, or something that it needs is not there.
    pub(crate) fn set(release: &Path) -> io::Result<Stage> {
        // In a mount namespace of our own, from which nothing comes out.
        nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNS)?;
        let private = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
        mount(None::<&str>, "/", None::<&str>, private, None::<&str>)?;
        let directory = tempfile::Builder::new().prefix("nskit-bench-").tempdir()?;
        let at = directory.path();
        std::fs::set_permissions(at, PermissionsExt::from_mode(0o755))?;
        add_user(at)?;
        compile(at)?;
        // The worker is this program itself, where every user can reach it.
        std::fs::copy(std::env::current_exe()?, at.join("worker"))?;
        let holder = Holder::new(&at.join("limit"))?;
        let network = at.join("network");
        std::fs::write(&network, "")?;
        bind(Path::new(&format!("/proc/{}/ns/net", holder.pid)), &network)?;
        Ok(Stage {
            holder,
            network,
            uid: UID,
            range: RANGE,
            contenders: contenders(at, release)?,
            directory,
        })
    }

    /// A file of the stage: `limit`, `program`, `worker`.
    pub(crate) fn at(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// How many bytes our `unshare` prints when it is given this option.
    pub(crate) fn length_of(&self, option: &str) -> usize {
        let tool = self.contenders[0].directory.join("unshare");
        let output = Command::new(tool).arg(option).output();
        output.map_or(0, |output| output.stdout.len())
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        // What is mounted on cannot be removed with the directory.
        let _ = nix::mount::umount(&self.network);
    }
}

/// Adds the ordinary user to the databases of users, as this mount namespace sees them.
///
/// All of /etc is a copy here: a mount over /etc/passwd alone would be gone when somebody else on the
/// machine adds a user, because that replaces the file.
fn add_user(at: &Path) -> io::Result<()> {
    let etc = at.join("etc");
    let status = Command::new("cp")
        .arg("-a")
        .arg("/etc")
        .arg(&etc)
        .status()?;
    if !status.success() {
        return Err(io::Error::other("cp: cannot copy /etc"));
    }
    let (first, count) = RANGE;
    let range = format!("{UID}:{first}:{count}\n");
    for (file, line) in [
        ("passwd", format!("nskit-bench:x:{UID}:{UID}::/:/bin/sh\n")),
        ("group", format!("nskit-bench:x:{UID}:\n")),
        ("subuid", range.clone()),
        ("subgid", range),
    ] {
        let mut options = std::fs::OpenOptions::new();
        let mut copy = options.append(true).create(true).open(etc.join(file))?;
        copy.write_all(line.as_bytes())?;
    }
    bind(&etc, Path::new("/etc"))
}

fn bind(from: &Path, on: &Path) -> io::Result<()> {
    let flags = MsFlags::MS_BIND;
    Ok(mount(Some(from), on, None::<&str>, flags, None::<&str>)?)
}

/// Compiles the limit program and the program that every run starts, without a C library.
fn compile(at: &Path) -> io::Result<()> {
    let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/peers/limit");
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    for (source, output) in [("limit.rs", "limit"), ("program.rs", "program")] {
        // One segment, which one page fault brings in: the least that the kernel can start.
        let status = Command::new(&rustc)
            .args(["--edition=2024", "-Copt-level=s", "-Cpanic=abort"])
            .args(["-Crelocation-model=static", "-Cstrip=symbols"])
            .args(["-Cforce-unwind-tables=no", "-Clink-arg=-nostartfiles"])
            .args(["-Clink-arg=-nostdlib", "-Clink-arg=-static"])
            .args(["-Clink-arg=-Wl,--build-id=none,-N", "-o"])
            .arg(at.join(output))
            .arg(sources.join(source))
            .status()?;
        if !status.success() {
            return Err(io::Error::other(format!("{source} does not compile")));
        }
    }
    Ok(())
}

/// Every contender on this machine, ourselves first.
fn contenders(at: &Path, release: &Path) -> io::Result<Vec<Contender>> {
    let mut found = vec![linked(at, OURS, release)?];
    // Another unshare, such as our own, may be installed in front of it.
    let installed = path()
        .into_iter()
        .map(|directory| Contender::new(INSTALLED, directory))
        .find(|contender| contender.version.contains("util-linux"));
    found.extend(installed);
    for name in ["busybox", "toybox"] {
        if let Some(tool) = find(name) {
            found.push(linked(at, name, &tool)?);
        }
    }
    let more = std::env::var(MORE_PEERS).unwrap_or_default();
    for peer in more.split(',').filter(|peer| !peer.is_empty()) {
        let Some((name, directory)) = peer.split_once('=') else {
            let text = format!("{MORE_PEERS}: '{peer}' is not NAME=DIRECTORY");
            return Err(io::Error::other(text));
        };
        found.push(copied(at, name, Path::new(directory))?);
    }
    Ok(found)
}

/// A contender that is one binary with many names.
fn linked(at: &Path, name: &str, binary: &Path) -> io::Result<Contender> {
    let directory = at.join(format!("tools-{name}"));
    std::fs::create_dir(&directory)?;
    copy(binary, &directory.join(name))?;
    for applet in ["unshare", "nsenter"] {
        symlink(name, directory.join(applet))?;
    }
    Ok(Contender::new(name, directory))
}

/// A contender that is one binary a name.
fn copied(at: &Path, name: &str, from: &Path) -> io::Result<Contender> {
    let directory = at.join(format!("tools-{name}"));
    std::fs::create_dir(&directory)?;
    for applet in ["unshare", "nsenter"] {
        copy(&from.join(applet), &directory.join(applet))?;
    }
    Ok(Contender::new(name, directory))
}

/// A copy where every user can reach it, in the state of a file that was installed before the last boot.
///
/// What was just written is in the page cache in large folios, which are mapped at once; what is read
/// in by running it is there page by page. That makes 30 µs a start, so it must be the same for all.
fn copy(from: &Path, to: &Path) -> io::Result<()> {
    std::fs::copy(from, to)?;
    let file = std::fs::File::open(to)?;
    file.sync_all()?;
    use nix::fcntl::{PosixFadviseAdvice, posix_fadvise};
    posix_fadvise(&file, 0, 0, PosixFadviseAdvice::POSIX_FADV_DONTNEED)?;
    Ok(())
}

impl Contender {
    fn new(name: &str, directory: PathBuf) -> Contender {
        let output = Command::new(directory.join("unshare"))
            .arg("--version")
            .output();
        let version = output.map_or(String::new(), |output| {
            let text = String::from_utf8_lossy(&output.stdout);
            text.lines().next().unwrap_or_default().to_owned()
        });
        Contender {
            name: name.to_owned(),
            directory,
            version,
        }
    }
}

/// The directories of `PATH`.
fn path() -> Vec<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).collect()
}

/// The path of a program, looked up in `PATH`.
fn find(name: &str) -> Option<PathBuf> {
    path()
        .into_iter()
        .map(|directory| directory.join(name))
        .find(|file| file.is_file())
}

/// A process in seven namespaces of its own, all but a user namespace; dropping this ends it.
pub(crate) struct Holder {
    /// Its process ID.
    pub(crate) pid: u32,
    /// Its parent, with which it ends.
    parent: Child,
}

impl Holder {
    fn new(limit: &Path) -> io::Result<Holder> {
        let mut parent = Command::new(limit)
            .args(["unshare", "6e020080", "private", "hold"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut line = String::new();
        if let Some(output) = parent.stdout.take() {
            BufReader::new(output).read_line(&mut line)?;
        }
        match line.trim().parse() {
            Ok(pid) => Ok(Holder { pid, parent }),
            Err(error) => {
                parent.kill()?;
                parent.wait()?;
                Err(io::Error::other(format!("no process to enter: {error}")))
            }
        }
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        // Nothing can be done when it has ended already.
        let _ = self.parent.kill();
        let _ = self.parent.wait();
    }
}
