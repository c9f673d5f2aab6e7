/* record.h: the log that the write-recording shim keeps, for the shim and its driver; powerloss.py reads it.
 *
 * The log is one record after the other: struct record_head, then `size` bytes. Records are numbered from 0
 * in the order in which they stand; `file` is the place of the file they are about in the list of
 * RECORD_ENV_FILES. Native byte order: the log never leaves the machine.
 *   W  bytes were written to the file at `offset`; nothing says yet that they are durable
 *   D  the write with number `offset` went through a descriptor with O_DSYNC and has returned
 *   B  a sync of the file begins
 *   E  the sync that began with record `offset` has returned without an error
 *   T  the file was cut or extended to `offset` bytes
 *   N  the directory of the files was synced: their names are durable
 *   A  the program acknowledged; the bytes are its own text
 *   X  the file was changed in a way that cannot be replayed; the bytes say how */
#ifndef CHASQUI_TESTS_RECORD_H
#define CHASQUI_TESTS_RECORD_H

#include <stdint.h>

struct record_head {
    uint16_t type;
    uint16_t file;
    uint32_t size;
    uint64_t offset;
};

#define RECORD_ACK_FD    3                   /* what is written there is an acknowledgement */
#define RECORD_ENV_LOG   "TEST_RECORD_LOG"   /* path of the log; unset: the shim only passes on */
#define RECORD_ENV_FILES "TEST_RECORD_FILES" /* paths of files in one directory, with colons between */
#define RECORD_FILES_MAX 4

#endif
