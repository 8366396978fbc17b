//! `setns --show` for people who know lsns(8): what both list is the same, and what they ask for has a place.

use serde_json::{Value, json};

use crate::harness::*;

const NOT_THEIRS: &str = "has no setns";

#[track_caller]
fn json_of(tool: Tool) -> Value {
    let ran = tool.run().ok();
    serde_json::from_slice(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {ran}"))
}

/// These columns of what lsns lists. It fails where a process ends while it looks, and others do all the time.
fn lsns(columns: &str) -> Value {
    eventually("lsns lists all", || {
        let ran = Tool::program("lsns")
            .args(["-J", "-l", "-o", columns])
            .run();
        serde_json::from_slice(&ran.stdout).ok()
    })
}

fn inode(link: &str) -> u64 {
    let digits = link.trim().trim_end_matches(']').rsplit('[').next();
    digits
        .and_then(|digits| digits.parse().ok())
        .expect("the text of a link")
}

#[track_caller]
fn row_of(shown: &Value, inode: u64) -> &Value {
    let mut rows = shown["namespaces"].as_array().expect("a list").iter();
    rows.find(|one| one["inode"] == inode)
        .unwrap_or_else(|| panic!("{inode} is not in {shown}"))
}

/// The rows of a table without headings, a word a cell.
#[track_caller]
fn cells(words: &str) -> Vec<Vec<String>> {
    let ran = Tool::setns().line(words).run().ok();
    let lines = ran.lines().into_iter();
    lines
        .map(|line| line.split_whitespace().map(str::to_owned).collect())
        .collect()
}

/// Runs a program in Python, in which `unshare` and `setns` are those of the C library; it ends with the test.
#[track_caller]
fn python(script: &str) -> Started {
    let frame = "import ctypes, os, resource, socket, sys, time\n\
        libc = ctypes.CDLL(None)\n\
        own = os.open('/proc/self/ns/net', os.O_RDONLY)\n\
        def leak(count=1):\n\
        \x20   assert libc.unshare(0x40000000) == 0\n\
        \x20   print(os.readlink('/proc/self/ns/net'), flush=True)\n\
        \x20   made = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(count)]\n\
        \x20   assert libc.setns(own, 0x40000000) == 0\n\
        \x20   return made";
    Tool::program("timeout")
        .args(["300", "python3", "-c"])
        .arg(format!(
            "{frame}\n{script}\nprint('ready', flush=True)\ntime.sleep(300)"
        ))
        .start()
}

#[test]
fn a_network_namespace_that_a_socket_alone_keeps() {
    needs!(ours(NOT_THEIRS), root(), command("python3"));
    let process = python(
        // Where numbers have begun again, the child's is the lower one.
        "kept = leak()\nchild = os.fork()\nif child == 0: time.sleep(300)\n\
         print(min(os.getpid(), child), kept[0].fileno(), flush=True)",
    );
    let text = process.until_says("ready");
    let (link, rest) = text.split_once('\n').expect("two lines");
    let mut numbers = rest.split_whitespace();
    let (pid, fd) = (numbers.next().unwrap(), numbers.next().unwrap());
    for words in ["--json", "--json -t net", &format!("--json {link}")] {
        let shown = json_of(Tool::setns().line(words));
        let one = row_of(&shown, inode(link));
        assert_eq!(one["processes"], json!([]), "{words}");
        assert_eq!(one["ours"], false);
        assert_eq!(one["owner"], inode(Links::mine().get("user")));
        let sockets = one["sockets"].as_array().expect("a list");
        let first = json!({"pid": pid.parse::<i32>().unwrap(), "fd": fd.parse::<i32>().unwrap()});
        assert!(sockets.contains(&first), "{one}");
        assert_eq!(sockets.len(), 2, "its child has the socket too: {one}");
    }
    for words in ["--show", "-t net", "--tree", &format!("--show {link}")] {
        let table = Tool::setns().line(words).run().ok().text();
        let mut lines = table.lines();
        let line = lines.find(|line| line.contains(&inode(link).to_string()));
        let line = line.unwrap_or_else(|| panic!("{link} is not in {table}"));
        let kept = format!("socket {fd} of {pid} python3 -c import ctypes");
        assert!(line.contains(&kept), "{line}");
    }
    Tool::setns()
        .args(["--same", "--quiet", link, "net=all"])
        .run()
        .exits(1);
}

#[test]
fn sockets_of_others_are_counted_where_they_cannot_be_asked() {
    needs!(ours(NOT_THEIRS), root(), command("python3"));
    let process = python("kept = leak()");
    process.until_says("ready");
    let shown = json_of(Tool::setns().args(["--json"]));
    // Without privilege the same socket is not looked at, nor said to be.
    assert!(shown["unreadable_sockets"].is_u64());
    let script = "import os, socket, sys\n\
        held = [socket.socket() for _ in range(3)]\n\
        for one in held: os.set_inheritable(one.fileno(), True)\n\
        os.execvp('setns', ['setns', *sys.argv[1:]])";
    let shown = json_of(
        Tool::program(find("python3").expect("needed above"))
            .args(["-c", script, "--json", "net=all"])
            .by_ordinary(),
    );
    assert!(
        shown["unreadable_sockets"].as_u64() >= Some(3),
        "no privilege over our own network: {}",
        shown["unreadable_sockets"]
    );
}

#[test]
fn many_descriptors_and_sockets_are_looked_at_once_each() {
    needs!(
        ours(NOT_THEIRS),
        root(),
        command("python3"),
        command("strace")
    );
    let place = Place::new();
    let trace = place.at("trace");
    // A PID namespace and a /proc of their own, where nothing else is.
    let script = format!(
        "import os, resource, socket, subprocess\n\
         hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]; resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))\n\
         one = socket.socket(); net = os.open('/proc/self/ns/uts', 0)\n\
         more = [socket.socket() for _ in range(200)]\n\
         for _ in range(1800): os.dup(one.fileno()); os.dup(net)\n\
         subprocess.run(['strace', '-o', '{trace}', '{}', '--json', 'net=all', 'uts=self'], check=True)",
        Tool::path_of("setns").display()
    );
    let ran = Tool::fixture()
        .line("-pfm --mount-proc")
        .arg(find("python3").expect("needed above"))
        .args(["-c", &script])
        .run()
        .ok();
    let shown: Value = serde_json::from_slice(&ran.stdout).expect("JSON");
    let uts = row_of(&shown, inode(Links::mine().get("uts")));
    assert!(uts["descriptors"].as_array().map(Vec::len) >= Some(1801));
    let calls = std::fs::read_to_string(&trace).expect("strace writes its file");
    let copies = calls.lines().filter(|line| line.contains("pidfd_getfd"));
    let copies = copies.count();
    assert!((201..=210).contains(&copies), "{copies} copies");
    // A link for each descriptor, and not several times that.
    assert!(calls.lines().count() < 6_500, "{}", calls.lines().count());
}

#[test]
fn what_both_list_is_the_same() {
    needs!(ours(NOT_THEIRS), root(), user_namespaces(), command("lsns"));
    let one = Holder::doing("-uinC", "sleep 1000 & sleep 1001 & cd /");
    let two = Holder::ordinary("-Urpfmn");
    let theirs = lsns("NS,TYPE,NPROCS,PID,PPID,UID,USER,COMMAND,NETNSID");
    let relations = lsns("NS,PNS,ONS");
    let ours = json_of(Tool::setns().args(["--json", "--processes"]));
    let number = |value: &Value| match value {
        Value::String(text) => text.parse::<u64>().ok(),
        other => other.as_u64(),
    };
    let mut compared = 0;
    for holder in [&one, &two] {
        let links = Links::of(holder.pid());
        for kind in KINDS {
            let link = links.get(kind);
            if link == Links::mine().get(kind) {
                continue;
            }
            let find = |list: &Value| {
                let rows = list["namespaces"].as_array().expect("a list").iter();
                let mut rows = rows.filter(|row| number(&row["ns"]) == Some(inode(link)));
                rows.next().cloned()
            };
            let theirs = find(&theirs).unwrap_or_else(|| panic!("{link} is not in {theirs}"));
            let row = row_of(&ours, inode(link));
            assert_eq!(row["kind"], theirs["type"]);
            let processes = row["processes"].as_array().expect("a list");
            assert_eq!(number(&theirs["nprocs"]), Some(processes.len() as u64));
            let first = &row["process_details"][0];
            assert_eq!(number(&theirs["pid"]), first["pid"].as_u64(), "{theirs}");
            assert_eq!(number(&theirs["ppid"]), first["ppid"].as_u64(), "{theirs}");
            assert_eq!(number(&theirs["uid"]), first["uid"].as_u64(), "{theirs}");
            if first["user"].is_string() {
                assert_eq!(theirs["user"], first["user"]);
            }
            let words = first["arguments"].as_array().expect("a list").iter();
            let words: Vec<&str> = words.filter_map(Value::as_str).collect();
            assert_eq!(theirs["command"], words.join(" "));
            // 0 stands for what there is not.
            let relation = find(&relations).expect("listed above");
            assert_eq!(number(&relation["ons"]), row["owner"].as_u64());
            let parent = row["parent"].as_u64().unwrap_or(0);
            assert_eq!(number(&relation["pns"]), Some(parent));
            compared += 1;
        }
    }
    assert!(compared >= 8, "{compared}");
}

#[test]
fn ids_of_network_namespaces() {
    needs!(
        ours(NOT_THEIRS),
        root(),
        command("ip"),
        command("lsns"),
        kind("net")
    );
    let setns = Tool::path_of("setns");
    let script = format!(
        "sleep 300 & other=$!; \
         sh -c 'exec unshare -n sleep 301' & linked=$!; \
         while [ \"$(readlink /proc/$linked/ns/net)\" = \"$(readlink /proc/self/ns/net)\" ]; do sleep 0.1; done; \
         ip link add veth-a type veth peer name veth-b netns $linked && \
         lsns -n -t net -o NETNSID -p $linked && \
         {setns} -n -o NETNSID net=$linked && {setns} -n -o NETNSID net=self && \
         {setns} --raw -n -t net -o NETNSID,KIND -p $linked && \
         {setns} --json net=$linked; kill $other $linked",
        setns = setns.display()
    );
    // Where no process of others ends while lsns looks.
    let ran = Tool::fixture()
        .line("-nmpf --mount-proc")
        .sh(&script)
        .run()
        .ok();
    let lines = ran.lines();
    assert!(lines[0].trim().parse::<u32>().is_ok(), "{ran}");
    assert_eq!(lines[0].trim(), lines[1].trim(), "{ran}");
    assert_eq!(lines[2].trim(), "-", "{ran}");
    assert_eq!(lines[3], format!("{} net", lines[0].trim()), "{ran}");
    let shown: Value = serde_json::from_str(&lines[4]).expect("JSON");
    let id = shown["namespaces"][0]["netns_id"].as_u64();
    assert_eq!(
        id.map(|id| id.to_string()).as_deref(),
        Some(lines[0].trim())
    );
}

#[test]
fn columns_kinds_and_processes_asked_for() {
    needs!(ours(NOT_THEIRS), root());
    let holder = Holder::doing("-nu", "sleep 1000 & cd /");
    let pid = holder.pid();
    let links = Links::of(pid);
    let net = inode(links.get("net")).to_string();
    let uts = inode(links.get("uts")).to_string();
    let row = |words: &[&str]| {
        words
            .iter()
            .map(|&word| word.to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(
        cells(&format!("-n -t net -o ns,TYPE,nprocs,pid,path -p {pid}")),
        [row(&[
            &net,
            "net",
            "2",
            &pid.to_string(),
            &format!("/proc/{pid}/ns/net")
        ])]
    );
    // Kinds given several times add up, and so do processes and references, also with commas.
    for words in [
        format!("-n -o INODE --type uts,net --task {pid}"),
        format!("-n -o INODE -t uts -t net {pid}"),
        format!("-no INODE --show uts={pid},net={pid}"),
        format!("-no INODE -t uts+net {pid},{pid} /proc/{pid}/ns/net"),
    ] {
        assert_eq!(cells(&words), [row(&[&uts]), row(&[&net])], "{words}");
    }
    // With headings, and columns behind the usual ones.
    let more = cells(&format!("-o +PPID,USER net={pid}"));
    assert_eq!(more[0][8..], row(&["KEPT-BY", "PPID", "USER"]));
    assert_eq!(more[1].last().map(String::as_str), Some("root"));
    assert_eq!(
        more.len(),
        2,
        "neither limits nor what is missing: {more:?}"
    );

    let processes = cells(&format!("--processes uts={pid}"));
    assert_eq!(
        processes[0],
        row(&["KIND", "INODE", "PID", "PPID", "USER", "COMMAND"])
    );
    let child = children(pid);
    let ppid = std::process::id().to_string();
    let first = [
        &row(&["uts", &uts, &pid.to_string(), &ppid, "root"])[..],
        &processes[1][5..],
    ]
    .concat();
    assert_eq!(processes[1], first);
    assert!(processes[1].len() > 5);
    let child = row(&[
        "uts",
        &uts,
        &child[0].to_string(),
        &pid.to_string(),
        "root",
        "sleep",
        "1000",
    ]);
    assert!(processes.contains(&child), "{processes:?}");
    assert!(cells("-o all self")[0].len() == 18);
}

#[test]
fn what_is_said_besides_only_where_it_belongs() {
    needs!(ours(NOT_THEIRS), root());
    let text = |words: &str| Tool::setns().line(words).by_ordinary().run().ok().text();
    for (words, limits, missing) in [
        ("--show", true, true),
        ("--tree", true, true),
        ("-t net", true, true),
        ("--show all", false, true),
        ("--show self", false, false),
        ("--show --limits self", true, false),
        ("--tree self", false, false),
        ("--processes uts=self", false, true),
        ("--raw", false, false),
        ("-n", false, false),
        ("-o KIND", false, false),
    ] {
        let text = text(words);
        assert_eq!(text.contains("LIMITS"), limits, "{words}: {text}");
        assert_eq!(
            text.contains("could not be looked at"),
            missing,
            "{words}: {text}"
        );
    }
}

#[test]
fn names_of_others_stay_text() {
    needs!(ours(NOT_THEIRS), root(), command("bash"));
    let place = Place::new();
    let passwd = place.file("passwd", "o\x1b[31mdd:x:0:0::/:\nroot:x:0:0::/:\n");
    let holder = Holder::of(
        Tool::fixture().line("-pfu").args([
            "bash",
            "-c",
            "(exec -a $'a b\\n\\x1b[2Jc\\\\' sleep 1000) & exec \"$@\"",
            "bash",
        ]),
        "",
    );
    let pid = holder.pid();
    eventually("its child has its name", || {
        let child = *children(pid).first()?;
        let line = std::fs::read(format!("/proc/{child}/cmdline")).ok()?;
        line.starts_with(b"a b\n").then_some(())
    });
    let shown = |words: &str| {
        let script = format!(
            "mount --bind {passwd} /etc/passwd && exec {} {words}",
            Tool::path_of("setns").display()
        );
        let tool = Tool::fixture().line("-m --propagation private");
        let ran = tool.sh(&script).run().ok();
        assert!(!ran.stdout.contains(&0x1b), "{words}: {ran}");
        ran.lines()
    };
    for (words, command, user) in [
        ("--processes", "a b\\n\\u{1b}[2Jc\\ 1000", "o\\u{1b}[31mdd"),
        (
            "--processes --raw",
            "a\\x20b\\x0a\\x1b[2Jc\\x5c\\x201000",
            "o\\x1b[31mdd",
        ),
    ] {
        let mut lines = shown(&format!("{words} pid={pid}"));
        lines.retain(|line| line.starts_with("pid "));
        assert_eq!(lines.len(), 2, "{lines:?}");
        let line = lines.iter().find(|line| line.ends_with(command));
        let line = line.unwrap_or_else(|| panic!("no {command} in {lines:?}"));
        assert!(line.contains(user), "{line}");
    }
    let tree = shown(&format!("--tree {pid}"));
    assert!(
        tree.iter()
            .any(|line| line.ends_with("a b\\n\\u{1b}[2Jc\\ 1000")),
        "{tree:?}"
    );
    let json = shown(&format!("--json --processes pid={pid}")).concat();
    let json: Value = serde_json::from_str(&json).expect("JSON");
    let details = &json["namespaces"][0]["process_details"];
    assert_eq!(details[1]["arguments"], json!(["a b\n\x1b[2Jc\\", "1000"]));
    assert_eq!(details[1]["user"], "o\x1b[31mdd");
}

#[test]
fn a_long_command_is_whole_in_a_pipe() {
    needs!(ours(NOT_THEIRS), root());
    let long = "x".repeat(20_000);
    let holder = Holder::doing("-u", &format!("sh -c 'sleep 1000; :' {long} & cd /"));
    let child = children(holder.pid())[0];
    let shown = Tool::setns()
        .args(["--processes", &format!("uts={child}")])
        .run()
        .ok();
    assert!(shown.lines().iter().any(|line| line.ends_with(&long)));
    // What goes on without an end is not read to it.
    let longer = "y".repeat(100_000);
    let holder = Holder::doing("-u", &format!("sh -c 'sleep 1000; :' {longer} & cd /"));
    let child = children(holder.pid())[0];
    let shown = Tool::setns()
        .args(["--processes", &format!("uts={child}")])
        .run()
        .ok();
    let lines = shown.lines();
    let line = lines
        .iter()
        .find(|line| line.contains("yyy"))
        .expect("a line");
    assert!(
        line.ends_with("yy…") && line.len() < 34_000,
        "{}",
        line.len()
    );
}

#[test]
fn the_processes_of_a_tree() {
    needs!(ours(NOT_THEIRS), root());
    // Another run of this test may be under way.
    let three = format!("sleep 1000{}", std::process::id());
    let one = format!("sleep 2000{}", std::process::id());
    let script = format!("for i in 1 2 3; do {three} & done; {one} & cd /");
    let holder = Holder::doing("-pf", &script);
    let pid = holder.pid();
    eventually("its children are there", || {
        let sleeping = children(pid)
            .into_iter()
            .filter(|&pid| name_of(pid) == "sleep");
        (sleeping.count() == 4).then_some(())
    });
    let tree = |words: &str| {
        let tool = Tool::setns().line(&format!("--tree {words}"));
        tool.env("LC_ALL", "C").run().ok().lines()
    };
    let ours = format!("pid:[{}] ours, ", inode(Links::mine().get("pid")));
    // Of our own PID namespace the processes are counted, of those below they are listed, once where they are alike.
    let lines = tree("");
    let me = format!("- {} ", std::process::id());
    assert!(!lines.iter().any(|line| line.contains(&me)), "{lines:?}");
    assert!(
        lines
            .iter()
            .any(|line| line.starts_with(&ours) && line.contains(" processes"))
    );
    let alike = |lines: &[String]| {
        let alike = lines
            .iter()
            .filter(|line| line.ends_with(&three) || line.contains(&format!("{three} (")));
        alike.cloned().collect::<Vec<_>>()
    };
    assert_eq!(alike(&lines).len(), 1, "{lines:?}");
    assert!(alike(&lines)[0].ends_with(&format!("{three} (2 more alike)")));
    assert!(lines.iter().any(|line| line.ends_with(&one)));
    let lines = tree("--all-processes");
    assert!(lines.iter().any(|line| line.contains(&me)), "{lines:?}");
    assert_eq!(alike(&lines).len(), 3, "{lines:?}");
    let is_kthreadd = |line: &String| line.ends_with("- 2 kthreadd");
    assert!(!lines.iter().any(is_kthreadd), "{lines:?}");
    if name_of(2) == "kthreadd" {
        let lines = tree("--kernel-threads");
        assert!(lines.iter().any(is_kthreadd), "{lines:?}");
        assert!(!lines.iter().any(|line| line.contains(&me)), "{lines:?}");
    }
}

#[test]
fn comparisons_as_json() {
    needs!(ours(NOT_THEIRS), root());
    let holder = Holder::unshare("-n");
    let pid = holder.pid().to_string();
    let same = |words: &str, status: i32| -> Value {
        let ran = Tool::setns().line(&format!("--same --json {words}")).run();
        let ran = ran.exits(status);
        serde_json::from_slice(&ran.stdout).unwrap_or_else(|error| panic!("{error}: {ran}"))
    };
    let text = same(&format!("{pid} self"), 1);
    assert_eq!(text["result"], "differs");
    assert_eq!(
        text["references"],
        json!([format!("process {pid}"), "self"])
    );
    let kinds = text["kinds"].as_array().expect("a list");
    assert_eq!(kinds.len(), KINDS.len());
    for kind in kinds {
        let is_net = kind["kind"] == "net";
        assert_eq!(kind["result"], if is_net { "differs" } else { "same" });
        let inode_of = |side: usize| kind["of"][side]["namespaces"][0]["inode"].as_u64();
        assert_eq!(inode_of(0) != inode_of(1), is_net);
        assert_eq!(kind["of"][0]["unknown"], Value::Null);
    }
    assert_eq!(same("uts=self uts=self", 0)["result"], "same");
    let ran = Tool::setns()
        .args(["--same", "--json", &format!("net={pid}"), "net=self"])
        .by_ordinary()
        .run()
        .exits(125);
    let text: Value = serde_json::from_slice(&ran.stdout).expect("JSON");
    assert_eq!(text["result"], "unknown");
    let why = text["kinds"][0]["of"][0]["unknown"].as_str().expect("text");
    assert!(why.contains("Permission denied"), "{why}");
}

#[test]
fn a_table_that_would_be_empty_says_why() {
    needs!(ours(NOT_THEIRS), root());
    let refused = |tool: Tool, why: &str| {
        let ran = tool.run().exits(125).out("").err_has(why);
        assert_eq!(
            ran.stderr.iter().filter(|&&byte| byte == b'\n').count(),
            1,
            "{ran}"
        );
    };
    for words in ["", "--json", "--tree", "--raw"] {
        refused(
            Tool::setns().line(&format!("-t net {words} /proc/self/ns/uts")),
            "none of the namespaces named is of these kinds: net",
        );
        let setns = Tool::path_of("setns");
        let hidden = format!(
            "mount -t tmpfs none /proc && exec {} --show {words}",
            setns.display()
        );
        let tool = Tool::fixture().line("-m --propagation private");
        refused(tool.sh(&hidden), "/proc");
    }
}

#[test]
fn bad_words_are_one_clear_line() {
    needs!(ours(NOT_THEIRS));
    for (words, why) in [
        (
            "-o FROB",
            "--output: 'FROB' is no column: all, KIND, INODE,",
        ),
        ("-o ''", "is no column"),
        ("-o KIND,", "--output: '' is no column"),
        (
            "-t frob",
            "--type: 'frob' is not a kind of namespace: user, cgroup",
        ),
        ("-t net,", "--type: '' is not a kind"),
        ("-p 0", "--task: '0' is not a number from 1"),
        ("-p self", "--task: 'self' is not a number"),
        ("-p 2147483647", "2147483647"),
        (
            "--show -r",
            "--root cannot be combined with --show (-r of lsns is --raw)",
        ),
        ("-nr", "--root cannot be combined with --noheadings"),
        ("--show self,", "''"),
        ("--show --kernel-threads", "--kernel-threads needs --tree"),
        ("--all-processes", "--all-processes needs --tree"),
        ("--tree -n", "--noheadings cannot be combined with --tree"),
        (
            "--tree --processes",
            "--processes cannot be combined with --tree",
        ),
        ("--json -o KIND", "--output cannot be combined with --json"),
        ("--json --raw", "--raw cannot be combined with --json"),
        (
            "--same -t net self self",
            "--same cannot be combined with --type",
        ),
        (
            "--same --json -n self self",
            "--same cannot be combined with --noheadings",
        ),
        ("--same --quiet --json self self", "--quiet and --json"),
    ] {
        let ran = Tool::setns()
            .line(words)
            .run()
            .exits(125)
            .out("")
            .err_has(why);
        assert_eq!(
            ran.stderr.iter().filter(|&&byte| byte == b'\n').count(),
            1,
            "{ran}"
        );
    }
}

/// Fewer than lsns makes for what both list, on a machine with 50 namespaces more.
#[test]
fn it_makes_fewer_system_calls_than_lsns() {
    needs!(ours(NOT_THEIRS), root(), command("strace"), command("lsns"));
    let place = Place::new();
    let trace = place.at("trace");
    let unshare = Tool::path_of("unshare");
    let script = format!(
        "i=0; while [ $i -lt 25 ]; do {unshare} -un sleep 1000 & i=$((i+1)); done; \
         while [ $(ls -l /proc/[0-9]*/ns/uts 2>/dev/null | sed 's/.*-> //' | sort -u | wc -l) -lt 26 ]; do sleep 0.1; done; \
         strace -o {trace}.ours {setns} --show >/dev/null; strace -o {trace}.theirs lsns >/dev/null",
        unshare = unshare.display(),
        setns = Tool::path_of("setns").display(),
    );
    Tool::fixture()
        .line("-pfm --mount-proc")
        .sh(&script)
        .run()
        .ok();
    let calls = |of: &str| {
        let text =
            std::fs::read_to_string(format!("{trace}.{of}")).expect("strace writes its file");
        // Each close of a debug build is checked.
        text.lines()
            .filter(|line| !line.contains("F_GETFD"))
            .count()
    };
    let (ours, theirs) = (calls("ours"), calls("theirs"));
    assert!(ours > 500 && ours < theirs, "{ours} and {theirs}");
}
