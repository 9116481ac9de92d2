/* SPDX-License-Identifier: GPL-2.0-or-later */
struct defined_twice {
	int member;
};
