/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The step that starts zsd, where none runs: by systemd, or by ourselves. */
#include "config.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/units.h"
#include "zsctl/client.h"
#include "zsctl/swap/swap.h"
#include "zsctl/system/run.h"
#include "zsctl/system/sysctl.h"

#define UNIT "zsd.service"

/* Half of the memory: what compresses to a third then takes a sixth of it. */
#define DEFAULT_SIZE "ram/2"

/* How long zsd may take to end when its last client has left, ms. */
#define END_PATIENCE_MS 30000u
#define END_LOOK_MS	20u

/* --- systemd ------------------------------------------------------------- */

/* Source: sd_booted(3). */
static bool has_unit(void)
{
	static const char *const cat[] = {"systemctl", "cat", UNIT, NULL};

	return access("/run/systemd/system", F_OK) == 0 && !run_quietly(cat);
}

static enum swap_outcome start_unit(json_t *note)
{
	static const char *const is_active[] = {"systemctl", "is-active",
						"--quiet", UNIT, NULL};
	static const char *const start[] = {"systemctl", "start", UNIT, NULL};

	if (!run_quietly(is_active))
		return SWAP_WAS_SO;
	if (run_program(start)) {
		device_complain("systemctl status " UNIT,
				"systemd cannot start " UNIT);
		return SWAP_FAILED;
	}
	(void)json_object_set_new(note, "unit", json_string(UNIT));
	return SWAP_DONE;
}

/* --- by ourselves -------------------------------------------------------- */

/* The zsd that was built or installed with this zsctl, else the path's. */
static const char *find_program(char path[DEVICE_PATH_BYTES])
{
	static const char *const places[] = {"zsd", "../sbin/zsd"};
	ssize_t bytes =
		readlink("/proc/self/exe", path, DEVICE_PATH_BYTES - 16);
	char *end;

	if (bytes <= 0)
		return "zsd";
	path[bytes] = '\0';
	end = strrchr(path, '/');
	if (!end)
		return "zsd";
	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		(void)snprintf(end + 1, 16, "%s", places[i]);
		if (access(path, X_OK) == 0)
			return path;
	}
	return "zsd";
}

static enum swap_outcome start_daemon(const struct swap *swap, json_t *note)
{
	char path[DEVICE_PATH_BYTES];
	const char *const argv[] = {
		find_program(path),
		"--daemon",
		"--swap=strict",
		"--size",
		swap->size ? swap->size : DEFAULT_SIZE,
		"--socket",
		swap->options->socket_path,
		"--control",
		swap->options->control_path,
		"--pid-file",
		SWAP_PID_PATH,
		NULL,
	};
	long long pid = 0;
	int err;

	err = run_program(argv);
	if (!err)
		err = files_read_number(SWAP_PID_PATH, &pid);
	if (err) {
		device_complain(
			"see what zsd has said", "cannot start %s: %s", argv[0],
			err == -ECHILD ? "it has ended" : strerror(-err));
		return SWAP_FAILED;
	}
	(void)json_object_set_new(note, "pid", json_integer(pid));
	return SWAP_DONE;
}

/* --- the size ------------------------------------------------------------ */

/* Whether the disk that there is has the size that was asked for. */
static enum swap_outcome check_size(const struct swap *swap)
{
	char has[UNITS_TEXT_BYTES];
	uint64_t bytes = 0;
	struct disk disk;
	long long kib;

	if (disk_ask(swap->options, &disk) != ZSCTL_OK)
		return SWAP_FAILED;
	if (!swap->size)
		return SWAP_WAS_SO;
	if (sysctl_memory_kib(swap->device.root, &kib) ||
	    units_parse(swap->size, (uint64_t)kib * KIB, &bytes) ||
	    bytes != disk.size_bytes) {
		device_complain("leave the size out, or end that zsd; with "
				"systemd, say ZSD_OPTIONS=--size=SIZE in "
				"/etc/default/zsd",
				"zsd has a disk of %s, not of %s",
				units_format(disk.size_bytes, has), swap->size);
		return SWAP_FAILED;
	}
	return SWAP_WAS_SO;
}

static bool is_running(const struct zsctl_options *options)
{
	int fd;

	if (client_connect(options->control_path, options->timeout_s, &fd))
		return false;
	close(fd);
	return true;
}

enum swap_outcome server_start(struct swap *swap, json_t *note)
{
	enum swap_outcome outcome = SWAP_WAS_SO;
	const bool is_unit = has_unit();

	if (is_unit)
		outcome = start_unit(note);
	else if (!is_running(swap->options))
		return start_daemon(swap, note);
	if (outcome == SWAP_FAILED || check_size(swap) != SWAP_FAILED)
		return outcome;
	if (outcome == SWAP_DONE)
		(void)server_stop(swap, note);
	return SWAP_FAILED;
}

/* --- and back ------------------------------------------------------------ */

static enum swap_outcome stop_unit(void)
{
	static const char *const stop[] = {"systemctl", "stop", UNIT, NULL};

	if (!run_program(stop))
		return SWAP_DONE;
	device_complain("systemctl status " UNIT, "systemd cannot stop " UNIT);
	return SWAP_FAILED;
}

static enum swap_outcome stop_daemon(pid_t pid)
{
	long long owner;

	/* Whoever has that number now is another process without the file. */
	if (files_read_number(SWAP_PID_PATH, &owner) || owner != pid ||
	    kill(pid, 0))
		return SWAP_WAS_SO;
	if (kill(pid, SIGTERM)) {
		device_complain("become root", "cannot end zsd, process %d: %s",
				(int)pid, strerror(errno));
		return SWAP_FAILED;
	}
	for (unsigned ms = 0; ms < END_PATIENCE_MS; ms += END_LOOK_MS) {
		if (kill(pid, 0))
			return SWAP_DONE;
		usleep(END_LOOK_MS * 1000);
	}
	device_complain("see for whom it waits: zsctl stats",
			"zsd, process %d, does not end", (int)pid);
	return SWAP_FAILED;
}

enum swap_outcome server_stop(struct swap *swap, const json_t *note)
{
	const json_int_t pid = json_integer_value(json_object_get(note, "pid"));

	(void)swap;
	if (json_object_get(note, "unit"))
		return stop_unit();
	if (pid > 1 && pid <= INT32_MAX)
		return stop_daemon((pid_t)pid);
	return SWAP_WAS_SO;
}
