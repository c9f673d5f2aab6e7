/* sandbox.h: the cage of the extraction child. Called by the child itself before it looks at its input; there
 * is no way back. */
#ifndef CHASQUI_KB_SOURCE_SANDBOX_H
#define CHASQUI_KB_SOURCE_SANDBOX_H

#include <stdbool.h>
#include <stddef.h>

/* Limits of the process: seconds of processor, bytes of address space; no files written, no core. False: one
 * could not be set. */
bool sandbox_limits(unsigned cpu_s, size_t memory);
/* For our own parsers: reading, writing what is open, memory, and the end. */
bool sandbox_parser(void);
/* For pdftotext, which has to be started and loaded: no network, no processes, no file changed, only system
 * folders readable where the kernel can do that. */
bool sandbox_program(void);

#endif
