// SPDX-License-Identifier: GPL-2.0-only
/*
 * Faults that LKDTM does not have, one at a time: insmod provoke.ko what=NAME
 */
#include <linux/delay.h>
#include <linux/kthread.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/percpu_counter.h>
#include <linux/slab.h>

static char *what = "";
module_param(what, charp, 0);

static DEFINE_MUTEX(first);
static DEFINE_MUTEX(second);

static noinline void provoke_first_then_second(void)
{
	mutex_lock(&first);
	mutex_lock(&second);
	mutex_unlock(&second);
	mutex_unlock(&first);
}

static noinline void provoke_second_then_first(void)
{
	mutex_lock(&second);
	mutex_lock(&first);
	mutex_unlock(&first);
	mutex_unlock(&second);
}

static noinline void provoke_leak(void)
{
	void *volatile leaked = kmalloc(96, GFP_KERNEL);

	leaked = NULL;
	(void)leaked;
}

/* The process that loads the module ends with pages that it never had. */
static noinline void provoke_bad_rss(void)
{
	percpu_counter_add(&current->mm->rss_stat[MM_ANONPAGES], 5);
}

static unsigned long shared;

static noinline void provoke_reader(void)
{
	if (shared == ~0UL)
		pr_info("never\n");
}

static noinline void provoke_writer(void)
{
	shared += 2;
}

static int provoke_race(void *writes)
{
	unsigned long end = jiffies + 3 * HZ;

	while (time_before(jiffies, end)) {
		if (writes)
			provoke_writer();
		else
			provoke_reader();
		cond_resched();
	}
	return 0;
}

static int __init provoke_init(void)
{
	if (!strcmp(what, "lockdep")) {
		provoke_first_then_second();
		provoke_second_then_first();
	} else if (!strcmp(what, "memory-leak")) {
		provoke_leak();
	} else if (!strcmp(what, "bad-rss")) {
		provoke_bad_rss();
	} else if (!strcmp(what, "kcsan")) {
		kthread_run(provoke_race, NULL, "reader");
		kthread_run(provoke_race, &shared, "writer");
		msleep(4000);
	} else {
		return -EINVAL;
	}
	return 0;
}
module_init(provoke_init);

MODULE_DESCRIPTION("faults for the triage of consoles");
MODULE_LICENSE("GPL");
