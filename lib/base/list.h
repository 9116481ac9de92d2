/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * list - doubly linked list whose links live in the listed things
 *
 * A list is a struct list_node that heads a ring; an empty one points at
 * itself. A node is on one list at most, and list_del() leaves it pointing at
 * itself, so that deleting twice does no harm. No locks: the owner of the
 * list says who may touch it.
 */
#ifndef ZSD_BASE_LIST_H
#define ZSD_BASE_LIST_H

#include <stdbool.h>

#include "base/compiler.h"

struct list_node {
	struct list_node *prev;
	struct list_node *next;
};

static inline void list_init(struct list_node *node)
{
	node->prev = node;
	node->next = node;
}

static inline bool list_is_empty(const struct list_node *head)
{
	return head->next == head;
}

static inline void list_add_tail(struct list_node *head, struct list_node *node)
{
	node->prev = head->prev;
	node->next = head;
	head->prev->next = node;
	head->prev = node;
}

static inline void list_del(struct list_node *node)
{
	node->prev->next = node->next;
	node->next->prev = node->prev;
	list_init(node);
}

/* The first entry of @head, which must not be empty. */
#define list_first(head, type, member) container_of((head)->next, type, member)

/* Walks @head; the entry at hand may be deleted, @tmp must not. */
#define list_for_each_safe(pos, tmp, head, type, member)      \
	for ((pos) = list_first(head, type, member),          \
	    (tmp) = list_first(&(pos)->member, type, member); \
	     &(pos)->member != (head);                        \
	     (pos) = (tmp), (tmp) = list_first(&(pos)->member, type, member))

#endif
