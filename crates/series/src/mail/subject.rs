//! What a subject says before its title.

/// What a subject says before its title.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Subject {
    /// All of it, without `Re:`.
    pub(crate) whole: String,
    pub(crate) reply: bool,
    pub(crate) tagged: bool,
    /// `[PATCHSET …]`, as some call a cover letter.
    pub(crate) set: bool,
    pub(crate) version: u32,
    /// The n and the m of `n/m`.
    pub(crate) number: Option<(u32, u32)>,
    pub(crate) title: String,
}

impl Subject {
    /// Takes off what `git am` takes off: every `Re:`, and every `[…]`.
    pub(crate) fn parse(text: &str) -> Self {
        let mut subject = Self {
            version: 1,
            whole: text.trim().to_owned(),
            ..Self::default()
        };
        let mut rest = text;
        loop {
            rest = rest.trim_start_matches([' ', '\t', ':']);
            if rest
                .get(..3)
                .is_some_and(|start| start.eq_ignore_ascii_case("re:"))
            {
                subject.reply = true;
                rest = &rest[3..];
                if !subject.tagged {
                    subject.whole = rest.trim().to_owned();
                }
            } else if let Some(inner) = rest.strip_prefix('[')
                && let Some(end) = inner.find(']')
            {
                subject.tag(&inner[..end]);
                rest = &inner[end + 1..];
            } else {
                break;
            }
        }
        subject.title = rest.trim().to_owned();
        subject
    }

    fn tag(&mut self, tag: &str) {
        for word in tag.split([' ', ',', '\t']) {
            let upper = word.to_ascii_uppercase();
            let word = upper.strip_prefix("PATCH").unwrap_or(&upper);
            self.tagged |= word.len() < upper.len() || word == "RFC";
            self.set |= word.len() < upper.len() && word == "SET";
            let digits = |text: &str| -> Option<u32> {
                let is_number =
                    (1..=4).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
                is_number.then(|| text.parse().ok()).flatten()
            };
            // A `v6.1` mends a patch of v6.
            let version = |text: &str| {
                let (major, minor) = text.split_once('.').unwrap_or((text, "0"));
                digits(minor).and(digits(major))
            };
            if let Some((index, total)) = word.split_once('/') {
                if let (Some(index), Some(total)) = (digits(index), digits(total)) {
                    self.number = Some((index, total.max(index)));
                }
            } else if let Some(version) = word.strip_prefix('V').and_then(version)
                && version > 0
            {
                self.version = version;
            }
        }
    }

    /// The title as it is compared.
    pub(crate) fn key(&self) -> String {
        self.title.to_lowercase()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subjects() {
        let table = [
            "[PATCH v6 2/2] mm/oom_kill: x",
            "Re: [PATCH v6 2/2] mm/oom_kill: x",
            "RE: re: [mm] [RFC PATCH 01/12 v3] mm: x [y]",
            "[PATCHv2] mm: x",
            "[PATCH 6.12 007/1104] x",
            "[RFC 0/3] mm: cover",
            "[v3,2/5] mm: patchwork",
            "[PATCH 3/2] more than there are",
            "[PATCH 1/99999] mm: x",
            "[PATCH v0 1/1] mm: x",
            "[PATCH v6.1 2/2] mm: x",
            "[not closed",
            "No tag: Re: x",
            "\u{fc}: Re",
        ];
        let read: Vec<String> = table
            .iter()
            .map(|text| {
                let s = Subject::parse(text);
                let reply = if s.reply { "reply " } else { "" };
                let tagged = if s.tagged { "patch " } else { "" };
                format!("{reply}{tagged}v{} {:?} {:?}", s.version, s.number, s.title)
            })
            .collect();
        insta::assert_snapshot!(read.join("\n"), @r#"
    patch v6 Some((2, 2)) "mm/oom_kill: x"
    reply patch v6 Some((2, 2)) "mm/oom_kill: x"
    reply patch v3 Some((1, 12)) "mm: x [y]"
    patch v2 None "mm: x"
    patch v1 Some((7, 1104)) "x"
    patch v1 Some((0, 3)) "mm: cover"
    v3 Some((2, 5)) "mm: patchwork"
    patch v1 Some((3, 3)) "more than there are"
    patch v1 None "mm: x"
    patch v1 Some((1, 1)) "mm: x"
    patch v6 Some((2, 2)) "mm: x"
    v1 None "[not closed"
    v1 None "No tag: Re: x"
    v1 None "ü: Re"
    "#);
    }
}
