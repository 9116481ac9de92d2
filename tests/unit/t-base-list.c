/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <check.h>

#include "base/list.h"
#include "suite.h"

#define NR_ITEMS 5

struct item {
	int number; /* so that the node is not the first member */
	struct list_node node;
};

static struct list_node head;
static struct item items[NR_ITEMS];

static void fill(void)
{
	list_init(&head);
	for (int i = 0; i < NR_ITEMS; i++) {
		items[i].number = i;
		list_add_tail(&head, &items[i].node);
	}
}

/* The list must hold exactly @numbers, in order, in both directions. */
static void assert_holds(const int *numbers, int nr)
{
	const struct list_node *back = head.prev;
	struct item *pos, *tmp;
	int i = 0;

	list_for_each_safe (pos, tmp, &head, struct item, node) {
		ck_assert_int_lt(i, nr);
		ck_assert_int_eq(pos->number, numbers[i]);
		i++;
	}
	ck_assert_int_eq(i, nr);
	while (i-- > 0) {
		ck_assert_ptr_eq(back, &items[numbers[i]].node);
		back = back->prev;
	}
	ck_assert_ptr_eq(back, &head);
}

START_TEST(a_new_list_is_empty)
{
	list_init(&head);
	ck_assert(list_is_empty(&head));
	assert_holds(NULL, 0);
}
END_TEST

START_TEST(nodes_come_in_the_order_added)
{
	static const int all[] = {0, 1, 2, 3, 4};

	fill();
	ck_assert(!list_is_empty(&head));
	ck_assert_int_eq(list_first(&head, struct item, node)->number, 0);
	assert_holds(all, NR_ITEMS);
}
END_TEST

START_TEST(first_last_and_middle_can_go)
{
	static const int rest[] = {1, 3};

	fill();
	list_del(&items[0].node);
	list_del(&items[4].node);
	list_del(&items[2].node);
	assert_holds(rest, 2);
}
END_TEST

START_TEST(deleting_twice_does_no_harm)
{
	static const int rest[] = {0, 2, 3, 4};

	fill();
	list_del(&items[1].node);
	ck_assert(list_is_empty(&items[1].node));
	list_del(&items[1].node);
	assert_holds(rest, 4);
}
END_TEST

START_TEST(a_deleted_node_can_come_back_at_the_end)
{
	static const int order[] = {1, 2, 3, 4, 0};

	fill();
	list_del(&items[0].node);
	list_add_tail(&head, &items[0].node);
	assert_holds(order, NR_ITEMS);
}
END_TEST

START_TEST(a_walk_may_delete_what_it_stands_on)
{
	static const int odd[] = {1, 3};
	struct item *pos, *tmp;

	fill();
	list_for_each_safe (pos, tmp, &head, struct item, node) {
		if (pos->number % 2 == 0)
			list_del(&pos->node);
	}
	assert_holds(odd, 2);
	list_for_each_safe (pos, tmp, &head, struct item, node)
		list_del(&pos->node);
	ck_assert(list_is_empty(&head));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("base/list");
	TCase *tcase = tcase_create("list");

	tcase_add_test(tcase, a_new_list_is_empty);
	tcase_add_test(tcase, nodes_come_in_the_order_added);
	tcase_add_test(tcase, first_last_and_middle_can_go);
	tcase_add_test(tcase, deleting_twice_does_no_harm);
	tcase_add_test(tcase, a_deleted_node_can_come_back_at_the_end);
	tcase_add_test(tcase, a_walk_may_delete_what_it_stands_on);
	suite_add_tcase(suite, tcase);
	return suite_run(suite);
}
