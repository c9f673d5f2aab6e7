/* record.h: the log that the write-recording shim keeps, for the shim and its driver; powerloss.py reads it.
 *
 * The log is one record after the other: struct record_head, then `size` bytes. Records are numbered from 0
 * in the order in which they stand. Native byte order: the log never leaves the machine.
 *   W  bytes were written to the data file at `offset`; nothing says yet that they are durable
 *   D  the write with number `offset` went through a descriptor with O_DSYNC and has returned
 *   B  a sync of the data file begins
 *   E  the sync that began with record `offset` has returned without an error
 *   T  the file was cut or extended to `offset` bytes
 *   N  the directory of the data file was synced: its name is durable
 *   A  the program acknowledged; the bytes are its own text
 *   X  the file was changed in a way that cannot be replayed; the bytes say how */
#ifndef CHASQUI_TESTS_RECORD_H
#define CHASQUI_TESTS_RECORD_H

#include <stdint.h>

struct record_head {
    uint32_t type;
    uint32_t size;
    uint64_t offset;
};

#define RECORD_ACK_FD   3                  /* what is written there is an acknowledgement */
#define RECORD_ENV_LOG  "TEST_RECORD_LOG"  /* path of the log; unset: the shim only passes on */
#define RECORD_ENV_FILE "TEST_RECORD_FILE" /* path of the data file */

#endif
