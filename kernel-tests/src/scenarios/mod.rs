//! The scenarios, one file each. A new one has its two lines here.

mod adj_order;
mod already_exiting;
mod badness;
mod both_ends;
mod core_dump;
mod fault_again;
mod file_reads;
mod freezer_v1;
mod freezer_v2;
mod fuse;
mod global_oom;
mod global_stuck;
mod huge_pages;
mod hugetlb;
mod init_sharer;
mod kill_allocating;
mod kselftest;
mod kthread_user;
mod late_reaper;
mod late_reaper_large;
mod leader_gone;
mod memcg_group;
mod memcg_limit;
mod mixed_map;
mod mlocked;
mod mmap_lock;
mod mrelease_application;
mod mrelease_errors;
mod mrelease_exit_race;
mod mrelease_lock;
mod nobody_to_kill;
mod notifier;
mod oom_notifier;
mod oom_report;
mod order;
mod pfnmap;
mod pin_reap;
mod private_file;
mod reaper_exit_race;
mod retry;
mod second_allocator;
mod shared;
mod sharer;
mod sparse;
mod storm;
mod swap;
mod sweep;
mod sysrq_f;
mod threads;
mod unstable_reads;
mod userfaultfd;
mod vfork;
mod walk_orders;

use crate::scenario::Scenario;

/// All scenarios, by number.
pub const ALL: &[Scenario] = &[
    memcg_limit::SCENARIO,
    memcg_group::SCENARIO,
    sysrq_f::SCENARIO,
    global_oom::SCENARIO,
    adj_order::SCENARIO,
    pin_reap::SCENARIO,
    second_allocator::SCENARIO,
    order::SCENARIO,
    both_ends::SCENARIO,
    threads::SCENARIO,
    sharer::SCENARIO,
    mlocked::SCENARIO,
    hugetlb::SCENARIO,
    shared::SCENARIO,
    private_file::SCENARIO,
    pfnmap::SCENARIO,
    freezer_v1::SCENARIO,
    freezer_v2::SCENARIO,
    fuse::SCENARIO,
    userfaultfd::SCENARIO,
    mrelease_errors::SCENARIO,
    mrelease_exit_race::SCENARIO,
    reaper_exit_race::SCENARIO,
    storm::SCENARIO,
    swap::SCENARIO,
    huge_pages::SCENARIO,
    unstable_reads::SCENARIO,
    notifier::SCENARIO,
    mmap_lock::SCENARIO,
    late_reaper::SCENARIO,
    sweep::VMAS,
    sweep::PAGES,
    sweep::THREADS,
    sweep::HEAD_START,
    mrelease_application::SCENARIO,
    late_reaper_large::SCENARIO,
    walk_orders::SCENARIO,
    retry::SCENARIO,
    mrelease_lock::SCENARIO,
    leader_gone::SCENARIO,
    already_exiting::SCENARIO,
    init_sharer::SCENARIO,
    sparse::SCENARIO,
    mixed_map::SCENARIO,
    core_dump::SCENARIO,
    global_stuck::SCENARIO,
    oom_report::SCENARIO,
    nobody_to_kill::SCENARIO,
    file_reads::SCENARIO,
    kill_allocating::SCENARIO,
    kthread_user::SCENARIO,
    vfork::SCENARIO,
    badness::SCENARIO,
    oom_notifier::SCENARIO,
    fault_again::SCENARIO,
    kselftest::MRELEASE,
    kselftest::MEMCONTROL,
    kselftest::KILL,
    kselftest::FREEZER,
];

pub fn find(name: &str) -> Option<&'static Scenario> {
    ALL.iter().find(|scenario| scenario.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_says_what_it_must_and_has_a_number_and_name_of_its_own() {
        assert!(ALL.is_sorted_by(|a, b| a.number < b.number));
        for scenario in ALL {
            let name = scenario.name;
            assert!(scenario.number > 0, "{name}");
            assert!(!name.is_empty() && !scenario.summary.is_empty(), "{name}");
            assert!(scenario.deadline_s > 0, "{name}");
            assert_eq!(find(name).map(|found| found.number), Some(scenario.number));
        }
    }
}
