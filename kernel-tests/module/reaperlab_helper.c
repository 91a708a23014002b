// SPDX-License-Identifier: GPL-2.0-only
/*
 * What no system call can do to an address space, for the scenarios.
 *
 * Each open file of /dev/reaperlab is a grip on one address space. What is
 * written says what it does; closing it lets go of everything, so that nothing
 * outlives the process that asked for it and the module can always be unloaded:
 *
 *   watch PID         count the invalidations of that process's memory
 *   refuse START END COUNT
 *                     from now on refuse those of this range that may not
 *                     block, so many of them; an empty range refuses none
 *   hold PID          hold that process's mmap_lock for writing
 *   use PID           have a thread of the kernel's use that process's memory
 *   spare COUNT       keep so many pages to give back when memory runs out
 *   starve COUNT      from now on its mappings have no pages, and so many page
 *                     faults there fail for want of memory before one gets some
 *
 * What is read are the counts, how many have begun to unmap the memory and not
 * finished, and the ranges of the invalidations that might not block since the
 * last "refuse".
 *
 * A private mapping of it otherwise has pages that the driver has put there one
 * by one (VM_MIXEDMAP).
 */
#include <linux/atomic.h>
#include <linux/completion.h>
#include <linux/err.h>
#include <linux/fs.h>
#include <linux/gfp.h>
#include <linux/kernel.h>
#include <linux/kthread.h>
#include <linux/list.h>
#include <linux/miscdevice.h>
#include <linux/mm.h>
#include <linux/mmu_notifier.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/notifier.h>
#include <linux/oom.h>
#include <linux/pid.h>
#include <linux/rwsem.h>
#include <linux/sched.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/sched/task.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/string.h>
#include <linux/uaccess.h>

/* As many ranges as are kept, and as many characters as they take. */
#define RANGES 128
#define TEXT 8192

struct grip {
	/* One command at a time. */
	struct mutex command;

	/* The watched mm; each registered notifier keeps it from being freed. */
	struct mm_struct *watched;
	struct mmu_notifier counter;
	struct mmu_notifier refuser;

	/* Taken in notifiers, which may not sleep. */
	spinlock_t lock;
	unsigned long long start;
	unsigned long long end;
	unsigned long long left;
	unsigned long long starts;
	unsigned long long ends;
	unsigned long long nonblocking;
	unsigned long long refusals;
	unsigned int count;
	struct {
		unsigned long start;
		unsigned long end;
	} ranges[RANGES];

	/* The held or used mm and the thread that holds its lock or uses it. */
	struct mm_struct *held;
	struct task_struct *holder;
	struct completion tried;
	bool locked;
	bool used;

	/* Pages to give back, and how often somebody asked for them. */
	struct notifier_block giver;
	struct list_head pages;
	unsigned long long asked;
	bool spares;

	/* Page faults that are still to fail. */
	atomic_t failures;
	bool starves;
};

static int count_start(struct mmu_notifier *notifier,
		       const struct mmu_notifier_range *range)
{
	struct grip *grip = container_of(notifier, struct grip, counter);

	spin_lock(&grip->lock);
	grip->starts++;
	if (!mmu_notifier_range_blockable(range)) {
		grip->nonblocking++;
		if (grip->count < RANGES) {
			grip->ranges[grip->count].start = range->start;
			grip->ranges[grip->count].end = range->end;
			grip->count++;
		}
	}
	spin_unlock(&grip->lock);
	return 0;
}

static void count_end(struct mmu_notifier *notifier,
		      const struct mmu_notifier_range *range)
{
	struct grip *grip = container_of(notifier, struct grip, counter);

	spin_lock(&grip->lock);
	grip->ends++;
	spin_unlock(&grip->lock);
}

static const struct mmu_notifier_ops counter_ops = {
	.invalidate_range_start = count_start,
	.invalidate_range_end = count_end,
};

/*
 * A notifier apart from the one that counts: one that refuses may not have an
 * end, since it could not tell which starts it belongs to. To all others the
 * kernel itself sends the end of what somebody refused.
 */
static int refuse_start(struct mmu_notifier *notifier,
			const struct mmu_notifier_range *range)
{
	struct grip *grip = container_of(notifier, struct grip, refuser);
	bool refused = false;

	if (mmu_notifier_range_blockable(range))
		return 0;
	spin_lock(&grip->lock);
	if (grip->left && range->start < grip->end &&
	    grip->start < range->end) {
		grip->left--;
		grip->refusals++;
		refused = true;
	}
	spin_unlock(&grip->lock);
	return refused ? -EAGAIN : 0;
}

static const struct mmu_notifier_ops refuser_ops = {
	.invalidate_range_start = refuse_start,
};

/* The mm of a process, for the caller to mmput(). */
static struct mm_struct *mm_of(pid_t nr)
{
	struct mm_struct *mm = NULL;
	struct task_struct *task;
	struct pid *pid;

	pid = find_get_pid(nr);
	task = get_pid_task(pid, PIDTYPE_PID);
	put_pid(pid);
	if (task) {
		mm = get_task_mm(task);
		put_task_struct(task);
	}
	return mm ? mm : ERR_PTR(-ESRCH);
}

static int watch(struct grip *grip, pid_t nr)
{
	struct mm_struct *mm = mm_of(nr);
	int err;

	if (IS_ERR(mm))
		return PTR_ERR(mm);
	err = mmu_notifier_register(&grip->counter, mm);
	if (err)
		goto out;
	err = mmu_notifier_register(&grip->refuser, mm);
	if (err)
		mmu_notifier_unregister(&grip->counter, mm);
	else
		grip->watched = mm;
out:
	mmput(mm);
	return err;
}

static void refuse(struct grip *grip, unsigned long long start,
		   unsigned long long end, unsigned long long count)
{
	spin_lock(&grip->lock);
	grip->start = start;
	grip->end = end;
	grip->left = count;
	grip->count = 0;
	spin_unlock(&grip->lock);
}

static void wait_to_stop(void)
{
	for (;;) {
		set_current_state(TASK_IDLE);
		if (kthread_should_stop())
			break;
		schedule();
	}
	__set_current_state(TASK_RUNNING);
}

/*
 * A thread of the kernel's, since no task may return to user space with a lock.
 * It only tries, so that it can always be stopped; not every kernel has a name
 * for that but the semaphore's own.
 */
static int hold_lock(void *data)
{
	struct grip *grip = data;

	grip->locked = down_write_trylock(&grip->held->mmap_lock);
	complete(&grip->tried);
	wait_to_stop();
	if (grip->locked)
		up_write(&grip->held->mmap_lock);
	return 0;
}

/*
 * As long as it does, it is a user of the memory like the process itself. Threads
 * of the kernel's ignore all signals; of this one is to be seen that it got one.
 */
static int use_memory(void *data)
{
	struct grip *grip = data;

	allow_signal(SIGKILL);
	kthread_use_mm(grip->held);
	complete(&grip->tried);
	wait_to_stop();
	kthread_unuse_mm(grip->held);
	return 0;
}

static void free_pages_of(struct list_head *pages)
{
	struct page *page, *next;

	list_for_each_entry_safe(page, next, pages, lru) {
		list_del(&page->lru);
		__free_page(page);
	}
}

/* However many they are, they count as one: whether there are any is the question. */
static int give(struct notifier_block *giver, unsigned long unused, void *freed)
{
	struct grip *grip = container_of(giver, struct grip, giver);
	LIST_HEAD(pages);

	spin_lock(&grip->lock);
	grip->asked++;
	list_splice_init(&grip->pages, &pages);
	spin_unlock(&grip->lock);
	if (!list_empty(&pages))
		*(unsigned long *)freed += 1;
	free_pages_of(&pages);
	return NOTIFY_OK;
}

static int spare(struct grip *grip, unsigned long long count)
{
	int err;

	while (count--) {
		struct page *page = alloc_page(GFP_KERNEL | __GFP_NORETRY);

		if (!page) {
			free_pages_of(&grip->pages);
			return -ENOMEM;
		}
		list_add(&page->lru, &grip->pages);
	}
	grip->giver.notifier_call = give;
	err = register_oom_notifier(&grip->giver);
	if (err)
		free_pages_of(&grip->pages);
	else
		grip->spares = true;
	return err;
}

static void let_go(struct grip *grip)
{
	if (grip->spares) {
		unregister_oom_notifier(&grip->giver);
		free_pages_of(&grip->pages);
		grip->spares = false;
	}
	if (grip->holder) {
		kthread_stop(grip->holder);
		if (grip->used)
			mmput(grip->held);
		else
			mmdrop(grip->held);
		grip->holder = NULL;
	}
	if (grip->watched) {
		mmu_notifier_unregister(&grip->refuser, grip->watched);
		mmu_notifier_unregister(&grip->counter, grip->watched);
		grip->watched = NULL;
	}
}

static int hold(struct grip *grip, pid_t nr)
{
	struct mm_struct *mm = mm_of(nr);
	struct task_struct *holder;

	if (IS_ERR(mm))
		return PTR_ERR(mm);
	/* The structure alone: the process may end as it would without us. */
	mmgrab(mm);
	mmput(mm);
	grip->held = mm;
	holder = kthread_run(hold_lock, grip, "reaperlab_hold");
	if (IS_ERR(holder)) {
		mmdrop(mm);
		return PTR_ERR(holder);
	}
	grip->holder = holder;
	wait_for_completion(&grip->tried);
	if (grip->locked)
		return 0;
	let_go(grip);
	return -EBUSY;
}

static int use(struct grip *grip, pid_t nr)
{
	struct mm_struct *mm = mm_of(nr);
	struct task_struct *user;

	if (IS_ERR(mm))
		return PTR_ERR(mm);
	grip->held = mm;
	user = kthread_run(use_memory, grip, "reaperlab_use");
	if (IS_ERR(user)) {
		mmput(mm);
		return PTR_ERR(user);
	}
	grip->holder = user;
	grip->used = true;
	wait_for_completion(&grip->tried);
	return 0;
}

static int obey(struct grip *grip, const char *text)
{
	unsigned long long start, end, count;
	int nr;

	if (sscanf(text, "refuse %llx %llx %llu", &start, &end, &count) == 3) {
		if (!grip->watched)
			return -EINVAL;
		refuse(grip, start, end, count);
		return 0;
	}
	/* One address space a grip. To watch what it holds would never end. */
	if (grip->watched || grip->holder || grip->spares)
		return -EBUSY;
	if (sscanf(text, "watch %d", &nr) == 1)
		return watch(grip, nr);
	if (sscanf(text, "hold %d", &nr) == 1)
		return hold(grip, nr);
	if (sscanf(text, "use %d", &nr) == 1)
		return use(grip, nr);
	if (sscanf(text, "spare %llu", &count) == 1)
		return spare(grip, count);
	if (sscanf(text, "starve %d", &nr) == 1) {
		atomic_set(&grip->failures, nr);
		grip->starves = true;
		return 0;
	}
	return -EINVAL;
}

static int grip_open(struct inode *inode, struct file *file)
{
	struct grip *grip = kzalloc(sizeof(*grip), GFP_KERNEL);

	if (!grip)
		return -ENOMEM;
	mutex_init(&grip->command);
	spin_lock_init(&grip->lock);
	init_completion(&grip->tried);
	INIT_LIST_HEAD(&grip->pages);
	grip->counter.ops = &counter_ops;
	grip->refuser.ops = &refuser_ops;
	file->private_data = grip;
	return 0;
}

static int grip_release(struct inode *inode, struct file *file)
{
	struct grip *grip = file->private_data;

	let_go(grip);
	kfree(grip);
	return 0;
}

static ssize_t grip_write(struct file *file, const char __user *from,
			  size_t len, loff_t *pos)
{
	struct grip *grip = file->private_data;
	char text[64];
	int err;

	if (len >= sizeof(text))
		return -EINVAL;
	if (copy_from_user(text, from, len))
		return -EFAULT;
	text[len] = '\0';
	mutex_lock(&grip->command);
	err = obey(grip, text);
	mutex_unlock(&grip->command);
	return err ? err : len;
}

static ssize_t grip_read(struct file *file, char __user *to, size_t len,
			 loff_t *pos)
{
	struct grip *grip = file->private_data;
	unsigned int range;
	int flushes, size;
	ssize_t read;
	char *text;

	text = kmalloc(TEXT, GFP_KERNEL);
	if (!text)
		return -ENOMEM;
	mutex_lock(&grip->command);
	/* The notifiers keep the structure, whoever uses the memory. */
	flushes = grip->watched ?
		atomic_read(&grip->watched->tlb_flush_pending) : 0;
	spin_lock(&grip->lock);
	size = scnprintf(text, TEXT,
			 "starts %llu\nends %llu\nnonblocking %llu\nrefusals %llu\nflushes %d\nasked %llu\n",
			 grip->starts, grip->ends, grip->nonblocking,
			 grip->refusals, flushes, grip->asked);
	for (range = 0; range < grip->count; range++)
		size += scnprintf(text + size, TEXT - size, "range %lx %lx\n",
				  grip->ranges[range].start,
				  grip->ranges[range].end);
	spin_unlock(&grip->lock);
	mutex_unlock(&grip->command);
	read = simple_read_from_buffer(to, len, pos, text, size);
	kfree(text);
	return read;
}

static vm_fault_t grip_fault(struct vm_fault *fault)
{
	struct grip *grip = fault->vma->vm_file->private_data;

	if (atomic_dec_if_positive(&grip->failures) >= 0)
		return VM_FAULT_OOM;
	fault->page = alloc_page(GFP_KERNEL | __GFP_ZERO);
	return fault->page ? 0 : VM_FAULT_OOM;
}

static const struct vm_operations_struct starving_ops = {
	.fault = grip_fault,
};

/* The mapping alone holds its pages: they are freed when they are unmapped. */
static int grip_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct grip *grip = file->private_data;
	unsigned long at;

	if (grip->starves) {
		vma->vm_ops = &starving_ops;
		return 0;
	}
	for (at = vma->vm_start; at < vma->vm_end; at += PAGE_SIZE) {
		struct page *page = alloc_page(GFP_KERNEL | __GFP_ZERO);
		int err;

		if (!page)
			return -ENOMEM;
		err = vm_insert_page(vma, at, page);
		put_page(page);
		if (err)
			return err;
	}
	return 0;
}

static const struct file_operations grip_fops = {
	.owner = THIS_MODULE,
	.open = grip_open,
	.release = grip_release,
	.read = grip_read,
	.write = grip_write,
	.mmap = grip_mmap,
	.llseek = default_llseek,
};

static struct miscdevice device = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "reaperlab",
	.mode = 0600,
	.fops = &grip_fops,
};
module_misc_device(device);

MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("A grip on address spaces for tests of the OOM reaper");
/* As if it were of the kernel's tree: a taint is to mean trouble. */
MODULE_INFO(intree, "Y");
