//! `--show --tree`: user namespaces with what they own, then PID namespaces in each other with their processes.
//!
//! Two trees, since a PID namespace need not be owned by the owner of the one above it.

use std::collections::BTreeSet;

use super::grid::plain;
use super::seen::{Kin, Name, Namespace, Seen};
use super::table::kept_by;
use crate::model::Kind;

/// The characters that a tree is drawn with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Lines {
    /// In front of a member with others after it.
    branch: &'static str,
    /// In front of the last one.
    last: &'static str,
    /// Where the members of one above go on.
    along: &'static str,
}

impl Lines {
    /// Line-drawing characters.
    pub(super) const UNICODE: Lines = Lines {
        branch: "├─ ",
        last: "└─ ",
        along: "│  ",
    };
    /// For terminals that have none.
    pub(super) const ASCII: Lines = Lines {
        branch: "|- ",
        last: "`- ",
        along: "|  ",
    };

    /// What the locale says of the terminal (locale(7)): the first of LC_ALL, LC_CTYPE, LANG that is set.
    pub(super) fn of_locale<'a>(variable: impl Fn(&str) -> Option<&'a str>) -> Lines {
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"]
            .iter()
            .filter_map(|name| variable(name))
            .find(|value| !value.is_empty())
            .unwrap_or_default()
            .to_ascii_lowercase();
        if locale.contains("utf-8") || locale.contains("utf8") {
            Lines::UNICODE
        } else {
            Lines::ASCII
        }
    }
}

/// What hangs below what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Node<'a> {
    /// A namespace.
    Namespace(&'a Namespace, Vec<Node<'a>>),
    /// A process.
    Process(i32),
}

/// The two trees, as data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Trees<'a> {
    /// User namespaces that have no parent, or none that can be told; below each what it owns, then its children.
    pub(super) users: Vec<Node<'a>>,
    /// Namespaces whose owner cannot be told.
    pub(super) ownerless: Vec<Node<'a>>,
    /// PID namespaces that have no parent, or none that can be told; below each its processes, then its children.
    pub(super) pids: Vec<Node<'a>>,
}

/// Puts the namespaces chosen where they belong. Those above them are there too, without their processes.
pub(super) fn trees<'a>(seen: &'a Seen, chosen: &[&'a Namespace]) -> Trees<'a> {
    let wanted: BTreeSet<Name> = chosen.iter().map(|namespace| namespace.name()).collect();
    let mut shown = wanted.clone();
    for namespace in chosen {
        shown.extend(seen.owners(namespace).map(Namespace::name));
        let mut next = *namespace;
        while let (Kind::Pid, Kin::Is(inode)) = (next.kind, next.parent)
            && let Some(parent) = seen.get((Kind::Pid, inode))
        {
            shown.insert(parent.name());
            shown.extend(seen.owners(parent).map(Namespace::name));
            next = parent;
        }
    }
    let shown: Vec<&Namespace> = shown.iter().filter_map(|&name| seen.get(name)).collect();
    let wood = Wood {
        shown: &shown,
        wanted: &wanted,
    };
    let roots = |kind: Kind| {
        let is_root =
            move |one: &&&Namespace| one.kind == kind && !matches!(one.parent, Kin::Is(_));
        shown.iter().filter(is_root)
    };
    let ownerless = |one: &&&Namespace| one.kind != Kind::User && one.owner == Kin::Hidden;
    Trees {
        users: roots(Kind::User).map(|one| wood.user(one)).collect(),
        ownerless: shown
            .iter()
            .filter(ownerless)
            .map(|one| Node::Namespace(one, Vec::new()))
            .collect(),
        pids: roots(Kind::Pid).map(|one| wood.pid(one)).collect(),
    }
}

struct Wood<'a, 'b> {
    shown: &'b [&'a Namespace],
    wanted: &'b BTreeSet<Name>,
}

impl<'a> Wood<'a, '_> {
    fn user(&self, user: &'a Namespace) -> Node<'a> {
        let here = Kin::Is(user.inode);
        let owned = self.shown.iter();
        let owned = owned.filter(|one| one.kind != Kind::User && one.owner == here);
        let owned = owned.map(|one| Node::Namespace(one, Vec::new()));
        let children = self.shown.iter();
        let children = children.filter(|one| one.kind == Kind::User && one.parent == here);
        let children = children.map(|one| self.user(one));
        Node::Namespace(user, owned.chain(children).collect())
    }

    fn pid(&self, namespace: &'a Namespace) -> Node<'a> {
        let here = Kin::Is(namespace.inode);
        let processes: &[i32] = if self.wanted.contains(&namespace.name()) {
            &namespace.processes
        } else {
            &[]
        };
        let processes = processes.iter().map(|&pid| Node::Process(pid));
        let children = self.shown.iter();
        let children = children.filter(|one| one.kind == Kind::Pid && one.parent == here);
        let children = children.map(|one| self.pid(one));
        Node::Namespace(namespace, processes.chain(children).collect())
    }
}

/// Draws the trees.
pub(super) fn draw(
    seen: &Seen,
    trees: &Trees<'_>,
    lines: Lines,
    command: &dyn Fn(i32) -> Option<String>,
) -> String {
    let pen = Pen {
        seen,
        lines,
        command,
    };
    let mut text = String::new();
    for root in &trees.users {
        pen.draw(root, "", "", &mut text);
    }
    if !trees.ownerless.is_empty() {
        text.push_str("owned by user namespaces that cannot be told\n");
        pen.below(&trees.ownerless, "", &mut text);
    }
    if !trees.pids.is_empty() {
        text.push('\n');
    }
    for root in &trees.pids {
        pen.draw(root, "", "", &mut text);
    }
    text
}

struct Pen<'a> {
    seen: &'a Seen,
    lines: Lines,
    command: &'a dyn Fn(i32) -> Option<String>,
}

impl Pen<'_> {
    /// A node and what is below it; `head` stands in front of its own line, `rest` of those below.
    fn draw(&self, node: &Node<'_>, head: &str, rest: &str, text: &mut String) {
        text.push_str(head);
        match node {
            Node::Process(pid) => {
                text.push_str(&pid.to_string());
                if let Some(command) = (self.command)(*pid) {
                    text.push(' ');
                    text.push_str(&plain(&command));
                }
                text.push('\n');
            }
            Node::Namespace(namespace, below) => {
                text.push_str(&self.label(namespace));
                text.push('\n');
                self.below(below, rest, text);
            }
        }
    }

    fn below(&self, nodes: &[Node<'_>], rest: &str, text: &mut String) {
        let count = nodes.len();
        for (index, node) in nodes.iter().enumerate() {
            let (head, more) = if index + 1 == count {
                (self.lines.last, "   ")
            } else {
                (self.lines.branch, self.lines.along)
            };
            self.draw(
                node,
                &format!("{rest}{head}"),
                &format!("{rest}{more}"),
                text,
            );
        }
    }

    /// `user:[4026531837] ours, uid 0, 12 processes`.
    fn label(&self, namespace: &Namespace) -> String {
        let mut facts = Vec::new();
        if namespace.ours {
            facts.push("ours".to_owned());
        }
        if let (Kind::User, Some(uid)) = (namespace.kind, namespace.owner_uid) {
            facts.push(format!("uid {uid}"));
        }
        match namespace.processes.len() {
            0 => facts.push(kept_by(self.seen, namespace, self.command)),
            1 => facts.push("1 process".to_owned()),
            many => facts.push(format!("{many} processes")),
        }
        if !namespace.processes.is_empty() && !namespace.mounts.is_empty() {
            facts.push(kept_by(self.seen, namespace, self.command));
        }
        format!(
            "{}:[{}] {}",
            namespace.kind,
            namespace.inode,
            facts.join(", ")
        )
    }
}

#[cfg(test)]
mod tests {
    use super::super::seen::tests::sample;
    use super::super::seen::{Choice, chosen};
    use super::*;
    use crate::model::Kinds;

    fn drawn(seen: &Seen, choice: Choice, lines: Lines) -> String {
        let chosen = chosen(seen, &[choice]);
        let trees = trees(seen, &chosen);
        draw(seen, &trees, lines, &|pid| Some(format!("program{pid}")))
    }

    #[test]
    fn everything_has_its_place() {
        let text = drawn(&sample(), Choice::Kinds(Kinds::ALL), Lines::UNICODE);
        assert_eq!(
            text,
            "\
user:[1] ours, uid 0, 2 processes
├─ pid:[2] ours, 2 processes
└─ user:[4026531841] uid 1000, 1 process
   ├─ net:[4026531843] /run/netns/a b +1
   ├─ pid:[4026531842] 1 process
   └─ user:[4026531844] uid 1000, fd 3 of 7 program7

pid:[2] ours, 2 processes
├─ 1 program1
├─ 7 program7
└─ pid:[4026531842] 1 process
   └─ 8 program8
"
        );
    }

    #[test]
    fn what_is_above_the_chosen_is_shown_without_its_processes() {
        let first = 0xF000_0000;
        let choice = Choice::One((Kind::Pid, first + 2));
        assert_eq!(
            drawn(&sample(), choice, Lines::ASCII),
            "\
user:[1] ours, uid 0, 2 processes
|- pid:[2] ours, 2 processes
`- user:[4026531841] uid 1000, 1 process
   `- pid:[4026531842] 1 process

pid:[2] ours, 2 processes
`- pid:[4026531842] 1 process
   `- 8 program8
"
        );
    }

    #[test]
    fn owners_that_cannot_be_told() {
        let mut seen = Seen::default();
        seen.entry((Kind::Uts, 3)).processes.push(5);
        assert_eq!(
            drawn(&seen, Choice::Kinds(Kinds::ALL), Lines::ASCII),
            "owned by user namespaces that cannot be told\n`- uts:[3] 1 process\n"
        );
    }

    #[test]
    fn the_locale_says_what_the_terminal_has() {
        let with = |all: &'static str, lang: &'static str| {
            Lines::of_locale(|name| match name {
                "LC_ALL" => Some(all),
                "LANG" => Some(lang),
                _ => None,
            })
        };
        assert_eq!(with("", "en_US.UTF-8"), Lines::UNICODE);
        assert_eq!(with("C.utf8", "C"), Lines::UNICODE);
        assert_eq!(with("C", "en_US.UTF-8"), Lines::ASCII);
        assert_eq!(with("", ""), Lines::ASCII);
    }
}
