//! The scenarios, one file each, and what they have in common.

mod adj_order;
mod both_ends;
mod freezer_v1;
mod freezer_v2;
mod fuse;
mod global_oom;
mod huge_pages;
mod hugetlb;
mod kselftest;
mod memcg_group;
mod memcg_limit;
mod mlocked;
mod mmap_lock;
mod mrelease_errors;
mod mrelease_exit_race;
mod notifier;
mod order;
mod pfnmap;
mod pin_reap;
mod private_file;
mod reaper_exit_race;
mod second_allocator;
mod shared;
mod sharer;
mod storm;
mod swap;
mod sweep;
mod sysrq_f;
mod threads;
mod unstable_reads;
mod userfaultfd;

use crate::scenario::Scenario;

/// All scenarios, by number.
pub const ALL: &[&dyn Scenario] = &[
    &memcg_limit::MemcgLimit,
    &memcg_group::MemcgGroup,
    &sysrq_f::SysrqF,
    &global_oom::GlobalOom,
    &adj_order::AdjOrder,
    &pin_reap::PinReap,
    &second_allocator::SecondAllocator,
    &order::WalkOrder,
    &both_ends::BothEnds,
    &threads::Threads,
    &sharer::Sharer,
    &mlocked::Mlocked,
    &hugetlb::Hugetlb,
    &shared::Shared,
    &private_file::PrivateFile,
    &pfnmap::Pfnmap,
    &freezer_v1::FreezerV1,
    &freezer_v2::FreezerV2,
    &fuse::Fuse,
    &userfaultfd::Userfaultfd,
    &mrelease_errors::MreleaseErrors,
    &mrelease_exit_race::MreleaseExitRace,
    &reaper_exit_race::ReaperExitRace,
    &storm::Storm,
    &swap::Swap,
    &huge_pages::HugePages,
    &unstable_reads::UnstableReads,
    &notifier::Notifier,
    &mmap_lock::MmapLock,
    &sweep::VMAS,
    &sweep::PAGES,
    &sweep::THREADS,
    &sweep::HEAD_START,
    &kselftest::MRELEASE,
    &kselftest::MEMCONTROL,
    &kselftest::KILL,
    &kselftest::FREEZER,
];

/// The scenario of a name.
pub fn find(name: &str) -> Option<&'static dyn Scenario> {
    ALL.iter().copied().find(|scenario| scenario.name() == name)
}
