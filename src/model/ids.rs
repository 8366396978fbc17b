//! User IDs and group IDs, where both go the same way.

/// Users or groups.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ids {
    /// Users.
    Uid,
    /// Groups.
    Gid,
}

impl Ids {
    /// The option of usermod(8) that adds a range to [`Ids::sub_file`].
    pub(crate) const fn usermod_option(self) -> &'static str {
        match self {
            Ids::Uid => "--add-subuids",
            Ids::Gid => "--add-subgids",
        }
    }

    /// The file of the map in /proc/PID.
    pub(crate) const fn file(self) -> &'static str {
        match self {
            Ids::Uid => "uid_map",
            Ids::Gid => "gid_map",
        }
    }

    /// The program that writes maps for people without privilege.
    pub(crate) const fn helper(self) -> &'static str {
        match self {
            Ids::Uid => "newuidmap",
            Ids::Gid => "newgidmap",
        }
    }

    /// The file of subordinate IDs (subuid(5), subgid(5)).
    pub(crate) const fn sub_file(self) -> &'static str {
        match self {
            Ids::Uid => "/etc/subuid",
            Ids::Gid => "/etc/subgid",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_called_after_users_and_groups() {
        let names = |ids: Ids| {
            [
                ids.usermod_option(),
                ids.file(),
                ids.helper(),
                ids.sub_file(),
            ]
        };
        let users = ["--add-subuids", "uid_map", "newuidmap", "/etc/subuid"];
        assert_eq!(names(Ids::Uid), users);
        assert_eq!(
            names(Ids::Gid),
            users.map(|name| name.replace("uid", "gid"))
        );
    }
}
