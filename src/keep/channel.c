/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "io/passed_fd.h"
#include "keep/channel.h"

int keep_channel_pair(int fds[2])
{
	return socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) < 0
		       ? -errno
		       : 0;
}

int keep_send(int channel, const struct keep_message *message, int fd,
	      bool may_wait)
{
	struct iovec iov = {.iov_base = (void *)(uintptr_t)message,
			    .iov_len = sizeof(*message)};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
	union io_passed_fd beside = {0};
	ssize_t n;

	if (fd >= 0)
		io_passed_fd_put(&msg, &beside, fd);
	do {
		n = sendmsg(channel, &msg,
			    MSG_NOSIGNAL | (may_wait ? 0 : MSG_DONTWAIT));
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == ECONNRESET ? -EPIPE : -errno;
	return 0;
}

int keep_receive(int channel, struct keep_message *message, int *fd,
		 bool may_wait)
{
	struct iovec iov = {.iov_base = message, .iov_len = sizeof(*message)};
	union io_passed_fd beside = {0};
	struct msghdr msg = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = &beside,
		.msg_controllen = sizeof(beside.room),
	};
	ssize_t n;

	*fd = -1;
	/* That the other end died is said once, before what it sent is given. */
	do {
		n = recvmsg(channel, &msg,
			    MSG_CMSG_CLOEXEC | (may_wait ? 0 : MSG_DONTWAIT));
	} while (n < 0 && (errno == EINTR || errno == ECONNRESET));
	if (n <= 0)
		return n ? -errno : -EPIPE;
	*fd = io_passed_fd_take(&msg);
	if (n == sizeof(*message) && !message->text[KEEP_TEXT_BYTES - 1])
		return 0;
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
	return -EPROTO;
}
