#[cfg(all(test, target_env = "gnu"))]
pub(crate) mod glibc_getopt;
