//! Texts made from the registry: the help of the command line, the annotated configuration file
//! and the reference page. The latter two are checked in; a test compares them, and
//! `make generated` rewrites them.

use super::appliance_registry::{APPLIANCE_REGISTRY, ApplianceSetting};
use super::registry::{self, FLAGS, Preset, REGISTRY};
use super::value::Mode;
use super::variables::{self, ADMIN_PASSWORD, SECRET_KEY};

/// The sentences about the two secrets, which have no entry in the registry because they may
/// stand in no file and no flag.
const SECRETS: &[(&str, &str)] = &[
    (
        ADMIN_PASSWORD,
        "The password of the user admin; without it the file login.admin_password_file or the \
         systemd credential boxwood.admin-password is used; without those dev uses admin, and serve \
         generates one at first start and prints it once.",
    ),
    (
        SECRET_KEY,
        "The key that seals secrets, as 64 hexadecimal digits; without it the systemd credential \
         boxwood.secret-key is used, or the file secrets.key_file.",
    ),
];

/// The help of a flag that stands for one setting.
pub fn flag_help(name: &str) -> String {
    registry::find(name)
        .map(|setting| {
            format!(
                "{} [default: {}] [env: {}]",
                setting.about,
                setting.default.shown("none"),
                variables::variable(name)
            )
        })
        .unwrap_or_default()
}

/// The list of all settings at the end of `--help`.
pub fn help_table() -> String {
    let mut text = String::from(
        "Settings, by rising strength, come from the file given by --config, from environment \
         variables\n(limits.body_bytes is BOXWOOD_LIMITS_BODY_BYTES) and from flags (--set \
         limits.body_bytes=5000).\n\nSettings:\n",
    );
    for setting in REGISTRY {
        let (name, about, accepted) = (setting.name, setting.about, setting.accepted());
        let default = setting.default.shown("none");
        text.push_str(&format!(
            "  {name}\n      {about}\n      It takes {accepted}. [default: {default}]\n"
        ));
    }
    text.push_str(
        "\nSettings of one appliance, in the table [appliances.NAME], as BOXWOOD_APPLIANCES_NAME_...\n\
         and by --set appliances.NAME.KEY=VALUE:\n",
    );
    for setting in APPLIANCE_REGISTRY {
        let (name, about, accepted) = (of_name(setting), of_about(setting), setting.accepted());
        let default = setting.default_shown();
        text.push_str(&format!(
            "  {name}\n      {about}\n      It takes {accepted}. [default: {default}]\n"
        ));
    }
    text.push_str("\nSecrets, in environment variables only:\n");
    for (variable, about) in SECRETS {
        text.push_str(&format!("  {variable}\n      {about}\n"));
    }
    text
}

/// `config/boxwood.toml`: every setting, commented out, with its default. To comment out means
/// that a file made from it goes on following the defaults where nothing was chosen.
pub fn config_file() -> String {
    let mut text = String::from(
        "# Every setting of Boxwood, with its default: copy this file, remove the # of what you\n\
         # change, and start with `boxwood serve --config FILE`.\n\
         #\n\
         # Environment variables go before this file (limits.body_bytes is BOXWOOD_LIMITS_BODY_BYTES),\n\
         # and flags before both (--set limits.body_bytes=5000).\n\
         # Passwords and keys do not belong here: see BOXWOOD_ADMIN_PASSWORD and BOXWOOD_SECRET_KEY in\n\
         # docs/reference/settings.md.\n\
         #\n\
         # Generated from crates/boxwood/src/settings/registry.rs by `make generated`.\n",
    );
    let mut table = "";
    for setting in REGISTRY {
        let (group, key) = split(setting.name);
        if group != table {
            text.push_str(&format!("\n[{group}]\n"));
            table = group;
        }
        let about = wrap(&format!("{} It takes {}.", setting.about, setting.accepted()), 98);
        for line in about {
            text.push_str(&format!("\n# {line}"));
        }
        if let Preset::PerMode { dev, .. } = setting.default {
            text.push_str(&format!("\n# `boxwood dev` has {}.", setting.to_toml(dev)));
        }
        let value = setting.to_toml(setting.default_in(Mode::Serve));
        text.push_str(&format!("\n#{key} = {value}\n"));
    }
    text.push_str(&appliance_tables());
    text
}

/// The tables of appliances in the configuration file, as an example: nothing in them is a default.
fn appliance_tables() -> String {
    let mut text = String::from(
        "\n# Each appliance that `appliance` names can have a table with settings of its own:\n\
         #\n\
         # appliance = [\"sps-6.2\", \"sps-7.0\"]\n\
         #\n\
         # [appliances.\"sps-7.0\"]\n\
         # listen = [\"https://127.0.0.1:9443\"]\n\
         #\n\
         # These settings can stand there:\n",
    );
    for setting in APPLIANCE_REGISTRY {
        let about = of_about(setting);
        let (default, accepted) = (setting.default_shown(), setting.accepted());
        let about = format!("{}: {about} It takes {accepted}. Default: {default}.", setting.key);
        text.push_str("#\n");
        wrap(&about, 98).iter().for_each(|line| text.push_str(&format!("# {line}\n")));
    }
    text
}

fn of_name(setting: &ApplianceSetting) -> String {
    format!("appliances.NAME.{}", setting.key)
}

fn of_about(setting: &ApplianceSetting) -> String {
    match setting.dialect {
        None => setting.about.to_owned(),
        Some(dialect) => format!("{} For the dialect {dialect}.", setting.about),
    }
}

/// `docs/reference/settings.md`.
pub fn page() -> String {
    let mut text = String::from(
        "# Settings\n\
         \n\
         Generated from `crates/boxwood/src/settings/registry.rs` by `make generated`; do not edit.\n\
         \n\
         Settings come from four sources, each stronger than the one before:\n\
         the defaults below, the TOML file named by `--config`, environment variables, flags.\n\
         `limits.body_bytes` is `body_bytes` in the table `[limits]` of the file, the variable \
         `BOXWOOD_LIMITS_BODY_BYTES`, and the flag `--set limits.body_bytes=5000`.\n\
         In a variable or flag a list is separated by commas.\n\
         An unknown setting, a variable `BOXWOOD_...` included, is an error, as is every bad value, \
         even one that a stronger source replaces; all errors are reported at once and the process \
         does not start.\n\
         \n\
         These have flags of their own: ",
    );
    let flags: Vec<String> =
        FLAGS.iter().map(|(name, flag)| format!("`{name}` (`{flag}`)")).collect();
    text.push_str(&format!(
        "{}. `--listen` and `--appliance` can be repeated.\n",
        flags.join(", ")
    ));
    let mut table = None;
    for setting in REGISTRY {
        let (group, _) = split(setting.name);
        if table != Some(group) {
            let title = if group.is_empty() { "General" } else { group };
            text.push_str(&format!(
                "\n## {title}\n\n| setting | default | takes | what it is for |\n|---|---|---|---|\n"
            ));
            table = Some(group);
        }
        let default = match setting.default {
            Preset::Same("") => "none".to_owned(),
            Preset::Same(text) => format!("`{text}`"),
            Preset::PerMode { .. } | Preset::Elsewhere(_) => setting.default.shown("none"),
        };
        text.push_str(&format!(
            "| `{}` | {default} | {} | {} |\n",
            setting.name,
            setting.accepted(),
            setting.about
        ));
    }
    text.push_str(
        "\n## appliances.NAME\n\n\
         `--appliance` and the setting `appliance` can name several appliances, and each has these \
         settings for itself: in the file in the table `[appliances.NAME]` (quoted where the name \
         has a dot: `[appliances.\"sps-7.0\"]`), as a variable in capitals with `_` for `.` and `-` \
         (`BOXWOOD_APPLIANCES_SPS_7_0_LISTEN`), as a flag `--set appliances.sps-7.0.listen=URL`. \
         `--listen NAME=URL` is the flag of `listen`. A setting of a dialect belongs to the \
         appliances with that dialect.\n\n\
         | setting | default | takes | what it is for |\n|---|---|---|---|\n",
    );
    for setting in APPLIANCE_REGISTRY {
        text.push_str(&format!(
            "| `{}` | {} | {} | {} |\n",
            of_name(setting),
            setting.default_shown(),
            setting.accepted(),
            of_about(setting)
        ));
    }
    text.push_str(
        "\n## Secrets\n\n\
         They are taken from the environment only: files are backed up and flags are seen in the \
         process list.\n\n\
         | variable | what it is for |\n|---|---|\n",
    );
    for (variable, about) in SECRETS {
        text.push_str(&format!("| `{variable}` | {about} |\n"));
    }
    text
}

/// Table and key of a dotted name.
fn split(name: &str) -> (&str, &str) {
    name.rsplit_once('.').unwrap_or(("", name))
}

/// Lines of at most `width` characters, broken at spaces.
fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if line.is_empty() => line.push_str(word),
            Some(line) if line.len() + 1 + word.len() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}
