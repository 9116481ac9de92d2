# SPDX-License-Identifier: GPL-2.0-or-later
# ZSD_WARN_ADD(FLAGS)
# Adds to WARN_CFLAGS each of FLAGS that the compiler takes without a murmur.
AC_DEFUN([ZSD_WARN_ADD], [
  zsd_save_CFLAGS=$CFLAGS
  for zsd_flag in $1; do
    CFLAGS="$zsd_save_CFLAGS -Werror $zsd_flag"
    AC_COMPILE_IFELSE([AC_LANG_PROGRAM()],
      [WARN_CFLAGS="$WARN_CFLAGS $zsd_flag"])
  done
  CFLAGS=$zsd_save_CFLAGS
])
