//! `setns --show` and `--same`: what there is, and whether it is the same.

use serde_json::{Value, json};

use crate::harness::*;

const NOT_THEIRS: &str = "has no setns";

/// The columns of the table.
const HEAD: [&str; 9] = [
    "KIND",
    "INODE",
    "ID",
    "OWNER",
    "OWNER-USER",
    "PARENT",
    "OURS",
    "PROCS",
    "KEPT-BY",
];

#[track_caller]
fn json_of(tool: Tool) -> Value {
    let ran = tool.run().ok();
    assert_eq!(ran.lines().len(), 1, "{ran}");
    serde_json::from_slice(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {ran}"))
}

/// The object of the namespace that a link such as `net:[4026531840]` names.
#[track_caller]
fn object<'a>(shown: &'a Value, link: &str) -> &'a Value {
    let (kind, inode) = link.split_once(":[").expect("the text of a link");
    let inode: u64 = inode.trim_end_matches(']').parse().expect("a number");
    shown["namespaces"]
        .as_array()
        .expect("a list")
        .iter()
        .find(|one| one["kind"] == kind && one["inode"] == inode)
        .unwrap_or_else(|| panic!("{link} is not in {shown}"))
}

fn inode(link: &str) -> u64 {
    let digits = link.trim_end_matches(']').rsplit('[').next();
    digits
        .and_then(|digits| digits.parse().ok())
        .expect("the text of a link")
}

#[test]
fn our_own() {
    needs!(ours(NOT_THEIRS));
    let shown = json_of(Tool::setns().args(["--show", "--json", "self"]));
    let list = shown["namespaces"].as_array().expect("a list");
    let mine = Links::mine();
    assert_eq!(list.len(), KINDS.len());
    for kind in KINDS {
        let one = object(&shown, mine.get(kind));
        assert_eq!(one["ours"], true, "{one}");
        assert!(!one["processes"].as_array().expect("a list").is_empty());
    }
    for kind in KINDS {
        let file = format!("/proc/sys/user/max_{kind}_namespaces");
        let most: u64 = std::fs::read_to_string(&file)
            .unwrap_or_else(|error| panic!("{file}: {error}"))
            .trim()
            .parse()
            .expect("a number");
        assert_eq!(shown["limits"][kind]["max"], most);
    }
}

#[test]
fn the_table() {
    needs!(ours(NOT_THEIRS), root());
    let holder = Holder::unshare("-nui");
    let target = Links::of(holder.pid());
    let ran = Tool::setns()
        .args(["--show", "--limits", &format!("net+uts={}", holder.pid())])
        .run()
        .ok();
    let lines = ran.lines();
    let words =
        |line: &str| -> Vec<String> { line.split_whitespace().map(str::to_owned).collect() };
    assert_eq!(words(&lines[0]), HEAD);
    for (line, kind) in [(&lines[1], "uts"), (&lines[2], "net")] {
        let cells = words(line);
        assert_eq!(cells[0], kind);
        assert_eq!(cells[1], inode(target.get(kind)).to_string());
        assert_eq!(cells[3], inode(Links::mine().get("user")).to_string());
        assert_eq!(
            &cells[5..9],
            ["-", "-", "1", &holder.pid().to_string()],
            "{ran}"
        );
        assert_eq!(cells[4], "root");
    }
    // The limits of these kinds, and of no other.
    assert_eq!(words(&lines[4]), ["LIMITS", "uts", "net"]);
    assert_eq!(&words(&lines[5])[..2], ["each", "user"]);
    assert_eq!(&words(&lines[6])[..2], ["in", "use"]);
}

#[test]
fn all_is_what_is_shown_without_a_reference() {
    needs!(ours(NOT_THEIRS), root());
    let holder = Holder::unshare("-n");
    let link = Links::of(holder.pid()).get("net").to_owned();
    for words in [
        "",
        "--show",
        "--show all",
        "--show net=all",
        "--show uts=self net=all",
    ] {
        let shown = json_of(Tool::setns().arg("--json").line(words));
        let one = object(&shown, &link);
        assert_eq!(one["processes"], json!([holder.pid()]));
        assert_eq!(one["ours"], false);
        let only_net = words == "--show net=all";
        let others = shown["namespaces"].as_array().expect("a list").iter();
        assert_eq!(
            others.filter(|one| one["kind"] != "net").count() == 0,
            only_net
        );
    }
}

#[test]
fn owners_and_parents() {
    needs!(ours(NOT_THEIRS), root(), user_namespaces());
    let holder = Holder::ordinary("-Urpfn");
    let (target, mine) = (Links::of(holder.pid()), Links::mine());
    let shown = json_of(Tool::setns().args(["--show", "--json"]));
    let user = object(&shown, target.get("user"));
    assert_eq!(user["owner"], inode(mine.get("user")));
    assert_eq!(user["parent"], inode(mine.get("user")));
    assert_eq!(user["owner_uid"], ORDINARY);
    let pid = object(&shown, target.get("pid"));
    assert_eq!(pid["owner"], inode(target.get("user")));
    assert_eq!(pid["parent"], inode(mine.get("pid")));
    assert_eq!(pid["owner_uid"], ORDINARY);
    let net = object(&shown, target.get("net"));
    assert_eq!(net["owner"], inode(target.get("user")));
    assert_eq!(net["parent"], Value::Null);
}

#[test]
fn what_no_process_is_in() {
    needs!(ours(NOT_THEIRS), root());
    // Among its own processes: mount namespaces of others have copies of the mount, as long as they last.
    let place = Place::new();
    let file = place.file("ns", "");
    let script = format!(
        "exec 2>&1 && cd {place} && {unshare} --net=ns true && stat -c %i ns >inode && readlink /proc/self/ns/mnt >mnt && \
         link=net:[$(cat inode)] && {setns} --json >mounted && {setns} --show $link >mounted.table && exec 7<ns && \
         umount -l ns && {setns} --json >open && {setns} --show $link >open.table && echo $$",
        place = place.path().display(),
        unshare = Tool::path_of("unshare").display(),
        setns = Tool::path_of("setns").display(),
    );
    let pid = Tool::fixture()
        .args(["-mpf", "--mount-proc", "sh", "-c", &script])
        .run()
        .ok()
        .text();
    let said = |name: &str| std::fs::read_to_string(place.at(name)).expect(name);
    let link = format!("net:[{}]", said("inode").trim());
    let one = |name: &str| {
        let shown: Value = serde_json::from_str(&said(name)).expect("JSON");
        object(&shown, &link).clone()
    };
    let mounted = one("mounted");
    assert_eq!(mounted["processes"], json!([]));
    let mounts = json!([{"path": file, "mount_namespace": inode(said("mnt").trim()), "pid": null}]);
    assert_eq!(mounted["mounts"], mounts);
    assert!(said("mounted.table").contains(&file));
    let open = one("open");
    assert_eq!(open["mounts"], json!([]));
    let pid: i32 = pid.trim().parse().expect("a PID");
    let descriptors = open["descriptors"].as_array().expect("a list");
    assert!(
        descriptors.contains(&json!({"pid": pid, "fd": 7})),
        "{open}"
    );
    let table = said("open.table");
    assert!(table.contains(&format!("fd 7 of {pid}")), "{table}");
}

#[test]
fn a_descriptor_that_only_the_caller_has() {
    needs!(ours(NOT_THEIRS), root());
    let holder = Holder::unshare("-n");
    let script = format!("exec 5<{}; exec setns --json fd:5", holder.file("net"));
    let shown = json_of(Tool::shell(&script));
    let one = &shown["namespaces"][0];
    assert_eq!(one["inode"], inode(Links::of(holder.pid()).get("net")));
    let descriptors = one["descriptors"].as_array().expect("a list");
    assert_eq!(
        descriptors.len(),
        1,
        "ours alone, not those of the search: {one}"
    );
    assert_eq!(descriptors[0]["fd"], 5);
}

#[test]
fn trees() {
    needs!(ours(NOT_THEIRS), root(), user_namespaces());
    let holder = Holder::unshare("-Urpfn");
    let target = Links::of(holder.pid());
    let tree = |locale: &str| {
        let tool = Tool::setns().args(["--show", "--tree", &holder.pid().to_string()]);
        tool.env("LC_ALL", locale).run().ok().text()
    };
    let text = tree("C");
    assert!(text.is_ascii(), "{text}");
    let at = |part: &str| {
        text.lines()
            .position(|line| line.contains(part))
            .unwrap_or_else(|| panic!("no {part:?} in\n{text}"))
    };
    let (mine, outer) = (at(Links::mine().get("user")), at(target.get("user")));
    assert!(mine < outer && outer < at(target.get("net")), "{text}");
    // In the PID namespaces' tree, its process is below it.
    let lines: Vec<&str> = text.lines().collect();
    let leaf = format!("`- {} ", holder.pid());
    let leaf = at(&leaf);
    assert!(lines[leaf - 1].contains(target.get("pid")), "{text}");
    assert!(tree("C.UTF-8").contains("└─ "));

    let shown = json_of(Tool::setns().args(["--tree", "--json", &holder.pid().to_string()]));
    let below = |node: &Value, kind: &str, link: &str| -> Value {
        let list = node["below"].as_array().expect("a list").iter();
        let mut found = list.filter(|one| one["kind"] == kind && one["inode"] == inode(link));
        found
            .next()
            .unwrap_or_else(|| panic!("no {link} in {node}"))
            .clone()
    };
    let user = below(&shown["user_namespaces"][0], "user", target.get("user"));
    below(&user, "net", target.get("net"));
    let pid = below(&shown["pid_namespaces"][0], "pid", target.get("pid"));
    assert_eq!(pid["below"][0]["pid"], holder.pid());
    assert!(pid["below"][0]["command"].is_string());
}

#[test]
fn one_thousand_processes_in_two_hundred_namespaces() {
    needs!(ours(NOT_THEIRS), root(), command("strace"));
    let unshare = Tool::path_of("unshare");
    // A PID namespace around them, so that they all end with the holder.
    let script = format!(
        "i=0; while [ $i -lt 200 ]; do \
           {} -u sh -c 'for j in 1 2 3 4; do sleep 1000 & done; exec sleep 1000' & i=$((i+1)); done",
        unshare.display()
    );
    let holder = Holder::doing("-pf", &script);
    let owner = Links::of(holder.pid()).get("pid").to_owned();
    let count = || {
        let shown = json_of(Tool::setns().args(["--show", "--json", "uts=all", &owner]));
        let all = object(&shown, &owner)["processes"]
            .as_array()
            .expect("a list")
            .clone();
        let namespaces = shown["namespaces"].as_array().expect("a list").iter();
        let full = namespaces.filter(|one| {
            let processes = one["processes"].as_array().expect("a list");
            processes.len() == 5 && processes.iter().all(|pid| all.contains(pid))
        });
        (full.count(), all.len())
    };
    eventually("200 namespaces with 5 processes each", || {
        (count() == (200, 1001)).then_some(())
    });
    // Far above what it takes, and far below what a search that is not linear would: counted, since time says more
    // of the machine. A /proc of their own shows it these processes and no others.
    let place = Place::new();
    let trace = place.at("trace");
    let setns = Tool::path_of("setns");
    Tool::nsenter()
        .args(["-t", &holder.pid().to_string(), "-p"])
        .args([unshare.as_os_str(), "-m".as_ref()])
        .sh(&format!(
            "mount -t proc proc /proc && exec strace -o {trace} {} --show uts=all",
            setns.display()
        ))
        .run()
        .ok();
    let calls = std::fs::read_to_string(&trace)
        .expect("strace writes its file")
        .lines()
        .count();
    assert!((1001..50 * 1001).contains(&calls), "{calls} calls");
}

/// A sandbox that has no namespaces of its own to show: an empty table would say that there are none.
#[test]
fn nothing_that_can_be_seen_is_a_failure() {
    needs!(ours(NOT_THEIRS), command("strace"));
    let setns = |call: &str, error: &str, words: &str| {
        Tool::program("strace")
            .args(["-f", "-qq", "-o", "/dev/null", "-e", "signal=none"])
            .args(["-e", &format!("trace={call}")])
            .args(["-e", &format!("inject={call}:error={error}")])
            .arg(Tool::path_of("setns"))
            .line(words)
            .run()
            .exits(125)
            .out("")
    };
    setns("ioctl", "ENOTTY", "--show self").err(
        "setns: of what kind the namespaces named are cannot be told: the kernel, or the sandbox in its place, answers no \
         ioctl_nsfs(2)\n",
    );
    for words in ["--show", "--show --json", "--show --tree"] {
        setns("readlinkat", "ENOENT", words)
            .err("setns: cannot open /proc: No such file or directory\n");
    }
}

/// The rows of these namespaces are there, with all that is to be known of them.
#[track_caller]
fn has_all(shown: &Value, target: &Links) -> bool {
    KINDS.iter().all(|kind| {
        let inode = inode(target.get(kind));
        let rows = shown["namespaces"].as_array().expect("a list").iter();
        let mut row = rows.filter(|one| one["kind"] == *kind && one["inode"] == inode);
        row.next_back().is_some_and(|one| one["owner"].is_u64())
    })
}

#[test]
fn what_could_not_be_looked_at_for_lack_of_descriptors_is_said() {
    needs!(
        ours(NOT_THEIRS),
        root(),
        user_namespaces(),
        command("prlimit")
    );
    let unshare = Tool::path_of("unshare");
    // The user namespace between them has no process: the way to it takes a descriptor more.
    let nested = Tool::fixture().arg("-r").arg(unshare).line("-CimnprTuf");
    let holder = Holder::of(nested.by_ordinary(), "");
    let target = Links::of(holder.pid());
    let (mut lacking, mut whole, mut unsure) = (0, 0, 0);
    for count in 4..24 {
        let limited = || {
            Tool::program("prlimit")
                .arg(format!("--nofile={count}"))
                .arg(Tool::path_of("setns"))
        };
        let ran = limited().args(["--show", "--json"]).run();
        if ran.succeeded() {
            let shown = serde_json::from_slice(&ran.stdout).expect("JSON");
            assert!(has_all(&shown, &target), "{ran}");
            whole += 1;
            continue;
        }
        let text = String::from_utf8_lossy(&ran.stderr).into_owned();
        // The loader of a debug build may need more than there are.
        if text.contains("shared libraries") {
            continue;
        }
        let ran = ran.exits(125);
        let whys = [
            "setns: cannot open /proc: Too many open files\n",
            "setns: not everything could be looked at: Too many open files\n",
        ];
        assert!(whys.contains(&text.as_str()), "{ran}");
        lacking += 1;
        // Neither is a comparison with all of them certain, nor that there is no such namespace.
        limited()
            .args(["--same", "--quiet", "user=all", "user=all"])
            .run()
            .exits(if text == whys[0] { 125 } else { 1 });
        // This takes a descriptor less, which JSON has for IDs of network namespaces.
        let ran = limited().args(["net:[1]", "true"]).run().exits(125);
        let text = String::from_utf8_lossy(&ran.stderr);
        unsure += usize::from(text.contains("Too many open files"));
    }
    assert!(lacking > 0 && whole > 0, "{lacking} and {whole}");
    assert!(unsure + 1 >= lacking, "{unsure} of {lacking}");
}

#[test]
fn what_could_not_be_looked_at_is_said() {
    needs!(ours(NOT_THEIRS), root());
    let holder = Holder::unshare("-n");
    let table = Tool::setns().arg("--show").by_ordinary().run().ok().lines();
    let last = table.last().expect("lines");
    assert!(
        last.ends_with("could not be looked at: there may be more"),
        "{last}"
    );
    let shown = json_of(Tool::setns().args(["--show", "--json"]).by_ordinary());
    assert!(shown["unreadable_processes"].as_u64() > Some(0));
    let hidden = inode(Links::of(holder.pid()).get("net"));
    let list = shown["namespaces"].as_array().expect("a list");
    assert!(list.iter().all(|one| one["inode"] != hidden));
    assert!(list.iter().any(|one| one["ours"] == true));
}

#[test]
fn processes_that_proc_hides_may_be_more() {
    needs!(ours(NOT_THEIRS), root());
    let shown = |options: &str| {
        // Its own /proc, seen by an ordinary user who enters nothing.
        let script = format!(
            "mount -t proc -o rw{options} proc /proc && \
             exec setns -S {ORDINARY} -G {ORDINARY} self setns --json self"
        );
        let tool = Tool::fixture().line("-m --propagation private");
        json_of(tool.sh(&script))
    };
    let all = shown("");
    assert_eq!(all["hidden_processes"], false);
    assert!(all["unreadable_processes"].as_u64() > Some(0));
    let hidden = shown(",hidepid=2");
    assert_eq!(hidden["hidden_processes"], true);
    assert!(hidden["unreadable_processes"].as_u64() < all["unreadable_processes"].as_u64());
}

#[test]
fn owners_above_ours_are_not_told() {
    needs!(ours(NOT_THEIRS), root(), user_namespaces());
    let setns = Tool::path_of("setns");
    let inside = |words: &[&str]| {
        let tool = Tool::fixture().line("-Ur").arg(&setns).args(words);
        tool.run().ok().text()
    };
    let shown: Value =
        serde_json::from_str(&inside(&["--json", "net=self", "user=self"])).expect("JSON");
    let namespaces = shown["namespaces"].as_array().expect("a list");
    assert_eq!(namespaces[0]["kind"], "user");
    assert_eq!(namespaces[0]["parent"], Value::Null);
    assert_eq!(namespaces[0]["owner_uid"], 0);
    assert_eq!(namespaces[1]["owner"], Value::Null);
    let table = inside(&["--show", "net=self"]);
    let cells: Vec<&str> = table
        .lines()
        .nth(1)
        .expect("a row")
        .split_whitespace()
        .collect();
    assert_eq!(&cells[3..6], ["?", "?", "-"], "{table}");
    assert!(inside(&["--tree", "net=self"]).contains("cannot be told"));
}

#[test]
fn a_wide_table_is_cut_to_the_terminal_only() {
    needs!(ours(NOT_THEIRS));
    let piped = Tool::setns().args(["--show", "self"]).run().ok().lines();
    let head = &piped[0];
    assert!(head.len() > 40);
    let mut terminal = Terminal::shell();
    terminal.types("stty cols 40; setns --show self | cat; echo piped");
    let through_a_pipe = terminal.expect("piped\r\n");
    assert!(through_a_pipe.contains("KEPT-BY"), "{through_a_pipe}");
    terminal.expect("ready> ");
    terminal.types("setns --show self; echo 'no 'more");
    terminal.expect("KIND");
    let table = terminal.expect("no more");
    assert!(!table.contains("KEPT-BY"), "{table}");
    for line in table.lines().skip(1) {
        assert!(line.trim_end().chars().count() <= 40, "{line:?}");
    }
}

#[test]
fn nothing_in_a_name_reaches_the_terminal() {
    needs!(ours(NOT_THEIRS), root());
    let place = Place::new();
    let file = place.file("a b\n\x1b[31m", "");
    let _guard = Mounted::on(&file);
    Tool::fixture()
        .arg(format!("--uts={file}"))
        .arg("true")
        .run()
        .ok();
    let stat = nix::sys::stat::stat(file.as_str()).expect("the file is there");
    let link = format!("uts:[{}]", stat.st_ino);
    for words in ["--show", "--tree"] {
        let ran = Tool::setns().args([words, &link]).run().ok();
        assert!(!ran.stdout.contains(&0x1b), "{ran}");
        assert!(ran.text().contains("a b\\n\\u{1b}[31m"), "{ran}");
    }
    let shown = json_of(Tool::setns().args(["--json", &link]));
    assert_eq!(shown["namespaces"][0]["mounts"][0]["path"], file);
}

#[test]
fn what_is_no_namespace_is_not_shown() {
    needs!(ours(NOT_THEIRS));
    for (words, why) in [
        ("--show /proc/version", "is no namespace"),
        ("--show net=/proc/version", "is no namespace"),
        (
            "--show net=/proc/self/ns/uts",
            "is a uts namespace, not net",
        ),
        (
            "--same net=/proc/self/ns/uts net=self",
            "is a uts namespace, not net",
        ),
        ("--same /proc/version self", "is no namespace"),
        ("--show frob", "names no namespace"),
        ("--same self", "two references"),
        ("--quiet --show self", "--quiet needs --same"),
        ("--same --tree self self", "cannot be combined"),
    ] {
        Tool::setns()
            .line(words)
            .run()
            .exits(125)
            .out("")
            .err_has(why);
    }
}

#[test]
fn the_same_kind_by_kind() {
    needs!(ours(NOT_THEIRS), root());
    let holder = Holder::unshare("-nu");
    let pid = holder.pid().to_string();
    let ran = Tool::setns()
        .args(["--same", &pid, "self"])
        .run()
        .exits(1)
        .err("");
    let lines = ran.lines();
    assert!(lines[0].starts_with("KIND   RESULT"), "{ran}");
    for kind in KINDS {
        let line = lines
            .iter()
            .find(|line| line.starts_with(&format!("{kind} ")))
            .unwrap_or_else(|| panic!("no {kind}: {ran}"));
        let word = line.split_whitespace().nth(1);
        let differs = matches!(kind, "net" | "uts");
        assert_eq!(
            word,
            Some(if differs { "differs" } else { "same" }),
            "{ran}"
        );
    }
    let same = |references: &[&str], status: i32| {
        let tool = Tool::setns().args(["--same", "--quiet"]).args(references);
        tool.run().exits(status).out("");
    };
    // A single namespace is compared with that of the process.
    same(&[&pid, &holder.file("net")], 0);
    same(&["self", &holder.file("net")], 1);
    same(&[&pid, "ipc=self"], 0);
    same(&[&format!("ipc+mnt={pid}"), "self"], 0);
    same(&[&format!("ipc+net={pid}"), "self"], 1);
    same(&["self", "self", &pid], 1);
    same(&["user=all", &pid, "net=self"], 125);
    same(&["net=all", "net=self"], 1);
    Tool::setns()
        .args(["--same", &holder.file("net"), &holder.file("uts")])
        .run()
        .exits(125)
        .out("")
        .err_has("no kind of namespace that all of these name");
}

#[test]
fn what_cannot_be_read_is_unknown() {
    needs!(ours(NOT_THEIRS), root(), user_namespaces());
    let (root, own) = (Holder::unshare("-n"), Holder::ordinary("-Ur"));
    let (root, own) = (root.pid().to_string(), own.pid().to_string());
    let ran = Tool::setns()
        .args(["--same", &root, "self"])
        .by_ordinary()
        .run()
        .exits(125)
        .err("");
    assert!(ran.text().contains("unknown"), "{ran}");
    assert!(!ran.text().contains("differs"), "{ran}");
    assert!(ran.text().contains(&format!(
        "cannot open /proc/{root}/ns/net: Permission denied"
    )));
    // What is known to differ does, whatever else there is.
    for (references, status) in [
        (
            [&format!("user={root}"), "user=self", &format!("user={own}")],
            1,
        ),
        (
            [&format!("net={root}"), "net=self", &format!("net={own}")],
            125,
        ),
    ] {
        Tool::setns()
            .args(["--same", "--quiet"])
            .args(references)
            .by_ordinary()
            .run()
            .exits(status)
            .out("")
            .err("");
    }
}
