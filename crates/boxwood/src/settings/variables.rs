//! The names of environment variables.

/// The variable that holds the password with which `export` and `import` log in at a running
/// daemon. It is not a setting.
pub const PASSWORD: &str = "BOXWOOD_PASSWORD";

/// Names by which people may look for the secrets, and the variables that hold them.
pub(super) const SECRET_NAMES: &[(&str, &str)] = &[
    ("admin_password", ADMIN_PASSWORD),
    ("login.admin_password", ADMIN_PASSWORD),
    ("login.password", ADMIN_PASSWORD),
    ("secret_key", SECRET_KEY),
    ("secrets.key", SECRET_KEY),
];

/// How each of them begins.
pub const PREFIX: &str = "BOXWOOD_";
/// The administrator's password.
pub const ADMIN_PASSWORD: &str = "BOXWOOD_ADMIN_PASSWORD";
/// The key that seals secrets.
pub const SECRET_KEY: &str = "BOXWOOD_SECRET_KEY";

/// The variable that gives the setting of that name.
pub fn variable(name: &str) -> String {
    format!("{PREFIX}{}", name.replace(['.', '-'], "_").to_uppercase())
}
