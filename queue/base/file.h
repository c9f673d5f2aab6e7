/* file.h: what writers of files share: whole writes, and folders whose names survive a power cut. Calls block
 * on the disk. Thread: any. */
#ifndef CHASQUI_BASE_FILE_H
#define CHASQUI_BASE_FILE_H

#include <stdbool.h>
#include <stddef.h>

#include "queue/base/error.h"

/* Writes all bytes to a blocking descriptor, through interruptions. False: errno says why, and some may be
 * written. */
bool file_write(int fd, const void *data, size_t size) MUST_CHECK;
/* Makes what was made, renamed or deleted in the folder durable. */
enum err folder_sync(const char *path) MUST_CHECK;

#endif
