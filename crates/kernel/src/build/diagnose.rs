//! The one thing that went wrong, out of all that make and its children say.

use std::collections::VecDeque;
use std::fmt;
use std::sync::LazyLock;

use regex::Regex;
use serde::{Deserialize, Serialize};

/// Context lines kept under an error; lines kept of a log that explains nothing.
const CONTEXT: usize = 6;
const TAIL: usize = 8;
/// A tree that warns more often than this is told no better by more of it.
const WARNINGS: usize = 200;

/// A message of the compiler with its place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Diagnostic {
    /// The file, relative to the source folder where it lies in it.
    pub file: String,
    /// The line, from 1.
    pub line: u32,
    /// The column, from 1, where the compiler tells.
    pub column: Option<u32>,
    /// The message, without `error:`.
    pub message: String,
    /// The lines under it, as the compiler drew them.
    pub context: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cause {
    /// The compiler or the assembler refused a file.
    Compiler(Diagnostic),
    /// The linker or modpost refused the objects.
    Linker {
        /// The symbol it is about, where the message names one.
        symbol: Option<String>,
        /// The object that needs it, where the message names one.
        object: Option<String>,
        message: String,
    },
    /// A program or a header of the host is missing.
    Tool {
        tool: String,
        /// The Debian package that has it, where known.
        package: Option<&'static str>,
    },
    /// The disk or the quota is full.
    NoSpace,
    /// A program of the build was killed, for example for want of memory.
    Killed(String),
    /// A program of the build could not do its work on this host, in its words.
    Host(String),
    /// None of these: the last lines.
    Unknown(Vec<String>),
}

impl Cause {
    /// The function, variable, type or member that the compiler or the linker
    /// does not know, where that is what failed.
    #[must_use]
    pub fn unknown_symbol(&self) -> Option<&str> {
        match self {
            Self::Compiler(diagnostic) => {
                let found = UNKNOWN_SYMBOL.captures(&diagnostic.message)?;
                let symbol = found.name("symbol").or(found.name("undeclared"));
                symbol.map(|symbol| symbol.as_str())
            }
            Self::Linker {
                symbol, message, ..
            } if message.contains("undefined") => symbol.as_deref(),
            _ => None,
        }
    }

    /// Whether it says nothing of the source.
    #[must_use]
    pub fn is_the_hosts(&self) -> bool {
        match self {
            Self::Tool { .. } | Self::NoSpace | Self::Killed(_) | Self::Host(_) => true,
            Self::Compiler(_) | Self::Linker { .. } | Self::Unknown(_) => false,
        }
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file, self.line, self.message)?;
        self.context.iter().try_for_each(|row| write!(f, "\n{row}"))
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Compiler(diagnostic) => diagnostic.fmt(f),
            Self::Linker {
                message,
                object: Some(object),
                ..
            } => write!(f, "{object}: {message}"),
            Self::Linker { message, .. } => f.write_str(message),
            Self::Tool { tool, .. } => write!(f, "`{tool}` is missing"),
            Self::NoSpace => f.write_str("no space left on the device"),
            Self::Killed(what) => write!(f, "{what} was killed"),
            Self::Host(what) => f.write_str(what),
            Self::Unknown(lines) => f.write_str(&lines.join("\n")),
        }
    }
}

/// Reads a build's output line by line and keeps what matters of it.
#[derive(Debug)]
pub struct Scanner {
    source: String,
    first: Option<Cause>,
    collecting: bool,
    function: Option<String>,
    linking: Option<String>,
    missing: Option<Cause>,
    killed: Option<String>,
    warnings: Vec<Diagnostic>,
    tail: VecDeque<String>,
}

macro_rules! pattern {
    ($name:ident, $pattern:literal) => {
        #[allow(clippy::expect_used, reason = "a literal, compiled by every test")]
        static $name: LazyLock<Regex> =
            LazyLock::new(|| Regex::new($pattern).expect("a valid pattern"));
    };
}

pattern!(
    MESSAGE,
    r"^(?<file>[^\s:][^:]*):(?<line>\d+):(?:(?<column>\d+):)? (?:fatal )?(?<kind>[Ee]rror|[Ww]arning): (?<message>.*)$"
);
pattern!(
    PLACE,
    r"^(?<file>[^\s:][^:]*):(?<line>\d+):(?:\d+:)? (?:fatal )?(?<kind>error|warning|note): (?<message>.*)$"
);
pattern!(
    // What GCC and clang say.
    UNKNOWN_SYMBOL,
    r"^(?:implicit declaration of function|unknown type name|use of undeclared identifier|call to undeclared function|.* has no member named|no member named) '(?<symbol>\w+)'|^'(?<undeclared>\w+)' undeclared"
);
pattern!(CONTINUES, r"^\s+\d*\s*\||: note: ");
pattern!(
    NOT_FOUND,
    r"(?:^|[\s:'‘])(?<tool>[\w./+-]+)['’]?: (?:command )?(?:not found|No such file or directory)$"
);
pattern!(NO_COMPILER, r"ompiler '(?<tool>[^']+)' not found");
pattern!(
    HEADER,
    r"fatal error: (?<header>(?:gelf|libelf|elf|dwarf|zlib|openssl/\w+|elfutils/[\w/]+)\.h): No such file"
);
pattern!(PLEASE_INSTALL, r"(?i)please install libelf-dev");
pattern!(
    LD_IN_FUNCTION,
    r"^(?:\S*ld[\w.]*: )?(?<object>[^\s:]+\.[oa](?:\([^)]*\))?): in function "
);
pattern!(
    LD_OBJECT,
    r"^(?:\S*ld[\w.]*: )?(?<object>[^\s:]+\.[oa](?:\([^)]*\))?):"
);
pattern!(
    LD_SYMBOL,
    r"(?<message>(?:undefined reference to|multiple definition of|undefined symbol:?) [`']?(?<symbol>[\w.$]+)'?.*)$"
);
pattern!(
    MODPOST,
    "^ERROR: modpost: \"(?<symbol>[^\"]+)\" \\[(?<object>[^\\]]+)\\] (?<message>.*)$"
);
pattern!(
    LD_OTHER,
    r"^(?:\S*/)?ld(?:\.\w+)?: (?<message>.*(?:cannot|failed|error|overflow).*)$"
);
pattern!(
    KILLED,
    r"Killed signal terminated program (?<what>\S+)|^make.*\] (?<signal>Killed)$"
);

pattern!(
    // What strerror(3) says of a host, and gcc of its memory. A program that may not be
    // started is the tree's own fault: it lacks the mode.
    HOST_FAULT,
    r"(?:^|: )(?:Input/output error|Too many open files(?: in system)?|Cannot allocate memory|Read-only file system|Stale file handle|Resource temporarily unavailable|Structure needs cleaning|out of memory allocating \d+ bytes.*|Cannot fork)$|\b(?:create|open|opening|write|writing|read|reading|close|closing|remove|rename|stat|mkdir) .*: Permission denied$"
);

/// Where in a file the compiler refused something, all of its messages read: lines,
/// from 1. Of what a macro of a header makes of it, the line that uses the macro.
#[must_use]
pub fn refused_lines(log: &str, file: &str) -> Vec<u32> {
    let mut lines = Vec::new();
    let mut elsewhere = false;
    let tail = format!("/{file}");
    for found in log.lines().filter_map(|row| PLACE.captures(row)) {
        let here = &found["file"] == file || found["file"].ends_with(&tail);
        let counts = match &found["kind"] {
            "error" => {
                elsewhere = !here;
                here
            }
            "warning" => {
                elsewhere = false;
                false
            }
            _ => here && elsewhere && found["message"].starts_with("in expansion of macro"),
        };
        if counts {
            elsewhere = false;
            lines.extend(found["line"].parse::<u32>());
        }
    }
    lines.sort_unstable();
    lines.dedup();
    lines
}

impl Scanner {
    /// A scanner for a build of the tree in `source`.
    #[must_use]
    pub fn new(source: &str) -> Self {
        Self {
            source: format!("{}/", source.trim_end_matches('/')),
            first: None,
            collecting: false,
            function: None,
            linking: None,
            missing: None,
            killed: None,
            warnings: Vec::new(),
            tail: VecDeque::new(),
        }
    }

    /// Takes one line of either stream.
    pub fn line(&mut self, row: &str) {
        if self.collecting && self.context(row) {
            return;
        }
        self.collecting = false;
        // Of make's farewell, level by level, the first line says it all.
        let farewell = |row: &str| row.starts_with("make") && row.contains("***");
        let said = row.trim().is_empty() || farewell(row) && self.tail.iter().any(|r| farewell(r));
        if !said {
            self.tail.push_back(row.to_owned());
            self.tail.drain(..self.tail.len().saturating_sub(TAIL));
        }
        if row.contains("No space left on device") || row.contains("Disk quota exceeded") {
            // It explains whatever else failed.
            self.first = Some(Cause::NoSpace);
        } else if HOST_FAULT.is_match(row) && self.first != Some(Cause::NoSpace) {
            self.first = Some(Cause::Host(row.replace(&self.source, "")));
        } else if let Some(tool) = missing_header(row) {
            self.first.get_or_insert(tool);
        } else if let Some(tool) = missing_program(row) {
            self.missing.get_or_insert(tool);
        } else if let Some(found) = KILLED.captures(row) {
            let what = found
                .name("what")
                .map_or("a program of the build", |what| what.as_str());
            self.killed.get_or_insert_with(|| what.to_owned());
        } else if let Some(found) = MESSAGE.captures(row) {
            self.message(&found);
        } else if self.first.is_none() {
            self.first = self.linker(row);
        }
        if let Some((_, function)) = row.split_once(": In function ") {
            self.function = Some(function.trim_end_matches(':').to_owned());
        }
    }

    /// What the compiler warned of, the first two hundred.
    #[must_use]
    pub fn warnings(&self) -> &[Diagnostic] {
        &self.warnings
    }

    /// Why the build failed that ended with this exit code.
    #[must_use]
    pub fn cause(self, code: i32) -> Cause {
        let signal = (code > 128).then(|| format!("make (signal {})", code - 128));
        // A program that is not found may be one that is not needed.
        self.first
            .or(self.missing)
            .or_else(|| self.killed.or(signal).map(Cause::Killed))
            .unwrap_or_else(|| Cause::Unknown(self.tail.into()))
    }

    fn message(&mut self, found: &regex::Captures<'_>) {
        let number = |name| found.name(name).and_then(|m| m.as_str().parse().ok());
        let file = &found["file"];
        let mut context = Vec::new();
        if let Some(function) = self.function.take() {
            context.push(format!("  in function {function}"));
        }
        let diagnostic = Diagnostic {
            file: file.strip_prefix(&self.source).unwrap_or(file).to_owned(),
            line: number("line").unwrap_or(0),
            column: number("column"),
            message: found["message"].to_owned(),
            context,
        };
        if found["kind"].eq_ignore_ascii_case("warning") {
            if self.warnings.len() < WARNINGS {
                self.warnings.push(diagnostic);
            }
        } else if self.first.is_none() {
            self.first = Some(Cause::Compiler(diagnostic));
            self.collecting = true;
        }
    }

    /// Whether the line belongs under the error before it.
    fn context(&mut self, row: &str) -> bool {
        if let Some(Cause::Compiler(Diagnostic { context, .. })) = &mut self.first
            && CONTINUES.is_match(row)
        {
            if context.len() < CONTEXT {
                context.push(row.replace(&self.source, ""));
            }
            return true;
        }
        false
    }

    fn linker(&mut self, row: &str) -> Option<Cause> {
        let text = |found: &regex::Captures<'_>, name| found.name(name).map(|m| m.as_str().into());
        if let Some(found) = LD_IN_FUNCTION.captures(row) {
            self.linking = text(&found, "object");
        }
        if let Some(found) = MODPOST.captures(row) {
            let (symbol, object) = (text(&found, "symbol"), text(&found, "object"));
            let message = format!("`{}' is {}", &found["symbol"], &found["message"]);
            return Some(Cause::Linker {
                symbol,
                object,
                message,
            });
        }
        if let Some(found) = LD_SYMBOL.captures(row) {
            let object = LD_OBJECT
                .captures(row)
                .and_then(|found| text(&found, "object"));
            return Some(Cause::Linker {
                symbol: text(&found, "symbol"),
                object: object.or_else(|| self.linking.take()),
                message: found["message"].replace(&self.source, ""),
            });
        }
        let found = LD_OTHER.captures(row)?;
        Some(Cause::Linker {
            symbol: None,
            object: None,
            message: found["message"].to_owned(),
        })
    }
}

fn missing_header(row: &str) -> Option<Cause> {
    if let Some(found) = HEADER.captures(row) {
        let header = found["header"].to_owned();
        let package = match header.split(['/', '.']).next() {
            Some("openssl") => "libssl-dev",
            Some("zlib") => "zlib1g-dev",
            Some("dwarf" | "elfutils") => "libdw-dev",
            _ => "libelf-dev",
        };
        return Some(Cause::Tool {
            tool: header,
            package: Some(package),
        });
    }
    PLEASE_INSTALL.is_match(row).then(|| Cause::Tool {
        tool: "libelf".into(),
        package: Some("libelf-dev"),
    })
}

fn missing_program(row: &str) -> Option<Cause> {
    let found = NO_COMPILER
        .captures(row)
        .or_else(|| NOT_FOUND.captures(row))?;
    let tool = found["tool"]
        .rsplit('/')
        .next()
        .unwrap_or_default()
        .to_owned();
    let package = package(&tool);
    // "x: No such file or directory" is said of many things that are no tools.
    (package.is_some() || row.ends_with(": not found") || row.contains("ompiler '"))
        .then_some(Cause::Tool { tool, package })
}

/// The Debian package that has a program a kernel build runs.
#[must_use]
pub fn package(tool: &str) -> Option<&'static str> {
    Some(match tool {
        "flex" => "flex",
        "bison" => "bison",
        "bc" => "bc",
        "make" => "make",
        "gcc" | "cc" => "gcc",
        "ld" | "as" | "ar" | "nm" | "objcopy" | "objdump" | "readelf" | "strip" => "binutils",
        "perl" => "perl",
        "python3" => "python3",
        "cpio" => "cpio",
        "gzip" => "gzip",
        "xz" => "xz-utils",
        "zstd" => "zstd",
        "lz4" => "lz4",
        "rsync" => "rsync",
        "openssl" => "openssl",
        "pahole" => "dwarves",
        "depmod" => "kmod",
        "awk" | "gawk" => "gawk",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What GCC 12, binutils 2.40 and kbuild of 6.1 and 6.12 really said.
    fn cause(log: &str, code: i32) -> Cause {
        let mut scanner = Scanner::new("/src/linux");
        log.lines().for_each(|row| scanner.line(row));
        scanner.cause(code)
    }

    const FAREWELL: &str = "\
make[3]: *** [/src/linux/scripts/Makefile.build:234: mm/oom_kill.o] Error 1
make[2]: *** [/src/linux/scripts/Makefile.build:471: mm] Error 2
make[2]: *** Waiting for unfinished jobs....
make[1]: *** [/src/linux/Makefile:2008: .] Error 2
make: *** [Makefile:236: __sub-make] Error 2
";

    #[test]
    fn compiler_errors() {
        let log = "\
  DESCEND objtool
/src/linux/lib/a.c: In function 'a':
/src/linux/lib/a.c:5:6: warning: unused variable 'b' [-Wunused-variable]
    5 |  int b;
      |      ^
  CC      mm/oom_kill.o
/src/linux/mm/oom_kill.c: In function '__oom_reap_task_mm':
/src/linux/mm/oom_kill.c:557:25: error: implicit declaration of function 'unmap_page_rnage'; did you mean 'unmap_page_range'? [-Werror=implicit-function-declaration]
  557 |                         unmap_page_rnage(&tlb, vma, range.start, range.end, NULL);
      |                         ^~~~~~~~~~~~~~~~
      |                         unmap_page_range
cc1: some warnings being treated as errors
/src/linux/mm/other.c:1:1: error: a later one
";
        let mut scanner = Scanner::new("/src/linux/");
        log.lines()
            .chain(FAREWELL.lines())
            .for_each(|row| scanner.line(row));
        insta::assert_debug_snapshot!(scanner.warnings(), @r#"
        [
            Diagnostic {
                file: "lib/a.c",
                line: 5,
                column: Some(
                    6,
                ),
                message: "unused variable 'b' [-Wunused-variable]",
                context: [
                    "  in function 'a'",
                ],
            },
        ]
        "#);
        insta::assert_debug_snapshot!(scanner.cause(2), @r#"
        Compiler(
            Diagnostic {
                file: "mm/oom_kill.c",
                line: 557,
                column: Some(
                    25,
                ),
                message: "implicit declaration of function 'unmap_page_rnage'; did you mean 'unmap_page_range'? [-Werror=implicit-function-declaration]",
                context: [
                    "  in function '__oom_reap_task_mm'",
                    "  557 |                         unmap_page_rnage(&tlb, vma, range.start, range.end, NULL);",
                    "      |                         ^~~~~~~~~~~~~~~~",
                    "      |                         unmap_page_range",
                ],
            },
        )
        "#);
    }

    #[test]
    fn every_line_that_is_refused() {
        let log = "\
In file included from /src/linux/include/linux/compiler.h:4,
                 from /src/linux/mm/oom_kill.c:1:
/src/linux/mm/oom_kill.c: In function 'oom_badness':
/src/linux/mm/oom_kill.c:21:9: error: lvalue required as left operand of assignment
/src/linux/mm/oom_kill.c:20:1: note: declared here
/src/linux/mm/oom_kill.c:40:9: warning: unused value [-Wunused-value]
/src/linux/mm/oom_kill.c:41:9: note: in expansion of macro 'max'
/src/linux/include/linux/compiler.h:50:30: error: lvalue required as unary '&' operand
   50 | #define READ_ONCE(x) (*(volatile typeof(x) *)&(x))
/src/linux/mm/oom_kill.c:77:13: note: in expansion of macro 'READ_ONCE'
/src/linux/mm/oom_kill.c:78:13: note: in expansion of macro 'other'
/src/linux/mm/oom_kill.c:21:30: error: expected ';' before 'x'
/src/linux/mm/other.c:3:1: error: a file of its own
";
        assert_eq!(refused_lines(log, "mm/oom_kill.c"), [21, 77]);
        assert_eq!(refused_lines(log, "oom_kill.c"), [21, 77]);
        assert_eq!(refused_lines(log, "kill.c"), [0; 0]);
    }

    #[test]
    fn other_languages_and_places() {
        let first = |log: &str| cause(&format!("{log}\n{FAREWELL}"), 2).to_string();
        insta::assert_snapshot!(first("{standard input}:12: Error: no such instruction: `foo'"), @"{standard input}:12: no such instruction: `foo'");
        insta::assert_snapshot!(first("./include/linux/x.h:9:10: fatal error: asm/none.h: No such file or directory\n    9 | #include <asm/none.h>"), @r"
        ./include/linux/x.h:9: asm/none.h: No such file or directory
            9 | #include <asm/none.h>
        ");
        insta::assert_snapshot!(first("/src/linux/arch/x86/a.S:3: Error: junk at end of line"), @"arch/x86/a.S:3: junk at end of line");
        insta::assert_snapshot!(first("In file included from /src/linux/a.c:1:\n/src/linux/b.h:2:1: error: expected ';' before 'int'\n/src/linux/b.h:1:1: note: here"), @r"
        b.h:2: expected ';' before 'int'
        b.h:1:1: note: here
        ");
    }

    #[test]
    fn linker_errors() {
        let log = "\
  LD      .tmp_vmlinux1
ld: mm/oom_kill.o: in function `__oom_reap_task_mm':
oom_kill.c:(.text+0x10bd): undefined reference to `reaperlab_missing'
ld: mm/oom_kill.o: in function `oom_reaper':
oom_kill.c:(.text+0x1767): undefined reference to `reaperlab_missing'
make[2]: *** [/src/linux/scripts/Makefile.vmlinux:34: vmlinux] Error 1
";
        insta::assert_debug_snapshot!(cause(log, 2), @r#"
        Linker {
            symbol: Some(
                "reaperlab_missing",
            ),
            object: Some(
                "mm/oom_kill.o",
            ),
            message: "undefined reference to `reaperlab_missing'",
        }
        "#);
        let one = |row: &str| cause(row, 2).to_string();
        insta::assert_snapshot!(one("/usr/bin/ld: mm/b.o:(.data+0x8): undefined reference to `gone'"), @"mm/b.o: undefined reference to `gone'");
        insta::assert_snapshot!(one("ld: mm/b.o: in function `twice':\nb.c:(.text+0x0): multiple definition of `twice'; mm/a.o:a.c:(.text+0x0): first defined here"), @"mm/b.o: multiple definition of `twice'; mm/a.o:a.c:(.text+0x0): first defined here");
        insta::assert_snapshot!(one("ERROR: modpost: \"mas_find_rev\" [drivers/x.ko] undefined!"), @"drivers/x.ko: `mas_find_rev' is undefined!");
        insta::assert_snapshot!(one("ld: cannot find mm/gone.o: No such file or directory"), @"cannot find mm/gone.o: No such file or directory");
    }

    #[test]
    fn unknown_symbols_are_named() {
        let modpost = "ERROR: modpost: \"gone\" [drivers/x.ko] undefined!";
        let linked = "/usr/bin/ld: mm/b.o:(.data+0x8): undefined reference to `gone'";
        for log in [
            "mm/a.c:1:1: error: implicit declaration of function 'gone'; did you mean 'going'? [-Werror=implicit-function-declaration]",
            "mm/a.c:1:1: error: 'gone' undeclared (first use in this function)",
            "mm/a.c:1:1: error: 'gone' undeclared here (not in a function)",
            "mm/a.c:1:1: error: unknown type name 'gone'",
            "mm/a.c:1:1: error: 'struct vm_area_struct' has no member named 'gone'",
            "mm/a.c:1:1: error: use of undeclared identifier 'gone'",
            "mm/a.c:1:1: error: call to undeclared function 'gone'; ISO C99 and later do not support implicit function declarations [-Wimplicit-function-declaration]",
            "mm/a.c:1:1: error: no member named 'gone' in 'struct vm_area_struct'",
            modpost,
            linked,
        ] {
            assert_eq!(cause(log, 2).unknown_symbol(), Some("gone"), "{log}");
        }
        for log in [
            "mm/a.c:1:1: error: expected ';' before 'gone'",
            "mm/a.c:1:1: error: redefinition of 'gone'",
            "ld: mm/b.o: in function `gone':\nb.c:(.text+0x0): multiple definition of `gone'; mm/a.o:a.c:(.text+0x0): first defined here",
            "/bin/sh: 1: gone: not found",
        ] {
            assert_eq!(cause(log, 2).unknown_symbol(), None, "{log}");
        }
    }

    #[test]
    fn missing_tools_name_their_package() {
        for (log, tool, package) in [
            (
                "/bin/sh: 1: flex: not found\nmake[4]: *** [/src/linux/scripts/Makefile.host:9: scripts/kconfig/lexer.lex.c] Error 127",
                "flex",
                "flex",
            ),
            ("/bin/sh: 1: bc: not found", "bc", "bc"),
            (
                "/bin/sh: line 1: /usr/bin/bison: command not found",
                "bison",
                "bison",
            ),
            (
                "scripts/Kconfig.include:39: C compiler 'gcc' not found",
                "gcc",
                "gcc",
            ),
            ("env: 'make': No such file or directory", "make", "make"),
            ("env: ‘make’: No such file or directory", "make", "make"),
            ("make[2]: perl: No such file or directory", "perl", "perl"),
            (
                "/src/linux/tools/objtool/include/objtool/elf.h:10:10: fatal error: gelf.h: No such file or directory\n   10 | #include <gelf.h>\n      |          ^~~~~~~~\ncompilation terminated.",
                "gelf.h",
                "libelf-dev",
            ),
            (
                "certs/extract-cert.c:21:10: fatal error: openssl/bio.h: No such file or directory",
                "openssl/bio.h",
                "libssl-dev",
            ),
            (
                "error: Cannot generate ORC metadata for CONFIG_UNWINDER_ORC=y, please install libelf-dev, libelf-devel or elfutils-libelf-devel",
                "libelf",
                "libelf-dev",
            ),
        ] {
            let expected = Cause::Tool {
                tool: tool.into(),
                package: Some(package),
            };
            assert_eq!(cause(log, 2), expected, "{log}");
        }
        assert_eq!(
            cause("/bin/sh: 1: frobnicate: not found", 2),
            Cause::Tool {
                tool: "frobnicate".into(),
                package: None
            }
        );
        // Not found, and not the reason.
        let log = "/bin/sh: 1: pahole: not found\nmm/a.c:1:1: error: broken";
        assert_eq!(cause(log, 2).to_string(), "mm/a.c:1: broken");
    }

    #[test]
    fn what_the_host_did_is_told_from_the_source() {
        for row in [
            "mm/oom_kill.c:1174:1: fatal error: opening dependency file mm/.oom_kill.o.d: Permission denied",
            "/tmp/ccTk1q.s: Fatal error: can't create mm/oom_kill.o: Too many open files",
            "cc1: out of memory allocating 65536 bytes after a total of 1478656 bytes",
            "ld: mm/built-in.a: error adding symbols: Input/output error",
            "make[2]: vfork: Resource temporarily unavailable",
            "/bin/sh: 1: Cannot fork",
        ] {
            let log = format!("mm/a.c:1:1: error: half a file\n{row}\n{FAREWELL}");
            assert_eq!(cause(&log, 2), Cause::Host(row.to_owned()));
            assert!(cause(&log, 2).is_the_hosts());
        }
        for row in [
            // A patch lost the file's mode.
            "/bin/sh: 1: ./scripts/check.sh: Permission denied",
            "/bin/sh: 1: ./scripts/read-symbols.sh: Permission denied",
            "mm/a.c:1:2: error: fork of what",
            "mm/a.c:1:2: error: #error Input/output error is no excuse",
        ] {
            let log = format!("{row}\n{FAREWELL}");
            assert!(!cause(&log, 2).is_the_hosts(), "{row}");
        }
    }

    #[test]
    fn full_disks_and_killed_compilers() {
        for log in [
            "/tmp/cctuVH8p.s: Assembler messages:\n/tmp/cctuVH8p.s: Fatal error: scripts/kconfig/conf.o: No space left on device",
            "mm/a.c:1:1: error: half a file\ncat: .config: No space left on device",
            "ld: final link failed: Disk quota exceeded",
        ] {
            assert_eq!(cause(log, 2), Cause::NoSpace, "{log}");
        }
        let log = "gcc: fatal error: Killed signal terminated program cc1\ncompilation terminated.";
        assert_eq!(cause(log, 2).to_string(), "cc1 was killed");
        assert_eq!(cause("", 137).to_string(), "make (signal 9) was killed");
    }

    #[test]
    fn an_unknown_failure_shows_its_end_once() {
        let log = format!("1\n2\n3\n4\n5\n6\n7\nbison: input/output error\n{FAREWELL}");
        insta::assert_snapshot!(cause(&log, 2), @r"
        2
        3
        4
        5
        6
        7
        bison: input/output error
        make[3]: *** [/src/linux/scripts/Makefile.build:234: mm/oom_kill.o] Error 1
        ");
    }
}
