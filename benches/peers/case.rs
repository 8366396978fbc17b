//! The cases: what is measured, the system calls that it cannot do without, and how it is proved done.

use crate::stage::Stage;

/// A case: one command line, for every contender.
pub(crate) struct Case {
    /// Its row in the table.
    pub(crate) name: String,
    /// `unshare` or `nsenter`.
    pub(crate) applet: &'static str,
    /// The options.
    pub(crate) options: Vec<String>,
    /// The same as steps of the limit program.
    pub(crate) limit: Vec<String>,
    /// Arguments of the program that is started; `None`: no program is started.
    pub(crate) arguments: Option<Vec<String>>,
    /// What must be true in the program, or a peer is not compared.
    pub(crate) proof: Proof,
    /// Started by an ordinary user.
    pub(crate) ordinary: bool,
    /// How starts become samples.
    pub(crate) how: How,
    /// On one processor only. Not where two processes are meant to run side by side.
    pub(crate) pinned: bool,
    /// Mounts in the mount namespace from which it is started, beside the machine's own.
    pub(crate) mounts: u64,
    /// What ratios it should have.
    pub(crate) target: Target,
}

/// How starts become samples.
#[derive(Clone, Copy)]
pub(crate) enum How {
    /// One after the other, in turn, each a sample.
    Each,
    /// So many in a row are one sample.
    Row(u64),
    /// So many workers at the same time, on all processors, for so many seconds.
    Workers(u64, u64),
}

/// What must be true in the program that is started.
#[derive(Default)]
pub(crate) struct Proof {
    /// Kinds of namespaces (names in /proc/PID/ns) that must be others than ours …
    pub(crate) kinds: Vec<&'static str>,
    /// … namely those of this process.
    pub(crate) of: Option<u32>,
    /// The user ID.
    pub(crate) uid: Option<u32>,
    /// The extents of its user namespace's ID map.
    pub(crate) extents: Option<usize>,
}

/// Upper bounds of our time, as multiples of other times.
#[derive(Clone, Copy)]
pub(crate) struct Target {
    /// Of the limit.
    pub(crate) limit: f64,
    /// Of util-linux as installed.
    pub(crate) installed: Option<f64>,
}

const NO_FORK: Target = Target {
    limit: 1.3,
    installed: Some(0.25),
};
const FORK: Target = Target {
    limit: 1.3,
    installed: Some(0.33),
};
const NETWORK: Target = Target {
    limit: 1.1,
    installed: Some(0.55),
};
const HELPERS: Target = Target {
    limit: 1.12,
    installed: Some(0.58),
};
const EXTENTS: Target = Target {
    limit: 1.5,
    installed: None,
};
const TEXT: Target = Target {
    limit: 1.6,
    installed: Some(0.20),
};
/// Nothing is promised; the row tells what to expect.
const NONE: Target = Target {
    limit: f64::INFINITY,
    installed: None,
};

fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}

/// `unshare` with these options; `limit` as in the limit program's table.
fn unshare(options: &str, limit: &str, kinds: &[&'static str], target: Target) -> Case {
    Case {
        name: format!("unshare {options}"),
        applet: "unshare",
        options: words(options),
        limit: words(limit),
        arguments: Some(Vec::new()),
        proof: Proof {
            kinds: kinds.to_vec(),
            ..Proof::default()
        },
        ordinary: false,
        how: How::Each,
        pinned: true,
        mounts: 0,
        target,
    }
}

/// `nsenter` with these options, into namespaces of the process `of`.
fn nsenter(
    name: &str,
    options: &str,
    limit: &str,
    of: u32,
    kinds: &[&'static str],
    target: Target,
) -> Case {
    let mut case = unshare(options, limit, kinds, target);
    case.name = format!("nsenter {name}");
    case.applet = "nsenter";
    case.proof.of = Some(of);
    case
}

/// The single map of `-r`: ourselves as root, and nobody else.
fn root_map(uid: u32, gid: u32) -> Vec<String> {
    let write = |file: &str, text: String| {
        let path = format!("/proc/self/{file}");
        ["write".to_owned(), path, text]
    };
    [
        write("uid_map", format!("0 {uid} 1")),
        write("setgroups", "deny".to_owned()),
        write("gid_map", format!("0 {gid} 1")),
    ]
    .concat()
}

/// The cases with a user namespace, as root or as an ordinary user.
fn user_cases(uid: u32, gid: u32) -> Vec<Case> {
    let case = |options: &str, flags: &str, rest: &str, kinds: &[&'static str], target| {
        let mut case = unshare(options, &format!("unshare {flags}"), kinds, target);
        case.limit.extend(root_map(uid, gid));
        case.limit.extend(words(rest));
        case.proof.uid = Some(0);
        if uid != 0 {
            case.ordinary = true;
            case.name.push_str(", ordinary user");
        }
        case
    };
    vec![
        case("-Ur", "10000000", "", &["user"], NO_FORK),
        case("-Urpf", "30000000", "share", &["user", "pid"], FORK),
        case(
            "-Urpf --mount-proc",
            "30020000",
            "share private proc",
            &["user", "pid", "mnt"],
            FORK,
        ),
    ]
}

/// All cases, in the order of the table.
pub(crate) fn all(stage: &Stage) -> Vec<Case> {
    let mut cases = vec![
        unshare("-m", "unshare 20000 private", &["mnt"], NO_FORK),
        unshare("-u", "unshare 4000000", &["uts"], NO_FORK),
        unshare("-n", "unshare 40000000", &["net"], NETWORK),
        unshare(
            "-muipCf",
            "unshare 2e020000 private share",
            &["mnt", "uts", "ipc", "pid", "cgroup"],
            FORK,
        ),
    ];
    cases.extend(user_cases(0, 0));
    cases.extend(entering(stage));
    cases.extend(user_cases(stage.uid, stage.uid));
    cases.push(map_auto(stage));
    cases.push(extents());
    cases.extend(texts(stage));
    cases.extend(loads(stage));
    cases
}

fn entering(stage: &Stage) -> Vec<Case> {
    const SEVEN: [&str; 7] = ["mnt", "uts", "ipc", "net", "pid", "cgroup", "time"];
    let holder = stage.holder.pid;
    let target = |options: &str, flags: &str, rest: &str, kinds: &[&'static str], bound| {
        let limit = format!("setns {holder} {flags} {rest}");
        let options_with = format!("-t {holder} {options}");
        let name = format!("-t PID {options}");
        nsenter(&name, &options_with, &limit, holder, kinds, bound)
    };
    let file = stage.network.display();
    vec![
        target("-n", "40000000", "", &["net"], NO_FORK),
        target("-m -u -i -n -p -C -T", "6e020080", "copy", &SEVEN, FORK),
        target("-a", "6e020080", "copy", &SEVEN, FORK),
        nsenter(
            "--net=FILE",
            &format!("--net={file}"),
            &format!("enter {file} 40000000"),
            holder,
            &["net"],
            NO_FORK,
        ),
    ]
}

/// Ranges of IDs, which an ordinary user needs the set-user-ID helpers for.
fn map_auto(stage: &Stage) -> Case {
    let (first, count) = stage.range;
    let helper = |name: &str| format!("/usr/bin/{name} 0 {first} {count} ;");
    let limit = format!(
        "helpers 10000000 {} {}",
        helper("newuidmap"),
        helper("newgidmap")
    );
    let mut case = unshare("--map-auto", &limit, &["user"], HELPERS);
    case.options.insert(0, "-U".to_owned());
    case.name = "unshare -U --map-auto, ordinary user".to_owned();
    case.ordinary = true;
    case.pinned = false;
    case.proof.uid = Some(65534);
    case.proof.extents = Some(1);
    case
}

/// As many extents as a map can have, none of which touches the next (user_namespaces(7)).
fn extents() -> Case {
    const MOST: usize = 340;
    let mut case = unshare("-U", "outside 10000000 uid_map", &["user"], EXTENTS);
    let ids = || (0..MOST).map(|index| 2 * index);
    case.name = format!("unshare --map-users, {MOST} extents");
    case.options
        .extend(ids().map(|id| format!("--map-users={id}:{id}:1")));
    let text: String = ids().map(|id| format!("{id} {id} 1\n")).collect();
    case.limit.push(text);
    case.proof.extents = Some(MOST);
    case
}

/// `--help` and `--version`: the limit writes as many bytes as we do.
fn texts(stage: &Stage) -> Vec<Case> {
    let text = |option: &str| {
        let limit = format!("print {}", stage.length_of(option));
        let mut case = unshare(option, &limit, &[], TEXT);
        case.arguments = None;
        case
    };
    vec![text("--help"), text("--version")]
}

/// What grows: the number of starts, of arguments, of mounts.
fn loads(stage: &Stage) -> Vec<Case> {
    let holder = stage.holder.pid;
    let mut row = nsenter(
        "",
        &format!("-t {holder} -n"),
        &format!("setns {holder} 40000000"),
        holder,
        &["net"],
        NONE,
    );
    row.name = "nsenter -t PID -n, 1000 in a row".to_owned();
    row.how = How::Row(1000);

    let mut crowd = user_cases(0, 0).remove(1);
    crowd.name.push_str(", 8 workers, 3 s");
    crowd.how = How::Workers(8, 3);
    crowd.pinned = false;
    crowd.target = NONE;

    let mut long = unshare("-u", "unshare 4000000", &["uts"], NONE);
    long.name.push_str(", 1 MB of arguments");
    // One argument may be 128 KiB (MAX_ARG_STRLEN, execve(2)).
    long.arguments = Some(vec!["x".repeat(125_000); 8]);

    let mut mounts = unshare("-m", "unshare 20000 private", &["mnt"], NONE);
    mounts.name.push_str(", 1000 mounts");
    mounts.mounts = 1000;
    vec![row, crowd, long, mounts]
}
