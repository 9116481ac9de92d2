/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The step that makes the disk a swap area, unless that would destroy
 * something. */
#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "zsctl/swap/area.h"
#include "zsctl/swap/swap.h"

#define LABEL "zsd"

/* Exclusively: nobody else uses it meanwhile. Return: a descriptor, or -errno. */
static int open_device(const struct device *device)
{
	int fd = open(device->path, O_RDWR | O_EXCL | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

static int write_page(int fd, const uint8_t page[AREA_PAGE_BYTES])
{
	if (pwrite(fd, page, AREA_PAGE_BYTES, 0) != AREA_PAGE_BYTES ||
	    fsync(fd))
		return errno ? -errno : -EIO;
	return 0;
}

static enum swap_outcome explain(const struct device *device, int err)
{
	device_complain("see what the kernel's log says (dmesg)", "%s: %s",
			device->path, strerror(-err));
	return SWAP_FAILED;
}

static enum swap_outcome refuse(const struct device *device)
{
	device_complain("start zsd anew, or make it a swap area by hand: "
			"mkswap",
			"the disk behind %s is not empty, and no swap area",
			device->path);
	return SWAP_FAILED;
}

static int make_page(uint64_t size_bytes, uint8_t page[AREA_PAGE_BYTES])
{
	uint8_t uuid[AREA_UUID_BYTES];

	if (getrandom(uuid, sizeof(uuid), 0) != sizeof(uuid))
		return -EIO;
	uuid[6] = (uint8_t)((uuid[6] & 0x0f) | 0x40); /* RFC 4122, version 4 */
	uuid[8] = (uint8_t)((uuid[8] & 0x3f) | 0x80);
	return area_format(size_bytes, uuid, LABEL, page);
}

static enum swap_outcome write_to(struct swap *swap, int fd)
{
	const uint64_t size_bytes = device_size_bytes(&swap->device);
	uint8_t page[AREA_PAGE_BYTES];
	struct disk disk;
	int err;

	if (pread(fd, page, sizeof(page), 0) != sizeof(page))
		return explain(&swap->device, errno ? -errno : -EIO);
	if (area_is(page, size_bytes))
		return SWAP_WAS_SO;
	if (disk_ask(swap->options, &disk) != ZSCTL_OK)
		return SWAP_FAILED;
	if (!disk.is_empty)
		return refuse(&swap->device);
	err = make_page(size_bytes, page);
	if (!err)
		err = write_page(fd, page);
	return err ? explain(&swap->device, err) : SWAP_DONE;
}

enum swap_outcome header_write(struct swap *swap, json_t *note)
{
	enum swap_outcome outcome;
	int fd = open_device(&swap->device);

	(void)note;
	if (fd < 0)
		return explain(&swap->device, fd);
	outcome = write_to(swap, fd);
	close(fd);
	return outcome;
}

/* It was empty: so it is again, for whoever attaches it next. */
enum swap_outcome header_erase(struct swap *swap, const json_t *note)
{
	static const uint8_t zeros[AREA_PAGE_BYTES];
	int err, fd;

	(void)note;
	if (!device_is_attached(&swap->device))
		return SWAP_WAS_SO;
	fd = open_device(&swap->device);
	if (fd < 0)
		return explain(&swap->device, fd);
	err = write_page(fd, zeros);
	close(fd);
	return err ? explain(&swap->device, err) : SWAP_DONE;
}
