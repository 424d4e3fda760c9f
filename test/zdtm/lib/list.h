#ifndef ZDTM_LIST_H
#define ZDTM_LIST_H

#include "zdtmtst.h"

/* Circular doubly linked list; the head is a node without a container. */
struct list_head {
	struct list_head *prev, *next;
};

#define LIST_HEAD_INIT(name)                                                                                           \
	{                                                                                                              \
		&(name), &(name)                                                                                       \
	}
#define LIST_HEAD(name) struct list_head name = LIST_HEAD_INIT(name)

static inline void INIT_LIST_HEAD(struct list_head *head)
{
	head->prev = head->next = head;
}

static inline void __list_link(struct list_head *node, struct list_head *prev, struct list_head *next)
{
	node->prev = prev;
	node->next = next;
	prev->next = next->prev = node;
}

static inline void list_add(struct list_head *node, struct list_head *head)
{
	__list_link(node, head, head->next);
}

static inline void list_add_tail(struct list_head *node, struct list_head *head)
{
	__list_link(node, head->prev, head);
}

static inline void list_del(struct list_head *node)
{
	node->prev->next = node->next;
	node->next->prev = node->prev;
}

static inline void list_del_init(struct list_head *node)
{
	list_del(node);
	INIT_LIST_HEAD(node);
}

static inline bool list_empty(const struct list_head *head)
{
	return head->next == head;
}

#define list_entry(ptr, type, member)	    container_of(ptr, type, member)
#define list_first_entry(ptr, type, member) list_entry((ptr)->next, type, member)

#define list_for_each(pos, head) for (pos = (head)->next; pos != (head); pos = pos->next)

#define list_for_each_entry(pos, head, member)                                                                         \
	for (pos = list_entry((head)->next, typeof(*pos), member); &pos->member != (head);                             \
	     pos = list_entry(pos->member.next, typeof(*pos), member))

/* The entry at @pos may be removed in the body. */
#define list_for_each_entry_safe(pos, n, head, member)                                                                 \
	for (pos = list_entry((head)->next, typeof(*pos), member),                                                     \
	    n = list_entry(pos->member.next, typeof(*pos), member);                                                    \
	     &pos->member != (head); pos = n, n = list_entry(n->member.next, typeof(*n), member))

#endif
