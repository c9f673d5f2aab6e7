/* json_memory.h: where jansson takes its memory from. */
#ifndef CHASQUI_BASE_JSON_MEMORY_H
#define CHASQUI_BASE_JSON_MEMORY_H

/* Once, before jansson hands out anything. */
void json_memory_use(void);

#endif
