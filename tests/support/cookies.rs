//! A cookie jar that keeps and sends what curl's would.

/// What a server has set and not taken back.
#[derive(Clone, Debug, Default)]
pub(crate) struct Jar {
    cookies: Vec<Cookie>,
}

#[derive(Clone, Debug)]
struct Cookie {
    name: String,
    value: String,
    path: String,
    secure: bool,
}

impl Jar {
    /// Takes a `Set-Cookie` header; `date` is the answer's own, by which a cookie may be expired.
    pub(crate) fn store(&mut self, set_cookie: &str, date: Option<&str>) {
        let mut parts = set_cookie.split(';').map(str::trim);
        let Some((name, value)) = parts.next().and_then(|pair| pair.split_once('=')) else {
            return;
        };
        let mut cookie = Cookie {
            name: name.to_owned(),
            value: value.to_owned(),
            path: "/".to_owned(),
            secure: false,
        };
        let (mut max_age, mut expires) = (None, None);
        for attribute in parts {
            let (name, value) = attribute.split_once('=').unwrap_or((attribute, ""));
            match name.to_ascii_lowercase().as_str() {
                "path" => cookie.path = value.to_owned(),
                "secure" => cookie.secure = true,
                "max-age" => max_age = value.parse::<i64>().ok(),
                "expires" => expires = instant(value),
                _ => {}
            }
        }
        let expired = match (max_age, expires, date.and_then(instant)) {
            (Some(seconds), _, _) => seconds <= 0,
            (None, Some(expires), Some(now)) => expires <= now,
            // Without a date to compare with, only what is meant as the distant past.
            (None, Some(expires), None) => expires.0 < 2000,
            (None, None, _) => false,
        };
        self.cookies.retain(|other| other.name != cookie.name || other.path != cookie.path);
        if !expired {
            self.cookies.push(cookie);
        }
    }

    /// The `Cookie` header for a request, if there is one.
    pub(crate) fn header(&self, secure: bool, path: &str) -> Option<String> {
        let fitting: Vec<String> = self
            .cookies
            .iter()
            .filter(|cookie| (secure || !cookie.secure) && within(path, &cookie.path))
            .map(|cookie| format!("{}={}", cookie.name, cookie.value))
            .collect();
        (!fitting.is_empty()).then(|| fitting.join("; "))
    }

    /// The value of the cookie of that name.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.cookies.iter().find(|cookie| cookie.name == name).map(|cookie| cookie.value.as_str())
    }

    /// Forgets all.
    pub(crate) fn clear(&mut self) {
        self.cookies.clear();
    }
}

/// Whether a request's path lies at or below a cookie's.
fn within(path: &str, cookie_path: &str) -> bool {
    let path = path.split('?').next().unwrap_or(path);
    match path.strip_prefix(cookie_path) {
        Some(rest) => rest.is_empty() || rest.starts_with('/') || cookie_path.ends_with('/'),
        None => false,
    }
}

/// `Thu, 13 Aug 2026 17:34:50 GMT` as something that can be compared: year, month, day, time.
fn instant(text: &str) -> Option<(u32, usize, u32, String)> {
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let (_, rest) = text.split_once(", ")?;
    let [day, month, year, time, "GMT"] = rest.split(' ').collect::<Vec<_>>()[..] else {
        return None;
    };
    let month = MONTHS.iter().position(|name| *name == month)?;
    Some((year.parse().ok()?, month, day.parse().ok()?, time.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cookies_are_kept_sent_and_taken_back() {
        let mut jar = Jar::default();
        assert_eq!(jar.header(true, "/api"), None);
        jar.store("session_id=ab; expires=Thu, 13 Aug 2026 17:34:50 GMT; Path=/; Secure", None);
        jar.store("other=1; Path=/api/x", None);
        assert_eq!(jar.header(true, "/api?q=1").as_deref(), Some("session_id=ab"));
        assert_eq!(jar.header(true, "/api/x/y").as_deref(), Some("session_id=ab; other=1"));
        assert_eq!(jar.header(true, "/api/xy").as_deref(), Some("session_id=ab"));
        assert_eq!(jar.header(false, "/api"), None);
        jar.store("session_id=cd; Path=/", None);
        assert_eq!(jar.get("session_id"), Some("cd"));
        jar.store("session_id=; Max-Age=0; Path=/", None);
        assert_eq!(jar.get("session_id"), None);
    }

    #[test]
    fn cookies_expire_by_the_clock_of_the_answer() {
        let now = Some("Wed, 12 Aug 2026 00:00:00 GMT");
        let check = |set: &str, date: Option<&str>, kept: bool| {
            let mut jar = Jar::default();
            jar.store(set, date);
            assert_eq!(jar.get("a").is_some(), kept, "{set} {date:?}");
        };
        check("a=1; expires=Thu, 13 Aug 2026 17:34:50 GMT", now, true);
        check("a=1; expires=Tue, 11 Aug 2026 17:34:50 GMT", now, false);
        check("a=1; expires=Tue, 11 Aug 2026 17:34:50 GMT", None, true);
        check("a=1; expires=Thu, 01 Jan 1970 00:00:00 GMT", None, false);
        check("a=1; expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=5", now, true);
    }
}
