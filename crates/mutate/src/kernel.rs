//! What a kernel that holds mistakes needs beside them: who is asked which one is
//! made, and two parameters for user space.
//!
//! They lie in `/sys/module/reaperlab/parameters`. `mistake` holds the number of the
//! one that is made, or -1. `reached` tells which places were come to since it was
//! last written to: a hexadecimal digit for four of them, the first in its lowest bit.

/// What a source asks whether a mistake is made.
pub const CHOICE: &str = "reaperlab_chosen";

/// What goes before each source.
pub const HEAD: &str = "int reaperlab_chosen(unsigned int place);\n";

/// The most places of one kernel: what is told of them must fit on a page.
pub const MOST: usize = 4 * 4_000;

/// What goes behind one of the sources, for so many places in all of them.
pub fn tail(places: usize) -> String {
    TAIL.replace("PLACES", &places.max(1).to_string())
}

const TAIL: &str = r#"
#include <linux/compiler.h>
#include <linux/moduleparam.h>
#include <linux/string.h>

static unsigned char reaperlab_seen[PLACES];
static int reaperlab_mistake = -1;

noinline notrace int reaperlab_chosen(unsigned int place)
{
	WRITE_ONCE(reaperlab_seen[place], 1);
	return READ_ONCE(reaperlab_mistake) == (int)place;
}

static int reaperlab_tell(char *text, const struct kernel_param *unused)
{
	unsigned int place, digits = 0, bits = 0;

	for (place = 0; place < PLACES; place++) {
		if (READ_ONCE(reaperlab_seen[place]))
			bits |= 1 << place % 4;
		if (place % 4 == 3 || place == PLACES - 1) {
			text[digits++] = bits < 10 ? '0' + bits : 'a' + bits - 10;
			bits = 0;
		}
	}
	return digits;
}

static int reaperlab_forget(const char *unused, const struct kernel_param *unused_too)
{
	memset(reaperlab_seen, 0, sizeof(reaperlab_seen));
	return 0;
}

static const struct kernel_param_ops reaperlab_reached = {
	.get = reaperlab_tell,
	.set = reaperlab_forget,
};

#undef MODULE_PARAM_PREFIX
#define MODULE_PARAM_PREFIX "reaperlab."
module_param_named(mistake, reaperlab_mistake, int, 0600);
module_param_cb(reached, &reaperlab_reached, NULL, 0600);
"#;
