//! Boots a kernel under QEMU's emulation with all cases in its initial file system, and reads what came of each.
//!
//! The hard thing: the console is the only way out, and the kernel writes on it too. So what a case said travels as
//! one line in base64, and a line at the end tells an end from a panic.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use crate::case::{Case, User, Version};
use crate::{cases, guest};

/// How long a machine may run: seconds on a machine of today; the emulated one may be 20 times slower, and one more
/// for what else runs beside it.
const LIMIT: Duration = Duration::from_secs(1200);

/// What begins the lines of ours on the console.
pub(crate) const MARK: &str = "@nskit";

/// Whether a test of this name is asked for.
pub(crate) type Wanted = dyn Fn(&str) -> bool + Send + Sync;

const SELINUX: &str = "selinux=1 security=selinux enforcing=1";
const NAMESPACES: &str = "-m -u -i -n -C";
const APPARMOR: &str = "apparmor=1 security=apparmor";

/// A kernel that is booted.
pub(crate) struct Kernel {
    /// What it is called in tests.
    pub(crate) name: &'static str,
    /// Its directory in `.kernels`.
    dir: &'static str,
    pub(crate) arch: &'static str,
    /// The words of its command line that say which security module there is.
    security: &'static str,
    /// What nskit makes as PID 1.
    namespaces: &'static str,
    /// What is tried on it.
    cases: fn() -> Vec<Case>,
    qemu: &'static [&'static str],
    console: &'static str,
    /// The variable that names the static release binary for it.
    pub(crate) release: &'static str,
    booted: OnceLock<Result<Booted, String>>,
}

impl Kernel {
    /// Debian's.
    pub(crate) const fn x86_64(name: &'static str) -> Self {
        Self::pc(name, name, APPARMOR, cases::all)
    }

    /// Built by us, without some kinds of namespaces.
    pub(crate) const fn small(
        name: &'static str,
        namespaces: &'static str,
        cases: fn() -> Vec<Case>,
    ) -> Self {
        let mut kernel = Self::pc(name, name, "", cases);
        kernel.namespaces = namespaces;
        kernel
    }

    /// Debian's of that directory, with SELinux and our policy.
    pub(crate) const fn selinux(name: &'static str, dir: &'static str) -> Self {
        Self::pc(name, dir, SELINUX, cases::selinux)
    }

    const fn pc(
        name: &'static str,
        dir: &'static str,
        security: &'static str,
        cases: fn() -> Vec<Case>,
    ) -> Self {
        Self {
            name,
            dir,
            arch: "x86_64",
            security,
            namespaces: NAMESPACES,
            cases,
            qemu: &["qemu-system-x86_64", "-machine", "q35", "-cpu", "max"],
            console: "ttyS0",
            release: "NSKIT_RELEASE",
            booted: OnceLock::new(),
        }
    }

    pub(crate) const fn aarch64(name: &'static str) -> Self {
        Self {
            name,
            dir: name,
            arch: "aarch64",
            security: APPARMOR,
            namespaces: NAMESPACES,
            cases: cases::all,
            qemu: &[
                "qemu-system-aarch64",
                "-machine",
                "virt",
                "-cpu",
                "cortex-a72",
            ],
            console: "ttyAMA0",
            release: "NSKIT_RELEASE_AARCH64",
            booted: OnceLock::new(),
        }
    }

    fn dir(&self) -> PathBuf {
        guest::kernels().join(self.dir)
    }

    /// What is tried on it: each case, by each of its users.
    pub(crate) fn tries(&self) -> impl Iterator<Item = (Case, User)> {
        let each = |case: Case| {
            let users = case.users.clone();
            users.into_iter().map(move |user| (case.clone(), user))
        };
        (self.cases)().into_iter().flat_map(each)
    }

    /// What the test of this case is called.
    pub(crate) fn test_name(&self, case: &Case, user: User) -> String {
        format!("{}::{}::{}", self.name, user.word(), case.name)
    }

    /// A file of its modules, if it is not built in.
    pub(crate) fn module(&self, name: &str) -> Option<PathBuf> {
        Some(self.dir().join(format!("{name}.ko"))).filter(|path| path.is_file())
    }

    /// The static release binary that runs on it.
    pub(crate) fn nskit(&self) -> PathBuf {
        std::env::var_os(self.release).map_or_else(PathBuf::new, PathBuf::from)
    }

    pub(crate) fn has_selinux(&self) -> bool {
        self.security == SELINUX
    }

    /// What is missing to boot it.
    pub(crate) fn lacks(&self) -> Option<String> {
        let make = "make test-kernels";
        if std::env::var_os(self.release).is_none() {
            let what = "the path of a static release build";
            return Some(format!("{}, {what} ({make} has it)", self.release));
        }
        let compiler = self.has_selinux().then_some("secilc");
        for program in [self.qemu[0], "cpio"].into_iter().chain(compiler) {
            if !in_path(program) {
                return Some(program.to_owned());
            }
        }
        let guest = guest::kernels().join(format!("guest-{}", self.arch));
        [self.dir().join("vmlinuz"), guest]
            .into_iter()
            .find(|path| !path.exists())
            .map(|path| format!("{} ({make} gets it)", path.display()))
    }

    /// What came of the cases; boots when first asked.
    pub(crate) fn booted(&self, wanted: &Wanted) -> Result<&Booted, &str> {
        self.booted
            .get_or_init(|| self.boot(wanted))
            .as_ref()
            .map_err(String::as_str)
    }

    fn boot(&self, wanted: &Wanted) -> Result<Booted, String> {
        let place = tempfile::tempdir().map_err(|error| error.to_string())?;
        let tries: Vec<_> = self
            .tries()
            .filter(|(case, user)| wanted(&self.test_name(case, *user)))
            .collect();
        let image = guest::image(self, &tries, place.path())?;
        let console = self.run(&image, "rdinit=/init", &place.path().join("console"))?;
        Booted::read(&console)
    }

    /// Boots it as PID 1 of its initial file system, and gives what the console said.
    pub(crate) fn boot_as_init(&self) -> Result<String, String> {
        let place = tempfile::tempdir().map_err(|error| error.to_string())?;
        let image = guest::image(self, &[], place.path())?;
        let words = format!(
            "rdinit=/bin/unshare -- {} --mount-proc /bin/sh /as-init",
            self.namespaces
        );
        self.run(&image, &words, &place.path().join("console"))
    }

    /// Runs the machine to its end; `words` are the last ones of the kernel's command line.
    fn run(&self, image: &Path, words: &str, console: &Path) -> Result<String, String> {
        let log = std::fs::File::create(console).map_err(|error| error.to_string())?;
        let again = log.try_clone().map_err(|error| error.to_string())?;
        let child = Command::new(self.qemu[0])
            .args(&self.qemu[1..])
            .args(["-m", "512", "-nodefaults", "-nographic", "-no-reboot"])
            .args(["-serial", "stdio", "-kernel"])
            .arg(self.dir().join("vmlinuz"))
            .arg("-initrd")
            .arg(image)
            .arg("-append")
            .arg(format!(
                "console={} loglevel=4 panic=-1 mitigations=off {} {words}",
                self.console, self.security
            ))
            .stdin(Stdio::null())
            .stdout(Stdio::from(log))
            .stderr(Stdio::from(again))
            .spawn()
            .map_err(|error| format!("{}: {error}", self.qemu[0]))?;
        let ended = Machine(child).wait();
        let mut text = Vec::new();
        std::fs::File::open(console)
            .and_then(|file| file.take(64 << 20).read_to_end(&mut text))
            .map_err(|error| error.to_string())?;
        let text = String::from_utf8_lossy(&text).replace('\r', "");
        match ended {
            Ok(()) if !text.contains("Kernel panic") => Ok(text),
            Ok(()) => Err(format!("the kernel panicked:\n{}", tail(&text))),
            Err(why) => Err(format!("{why}:\n{}", tail(&text))),
        }
    }
}

/// A running machine, which ends with its guard.
struct Machine(Child);

impl Machine {
    fn wait(mut self) -> Result<(), String> {
        let begun = Instant::now();
        while begun.elapsed() < LIMIT {
            match self.0.try_wait() {
                Ok(Some(status)) if status.success() => return Ok(()),
                Ok(Some(status)) => return Err(format!("QEMU ended: {status}")),
                Ok(None) => std::thread::sleep(Duration::from_millis(20)),
                Err(error) => return Err(error.to_string()),
            }
        }
        Err(format!("still running after {LIMIT:?}"))
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

/// The last lines of the console.
pub(crate) fn tail(text: &str) -> String {
    let lines: Vec<_> = text
        .lines()
        .filter(|line| !line.starts_with(MARK))
        .collect();
    lines[lines.len().saturating_sub(40)..].join("\n")
}

fn in_path(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|dir| dir.join(program).is_file())
}

/// What came of a case.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) status: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// What a machine said.
pub(crate) struct Booted {
    pub(crate) version: Version,
    outcomes: BTreeMap<String, Outcome>,
}

impl Booted {
    fn read(console: &str) -> Result<Self, String> {
        let mut version = None;
        let mut outcomes = BTreeMap::new();
        let mut ended = false;
        for line in console.lines() {
            // A line of the kernel may stand in front, unfinished.
            let Some((_, rest)) = line.split_once(MARK) else {
                continue;
            };
            let words: Vec<_> = rest.trim().split(' ').collect();
            match words[..] {
                ["kernel", release] => version = Version::of(release),
                ["case", name, status, _uptime, out, err] => {
                    let outcome = Outcome {
                        status: status.parse().map_err(|_| format!("no status: {line}"))?,
                        out: decoded(out)?,
                        err: decoded(err)?,
                    };
                    outcomes.insert(name.to_owned(), outcome);
                }
                ["end"] => ended = true,
                _ => return Err(format!("not understood: {line}")),
            }
        }
        match version {
            Some(version) if ended => Ok(Self { version, outcomes }),
            _ => Err(format!(
                "the machine did not come to its end:\n{}",
                tail(console)
            )),
        }
    }

    pub(crate) fn outcome(&self, name: &str) -> Result<&Outcome, String> {
        self.outcomes
            .get(name)
            .ok_or_else(|| format!("the machine says nothing of {name}"))
    }
}

/// `=` and base64, as busybox makes it; an empty text has only the sign.
fn decoded(text: &str) -> Result<String, String> {
    let bad = || format!("not base64: {text}");
    let mut bytes = Vec::new();
    let text = text.strip_prefix('=').ok_or_else(bad)?;
    let (mut bits, mut count) = (0_u32, 0);
    for letter in text.trim_end_matches('=').bytes() {
        let value = match letter {
            b'A'..=b'Z' => letter - b'A',
            b'a'..=b'z' => letter - b'a' + 26,
            b'0'..=b'9' => letter - b'0' + 52,
            b'+' => 62,
            b'/' => 63,
            _ => return Err(bad()),
        };
        bits = bits << 6 | u32::from(value);
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((bits >> count & 0xff) as u8);
        }
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
