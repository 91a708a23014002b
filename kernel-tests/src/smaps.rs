//! `/proc/PID/smaps`: a process's VMAs, and which of them a reaper may touch.

use std::fs::File;
use std::io::{Read, Seek};

use nix::unistd::Pid;

use crate::failure::{Failure, ResultExt, ensure};
use crate::procfs;

/// A mapping: its first address and the one behind.
pub type Range = (u64, u64);

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Vma {
    /// The first address.
    pub start: u64,
    /// The address behind it.
    pub end: u64,
    /// The file's or the kernel's name for it; empty where there is none.
    pub name: String,
    /// Resident memory in KiB.
    pub rss: u64,
    /// Resident anonymous memory in KiB.
    pub anonymous: u64,
    /// Of that, in transparent huge pages, in KiB.
    pub anon_huge: u64,
    /// Anonymous memory that is swapped out, in KiB.
    pub swap: u64,
    /// Huge pages of the pool, mapped by nobody else, in KiB.
    pub private_hugetlb: u64,
    /// The two-letter flags.
    flags: Vec<String>,
}

impl Vma {
    /// Whether a flag such as `ht` is set.
    pub fn has(&self, flag: &str) -> bool {
        self.flags.iter().any(|f| f == flag)
    }

    /// Whether the OOM reaper unmaps it: not `VM_HUGETLB`, `VM_PFNMAP` or
    /// `VM_SHARED`.
    pub fn reapable(&self) -> bool {
        !["ht", "pf", "sh"].iter().any(|flag| self.has(flag))
    }
}

/// The VMAs of a process, upwards.
pub fn of(pid: Pid) -> Result<Vec<Vma>, Failure> {
    let vmas = parse(&procfs::read(format!("/proc/{pid}/smaps"))?);
    if vmas.is_empty() {
        return Err(Failure::unmet(format!("/proc/{pid}/smaps shows no VMA")));
    }
    Ok(vmas)
}

/// The VMAs in a smaps file that was opened before its process ended: those of
/// the address space for as long as something uses it, then none.
pub fn reread(file: &mut File) -> Result<Vec<Vma>, Failure> {
    let mut text = String::new();
    file.rewind()
        .and_then(|()| file.read_to_string(&mut text))
        .while_doing(|| "reading the smaps of a process that has ended".into())?;
    Ok(parse(&text))
}

/// What the OOM reaper unmaps, upwards.
pub fn reapable(vmas: &[Vma]) -> Vec<Range> {
    let reapable = vmas.iter().filter(|vma| vma.reapable());
    reapable.map(|vma| (vma.start, vma.end)).collect()
}

/// The VMA that is exactly this range.
pub fn at(vmas: &[Vma], range: Range) -> Result<&Vma, Failure> {
    vmas.iter()
        .find(|vma| (vma.start, vma.end) == range)
        .ok_or_else(|| Failure::unmet(format!("smaps has no VMA {:#x}-{:#x}", range.0, range.1)))
}

/// Fails unless the VMAs of these ranges are all resident.
pub fn ensure_resident(vmas: &[Vma], ranges: &[Range]) -> Result<(), Failure> {
    for &range in ranges {
        let (rss, size) = (at(vmas, range)?.rss, (range.1 - range.0) >> 10);
        ensure(rss == size, || {
            let (start, end) = range;
            format!("{start:#x}-{end:#x} has {rss} KiB instead of all {size}")
        })?;
    }
    Ok(())
}

/// Fails unless nothing is left of what the reaper may touch.
pub fn ensure_reaped(vmas: &[Vma]) -> Result<(), Failure> {
    for vma in vmas.iter().filter(|vma| vma.reapable()) {
        ensure(vma.rss == 0 && vma.anonymous == 0 && vma.swap == 0, || {
            format!(
                "{:#x}-{:#x} {} still has {} KiB, {} of them anonymous, and {} KiB in swap",
                vma.start, vma.end, vma.name, vma.rss, vma.anonymous, vma.swap
            )
        })?;
    }
    Ok(())
}

/// Reads smaps. The vsyscall page is left out: it is shown in every process
/// and is a VMA of none.
fn parse(text: &str) -> Vec<Vma> {
    let mut vmas: Vec<Vma> = Vec::new();
    for line in text.lines() {
        if let Some(vma) = header(line) {
            vmas.push(vma);
            continue;
        }
        let (Some(vma), Some((key, value))) = (vmas.last_mut(), line.split_once(':')) else {
            continue;
        };
        let kib = || {
            value
                .split_whitespace()
                .next()
                .and_then(|n| n.parse().ok())
                .unwrap_or(0)
        };
        match key {
            "Rss" => vma.rss = kib(),
            "Anonymous" => vma.anonymous = kib(),
            "AnonHugePages" => vma.anon_huge = kib(),
            "Swap" => vma.swap = kib(),
            "Private_Hugetlb" => vma.private_hugetlb = kib(),
            "VmFlags" => vma.flags = value.split_whitespace().map(str::to_owned).collect(),
            _ => {}
        }
    }
    vmas.retain(|vma| vma.name != "[vsyscall]");
    vmas
}

/// `START-END PERMS OFFSET DEVICE INODE [NAME]`.
fn header(line: &str) -> Option<Vma> {
    let mut fields = line.split_whitespace();
    let (start, end) = fields.next()?.split_once('-')?;
    let name = fields.nth(4).unwrap_or_default().to_owned();
    Some(Vma {
        start: u64::from_str_radix(start, 16).ok()?,
        end: u64::from_str_radix(end, 16).ok()?,
        name,
        ..Vma::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMAPS: &str = "\
10000000000-10000040000 rw-p 00000000 00:00 0
Size:                256 kB
Rss:                 252 kB
Anonymous:           248 kB
VmFlags: rd wr mr mw me ac
10000041000-10000042000 rw-s 00000000 00:01 1 /dev/zero (deleted)
Rss:                   4 kB
Anonymous:             0 kB
VmFlags: rd wr sh mr mw me ms sd
10000200000-10000400000 rw-p 00000000 00:0f 2 /anon_hugepage (deleted)
Rss:                   0 kB
Private_Hugetlb:    2048 kB
VmFlags: rd wr mr mw me de ht
7ffff7ff9000-7ffff7ffd000 r--p 00000000 00:00 0                          [vvar]
Rss:                   0 kB
VmFlags: rd mr pf io de dd
ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0                  [vsyscall]
Rss:                   0 kB
VmFlags: ex
";

    #[test]
    fn reads_what_the_reaper_looks_at() {
        let vmas = parse(SMAPS);
        let seen: Vec<_> = vmas
            .iter()
            .map(|v| (v.start, v.rss, v.anonymous, v.reapable(), &*v.name))
            .collect();
        assert_eq!(
            seen,
            [
                (0x100_0000_0000, 252, 248, true, ""),
                (0x100_0004_1000, 4, 0, false, "/dev/zero"),
                (0x100_0020_0000, 0, 0, false, "/anon_hugepage"),
                (0x7fff_f7ff_9000, 0, 0, false, "[vvar]"),
            ]
        );
    }

    #[test]
    fn what_the_reaper_left() {
        let vmas = parse(SMAPS);
        let says = |verdict: Result<(), Failure>| verdict.map_err(|failure| failure.to_string());
        assert_eq!(
            says(ensure_reaped(&vmas)),
            Err("0x10000000000-0x10000040000  still has 252 KiB, 248 of them anonymous, and 0 KiB in swap".into())
        );
        assert_eq!(says(ensure_reaped(&vmas[1..])), Ok(()));
        let (private, shared) = (
            (0x100_0000_0000, 0x100_0004_0000),
            (0x100_0004_1000, 0x100_0004_2000),
        );
        assert_eq!(says(ensure_resident(&vmas, &[shared])), Ok(()));
        assert_eq!(
            says(ensure_resident(&vmas, &[shared, private])),
            Err("0x10000000000-0x10000040000 has 252 KiB instead of all 256".into())
        );
        assert_eq!(
            says(ensure_resident(&vmas, &[(0x1000, 0x2000)])),
            Err("smaps has no VMA 0x1000-0x2000".into())
        );
        let huge = at(&vmas, (0x100_0020_0000, 0x100_0040_0000));
        assert!(huge.is_ok_and(|vma| vma.private_hugetlb == 2048));
    }

    #[test]
    fn garbage_is_no_vma() {
        assert_eq!(
            parse("Rss: 4 kB\nno-thing here\n\nxyz-abc rw-p 0 0 0\n"),
            []
        );
    }
}
