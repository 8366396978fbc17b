//! `--json`: for other programs. What is here stays as it is; only members may be added.

use super::processes::ProcessSource;
use super::same::{Side, Verdict};
use super::seen::{Descriptor, Kin, Namespace, Seen};
use super::tree::{Node, Trees};
use crate::model::Kind;
use crate::model::json::{list, member, object, or_null, string};

/// The namespaces, an object each.
pub(super) fn table(
    seen: &Seen,
    chosen: &[&Namespace],
    limits: &[(Kind, u64)],
    processes: bool,
    ask: &dyn ProcessSource,
) -> String {
    let namespaces = chosen.iter().map(|one| {
        let mut members = members(one, ask);
        if processes {
            let details = one.members();
            let details = details.iter().map(|&pid| details_of(pid, ask));
            members.push(member("process_details", list(details)));
        }
        object(&members)
    });
    let mut all = vec![member("namespaces", list(namespaces))];
    all.extend(what_there_is(seen, limits));
    object(&all) + "\n"
}

/// The limits, and what could not be looked at.
fn what_there_is(seen: &Seen, limits: &[(Kind, u64)]) -> [String; 4] {
    [
        member("limits", limits_of(seen, limits)),
        member("unreadable_processes", seen.refused),
        member("unreadable_sockets", seen.refused_sockets),
        member("hidden_processes", seen.hidden),
    ]
}

/// A process, as far as it can be told.
fn details_of(pid: i32, ask: &dyn ProcessSource) -> String {
    let mut members = process(pid, ask);
    let parent = ask.process(pid).map(|process| process.parent);
    let uid = ask.uid(pid);
    members.push(member("ppid", or_null(parent)));
    members.push(member("uid", or_null(uid)));
    members.push(member("user", user(uid, ask)));
    object(&members)
}

fn process(pid: i32, ask: &dyn ProcessSource) -> Vec<String> {
    let found = ask.process(pid);
    let name = found.as_ref().map(|process| string(process.name.as_ref()));
    let arguments =
        found.map(|process| list(process.arguments.iter().map(|word| string(word.as_ref()))));
    vec![
        member("pid", pid),
        member("command", or_null(name)),
        member("arguments", or_null(arguments)),
    ]
}

/// The name of a user.
fn user(uid: Option<u32>, ask: &dyn ProcessSource) -> String {
    let name = uid.and_then(|uid| ask.user(uid));
    or_null(name.map(|name| string(name.as_ref())))
}

/// The trees: each namespace has what is below it.
pub(super) fn tree(
    seen: &Seen,
    trees: &Trees<'_>,
    limits: &[(Kind, u64)],
    processes: bool,
    ask: &dyn ProcessSource,
) -> String {
    let nodes = |nodes: &[Node<'_>]| list(nodes.iter().map(|one| node(one, processes, ask)));
    let mut all = vec![
        member("user_namespaces", nodes(&trees.users)),
        member("owner_unknown", nodes(&trees.ownerless)),
        member("pid_namespaces", nodes(&trees.pids)),
    ];
    all.extend(what_there_is(seen, limits));
    object(&all) + "\n"
}

fn node(one: &Node<'_>, processes: bool, ask: &dyn ProcessSource) -> String {
    match one {
        Node::Process(pid) if processes => details_of(*pid, ask),
        Node::Process(pid) => object(&process(*pid, ask)),
        Node::Namespace(namespace, below) => {
            let mut members = members(namespace, ask);
            members.push(member(
                "below",
                list(below.iter().map(|one| node(one, processes, ask))),
            ));
            object(&members)
        }
    }
}

fn members(one: &Namespace, ask: &dyn ProcessSource) -> Vec<String> {
    let relation = |relation| match relation {
        Kin::Is(inode) => Some(inode),
        Kin::None | Kin::Hidden => None,
    };
    let threads = one.threads.iter();
    let threads =
        threads.map(|thread| object(&[member("pid", thread.pid), member("tid", thread.tid)]));
    let open = |fd: &Descriptor| object(&[member("pid", fd.pid), member("fd", fd.number)]);
    let descriptors = one.descriptors.iter().map(open);
    let sockets = one.sockets.iter().map(open);
    let mounts = one.mounts.iter().map(|mounted| {
        object(&[
            member("path", string(&mounted.path)),
            member("mount_namespace", mounted.mount_namespace),
            member("pid", or_null(mounted.pid)),
        ])
    });
    vec![
        member("kind", string(one.kind.name().as_ref())),
        member("inode", one.inode),
        member("id", or_null(one.id)),
        member("owner", or_null(relation(one.owner))),
        member("owner_uid", or_null(one.owner_uid)),
        member("owner_user", user(one.owner_uid, ask)),
        member("parent", or_null(relation(one.parent))),
        member("netns_id", or_null(one.netns_id)),
        member("ours", one.ours),
        member("processes", list(one.processes.iter())),
        member("threads", list(threads)),
        member("for_children_of", list(one.for_children.iter())),
        member("descriptors", list(descriptors)),
        member("mounts", list(mounts)),
        member("sockets", list(sockets)),
    ]
}

/// What came of a comparison.
pub(crate) fn same(sides: &[Side], rows: &[(Kind, Verdict)]) -> String {
    let verdict = rows.iter().map(|&(_, verdict)| verdict).max();
    let references = sides.iter().map(|side| string(side.name.as_ref()));
    let kinds = rows.iter().map(|&(kind, verdict)| {
        let sides = sides.iter().filter_map(|side| side.of.get(&kind));
        let sides = sides.map(|known| {
            let inodes = known.these.iter();
            let inodes = inodes
                .map(|(device, inode)| object(&[member("device", device), member("inode", inode)]));
            let unknown = known.unknown.as_ref();
            let unknown = unknown.map(|why| string(why.as_ref()));
            object(&[
                member("namespaces", list(inodes)),
                member("unknown", or_null(unknown)),
            ])
        });
        object(&[
            member("kind", string(kind.name().as_ref())),
            member("result", string(verdict.word().as_ref())),
            member("of", list(sides)),
        ])
    });
    let result = verdict.unwrap_or(Verdict::Unknown).word();
    object(&[
        member("result", string(result.as_ref())),
        member("references", list(references)),
        member("kinds", list(kinds)),
    ]) + "\n"
}

fn limits_of(seen: &Seen, limits: &[(Kind, u64)]) -> String {
    let limits: Vec<String> = limits
        .iter()
        .map(|&(kind, most)| {
            let numbers = [member("max", most), member("in_use", seen.in_use(kind))];
            member(kind.name(), object(&numbers))
        })
        .collect();
    object(&limits)
}

#[cfg(test)]
mod tests {
    use super::super::processes::tests::Known;
    use super::super::seen::Thread;
    use super::super::seen::tests::sample;
    use super::super::seen::{Choice, chosen};
    use super::super::tree::trees;
    use super::*;
    use crate::model::Kinds;
    use serde_json::{Value, json};

    const LIMITS: [(Kind, u64); 1] = [(Kind::User, 9)];
    const ASK: Known = Known {
        last: 8,
        name: "a\"b",
    };

    #[test]
    fn namespaces_are_objects() {
        let mut seen = sample();
        seen.refused = 3;
        seen.refused_sockets = 4;
        let net = seen.entry((Kind::Net, 0xF000_0003));
        net.netns_id = Some(5);
        net.sockets = vec![Descriptor { pid: 7, number: 6 }];
        net.threads = vec![Thread { pid: 7, tid: 9 }];
        let net = [Choice::Kinds(Kinds::NONE.with(Kind::Net))];
        let chosen = chosen(&seen, &net, Kinds::ALL);
        let text = table(&seen, &chosen, &LIMITS, true, &ASK);
        assert_eq!(text.lines().count(), 1);
        let value: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(
            value,
            json!({
                "namespaces": [{
                    "kind": "net",
                    "inode": 0xF000_0003_u32,
                    "id": null,
                    "owner": 0xF000_0001_u32,
                    "owner_uid": 1000,
                    "owner_user": "a\u{1b}nn",
                    "parent": null,
                    "netns_id": 5,
                    "ours": false,
                    "processes": [],
                    "threads": [{"pid": 7, "tid": 9}],
                    "for_children_of": [],
                    "descriptors": [],
                    "mounts": [
                        {"path": "/run/netns/a b", "mount_namespace": 4, "pid": null},
                        {"path": "/run/netns/a b", "mount_namespace": 5, "pid": 9},
                    ],
                    "sockets": [{"pid": 7, "fd": 6}],
                    "process_details": [{
                        "pid": 7,
                        "command": "a\"b7",
                        "arguments": ["a\"b7", "-x"],
                        "ppid": 6,
                        "uid": 1000,
                        "user": "a\u{1b}nn",
                    }],
                }],
                "limits": {"user": {"max": 9, "in_use": 2}},
                "unreadable_processes": 3,
                "unreadable_sockets": 4,
                "hidden_processes": false,
            })
        );
    }

    #[test]
    fn trees_nest() {
        let seen = sample();
        let chosen = chosen(&seen, &[Choice::Kinds(Kinds::ALL)], Kinds::ALL);
        let trees = trees(&seen, &chosen);
        let text = tree(&seen, &trees, &[], false, &ASK);
        let value: Value = serde_json::from_str(&text).unwrap();
        let inner = &value["pid_namespaces"][0]["below"][2];
        assert_eq!(inner["inode"], 0xF000_0002_u32);
        assert_eq!(
            inner["below"],
            json!([{"pid": 8, "command": "a\"b8", "arguments": ["a\"b8", "-x"]}])
        );
        let users = &value["user_namespaces"][0]["below"];
        assert_eq!(
            users[1]["below"][2]["descriptors"],
            json!([{"pid": 7, "fd": 3}])
        );
        assert_eq!(value["owner_unknown"], json!([]));
        assert_eq!(value["unreadable_processes"], 0);
        let text = tree(&seen, &trees, &[], true, &ASK);
        let value: Value = serde_json::from_str(&text).unwrap();
        let inner = &value["pid_namespaces"][0]["below"][2]["below"][0];
        assert_eq!((&inner["pid"], &inner["uid"]), (&json!(8), &json!(1000)));
        assert!(
            inner
                .as_object()
                .is_some_and(|inner| inner.contains_key("ppid"))
        );
    }

    #[test]
    fn what_came_of_a_comparison() {
        let known = |inode| super::super::same::Known::is((4, inode));
        let mut hidden = known(2);
        hidden.unknown = Some("who can \"know\"".to_owned());
        let side = |name: &str, net| Side {
            name: name.to_owned(),
            of: [(Kind::User, known(1)), (Kind::Net, net)]
                .into_iter()
                .collect(),
        };
        let sides = [side("a", known(2)), side("b\n", hidden)];
        let rows = [(Kind::User, Verdict::Same), (Kind::Net, Verdict::Unknown)];
        let text = super::same(&sides, &rows);
        assert!(text.ends_with("}\n") && text.lines().count() == 1);
        let of = |inode: u32, unknown: Value| json!({"namespaces": [{"device": 4, "inode": inode}], "unknown": unknown});
        let value: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(
            value,
            json!({
                "result": "unknown",
                "references": ["a", "b\n"],
                "kinds": [
                    {"kind": "user", "result": "same", "of": [of(1, Value::Null), of(1, Value::Null)]},
                    {
                        "kind": "net",
                        "result": "unknown",
                        "of": [of(2, Value::Null), of(2, json!("who can \"know\""))],
                    },
                ],
            })
        );
    }
}
