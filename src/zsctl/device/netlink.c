/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "config.h"

#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/genetlink.h>
#include <linux/nbd-netlink.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "zsctl/device/netlink.h"
#include "zsctl/text.h"

/* Longest wait for an answer, seconds. It is there when the message is sent:
 * the bound is against a mistake. */
#define ANSWER_TIMEOUT_S 30

/* What answers one message: the answer, an acknowledgement, and messages to
 * others that were under way. */
#define MAX_DATAGRAMS 16u

/* Largest number of an error. Source: Linux include/linux/err.h, MAX_ERRNO. */
#define MAX_ERRNO 4095

/* --- messages ------------------------------------------------------------ */

static struct nlmsghdr *begin(struct netlink *n, uint16_t type, uint8_t command,
			      uint8_t version)
{
	struct nlmsghdr *message = mnl_nlmsg_put_header(n->buffer);
	struct genlmsghdr *head;

	message->nlmsg_type = type;
	message->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK;
	message->nlmsg_seq = ++n->seq;
	head = mnl_nlmsg_put_extra_header(message, sizeof(*head));
	head->cmd = command;
	head->version = version;
	return message;
}

static struct nlmsghdr *begin_nbd(struct netlink *n, uint8_t command)
{
	return begin(n, n->family, command, NBD_GENL_VERSION);
}

static bool put_u64(struct nlmsghdr *message, uint16_t type, uint64_t value)
{
	return mnl_attr_put_u64_check(message, NETLINK_BUFFER_BYTES, type,
				      value);
}

static bool put_index(struct nlmsghdr *message, unsigned index)
{
	return mnl_attr_put_u32_check(message, NETLINK_BUFFER_BYTES,
				      NBD_ATTR_INDEX, index);
}

static bool put_identifier(struct nlmsghdr *message, const char *identifier)
{
	return !identifier ||
	       mnl_attr_put_strz_check(message, NETLINK_BUFFER_BYTES,
				       NBD_ATTR_BACKEND_IDENTIFIER, identifier);
}

static bool put_sockets(struct nlmsghdr *message, const int *sockets, size_t nr)
{
	struct nlattr *all, *one;
	bool fits;

	all = mnl_attr_nest_start_check(message, NETLINK_BUFFER_BYTES,
					NBD_ATTR_SOCKETS);
	fits = all;
	for (size_t i = 0; i < nr && fits; i++) {
		one = mnl_attr_nest_start_check(message, NETLINK_BUFFER_BYTES,
						NBD_SOCK_ITEM);
		fits = one &&
		       mnl_attr_put_u32_check(message, NETLINK_BUFFER_BYTES,
					      NBD_SOCK_FD,
					      (uint32_t)sockets[i]);
		if (fits)
			mnl_attr_nest_end(message, one);
	}
	if (fits)
		mnl_attr_nest_end(message, all);
	return fits;
}

size_t netlink_put_connect(struct netlink *n,
			   const struct netlink_device *device)
{
	struct nlmsghdr *message = begin_nbd(n, NBD_CMD_CONNECT);

	if (put_index(message, device->index) &&
	    put_u64(message, NBD_ATTR_SIZE_BYTES, device->size_bytes) &&
	    put_u64(message, NBD_ATTR_BLOCK_SIZE_BYTES, device->block_bytes) &&
	    put_u64(message, NBD_ATTR_SERVER_FLAGS, device->flags) &&
	    put_u64(message, NBD_ATTR_TIMEOUT, 0) &&
	    put_u64(message, NBD_ATTR_DEAD_CONN_TIMEOUT,
		    device->dead_timeout_s) &&
	    put_identifier(message, device->identifier) &&
	    put_sockets(message, device->sockets, device->nr_sockets))
		return message->nlmsg_len;
	return 0;
}

size_t netlink_put_reconfigure(struct netlink *n, unsigned index,
			       const char *identifier, int fd)
{
	struct nlmsghdr *message = begin_nbd(n, NBD_CMD_RECONFIGURE);

	if (put_index(message, index) && put_identifier(message, identifier) &&
	    put_sockets(message, &fd, 1))
		return message->nlmsg_len;
	return 0;
}

size_t netlink_put_disconnect(struct netlink *n, unsigned index)
{
	struct nlmsghdr *message = begin_nbd(n, NBD_CMD_DISCONNECT);

	return put_index(message, index) ? message->nlmsg_len : 0;
}

static size_t put_get_family(struct netlink *n)
{
	struct nlmsghdr *message =
		begin(n, GENL_ID_CTRL, CTRL_CMD_GETFAMILY, 1);

	return mnl_attr_put_strz_check(message, NETLINK_BUFFER_BYTES,
				       CTRL_ATTR_FAMILY_NAME,
				       NBD_GENL_FAMILY_NAME)
		       ? message->nlmsg_len
		       : 0;
}

/* --- answers ------------------------------------------------------------- */

/* Whether there is one at @attr, all of it inside the message. */
static bool is_attr(const struct nlattr *attr, const struct nlmsghdr *message)
{
	/* Not libmnl's, which is rounded up to where the next one begins. */
	const char *end = (const char *)message + message->nlmsg_len;

	return mnl_attr_ok(attr, (int)(end - (const char *)attr));
}

/* The kernel's words on an error, behind the head of its message; it repeats
 * our message before them unless it says that it does not. */
static void take_words(struct netlink *n, const struct nlmsghdr *message)
{
	const struct nlmsgerr *err = mnl_nlmsg_get_payload(message);
	const struct nlattr *attr;
	size_t offset = sizeof(*err);

	if (!(message->nlmsg_flags & NLM_F_ACK_TLVS))
		return;
	if (!(message->nlmsg_flags & NLM_F_CAPPED)) {
		if (err->msg.nlmsg_len < sizeof(err->msg) ||
		    err->msg.nlmsg_len > message->nlmsg_len)
			return;
		offset += NLMSG_ALIGN(err->msg.nlmsg_len) - sizeof(err->msg);
	}
	if (offset > mnl_nlmsg_get_payload_len(message))
		return;
	attr = mnl_nlmsg_get_payload_offset(message, offset);
	for (; is_attr(attr, message); attr = mnl_attr_next(attr)) {
		if (mnl_attr_get_type(attr) == NLMSGERR_ATTR_MSG &&
		    mnl_attr_validate(attr, MNL_TYPE_NUL_STRING) == 0)
			text_plain(mnl_attr_get_str(attr), n->why,
				   sizeof(n->why));
	}
}

static int take_verdict(struct netlink *n, const struct nlmsghdr *message)
{
	const struct nlmsgerr *err = mnl_nlmsg_get_payload(message);

	if (mnl_nlmsg_get_payload_len(message) < sizeof(*err) ||
	    err->error > 0 || err->error < -MAX_ERRNO)
		return -EBADMSG;
	if (err->error)
		take_words(n, message);
	return err->error;
}

/* What the controller tells of a family: its number is what counts. */
static int take_family(struct netlink *n, const struct nlmsghdr *message)
{
	const struct nlattr *attr;

	if (mnl_nlmsg_get_payload_len(message) < sizeof(struct genlmsghdr))
		return -EBADMSG;
	attr = mnl_nlmsg_get_payload_offset(message, sizeof(struct genlmsghdr));
	for (; is_attr(attr, message); attr = mnl_attr_next(attr)) {
		if (mnl_attr_get_type(attr) != CTRL_ATTR_FAMILY_ID)
			continue;
		if (mnl_attr_validate(attr, MNL_TYPE_U16))
			return -EBADMSG;
		n->family = mnl_attr_get_u16(attr);
	}
	return 0;
}

/* Whether there is one, all of it in the @left bytes. libmnl alone takes a
 * length of 2 GiB and more for one that is negative. */
static bool is_message(const struct nlmsghdr *message, int left)
{
	return left >= (int)sizeof(*message) &&
	       message->nlmsg_len <= (uint32_t)left &&
	       mnl_nlmsg_ok(message, left);
}

int netlink_take(struct netlink *n, size_t bytes, bool *is_last)
{
	const struct nlmsghdr *message = (const void *)n->buffer;
	int left = (int)bytes, err;

	*is_last = false;
	for (; is_message(message, left);
	     message = mnl_nlmsg_next(message, &left)) {
		if (message->nlmsg_seq != n->seq ||
		    message->nlmsg_pid != n->port)
			continue;
		if (message->nlmsg_type == NLMSG_ERROR) {
			*is_last = true;
			return take_verdict(n, message);
		}
		if (message->nlmsg_type != GENL_ID_CTRL)
			continue;
		err = take_family(n, message);
		if (err)
			return err;
	}
	return left > 0 ? -EBADMSG : 0;
}

/* --- the socket ---------------------------------------------------------- */

static int exchange(struct netlink *n, size_t bytes)
{
	bool is_last = false;
	ssize_t got;
	int err = 0;

	n->why[0] = '\0';
	if (!bytes)
		return -EMSGSIZE;
	if (mnl_socket_sendto(n->socket, n->buffer, bytes) < 0)
		return -errno;
	for (unsigned i = 0; i < MAX_DATAGRAMS && !err && !is_last; i++) {
		got = mnl_socket_recvfrom(n->socket, n->buffer,
					  sizeof(n->buffer));
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return errno == EAGAIN ? -ETIMEDOUT : -errno;
		err = netlink_take(n, (size_t)got, &is_last);
	}
	return err || is_last ? err : -EBADMSG;
}

int netlink_open(struct netlink *n)
{
	const struct timeval timeout = {.tv_sec = ANSWER_TIMEOUT_S};
	int one = 1, err;

	*n = (struct netlink){.why = ""};
	n->socket = mnl_socket_open2(NETLINK_GENERIC, SOCK_CLOEXEC);
	if (!n->socket ||
	    mnl_socket_bind(n->socket, 0, MNL_SOCKET_AUTOPID) < 0 ||
	    setsockopt(mnl_socket_get_fd(n->socket), SOL_SOCKET, SO_RCVTIMEO,
		       &timeout, sizeof(timeout)) < 0)
		return -errno;
	/* Where the kernel knows neither (before 4.12), it just says less. */
	(void)mnl_socket_setsockopt(n->socket, NETLINK_EXT_ACK, &one,
				    sizeof(one));
	(void)mnl_socket_setsockopt(n->socket, NETLINK_CAP_ACK, &one,
				    sizeof(one));
	n->port = mnl_socket_get_portid(n->socket);
	err = exchange(n, put_get_family(n));
	if (!err && !n->family)
		err = -EBADMSG;
	return err;
}

void netlink_close(struct netlink *n)
{
	if (n->socket)
		mnl_socket_close(n->socket);
	n->socket = NULL;
}

int netlink_connect(struct netlink *n, const struct netlink_device *device)
{
	return exchange(n, netlink_put_connect(n, device));
}

int netlink_reconfigure(struct netlink *n, unsigned index,
			const char *identifier, int fd)
{
	return exchange(n, netlink_put_reconfigure(n, index, identifier, fd));
}

int netlink_disconnect(struct netlink *n, unsigned index)
{
	return exchange(n, netlink_put_disconnect(n, index));
}
