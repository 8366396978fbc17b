//! `--json`: for other programs. What is here stays as it is; only members may be added.

use std::fmt::Write as _;

use super::seen::{Kin, Namespace, Seen};
use super::tree::{Node, Trees};
use crate::model::Kind;
use crate::model::json::string;

/// The namespaces, an object each.
pub(super) fn table(seen: &Seen, chosen: &[&Namespace], limits: &[(Kind, u64)]) -> String {
    let namespaces = list(chosen.iter().map(|one| object(&members(one))));
    object(&[
        member("namespaces", namespaces),
        member("limits", limits_of(seen, limits)),
        member("unreadable_processes", seen.refused),
        member("hidden_processes", seen.hidden),
    ]) + "\n"
}

/// The trees: each namespace has what is below it.
pub(super) fn tree(
    seen: &Seen,
    trees: &Trees<'_>,
    limits: &[(Kind, u64)],
    command: &dyn Fn(i32) -> Option<String>,
) -> String {
    let nodes = |nodes: &[Node<'_>]| list(nodes.iter().map(|one| node(one, command)));
    object(&[
        member("user_namespaces", nodes(&trees.users)),
        member("owner_unknown", nodes(&trees.ownerless)),
        member("pid_namespaces", nodes(&trees.pids)),
        member("limits", limits_of(seen, limits)),
        member("unreadable_processes", seen.refused),
        member("hidden_processes", seen.hidden),
    ]) + "\n"
}

fn node(one: &Node<'_>, command: &dyn Fn(i32) -> Option<String>) -> String {
    match one {
        Node::Process(pid) => {
            let command = command(*pid).map(|command| string(command.as_ref()));
            object(&[member("pid", pid), member("command", or_null(command))])
        }
        Node::Namespace(namespace, below) => {
            let mut members = members(namespace);
            members.push(member(
                "below",
                list(below.iter().map(|one| node(one, command))),
            ));
            object(&members)
        }
    }
}

fn members(one: &Namespace) -> Vec<String> {
    let relation = |relation| match relation {
        Kin::Is(inode) => Some(inode),
        Kin::None | Kin::Hidden => None,
    };
    let threads = one.threads.iter();
    let threads =
        threads.map(|thread| object(&[member("pid", thread.pid), member("tid", thread.tid)]));
    let descriptors = one.descriptors.iter();
    let descriptors =
        descriptors.map(|fd| object(&[member("pid", fd.pid), member("fd", fd.number)]));
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
        member("parent", or_null(relation(one.parent))),
        member("ours", one.ours),
        member("processes", list(one.processes.iter())),
        member("threads", list(threads)),
        member("for_children_of", list(one.for_children.iter())),
        member("descriptors", list(descriptors)),
        member("mounts", list(mounts)),
    ]
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

fn member(name: &str, value: impl std::fmt::Display) -> String {
    format!("\"{name}\":{value}")
}

fn object(members: &[String]) -> String {
    format!("{{{}}}", members.join(","))
}

fn list(values: impl Iterator<Item = impl std::fmt::Display>) -> String {
    let mut text = String::from("[");
    for (index, value) in values.enumerate() {
        let comma = if index > 0 { "," } else { "" };
        let _ = write!(text, "{comma}{value}");
    }
    text + "]"
}

fn or_null(value: Option<impl std::fmt::Display>) -> String {
    value.map_or("null".into(), |value| value.to_string())
}

#[cfg(test)]
mod tests {
    use super::super::seen::tests::sample;
    use super::super::seen::{Choice, chosen};
    use super::super::tree::trees;
    use super::*;
    use crate::model::Kinds;
    use serde_json::{Value, json};

    const LIMITS: [(Kind, u64); 1] = [(Kind::User, 9)];

    #[test]
    fn namespaces_are_objects() {
        let mut seen = sample();
        seen.refused = 3;
        let chosen = chosen(&seen, &[Choice::Kinds(Kinds::NONE.with(Kind::Net))]);
        let text = table(&seen, &chosen, &LIMITS);
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
                    "parent": null,
                    "ours": false,
                    "processes": [],
                    "threads": [],
                    "for_children_of": [],
                    "descriptors": [],
                    "mounts": [
                        {"path": "/run/netns/a b", "mount_namespace": 4, "pid": null},
                        {"path": "/run/netns/a b", "mount_namespace": 5, "pid": 9},
                    ],
                }],
                "limits": {"user": {"max": 9, "in_use": 2}},
                "unreadable_processes": 3,
                "hidden_processes": false,
            })
        );
    }

    #[test]
    fn trees_nest() {
        let seen = sample();
        let chosen = chosen(&seen, &[Choice::Kinds(Kinds::ALL)]);
        let text = tree(&seen, &trees(&seen, &chosen), &[], &|pid| {
            (pid == 8).then(|| "a\"b".to_owned())
        });
        let value: Value = serde_json::from_str(&text).unwrap();
        let inner = &value["pid_namespaces"][0]["below"][2];
        assert_eq!(inner["inode"], 0xF000_0002_u32);
        assert_eq!(inner["below"], json!([{"pid": 8, "command": "a\"b"}]));
        let users = &value["user_namespaces"][0]["below"];
        assert_eq!(
            users[1]["below"][2]["descriptors"],
            json!([{"pid": 7, "fd": 3}])
        );
        assert_eq!(value["owner_unknown"], json!([]));
        assert_eq!(value["unreadable_processes"], 0);
    }
}
