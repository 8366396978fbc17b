//! Which of the programs that this binary is: their options differ, and so does what can be advised.

/// The name of an applet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum AppletName {
    #[default]
    Unshare,
    Nsenter,
    Setns,
}

impl AppletName {
    /// All of them.
    pub(crate) const ALL: [AppletName; 3] =
        [AppletName::Unshare, AppletName::Nsenter, AppletName::Setns];

    /// As it is called.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            AppletName::Unshare => "unshare",
            AppletName::Nsenter => "nsenter",
            AppletName::Setns => "setns",
        }
    }

    /// The applet of this name.
    pub(crate) fn of(name: &[u8]) -> Option<AppletName> {
        AppletName::ALL
            .into_iter()
            .find(|applet| applet.as_str().as_bytes() == name)
    }

    /// How a user namespace in which we have all capabilities is asked for beside the rest.
    pub(crate) const fn also_user(self) -> &'static str {
        match self {
            AppletName::Unshare => "add -r",
            AppletName::Nsenter => "add -U --preserve-credentials",
            AppletName::Setns => "name the user namespace too (user+KIND=REF)",
        }
    }

    /// How it is left out.
    pub(crate) const fn without_user(self) -> &'static str {
        match self {
            AppletName::Unshare | AppletName::Nsenter => "leave -U out",
            AppletName::Setns => "leave the kind user out",
        }
    }

    /// How a PID namespace is had in which processes can be started.
    pub(crate) const fn living_pid(self) -> &'static str {
        match self {
            AppletName::Unshare => "add --fork to a new -p, so that its first child stays as init",
            AppletName::Nsenter | AppletName::Setns => "take a process that lives",
        }
    }

    /// How a program is named that is found in another root directory.
    pub(crate) const fn other_path(self) -> &'static str {
        match self {
            AppletName::Nsenter => {
                "add --env to take the target's PATH, or name the program with its path"
            }
            AppletName::Unshare | AppletName::Setns => {
                "set PATH for that root directory, or name the program with its path"
            }
        }
    }

    /// How less is passed to the program.
    pub(crate) const fn smaller(self) -> &'static str {
        match self {
            AppletName::Unshare => "a smaller environment (--clear-env)",
            AppletName::Nsenter | AppletName::Setns => "a smaller environment",
        }
    }

    /// How the caller's users and groups are kept where a user namespace is entered.
    pub(crate) const fn keep_credentials(self) -> &'static str {
        match self {
            AppletName::Nsenter => {
                "add --preserve-credentials, and leave --setgid and --groups out"
            }
            AppletName::Unshare | AppletName::Setns => "leave --setgid and --groups out",
        }
    }
}

/// A text of the manual's with each name of a method above, in braces, in the words of this applet.
#[cfg(test)]
pub(crate) fn worded(text: &str, applet: AppletName) -> String {
    let words = [
        ("{also_user}", applet.also_user()),
        ("{without_user}", applet.without_user()),
        ("{keep_credentials}", applet.keep_credentials()),
        ("{living_pid}", applet.living_pid()),
        ("{other_path}", applet.other_path()),
        ("{smaller}", applet.smaller()),
    ];
    let is_first = text.starts_with('{');
    let mut text = text.to_owned();
    for (name, said) in words {
        text = text.replace(name, said);
    }
    if !is_first {
        return text;
    }
    // A sentence begins with a capital.
    let first = text
        .chars()
        .next()
        .map(|letter| letter.to_ascii_uppercase());
    first.into_iter().chain(text.chars().skip(1)).collect()
}
