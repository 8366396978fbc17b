//! `--show --tree`: user namespaces with what they own, then PID namespaces in each other with their processes.
//!
//! Two trees, since a PID namespace need not be owned by the owner of the one above it.

use super::grid::plain;
use super::processes::ProcessSource;
use super::seen::{Kin, Name, Namespace, Seen};
use super::table::kept_by;
use crate::model::Kind;
use crate::model::listing::Listing;
use crate::model::sorted::{SortedMap, SortedSet};

/// The characters that a tree is drawn with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lines {
    /// Line-drawing characters.
    Unicode,
    /// For terminals that have none.
    Ascii,
}

impl Lines {
    /// In front of a member with others after it.
    fn branch(self) -> &'static str {
        match self {
            Lines::Unicode => "├─ ",
            Lines::Ascii => "|- ",
        }
    }

    /// In front of the last one.
    fn last(self) -> &'static str {
        match self {
            Lines::Unicode => "└─ ",
            Lines::Ascii => "`- ",
        }
    }

    /// Where the members of one above go on.
    fn along(self) -> &'static str {
        match self {
            Lines::Unicode => "│  ",
            Lines::Ascii => "|  ",
        }
    }

    /// What the locale says of the terminal (locale(7)): the first of LC_ALL, LC_CTYPE, LANG that is set.
    pub(super) fn of_locale<'a>(variable: impl Fn(&str) -> Option<&'a str>) -> Lines {
        let locale = "LC_ALL LC_CTYPE LANG"
            .split(' ')
            .filter_map(variable)
            .find(|value| !value.is_empty())
            .unwrap_or_default()
            .to_ascii_lowercase();
        // language.CHARSET@modifier, or the character set alone.
        let mut parts = locale.as_bytes().rsplit(|&byte| byte == b'.');
        let charset = parts.next().unwrap_or_default();
        if charset.starts_with(b"utf-8") || charset.starts_with(b"utf8") {
            Lines::Unicode
        } else {
            Lines::Ascii
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
    let mut wanted = SortedSet::default();
    wanted.extend(chosen.iter().map(|namespace| namespace.name()));
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
    wanted: &'b SortedSet<Name>,
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
        let processes: &[i32] = if self.wanted.has(&namespace.name()) {
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

/// Draws the trees. Of our own PID namespace, what the listing asks for is drawn; else its processes are counted.
pub(super) fn draw(
    seen: &Seen,
    trees: &Trees<'_>,
    lines: Lines,
    listing: &Listing,
    ask: &dyn ProcessSource,
) -> String {
    let pen = Pen {
        seen,
        lines,
        listing,
        ask,
    };
    let mut text = String::new();
    for root in &trees.users {
        pen.namespace(root, "", "", &mut text);
    }
    if !trees.ownerless.is_empty() {
        text.push_str("owned by user namespaces that cannot be told\n");
        pen.below(&pen.items(None, &trees.ownerless), "", &mut text);
    }
    if !trees.pids.is_empty() {
        text.push('\n');
    }
    for root in &trees.pids {
        pen.namespace(root, "", "", &mut text);
    }
    text
}

/// What has a line below a namespace.
enum Item<'a, 'b> {
    Namespace(&'b Node<'a>),
    /// A process, and how many others are like it.
    Process(i32, String, usize),
}

struct Pen<'a> {
    seen: &'a Seen,
    lines: Lines,
    listing: &'a Listing,
    ask: &'a dyn ProcessSource,
}

impl Pen<'_> {
    /// A namespace and what is below it, whose lines begin with `rest`.
    fn namespace(&self, node: &Node<'_>, head: &str, rest: &str, text: &mut String) {
        if let Node::Namespace(namespace, below) = node {
            text.push_str(head);
            text.push_str(&plain(&self.label(namespace)));
            text.push('\n');
            self.below(&self.items(Some(namespace), below), rest, text);
        }
    }

    /// Those below a namespace that have a line: processes first.
    fn items<'a, 'b>(
        &self,
        namespace: Option<&Namespace>,
        nodes: &'b [Node<'a>],
    ) -> Vec<Item<'a, 'b>> {
        let mut items = Vec::new();
        // The place of the first process with a command.
        let mut first: SortedMap<String, usize> = SortedMap::default();
        for node in nodes {
            let &Node::Process(pid) = node else {
                items.push(Item::Namespace(node));
                continue;
            };
            let Some(command) = self.command(pid, namespace.is_some_and(|one| one.ours)) else {
                continue;
            };
            let place = *first.get_or_insert_with(command.clone(), || items.len());
            match items.get_mut(place) {
                Some(Item::Process(_, _, alike)) if !self.listing.all_processes => *alike += 1,
                _ => items.push(Item::Process(pid, command, 0)),
            }
        }
        items
    }

    /// The command of a process that is to be drawn.
    fn command(&self, pid: i32, is_ours: bool) -> Option<String> {
        let listing = self.listing;
        if is_ours && !listing.all_processes && !listing.kernel_threads {
            return None;
        }
        let Some(process) = self.ask.process(pid) else {
            // It has ended meanwhile.
            return (!is_ours || listing.all_processes).then(String::new);
        };
        let is_drawn = if process.is_kernel_thread {
            listing.kernel_threads
        } else {
            !is_ours || listing.all_processes
        };
        is_drawn.then(|| process.command())
    }

    fn below(&self, items: &[Item<'_, '_>], rest: &str, text: &mut String) {
        let count = items.len();
        for (index, item) in items.iter().enumerate() {
            let (head, more) = if index + 1 == count {
                (self.lines.last(), "   ")
            } else {
                (self.lines.branch(), self.lines.along())
            };
            let head = format!("{rest}{head}");
            match item {
                Item::Namespace(node) => {
                    self.namespace(node, &head, &format!("{rest}{more}"), text);
                }
                Item::Process(pid, command, alike) => {
                    let line = format!("{head}{pid} {}", plain(command));
                    text.push_str(line.trim_end());
                    if *alike > 0 {
                        text.push_str(&format!(" ({alike} more alike)"));
                    }
                    text.push('\n');
                }
            }
        }
    }

    /// `user:[4026531837] ours, user root, 12 processes`.
    fn label(&self, namespace: &Namespace) -> String {
        let mut facts = Vec::new();
        if namespace.ours {
            facts.push("ours".to_owned());
        }
        if let (Kind::User, Some(uid)) = (namespace.kind, namespace.owner_uid) {
            facts.push(match self.ask.user(uid) {
                Some(name) => format!("user {name}"),
                None => format!("user {uid}"),
            });
        }
        match namespace.processes.len() {
            0 => facts.push(kept_by(self.seen, namespace, self.ask)),
            1 => facts.push("1 process".to_owned()),
            many => facts.push(format!("{many} processes")),
        }
        if !namespace.processes.is_empty() && !namespace.mounts.is_empty() {
            facts.push(kept_by(self.seen, namespace, self.ask));
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
    use super::super::processes::tests::Known;
    use super::super::seen::tests::sample;
    use super::super::seen::{Choice, chosen};
    use super::*;
    use crate::model::Kinds;
    use crate::model::listing::Form;

    fn listing() -> Listing {
        Listing::plain(Form::Tree)
    }

    fn drawn(seen: &Seen, choice: Choice, lines: Lines, listing: &Listing) -> String {
        let chosen = chosen(seen, &[choice], Kinds::ALL);
        let trees = trees(seen, &chosen);
        let ask = Known {
            last: 8,
            name: "program",
        };
        draw(seen, &trees, lines, listing, &ask)
    }

    #[test]
    fn everything_has_its_place() {
        let all = Choice::Kinds(Kinds::ALL);
        let text = drawn(&sample(), all, Lines::Unicode, &listing());
        assert_eq!(
            text,
            "\
user:[1] ours, user root, 2 processes
├─ pid:[2] ours, 2 processes
└─ user:[4026531841] user a\\u{1b}nn, 1 process
   ├─ net:[4026531843] /run/netns/a b +1
   ├─ pid:[4026531842] 1 process
   └─ user:[4026531844] user a\\u{1b}nn, fd 3 of 7 program7 -x

pid:[2] ours, 2 processes
└─ pid:[4026531842] 1 process
   └─ 8 program8 -x
"
        );
    }

    #[test]
    fn the_processes_of_a_tree() {
        let mut seen = sample();
        seen.entry((Kind::Pid, 2)).processes = vec![1, 2, 7];
        let inner = seen.entry((Kind::Pid, 0xF000_0002));
        // The ones that are not known are alike.
        inner.processes = vec![8, 9, 10, 11];
        let pids = |kernel_threads, all_processes| {
            let listing = Listing {
                kernel_threads,
                all_processes,
                ..listing()
            };
            let all = Choice::Kinds(Kinds::ALL);
            let text = drawn(&seen, all, Lines::Ascii, &listing);
            text.split_once("\n\n").unwrap().1.to_owned()
        };
        let folded =
            "`- pid:[4026531842] 4 processes\n   |- 8 program8 -x\n   `- 9 (2 more alike)\n";
        let all =
            "`- pid:[4026531842] 4 processes\n   |- 8 program8 -x\n   |- 9\n   |- 10\n   `- 11\n";
        let head = "pid:[2] ours, 3 processes\n";
        let (one, two, seven) = (
            "|- 1 program1 -x\n",
            "|- 2 program2\n",
            "|- 7 program7 -x\n",
        );
        assert_eq!(pids(false, false), [head, folded].concat());
        assert_eq!(pids(true, false), [head, two, folded].concat());
        assert_eq!(pids(false, true), [head, one, seven, all].concat());
        assert_eq!(pids(true, true), [head, one, two, seven, all].concat());
    }

    #[test]
    fn what_is_above_the_chosen_is_shown_without_its_processes() {
        let first = 0xF000_0000;
        let choice = Choice::One((Kind::Pid, first + 2));
        let listing = Listing {
            all_processes: true,
            ..listing()
        };
        assert_eq!(
            drawn(&sample(), choice, Lines::Ascii, &listing),
            "\
user:[1] ours, user root, 2 processes
|- pid:[2] ours, 2 processes
`- user:[4026531841] user a\\u{1b}nn, 1 process
   `- pid:[4026531842] 1 process

pid:[2] ours, 2 processes
`- pid:[4026531842] 1 process
   `- 8 program8 -x
"
        );
    }

    #[test]
    fn owners_that_cannot_be_told() {
        let mut seen = Seen::default();
        seen.entry((Kind::Uts, 3)).processes.push(5);
        let all = Choice::Kinds(Kinds::ALL);
        assert_eq!(
            drawn(&seen, all, Lines::Ascii, &listing()),
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
        assert_eq!(with("", "en_US.UTF-8"), Lines::Unicode);
        assert_eq!(with("C.utf8", "C"), Lines::Unicode);
        assert_eq!(with("", "de_DE.UTF-8@euro"), Lines::Unicode);
        assert_eq!(with("", "UTF-8"), Lines::Unicode);
        assert_eq!(with("", "de_DE.ISO-8859-15@euro"), Lines::Ascii);
        assert_eq!(with("C", "en_US.UTF-8"), Lines::Ascii);
        assert_eq!(with("", ""), Lines::Ascii);
    }
}
