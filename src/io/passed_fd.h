/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * passed_fd - a descriptor beside a message on a Unix socket
 *
 * Whoever receives the message gets a descriptor of its own for the same file.
 * Ownership: the sender's stays the sender's. Threads: any.
 * Source: unix(7), SCM_RIGHTS; cmsg(3).
 */
#ifndef ZSD_IO_PASSED_FD_H
#define ZSD_IO_PASSED_FD_H

#include <string.h>
#include <sys/socket.h>

/* Room for one; lives as long as the message. */
union io_passed_fd {
	struct cmsghdr header; /* for its alignment */
	unsigned char room[CMSG_SPACE(sizeof(int))];
};

/* io_passed_fd_put() - have @fd go with a message that is to be sent. @beside
 * is all zeros. */
static inline void io_passed_fd_put(struct msghdr *msg,
				    union io_passed_fd *beside, int fd)
{
	struct cmsghdr *header;

	msg->msg_control = beside;
	msg->msg_controllen = sizeof(beside->room);
	header = CMSG_FIRSTHDR(msg);
	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(sizeof(fd));
	memcpy(CMSG_DATA(header), &fd, sizeof(fd));
}

/* io_passed_fd_take() - what came with a message, with room for one. Return:
 * the descriptor, the caller's, or -1: none, or something else. */
static inline int io_passed_fd_take(struct msghdr *msg)
{
	struct cmsghdr *header = CMSG_FIRSTHDR(msg);
	int fd;

	if (!header || header->cmsg_level != SOL_SOCKET ||
	    header->cmsg_type != SCM_RIGHTS ||
	    header->cmsg_len != CMSG_LEN(sizeof(fd)))
		return -1;
	memcpy(&fd, CMSG_DATA(header), sizeof(fd));
	return fd;
}

#endif
